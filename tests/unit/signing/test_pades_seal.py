"""PAdES in two legs: what is signed, what is refused, and that nothing is left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import cms
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, append_signature_field

from core import clock
from core.errors import Misconfigured, UsageError
from signing.keys import KeyOutOfDate, KeyRefused, Pkcs12Signer
from signing.legs import AlreadySigned, NotSignable, Prepared, Signatory, SourceChanged, WrongValue, sign
from signing.pades import pdf
from signing.pades.seal import SLOT, Level, Pades
from signing.pades.stamp import Stamp
from signing.pades.verifier import verify
from signing.pades.writing import _add_stamp
from signing.pki import Credential, TestAuthority
from signing.timestamp import token
from signing.timestamp.client import AuthoritySettings, AuthorityUnavailable, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import Evidence, TrustStore
from signing.verdicts import Belief
from tests.pades_documents import encrypted, form, paper, revised, signed_elsewhere, signer_of, sloppy, stamping

CITY = "Saint-Exemple"


@pytest.fixture(scope="module")
def stamps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TsaSimulator, TimestampClient]]:
    with stamping(tmp_path_factory.mktemp("tsa")) as both:
        yield both


@pytest.fixture(scope="module")
def client(stamps: tuple[TsaSimulator, TimestampClient]) -> TimestampClient:
    return stamps[1]


@pytest.fixture(scope="module")
def both(authority: TestAuthority, stamps: tuple[TsaSimulator, TimestampClient]) -> TrustStore:
    """Who believes the signatories' authority and the timestamps'."""
    return TrustStore.of([authority.certificate, stamps[0].anchor])


@pytest.fixture(scope="module")
def evidence(authority: TestAuthority, stamps: tuple[TsaSimulator, TimestampClient]) -> Evidence:
    return Evidence((authority.certificate, stamps[0].anchor), (authority.revocations({}),))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "délibération.pdf"
    path.write_bytes(paper())
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "signée.pdf"


def prepared_for(how: Pades, source: Path, target: Path, signer: Pkcs12Signer) -> tuple[Prepared, Path]:
    draft = target.parent.parent / "draft"
    return how.prepare(source, draft, Signatory(signer.certificate, signer.chain), clock.now()), draft


def values_of(prepared: Prepared, signer: Pkcs12Signer) -> dict[str, bytes]:
    return {slot.identifier: signer.sign(slot.octets) for slot in prepared.slots}


def folder_of(target: Path) -> list[str]:
    return [path.name for path in target.parent.iterdir()]


@pytest.mark.parametrize(("family", "bits"), [("rsa", 2048), ("rsa", 3072), ("ec", 256), ("ec", 384), ("ec", 521)])
def test_each_family_of_keys_signs(
    authority: TestAuthority, trust: TrustStore, source: Path, target: Path, family: str, bits: int
) -> None:
    moment = clock.now().replace(microsecond=0) - timedelta(hours=1)
    sign(Pades(), source, target, signer_of(authority, family, bits), moment=moment)
    verdict = verify(target, trust=trust)
    (signature,) = verdict.signatures
    assert verdict.verdict is Belief.VALID
    assert (signature.format, signature.level, signature.covers, signature.intact) == ("PAdES", "B", "document", True)
    assert (signature.signer, signature.signing_time) == ("Camille Exemple", moment)
    assert any("aucun horodatage" in reason for reason in signature.reasons)
    assert target.read_bytes().startswith(source.read_bytes())
    assert verify(target, trust=None).verdict is Belief.INDETERMINATE


def test_the_attributes_are_those_of_the_baseline_and_the_time_is_in_the_dictionary(
    signer: Pkcs12Signer, source: Path, target: Path
) -> None:
    prepared, _ = prepared_for(Pades(role="Maire déléguée", city=CITY), source, target, signer)
    attributes = cms.CMSAttributes.load(prepared.slots[0].octets, strict=True)
    assert {attribute["type"].dotted for attribute in attributes} == {
        "1.2.840.113549.1.9.3",
        "1.2.840.113549.1.9.4",
        "1.2.840.113549.1.9.16.2.47",
        "1.2.840.113549.1.9.52",
    }
    ders = [attribute.dump() for attribute in attributes]
    assert ders == sorted(ders)  # a SET OF in DER


def test_the_dictionary_tells_who_where_and_why(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    sign(Pades(role="Maire déléguée", city=CITY), source, target, signer)
    (embedded,) = PdfFileReader(BytesIO(target.read_bytes())).embedded_signatures
    dictionary = embedded.sig_object
    assert dictionary["/SubFilter"] == "/ETSI.CAdES.detached"
    assert (dictionary["/Reason"], dictionary["/Location"]) == ("Maire déléguée", CITY)
    assert dictionary["/Name"] == "DEMONSTRATION Cachet serveur"
    assert embedded.self_reported_timestamp is not None


@pytest.mark.parametrize("family", ["rsa", "ec"])
@pytest.mark.parametrize("level", ["T", "LT", "LTA"])
def test_each_level_is_reached_and_proves_the_time(
    authority: TestAuthority,
    both: TrustStore,
    client: TimestampClient,
    evidence: Evidence,
    source: Path,
    target: Path,
    level: Level,
    family: str,
) -> None:
    brief = authority.seal(family=family, bits=256 if family == "ec" else 2048, end=clock.now() + timedelta(days=1))
    signer = Pkcs12Signer.load(brief.as_pkcs12("secret"), "secret")
    sign(Pades(level=level, evidence=evidence), source, target, signer, timestamps=client)
    verdict = verify(target, trust=both, at=clock.now() + timedelta(days=400))
    (signature,) = verdict.signatures
    assert (verdict.verdict, signature.level, signature.covers) == (Belief.VALID, level, "document")
    assert [stamp.proves for stamp in signature.timestamps] == [True] * (2 if level == "LTA" else 1)
    known = [reason for reason in signature.reasons if "révocation" in reason]
    assert bool(known) == (level == "T")


@pytest.mark.parametrize("level", ["B", "LT"])
def test_a_timestamp_by_a_certificate_for_something_else_raises_no_level(
    authority: TestAuthority,
    both: TrustStore,
    stamps: tuple[TsaSimulator, TimestampClient],
    evidence: Evidence,
    signer: Pkcs12Signer,
    source: Path,
    target: Path,
    level: Level,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign(Pades(level=level, evidence=evidence), source, target, signer, timestamps=stamps[1])
    output = BytesIO(target.read_bytes())
    with monkeypatch.context() as patched:
        patched.setattr(token, "stamps_only", lambda _: True)
        patched.setattr(stamps[0], "_credential", authority.seal(bits=2048))
        patched.setattr(stamps[1], "_trust", both)
        _add_stamp(output, stamps[1])
    target.write_bytes(output.getvalue())
    (signature,) = verify(target, trust=both).signatures
    assert signature.level == level
    assert not signature.timestamps[-1].valid


def test_without_a_timestamp_a_certificate_that_has_ended_proves_nothing(
    authority: TestAuthority, trust: TrustStore, source: Path, target: Path
) -> None:
    brief = authority.seal(bits=2048, end=clock.now() + timedelta(days=1))
    sign(Pades(), source, target, Pkcs12Signer.load(brief.as_pkcs12("secret"), "secret"))
    assert verify(target, trust=trust, at=clock.now() + timedelta(days=400)).verdict is Belief.INDETERMINATE


def test_a_long_term_level_asks_for_what_says_that_nothing_is_revoked(
    authority: TestAuthority, signer: Pkcs12Signer, client: TimestampClient, source: Path, target: Path
) -> None:
    with pytest.raises(Misconfigured, match="révocation"):
        sign(Pades(level="LT"), source, target, signer, timestamps=client)
    revoked = authority.revocations({signer.certificate.serial_number: clock.now() - timedelta(minutes=1)})
    with pytest.raises(KeyRefused, match="révoqué"):
        sign(Pades(level="LTA", evidence=Evidence(lists=(revoked,))), source, target, signer, timestamps=client)
    assert folder_of(target) == []


@pytest.mark.parametrize("level", ["B", "LTA"])
def test_a_second_signature_leaves_the_first_as_it_was(
    authority: TestAuthority,
    both: TrustStore,
    client: TimestampClient,
    evidence: Evidence,
    source: Path,
    target: Path,
    level: Level,
) -> None:
    how = Pades(level=level, stamp=Stamp(), evidence=evidence)
    sign(how, source, target, signer_of(authority), timestamps=client)
    again = target.with_name("again.pdf")
    sign(how, target, again, signer_of(authority, "ec", 256, "Dominique Exemple"), timestamps=client)
    verdict = verify(again, trust=both)
    first, second = verdict.signatures
    assert verdict.verdict is Belief.VALID
    assert (first.signer, first.covers, first.level) == ("Camille Exemple", "revision 2", level)
    assert (second.signer, second.covers, second.level) == ("Dominique Exemple", "document", level)
    assert again.read_bytes().startswith(target.read_bytes())


def test_what_is_prepared_survives_a_restart(signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path) -> None:
    prepared, draft = prepared_for(Pades(role="Maire", stamp=Stamp()), source, target, signer)
    again = Prepared.from_json(json.loads(json.dumps(prepared.as_json())))
    assert again == prepared
    returned = Pades.complete(again, source, draft, values_of(again, signer), target)
    assert returned.signatures[0].intact
    assert verify(target, trust=trust).verdict is Belief.VALID
    assert folder_of(target) == [target.name]


def test_a_value_of_another_key_or_none_is_refused(
    authority: TestAuthority, signer: Pkcs12Signer, source: Path, target: Path
) -> None:
    prepared, draft = prepared_for(Pades(), source, target, signer)
    for values in ({}, values_of(prepared, signer_of(authority)), {SLOT: b""}):
        with pytest.raises(WrongValue):
            Pades.complete(prepared, source, draft, values, target)
    assert folder_of(target) == []


def test_a_source_or_a_draft_that_has_changed_is_refused(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    prepared, draft = prepared_for(Pades(), source, target, signer)
    values = values_of(prepared, signer)
    kept, original = draft.read_bytes(), source.read_bytes()
    draft.write_bytes(kept.replace(b"/Type /Page", b"/Type /Paje", 1))
    with pytest.raises(SourceChanged):
        Pades.complete(prepared, source, draft, values, target)
    draft.unlink()
    with pytest.raises(SourceChanged):
        Pades.complete(prepared, source, draft, values, target)
    draft.write_bytes(kept)
    source.write_bytes(original + b"\n")
    with pytest.raises(SourceChanged):
        Pades.complete(prepared, source, draft, values, target)
    assert folder_of(target) == []
    source.write_bytes(original)
    assert Pades.complete(prepared, source, draft, values, target).signatures[0].intact


@pytest.mark.parametrize("level", ["T", "LTA"])
def test_when_no_authority_answers_nothing_is_left_and_the_same_values_complete_it_later(
    signer: Pkcs12Signer, client: TimestampClient, evidence: Evidence, source: Path, target: Path, level: Level
) -> None:
    target.write_bytes(b"an older document")
    nobody = TimestampClient(AuthoritySettings(["http://127.0.0.1:9/"], connect_timeout=1), TrustStore(()))
    prepared, draft = prepared_for(Pades(level=level, evidence=evidence), source, target, signer)
    values = values_of(prepared, signer)
    with pytest.raises(AuthorityUnavailable):
        Pades.complete(prepared, source, draft, values, target, nobody)
    assert (folder_of(target), target.read_bytes()) == ([target.name], b"an older document")
    verdict = Pades.complete(prepared, source, draft, values, target, client)
    assert verdict.signatures[0].level == level


def test_level_t_without_an_authority_is_a_fault_of_the_settings(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    with pytest.raises(Misconfigured, match="horodatage"):
        sign(Pades(level="T"), source, target, signer)
    assert folder_of(target) == []


def test_a_certificate_that_has_ended_does_not_sign(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    with pytest.raises(KeyOutOfDate):
        sign(Pades(), source, target, signer, moment=clock.now() + timedelta(days=4000))


@pytest.mark.parametrize("password", ["", "secret"])
def test_an_encrypted_document_is_refused(signer: Pkcs12Signer, source: Path, target: Path, password: str) -> None:
    source.write_bytes(encrypted(paper(), password))
    with pytest.raises(NotSignable, match="chiffré"):
        sign(Pades(), source, target, signer)


@pytest.mark.parametrize("octets", [b"", b"%PDF-1.7\n", b"<a/>", paper()[:300], paper().replace(b"/Root", b"/Roof")])
def test_what_is_no_whole_document_is_refused(signer: Pkcs12Signer, source: Path, target: Path, octets: bytes) -> None:
    source.write_bytes(octets)
    with pytest.raises(NotSignable, match="PDF lisible"):
        sign(Pades(stamp=Stamp()), source, target, signer)
    assert folder_of(target) == []


def test_a_document_beyond_the_bound_is_refused(
    signer: Pkcs12Signer, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "LARGEST", source.stat().st_size - 1)
    with pytest.raises(NotSignable, match="dépasse"):
        sign(Pades(), source, target, signer)


def test_a_sloppy_document_takes_one_signature_and_no_long_term_level(
    signer: Pkcs12Signer, trust: TrustStore, evidence: Evidence, client: TimestampClient, source: Path, target: Path
) -> None:
    source.write_bytes(sloppy(paper()))
    sign(Pades(), source, target, signer)
    assert verify(target, trust=trust).verdict is Belief.VALID
    with pytest.raises(NotSignable, match="norme"):
        sign(Pades(), target, target.with_name("again.pdf"), signer)
    with pytest.raises(NotSignable, match="norme"):
        sign(Pades(level="LT", evidence=evidence), source, target, signer, timestamps=client)


def test_a_document_that_refers_to_what_is_not_there_is_signed_twice(
    authority: TestAuthority, signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    source.write_bytes(paper().replace(b"/PageMode /UseNone", b"/Outlines 99 0 R  "))
    again = target.with_name("again.pdf")
    sign(Pades(), source, target, signer)
    sign(Pades(), target, again, signer_of(authority))
    assert verify(again, trust=trust).verdict is Belief.VALID


def test_a_document_whose_objects_would_be_written_over_is_refused(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    source.write_bytes(re.sub(rb"/Size \d+", b"/Size 2", paper()))
    with pytest.raises(NotSignable, match="norme"):
        sign(Pades(), source, target, signer)


def test_a_broken_security_store_keeps_from_long_term_levels_only(
    signer: Pkcs12Signer, client: TimestampClient, evidence: Evidence, source: Path, target: Path
) -> None:
    source.write_bytes(paper().replace(b"/PageMode /UseNone", b"/DSS (no store)   "))
    with pytest.raises(NotSignable):
        sign(Pades(level="LT", evidence=evidence), source, target, signer, timestamps=client)
    assert sign(Pades(level="T"), source, target, signer, timestamps=client).signatures[0].level == "T"


def test_a_certification_is_the_first_signature_and_others_may_follow_unseen(
    authority: TestAuthority, signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    sign(Pades(certify=True, stamp=Stamp()), source, target, signer)
    again = target.with_name("again.pdf")
    with pytest.raises(AlreadySigned, match="seule la première"):
        sign(Pades(certify=True), target, again, signer)
    with pytest.raises(AlreadySigned, match="visible"):
        sign(Pades(stamp=Stamp()), target, again, signer)
    sign(Pades(), target, again, signer_of(authority))
    assert verify(again, trust=trust).verdict is Belief.VALID


def test_a_document_certified_for_good_takes_no_signature(
    credential: Credential, signer: Pkcs12Signer, source: Path, target: Path
) -> None:
    source.write_bytes(signed_elsewhere(paper(), credential, permission=MDPPerm.NO_CHANGES))
    with pytest.raises(AlreadySigned, match="aucun changement"):
        sign(Pades(), source, target, signer)
    assert folder_of(target) == []


def test_a_field_that_waits_for_a_signature_is_filled_in_its_own_place(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    spec = SigFieldSpec("Maire", box=(10, 20, 210, 90))
    source.write_bytes(revised(paper(), lambda writer: append_signature_field(writer, spec)))
    sign(Pades(field="Maire", stamp=Stamp()), source, target, signer)
    assert verify(target, trust=trust).verdict is Belief.VALID
    (embedded,) = PdfFileReader(BytesIO(target.read_bytes())).embedded_signatures
    assert embedded.field_name == "Maire"
    assert list(embedded.sig_field["/Rect"]) == [10, 20, 210, 90]
    with pytest.raises(AlreadySigned, match="Maire"):
        sign(Pades(field="Maire"), target, target.with_name("again.pdf"), signer)


@pytest.mark.parametrize("field", ["", "a.b", "montant"])
def test_a_name_that_a_signature_field_cannot_bear_is_refused(
    signer: Pkcs12Signer, source: Path, target: Path, field: str
) -> None:
    source.write_bytes(paper(form))
    with pytest.raises(UsageError):
        sign(Pades(field=field), source, target, signer)
    assert folder_of(target) == []
