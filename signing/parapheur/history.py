"""The history of a folder: events, each bound to the one before by its digest, which the journal bears too.

The journal holds nothing personal: notes stay here, and what the journal says of them is a digest. An event that was changed no
longer has the digest that the journal, and through it the timestamped tree, bears.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from core import clock, journal
from core.canonical import canonical_bytes
from core.errors import UsageError
from core.messages import Catalogue
from signing.parapheur.desks import Hand
from signing.parapheur.models import Folder, FolderEvent

_messages = Catalogue("signing.parapheur")
LONGEST_NOTE = 512


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says when they act.

    Attributes:
        note: to everybody; printed.
        private_note: to the desks of the next step only; never printed.
        fields: metadata given, by key.
    """

    note: str = ""
    private_note: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse notes that cannot be kept.

        Raises:
            UsageError: longer than 512 characters, or with control characters.
        """
        for note in (self.note, self.private_note):
            if len(note) > LONGEST_NOTE or not re.sub(r"[\n\r\t\u00a0\u202f]", " ", note).isprintable():
                raise UsageError(_messages("note.long", most=LONGEST_NOTE))


SILENT = Said()


def tell(
    session: Session,
    folder: Folder,
    kind: str,
    hand: Hand | str,
    *,
    task_id: str | None = None,
    said: Said = SILENT,
    facts: Mapping[str, Any] | None = None,
) -> FolderEvent:
    """Write an event and its journal entry; the folder's row is locked by whoever calls.

    Args:
        session: open to write.
        folder: whose event it is.
        kind: what happened.
        hand: who acted and by which right; an actor's name when it was no desk.
        task_id: the task that it answers.
        said: with which words.
        facts: identifiers, digests, and metadata that change, with both values: they enter the journal as a digest only.
    """
    last = session.exec(
        select(FolderEvent).where(FolderEvent.folder_id == folder.id).order_by(col(FolderEvent.number).desc())
    ).first()
    at_desk = hand if isinstance(hand, Hand) else None
    event = FolderEvent(
        organisation_id=folder.organisation_id,
        folder_id=folder.id,
        number=last.number + 1 if last else 1,
        at=clock.now(),
        actor=hand.actor if isinstance(hand, Hand) else hand,
        desk_id=at_desk.desk_id if at_desk else None,
        behalf_id=at_desk.behalf_id if at_desk else None,
        kind=kind,
        task_id=task_id,
        note=said.note.strip(),
        private_note=said.private_note.strip(),
        facts=dict(facts or {}),
        previous=last.digest if last else "",
        digest="",
    )
    event.digest = digest_of(event)
    session.add(event)
    session.flush()
    journal.write(
        session,
        organisation_id=folder.organisation_id,
        dossier_id=folder.dossier_id,
        kind=f"folder.{kind}",
        actor=event.actor,
        facts={"folder": folder.id, "number": event.number, "task": task_id, "event": event.digest},
    )
    return event


def digest_of(event: FolderEvent) -> str:
    """Return the digest of an event: SHA-256 over its canonical JSON, that of the event before included."""
    told = {
        "folder": event.folder_id,
        "number": event.number,
        "at": clock.iso(event.at),
        "actor": event.actor,
        "desk": event.desk_id,
        "behalf": event.behalf_id,
        "kind": event.kind,
        "task": event.task_id,
        "note": event.note,
        "private": event.private_note,
        "facts": event.facts,
        "previous": event.previous,
    }
    return hashlib.sha256(canonical_bytes(told)).hexdigest()


def events_of(session: Session, folder_id: str) -> list[FolderEvent]:
    """Return the events of a folder, in order."""
    return list(session.exec(select(FolderEvent).where(FolderEvent.folder_id == folder_id).order_by(col(FolderEvent.number))))


def last_of(session: Session, folder_ids: Sequence[str], kind: str) -> dict[str, FolderEvent]:
    """Return the last event of a kind of each of these folders that has one."""
    wanted = select(FolderEvent).where(col(FolderEvent.folder_id).in_(folder_ids), FolderEvent.kind == kind)
    return {event.folder_id: event for event in session.exec(wanted.order_by(col(FolderEvent.number)))}


def broken_at(events: list[FolderEvent]) -> int | None:
    """Return the number of the first event whose chain does not hold; None when all do."""
    previous = ""
    for rank, event in enumerate(events, 1):
        if event.number != rank or event.previous != previous or event.digest != digest_of(event):
            return rank
        previous = event.digest
    return None
