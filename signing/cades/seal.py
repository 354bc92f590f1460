"""Signing any file with a detached CAdES: what is signed is a digest, so neither leg holds the file in memory."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core import clock
from core.errors import Misconfigured
from core.identifiers import new_id
from core.messages import Catalogue
from signing.algorithms import METHODS, method_of, value_holds
from signing.cades.assembly import armoured, cms_value, signed_attributes, signed_data
from signing.cades.content import digests_of
from signing.cades.verifier import verify
from signing.keys import check_fit
from signing.legs import Prepared, Signatory, Slot, SourceChanged, UnsoundSignature, WrongValue
from signing.timestamp.client import TimestampClient
from signing.verdicts import Belief, FileVerdict

_messages = Catalogue("signing")
SLOT = "signature"
Level = Literal["B", "T"]


@dataclass(frozen=True, slots=True)
class Cades:
    """A detached CAdES baseline signature (ETSI EN 319 122-1, 6).

    Attributes:
        level: ``B``, or ``T`` with a timestamp over the value.
        pem: written in PEM, as parapheurs do, instead of DER.
        role: in what capacity, claimed: "Maire".
        place: the town where it is signed.
    """

    name: ClassVar[str] = "cades"

    level: Level = "B"
    pem: bool = False
    role: str | None = None
    place: str | None = None

    def prepare(self, source: Path, draft: Path, signatory: Signatory, moment: datetime) -> Prepared:  # noqa: ARG002 - no draft
        """Freeze the attributes to sign over the digest of the file.

        Raises:
            KeyRefused: the certificate must not sign.
        """
        moment = clock.as_utc(moment).replace(microsecond=0)
        check_fit(signatory.certificate, moment)
        digest = digests_of(source)("sha256")
        attributes = signed_attributes(digest, signatory.certificate, moment, role=self.role, place=self.place)
        frozen = {"level": self.level, "pem": self.pem, "chain": written_chain(signatory)}
        return Prepared(self.name, digest, signatory.certificate, moment, (Slot(SLOT, attributes),), frozen)

    @staticmethod
    def complete(
        prepared: Prepared,
        source: Path,
        draft: Path,  # noqa: ARG004 - the octets to sign are all that is needed
        values: Mapping[str, bytes],
        target: Path,
        timestamps: TimestampClient | None = None,
    ) -> FileVerdict:
        """Write the message with the value in, verified over the file.

        Raises:
            WrongValue, SourceChanged, UnsoundSignature: see ``signing.legs``.
            Misconfigured: level T without an authority.
            Unavailable: no timestamping authority answers; nothing is left behind.
        """
        refuse_changed(prepared, source)
        message = completed(prepared, values, timestamps)
        with appearing(target) as output:
            output.write_bytes(armoured(message) if prepared.frozen["pem"] else message)
            verdict = verify(output, detached=source, trust=None, at=max(prepared.moment, clock.now()))
            refuse_unsound(verdict, prepared)
        return verdict


def completed(prepared: Prepared, values: Mapping[str, bytes], timestamps: TimestampClient | None) -> bytes:
    """Return the DER of the message with the value in, and its timestamp when the level asks for one.

    Raises:
        WrongValue: the value is missing, or is not that of the certificate.
        Misconfigured, Unavailable: there is no authority, or none answers.
    """
    (slot,) = prepared.slots
    raw = values.get(slot.identifier)
    if raw is None:
        raise WrongValue(_messages("seal.missing", found=slot.identifier))
    if not value_holds(prepared.certificate, METHODS[method_of(prepared.certificate)], raw, slot.octets):
        raise WrongValue(_messages("seal.value", found=slot.identifier))
    value = cms_value(prepared.certificate, raw)
    token = None
    if prepared.frozen["level"] == "T":
        if timestamps is None:
            raise Misconfigured(_messages("cades.no_timestamps"))
        token = timestamps.stamp(hashlib.sha256(value).digest()).token
    return signed_data(slot.octets, value, prepared.certificate, _read_chain(prepared), token)


def refuse_changed(prepared: Prepared, source: Path) -> None:
    """Refuse a source that is no longer the one prepared.

    Raises:
        SourceChanged: it is not.
    """
    if not hmac.compare_digest(digests_of(source)("sha256"), prepared.sha256):
        raise SourceChanged(_messages("seal.changed"))


def refuse_unsound(verdict: FileVerdict, prepared: Prepared) -> None:
    """Refuse what does not verify as the one signature that was asked for, over everything.

    Raises:
        UnsoundSignature: the strict verification says no.
    """
    asked = ("CAdES", prepared.frozen["level"], "document", True)
    found = [(one.format, one.level, one.covers, one.intact) for one in verdict.signatures]
    if verdict.verdict is Belief.INVALID or found != [asked]:
        reasons = [*verdict.reasons, *(reason for one in verdict.signatures for reason in one.reasons)]
        raise UnsoundSignature(_messages("seal.unsound", detail=" ".join(reasons)))


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes the target at the end of the block, whole, or disappears if the block fails."""
    draft = target.with_name(f".{target.name}.{new_id()}")
    try:
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def written_chain(signatory: Signatory) -> list[str]:
    """Return the authorities above the signatory as text, to be frozen."""
    return [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in signatory.chain]


def _read_chain(prepared: Prepared) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(base64.b64decode(one)) for one in prepared.frozen["chain"]]
