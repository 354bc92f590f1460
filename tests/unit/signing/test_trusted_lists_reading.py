"""Reading trusted lists: statuses over time, qualifiers, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Misconfigured
from signing.trust import Evidence, TrustState, TrustStore
from signing.trusted_lists import folder as lists
from signing.trusted_lists.content import Kind, TrustedList
from signing.trusted_lists.reading import ListUnreadable, read
from tests.trust_samples import (
    ACCREDITED,
    DAY,
    GRANTED,
    NOW,
    SIGNS,
    TIME_STAMPING,
    WITHDRAWN,
    YEAR,
    Holder,
    pointer,
    policy_set,
    qualifier,
    service,
    trusted_list,
    usage,
)

ROOT = Holder.root(start=datetime(2012, 1, 1, tzinfo=UTC))
CA = ROOT.authority("DEMONSTRATION AC qualifiée")
LEAF = CA.issue("DEMONSTRATION Signataire")


def parsed(tmp_path: Path, data: bytes) -> TrustedList:
    path = tmp_path / "list.xml"
    path.write_bytes(data)
    return read(path)


def keep(folder: Path, data: bytes) -> None:
    """Put a list where an installation puts it."""
    place = lists.place(folder)
    place.mkdir(exist_ok=True)
    (place / lists.name_of(parsed(folder, data), data)).write_bytes(data)


def test_a_list_says_who_it_is_and_when_the_next_one_is_due(tmp_path: Path) -> None:
    found = parsed(tmp_path, trusted_list(territory="FR", sequence=57, issued=NOW - DAY, due=NOW + DAY))
    assert (found.territory, found.sequence, found.of_lists) == ("FR", 57, False)
    assert (found.issued, found.next_update) == (NOW - DAY, NOW + DAY)
    assert not found.stale(NOW)
    assert found.stale(NOW + 2 * DAY)


def test_a_service_is_granted_between_its_statuses(tmp_path: Path) -> None:
    statuses = ((WITHDRAWN, NOW - YEAR), (GRANTED, NOW - 2 * YEAR), (WITHDRAWN, NOW - 3 * YEAR))
    (one,) = parsed(tmp_path, trusted_list(service(CA.certificate, *statuses))).services
    assert one.kind is Kind.CERTIFICATES
    assert one.name == "Démonstration"
    days = {-4 * YEAR: False, -3 * YEAR: False, -2 * YEAR: True, -YEAR - DAY: True, -YEAR: False, DAY: False}
    assert {day: one.anchors(NOW + day) for day in days} == days


def test_an_accreditation_counts_until_the_regulation_applied(tmp_path: Path) -> None:
    (one,) = parsed(tmp_path, trusted_list(service(CA.certificate, (ACCREDITED, datetime(2013, 1, 1, tzinfo=UTC))))).services
    assert one.anchors(datetime(2016, 6, 30, tzinfo=UTC))
    assert not one.anchors(datetime(2016, 7, 1, tzinfo=UTC))


def test_a_service_for_web_sites_alone_vouches_for_nobody(tmp_path: Path) -> None:
    xml = trusted_list(service(CA.certificate, (GRANTED, NOW - YEAR), uses=["ForWebSiteAuthentication"]))
    (one,) = parsed(tmp_path, xml).services
    assert one.granted(NOW)
    assert not one.anchors(NOW)


def test_other_services_are_left_out(tmp_path: Path) -> None:
    xml = trusted_list(service(CA.certificate, (GRANTED, NOW - YEAR), kind="EDS/Q"))
    assert parsed(tmp_path, xml).services == ()


@pytest.mark.parametrize(
    "extension",
    [
        pytest.param('<Extension Critical="true"><Unheard/></Extension>', id="critical extension"),
        pytest.param(qualifier("QCWithQSCD", "<q:Unheard/>"), id="criterion"),
        pytest.param(qualifier("QCWithQSCD", ""), id="no criterion"),
        pytest.param(qualifier("QCWithQSCD", '<q:KeyUsage><q:KeyUsageBit name="x">true</q:KeyUsageBit></q:KeyUsage>'), id="bit"),
    ],
)
def test_a_status_that_is_not_understood_grants_nothing(tmp_path: Path, extension: str) -> None:
    found = parsed(tmp_path, trusted_list(service(CA.certificate, (GRANTED, NOW - YEAR), extension=extension)))
    assert found.skipped == 1
    assert not found.services[0].granted(NOW)


@pytest.mark.parametrize(
    ("criteria", "matches"),
    [
        (policy_set("1.2.3"), True),
        (policy_set("1.2.3", "1.2.4"), False),
        ('<q:KeyUsage><q:KeyUsageBit name="nonRepudiation">true</q:KeyUsageBit></q:KeyUsage>', True),
        ('<q:KeyUsage><q:KeyUsageBit name="digitalSignature">false</q:KeyUsageBit></q:KeyUsage>', True),
        ('<q:KeyUsage><q:KeyUsageBit name="digitalSignature">true</q:KeyUsageBit></q:KeyUsage>', False),
        ('<q:KeyUsage><q:KeyUsageBit name="encipherOnly">false</q:KeyUsageBit></q:KeyUsage>', True),
        (f'<q:CriteriaList assert="none">{policy_set("1.2.4")}</q:CriteriaList>', True),
        (f'<q:CriteriaList assert="none">{policy_set("1.2.3")}</q:CriteriaList>', False),
        (f'<q:CriteriaList assert="atLeastOne">{policy_set("1.2.4")}{policy_set("1.2.3")}</q:CriteriaList>', True),
        (f'<q:CriteriaList assert="all">{policy_set("1.2.4")}{policy_set("1.2.3")}</q:CriteriaList>', False),
        (
            (
                '<q:otherCriteriaList><x:CertSubjectDNAttribute xmlns:x="http://uri.etsi.org/02231/v2/additionaltypes#">'
                "<x:AttributeOID><xa:Identifier>2.5.4.3</xa:Identifier></x:AttributeOID></x:CertSubjectDNAttribute>"
                "</q:otherCriteriaList>"
            ),
            True,
        ),
        (
            (
                '<q:otherCriteriaList><x:ExtendedKeyUsage xmlns:x="http://uri.etsi.org/02231/v2/additionaltypes#">'
                "<x:KeyPurposeId><xa:Identifier>1.3.6.1.5.5.7.3.4</xa:Identifier></x:KeyPurposeId></x:ExtendedKeyUsage>"
                "</q:otherCriteriaList>"
            ),
            False,
        ),
    ],
)
def test_a_qualifier_concerns_the_certificates_that_meet_its_criteria(tmp_path: Path, criteria: str, matches: bool) -> None:
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)])
    leaf = CA.issue("DEMONSTRATION Signataire", (usage(commitment=True), True), (policies, False))
    xml = trusted_list(service(CA.certificate, (GRANTED, NOW - YEAR), extension=qualifier("QCWithQSCD", criteria)))
    period = parsed(tmp_path, xml).services[0].granted(NOW)
    assert period is not None
    (found,) = period.qualifiers
    assert found.names == {"QCWithQSCD"}
    assert found.criteria.matches(leaf.certificate) is matches


def test_the_list_of_lists_points_to_others_and_names_its_pivots(tmp_path: Path) -> None:
    pivot = "https://lists.example/eu-lotl-pivot-282.xml"
    xml = trusted_list(territory="EU", pointers=[pointer("FR", LEAF.certificate)], addresses=["https://lists.example/law", pivot])
    found = parsed(tmp_path, xml)
    assert found.of_lists
    assert found.pivots == (pivot,)
    assert [(one.territory, one.signers) for one in found.pointers] == [("FR", (LEAF.certificate,))]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<a/>", id="another document"),
        pytest.param(trusted_list()[:-9], id="cut"),
        pytest.param(trusted_list().replace(b"?>", b'?><!DOCTYPE a [<!ENTITY b "c">]>', 1), id="DOCTYPE"),
        pytest.param(trusted_list(territory="../x"), id="territory"),
        pytest.param(trusted_list().replace(b"Number>1<", b"Number>-1<"), id="number"),
        pytest.param(trusted_list(due=None).replace(b"<NextUpdate>", b"<NextUpdate><dateTime>soon</dateTime>"), id="date"),
        pytest.param(trusted_list().replace(b"TSLType>", b"TSLKind>"), id="no type"),
        pytest.param(
            trusted_list(
                service(
                    CA.certificate, (GRANTED, NOW), extension=qualifier("x", "<q:CriteriaList>" * 300 + "</q:CriteriaList>" * 300)
                )
            ).replace(b"StatusStartingTime", b"Status"),
            id="no beginning",
        ),
    ],
)
def test_what_is_no_list_is_refused_in_words(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ListUnreadable, match=r"list\.xml"):
        parsed(tmp_path, data)


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 2000), st.binary(max_size=30))
def test_a_broken_list_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes
) -> None:
    whole = trusted_list(service(CA.certificate, (GRANTED, NOW - YEAR)))
    path = tmp_path_factory.mktemp("broken") / "list.xml"
    path.write_bytes(whole[:at] + noise + whole[at + len(noise) :])
    try:
        assert read(path).sequence >= 0
    except ListUnreadable as error:
        assert "list.xml" in str(error)


def test_a_kept_list_makes_anchors_while_its_services_are_granted(tmp_path: Path) -> None:
    statuses = ((WITHDRAWN, NOW - DAY), (GRANTED, NOW - 3 * YEAR))
    keep(tmp_path, trusted_list(service(CA.certificate, *statuses)))
    store = TrustStore.from_folder(tmp_path)
    then = store.assess(LEAF.certificate, at=NOW - YEAR)
    assert (then.state, then.chain) == (TrustState.TRUSTED, (LEAF.certificate, CA.certificate))
    now = store.assess(LEAF.certificate, at=NOW)
    assert now.state is TrustState.UNKNOWN
    assert "liste de confiance" in (now.reason or "")


def test_a_service_for_timestamps_vouches_for_no_signer_and_the_other_way_round(tmp_path: Path) -> None:
    stamps = ROOT.authority("DEMONSTRATION AC horodatage")
    keep(
        tmp_path,
        trusted_list(
            *(service(one.certificate, (GRANTED, NOW - YEAR), kind=kind) for one, kind in ((CA, "CA/QC"), (stamps, "TSA/QTST")))
        ),
    )
    store = TrustStore.from_folder(tmp_path)

    def state(issuer: Holder, *extensions: object) -> TrustState:
        return store.assess(issuer.issue("DEMONSTRATION", *extensions).certificate, at=NOW).state  # type: ignore[arg-type]

    assert state(CA, SIGNS) is TrustState.TRUSTED
    assert state(stamps, (TIME_STAMPING, True)) is TrustState.TRUSTED
    assert state(stamps, SIGNS) is TrustState.UNKNOWN
    assert state(CA, (TIME_STAMPING, True)) is TrustState.UNKNOWN


def test_a_unit_that_the_list_names_itself_is_trusted_alone(tmp_path: Path) -> None:
    unit = ROOT.issue("DEMONSTRATION Unité", (usage(signature=True), True), (TIME_STAMPING, True))
    keep(tmp_path, trusted_list(service(unit.certificate, (GRANTED, NOW - YEAR), kind="TSA/QTST")))
    store = TrustStore.from_folder(tmp_path)
    assert store.assess(unit.certificate, at=NOW).state is TrustState.TRUSTED
    forged = unit.issue("DEMONSTRATION Autre", (TIME_STAMPING, True))
    assert store.assess(forged.certificate, at=NOW, evidence=Evidence((unit.certificate,))).state is TrustState.UNKNOWN


def test_a_list_that_was_not_installed_or_has_changed_is_noticed(tmp_path: Path) -> None:
    keep(tmp_path, trusted_list())
    (path,) = lists.place(tmp_path).glob("*.xml")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(Misconfigured, match=r"FR\.1\."):
        TrustStore.from_folder(tmp_path)
    path.rename(path.with_name("FR.xml"))
    with pytest.raises(Misconfigured, match=r"FR\.xml"):
        TrustStore.from_folder(tmp_path)


def test_the_newest_of_a_territory_counts_and_a_stale_one_is_an_alert(tmp_path: Path) -> None:
    keep(tmp_path, trusted_list(sequence=9, due=NOW - DAY))
    keep(tmp_path, trusted_list(sequence=10, due=NOW - DAY))
    keep(tmp_path, trusted_list(territory="BE", due=NOW + DAY))
    keep(tmp_path, trusted_list(territory="UK", due=None))
    assert {territory: one.list.sequence for territory, one in lists.kept(tmp_path).items()} == {"BE": 1, "FR": 10, "UK": 1}
    alerts = lists.alerts(tmp_path, NOW)
    assert len(alerts) == 2
    assert "FR" in alerts[0]
    assert TrustStore.from_folder(tmp_path).services == ()


def test_the_french_list_of_2019_is_read(shared: Path) -> None:
    found = read(shared / "corpus/signatures/trustlist/fr.xml")
    assert (found.territory, found.sequence, found.skipped) == ("FR", 56, 0)
    assert found.stale(NOW)
    kinds = [one.kind for one in found.services]
    assert (kinds.count(Kind.CERTIFICATES), kinds.count(Kind.TIMESTAMPS)) == (84, 28)
    granted = [one for one in found.services if one.granted(datetime(2019, 9, 10, tzinfo=UTC))]
    assert len(granted) == 62
    assert any(one.granted(datetime(2015, 1, 1, tzinfo=UTC)) and one not in granted for one in found.services)


def test_the_list_of_lists_of_2019_points_to_every_country(shared: Path) -> None:
    found = read(shared / "corpus/signatures/trustlist/eu-lotl.xml")
    assert (found.of_lists, found.sequence, found.services) == (True, 248, ())
    assert len({one.territory for one in found.pointers}) == 32
    assert all(one.signers for one in found.pointers)
