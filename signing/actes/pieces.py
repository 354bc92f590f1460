"""The files of an act, each by itself: rules R27 (seal of a budget), R28 (PDF that opens) and R29 (signatures)."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from core.errors import UsageError
from core.messages import Catalogue
from core.problems import Problem, Severity, problem_in_words
from schemas.budget.rules import examine as examine_budget
from schemas.pdf.rules import broken as broken_pdf
from schemas.pdf.rules import problems_of as pdf_problems
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict
from signing.verification import verify

_messages = Catalogue("signing.actes")
_problem = partial(problem_in_words, _messages)
_PDF = ".pdf"


def piece_problems(
    path: Path,
    name: str,
    *,
    budget: bool = False,
    signature: Path | None = None,
    trust: TrustStore | None,
    at: datetime | None = None,
    signer_must_be_known: bool = True,
) -> Iterator[Problem]:
    """Yield what is wrong with a file of an act.

    Args:
        path: the file.
        name: what it is called, for whoever has to mend it; its extension tells what it must be.
        budget: it is a budget in XML.
        signature: a detached signature over it (PKCS#7).
        trust: who is believed; None means that authorities are not judged.
        at: the moment of the check; now when None.
        signer_must_be_known: whether an authority that is not trusted counts; not for public contracts, which tenderers sign
            with any certificate (actes 9).
    """
    if budget:
        yield from (
            replace(problem, path=f"{name}:{problem.path or ''}".rstrip(":")) for problem in examine_budget(path)[1].problems
        )
    if name.casefold().endswith(_PDF):
        found = [replace(problem, rule="R28") for problem in pdf_problems(path, name, locked=False)]
        yield from found
        if not any(problem.severity is Severity.ERROR for problem in found):
            yield from signature_problems(path, name, trust=trust, at=at, signer_must_be_known=signer_must_be_known)
    if signature is not None:
        yield from signature_problems(signature, name, path, trust=trust, at=at, signer_must_be_known=signer_must_be_known)


def signature_problems(
    path: Path,
    name: str,
    over: Path | None = None,
    *,
    trust: TrustStore | None,
    at: datetime | None,
    signer_must_be_known: bool = True,
) -> Iterator[Problem]:
    """Yield what is wrong with the signatures of a PDF, or with one over another file: none is needed, none may be unsound.

    A PDF is one that opens; where it strays so far that no signature can be looked for, and shows none, it is a remark.
    """
    try:
        verdict = verify(path, detached=over, trust=trust, at=at)
    except UsageError as error:  # a document that viewers alone can mend, or no signature that can be read, over another file
        if over is not None:
            yield _r29(name, reason=str(error))
        elif _shows_a_signature(path):
            yield replace(broken_pdf(name, str(error)), rule="R28")
        else:
            yield _problem("R28", "unread", Severity.WARNING, path=name, places={"name": name}, scope="piece")
        return
    if verdict.verdict is Belief.INVALID:
        # That anybody may have signed excuses a certificate, not a document that was changed since.
        excused = not signer_must_be_known and verify(path, detached=over, trust=None, at=at).verdict is not Belief.INVALID
        yield _r29(name, Severity.WARNING if excused else Severity.ERROR, reason=_reasons(verdict))
    elif verdict.verdict is Belief.INDETERMINATE and trust is not None and signer_must_be_known:
        yield _r29(name, Severity.WARNING, reason=_reasons(verdict))
    elif verdict.verdict is Belief.UNSIGNED and over is not None:
        yield _r29(name, reason=_messages("R29.none"))


def _shows_a_signature(path: Path) -> bool:
    """Tell whether octets of a PDF are those of a signature, which cannot stand in a compressed stream (ISO 32000-2, 12.8.1)."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        return octets.find(b"/ByteRange") >= 0


def _reasons(verdict: FileVerdict) -> str:
    told = [*verdict.reasons, *(reason for one in verdict.signatures for reason in one.reasons)]
    return " ".join(dict.fromkeys(told)) or verdict.verdict.value


def _r29(name: str, severity: Severity = Severity.ERROR, *, reason: str) -> Problem:
    told = {"name": name, "reason": reason}
    return _problem("R29", "", severity, path=name, found=reason, places=told, scope="piece")
