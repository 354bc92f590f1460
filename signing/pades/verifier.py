"""Verifying the signatures of a PDF: what each one covers, what came after it, and what its CMS message says.

The message is held against the rules of every CMS (``signing.cades``); what only a PDF can do to a signature is told here:
leave octets out of it, or show something else in a later revision.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from asn1crypto import ocsp
from cryptography import x509

from core import clock
from core.messages import Catalogue
from signing.cades.message import Message, MessageUnreadable
from signing.cades.verifier import signatures_of
from signing.pades.comparison import Aftermath, aftermaths
from signing.pades.document import Document, Embedded
from signing.pades.pdf import FLAWS, Filed
from signing.timestamp.parts import TokenUnreadable
from signing.timestamp.verifier import as_timestamp, verify_timestamp
from signing.trust import Evidence, TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, TimestampVerdict, proved_time, worst

_messages = Catalogue("signing")
_PADES = "/ETSI.CAdES.detached"
_DETACHED = (_PADES, "/adbe.pkcs7.detached")
_START = 8
_JUDGED = {
    Aftermath.HARMLESS: (Belief.VALID, None),
    Aftermath.UNKNOWN: (Belief.INDETERMINATE, "pades.uncompared"),
    Aftermath.HARMFUL: (Belief.INVALID, "pades.modified"),
    Aftermath.TAILED: (Belief.INVALID, "pades.tail"),
}


def verify(path: Path, *, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify every signature of a PDF; its timestamps stand with the signatures that they cover.

    Those that are broken stand alone too, for they are signatures of the document as any; all do when there are no others.

    Args:
        path: of the file, 160 MiB at most.
        trust: who is believed; None means nobody.
        at: the moment of the verification, now by default.

    Raises:
        PdfUnreadable: too large, no PDF, broken, or encrypted.
    """
    with Filed(path) as octets:
        return _verified(Document.read(octets), trust, at or clock.now())


def _verified(document: Document, trust: TrustStore | None, moment: datetime) -> FileVerdict:
    store = _informed(trust, document.evidence)
    pairs = list(zip(document.embedded, aftermaths(document), strict=True))
    stamps: list[tuple[Embedded, SignatureVerdict]] = []
    for one, after in reversed([pair for pair in pairs if pair[0].is_stamp]):
        later = [as_timestamp(verdict) for other, verdict in stamps if other.covers(one)]
        stamps.insert(0, (one, _stamp(document, one, after, store, moment, proved_time(later, moment))))
    examined = [_Examiner(document, one, after, store, moment).run(stamps) for one, after in pairs if not one.is_stamp]
    alone = [verdict for _, verdict in stamps if not examined or not verdict.intact]
    signatures = (*(verdict for verdicts in examined for verdict in verdicts), *alone)
    if not signatures:
        return FileVerdict(Belief.UNSIGNED)
    return FileVerdict(worst(signature.verdict for signature in signatures), signatures)


def _informed(trust: TrustStore | None, evidence: Evidence) -> TrustStore:
    """Return the trust store with what the document brings: certificates as mere steps, lists and answers of authorities."""
    store = trust or TrustStore(())
    return replace(
        store,
        material=(*store.material, *evidence.certificates),
        revocations=(*store.revocations, *evidence.lists),
        answers=(*store.answers, *evidence.answers),
    )


class _Examiner:
    """The examination of one signature; each step adds its reasons."""

    def __init__(self, document: Document, embedded: Embedded, after: Aftermath, store: TrustStore, at: datetime) -> None:
        self.document = document
        self.embedded = embedded
        self.after = after
        self.store = store
        self.at = at
        self.flaws: list[str] = []

    def run(self, stamps: list[tuple[Embedded, SignatureVerdict]]) -> tuple[SignatureVerdict, ...]:
        """Return the verdict on the signature, followed by those on its counter-signatures."""
        covering = [(one, verdict) for one, verdict in stamps if one.covers(self.embedded)]
        message = self.message()
        if self.embedded.end is None:
            self.flaws.append(_messages("pades.coverage"))
        if message is None or self.embedded.end is None:
            return (self.unexamined(),)
        belief, note = _JUDGED[self.after]
        signature, *counters = self.examined(message, [verdict for _, verdict in covering])
        timestamps = (*signature.timestamps, *(as_timestamp(verdict) for _, verdict in covering))
        is_pades = signature.format == "CAdES" and self.embedded.encoding == _PADES
        sealing = [one for one, verdict in covering if as_timestamp(verdict).valid]
        whole = replace(
            signature,
            format="PAdES" if is_pades else "CMS",
            level=self.level(message, timestamps, sealing) if is_pades else None,
            covers=self.covers(),
            timestamps=timestamps,
            verdict=worst([signature.verdict, belief]),
            reasons=(*_noted(note), *signature.reasons),
        )
        return (whole, *counters)

    def message(self) -> Message | None:
        """Return the CMS message, when it is one that signs a document from outside of it, once."""
        if self.embedded.encoding not in _DETACHED:
            self.flaws.append(_messages("pades.encoding", found=self.embedded.encoding.removeprefix("/")))
            return None
        try:
            message = Message.read(self.embedded.message)
        except MessageUnreadable as error:
            self.flaws.append(str(error))
            return None
        if message.content is not None or len(message.signers) != 1:
            self.flaws.append(_messages("pades.message"))
            return None
        (signer,) = message.signers
        return replace(message, signers=(replace(signer, signing_time=signer.signing_time or self.embedded.moment),))

    def examined(self, message: Message, covering: list[SignatureVerdict]) -> tuple[SignatureVerdict, ...]:
        """Verify the message over the document, which existed at the first of the timestamps that cover it."""
        digest = partial(self.document.digest, self.embedded)
        start = self.document.octets[:_START]
        existed = proved_time(map(as_timestamp, covering), self.at)
        return signatures_of(message, digest, trust=self.store, at=self.at, start=start, existed=existed)

    def covers(self) -> str:
        followed = self.document.is_followed(self.embedded)
        return f"revision {self.embedded.revision + 1}" if followed else "document"

    def level(self, message: Message, timestamps: tuple[TimestampVerdict, ...], sealing: list[Embedded]) -> str:
        """Return the level reached (ETSI EN 319 142-1, 6): ``B``, ``T``, ``LT``, ``LTA``.

        Args:
            message: of the signature.
            timestamps: over it, and over the document.
            sealing: document timestamps over it that hold.
        """
        if not any(timestamp.valid for timestamp in timestamps):
            return "B"
        if not _checkable(message, self.document.evidence):
            return "T"
        sealed = any(self.document.holds_evidence(stamp.revision) for stamp in sealing)
        return "LTA" if sealed else "LT"

    def unexamined(self) -> SignatureVerdict:
        known = self.embedded.encoding in _DETACHED
        return SignatureVerdict(
            format="PAdES" if self.embedded.encoding == _PADES else "CMS",
            level=None,
            signer=None,
            signing_time=self.embedded.moment,
            intact=False,
            covers="nothing",
            trust=TrustState.UNKNOWN,
            timestamps=(),
            verdict=Belief.INVALID if known or self.embedded.end is None else Belief.INDETERMINATE,
            reasons=tuple(self.flaws),
        )


def _stamp(
    document: Document, embedded: Embedded, after: Aftermath, store: TrustStore, at: datetime, seen: datetime | None
) -> SignatureVerdict:
    """Verify a document timestamp (ISO 32000-2, 12.8.5), seen when those over it say."""
    flaw = _messages("pades.coverage")
    if embedded.end is not None:
        try:
            found = verify_timestamp(embedded.message, partial(document.digest, embedded), trust=store, at=at, seen=seen)
        except TokenUnreadable as error:
            flaw = str(error)
        else:
            belief, note = _JUDGED[after]
            return replace(found, verdict=worst([found.verdict, belief]), reasons=(*_noted(note), *found.reasons))
    return SignatureVerdict(
        "RFC3161", None, None, embedded.moment, False, "nothing", TrustState.UNKNOWN, (), Belief.INVALID, (flaw,)
    )


def _noted(key: str | None) -> tuple[str, ...]:
    return () if key is None else (_messages(key),)


def _checkable(message: Message, evidence: Evidence) -> bool:
    """Tell whether the security store holds what says that the signer's certificate was not revoked."""
    signers = [one for one in (*message.evidence.certificates, *evidence.certificates) if message.signers[0].designates(one)]
    return any(_listed(one, evidence) or _answered(one, evidence) for one in signers)


def _listed(certificate: x509.Certificate, evidence: Evidence) -> bool:
    return any(listing.issuer == certificate.issuer for listing in evidence.lists)


def _answered(certificate: x509.Certificate, evidence: Evidence) -> bool:
    return any(certificate.serial_number in _serials(answer) for answer in evidence.answers)


def _serials(answer: bytes) -> set[int]:
    """Return the numbers of the certificates that an OCSP response speaks of."""
    try:
        data = ocsp.OCSPResponse.load(answer).response_data
        return {int(single["cert_id"]["serial_number"].native) for single in data["responses"]}
    except FLAWS:
        return set()
