"""Rules S01 to S16 on the signatures of a PES, one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from core import clock
from core.problems import Problem, Severity
from schemas import xml
from schemas.pes.sample import Sample, write_sample
from signing.keys import KeyNotForSigning, Pkcs12Signer
from signing.pes import seal as sealing
from signing.pes.bulk import Bulk
from signing.pes.envelope import SealContext
from signing.pes.policy import SignaturePolicy
from signing.pes.rules import SignatureRules, check_signatures
from signing.pes.seal import complete, prepare, seal
from signing.pes.verifier import verify
from signing.pki import TestAuthority
from signing.trust import TrustStore
from signing.verdicts import Belief

pytestmark = pytest.mark.usefixtures("reading")
DEFAULT = SignatureRules()


def check(path: Path, trust: TrustStore | None, rules: SignatureRules = DEFAULT) -> list[Problem]:
    return check_signatures(xml.parse(path), bulk=Bulk.of(path), trust=trust, rules=rules)


def severities(problems: list[Problem]) -> dict[str, Severity]:
    return {problem.rule: problem.severity for problem in problems}


@pytest.fixture
def sign(flow: Path, tmp_path: Path, authority: TestAuthority, context: SealContext):
    """Sign the flow with a certificate and a context of one's own."""

    def signed(context: SealContext = context, **certificate: object) -> Path:
        signer = Pkcs12Signer.load(authority.seal(bits=certificate.pop("bits", 2048), **certificate).as_pkcs12("x"), "x")
        seal(flow, tmp_path / "signed.xml", signer, context)
        return tmp_path / "signed.xml"

    return signed


def test_a_good_seal_breaks_no_rule(sealed: Path, trust: TrustStore) -> None:
    assert check(sealed, trust) == []


def test_s01_a_dematerialised_flow_without_signature_is_to_be_signed(tmp_path: Path, trust: TrustStore) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("FLOW"), path)
    assert severities(check(path, trust)) == {"S01": Severity.WARNING}
    assert severities(check(path, trust, SignatureRules(unsigned_is_error=True))) == {"S01": Severity.ERROR}


def test_a_flow_on_paper_without_signature_breaks_no_rule(flow: Path, trust: TrustStore) -> None:
    assert check(flow, trust) == []


@pytest.mark.parametrize("flag", [b'<InfoDematerialisee V="0"/>', b'<InfoDematerialisee V="false"/>', b""])
def test_s02_a_signature_asks_for_the_flag(sealed: Path, tmp_path: Path, trust: TrustStore, flag: bytes) -> None:
    path = tmp_path / "flag.xml"
    path.write_bytes(sealed.read_bytes().replace(b'<InfoDematerialisee V="1"/>', flag))
    (problem,) = check(path, trust)
    assert (problem.rule, problem.severity) == ("S02", Severity.ERROR)
    assert problem.path == "/PES_Aller/PES_DepenseAller/EnTeteDepense"
    assert problem.line is not None
    assert problem.mend


def test_s07_ecdsa_waits_for_the_word_of_an_operator(sign, trust: TrustStore) -> None:
    path = sign(family="ec", bits=256)
    assert severities(check(path, trust)) == {"S07": Severity.ERROR}
    assert check(path, trust, SignatureRules(other_families=True)) == []


def test_s11_another_policy_is_refused_and_another_hash_only_warns(sign, context: SealContext, trust: TrustStore) -> None:
    unknown = sign(replace(context, policy=SignaturePolicy(identifier="urn:oid:1.2.3")))
    assert severities(check(unknown, trust)) == {"S11": Severity.ERROR}
    hashed = sign(replace(context, policy=SignaturePolicy(digest="AAAA")))
    assert severities(check(hashed, trust)) == {"S11": Severity.WARNING}


def test_s12_a_blank_role_is_refused(sign, context: SealContext, trust: TrustStore) -> None:
    assert severities(check(sign(replace(context, role="  ")), trust)) == {"S12": Severity.ERROR}


def test_s13_the_certificate_is_judged_at_the_signing_time(
    flow: Path, tmp_path: Path, authority: TestAuthority, context: SealContext, trust: TrustStore
) -> None:
    start = authority.certificate.not_valid_before_utc
    credential = authority.seal(bits=2048, start=start, end=start + timedelta(hours=1))
    key = Pkcs12Signer(credential.certificate, (), credential.key)
    prepared = prepare(flow, credential.certificate, context, moment=start + timedelta(minutes=5))
    complete(prepared, {slot.identifier: key.sign(slot.envelope.octets) for slot in prepared.slots}, tmp_path / "old.xml")
    assert check(tmp_path / "old.xml", trust) == []
    revoked = authority.revocations({credential.certificate.serial_number: start}, at=start)
    store = TrustStore.of([authority.certificate], [revoked])
    assert severities(check(tmp_path / "old.xml", store)) == {"S13": Severity.ERROR}


def test_s14_a_certificate_without_non_repudiation_is_refused(sign, trust: TrustStore) -> None:
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    assert severities(check(sign(usage=usage), trust)) == {"S14": Severity.ERROR}


def test_s14_a_certificate_that_is_reserved_for_something_else_is_refused(
    flow: Path,
    tmp_path: Path,
    authority: TestAuthority,
    context: SealContext,
    trust: TrustStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stamper = authority.timestamping()
    with pytest.raises(KeyNotForSigning, match="timeStamping"):
        prepare(flow, stamper.certificate, context)
    monkeypatch.setattr(sealing, "check_fit", lambda *_: None)
    monkeypatch.setattr(sealing, "_sound", lambda *_: None)
    prepared = prepare(flow, stamper.certificate, context)
    key = Pkcs12Signer(stamper.certificate, (), stamper.key)
    complete(prepared, {slot.identifier: key.sign(slot.envelope.octets) for slot in prepared.slots}, tmp_path / "reserved.xml")
    problems = check(tmp_path / "reserved.xml", trust)
    assert severities(problems) == {"S14": Severity.ERROR}
    assert "timeStamping" in problems[0].message
    assert verify(tmp_path / "reserved.xml", trust=trust).verdict is Belief.INVALID


def test_s07_a_certificate_named_by_a_digest_that_is_not_admitted_is_told_as_such(
    sealed: Path, tmp_path: Path, trust: TrustStore
) -> None:
    path, unknown = tmp_path / "named.xml", b"http://www.w3.org/2007/05/xmldsig-more#sha3-256"
    before, mark, after = sealed.read_bytes().partition(b"<xad:CertDigest>")
    assert mark
    path.write_bytes(before + mark + after.replace(b"http://www.w3.org/2001/04/xmlenc#sha256", unknown, 1))
    found = [problem for problem in check(path, trust) if problem.rule in {"S07", "S09"}]
    assert [(problem.rule, problem.found) for problem in found] == [("S07", unknown.decode())]


def test_s15_an_unknown_authority_is_refused_and_no_authority_at_all_is_said(sealed: Path) -> None:
    other = TrustStore.of([TestAuthority.create("DEMONSTRATION Autre").certificate])
    assert severities(check(sealed, other)) == {"S15": Severity.ERROR}
    assert severities(check(sealed, None)) == {"S15": Severity.WARNING}


def test_s10_a_signing_time_in_the_future_is_refused(sealed: Path, trust: TrustStore) -> None:
    yesterday = clock.now() - timedelta(hours=12)
    problems = check_signatures(xml.parse(sealed), bulk=Bulk.of(sealed), trust=trust, at=yesterday)
    assert severities(problems) == {"S10": Severity.ERROR}


def test_every_problem_says_where_and_how_to_mend_it(sealed: Path) -> None:
    for problem in check(sealed, None):
        assert problem.line
        assert problem.path == "/PES_Aller/PES_DepenseAller/Bordereau/Signature" or "Bordereau[2]" in (problem.path or "")
        assert problem.mend
