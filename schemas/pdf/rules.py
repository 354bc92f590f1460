"""Rule PDF: a document opens without a password, as a viewer would open it, and has a page; what it carries beside is said."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from core.problems import Problem, Severity
from schemas.pdf import preview
from schemas.pdf.pages import messages

RULE = "PDF"


def problems_of(path: Path, name: str, *, locked: bool = True) -> list[Problem]:
    """Return what is wrong with a PDF, looked at in the sandbox.

    Args:
        path: the file.
        name: what it is called, for whoever has to mend it.
        locked: whether one that is encrypted, though it opens without a password, is taken.

    Raises:
        Unavailable: too many wait for the sandbox.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        alone = Path(folder) / "document"
        shutil.copyfile(path, alone)
        try:
            found = preview.inspect(alone, 1, 1, text=False)
        except preview.NotShown as error:
            return [broken(name, str(error))]
    if found.kind != "pdf" or found.problem:
        return [broken(name, found.reason or messages("rule.other"))]
    if found.encrypted and not locked:
        return [broken(name, messages("rule.locked"))]
    return [
        Problem(RULE, Severity.WARNING, warning, path=name, mend=messages("rule.active"), scope="piece")
        for warning in found.warnings
    ]


def broken(name: str, reason: str) -> Problem:
    """Return the problem of a PDF that cannot be taken."""
    return Problem(
        RULE,
        Severity.ERROR,
        reason,
        path=name,
        expected=messages("rule.expected"),
        mend=messages("rule.mend"),
        scope="piece",
    )
