"""Rule R27: a budget is well-formed, whole, gone through the State's tool, sealed, and unchanged since; and what it comes to.

Figures that do not balance, and codes that mean nothing, are warnings: accounting is judged by the préfecture and the chambre
régionale des comptes. That the budget is the sender's own, or fits its deliberation, needs what the platform knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from core.messages import Catalogue
from core.problems import Problem, Report, Severity, mebibytes, problem_in_words
from schemas.budget import labels, summary
from schemas.budget.canonical import Fingerprints
from schemas.budget.events import Excessive, Truncated
from schemas.budget.model import Budget, BudgetDocument, Flaw, Section
from schemas.budget.reader import read
from schemas.budget.seal import TOOLS, SealStatus
from schemas.xml import DoctypeRefused, Malformed

DEFAULT_LIMIT = 128 << 20
"""Largest file accepted unless the operator says otherwise, in octets."""

_BALANCE = "L.1612-4"
_FIGURES = "BUDGET"
_MOST_CHAPTERS = 500
_OTHER = {Section.FUNCTIONING: Section.INVESTMENT, Section.INVESTMENT: Section.FUNCTIONING}
messages = Catalogue("schemas.budget")
_problem = partial(problem_in_words, messages)


def examine(path: Path, *, limit: int = DEFAULT_LIMIT) -> tuple[BudgetDocument | None, Report]:
    """Examine one budget or compte financier unique: all rules of this room, all problems at once.

    Args:
        path: the file.
        limit: largest size accepted, in octets.

    Returns:
        The document, None when it could not be read or is no budget, and the report, of kind ``budget``.
    """
    report = Report(kind="budget")
    document = _open(path, limit, report)
    if document is None:
        return None, report
    report.facts = facts_of(document)
    report.problems += [*_whole(document), *sealed(document.seal)]
    for rank, budget in enumerate(document.budgets, 1):
        place = "//Budget" if len(document.budgets) == 1 else f"(//Budget)[{rank}]"
        report.problems += [*_codes(budget, place), *_flaws(budget, place), *_balance(budget, place)]
    report.problems.sort(key=lambda problem: problem.severity is Severity.WARNING)
    return document, report


def _open(path: Path, limit: int, report: Report) -> BudgetDocument | None:
    """Read the file unless its octets forbid it; what they say goes to the report."""
    size = path.stat().st_size
    if size == 0:
        report.problems.append(_problem("R27", "empty"))
        return None
    if size > limit:
        report.problems.append(_problem("R05", found=mebibytes(size), places={"limit": mebibytes(limit)}))
        return None
    try:
        document = read(path)
    except DoctypeRefused as error:
        report.problems.append(_problem("XML", "doctype", line=error.line, found="<!DOCTYPE"))
    except Excessive as error:
        report.problems.append(_problem("XML", error.what, line=error.line, places={"limit": error.limit}))
    except Malformed as error:
        variant = "cut" if isinstance(error, Truncated) else "malformed"
        report.problems.append(_problem("R27", variant, line=error.line, found=error.reason))
    else:
        if document.recognised:
            return document
        report.problems.append(_problem("R27", "root", line=1, path="/*", found=document.root))
    return None


def _whole(document: BudgetDocument) -> Iterator[Problem]:
    """A header and at least one budget, which has lines."""
    if document.header is None:
        yield _problem("R27", "header", path="//EnTeteDocBudgetaire")
    if not document.budgets:
        yield _problem("R27", "truncated", path="//Budget")
    elif not any(budget.lines for budget in document.budgets):
        yield _problem("R27", "lines", Severity.WARNING, path="//LigneBudget")  # the format allows it


def sealed(status: SealStatus) -> Iterator[Problem]:
    """Return what is wrong with a seal: a document goes through the State's tool, is sealed once, and unchanged since."""
    if not status.seals:
        missing = ", ".join(tool for tool in TOOLS if tool not in status.tools)
        yield _problem("R27", "unsealed") if status.rematerialised else _problem("R27", "rematerialised", found=missing)
        return
    place: dict[str, Any] = {"line": status.seals[0].line, "path": "//Scellement"}
    if status.seal is None:
        yield _problem("R27", "twice", found=str(len(status.seals)), **place)
        return
    if not status.seal.is_empty:
        yield _problem("R27", "stuffed", **place)
        return
    if status.form is None:
        variant = "damaged" if status.seal_damaged else "altered"
        fingerprints = {"written": _shown(status.seal.fingerprints), "computed": _shown(status.as_is)}
        yield _problem("R27", variant, found=fingerprints["written"], places=fingerprints, **place)
        return
    if not status.rematerialised:  # a right seal proves that a tool took the document: its missing version refuses nothing
        yield _problem("R27", "tools", Severity.WARNING, path="//VersionOutil")
    if status.seal.sealed_at is None:  # the only part of the document that no fingerprint protects
        yield _problem("R27", "date", Severity.WARNING, found=status.seal.date, **place)


def _codes(budget: Budget, place: str) -> Iterator[Problem]:
    """Codes that mean something."""
    if budget.decision is None or not labels.known("NatDec", budget.decision):
        yield _problem(_FIGURES, "decision", Severity.WARNING, path=f"{place}/BlocBudget/NatDec", found=budget.decision)
    if budget.year is None:
        yield _problem(_FIGURES, "year", Severity.WARNING, path=f"{place}/BlocBudget/Exer")


def _flaws(budget: Budget, place: str) -> Iterator[Problem]:
    """Lines whose section, sense and amounts can be read."""
    for flaw in budget.flaws:
        variant, places = _flaw_told(flaw)
        path = f"{place}/LigneBudget/{flaw.name}"
        yield _problem(_FIGURES, variant, Severity.WARNING, line=flaw.line, path=path, found=flaw.found, places=places)


def flaw_in_words(flaw: Flaw) -> str:
    """Return what could not be read of lines, as a sentence."""
    variant, places = _flaw_told(flaw)
    return messages(f"{_FIGURES}.{variant}.message", **places)


def _flaw_told(flaw: Flaw) -> tuple[str, dict[str, str]]:
    variant = flaw.name if flaw.name in ("Nature", "CodRD") else "amount"
    return variant, {"name": flaw.name, "count": str(flaw.count)}


def _balance(budget: Budget, place: str) -> Iterator[Problem]:
    """Sections voted in balance (CGCT L.1612-4), and order operations that answer each other."""
    for gap in summary.gaps(budget):
        rule, kind, places = _gap_told(gap, budget.nomenclature)
        yield _problem(rule, kind, Severity.WARNING, path=place, found=places["difference"], places=places)


def gap_in_words(gap: summary.Gap, nomenclature: str | None) -> str:
    """Return what does not balance, as a sentence."""
    rule, kind, places = _gap_told(gap, nomenclature)
    return messages(f"{rule}.{kind}.message", **places)


def _gap_told(gap: summary.Gap, nomenclature: str | None) -> tuple[str, str, dict[str, str]]:
    difference = gap.receipts - gap.expenses
    kind = ("surplus" if difference > 0 else "deficit") if gap.kind == "section" else gap.kind
    places = {
        "section": labels.section(gap.section, nomenclature),
        "other": labels.section(_OTHER[gap.section], nomenclature),
        "expenses": labels.euros(gap.expenses),
        "receipts": labels.euros(gap.receipts),
        "difference": labels.euros(abs(difference)),
    }
    return _BALANCE if gap.kind == "section" else _FIGURES, kind, places


def facts_of(document: BudgetDocument) -> dict[str, Any]:
    """Return what a document says, as JSON values; labels are in the current language."""
    header, status = document.header, document.seal
    return {
        "size": document.size,
        "document": document.root,
        "schema": document.schema,
        "editor": document.editor,
        "tools": status.tools,
        "seal": {
            "form": status.form,
            "date": status.seal.date if status.seal else None,
            "md5": status.seal.fingerprints.md5 if status.seal else None,
            "sha1": status.seal.fingerprints.sha1 if status.seal else None,
        },
        "signatures": document.signatures,
        "accounting_lines": document.accounting_lines,
        "header": None
        if header is None
        else {
            "issued": header.issued.isoformat() if header.issued else None,
            "office": header.office,
            "office_name": header.office_name,
            "siret": header.siret,
            "name": header.name,
            "kind": header.kind,
            "department": header.department,
        },
        "budgets": [_budget_facts(budget) for budget in document.budgets],
    }


def _budget_facts(budget: Budget) -> dict[str, Any]:
    return {
        "name": budget.name,
        "siret": budget.siret,
        "insee": budget.insee,
        "code": budget.code,
        "nomenclature": budget.nomenclature,
        "type": budget.type,
        "principal": budget.principal,
        "decision": budget.decision,
        "decision_label": labels.decision(budget.decision, budget.number),
        "number": budget.number,
        "year": budget.year,
        "project": budget.project,
        "decided": budget.decided.isoformat() if budget.decided else None,
        "enforceable": budget.enforceable.isoformat() if budget.enforceable else None,
        "vote": budget.vote,
        "lines": budget.lines,
        "computed_lines": budget.computed,
        "annexes": {annex.name: annex.entries for annex in budget.annexes},
        "sections": {each.section.name.lower(): each.as_json() for each in summary.sections(budget)},
        "gaps": [gap.as_json() for gap in summary.gaps(budget)],
        "chapters": [
            {
                "section": each.section.value,
                "sense": each.sense.value,
                "chapter": each.code,
                "accounts": each.accounts,
                "label": labels.chapter(each.code) if each.code else None,
            }
            | each.amounts.as_json()
            for each in summary.chapters(budget)[:_MOST_CHAPTERS]
        ],
        "summary": list(summary.words(budget)),
    }


def _shown(fingerprints: Fingerprints) -> str:
    return f"md5 {fingerprints.md5}, sha1 {fingerprints.sha1}"
