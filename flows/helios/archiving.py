"""Archiving an acknowledged PES: its package, under lock once, and the record with the dossier's last state."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import partial

from sqlmodel import Session, col, select

from archive import sealing
from archive.package import Package, PackageFile
from archive.pes import PesRecord, PesRole, pes_package
from archive.sealing import Sealing
from core import clock
from core.blobs import SealedObject
from core.journal import JournalEntry
from core.organisations import Organisation
from core.principal import PLATFORM
from flows.engine.work import Advance, Work
from schemas.seda.model import Agency, Event

_ROLES = {"signed": PesRole.PES, "acquit": PesRole.ACQUIT, "report": PesRole.SIGNATURE_REPORT}
_ANSWERED = frozenset({"helios.accepted", "helios.partial"})
_DOMAINS = {"depense": "PES_DepenseAller", "recette": "PES_RecetteAller"}


def seal(work: Work) -> Advance:
    """Build the package, write down what will be locked, lock it, and give the record to the last transaction.

    A second try builds the same bytes and finds them locked; built otherwise by a newer version of this software, it takes up
    what the first try had written down and locked.
    """
    entries = _entries_up_to_the_answer(work)
    record = _record(work, entries)
    facts = Sealing(
        work.organisation_id,
        work.dossier_id,
        record.title,
        f"{record.retention.identifier} v{record.retention.version}",
        record.keep_until,
    )
    package = pes_package(work.folder / "package.zip", record, _files(work, entries))
    sealed = _lock(work, facts, package)
    return Advance(
        "sealed",
        journal={"package": sealed.sha256},
        apply=partial(_keep, facts, sealed, work.platform.settings.archive_lock_days),
    )


def _keep(facts: Sealing, sealed: SealedObject, lock_days: int, session: Session) -> None:
    sealing.record(session, facts, sealed, lock_days)


def _lock(work: Work, facts: Sealing, package: Package) -> SealedObject:
    noted = work.facts.get("package")
    intent = sealing.intent_of(facts, package)
    if noted and noted != intent and (sealed := sealing.put_before(work.platform, noted)):
        return sealed
    if noted != intent:
        work.note("intended", package=intent)
    return sealing.put_under_lock(work.platform, package, intent)


def _entries_up_to_the_answer(work: Work) -> list[JournalEntry]:
    """Return the dossier's journal up to the acquit that led here: what comes later must not change the package."""
    with work.platform.database.reading(PLATFORM) as session:
        entries = list(
            session.exec(
                select(JournalEntry).where(JournalEntry.dossier_id == work.dossier_id).order_by(col(JournalEntry.number))
            )
        )
    answered = next(rank for rank, entry in enumerate(entries) if entry.kind in _ANSWERED)
    return entries[: answered + 1]


def _files(work: Work, entries: Iterable[JournalEntry]) -> list[PackageFile]:
    files = []
    for role, archived in _ROLES.items():
        kept = work.file(role)
        files.append(PackageFile(archived, work.fetch(role), kept.media_type, kept.name))
    journal = work.folder / "journal.jsonl"
    journal.write_bytes(b"".join(entry.leaf() + b"\n" for entry in entries))
    return [*files, PackageFile(PesRole.JOURNAL, journal, "application/x-ndjson", "journal.jsonl")]


def _record(work: Work, entries: list[JournalEntry]) -> PesRecord:
    facts = work.facts
    answered = entries[-1].at
    with work.platform.database.reading(PLATFORM) as session:
        organisation = session.get_one(Organisation, work.organisation_id)
    agency = Agency(organisation.siret or organisation.siren or organisation.id, "SIRET" if organisation.siret else "SIREN")
    domains = [_DOMAINS[bordereau["domain"]] for bordereau in facts["bordereaux"]]
    return PesRecord(
        transfer=f"tabellion-{work.dossier_id}",
        dossier=work.dossier_id,
        at=answered,
        archival_agency=agency,
        transferring_agency=agency,
        producer=agency,
        producer_name=organisation.name,
        nom_fic=facts["nom_fic"],
        cod_col=facts["cod_col"],
        cod_bud=facts["cod_bud"],
        budget=facts["libelle_col_bud"],
        issued=_day(facts["dte_str"]) or answered.date(),
        acknowledged=_day(facts["acquit_date"]) or clock.in_paris(answered).date(),
        domains=tuple(domains) + (("PES_PJ",) if facts["attachments"] else ()),
        exercises=tuple(sorted({int(bordereau["exer"]) for bordereau in facts["bordereaux"]})),
        bordereaux=tuple(bordereau["id_bord"] for bordereau in facts["bordereaux"]),
        events=tuple(Event(entry.at, entry.kind, entry.id) for entry in entries),
    )


def _day(text: str | None) -> date | None:
    """Return a date of a PES; what the State wrote otherwise is no reason to lose the record."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
