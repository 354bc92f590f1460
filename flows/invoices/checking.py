"""Looking at an invoice: against EN 16931 and the French rules, the pivot beside it, and into every PDF before people do.

All is advice: the invoice is legally received, whatever the rules say.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.messages import Catalogue
from core.problems import Problem, Severity
from flows.engine.work import KeptFile, Work
from flows.invoices import view
from flows.invoices.fetching import EXECUTABLE_FILE, ORIGINAL, PDF, PIECE, PIVOT, READABLE, VIRUS, XML
from schemas.invoices.chorus_rules import examine_pivot
from schemas.invoices.facturx import hostile, look
from schemas.invoices.invoice import Invoice
from schemas.invoices.rules import examine_invoice
from schemas.invoices.wording import messages as said

_messages = Catalogue("flows.invoices")
REPORT = "report"
MOST_WARNINGS = 50
"""Problems that are kept among the facts of a dossier; the report has them all."""

_SHUT = frozenset({VIRUS, EXECUTABLE_FILE})


@dataclass
class Checked:
    """What was found.

    Attributes:
        problems: warnings only, those of the invoice before those of the pivot.
        marks: why documents must not be opened without a thought, by their SHA-256.
        invoice: as it says itself, else as the pivot does; None when neither can be read.
        report: for the file.
    """

    problems: list[Problem] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    invoice: Invoice | None = None
    report: dict[str, Any] = field(default_factory=dict)


def look_at(work: Work) -> Checked:
    """Look at the newest files of an invoice.

    Raises:
        Unavailable: the process that applies the rules, or the sandbox, does not answer.
    """
    checked = Checked(marks=dict(work.facts.get("marks") or {}))
    pivot = _pivot(work, checked)
    original = work.file(ORIGINAL)
    if original.sha256 != work.file(PIVOT).sha256 and checked.marks.get(original.sha256) not in _SHUT:
        _original(work, checked, original)
    checked.invoice = checked.invoice or pivot
    for kept in _unseen(work, checked):
        _mark(checked, kept, _into(work, kept))
    checked.problems += _of_marks(work, checked)
    return checked


def files_of(work: Work, checked: Checked) -> Iterator[KeptFile]:
    """Keep the report, and the invoice as its page shows it."""
    report = work.folder / "report.json"
    told = checked.report | {"problems": [one.as_json() for one in checked.problems], "marks": checked.marks}
    report.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    yield work.keep(REPORT, report, "controle.json", "application/json")
    if checked.invoice is not None:
        shown = work.folder / view.NAME
        view.write(checked.invoice, shown)
        yield work.keep(view.ROLE, shown, view.NAME, view.MEDIA_TYPE)


def _pivot(work: Work, checked: Checked) -> Invoice | None:
    file, report = examine_pivot(work.fetch(PIVOT))
    checked.report["pivot"] = report.facts
    checked.problems += [one.as_warning() for one in report.problems]
    own = [one for one in file.invoices if one.chorus_id == str(work.facts["chorus_id"])] if file else []
    return own[0] if own else file.invoices[0] if file and file.invoices else None


def _original(work: Work, checked: Checked, original: KeptFile) -> None:
    """Hold the invoice itself against the rules; nothing is amiss with one that is for people alone."""
    if original.media_type not in {XML, PDF}:
        return
    invoice, report = examine_invoice(work.fetch(ORIGINAL), issued=False, installed=work.platform.settings.schemas_dir)
    checked.invoice, checked.report["original"] = invoice, report.facts
    plain = said("packaging.no_invoice.message")
    checked.problems[:0] = [one.as_warning() for one in report.problems if one.message != plain]
    for mark in report.facts.get("hostile") or ():
        _mark(checked, original, mark)


def _unseen(work: Work, checked: Checked) -> Iterator[KeptFile]:
    """Yield the PDFs that nothing has looked into: what people read when it is no invoice itself, and the pieces."""
    seen = {work.file(ORIGINAL).sha256} | checked.marks.keys()
    for kept in work.files:
        if kept.role in {READABLE, PIECE} and kept.media_type == PDF and kept.sha256 not in seen:
            seen.add(kept.sha256)
            yield kept


def _into(work: Work, kept: KeptFile) -> str | None:
    """Return the gravest of what a PDF would do by itself; ``None`` when it would do nothing."""
    with tempfile.TemporaryDirectory(dir=work.folder, prefix="look-") as name:
        path, folder = Path(name) / "document.pdf", Path(name) / "inside"
        folder.mkdir()
        work.platform.objects.fetch(kept.sha256, path)
        found = hostile(look(path, folder), folder)
    return found[0] if found else None


def _mark(checked: Checked, kept: KeptFile, mark: str | None) -> None:
    if mark is not None:
        checked.marks.setdefault(kept.sha256, mark)


def _of_marks(work: Work, checked: Checked) -> Iterator[Problem]:
    """Say of each marked document why, and of an invoice that nobody can read that there is nothing to read."""
    names = {one.sha256: one.name for one in work.files if one.role in {ORIGINAL, READABLE, PIECE}}
    for sha256, mark in checked.marks.items():
        if sha256 in names:
            yield Problem(
                "MARK",
                Severity.WARNING,
                _messages(f"mark.{mark}.message", name=names[sha256]),
                path=names[sha256],
                found=mark,
                mend=_messages("mark.mend"),
                scope="piece",
            )
    if not any(one.role == READABLE for one in work.files):
        yield Problem("MARK", Severity.WARNING, _messages("readable.missing"), scope="piece")
