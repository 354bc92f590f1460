"""Detached CAdES in two legs: what is signed, what is refused, and that nothing is left behind."""

from __future__ import annotations

import json
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import cms

from core import clock
from core.errors import Misconfigured, UnreadableInput
from signing.cades.seal import SLOT, Cades
from signing.cades.verifier import verify
from signing.keys import KeyOutOfDate, Pkcs12Signer
from signing.legs import Prepared, Signatory, SourceChanged, WrongValue, sign
from signing.pki import TestAuthority
from signing.timestamp.client import AuthoritySettings, AuthorityUnavailable, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "délibération.odt"
    path.write_bytes(b"Le conseil municipal, " * 5000)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "délibération.odt.p7s"


def signer_of(authority: TestAuthority, family: str, bits: int) -> Pkcs12Signer:
    return Pkcs12Signer.load(authority.seal(family=family, bits=bits).as_pkcs12("secret"), "secret")


def prepared_for(how: Cades, source: Path, target: Path, signer: Pkcs12Signer) -> Prepared:
    return how.prepare(source, target.with_name(".draft"), Signatory(signer.certificate, signer.chain), clock.now())


def values_of(prepared: Prepared, signer: Pkcs12Signer) -> dict[str, bytes]:
    return {slot.identifier: signer.sign(slot.octets) for slot in prepared.slots}


def folder_of(target: Path) -> list[str]:
    return [path.name for path in target.parent.iterdir()]


@pytest.mark.parametrize(("family", "bits"), [("rsa", 2048), ("ec", 256), ("ec", 384), ("ec", 521)])
def test_each_family_of_keys_signs(
    authority: TestAuthority, trust: TrustStore, source: Path, target: Path, family: str, bits: int
) -> None:
    sign(Cades(), source, target, signer_of(authority, family, bits))
    verdict = verify(target, detached=source, trust=trust)
    (signature,) = verdict.signatures
    assert verdict.verdict is Belief.VALID
    assert (signature.format, signature.level, signature.covers, signature.intact) == ("CAdES", "B", "document", True)


def test_it_says_who_when_and_nothing_better_than_it_can(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    moment = clock.now().replace(microsecond=0) - timedelta(hours=1)
    sign(Cades(), source, target, signer, moment=moment)
    (signature,) = verify(target, detached=source, trust=trust).signatures
    assert signature.signer == "DEMONSTRATION Cachet serveur"
    assert signature.signing_time == moment
    assert any("aucun horodatage" in reason for reason in signature.reasons)
    assert verify(target, detached=source, trust=None).verdict is Belief.INDETERMINATE


def test_pem_is_written_as_parapheurs_do(signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path) -> None:
    sign(Cades(pem=True), source, target, signer)
    lines = target.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("-----BEGIN PKCS7-----", "-----END PKCS7-----")
    assert max(map(len, lines)) == 64
    assert verify(target, detached=source, trust=trust).verdict is Belief.VALID


def test_a_timestamp_makes_level_t_and_proves_the_time(
    authority: TestAuthority, tsa: TsaSimulator, stamps: TimestampClient, source: Path, target: Path
) -> None:
    brief = authority.seal(bits=2048, end=clock.now() + timedelta(days=1))
    signer = Pkcs12Signer.load(brief.as_pkcs12("secret"), "secret")
    both = TrustStore.of([authority.certificate, tsa.anchor])
    later = clock.now() + timedelta(days=400)
    sign(Cades(level="T"), source, target, signer, timestamps=stamps)
    stamped = verify(target, detached=source, trust=both, at=later)
    assert stamped.verdict is Belief.VALID
    assert stamped.signatures[0].level == "T"
    assert stamped.signatures[0].timestamps[0].proves
    sign(Cades(), source, target, signer)
    assert verify(target, detached=source, trust=both, at=later).verdict is Belief.INDETERMINATE


def test_the_role_and_the_place_are_signed(signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path) -> None:
    sign(Cades(role="Maire déléguée", place="Saint-Exemple"), source, target, signer)
    (info,) = cms.ContentInfo.load(target.read_bytes())["content"]["signer_infos"]
    attributes = {attribute["type"].dotted: attribute["values"].dump() for attribute in info["signed_attrs"]}
    assert "Maire déléguée".encode() in attributes["0.4.0.19122.1.1"]
    assert b"Saint-Exemple" in attributes["1.2.840.113549.1.9.16.2.17"]
    assert verify(target, detached=source, trust=trust).verdict is Belief.VALID


def test_the_attributes_are_those_of_the_baseline(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    prepared = prepared_for(Cades(), source, target, signer)
    octets = prepared.slots[0].octets
    attributes = cms.CMSAttributes.load(octets, strict=True)
    assert {attribute["type"].dotted for attribute in attributes} == {
        "1.2.840.113549.1.9.3",
        "1.2.840.113549.1.9.4",
        "1.2.840.113549.1.9.5",
        "1.2.840.113549.1.9.16.2.47",
        "1.2.840.113549.1.9.52",
    }
    ders = [attribute.dump() for attribute in attributes]
    assert ders == sorted(ders)  # a SET OF in DER


def test_what_is_prepared_survives_a_restart(signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path) -> None:
    prepared = prepared_for(Cades(pem=True, role="Maire"), source, target, signer)
    again = Prepared.from_json(json.loads(json.dumps(prepared.as_json())))
    assert again == prepared
    Cades.complete(again, source, target.with_name(".draft"), values_of(again, signer), target)
    assert verify(target, detached=source, trust=trust).verdict is Belief.VALID
    assert folder_of(target) == [target.name]


def test_a_value_of_another_key_or_none_is_refused(
    authority: TestAuthority, signer: Pkcs12Signer, source: Path, target: Path
) -> None:
    prepared = prepared_for(Cades(), source, target, signer)
    other = signer_of(authority, "rsa", 2048)
    for values in ({}, values_of(prepared, other), {SLOT: b""}):
        with pytest.raises(WrongValue):
            Cades.complete(prepared, source, target, values, target)
    assert folder_of(target) == []


def test_a_source_that_has_changed_is_refused(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    prepared = prepared_for(Cades(), source, target, signer)
    source.write_bytes(source.read_bytes() + b".")
    with pytest.raises(SourceChanged):
        Cades.complete(prepared, source, target, values_of(prepared, signer), target)
    assert folder_of(target) == []


def test_when_no_authority_answers_nothing_is_left_and_the_same_values_complete_it_later(
    signer: Pkcs12Signer, stamps: TimestampClient, source: Path, target: Path
) -> None:
    target.write_bytes(b"an older signature")
    nobody = TimestampClient(AuthoritySettings(["http://127.0.0.1:9/"], connect_timeout=1), TrustStore(()))
    prepared = prepared_for(Cades(level="T"), source, target, signer)
    values = values_of(prepared, signer)
    with pytest.raises(AuthorityUnavailable):
        Cades.complete(prepared, source, target, values, target, nobody)
    assert folder_of(target) == [target.name]
    assert target.read_bytes() == b"an older signature"
    assert [path.name for path in source.parent.iterdir()] == [source.name]
    Cades.complete(prepared, source, target, values, target, stamps)
    assert verify(target, detached=source, trust=None).signatures[0].level == "T"


def test_level_t_without_an_authority_is_a_fault_of_the_settings(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    with pytest.raises(Misconfigured):
        sign(Cades(level="T"), source, target, signer)
    assert folder_of(target) == []


def test_a_certificate_that_has_ended_does_not_sign(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    with pytest.raises(KeyOutOfDate):
        sign(Cades(), source, target, signer, moment=clock.now() + timedelta(days=4000))


def test_a_large_file_is_never_held(signer: Pkcs12Signer, tmp_path: Path, target: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(96 << 20)
    tracemalloc.start()
    sign(Cades(), large, target, signer)
    verify(target, detached=large, trust=None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_what_is_not_there_cannot_be_signed_over(signer: Pkcs12Signer, source: Path, target: Path) -> None:
    sign(Cades(), source, target, signer)
    with pytest.raises(UnreadableInput, match="introuvable"):
        verify(target, detached=source.with_name("absent"), trust=None)
