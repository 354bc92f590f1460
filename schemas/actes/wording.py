"""How the rules of this room speak: a problem from its rule, its variant and what was found, in the current language."""

from __future__ import annotations

from core.messages import Catalogue
from core.problems import Problem, Severity, problem_in_words

messages = Catalogue("schemas.actes")


def problem(
    rule: str,
    variant: str = "",
    severity: Severity = Severity.ERROR,
    *,
    line: int | None = None,
    path: str | None = None,
    found: str | None = None,
    expected: str | None = None,
    **places: object,
) -> Problem:
    """Return a problem in the words of the catalogue.

    The words are those of the rule's variant (``R16.act.message``), of that variant for any document
    (``document.missing.message``), or of the rule (``R16.message``), whichever comes first.

    Args:
        rule: ``R16``.
        variant: which of the rule's messages; the plain one by default.
        severity: what it does to the verdict.
        line: from 1.
        path: XPath, or the name of a file of the archive.
        found: what stands there.
        expected: what should, when the catalogue's own words are not enough.
        **places: what the messages name.
    """
    return problem_in_words(
        messages,
        rule,
        variant,
        severity,
        line=line,
        path=path,
        found=found,
        expected=expected,
        shared="document",
        places=places,
    )


def warning(
    rule: str,
    variant: str = "",
    *,
    path: str | None = None,
    found: str | None = None,
    expected: str | None = None,
) -> Problem:
    """Return a problem that only warns."""
    return problem(rule, variant, Severity.WARNING, path=path, found=found, expected=expected)
