"""What is wrong with a document, said so that a person can mend it, and the report that gathers it all."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


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
