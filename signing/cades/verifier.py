"""Verifying CMS and CAdES signatures: four answers for each signature of a message, one verdict for the file."""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from core import clock
from core.errors import UnreadableInput
from core.messages import Catalogue
from signing.algorithms import SHA1_REFUSED_FROM
from signing.cades.content import DigestOf, content_of, digest_of, start_of
from signing.cades.message import Message, SignerInfo
from signing.cades.method import HASHES, may_be_attributes
from signing.keys import name_of
from signing.standing import Standing, standing
from signing.timestamp.token import verify_stamp
from signing.trust import Evidence, TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, TimestampVerdict, alterations, proved_time, worst

_messages = Catalogue("signing")
_LARGEST_MESSAGE = 128 << 20
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
    digest = content_of(message, path, detached)
    start = start_of(message, detached)
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
    existed: datetime | None = None,
) -> tuple[SignatureVerdict, ...]:
    """Verify every signature of a message over content that only its digests are known of.

    Args:
        octets: the message, in DER or PEM; its size is bounded by the caller.
        digest: gives the digest of the content.
        trust: who is believed; None means nobody.
        at: the moment of the verification.
        covers: what the content is, for the verdict.
        through: the hashes by which the content in turn leads to the data (those of a manifest), judged like the signature's own.
        existed: a time at which the message is proved to have existed, by something outside of it.

    Raises:
        UnreadableInput: no CMS SignedData.
    """
    message = Message.read(octets)
    return signatures_of(message, digest, trust=trust, at=at, covers=covers, through=through, existed=existed)


def signatures_of(
    message: Message,
    digest: DigestOf,
    *,
    trust: TrustStore | None,
    at: datetime,
    covers: str = "document",
    through: Sequence[str] = (),
    start: bytes | None = None,
    existed: datetime | None = None,
) -> tuple[SignatureVerdict, ...]:
    """Return the verdict on each signature of a message, each followed by those on its counter-signatures.

    ``start`` is the beginning of the content; when it is not at hand, a signature without signed attributes is doubted.
    """
    verdicts: list[SignatureVerdict] = []
    for signer in message.signers:
        doubtful = start is None or may_be_attributes(start)
        subject = _Subject(digest, message.content_type, covers, tuple(through), doubtful, existed)
        verdicts.append(_Examiner(signer, subject, message.evidence, trust, at).run())
        value = _Subject(functools.partial(digest_of, signer.value), None, "signature", existed=existed)
        verdicts += [_Examiner(counter, value, message.evidence, trust, at).run() for counter in signer.counters]
    return tuple(verdicts)


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST_MESSAGE:
        raise UnreadableInput(_messages("cades.large", limit=_LARGEST_MESSAGE >> 20))
    return path.read_bytes()


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a signature is over: its digests, the type that it must name, what to call it, the hashes that it goes through.

    It is doubtful when it may be no document, which only signed attributes would tell. What is outside the message may prove when
    it existed.
    """

    digest: DigestOf
    content_type: str | None
    covers: str
    through: tuple[str, ...] = ()
    doubtful: bool = True
    existed: datetime | None = None


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
        timestamps = self.timestamps()
        proved = min(filter(None, (proved_time(timestamps, self.at), self.subject.existed)), default=None)
        self.notes(proved)
        self.remarks += [Remark(Belief.INVALID, reason) for reason in alterations(timestamps)]
        found = None if certificate is None else self.standing(certificate, proved)
        beliefs = [remark.belief for remark in self.remarks if remark.belief is not None]
        beliefs += [found.belief, *([] if intact else [Belief.INVALID])] if found is not None else []
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
            self.add("cades.no_certificate", Belief.INDETERMINATE)
            return None
        signed = self.signer.certificate
        named = designated if signed is None else [one for one in designated if signed.names(one)]
        if signed is not None and signed.hash_name not in HASHES:
            self.add("cades.certificate_hash", Belief.INDETERMINATE, found=signed.hash_name)
        elif not named:
            self.add("cades.certificate")
        return (named or designated)[0]

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
            over = digest_of(signer.attributes, method.hash_name)
            same = self.attributes(actual)
        held = certificate is not None and method.holds(certificate, signer.value, over)
        if certificate is not None and not held:
            self.add("cades.value")
        return same and held

    def attributes(self, actual: bytes) -> bool:
        """Hold the signed attributes against the content (RFC 5652, 5.3 and 11.1) and the algorithms (RFC 6211)."""
        signer = self.signer
        if signer.ambiguous:
            self.add("cades.single", found=", ".join(signer.ambiguous))
            return False
        if signer.content_type != self.subject.content_type:
            self.add("cades.content_type", found=signer.content_type or "-", expected=self.subject.content_type or "-")
            return False
        if signer.message_digest is None:
            self.add("cades.message_digest")
            return False
        if not signer.protected:
            self.add("cades.protection")
            return False
        if not hmac.compare_digest(signer.message_digest, actual):
            self.add("cades.data")
            return False
        return True

    def timestamps(self) -> tuple[TimestampVerdict, ...]:
        """Verify the timestamps over the signature value (ETSI EN 319 122-1, 5.3), then what proves that they were there.

        An archive timestamp that is not of this signature leaves it as good as it is without.
        """
        signer, seen = self.signer, self.subject.existed or self.at
        archived = signer.archive.verdicts(self.subject.digest, self.trust, seen) if signer.archive else ()
        for one in archived:
            if not one.valid:
                self.add("cades.archive_void", None, detail=one.reason or "")
        seen = min(seen, proved_time(archived, self.at) or seen)
        over = functools.partial(digest_of, signer.value)
        found = (verify_stamp(token, over, trust=self.trust, seen=seen).as_verdict() for token in signer.timestamps)
        return (*found, *archived)

    def notes(self, proved: datetime | None) -> None:
        """Say what is remarkable in what the signature claims, SHA-1 first: it is believed in what is older than 2017 only."""
        signer = self.signer
        if "sha1" in {signer.method.hash_name if signer.method else None, *self.subject.through}:
            claimed = signer.signing_time is not None and signer.signing_time.year < SHA1_REFUSED_FROM
            older = proved is not None and proved.year < SHA1_REFUSED_FROM
            self.add("cades.sha1", None if older else Belief.INDETERMINATE if claimed else Belief.INVALID)
        elif signer.certificate is not None and signer.certificate.hash_name == "sha1":
            self.add("cades.certificate_sha1", None)
        if signer.signing_time is not None and signer.signing_time > self.at + _SKEW:
            self.add("cades.future", Belief.INDETERMINATE, found=clock.iso(signer.signing_time))
        if signer.certificate is None:
            self.add("cades.plain", None)
        if signer.archived_before:
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
