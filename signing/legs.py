"""Signing in two legs, whatever the format and wherever the key is.

*Prepare* freezes all that is signed and gives the octets to sign; *complete* puts the values in, verifies what came out, and
only then lets it appear. Between the two only octets travel: to a key in memory, a token, a remote service, a signatory's desk.
What is prepared is bound to one document and one certificate, and is made of plain values: it can wait and survive a restart.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core import clock
from core.errors import Conflict, TabellionError, UnreadableInput, UsageError
from signing.keys import Signer
from signing.timestamp.client import TimestampClient
from signing.verdicts import FileVerdict


class AlreadySigned(Conflict):
    """Nothing is left to sign, or what is there forbids another signature."""


class SourceChanged(Conflict):
    """The document is no longer the one that was prepared."""


class NotSignable(UnreadableInput):
    """The document cannot carry a signature of this format."""


class WrongValue(UsageError):
    """A signature value is missing, or is not that of the announced certificate."""


class UnsoundSignature(TabellionError):
    """What was written does not pass our own strict verification."""


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who will sign.

    Attributes:
        certificate: of the key.
        chain: the authorities above it, nearest first, as far as they are known.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A signature that waits for its value.

    Attributes:
        identifier: names it within the document.
        octets: what is to be signed, with SHA-256: RSA PKCS#1 v1.5, or ECDSA as ``r`` and ``s`` side by side.
    """

    identifier: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document whose signatures wait for their values.

    Attributes:
        format: name of the format, as in ``signing.formats``.
        sha256: of the document.
        certificate: of the key that will sign.
        moment: the signing time that the signatures claim, cut to the second.
        slots: the signatures; none when there is nothing to sign.
        frozen: what the format needs to complete them: JSON values only.
    """

    format: str
    sha256: bytes
    certificate: x509.Certificate
    moment: datetime
    slots: tuple[Slot, ...]
    frozen: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return JSON values from which ``from_json`` makes the same again."""
        return {
            "format": self.format,
            "sha256": self.sha256.hex(),
            "certificate": base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode(),
            "moment": clock.iso(self.moment),
            "slots": [{"identifier": slot.identifier, "octets": base64.b64encode(slot.octets).decode()} for slot in self.slots],
            "frozen": dict(self.frozen),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what ``as_json`` was made from."""
        return cls(
            format=values["format"],
            sha256=bytes.fromhex(values["sha256"]),
            certificate=x509.load_der_x509_certificate(base64.b64decode(values["certificate"])),
            moment=clock.from_iso(values["moment"]),
            slots=tuple(Slot(slot["identifier"], base64.b64decode(slot["octets"])) for slot in values["slots"]),
            frozen=values["frozen"],
        )


class Format(Protocol):
    """One format of signature, with what its signatures will say."""

    name: ClassVar[str]

    def prepare(self, source: Path, draft: Path, signatory: Signatory, moment: datetime) -> Prepared:
        """Freeze what will be signed.

        Args:
            source: the document; its size is bounded by the caller.
            draft: where the format may write octets that it needs again to complete (a PDF with room for its signature); it is
                kept beside the source by whoever keeps the prepared values, and need not be written.
            signatory: who will sign.
            moment: the signing time.

        Raises:
            NotSignable, AlreadySigned: see the module.
            KeyRefused: the certificate must not sign.
        """

    @staticmethod
    def complete(
        prepared: Prepared,
        source: Path,
        draft: Path,
        values: Mapping[str, bytes],
        target: Path,
        timestamps: TimestampClient | None = None,
    ) -> FileVerdict:
        """Put the values in, verify the octets written, and let them appear at ``target``, whole or not at all.

        Args:
            prepared: by ``prepare``.
            source: the document that was prepared.
            draft: what ``prepare`` wrote there.
            values: raw signature values by identifier of the slot.
            target: where the signed document, or the detached signature, goes.
            timestamps: who stamps, for the levels that ask for it.

        Raises:
            WrongValue, SourceChanged, UnsoundSignature: see the module.
            Unavailable: no timestamping authority answers; nothing is written, and it can be completed later.
        """


def sign(
    how: Format,
    source: Path,
    target: Path,
    signer: Signer,
    *,
    moment: datetime | None = None,
    timestamps: TimestampClient | None = None,
) -> FileVerdict:
    """Sign a document with a key at hand: both legs, one after the other.

    Returns:
        What our strict verification says of what was written, trust aside; ``unsigned`` when there was nothing to sign.
    """
    draft = target.with_name(f".{target.name}.draft")
    when = clock.as_utc(moment or clock.now()).replace(microsecond=0)
    try:
        prepared = how.prepare(source, draft, Signatory(signer.certificate, signer.chain), when)
        values = {slot.identifier: signer.sign(slot.octets) for slot in prepared.slots}
        return how.complete(prepared, source, draft, values, target, timestamps)
    finally:
        draft.unlink(missing_ok=True)
