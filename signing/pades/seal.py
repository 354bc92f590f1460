"""Signing a PDF with PAdES, in two legs: what its signatures say. How the document is written stands in ``writing``.

What was signed before stays to the octet, and each step is a new revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

from signing.legs import Prepared, Signatory
from signing.pades.stamp import Stamp
from signing.timestamp.client import TimestampClient
from signing.trust import NO_EVIDENCE, Evidence
from signing.verdicts import FileVerdict

SLOT = "signature"
Level = Literal["B", "T", "LT", "LTA"]


@dataclass(frozen=True, slots=True)
class Pades:
    """A PAdES baseline signature (ETSI EN 319 142-1, 6).

    Attributes:
        level: ``B``; ``T`` with a timestamp; ``LT`` with what its chain is verified by; ``LTA`` with a timestamp over all that.
        role: in what capacity, shown as the reason: "Maire".
        city: where it is signed.
        stamp: what is shown on the page; None shows nothing, but in a field of the document that is seen.
        field: name of the field: an empty one of the document, or a new one; None makes a new one with a name of ours.
        certify: the first signature of the document, after which only signatures and form fields may be added.
        evidence: for ``LT`` and ``LTA``: authorities, lists and answers for the chains of the signatory and of who stamps.
    """

    name: ClassVar[str] = "pades"

    level: Level = "B"
    role: str | None = None
    city: str | None = None
    stamp: Stamp | None = None
    field: str | None = None
    certify: bool = False
    evidence: Evidence = NO_EVIDENCE

    def prepare(self, source: Path, draft: Path, signatory: Signatory, moment: datetime) -> Prepared:
        """Write the draft, and freeze the attributes to sign over it.

        Raises:
            NotSignable: no PDF, broken, encrypted.
            AlreadySigned: the field is signed, or an earlier signature forbids this one.
            UsageError: the stamp is asked for where there is no page, the field cannot bear that name.
            KeyRefused: the certificate must not sign.
            Misconfigured: the evidence does not say, for a level that asks for it, whether the chain is revoked.
        """
        from signing.pades import writing  # heavy: pyHanko is loaded by who signs a PDF, not by who may

        return writing.prepare(self, source, draft, signatory, moment)

    @staticmethod
    def complete(
        prepared: Prepared,
        source: Path,
        draft: Path,
        values: Mapping[str, bytes],
        target: Path,
        timestamps: TimestampClient | None = None,
    ) -> FileVerdict:
        """Put the message into the draft, add what the level asks for, verify the document, and let it appear.

        Raises:
            WrongValue, SourceChanged, UnsoundSignature: see ``signing.legs``.
            Misconfigured: a level above B without an authority.
            Unavailable: no timestamping authority answers; nothing is left behind.
            NeedsOperator: a token larger than the room that was kept for it.
        """
        from signing.pades import writing

        return writing.complete(prepared, source, draft, values, target, timestamps)
