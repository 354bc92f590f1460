"""Everything that a deposit would check of a file, without a platform: recognised by its octets, told by the rooms that know it.

A kind that the caller names is taken at its word: the rules then say what the file lacks to be one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from core import clock
from core.problems import Problem, Report, Severity
from schemas.actes.codes import ARCHIVE, ENVELOPE, MESSAGE, NAMESPACE, kind_of_root
from schemas.actes.contents import future_problems
from schemas.actes.documents import examine_envelope, examine_message
from schemas.budget.reader import ROOTS
from schemas.budget.rules import examine as examine_budget
from schemas.invoices.cdar_rules import examine_cdar
from schemas.invoices.chorus_rules import examine_pivot
from schemas.invoices.rules import examine_carried, examine_invoice
from schemas.invoices.syntax import CDAR, INVOICE, PIVOT
from schemas.invoices.syntax import kind_of_root as kind_of_invoice
from schemas.pdf.rules import RULE as PDF_RULE
from schemas.pdf.rules import problems_of as problems_of_pdf
from schemas.pes.rules import DEFAULT_LIMIT as LARGEST_PES
from schemas.pes.versions import SchemaSets
from schemas.xml import DoctypeRefused, root_of_file
from signing.actes.examination import examine as examine_archive
from signing.actes.pieces import signature_problems
from signing.pes.examination import examine as examine_pes
from signing.trust import TrustStore

BUDGET, PDF = "budget", "pdf"
PES = ("pes-aller", "pes-acquit", "pes-retour", "pes-acquit-retour")
KINDS = (*PES, MESSAGE, ENVELOPE, ARCHIVE, BUDGET, INVOICE, PIVOT, CDAR, PDF)
_HEAD = 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """What files are held against.

    Attributes:
        schemas: the installed schemas of the PES.
        trust: who is believed; None means that authorities are not judged.
        at: the moment of the check; now when None.
        limit: the largest file taken, bytes.
        installed: folder of official schemas; None when there is none.
    """

    schemas: SchemaSets
    trust: TrustStore | None
    at: datetime | None
    limit: int
    installed: Path | None = None

    @property
    def day(self) -> date:
        """The day of the check, in metropolitan France."""
        return clock.in_paris(self.at or clock.now()).date()


def examine(path: Path, rules: Rules, kind: str | None = None) -> Report:
    """Examine a file.

    Args:
        path: the file.
        rules: what it is held against.
        kind: one of ``KINDS``; recognised when None, and what is not is held against the rules of the PES.

    Raises:
        Unavailable: what reads a PDF, or applies the rules of invoices, does not answer.
    """
    known = kind or recognise(path)
    if kind is None and known == PDF and (report := examine_carried(path, limit=rules.limit, installed=rules.installed)):
        return report
    return _EXAMINED.get(known or "", _pes)(path, rules)


def recognise(path: Path) -> str | None:
    """Return the kind of a file by its first octets and its root element; None for PES and for what is not known."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if head.startswith(b"\x1f\x8b"):
        return ARCHIVE
    if b"%PDF-" in head:
        return PDF
    try:
        root = root_of_file(path)
    except DoctypeRefused:  # whoever examines it says so
        return None
    namespace, _, name = (root or "").rpartition("}")
    if namespace == f"{{{NAMESPACE}":
        return kind_of_root(name) or MESSAGE
    return BUDGET if (namespace.lstrip("{"), name) in ROOTS else kind_of_invoice(root or "")


def _pes(path: Path, rules: Rules) -> Report:
    limit = min(rules.limit, LARGEST_PES)
    return examine_pes(path, schemas=rules.schemas, trust=rules.trust, at=rules.at, limit=limit)[1]


def _message(path: Path, rules: Rules) -> Report:
    message, report = examine_message(path)
    report.problems += future_problems(message, rules.day)
    return report


def pdf_problems(path: Path, name: str, *, trust: TrustStore | None, at: datetime | None = None) -> list[Problem]:
    """Return what is wrong with a PDF and its signatures; that an authority is not known is a remark.

    Args:
        path: the file.
        name: what it is called, for whoever has to mend it.
        trust: who is believed; None means that authorities are not judged.
        at: the moment of the check; now when None.

    Raises:
        Unavailable: too many wait for the sandbox.
    """
    problems = problems_of_pdf(path, name)
    if not any(problem.severity is Severity.ERROR for problem in problems):
        unsound = signature_problems(path, name, trust=trust, at=at)
        problems += (replace(problem, rule=PDF_RULE) for problem in unsound)
    return problems


_EXAMINED: dict[str, Callable[[Path, Rules], Report]] = {
    MESSAGE: _message,
    ENVELOPE: lambda path, _: examine_envelope(path)[1],
    ARCHIVE: lambda path, rules: examine_archive(path, trust=rules.trust, today=rules.day, at=rules.at),
    BUDGET: lambda path, rules: examine_budget(path, limit=rules.limit)[1],
    INVOICE: lambda path, rules: examine_invoice(path, limit=rules.limit, installed=rules.installed)[1],
    PIVOT: lambda path, rules: examine_pivot(path, limit=rules.limit)[1],
    CDAR: lambda path, rules: examine_cdar(path, limit=rules.limit)[1],
    PDF: lambda path, rules: Report(kind=PDF, problems=pdf_problems(path, path.name, trust=rules.trust, at=rules.at)),
}
