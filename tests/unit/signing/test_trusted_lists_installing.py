"""Taking a trusted list in: who must have signed it, what replaces what, what stays when it does not hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from signing.trust import TrustState, TrustStore
from signing.trusted_lists import folder as lists
from signing.trusted_lists.installing import Installed, ListOlder, ListRefused, install
from signing.trusted_lists.reading import ListUnreadable, read
from tests.trust_samples import DAY, GRANTED, NOW, YEAR, Holder, pointer, service, signed, trusted_list

ROOT = Holder.root()
CA = ROOT.authority("DEMONSTRATION AC qualifiée")
UNION = ROOT.issue("DEMONSTRATION Signataire de la liste des listes")
SUCCESSOR = ROOT.issue("DEMONSTRATION Successeur")
COUNTRY = ROOT.issue("DEMONSTRATION Signataire de la liste")
LEAF = CA.issue("DEMONSTRATION Signataire")


def bring(folder: Path, data: bytes, *signers: Holder, at: datetime = NOW) -> Installed:
    """Hand a list over for installation."""
    path = folder.parent / "brought.xml"
    path.write_bytes(data)
    return install(path, folder, [signer.certificate for signer in signers], at)


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    folder = tmp_path / "trust"
    folder.mkdir()
    return folder


def union(*pointers: str, sequence: int = 1, signer: Holder = UNION, addresses: tuple[str, ...] = ()) -> bytes:
    return signed(trusted_list(territory="EU", sequence=sequence, pointers=pointers, addresses=addresses), signer)


def country(sequence: int = 1, signer: Holder = COUNTRY, **fields: object) -> bytes:
    services = service(CA.certificate, (GRANTED, NOW - 5 * YEAR))
    return signed(trusted_list(services, sequence=sequence, **fields), signer)  # type: ignore[arg-type]


def test_the_lists_of_lists_then_that_of_a_country_make_anchors(trust: Path) -> None:
    assert bring(trust, union(pointer("FR", COUNTRY.certificate)), UNION).notes == ()
    assert bring(trust, country()).notes == ()
    status = TrustStore.from_folder(trust).assess(LEAF.certificate, at=NOW)
    assert (status.state, status.chain[-1]) == (TrustState.TRUSTED, CA.certificate)
    assert {path.suffix for path in lists.place(trust).iterdir()} == {".xml"}


@pytest.mark.parametrize(
    "signer",
    [
        pytest.param(UNION, id="the signer of another list"),
        pytest.param(Holder.root().issue("DEMONSTRATION Signataire de la liste"), id="a stranger of the same name"),
        pytest.param(COUNTRY.issue("DEMONSTRATION Signataire de la liste"), id="named by the signer"),
        pytest.param(ROOT.issue("DEMONSTRATION Signataire de la liste"), id="of the same authority"),
    ],
)
def test_a_list_signed_by_somebody_else_is_refused_and_the_good_one_stays(trust: Path, signer: Holder) -> None:
    bring(trust, union(pointer("FR", COUNTRY.certificate)), UNION)
    good = bring(trust, country(1))
    with pytest.raises(ListRefused, match="FR"):
        bring(trust, country(2, signer))
    assert lists.kept(trust)["FR"].path == good.kept.path
    assert TrustStore.from_folder(trust).assess(LEAF.certificate, at=NOW).state is TrustState.TRUSTED


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"granted", b"withdraw"), (b"Number>2<", b"Number>3<"), (b"</ds:SignatureValue>", b"AA</ds:SignatureValue>")],
)
def test_an_altered_list_is_refused(trust: Path, old: bytes, new: bytes) -> None:
    data = country(2)
    assert old in data
    with pytest.raises(ListRefused):
        bring(trust, data.replace(old, new), COUNTRY)
    assert lists.kept(trust) == {}


def test_a_list_that_nobody_signed_is_refused(trust: Path) -> None:
    with pytest.raises(ListRefused):
        bring(trust, trusted_list(), COUNTRY)


def test_a_list_whose_signers_nobody_announced_is_refused(trust: Path) -> None:
    with pytest.raises(ListRefused, match="FR"):
        bring(trust, country())
    bring(trust, union(pointer("BE", COUNTRY.certificate)), UNION)
    with pytest.raises(ListRefused, match="FR"):
        bring(trust, country())


def test_a_signature_over_a_part_of_the_list_is_refused(trust: Path) -> None:
    inside = country().replace(b"<?xml version='1.0' encoding='UTF-8'?>\n", b"")
    outside = trusted_list(sequence=9).replace(b"</TrustServiceStatusList>", inside + b"</TrustServiceStatusList>")
    with pytest.raises((ListRefused, ListUnreadable)):
        bring(trust, outside, COUNTRY)


def test_a_list_whose_signer_has_expired_is_refused(trust: Path) -> None:
    old = ROOT.issue("DEMONSTRATION Ancien", end=NOW - DAY)
    with pytest.raises(ListRefused):
        bring(trust, country(signer=old), old)


def test_a_newer_list_replaces_and_an_older_one_does_not(trust: Path) -> None:
    first, second = country(1), country(2)
    bring(trust, first, COUNTRY)
    bring(trust, second, COUNTRY)
    assert len(list(lists.place(trust).glob("*.xml"))) == 1
    with pytest.raises(ListOlder, match="1"):
        bring(trust, first, COUNTRY)
    with pytest.raises(ListOlder):
        bring(trust, country(2, issued=NOW - 2 * DAY), COUNTRY)
    assert bring(trust, second, COUNTRY).kept.list.sequence == 2


def test_the_signers_of_the_list_of_lists_change_by_pivots_installed_in_order(trust: Path) -> None:
    pivot = "https://lists.example/eu-lotl-pivot-2.xml"
    bring(trust, union(pointer("EU", UNION.certificate)), UNION)
    newest = union(pointer("EU", SUCCESSOR.certificate), sequence=3, signer=SUCCESSOR, addresses=(pivot,))
    with pytest.raises(ListRefused, match="pivot-2"):
        bring(trust, newest)
    bring(trust, union(pointer("EU", UNION.certificate, SUCCESSOR.certificate), sequence=2))
    installed = bring(trust, newest)
    assert installed.kept.list.pivots == (pivot,)
    assert any("pivot-2" in note for note in installed.notes)


def test_a_stale_list_is_taken_and_said(trust: Path) -> None:
    installed = bring(trust, country(due=NOW - DAY), COUNTRY)
    assert len(installed.notes) == 1
    assert lists.alerts(trust, NOW) == installed.notes
    assert TrustStore.from_folder(trust).assess(LEAF.certificate, at=NOW).state is TrustState.TRUSTED


def test_an_absent_file_is_refused_in_words(trust: Path) -> None:
    with pytest.raises(ListUnreadable, match=r"absent\.xml"):
        install(trust / "absent.xml", trust)


AT_THE_TIME = datetime(2019, 9, 10, tzinfo=UTC)


def announced(path: Path, territory: str) -> list[x509.Certificate]:
    return [signer for one in read(path).pointers if one.territory == territory for signer in one.signers]


def test_the_real_lists_of_2019_are_installed_one_after_the_other(shared: Path, trust: Path) -> None:
    folder = shared / "corpus/signatures/trustlist"
    union_list = install(folder / "eu-lotl.xml", trust, announced(folder / "eu-lotl.xml", "EU"), AT_THE_TIME)
    assert union_list.kept.list.sequence == 248
    french = install(folder / "fr.xml", trust, at=AT_THE_TIME)
    assert (french.kept.list.sequence, french.notes) == (56, ())
    store = TrustStore.from_folder(trust)
    assert len(store.services) == 112
    unit = next(
        service.certificates[0]
        for service in store.services
        if service.anchors(AT_THE_TIME) and service.certificates[0].not_valid_after_utc > AT_THE_TIME
    )
    assert unit.not_valid_before_utc < AT_THE_TIME
    assert len(lists.alerts(trust, NOW)) == 2


def test_the_real_list_of_lists_with_a_broken_signature_is_refused(shared: Path, trust: Path) -> None:
    folder = shared / "corpus/signatures/trustlist"
    with pytest.raises(ListRefused):
        install(folder / "eu-lotl-broken-sig.xml", trust, announced(folder / "eu-lotl.xml", "EU"), AT_THE_TIME)
    assert lists.kept(trust) == {}
