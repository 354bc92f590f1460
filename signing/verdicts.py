"""What can be believed of a signature, and of the file that carries it: the shape of ``verify --json``.

Four questions are answered apart (intact, covers, trust, time), then one verdict. How each format finds its answers is in its
own room; how answers become a verdict is the same for all, and here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from core import clock
from signing.trust import TrustState


class Belief(StrEnum):
    """The verdict on a signature or a file."""

    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"
    UNSIGNED = "unsigned"


_SKEW = timedelta(minutes=5)
_GRAVITY = (Belief.VALID, Belief.INDETERMINATE, Belief.INVALID)


@dataclass(frozen=True, slots=True)
class TimestampVerdict:
    """A timestamp that a signature carries.

    Attributes:
        time: when the authority says that the data existed; None when the token cannot be read.
        authority: the name in the authority's certificate.
        valid: the token is that of these data, and whole.
        trust: what the trust store says of the authority at that time.
        reason: what is wrong, in words.
        altered: it can be read, and is of other data or was changed: somebody moved or forged it.
    """

    time: datetime | None
    authority: str | None
    valid: bool
    trust: TrustState
    reason: str | None = None
    altered: bool = False

    @property
    def proves(self) -> bool:
        """Whether its time may be relied upon."""
        return self.valid and self.trust is TrustState.TRUSTED

    def as_json(self) -> dict[str, Any]:
        """Return the timestamp with the keys of ``verify --json``."""
        return {
            "time": None if self.time is None else clock.iso(self.time),
            "authority": self.authority,
            "valid": self.valid,
            "trust": _public(self.trust),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """The four answers about one signature, and the verdict on it.

    Attributes:
        format: ``XAdES``, ``PAdES``, ``CAdES`` …
        level: ``BES``, ``EPES``, ``T`` …; None when the signature could not be read so far.
        signer: name in the certificate; None when there is no readable certificate.
        signing_time: the time that the signer claims.
        intact: nothing that it covers has changed, and the value is that of the key.
        covers: what it covers: ``document``, ``bordereau <Id>``, ``nothing``.
        trust: what the trust store says of the signer at the time that counts.
        timestamps: those that it carries.
        verdict: what follows from the answers.
        reasons: in words, why the verdict is not better, and what else is worth knowing.
        qualification: what the certificate is worth beyond being trusted, in words (``Standing.qualification``).
    """

    format: str
    level: str | None
    signer: str | None
    signing_time: datetime | None
    intact: bool
    covers: str
    trust: TrustState
    timestamps: tuple[TimestampVerdict, ...]
    verdict: Belief
    reasons: tuple[str, ...] = ()
    qualification: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the signature with the keys of ``verify --json``."""
        return {
            "format": self.format,
            "level": self.level,
            "signer": self.signer,
            "signing_time": None if self.signing_time is None else clock.iso(self.signing_time),
            "intact": self.intact,
            "covers": self.covers,
            "trust": _public(self.trust),
            "timestamps": [timestamp.as_json() for timestamp in self.timestamps],
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "qualification": self.qualification,
        }


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """The verdict on a file and on every signature found in it.

    Attributes:
        verdict: the worst of its signatures and of what concerns the file as a whole.
        signatures: in the order of the file.
        reasons: what concerns the file as a whole (an element that should be signed and is not, an identifier twice).
    """

    verdict: Belief
    signatures: tuple[SignatureVerdict, ...] = ()
    reasons: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the line of ``verify --json``, the file's name aside."""
        return {
            "verdict": self.verdict.value,
            "signatures": [signature.as_json() for signature in self.signatures],
            "reasons": list(self.reasons),
        }


def proved_time(timestamps: Iterable[TimestampVerdict], at: datetime) -> datetime | None:
    """Return the earliest time that timestamps prove; one from after the moment of the verification proves nothing then."""
    return min((one.time for one in timestamps if one.proves and one.time and one.time <= at + _SKEW), default=None)


def alterations(timestamps: Iterable[TimestampVerdict]) -> tuple[str, ...]:
    """Return in words what shows that timestamps were moved or forged, which makes a signature that carries them invalid."""
    return tuple(one.reason or "" for one in timestamps if one.altered)


def worst(beliefs: Iterable[Belief]) -> Belief:
    """Return the gravest of verdicts; of none, valid."""
    return max(beliefs, key=_GRAVITY.index, default=Belief.VALID)


def _public(state: TrustState) -> str:
    """Return the word of the contract: a certificate that is not valid yet is plainly untrusted there."""
    return TrustState.UNTRUSTED.value if state is TrustState.NOT_YET_VALID else state.value
