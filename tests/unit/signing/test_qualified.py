"""What a certificate is worth: claims, the trusted list at the time, the operator's table."""

from __future__ import annotations

from pathlib import Path

import pytest
from asn1crypto import core as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from core.errors import Misconfigured
from core.messages import speaking
from signing.pki import TestAuthority
from signing.qualified import QcType, Qualification, Statements, qualification
from signing.standing import standing
from signing.trust import RgsLevel, TrustState, TrustStore
from signing.trusted_lists import folder as lists
from signing.trusted_lists.reading import read
from signing.verdicts import Belief, SignatureVerdict
from tests.trust_samples import DAY, GRANTED, NOW, SIGNS, WITHDRAWN, YEAR, Holder, policy_set, qualifier, service, trusted_list

ROOT = Holder.root()
CA = ROOT.authority("DEMONSTRATION AC qualifiée")
COMPLIANCE, DEVICE, TYPE = "0.4.0.1862.1.1", "0.4.0.1862.1.4", "0.4.0.1862.1.6"
ESIGN, ESEAL, WEB = f"{TYPE}.1", f"{TYPE}.2", f"{TYPE}.3"
POLICY = "1.2.250.1.999.1.2"


class Identifiers(asn1.SequenceOf):  # type: ignore[misc]
    _child_spec = asn1.ObjectIdentifier


class Statement(asn1.Sequence):  # type: ignore[misc]
    _fields = [("id", asn1.ObjectIdentifier), ("info", asn1.Any, {"optional": True})]  # noqa: RUF012


class StatementList(asn1.SequenceOf):  # type: ignore[misc]
    _child_spec = Statement


def statements(*simple: str, types: tuple[str, ...] = ()) -> tuple[x509.ExtensionType, bool]:
    """A qcStatements extension."""
    found = [Statement({"id": one}) for one in simple]
    if types:
        found.append(Statement({"id": TYPE, "info": Identifiers(list(types))}))
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), StatementList(found).dump()), False


def policies(*identifiers: str) -> tuple[x509.ExtensionType, bool]:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(one), None) for one in identifiers]), False


def believing(folder: Path, *services: str) -> TrustStore:
    """A trust folder with the root, the authority below it, and a list of these services."""
    for number, holder in enumerate((ROOT, CA)):
        (folder / f"{number}.pem").write_bytes(holder.certificate.public_bytes(Encoding.PEM))
    if services:
        data = trusted_list(*services)
        (folder / "list").write_bytes(data)
        lists.place(folder).mkdir()
        (lists.place(folder) / lists.name_of(read(folder / "list"), data)).write_bytes(data)
    return TrustStore.from_folder(folder)


def worth(trust: TrustStore, leaf: Holder, at=NOW) -> Qualification:  # type: ignore[no-untyped-def]
    status = trust.assess(leaf.certificate, at=at)
    assert status.state is TrustState.TRUSTED
    return qualification(leaf.certificate, status, trust, at=at)


FULL = (SIGNS, statements(COMPLIANCE, DEVICE, types=(ESIGN,)))


def test_the_statements_of_a_certificate_are_read() -> None:
    assert Statements.of(CA.issue("Signataire", *FULL).certificate) == Statements(True, True, frozenset({QcType.SIGNATURE}))
    seal = CA.issue("Cachet", SIGNS, statements(COMPLIANCE, types=(ESEAL,)))
    assert Statements.of(seal.certificate) == Statements(True, False, frozenset({QcType.SEAL}))
    assert Statements.of(CA.issue("Signataire").certificate) == Statements()
    assert Statements.of(TestAuthority.create().seal(bits=2048, qualified=True).certificate).type is QcType.SEAL


def test_statements_that_cannot_be_read_say_nothing() -> None:
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), b"\x30\x03\x02\x01"), False
    assert Statements.of(CA.issue("Signataire", SIGNS, broken).certificate) == Statements()


def test_a_claim_without_a_list_is_a_claim(tmp_path: Path) -> None:
    found = worth(believing(tmp_path), CA.issue("Signataire", *FULL))
    assert (found.claimed, found.qualified) == (True, None)
    assert "sans liste de confiance" in (found.label or "")


def test_nothing_is_said_of_an_ordinary_certificate(tmp_path: Path) -> None:
    assert worth(believing(tmp_path, service(CA.certificate, (GRANTED, NOW - 5 * YEAR))), CA.issue("Signataire")).label is None


@pytest.mark.parametrize(
    ("extensions", "label"),
    [
        ((SIGNS, statements(COMPLIANCE, DEVICE, types=(ESIGN,))), "signature électronique qualifiée"),
        ((SIGNS, statements(COMPLIANCE, DEVICE)), "signature électronique qualifiée"),
        (
            (SIGNS, statements(COMPLIANCE, types=(ESIGN,))),
            "signature électronique avancée reposant sur un certificat qualifié",
        ),
        ((SIGNS, statements(COMPLIANCE, DEVICE, types=(ESEAL,))), "cachet électronique qualifié"),
        ((SIGNS, statements(COMPLIANCE, types=(ESEAL,))), "cachet électronique avancé reposant sur un certificat qualifié"),
        ((SIGNS, statements(COMPLIANCE, types=(WEB,))), "certificat qualifié, mais pour un autre usage que signer"),
        ((SIGNS, statements(DEVICE, types=(ESIGN,))), None),
    ],
)
def test_the_list_bears_out_what_the_certificate_claims(
    tmp_path: Path, extensions: tuple[tuple[x509.ExtensionType, bool], ...], label: str | None
) -> None:
    trust = believing(tmp_path, service(CA.certificate, (GRANTED, NOW - 5 * YEAR)))
    assert worth(trust, CA.issue("Signataire", *extensions)).label == label


def test_a_service_must_have_been_granted_at_the_time(tmp_path: Path) -> None:
    trust = believing(tmp_path, service(CA.certificate, (WITHDRAWN, NOW - YEAR), (GRANTED, NOW - 5 * YEAR)))
    leaf = CA.issue("Signataire", *FULL)
    assert worth(trust, leaf, NOW - 2 * YEAR).qualified is True
    now = worth(trust, leaf)
    assert now.qualified is False
    assert "ne confirme pas" in (now.label or "")


def test_a_service_must_have_been_granted_when_the_certificate_was_issued(tmp_path: Path) -> None:
    trust = believing(tmp_path, service(CA.certificate, (GRANTED, NOW - YEAR)))
    assert worth(trust, CA.issue("Signataire", *FULL)).qualified is False
    assert worth(trust, CA.issue("Signataire", *FULL, start=NOW - DAY)).qualified is True


def test_a_service_for_seals_qualifies_no_signature(tmp_path: Path) -> None:
    trust = believing(tmp_path, service(CA.certificate, (GRANTED, NOW - 5 * YEAR), uses=["ForeSeals"]))
    assert worth(trust, CA.issue("Signataire", *FULL)).qualified is False
    assert worth(trust, CA.issue("Cachet", SIGNS, statements(COMPLIANCE, types=(ESEAL,)))).qualified is True


@pytest.mark.parametrize(
    ("name", "claims", "expected"),
    [
        ("QCWithQSCD", (COMPLIANCE,), (True, True, QcType.SIGNATURE)),
        ("QCNoQSCD", (COMPLIANCE, DEVICE), (True, False, QcType.SIGNATURE)),
        ("NotQualified", (COMPLIANCE, DEVICE), (False, True, QcType.SIGNATURE)),
        ("QCStatement", (DEVICE,), (True, True, QcType.SIGNATURE)),
        ("QCForESeal", (COMPLIANCE,), (True, False, QcType.SEAL)),
    ],
)
def test_the_list_has_the_last_word_on_the_certificates_it_qualifies(
    tmp_path: Path, name: str, claims: tuple[str, ...], expected: tuple[bool, bool, QcType]
) -> None:
    extension = qualifier(name, policy_set(POLICY))
    trust = believing(tmp_path, service(CA.certificate, (GRANTED, NOW - 5 * YEAR), extension=extension))
    concerned = worth(trust, CA.issue("Signataire", SIGNS, policies(POLICY), statements(*claims)))
    assert (concerned.qualified, concerned.device, concerned.type) == expected
    other = worth(trust, CA.issue("Signataire", SIGNS, policies("1.2.3"), statements(*claims)))
    assert (other.qualified, other.device) == (COMPLIANCE in claims, DEVICE in claims)


def test_services_that_contradict_each_other_qualify_nothing(tmp_path: Path) -> None:
    granted = ((GRANTED, NOW - 5 * YEAR),)
    denies = service(CA.certificate, *granted, extension=qualifier("NotQualified", policy_set(POLICY)))
    trust = believing(tmp_path, service(CA.certificate, *granted), denies)
    assert worth(trust, CA.issue("Signataire", *FULL, policies(POLICY))).qualified is False
    assert worth(trust, CA.issue("Signataire", *FULL)).qualified is True


def test_an_authority_of_the_same_name_is_not_the_service(tmp_path: Path) -> None:
    twin = Holder.root("DEMONSTRATION AC qualifiée")
    trust = believing(tmp_path, service(twin.certificate, (GRANTED, NOW - 5 * YEAR)))
    assert worth(trust, CA.issue("Signataire", *FULL)).qualified is None


def table(folder: Path, **changes: str) -> Path:
    """An operator's table with one line."""
    fields = {"authority": CA.certificate.fingerprint(hashes.SHA256()).hex(":"), "policy": POLICY, "level": "**"}
    lines = "\n".join(f'{key} = "{value}"' for key, value in (fields | changes).items())
    path = folder / "rgs.toml"
    path.write_text(f"[[level]]\n{lines}\n")
    return path


def test_the_level_is_that_of_the_table_for_this_authority_and_policy(tmp_path: Path) -> None:
    table(tmp_path)
    trust = believing(tmp_path)
    assert trust.levels == (RgsLevel(CA.certificate.fingerprint(hashes.SHA256()), POLICY, "**"),)
    assert worth(trust, CA.issue("Signataire", SIGNS, policies(POLICY))).label == "RGS **"
    assert worth(trust, CA.issue("Signataire", SIGNS, policies("1.2.3"))).label is None
    assert worth(trust, ROOT.issue("Signataire", SIGNS, policies(POLICY))).label is None


def test_level_and_list_are_said_together_in_the_language_of_the_reader(tmp_path: Path) -> None:
    table(tmp_path, level="***")
    trust = believing(tmp_path, service(CA.certificate, (GRANTED, NOW - 5 * YEAR)))
    found = worth(trust, CA.issue("Signataire", *FULL, policies(POLICY)))
    assert found.label == "signature électronique qualifiée, RGS ***"
    with speaking("en"):
        assert found.label == "qualified electronic signature, RGS ***"


@pytest.mark.parametrize("change", [{"level": "****"}, {"authority": "00"}, {"authority": "zz"}, {"more": "x"}])
def test_a_table_of_another_form_is_misconfigured(tmp_path: Path, change: dict[str, str]) -> None:
    table(tmp_path, **change)
    with pytest.raises(Misconfigured, match=r"rgs\.toml"):
        TrustStore.from_folder(tmp_path)


def test_the_report_of_a_signature_says_it(tmp_path: Path) -> None:
    trust = believing(tmp_path, service(CA.certificate, (WITHDRAWN, NOW - YEAR), (GRANTED, NOW - 5 * YEAR)))
    leaf = CA.issue("Signataire", *FULL).certificate
    proved = standing(leaf, trust, claimed=NOW - 2 * YEAR, proved=NOW - 2 * YEAR, at=NOW)
    assert proved.qualification == "signature électronique qualifiée"
    unproved = standing(leaf, trust, claimed=NOW - 2 * YEAR, proved=None, at=NOW)
    assert "ne confirme pas" in (unproved.qualification or "")
    assert standing(leaf, None, claimed=NOW, proved=None, at=NOW).qualification is None
    verdict = SignatureVerdict(
        "XAdES", "T", "x", NOW, True, "document", proved.state, (), Belief.VALID, qualification=proved.qualification
    )
    assert verdict.as_json()["qualification"] == "signature électronique qualifiée"
