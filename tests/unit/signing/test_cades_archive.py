"""Archive timestamps of CAdES: what they prove, and what they are over, put together here as ETSI EN 319 122-1, 5.5 has it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from asn1crypto import algos, cms, core

from core import clock
from signing.cades.verifier import verify_message
from signing.pki import Credential, TestAuthority
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, SignatureVerdict
from tests.cms_messages import CONTENT, Crafted, asn1, made
from tests.timestamp_tokens import crafted

NOW = clock.now().replace(microsecond=0)
DAY = timedelta(days=1)
STAMP, OLD = "0.4.0.1733.2.4", "1.2.840.113549.1.9.16.2.48"
INDEX, OLD_INDEX = "0.4.0.19122.1.5", "0.4.0.1733.2.5"
DATA = core.ObjectIdentifier("1.2.840.113549.1.7.1").dump()
FIELDS = ("version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm", "signature")


class Values(core.SetOf):  # type: ignore[misc]
    _child_spec = core.Any


class Attribute(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [("type", core.ObjectIdentifier), ("values", Values)]


class Attributes(core.SetOf):  # type: ignore[misc]
    _child_spec = Attribute


class Digests(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.OctetString


class OldIndex(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [("certificates", Digests), ("lists", Digests), ("attributes", Digests)]


class Index(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [("algorithm", algos.DigestAlgorithm), *OldIndex._fields]


@pytest.fixture(scope="module")
def root() -> TestAuthority:
    """An authority of some years."""
    return TestAuthority.create("DEMONSTRATION Racine ancienne", at=NOW - 1000 * DAY)


@pytest.fixture(scope="module")
def gone(root: TestAuthority) -> Credential:
    """A key whose certificate has expired."""
    return root.seal(bits=2048, start=NOW - 900 * DAY, end=NOW - 100 * DAY)


@pytest.fixture(scope="module")
def stamper(root: TestAuthority) -> Credential:
    return root.timestamping()


def digest(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def with_attributes(info: cms.SignerInfo, *named: tuple[str, bytes]) -> None:
    """Put unsigned attributes beside those of a signature."""
    before = [] if isinstance(info["unsigned_attrs"], core.Void) else [one.dump() for one in info["unsigned_attrs"]]
    added = [Attribute({"type": kind, "values": [core.Any.load(value)]}).dump() for kind, value in named]
    held = Attributes([Attribute.load(one) for one in (*before, *added)]).dump()
    info["unsigned_attrs"] = cms.CMSAttributes.load(held)


def archived(
    octets: bytes,
    stamper: Credential,
    moment: datetime,
    *,
    certificates: Iterable[bytes] | None = None,
    attributes: Iterable[bytes] = (),
    content: bytes = CONTENT,
    kind: str = STAMP,
    index_kind: str = INDEX,
) -> bytes:
    """The message with an archive timestamp over it, and an index of its certificates or of those given."""
    message = cms.ContentInfo.load(octets)
    (info,) = message["content"]["signer_infos"]
    known = [one.dump() for one in message["content"]["certificates"]] if certificates is None else certificates
    named = {"certificates": [digest(one) for one in known], "lists": [], "attributes": [digest(one) for one in attributes]}
    index = Index({"algorithm": {"algorithm": "sha256"}, **named}) if index_kind == INDEX else OldIndex(named)
    index = index.dump()
    over = b"".join((DATA, digest(content), *(info[name].dump() for name in FIELDS), index))
    token = cms.ContentInfo.load(crafted(stamper, over, moment))
    (signer,) = token["content"]["signer_infos"]
    with_attributes(signer, (index_kind, index))
    with_attributes(info, (kind, token.dump()))
    der: bytes = message.dump()
    return der


def judged(octets: bytes, trust: TrustStore) -> SignatureVerdict:
    (verdict,) = verify_message(octets, lambda name: hashlib.new(name, CONTENT).digest(), trust=trust, at=NOW)
    return verdict


def test_an_archive_timestamp_proves_when_a_signature_existed(root: TestAuthority, gone: Credential, stamper: Credential) -> None:
    trust, octets = TrustStore.of([root.certificate]), made(Crafted(gone, moment=NOW - 800 * DAY))
    assert (judged(octets, trust).verdict, judged(octets, trust).trust) == (Belief.INDETERMINATE, TrustState.EXPIRED)
    found = judged(archived(octets, stamper, NOW - 200 * DAY), trust)
    assert (found.verdict, found.level, found.timestamps[0].time) == (Belief.VALID, "T", NOW - 200 * DAY)
    late = judged(archived(octets, stamper, NOW - 50 * DAY), trust)  # when the certificate had expired already
    assert late.verdict is Belief.INDETERMINATE


def test_what_came_before_is_in_the_index_and_what_comes_after_is_not(
    root: TestAuthority, gone: Credential, stamper: Credential
) -> None:
    trust, message = TrustStore.of([root.certificate]), cms.ContentInfo.load(made(Crafted(gone, moment=NOW - 800 * DAY)))
    (info,) = message["content"]["signer_infos"]
    note = core.UTF8String("avant").dump()
    with_attributes(info, ("1.2.3.4", note))
    octets = archived(message.dump(), stamper, NOW - 200 * DAY, attributes=[core.ObjectIdentifier("1.2.3.4").dump() + note])
    assert judged(octets, trust).verdict is Belief.VALID
    later = cms.ContentInfo.load(octets)
    later["content"]["certificates"].append(cms.CertificateChoices("certificate", asn1(root.certificate)))
    (info,) = later["content"]["signer_infos"]
    with_attributes(info, ("1.2.3.5", note))
    assert judged(later.dump(), trust).verdict is Belief.VALID


def test_the_index_of_before_names_whole_attributes(root: TestAuthority, gone: Credential, stamper: Credential) -> None:
    trust, message = TrustStore.of([root.certificate]), cms.ContentInfo.load(made(Crafted(gone, moment=NOW - 800 * DAY)))
    (info,) = message["content"]["signer_infos"]
    with_attributes(info, ("1.2.3.4", core.UTF8String("avant").dump()))
    (attribute,) = info["unsigned_attrs"]
    octets, when = message.dump(), NOW - 200 * DAY
    whole = archived(octets, stamper, when, attributes=[attribute.dump()], index_kind=OLD_INDEX)
    assert judged(whole, trust).verdict is Belief.VALID
    value = archived(octets, stamper, when, attributes=[attribute.dump()])
    assert judged(value, trust).verdict is Belief.INDETERMINATE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda octets, stamper, moment: archived(octets, stamper, moment, content=b"other"), "autres données"),
        (lambda octets, stamper, moment: archived(octets, stamper, moment, certificates=[b"gone"]), "n’est plus là"),
        (lambda octets, stamper, moment: archived(octets, stamper, moment, attributes=[b"gone"]), "n’est plus là"),
        (lambda octets, stamper, moment: archived(octets, stamper, moment, kind=OLD), "ancienne version"),
    ],
)
def test_a_timestamp_that_is_not_of_all_this_proves_nothing_and_harms_nobody(
    root: TestAuthority, gone: Credential, stamper: Credential, change: Callable[..., bytes], words: str
) -> None:
    trust, octets = TrustStore.of([root.certificate]), made(Crafted(gone, moment=NOW - 800 * DAY))
    found = judged(change(octets, stamper, NOW - 200 * DAY), trust)
    assert (found.verdict, found.level, found.intact) == (Belief.INDETERMINATE, "B", True)
    assert any(words in reason for reason in found.reasons)


def test_a_timestamp_without_its_index_proves_nothing(root: TestAuthority, gone: Credential, stamper: Credential) -> None:
    message = cms.ContentInfo.load(made(Crafted(gone, moment=NOW - 800 * DAY)))
    (info,) = message["content"]["signer_infos"]
    with_attributes(info, (STAMP, crafted(stamper, b"anything", NOW - 200 * DAY)))
    found = judged(message.dump(), TrustStore.of([root.certificate]))
    assert (found.verdict, found.timestamps[0].valid) == (Belief.INDETERMINATE, False)
    assert any("index" in reason for reason in found.reasons)


def test_an_archive_timestamp_saves_the_timestamps_before_it_from_what_becomes_of_their_authority(
    root: TestAuthority, gone: Credential, stamper: Credential
) -> None:
    first: Any = root.timestamping("DEMONSTRATION Horodatage perdu")
    lost = root.revocations({first.certificate.serial_number: NOW - 20 * DAY})
    trust = TrustStore.of([root.certificate], [lost])
    message = cms.ContentInfo.load(made(Crafted(gone, moment=NOW - 800 * DAY)))
    (info,) = message["content"]["signer_infos"]
    with_attributes(info, ("1.2.840.113549.1.9.16.2.14", crafted(first, info["signature"].native, NOW - 700 * DAY)))
    octets = message.dump()
    alone = judged(octets, trust)
    assert (alone.verdict, alone.timestamps[0].trust) == (Belief.INDETERMINATE, TrustState.REVOKED)
    assert "RFC 3161" in (alone.timestamps[0].reason or "")
    saved = judged(archived(octets, stamper, NOW - 30 * DAY), trust)
    assert (saved.verdict, saved.timestamps[0].trust) == (Belief.VALID, TrustState.TRUSTED)
