"""Archiving an acknowledged PES: its package, under lock once, and the record with the dossier's last state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from archive.kinds.pes import PesRecord, PesRole, pes_package
from archive.numbers import Run, bounded, runs_of
from archive.package import PackageFile
from archive.retention.referential import rules_for
from archive.sealing import Sealing
from core import clock
from core.journal import JournalEntry
from core.principal import PLATFORM
from flows.engine.work import Advance, Work
from flows.sealing import entries_up_to, events_of, journal_extract, producer_of, under_lock
from schemas.pes.pieces import DEPENSE, RECETTE, year_of
from schemas.pes.reader import PesDocument

_ROLES = {"signed": PesRole.PES, "acquit": PesRole.ACQUIT, "report": PesRole.SIGNATURE_REPORT}
_ANSWERED = frozenset({"helios.accepted", "helios.partial"})
_DOMAINS = {"depense": "PES_DepenseAller", "recette": "PES_RecetteAller"}


def seal(work: Work) -> Advance:
    """Build the package up to the acquit that led here, and put it under lock."""
    entries = entries_up_to(work, _ANSWERED)
    record = _record(work, entries)
    facts = Sealing(work.organisation_id, work.dossier_id, "helios", record.retention, record.access)
    return under_lock(work, facts, pes_package(work.folder / "package.zip", record, _files(work, entries)))


def _files(work: Work, entries: Sequence[JournalEntry]) -> list[PackageFile]:
    files = []
    for role, archived in _ROLES.items():
        kept = work.file(role)
        files.append(PackageFile(archived, work.fetch(role), kept.media_type, kept.name))
    journal = journal_extract(work, entries)
    return [*files, PackageFile(PesRole.JOURNAL, journal, "application/x-ndjson", "journal.jsonl")]


def _record(work: Work, entries: list[JournalEntry]) -> PesRecord:
    facts = work.facts
    answered = entries[-1].at
    with work.platform.database.reading(PLATFORM) as session:
        agency, name = producer_of(session, work.organisation_id)
        rules = rules_for(session, work.organisation_id, "helios")
    domains = [_DOMAINS[bordereau["domain"]] for bordereau in facts["bordereaux"]]
    return PesRecord(
        transfer=f"tabellion-{work.dossier_id}",
        dossier=work.dossier_id,
        at=answered,
        archival_agency=agency,
        transferring_agency=agency,
        producer=agency,
        producer_name=name,
        nom_fic=facts["nom_fic"],
        cod_col=facts["cod_col"],
        cod_bud=facts["cod_bud"],
        budget=facts["libelle_col_bud"],
        issued=_day(facts["dte_str"]) or clock.in_paris(answered).date(),
        acknowledged=_day(facts["acquit_date"]) or clock.in_paris(answered).date(),
        domains=tuple(domains) + (("PES_PJ",) if facts["attachments"] else ()),
        exercises=tuple(sorted({year for one in facts["bordereaux"] if (year := year_of(one["exer"])) is not None})),
        bordereaux=tuple(bordereau["id_bord"] for bordereau in facts["bordereaux"]),
        mandats=_runs(facts, DEPENSE),
        titres=_runs(facts, RECETTE),
        events=events_of(entries),
        retention=rules.appraisal,
        access=rules.access,
    )


def numbers_of(document: PesDocument) -> dict[str, list[tuple[int, int]]]:
    """Return the numbers of the pièces of a flow by domain, as runs: what its record is found by, read while it is at hand."""
    found: dict[str, list[int]] = {DEPENSE: [], RECETTE: []}
    for bordereau in document.bordereaux:
        found[bordereau.domain] += bordereau.numbers
    return {domain: [(run.first, run.last) for run in bounded(runs_of(numbers))] for domain, numbers in found.items()}


def _runs(facts: Mapping[str, Any], domain: str) -> tuple[Run, ...]:
    """Return the runs of a domain; a flow that was checked by an earlier version of this software tells none."""
    return tuple(Run(first, last) for first, last in facts.get("piece_numbers", {}).get(domain, ()))


def _day(text: str | None) -> date | None:
    """Return a date of a PES; what the State wrote otherwise is no reason to lose the record."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
