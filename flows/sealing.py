"""What the archiving of every flow has in common: the journal up to a moment, who the producer is, a package under lock once.

What a package holds, and what is said of it, is the flow's own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlmodel import Session, col, select

from archive import sealing
from archive.describing import Description, describe
from archive.package import Package
from archive.places.places import Copy
from archive.sealing import Sealing
from core.errors import NeedsOperator
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile, Work
from schemas.seda.model import Agency, Event
from signing.parapheur import software

_messages = Catalogue("flows.engine")


def entries_up_to(work: Work, kinds: Collection[str]) -> list[JournalEntry]:
    """Return the dossier's journal up to the entry that led here: what comes later must not change the package.

    Args:
        work: the dossier.
        kinds: those of the entry; the first one in the journal counts.

    Raises:
        NeedsOperator: there is none.
    """
    with work.platform.database.reading(PLATFORM) as session:
        entries = list(
            session.exec(
                select(JournalEntry).where(JournalEntry.dossier_id == work.dossier_id).order_by(col(JournalEntry.number))
            )
        )
    led_here = next((rank for rank, entry in enumerate(entries) if entry.kind in kinds), None)
    if led_here is None:
        raise NeedsOperator(_messages("sealing.entry"))
    return entries[: led_here + 1]


def journal_extract(work: Work, entries: Sequence[JournalEntry]) -> Path:
    """Write the leaves of journal entries, a line each, into the folder of the work."""
    journal = work.folder / "journal.jsonl"
    journal.write_bytes(b"".join(entry.leaf() + b"\n" for entry in entries))
    return journal


def events_of(entries: Sequence[JournalEntry]) -> tuple[Event, ...]:
    """Return journal entries as the events of a transfer."""
    return tuple(Event(entry.at, entry.kind, entry.id) for entry in entries)


def producer_of(session: Session, organisation_id: str) -> tuple[Agency, str]:
    """Return an organisation as the agency of a transfer, and its name."""
    organisation = session.get_one(Organisation, organisation_id)
    identifier = organisation.siret or organisation.siren or organisation.id
    return Agency(identifier, "SIRET" if organisation.siret else "SIREN"), organisation.name


def under_lock(
    work: Work,
    facts: Sealing,
    package: Package,
    files: tuple[KeptFile, ...] = (),
    described: Callable[[Description], Description] | None = None,
) -> Advance:
    """Write down what will be locked, lock it, and give the record to the last transaction.

    A second try that builds the same bytes finds them locked; one that builds others, by a newer version of this software or with
    what was learned meanwhile, takes up what the first try had written down and locked.

    Args:
        work: the dossier.
        facts: what is said of the record.
        package: it; whoever built it.
        files: to be added to the dossier.
        described: says otherwise what the package says of itself, where one record has to stand for several rules.
    """
    copies = _locked(work, facts, package)
    description = _described(work, package, copies)
    return Advance(
        "sealed",
        files=files,
        journal={"package": copies[0].sealed.sha256},
        apply=partial(_keep, facts, described(description) if described else description, copies),
    )


def _described(work: Work, package: Package, copies: tuple[Copy, ...]) -> Description:
    """Return what the package under lock says: another one than was built now, when an earlier try had come so far."""
    if copies[0].sealed.sha256 == package.sha256:
        return describe(package.path)
    locked = work.folder / "locked.zip"
    work.platform.objects.fetch_sealed(copies[0].sealed, locked)
    return describe(locked)


def _keep(facts: Sealing, description: Description, copies: tuple[Copy, ...], session: Session) -> None:
    wanted = select(Dossier.confidential, software.withheld(col(Dossier.id)))
    confidential, withheld = session.exec(wanted.where(Dossier.id == facts.dossier_id)).one()
    sealing.record(session, replace(facts, confidential=confidential, withheld=withheld), description, copies)


def _locked(work: Work, facts: Sealing, package: Package) -> tuple[Copy, ...]:
    noted = work.facts.get("package")
    intent = sealing.intent_of(facts, package)
    if noted and noted != intent and (copies := sealing.put_before(work.platform, noted)):
        return copies
    if noted != intent:
        work.note("intended", package=intent)
    return sealing.put_under_lock(work.platform, package, intent, untried=noted is None)
