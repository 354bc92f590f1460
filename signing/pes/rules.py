"""Rules S01 to S16 on the signatures of a PES, as problems that a person can mend.

Severities follow what a deposit answers: everything the DGFiP refuses is an error, except that a dematerialised flow without a
signature (S01) may still be signed here. Without any trust store the authority cannot be judged: S15 is then a warning that
says so.
Whether a signatory may sign for a collectivité (S17) is known to the platform only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from core import clock
from core.problems import Problem, Severity
from signing.pes.bulk import Bulk
from signing.pes.findings import Finding, messages
from signing.pes.inspected import Inspection
from signing.pes.inspection import inspect
from signing.pes.layout import HEADERS, Domain, own_signatures
from signing.trust import TrustStore

_WARNINGS = {
    "S06.legacy",
    "S07.certificate_digest",
    "S09.name",
    "S11.hash",
    "S11.namespace",
    "S15.nobody",
}


@dataclass(frozen=True, slots=True)
class SignatureRules:
    """What an operator or an organisation decides about the S rules.

    Attributes:
        unsigned_is_error: S01 refuses (a deposit that is not signed here, or a sending) instead of warning.
        other_families: ECDSA and RSA-PSS are taken: an operator has it from the DGFiP.
    """

    unsigned_is_error: bool = False
    other_families: bool = False


DEFAULT_RULES = SignatureRules()


def check_signatures(
    tree: etree._ElementTree,
    *,
    bulk: Bulk | None = None,
    trust: TrustStore | None,
    at: datetime | None = None,
    rules: SignatureRules = DEFAULT_RULES,
) -> list[Problem]:
    """Hold a PES against the rules on signatures.

    Args:
        tree: of the file, parsed by ``schemas.xml``; put back as it was.
        bulk: the file, when it is mostly text.
        trust: who is believed; None means that the authority is not judged.
        at: the moment of the check, now by default.
        rules: what is decided otherwise than by default.

    Returns:
        Problems in the order of the file.
    """
    return problems_of(inspect(tree, bulk=bulk, trust=trust, at=at or clock.now()), tree.getroot(), rules)


def problems_of(inspection: Inspection, root: etree._Element, rules: SignatureRules = DEFAULT_RULES) -> list[Problem]:
    """Return the problems that an inspection amounts to, in the order of the file."""
    findings = [*inspection.findings, *_flags(inspection, root)]
    for inspected in inspection.signatures:
        findings += inspected.findings
    problems = [
        _problem(finding, rules)
        for finding in findings
        if finding.rule is not None and not (finding.key == "S07.family" and rules.other_families)
    ]
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.rule))


def _flags(inspection: Inspection, root: etree._Element) -> list[Finding]:
    """Hold the flag InfoDematerialisee of each domain against its signatures (S01, S02)."""
    whole = bool(own_signatures(root))
    found = []
    for domain in inspection.domains:
        if domain.dematerialised and not (whole or domain.signed or inspection.signatures):
            found.append(_flag(domain, "S01.unsigned"))
        if not domain.dematerialised and (whole or domain.signed):
            found.append(_flag(domain, "S02.flag"))
    return found


def _flag(domain: Domain, key: str) -> Finding:
    header = domain.element.find("{*}" + HEADERS[domain.name])
    return Finding.at(domain.element if header is None else header, key, None, found=domain.name)


def _problem(finding: Finding, rules: SignatureRules) -> Problem:
    warns = finding.key in _WARNINGS or (finding.key == "S01.unsigned" and not rules.unsigned_is_error)
    rule = finding.rule or ""
    return Problem(
        rule=rule,
        severity=Severity.WARNING if warns else Severity.ERROR,
        message=finding.message,
        line=finding.line,
        path=finding.path,
        found=finding.found or None,
        expected=finding.expected or None,
        mend=messages(f"{rule}.mend"),
    )
