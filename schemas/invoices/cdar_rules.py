"""Examining a life-cycle message: schema, rules of the reform (BR-FR-CDV), and what these ask for without looking for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from core.problems import Problem, Report, Severity
from schemas.invoices.cdar import NAMESPACES, LifeCycle, read
from schemas.invoices.findings import Told
from schemas.invoices.life_cycle import PLATFORM, PORTAL, STATUSES, TREATMENT
from schemas.invoices.opening import DEFAULT_LIMIT, opened, strange_root, value_problems
from schemas.invoices.rules import applied, serialised
from schemas.invoices.schema import compiled
from schemas.invoices.source import Source, path_of
from schemas.invoices.stylesheets import life_cycle_rules, schema_of
from schemas.invoices.syntax import CDAR, Root, root_of
from schemas.invoices.values import Values, stripped
from schemas.invoices.violations import problems_of
from schemas.invoices.wording import messages, problem
from schemas.schematron.checking import Findings

_STATUS = "BR-FR-CDV-CL-06"
_CODE = "ram:ProcessConditionCode"
_INVOICE = "rsm:AcknowledgementDocument/ram:ReferenceReferencedDocument"
_RECIPIENT = "rsm:ExchangedDocument/ram:RecipientTradeParty"
# What the rules call compulsory and look at only where it stands, or find though it is blank.
_COMPULSORY = {
    "BR-FR-CDV-01": "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
    "BR-FR-CDV-03": "rsm:ExchangedDocument/ram:ID",
    "BR-FR-CDV-04": "rsm:ExchangedDocument/ram:IssueDateTime/udt:DateTimeString",
}
_OF_TREATMENT = {"BR-FR-CDV-07": "rsm:ExchangedDocument/ram:IssuerTradeParty/ram:GlobalID"}
_OF_INVOICE = {"BR-FR-CDV-10": "ram:IssuerAssignedID", "BR-FR-CDV-12": _CODE}
_OF_ADMITTED = {
    "BR-FR-CDV-11": "ram:FormattedIssueDateTime/qdt:DateTimeString",
    "BR-FR-CDV-13": "ram:IssuerTradeParty/ram:GlobalID",
}
_OF_RECIPIENT = {"BR-FR-CDV-CL-04": "ram:RoleCode"}
_OF_PARTY = {"BR-FR-CDV-08": "ram:URIUniversalCommunication/ram:URIID"}
_INADMISSIBLE = "501"


def examine_cdar(path: Path, *, issued: bool = True, limit: int = DEFAULT_LIMIT) -> tuple[LifeCycle | None, Report]:
    """Examine a life-cycle message: all problems at once.

    Args:
        path: the file.
        issued: whether we issue it; what was received is only advised on.
        limit: octets that it may have.

    Returns:
        The message, None when it could not be read or is none, and the report, of kind ``cdar``.

    Raises:
        Unavailable: the process that applies the rules does not answer.
    """
    report = Report(kind=CDAR)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        source, report.problems = opened(path, Path(folder), limit)
    if source is None:
        return None, report
    if root_of(source.tree.getroot().tag) is not Root.CDAR:
        report.problems.append(strange_root(source, Root.CDAR.name))
        return None, report
    message, flaws = read(source)
    report.facts = _facts(message) | {"size": path.stat().st_size}
    fatal = Severity.ERROR if issued else Severity.WARNING
    told = problems_of(compiled(schema_of(Root.CDAR, None)).violations(source.tree), fatal)
    ruled = _against_rules(source, fatal, broken=bool(told))
    known = {one.rule for one in ruled if one.severity is fatal}
    own = [one for one in _own(source.tree.getroot(), message.phase, fatal) if one.rule not in known]
    report.problems += [*told, *value_problems(flaws, told), *ruled, *own]
    return message, report


def _against_rules(source: Source, fatal: Severity, *, broken: bool) -> list[Problem]:
    found = applied(life_cycle_rules(), serialised(source.tree), Severity.WARNING if broken else fatal)
    return Told(source.tree).problems(found, fatal) if isinstance(found, Findings) else [found]


def _own(root: etree._Element, phase: str, severity: Severity) -> Iterator[Problem]:
    """What is compulsory is there, and the status has a known code: the published rules only warn of one that is not."""
    values = Values(NAMESPACES)
    yield from _absent(root, _COMPULSORY | (_OF_TREATMENT if phase == TREATMENT else {}), severity)
    for recipient in values.every(root, _RECIPIENT):
        platform = values.text(recipient, "ram:RoleCode") in {PLATFORM, PORTAL}
        yield from _absent(recipient, _OF_RECIPIENT | ({} if platform else _OF_PARTY), severity)
    for invoice in values.every(root, _INVOICE):
        code = values.text(invoice, _CODE)
        yield from _absent(invoice, _OF_INVOICE | (_OF_ADMITTED if code != _INADMISSIBLE else {}), severity)
        if code and code not in STATUSES:
            yield problem(_STATUS, "own", severity, path=path_of(invoice), found=code)


def _absent(above: etree._Element, compulsory: dict[str, str], severity: Severity) -> Iterator[Problem]:
    """Tell which elements are not there, or are blank, by the rule that asks for each."""
    values = Values(NAMESPACES)
    for rule, path in compulsory.items():
        if not any(map(stripped, values.every(above, path))):
            element = "/".join(step.partition(":")[2] for step in path.split("/"))
            message = messages("BR-FR-CDV.absent.message", element=element)
            yield Problem(rule, severity, message, path=path_of(above), mend=messages("BR-FR-CDV.mend"))


def _facts(message: LifeCycle) -> dict[str, Any]:
    return {
        "guideline": message.guideline,
        "process": message.process,
        "id": message.id,
        "issued": message.issued.isoformat() if message.issued else None,
        "phase": message.phase,
        "statuses": [
            {
                "number": status.number,
                "issued": status.issued.isoformat() if status.issued else None,
                "code": status.code,
                "seller": status.seller.value if status.seller else None,
                "reasons": [reason.code for reason in status.reasons if reason.code],
            }
            for status in message.statuses
        ],
    }
