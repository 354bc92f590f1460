"""What the timestamps of a signature do to its verdict: those that were moved or forged spoil it, those to come prove nothing."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography import x509
from lxml import etree

from core import clock
from core.problems import Severity
from schemas import xml
from signing.algorithms import EXCLUSIVE_C14N
from signing.keys import Pkcs12Signer
from signing.pades.verifier import verify as verify_pades
from signing.pades.writing import _add_stamp
from signing.pes import canonical
from signing.pes.envelope import SealContext
from signing.pes.layout import DS
from signing.pes.rules import check_signatures
from signing.pes.seal import seal
from signing.pes.verifier import verify as verify_pes
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.timestamp.token import TokenUnreadable, verify_token
from signing.timestamp.verifier import verify_timestamp
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, TimestampVerdict, proved_time
from tests.pades_documents import paper, signed_elsewhere, stamping

NOON = clock.now()
STAMP = TimestampVerdict(NOON, "Horodatage", True, TrustState.TRUSTED)
DATA = b"data"


@pytest.fixture(scope="module")
def token(stamps: TimestampClient) -> bytes:
    """A timestamp over data that no signature here is made of."""
    return stamps.stamp(hashlib.sha256(DATA).digest()).token


def test_the_earliest_time_counts_and_none_that_is_still_to_come() -> None:
    earlier, weak = replace(STAMP, time=NOON - timedelta(days=1)), replace(STAMP, time=NOON - timedelta(days=2), valid=False)
    assert proved_time([STAMP, earlier, weak], NOON) == earlier.time
    assert proved_time([replace(STAMP, time=NOON + timedelta(days=1))], NOON) is None
    assert proved_time([], NOON) is None


def stamped(tree: etree._ElementTree, token: bytes, before: str = "") -> None:
    """Put a timestamp into the first signature, after what says what it is over."""
    qualifying = next(tree.iter("{*}QualifyingProperties"))
    namespace = etree.QName(qualifying).namespace
    inside = f"{before}<EncapsulatedTimeStamp>{base64.b64encode(token).decode()}</EncapsulatedTimeStamp>"
    properties = f"<UnsignedSignatureProperties><SignatureTimeStamp>{inside}</SignatureTimeStamp></UnsignedSignatureProperties>"
    qualifying.append(etree.fromstring(f'<UnsignedProperties xmlns="{namespace}">{properties}</UnsignedProperties>'))


def test_a_bordereau_with_the_timestamp_of_another_is_invalid(
    tmp_path: Path, sealed: Path, trust: TrustStore, token: bytes
) -> None:
    tree = etree.parse(sealed)
    stamped(tree, token)
    path = tmp_path / "stamped.xml"
    tree.write(path, encoding="ISO-8859-1", xml_declaration=True)
    first, second = verify_pes(path, trust=trust).signatures
    assert (first.verdict, first.intact, second.verdict) == (Belief.INVALID, True, Belief.VALID)
    assert [reason for reason in first.reasons if "autres données" in reason] == [
        "Le jeton d’horodatage porte sur d’autres données."
    ]
    problems = check_signatures(xml.parse(path), trust=trust)
    assert [(problem.rule, problem.severity) for problem in problems] == [("S04", Severity.ERROR)]
    assert "autres données" in problems[0].message


@pytest.mark.parametrize(("form", "level"), [(EXCLUSIVE_C14N, "T"), ("urn:unknown", "EPES")])
def test_a_timestamp_of_the_first_version_is_over_the_form_that_it_tells(
    tmp_path: Path, flow: Path, signer: Pkcs12Signer, context: SealContext, stamps: TimestampClient, form: str, level: str
) -> None:
    path = tmp_path / "stamped.xml"
    seal(flow, path, signer, replace(context, xades="1.1.1"))
    tree = etree.parse(path)
    value = next(tree.iter(f"{{{DS}}}SignatureValue"))
    told = f'<Transforms><Transform xmlns="{DS}" Algorithm="{form}"/></Transforms>'
    token = stamps.stamp(canonical.digest(value, "sha256")).token
    stamped(tree, token, f'<HashDataInfo uri="#{value.get("Id")}">{told}</HashDataInfo>')
    tree.write(path, encoding="ISO-8859-1", xml_declaration=True)
    first, _ = verify_pes(path, trust=None).signatures
    assert (first.verdict, first.level) == (Belief.INDETERMINATE, level)  # nobody is believed here


def test_a_document_whose_own_timestamp_is_broken_is_invalid(
    tmp_path: Path, credential: Credential, tsa: TsaSimulator, stamps: TimestampClient, trust: TrustStore
) -> None:
    output = BytesIO(signed_elsewhere(paper(), credential))
    _add_stamp(output, stamps)
    path, both = tmp_path / "stamped.pdf", TrustStore.of([*trust.anchors, tsa.anchor])
    path.write_bytes(output.getvalue())
    assert verify_pades(path, trust=both).verdict is Belief.VALID
    octets = output.getvalue()
    place = octets.rindex(b"PPKLite")  # in the revision of the timestamp, which the signature does not cover
    path.write_bytes(octets[:place] + b"ppkLite" + octets[place + 7 :])
    verdict = verify_pades(path, trust=both)
    assert [one.verdict for one in verdict.signatures] == [Belief.VALID, Belief.INVALID]
    assert verdict.verdict is Belief.INVALID


def test_a_later_timestamp_saves_those_before_it_from_what_becomes_of_their_authority(
    tmp_path: Path, credential: Credential, trust: TrustStore
) -> None:
    path, output, after = tmp_path / "stamped.pdf", BytesIO(signed_elsewhere(paper(), credential)), NOON + timedelta(days=1)
    with stamping(tmp_path / "first") as (lost, first), stamping(tmp_path / "second") as (kept, second):
        _add_stamp(output, first)
        once = output.getvalue()
        _add_stamp(output, second)
    number = lost._credential.certificate.serial_number
    gone = TestAuthority.open(tmp_path / "first").revocations({number: after}, at=after)
    store = TrustStore.of([*trust.anchors, lost.anchor, kept.anchor], [gone])
    for octets, proves in ((once, [False]), (output.getvalue(), [True, True])):
        path.write_bytes(octets)
        (signature,) = verify_pades(path, trust=store, at=after + timedelta(days=1)).signatures
        assert [one.proves for one in signature.timestamps] == proves


def test_a_token_that_brings_no_certificate_is_completed_from_the_trust_folder(tsa: TsaSimulator, token: bytes) -> None:
    signed = cms.ContentInfo.load(token)["content"]
    brought = [x509.load_der_x509_certificate(one.chosen.dump()) for one in signed["certificates"]]
    left = cms.SignedData({name: signed[name] for name in signed if name not in {"certificates", "crls"}})
    bare = cms.ContentInfo({"content_type": "signed_data", "content": left}).dump()
    digest = hashlib.sha256(DATA).digest()
    assert verify_token(bare, digest, trust=TrustStore.of([tsa.anchor, *brought])).holds
    with pytest.raises(TokenUnreadable, match="dossier de confiance"):
        verify_timestamp(bare, lambda _: digest, trust=TrustStore.of([tsa.anchor]), at=clock.now())
