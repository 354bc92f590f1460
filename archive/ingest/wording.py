"""The words of what an archive service finds in a transfer: a problem bears a reply code, and the sentences of its key."""

from __future__ import annotations

from core.messages import Catalogue
from core.problems import Problem, Severity

messages = Catalogue("archive.ingest")


def problem(
    code: str,
    key: str,
    severity: Severity = Severity.ERROR,
    *,
    line: int | None = None,
    path: str | None = None,
    found: str | None = None,
    expected: str | None = None,
    **places: object,
) -> Problem:
    """Return a problem.

    Args:
        code: of the list of replies that is published with SEDA 0.2: ``307``.
        key: of the sentences ``<key>.message`` and ``<key>.mend``.
        severity: what it does to the transfer.
        line: of the manifest, from 1.
        path: of the file in the package.
        found: what stands there.
        expected: what should.
        places: what the sentences name.
    """
    return Problem(
        rule=f"SEDA-{code}",
        severity=severity,
        message=messages(f"{key}.message", **places),
        line=line,
        path=path,
        found=found,
        expected=expected,
        mend=messages(f"{key}.mend", **places),
    )
