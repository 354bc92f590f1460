"""Examining an invoice, in the layers of EN 16931 and of the French reform: octets, packaging, schema, rules, French rules.

An invoice that we issue must satisfy them; one received from Chorus Pro is legally received, whatever they say, so that for it
all is advice but what makes the file dangerous or unreadable. Rules of the reform only warn, until it is in force for all, unless
they are asked to refuse.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lxml import etree

from core.problems import Problem, Report, Severity
from schemas.invoices import cii, ubl
from schemas.invoices.attached import RULE as PIECE
from schemas.invoices.attached import piece_problems
from schemas.invoices.facts import facts_of
from schemas.invoices.facturx import LARGEST_XML, Embedded, Pdf, hostile, invoices_in, look, octets_of, packaging_problems
from schemas.invoices.findings import RULES, Told, completing, whole, without_profile
from schemas.invoices.invoice import Invoice, Syntax
from schemas.invoices.opening import DEFAULT_LIMIT, opened, strange_root, value_problems
from schemas.invoices.schema import compiled
from schemas.invoices.source import Source, path_of
from schemas.invoices.stylesheets import (
    EXTENDED_CTC,
    completing_rules_of,
    french_rules_of,
    profile_of,
    rules_of,
    schema_of,
)
from schemas.invoices.syntax import INVOICE, Root, root_of
from schemas.invoices.violations import problems_of
from schemas.invoices.wording import PACKAGING, messages, problem
from schemas.schematron.checking import Findings, Schematron
from schemas.schematron.process import NotApplied, TooLong

_HEAD = 1024
_EN16931 = "urn:cen.eu:en16931:2017"
_IDENTIFIED = ("{*}ExchangedDocumentContext/{*}GuidelineSpecifiedDocumentContextParameter/{*}ID", "{*}CustomizationID")
_READERS = {Root.CII: cii.read, Root.UBL_INVOICE: ubl.read, Root.UBL_CREDIT_NOTE: ubl.read}


@dataclass(frozen=True, slots=True)
class _Asked:
    """How an invoice is examined: what a fatal finding does, how large it may be, where official rules were imported."""

    fatal: Severity
    limit: int
    installed: Path | None
    reform: Severity = Severity.WARNING


def examine_invoice(
    path: Path, *, issued: bool = True, reformed: bool = False, limit: int = DEFAULT_LIMIT, installed: Path | None = None
) -> tuple[Invoice | None, Report]:
    """Examine an invoice: CII, UBL, or a PDF that carries one (Factur-X); all problems at once.

    Args:
        path: the file.
        issued: whether we issue it; what was received is only advised on.
        reformed: whether rules of the reform refuse too, as for what leaves through the platform of the public sector.
        limit: octets that it may have.
        installed: folder of official schemas; None when there is none.

    Returns:
        The invoice, None when it could not be read or is none, and the report, of kind ``invoice``.

    Raises:
        Unavailable: the process that applies the rules, or the sandbox, does not answer.
        Misconfigured: the rules cannot be found or read.
    """
    asked = _Asked(
        Severity.ERROR if issued else Severity.WARNING, limit, installed, Severity.ERROR if reformed else Severity.WARNING
    )
    report = Report(kind=INVOICE)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as name:
        folder = Path(name)
        if is_pdf(path):
            carried = folder / "pdf"
            carried.mkdir()
            invoice = _carried(path, carried, asked, report)
        else:
            invoice = _examined(path, folder, asked, report)
    if not issued:
        report.problems = [_as_received(one) for one in report.problems]
    return invoice, report


def examine_carried(path: Path, *, limit: int = DEFAULT_LIMIT, installed: Path | None = None) -> Report | None:
    """Examine the invoice that a PDF carries, as one that we issue; None when it carries none, or cannot be looked into.

    Raises:
        Unavailable, Misconfigured: as ``examine_invoice``.
    """
    report = Report(kind=INVOICE)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as name:
        folder = Path(name)
        pdf = look(path, folder)
        if not invoices_in(pdf, folder):
            return None
        _looked_at(pdf, folder, _Asked(Severity.ERROR, limit, installed), report)
    return report


def _as_received(found: Problem) -> Problem:
    """Return a problem with what is left to do for whoever received the invoice: only its supplier can mend it."""
    left = found.severity is Severity.WARNING and found.rule != PIECE
    return replace(found, mend=messages("received.mend")) if left else found


def is_pdf(path: Path) -> bool:
    """Tell whether a file is a PDF, or calls itself one."""
    with path.open("rb") as stream:
        return b"%PDF-" in stream.read(_HEAD) or path.suffix.lower() == ".pdf"


def _carried(path: Path, folder: Path, asked: _Asked, report: Report) -> Invoice | None:
    pdf = look(path, folder)
    if pdf.problem is not None:
        report.problems.append(problem(PACKAGING, pdf.problem, path=path.name))
        return None
    return _looked_at(pdf, folder, asked, report)


def _looked_at(pdf: Pdf, folder: Path, asked: _Asked, report: Report) -> Invoice | None:
    report.facts["hostile"] = hostile(pdf, folder)
    report.problems += [problem(PACKAGING, mark) for mark in hostile(pdf, folder)]
    embedded = _embedded(pdf, folder, asked, report)
    xml = octets_of(embedded, folder) if embedded else None
    if embedded is None or xml is None:
        return None
    within = folder / "attached"
    within.mkdir()
    invoice = _examined(xml, within, asked, report)
    profile = profile_of(invoice.profile) if invoice else None
    report.problems += packaging_problems(pdf, embedded, profile, asked.fatal)
    if invoice is not None and invoice.syntax is not Syntax.CII:
        found = invoice.syntax.value.upper()
        report.problems.append(problem(PACKAGING, "syntax", asked.fatal, path=embedded.name, found=found, expected="CII"))
    report.facts["carried"] = {
        "xmp": pdf.xmp.model_dump() if pdf.xmp else None,
        "files": [{"name": file.name, "size": file.size, "relationship": file.relationship} for file in pdf.files],
    }
    return invoice


def _embedded(pdf: Pdf, folder: Path, asked: _Asked, report: Report) -> Embedded | None:
    """Return the file that is the invoice; what forbids it goes to the report."""
    found = invoices_in(pdf, folder)
    if not found:
        report.problems += [problem(PACKAGING, "repaired", asked.fatal)] if pdf.repaired else []
        report.problems.append(problem(PACKAGING, "no_invoice", asked.fatal))
        return None
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        report.problems.append(problem(PACKAGING, "several", asked.fatal, found=names))
    first = found[0]
    if first.flaw is not None or first.size > LARGEST_XML:
        report.problems.append(
            problem(PACKAGING, "flawed" if first.flaw in {"missing", "unreadable"} else "bomb", path=first.name)
        )
        return None
    return first


def _examined(path: Path, folder: Path, asked: _Asked, report: Report) -> Invoice | None:
    source, problems = opened(path, folder, asked.limit)
    report.problems += problems
    if source is None:
        return None
    root = root_of(source.tree.getroot().tag)
    reader = _READERS.get(root) if root is not None else None
    if root is None or reader is None:
        old = root is Root.ZUGFERD_1
        report.problems.append(problem("XSD", "zugferd_1", asked.fatal) if old else strange_root(source, "CII, UBL"))
        return None
    invoice, flaws = reader(source)
    report.facts |= {"size": path.stat().st_size} | facts_of(invoice, source.pieces)
    told = _against_schema(source, root, invoice, asked)
    report.problems += [
        *told,
        *value_problems(flaws, told),
        *_unknown_profile(source, invoice.profile),
        *piece_problems(invoice.attachments, source.pieces, asked.fatal),
        *_against_rules(source, root, invoice, asked, broken=bool(told)),
    ]
    return invoice


def _unknown_profile(source: Source, identifier: str) -> Iterator[Problem]:
    """Warn of a specification identifier (BT-24) that says nothing of EN 16931 and is no profile of Factur-X."""
    if not identifier or identifier.startswith(_EN16931) or identifier.endswith(EXTENDED_CTC) or profile_of(identifier):
        return
    root = source.tree.getroot()
    element = next((found for path in _IDENTIFIED for found in root.iterfind(path)), root)
    yield problem("PROFILE", "unknown", Severity.WARNING, line=element.sourceline, path=path_of(element), found=identifier)


def _against_schema(source: Source, root: Root, invoice: Invoice, asked: _Asked) -> list[Problem]:
    profile = profile_of(invoice.profile) if root is Root.CII else None
    return problems_of(compiled(schema_of(root, profile)).violations(source.tree), asked.fatal)


def _against_rules(source: Source, root: Root, invoice: Invoice, asked: _Asked, *, broken: bool) -> list[Problem]:
    document, told = serialised(source.tree), Told(source.tree, invoice)
    claims_none = profile_of(invoice.profile) is None and not invoice.profile.endswith(EXTENDED_CTC)
    keep = without_profile if root is Root.CII and claims_none else whole
    sets = [(rules, keep) for rules in rules_of(root, invoice.profile, asked.installed)]
    if (besides := completing_rules_of(root, invoice.profile, asked.installed)) is not None:
        sets.append((besides, completing))
    problems: list[Problem] = []
    for rules, kept in sets:
        found = applied(rules, document, Severity.WARNING if broken else asked.fatal)
        said = told.problems(kept(found), asked.fatal) if isinstance(found, Findings) else [found]
        known = {one.rule for one in problems}  # the profile's rules say what those of EN 16931 say again
        problems += [one for one in said if one.rule not in known]
    french = applied(french_rules_of(root), document, asked.reform)
    return [*problems, *(told.problems(french, asked.reform) if isinstance(french, Findings) else [french])]


def serialised(tree: etree._ElementTree) -> bytes:
    """Return a tree as rules take it: UTF-8 without declaration."""
    octets: bytes = etree.tostring(tree.getroot(), encoding="UTF-8", xml_declaration=False)
    return octets


def applied(rules: Schematron, document: bytes, severity: Severity) -> Findings | Problem:
    """Return what rules find in a document, or why they cannot be applied to it.

    Raises:
        Unavailable: the process that applies them does not answer.
    """
    try:
        return rules.findings(document)
    except NotApplied as error:
        return problem(RULES, "not_applied", severity, found=error.reason)
    except TooLong:
        return problem(RULES, "too_long", severity)
