"""Checking a transfer: what the examination found decides whether it is refused, waits for an archivist, or is taken at once."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from sqlmodel import Session

from archive.ingest.wording import problem
from core import clock
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile, Work
from flows.transfers import report
from flows.transfers.examining import Examination, Handed, examine
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import CLASH, DRY_RUN, PACKAGE, REPORT, SIGNATURES, WARNINGS
from schemas.seda.codes import ACCEPTED, code_of

_JSON = "application/json"
_PLATFORM = "platform"


def check(work: Work) -> Advance:
    """Hold the package against everything, and keep what was found.

    Raises:
        Unavailable, NeedsOperator, Misconfigured: see ``examining.examine``.
    """
    kept = work.file(PACKAGE)
    handed = Handed(work.dossier_id, work.organisation_id, work.fetch(PACKAGE), kept.created or clock.now(), work.folder)
    examination = examine(work.platform, handed)
    if clash := work.facts.get(CLASH):
        examination.problems.append(problem("101", "manifest.taken", found=clash))
    outcome = _outcome(work, examination)
    problems = report.problems_of(examination)
    files = _files(work, examination)
    errors = [one for one in problems if one["severity"] == "error"]
    settled = {
        "agreement_id": examination.agreement.id if examination.agreement else None,
        **({"code": code_of(errors[0]["rule"]), "decided": clock.now(), "decided_by": _PLATFORM} if outcome == "refused" else {}),
        **({"code": ACCEPTED, "decided": clock.now(), "decided_by": _PLATFORM} if outcome == "accepted" else {}),
    }
    return Advance(
        outcome,
        facts={WARNINGS: problems if outcome == "tried" else [one for one in problems if one["severity"] != "error"]},
        files=files,
        journal=_told(examination, errors),
        apply=partial(_settle, work.dossier_id, settled, errors if outcome == "refused" else []),
    )


def _outcome(work: Work, examination: Examination) -> str:
    if work.facts.get(DRY_RUN):
        return "tried"
    if examination.refused:
        return "refused"
    automatic = examination.agreement is not None and examination.agreement.automatic
    return "accepted" if automatic and not examination.problems else "to_accept"


def _files(work: Work, examination: Examination) -> tuple[KeptFile, ...]:
    at = clock.now()
    target = work.folder / report.NAME
    report.write(examination, target, at)
    kept = [work.keep(REPORT, target, report.NAME, _JSON)]
    if examination.verified:
        signatures = work.folder / report.SIGNATURES_NAME
        report.write_signatures(examination, signatures, at)
        kept.append(work.keep(SIGNATURES, signatures, report.SIGNATURES_NAME, _JSON))
    return tuple(kept)


def _told(examination: Examination, errors: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the journal keeps: counts and codes."""
    beliefs = Counter(one.belief.value for one in examination.verified)
    return {
        "rules": sorted({one["rule"] for one in errors}),
        "checked": len(examination.found),
        "scanned": examination.scanned,
        **({"signatures": dict(sorted(beliefs.items()))} if beliefs else {}),
        **({"agreement": examination.agreement.id} if examination.agreement else {}),
    }


def _settle(dossier_id: str, settled: dict[str, Any], refused_for: list[dict[str, Any]], session: Session) -> None:
    """Write what was decided; what is refused frees its identifier, so that a mended package may follow."""
    transfer = session.get_one(ArchiveTransfer, dossier_id)
    for name, value in settled.items():
        setattr(transfer, name, value)
    if refused_for:
        transfer.identity = None
        dossier = session.get_one(Dossier, dossier_id)
        dossier.problems, dossier.reference = refused_for, None
    session.flush()
