"""Verifying CMS and CAdES signatures: four answers for each signature of a message, one verdict for the file."""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from core import clock
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from signing.algorithms import weakness
from signing.cades.message import Message, SignerInfo
from signing.cades.method import HASHES, may_be_attributes
from signing.keys import name_of
from signing.standing import Standing, standing
from signing.timestamp.token import TokenUnreadable, imprint_hash, verify_token
from signing.trust import Evidence, TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, TimestampVerdict, alterations, proved_time, worst

DigestOf = Callable[[str], bytes]
"""Gives the digest of what is signed, by the hash's name (``sha1``, ``sha256``, ``sha384``, ``sha512``)."""

_messages = Catalogue("signing")
_LARGEST_MESSAGE = 128 << 20
_SHA1_REFUSED_FROM = 2017
_START = 1 << 16  # attributes are much shorter
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing found.

    Attributes:
        belief: the best verdict that is left; None when it says nothing about that.
        message: in words.
    """

    belief: Belief | None
    message: str


def verify(path: Path, *, detached: Path | None = None, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify every signature of a CMS message, in DER or PEM.

    Args:
        path: the message: at most 128 MiB, since what it envelops is held in memory.
        detached: the file that is signed, when it is not inside; read as a stream, whatever its size.
        trust: who is believed; None means nobody.
        at: the moment of the verification, now by default.

    Raises:
        UnreadableInput: no CMS SignedData, too large, or no detached file there.
        UsageError: what is signed is not inside, and no detached file is named.
    """
    message = Message.read(_bounded(path))
    if not message.signers:
        return FileVerdict(Belief.UNSIGNED)
    digest = _digest_of(message, path, detached)
    start = _start_of(message, detached)
    signatures = signatures_of(message, digest, trust=trust, at=at or clock.now(), start=start)
    verdict = worst(signature.verdict for signature in signatures)
    if message.content is not None and digest("sha256") != hashlib.sha256(message.content).digest():
        return FileVerdict(Belief.INVALID, signatures, (_messages("cades.two_contents"),))
    return FileVerdict(verdict, signatures)


def verify_message(
    octets: bytes,
    digest: DigestOf,
    *,
    trust: TrustStore | None,
    at: datetime,
    covers: str = "document",
    through: Sequence[str] = (),
) -> tuple[SignatureVerdict, ...]:
    """Verify every signature of a message over content that only its digests are known of.

    Args:
        octets: the message, in DER or PEM; its size is bounded by the caller.
        digest: gives the digest of the content.
        trust: who is believed; None means nobody.
        at: the moment of the verification.
        covers: what the content is, for the verdict.
        through: the hashes by which the content in turn leads to the data (those of a manifest), judged like the signature's own.

    Raises:
        UnreadableInput: no CMS SignedData.
    """
    return signatures_of(Message.read(octets), digest, trust=trust, at=at, covers=covers, through=through)


def signatures_of(
    message: Message,
    digest: DigestOf,
    *,
    trust: TrustStore | None,
    at: datetime,
    covers: str = "document",
    through: Sequence[str] = (),
    start: bytes | None = None,
) -> tuple[SignatureVerdict, ...]:
    """Return the verdict on each signature of a message, each followed by those on its counter-signatures.

    ``start`` is the beginning of the content; when it is not at hand, a signature without signed attributes is doubted.
    """
    verdicts: list[SignatureVerdict] = []
    for signer in message.signers:
        subject = _Subject(digest, message.content_type, covers, tuple(through), start is None or may_be_attributes(start))
        verdicts.append(_Examiner(signer, subject, message.evidence, trust, at).run())
        value = _Subject(functools.partial(_digest, signer.value), None, "signature")
        verdicts += [_Examiner(counter, value, message.evidence, trust, at).run() for counter in signer.counters]
    return tuple(verdicts)


def digests_of(path: Path) -> DigestOf:
    """Return what gives the digests of a file, read as a stream once for each hash asked for."""

    @functools.cache
    def digest(hash_name: str) -> bytes:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, hash_name).digest()

    return digest


def _digest_of(message: Message, path: Path, detached: Path | None) -> DigestOf:
    """Return what gives the digests of what is signed: the detached file when one is named, else what is inside."""
    if detached is not None:
        if not detached.is_file():
            raise UnreadableInput(_messages("cades.absent", file=detached.name))
        return digests_of(detached)
    if message.content is None:
        raise UsageError(_messages("cades.detached", file=path.name))
    return functools.partial(_digest, message.content)


def _start_of(message: Message, detached: Path | None) -> bytes:
    if detached is None:
        return (message.content or b"")[:_START]
    with detached.open("rb") as stream:
        return stream.read(_START)


def _digest(octets: bytes, hash_name: str) -> bytes:
    return hashlib.new(hash_name, octets).digest()


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST_MESSAGE:
        raise UnreadableInput(_messages("cades.large", limit=_LARGEST_MESSAGE >> 20))
    return path.read_bytes()


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a signature is over: its digests, the type that it must name, what to call it, the hashes that it goes through.

    It is doubtful when it may be no document, which only signed attributes would tell.
    """

    digest: DigestOf
    content_type: str | None
    covers: str
    through: tuple[str, ...] = ()
    doubtful: bool = True


class _Examiner:
    """The examination of one signature, step by step; each step adds its remarks."""

    def __init__(self, signer: SignerInfo, subject: _Subject, evidence: Evidence, trust: TrustStore | None, at: datetime) -> None:
        self.signer = signer
        self.subject = subject
        self.evidence = evidence
        self.trust = trust
        self.at = at
        self.remarks: list[Remark] = []

    def run(self) -> SignatureVerdict:
        signer = self.signer
        certificate = self.certificate()
        intact = self.intact(certificate)
        timestamps = tuple(self.timestamp(token) for token in signer.timestamps)
        proved = proved_time(timestamps, self.at)
        self.notes(proved)
        self.remarks += [Remark(Belief.INVALID, reason) for reason in alterations(timestamps)]
        found = None if certificate is None else self.standing(certificate, proved)
        beliefs = [remark.belief for remark in self.remarks if remark.belief is not None]
        beliefs += [Belief.INVALID] if not intact else []
        beliefs += [found.belief] if found is not None else []
        return SignatureVerdict(
            format="CMS" if signer.certificate is None else "CAdES",
            level=_level(signer, timestamps),
            signer=None if certificate is None else name_of(certificate),
            signing_time=signer.signing_time,
            intact=intact,
            covers=self.subject.covers,
            trust=TrustState.UNKNOWN if found is None else found.state,
            timestamps=timestamps,
            verdict=worst(beliefs),
            reasons=(*(remark.message for remark in self.remarks), *(found.reasons if found else ())),
            qualification=None if found is None else found.qualification,
        )

    def add(self, key: str, belief: Belief | None = Belief.INVALID, **places: object) -> None:
        self.remarks.append(Remark(belief, _messages(key, **places)))

    def certificate(self) -> x509.Certificate | None:
        """Find the certificate that signed: that of the identifier, held against the signed digest when there is one."""
        known = (*self.trust.material, *self.trust.anchors) if self.trust else ()
        designated = [one for one in (*self.evidence.certificates, *known) if self.signer.designates(one)]
        if not designated:
            self.add("cades.no_certificate")
            return None
        signed = self.signer.certificate
        named = designated if signed is None else [one for one in designated if signed.names(one)]
        if not named:
            self.add("cades.certificate")
        certificate = (named or designated)[0]
        if weak := weakness(certificate):
            self.add("cades.weak", found=weak)
        return certificate

    def intact(self, certificate: x509.Certificate | None) -> bool:
        """Tell whether the content is the one signed, and the value that of the key (RFC 5652, 5.4 to 5.6)."""
        signer, method = self.signer, self.signer.method
        if method is None:
            self.add("cades.algorithm", found=f"{signer.algorithm}, {signer.digest_name}")
            return False
        actual = self.subject.digest(method.hash_name)
        over = actual
        same = True
        if signer.attributes is None:
            self.add("cades.bare", Belief.INDETERMINATE if self.subject.doubtful else None)
        else:
            over = _digest(signer.attributes, method.hash_name)
            same = self.attributes(actual)
        held = certificate is not None and method.holds(certificate, signer.value, over)
        if certificate is not None and not held:
            self.add("cades.value")
        return same and held

    def attributes(self, actual: bytes) -> bool:
        """Hold the signed attributes against the content (RFC 5652, 5.3 and 11.1) and the algorithms (RFC 6211)."""
        signer = self.signer
        if signer.content_type != self.subject.content_type or signer.message_digest is None:
            self.add("cades.attributes")
            return False
        if not signer.protected:
            self.add("cades.protection")
            return False
        if not hmac.compare_digest(signer.message_digest, actual):
            self.add("cades.data")
            return False
        return True

    def timestamp(self, token: bytes) -> TimestampVerdict:
        """Verify a timestamp over the signature value (ETSI EN 319 122-1, 5.3)."""
        try:
            name = imprint_hash(token)
        except TokenUnreadable as error:
            return TimestampVerdict(None, None, False, TrustState.UNKNOWN, str(error))
        if name not in HASHES:
            return TimestampVerdict(None, None, False, TrustState.UNKNOWN, _messages("timestamp.weak"))
        return verify_token(token, _digest(self.signer.value, name), trust=self.trust, hash_name=name).as_verdict()

    def notes(self, proved: datetime | None) -> None:
        """Say what is remarkable in what the signature claims, SHA-1 first: it is believed in what is older than 2017 only."""
        signer = self.signer
        if "sha1" in {signer.method.hash_name if signer.method else None, *self.subject.through}:
            claimed = signer.signing_time is not None and signer.signing_time.year < _SHA1_REFUSED_FROM
            older = proved is not None and proved.year < _SHA1_REFUSED_FROM
            self.add("cades.sha1", None if older else Belief.INDETERMINATE if claimed else Belief.INVALID)
        elif signer.certificate is not None and signer.certificate.hash_name == "sha1":
            self.add("cades.certificate_sha1", None)
        if signer.signing_time is not None and signer.signing_time > self.at + _SKEW:
            self.add("cades.future", Belief.INDETERMINATE, found=clock.iso(signer.signing_time))
        if signer.certificate is None:
            self.add("cades.plain", None)
        if signer.archived:
            self.add("cades.archived", None)

    def standing(self, certificate: x509.Certificate, proved: datetime | None) -> Standing:
        claimed = self.signer.signing_time
        return standing(certificate, self.trust, claimed=claimed, proved=proved, at=self.at, evidence=self.evidence)


def _level(signer: SignerInfo, timestamps: Sequence[TimestampVerdict]) -> str | None:
    """Return the level verified: ``T``, else ``EPES`` with a policy, ``B`` with a signing time, ``BES``; a plain CMS has none."""
    if signer.certificate is None:
        return None
    if any(timestamp.valid for timestamp in timestamps):
        return "T"
    if signer.policy:
        return "EPES"
    return "BES" if signer.signing_time is None else "B"
