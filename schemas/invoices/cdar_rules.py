"""Examining a life-cycle message: schema, rules of the reform (BR-FR-CDV), and two things that these let pass."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.problems import Problem, Report, Severity
from schemas.invoices.cdar import LifeCycle, read
from schemas.invoices.findings import Told
from schemas.invoices.life_cycle import STATUSES
from schemas.invoices.opening import DEFAULT_LIMIT, opened, strange_root, value_problems
from schemas.invoices.rules import applied, serialised
from schemas.invoices.schema import compiled
from schemas.invoices.source import Source
from schemas.invoices.stylesheets import life_cycle_rules, schema_of
from schemas.invoices.syntax import CDAR, Root, root_of
from schemas.invoices.violations import problems_of
from schemas.invoices.wording import problem
from schemas.schematron.checking import Findings

_NUMBER, _STATUS = "BR-FR-CDV-10", "BR-FR-CDV-CL-06"
_INVOICE = "/*/*/*[local-name()='ReferenceReferencedDocument']"


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
    own = [one for one in _own(message, fatal) if one.rule not in {each.rule for each in ruled if each.severity is fatal}]
    report.problems += [*told, *value_problems(flaws, told), *ruled, *own]
    return message, report


def _against_rules(source: Source, fatal: Severity, *, broken: bool) -> list[Problem]:
    found = applied(life_cycle_rules(), serialised(source.tree), Severity.WARNING if broken else fatal)
    return Told(source.tree).problems(found, fatal) if isinstance(found, Findings) else [found]


def _own(message: LifeCycle, severity: Severity) -> Iterator[Problem]:
    """The invoice has a number, its status a known code: the published rules let the one be empty, and only warn of the other."""
    for rank, status in enumerate(message.statuses, 1):
        place = f"{_INVOICE}[{rank}]"
        if not status.number:
            yield problem(_NUMBER, "own", severity, path=place)
        if status.code and status.code not in STATUSES:
            yield problem(_STATUS, "own", severity, path=place, found=status.code)


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
