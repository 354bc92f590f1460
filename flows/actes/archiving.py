"""Archiving an act, once its control is over or its transmission cancelled: its package, under lock once, and the record.

What is in the package is what the journal tells up to the entry that led here: a letter that comes later changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlmodel import select

from archive.kinds.act import ActFile, ActRecord, ActRole, Exchange, act_package
from archive.retention.defaults import access_to_act
from archive.retention.referential import rules_for
from archive.sealing import Sealing
from core import clock
from core.errors import NeedsOperator
from core.journal import JournalEntry
from core.messages import Catalogue
from core.principal import PLATFORM
from flows.actes import composing
from flows.actes.act import Act
from flows.actes.envelopes import archive_role, message_role
from flows.actes.knowledge import classification_of, labels_of
from flows.actes.models import ActesMessage
from flows.actes.transmitted import readable
from flows.engine.work import Advance, KeptFile, Work
from flows.sealing import entries_up_to, events_of, journal_extract, producer_of, under_lock
from schemas.actes.codes import MessageCode
from schemas.actes.names import IdActe

_messages = Catalogue("flows.actes")
_WITHDRAWN = "actes.withdrawn"
_LED_HERE = frozenset({"actes.elapsed", _WITHDRAWN})
_RECEIVED, _LEFT = "actes.message_received", "actes.answer.more"


def seal(work: Work) -> Advance:
    """Build the package as the act stood when its control was over or its transmission cancelled, and put it under lock.

    Raises:
        NeedsOperator: the journal tells of a message or a file that the dossier has not.
    """
    entries = entries_up_to(work, _LED_HERE)
    act = Act.from_facts(work.facts)
    record = _record(work, act, entries)
    facts = Sealing(work.organisation_id, work.dossier_id, "actes", record.retention, record.access)
    return under_lock(work, facts, act_package(work.folder / "package.zip", record, list(_files(work, act, entries))))


def _files(work: Work, act: Act, entries: Sequence[JournalEntry]) -> Iterator[ActFile]:
    """Return the files in the order of the package."""
    yield from _as_sent(work, act)
    sent = Exchange(MessageCode.ACTE, clock.from_iso(work.facts["sent_at"]))
    yield _file(work, ActRole.ENVELOPE, work.file(archive_role(None)), sent)
    yield from _said(work, None)
    exchanged = list(_exchanged(work, entries))
    ar = work.file("ar").sha256
    for one in sorted(exchanged, key=lambda one: one.message.sha256 != ar):  # the proof first, the others in their order
        is_proof = one.message.sha256 == ar
        yield _file(work, ActRole.ACKNOWLEDGEMENT if is_proof else ActRole.MESSAGE, one.message, one.exchange)
        yield from one.below
    journal = journal_extract(work, entries)
    yield ActFile(ActRole.JOURNAL, journal, "application/x-ndjson", "journal.jsonl")


def _as_sent(work: Work, act: Act) -> Iterator[ActFile]:
    """Return the documents under the names that they travelled under, each followed by the signature over it."""
    used = date.fromisoformat(work.facts["classification_date"])
    composed = composing.act_message(work, act, IdActe.parse(work.facts["id_acte"]), used)
    for rank, (piece, travelled) in enumerate(zip(act.pieces, composed.files.items(), strict=True)):
        kept = work.file(composing.leaving_role(work, piece.role))
        yield _renamed(ActRole.ANNEX if rank else ActRole.DOCUMENT, kept, *travelled)
        if piece.signature_role is not None:
            yield _file(work, ActRole.SIGNATURE, work.file(piece.signature_role))


@dataclass(frozen=True, slots=True)
class _Exchanged:
    """A message as it left or came: the file of it (of what we sent, the archive it left in), and what stands below it."""

    exchange: Exchange
    message: KeptFile
    below: tuple[ActFile, ...]


def _exchanged(work: Work, entries: Sequence[JournalEntry]) -> Iterator[_Exchanged]:
    """Return what followed the act, in the order of the journal, and what it does not tell left out."""
    with work.platform.database.reading(PLATFORM) as session:
        rows = session.exec(select(ActesMessage).where(ActesMessage.dossier_id == work.dossier_id)).all()
    came = {(row.code, row.sha256): row for row in rows if not row.outgoing}
    outgoing = {archive_role(row.id): row for row in rows if row.outgoing}
    left = {kept.sha256: (kept, outgoing[kept.role]) for kept in work.files if kept.role in outgoing}
    for entry in entries:
        digest = entry.facts.get("sha256")
        if entry.kind == _RECEIVED:
            yield _received(work, entry, came.get((entry.facts["code"], digest)))
        elif entry.kind == _LEFT and digest is not None:  # without a digest it was packed, no more
            yield _sent(work, entry, left.get(digest))


def _received(work: Work, entry: JournalEntry, row: ActesMessage | None) -> _Exchanged:
    files = [kept for kept in work.files if row is not None and kept.role == f"{row.code}.{row.id}"]
    message = next((kept for kept in files if kept.sha256 == entry.facts["sha256"]), None)
    if row is None or message is None:
        raise _lost(entry)
    exchange = Exchange(
        MessageCode(row.code),
        entry.at,
        row.day,
        row.letter_date if row.answers_id else None,
        tuple(readable(name) for name in row.facts.get("missing", ())),
        tuple(f"{readable(name)} ({readable(signature)})" for name, signature in row.facts.get("infected", ())),
    )
    attachments = tuple(_file(work, ActRole.ATTACHMENT, kept) for kept in files if kept is not message)
    return _Exchanged(exchange, message, attachments)


def _sent(work: Work, entry: JournalEntry, found: tuple[KeptFile, ActesMessage] | None) -> _Exchanged:
    if found is None:
        raise _lost(entry)
    archive, row = found
    composed = composing.following_message(work, row)
    pieces = row.facts.get("pieces", ())
    attachments = tuple(
        _renamed(ActRole.ATTACHMENT, work.file(role), *travelled)
        for (role, _), travelled in zip(pieces, composed.files.items(), strict=True)
    )
    below = (*_said(work, row.id), *attachments)
    return _Exchanged(Exchange(MessageCode(row.code), entry.at, letter=row.letter_date), archive, below)


def _said(work: Work, of: str | None) -> Iterator[ActFile]:
    """Yield the message that left in an archive; an act that was packed before messages were kept beside it has none."""
    role = message_role(of)
    if any(kept.role == role for kept in work.files):
        yield _file(work, ActRole.SAID, work.file(role))


def _lost(entry: JournalEntry) -> NeedsOperator:
    return NeedsOperator(_messages("archive.lost", digest=entry.facts["sha256"], day=f"{clock.in_paris(entry.at):%d/%m/%Y}"))


def _renamed(role: ActRole, kept: KeptFile, name: str, path: Path) -> ActFile:
    """Return a file under the name that it travelled under."""
    return ActFile(role, path, kept.media_type, name, readable(kept.name))


def _file(work: Work, role: ActRole, kept: KeptFile, exchange: Exchange | None = None) -> ActFile:
    path = work.folder / kept.sha256
    if not path.exists():
        work.platform.objects.fetch(kept.sha256, path)
    return ActFile(role, path, kept.media_type, readable(kept.name), exchange=exchange)


def _record(work: Work, act: Act, entries: Sequence[JournalEntry]) -> ActRecord:
    facts, last = work.facts, entries[-1]
    litigation = facts.get("litigation") or {}
    with work.platform.database.reading(PLATFORM) as session:
        agency, name = producer_of(session, work.organisation_id)
        content = access_to_act(act.nature, act.matieres)
        rules = rules_for(session, work.organisation_id, f"actes.{act.nature}", by_content=content)
    used = date.fromisoformat(facts["classification_date"])  # the newest one may be another at the next try
    nature, matiere = labels_of(act, classification_of(work.platform, work.organisation_id, used))
    return ActRecord(
        transfer=f"tabellion-{work.dossier_id}",
        dossier=work.dossier_id,
        at=last.at,
        archival_agency=agency,
        transferring_agency=agency,
        producer=agency,
        producer_name=name,
        number=act.number,
        subject=act.subject,
        nature=act.nature,
        nature_label=nature,
        matiere=".".join(map(str, act.matieres)),
        matiere_label=matiere,
        decided=act.decision_date,
        received=date.fromisoformat(facts["reception_date"]),
        id_acte=facts.get("id_acte_of_state") or facts["id_acte"],
        control_ended=None if last.kind == _WITHDRAWN else _day(facts, "control_ended"),
        cancelled=(_day(facts, "cancelled_on") or clock.in_paris(last.at).date()) if last.kind == _WITHDRAWN else None,
        litigation_ended=_day(litigation, "ended"),
        litigation_result=litigation.get("result", ""),
        events=events_of(entries),
        retention=rules.appraisal,
        access=rules.access,
    )


def _day(facts: dict[str, Any], name: str) -> date | None:
    return date.fromisoformat(facts[name]) if facts.get(name) else None
