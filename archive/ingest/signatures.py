"""The signatures of a transfer's files, verified on the day it comes: certificates expire, and so does what can be said of them.

A detached signature is over the file whose name it continues: ``acte.pdf.p7s``, or ``acte.p7s`` beside ``acte.pdf``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from archive.ingest.wording import messages, problem
from core.errors import UnreadableInput, UsageError
from core.problems import Problem, Severity
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict
from signing.verification import Kind, recognise, verify

_OVER_DATA = frozenset({Kind.CMS, Kind.TIMESTAMP})


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of a file that bears signatures, or is one.

    Attributes:
        uri: its path in the package.
        data: that of the file which a detached signature is over.
        verdict: None when nothing could be said: ``reason`` says why.
    """

    uri: str
    data: str | None
    verdict: FileVerdict | None
    reason: str = ""

    @property
    def belief(self) -> Belief:
        """The verdict; one that cannot be given is indeterminate."""
        return self.verdict.verdict if self.verdict else Belief.INDETERMINATE

    @property
    def said(self) -> str | None:
        """Why the verdict is what it is, shortened; None when there is nothing to say."""
        reasons = [*(self.verdict.reasons if self.verdict else ()), self.reason]
        reasons += [reason for signature in (self.verdict.signatures if self.verdict else ()) for reason in signature.reasons]
        return " ".join(reason for reason in reasons if reason)[:200] or None

    def as_json(self) -> dict[str, Any]:
        """Return the line of the report: that of ``verify --json``, with the path of the file."""
        told = (
            self.verdict.as_json() if self.verdict else {"verdict": self.belief.value, "signatures": [], "reasons": [self.reason]}
        )
        return {"file": self.uri, "data": self.data, **told}


def data_of(uri: str, path: Path, others: Iterable[str]) -> str | None:
    """Return the path in the package of what a detached signature is over; None for any other file, or when nothing fits."""
    try:
        if recognise(path) not in _OVER_DATA:
            return None
    except UnreadableInput:
        return None
    beside = set(others) - {uri}
    whole = str(PurePosixPath(uri).with_suffix(""))
    return (
        whole
        if whole in beside
        else next((one for one in sorted(beside) if str(PurePosixPath(one).with_suffix("")) == whole), None)
    )


def verified(uri: str, path: Path, data: tuple[str, Path] | None, trust: TrustStore | None) -> Verified | None:
    """Verify the signatures of a file now; None when it bears none.

    Args:
        uri: its path in the package.
        path: where its bytes are.
        data: what it is over, when it is a detached signature.
        trust: who is believed.
    """
    try:
        verdict = verify(path, detached=data[1] if data else None, trust=trust)
    except UnreadableInput:  # a kind of file that bears no signatures
        return None
    except UsageError:
        return Verified(uri, None, None, messages("signature.no_data"))
    return None if verdict.verdict is Belief.UNSIGNED else Verified(uri, data[0] if data else None, verdict)


def problems_of(found: list[Verified], *, needed: bool, unverified: bool = False) -> list[Problem]:
    """Return what is wrong with the signatures of a transfer; warnings only, unless its agreement asks for valid ones.

    Codes 305, 310 and 311: document signature absent, not valid, not verified. ``unverified``: the last one is a warning at most.
    """
    severity = Severity.ERROR if needed else Severity.WARNING
    told = [problem("305", "signature.none", severity)] if needed and not found else []
    for one in found:
        if one.belief is Belief.INVALID:
            told.append(problem("310", "signature.invalid", severity, path=one.uri, found=one.said))
        elif one.belief is Belief.INDETERMINATE:
            grave = Severity.WARNING if unverified else severity
            told.append(problem("311", "signature.indeterminate", grave, path=one.uri, found=one.said))
    return told
