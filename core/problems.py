"""What is wrong with a document, said so that a person can mend it, and the report that gathers it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from core.messages import Catalogue


class Severity(StrEnum):
    """What a problem does to the verdict."""

    ERROR = "error"
    WARNING = "warning"


class Verdict(StrEnum):
    """What a deposit of the document would be answered."""

    ACCEPTED = "accepted"
    ACCEPTED_WITH_WARNINGS = "accepted-with-warnings"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule broken at one place.

    Attributes:
        rule: identifier used in the domain's documents (``R03``, ``S05``), or ``XSD``, ``XML``.
        severity: whether it refuses the document or only warns.
        message: what is wrong, in words, for the person who has to mend it.
        line: line of the document, from 1; None when the place is no line.
        path: XPath of the element, or the name of the part.
        found: what stands there, shortened to 200 characters.
        expected: what should stand there.
        mend: what to do about it.
        scope: how much of the document falls with it: ``flow``, ``bordereau``, ``piece``, ``pj``.
    """

    rule: str
    severity: Severity
    message: str
    line: int | None = None
    path: str | None = None
    found: str | None = None
    expected: str | None = None
    mend: str | None = None
    scope: str = "flow"

    def __post_init__(self) -> None:
        """Keep what is quoted from a document short, whatever the document holds."""
        if self.found is not None and len(self.found) > _QUOTED:
            object.__setattr__(self, "found", self.found[: _QUOTED - 1] + "…")

    def as_warning(self) -> Problem:
        """Return the same problem, warning only."""
        return replace(self, severity=Severity.WARNING)

    def as_json(self) -> dict[str, Any]:
        """Return the problem with the keys of ``check --json`` and of problem details."""
        return asdict(self)


_QUOTED = 200


def problem_in_words(
    words: Catalogue,
    rule: str,
    variant: str = "",
    severity: Severity = Severity.ERROR,
    *,
    line: int | None = None,
    path: str | None = None,
    found: str | None = None,
    expected: str | None = None,
    scope: str = "flow",
    shared: str = "",
    places: Mapping[str, object] | None = None,
) -> Problem:
    """Return a problem in the words of a room, in the current language.

    What is wrong, what was expected and how to mend it are said in the words of the rule's variant (``R16.act.mend``), else of
    that variant for any rule (``shared``), else of the rule (``R16.mend``). The last two may be missing.

    Args:
        words: of the room.
        rule: ``R16``.
        variant: which of the rule's messages; the plain one by default.
        severity: what it does to the verdict.
        line: from 1.
        path: XPath of the element, or the name of the part.
        found: what stands there.
        expected: what should, when the words of the room do not say it.
        scope: how much of the document falls with it.
        shared: what the keys of words begin with that rules have in common; none by default.
        places: what the words name, beside ``found`` and ``expected``.

    Raises:
        KeyError: nothing says what is wrong: a fault of ours.
    """
    filled = {"found": found or "", "expected": expected or ""} | dict(places or {})
    keys = [f"{rule}.{variant}", *([f"{shared}.{variant}"] if shared else []), rule] if variant else [rule]

    def said(kind: str) -> str | None:
        return next((words(f"{key}.{kind}", **filled) for key in keys if f"{key}.{kind}" in words), None)

    return Problem(
        rule=rule,
        severity=severity,
        message=said("message") or words(f"{rule}.message", **filled),
        line=line,
        path=path,
        found=found,
        expected=expected if expected is not None else said("expected"),
        mend=said("mend"),
        scope=scope,
    )


def mebibytes(size: int) -> str:
    """Return a size for people, in mebibytes, to one decimal."""
    return f"{size / (1 << 20):.1f} Mio"


@dataclass(slots=True)
class Report:
    """Everything found in one document, and the facts read on the way.

    Attributes:
        kind: what the document is (``pes-aller``, ``pes-acquit`` …).
        problems: in the order of the document where a line is known.
        facts: identifiers, dates, counts and sums that were read; JSON values only.
    """

    kind: str
    problems: list[Problem] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Rejected when one problem is an error, accepted when there is none."""
        if any(problem.severity is Severity.ERROR for problem in self.problems):
            return Verdict.REJECTED
        return Verdict.ACCEPTED_WITH_WARNINGS if self.problems else Verdict.ACCEPTED

    @property
    def errors(self) -> list[Problem]:
        """The problems that refuse the document."""
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    def as_json(self) -> dict[str, Any]:
        """Return the report with the keys of ``check --json``, the file's name aside."""
        return {
            "kind": self.kind,
            "verdict": self.verdict.value,
            "problems": [problem.as_json() for problem in self.problems],
            "facts": self.facts,
        }
