"""Examining the files of Chorus Pro. The State made a pivot: each of its flaws is advice. A *mixte* is ours, or a supplier's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.errors import UsageError
from core.identifiers import Siret
from core.problems import Problem, Report, Severity
from schemas.invoices.attached import piece_problems
from schemas.invoices.chorus import ORIGINAL, ChorusFile, NotChorus, contents
from schemas.invoices.facts import facts_of
from schemas.invoices.invoice import Invoice
from schemas.invoices.opening import DEFAULT_LIMIT, opened, strange_root, value_problems
from schemas.invoices.parties import SIRET, Party
from schemas.invoices.schema import compiled
from schemas.invoices.syntax import PIVOT, Root
from schemas.invoices.violations import problems_of
from schemas.invoices.wording import problem

RULE = "CPP"
_MIXTE = Path(__file__).with_name("CPPFactureMixte.xsd")
_TYPES = {"380", "381"}
_CREDIT = "381"


def examine_pivot(path: Path, *, limit: int = DEFAULT_LIMIT) -> tuple[ChorusFile | None, Report]:
    """Examine a pivot or a *mixte*: all problems at once. The pieces are looked at and not kept: ``chorus.read`` keeps them.

    Args:
        path: the file.
        limit: octets that it may have.

    Returns:
        The file, None when it could not be read or is something else, and the report, of kind ``cpp-pivot``.
    """
    report = Report(kind=PIVOT)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        source, report.problems = opened(path, Path(folder), limit)
        if source is None:
            return None, report
        try:
            file = contents(source)
        except NotChorus:
            report.problems.append(strange_root(source, "CPPFacturePivot, CPPFactureMixte"))
            return None, report
    report.facts = _facts(file) | {"size": path.stat().st_size}
    severity = Severity.WARNING if file.root is Root.PIVOT else Severity.ERROR
    if file.root is Root.MIXTE:
        report.problems += problems_of(compiled(_MIXTE).violations(source.tree), severity)
    report.problems += [*value_problems(file.flaws, report.problems), *_of_file(file)]
    for invoice, unit in zip(file.invoices, file.units, strict=True):
        place = f"NumOrdre {unit.rank}" if unit.rank else None
        if file.root is Root.PIVOT:
            report.problems += _of_invoice(invoice, place)
        report.problems += [*_of_pieces(invoice, place), *piece_problems(invoice.attachments, source.pieces, severity)]
    return file, report


def _of_file(file: ChorusFile) -> Iterator[Problem]:
    """At least one invoice, and as many as it says."""
    if not file.invoices:
        yield problem(RULE, "none", path="/*/CPPFactures")
    elif file.declared is not None and file.declared != len(file.invoices):
        found, expected = str(len(file.invoices)), str(file.declared)
        yield problem(RULE, "count", Severity.WARNING, path="/*/CPPFactures/@Compteur", found=found, expected=expected)


def _of_invoice(invoice: Invoice, place: str | None) -> Iterator[Problem]:
    """What the finance software needs to find: number, type, day, parties, sums."""
    absent = {
        "Id": invoice.number,
        "DateEmissionFacture": invoice.issued,
        "Fournisseur/Identifiant": invoice.seller.identifiers,
        "Debiteur/Identifiant": invoice.buyer.siret,
        "MontantTTC": invoice.totals.gross,
    }
    for element in (name for name, value in absent.items() if value is None or value in ("", ())):
        yield problem(RULE, "absent", Severity.WARNING, path=place, element=element)
    if invoice.type_code not in _TYPES:
        yield problem(RULE, "type", Severity.WARNING, path=place, found=invoice.type_code or None, expected="380, 381")
    if invoice.type_code == _CREDIT and not invoice.preceding:
        yield problem(RULE, "origin", Severity.WARNING, path=place)
    for party in (invoice.seller, invoice.buyer):
        yield from _of_party(party, place)


def _of_party(party: Party, place: str | None) -> Iterator[Problem]:
    """A SIRET has fourteen digits and its key."""
    for identifier in party.identifiers:
        if identifier.scheme == SIRET:
            try:
                Siret(identifier.value)
            except UsageError:
                yield problem(RULE, "siret", Severity.WARNING, path=place, found=identifier.value, name=party.name)


def _of_pieces(invoice: Invoice, place: str | None) -> Iterator[Problem]:
    """The invoice itself is among its pieces, and no piece is a name without a document."""
    if not invoice.attachments:
        yield problem(RULE, "pieces", Severity.WARNING, path=place, scope="piece")
    elif all(attachment.role != ORIGINAL for attachment in invoice.attachments):
        yield problem(RULE, "original", Severity.WARNING, path=place, scope="piece")
    for attachment in invoice.attachments:
        if attachment.piece is None:
            yield problem(RULE, "content", Severity.WARNING, path=attachment.name or place, scope="piece", name=attachment.name)


def _facts(file: ChorusFile) -> dict[str, object]:
    return {
        "document": file.root.name.lower(),
        "flow": file.flow,
        "produced": file.produced.isoformat() if file.produced else None,
        "invoices": [facts_of(invoice, file.source.pieces) for invoice in file.invoices],
    }
