"""What a recipient does once they have withdrawn: read, download, answer once, keep a receipt.

Each document that is given out is an event that names its digest. The answer is written once and never changed; what comes with
it is looked at before anything is kept: it must be a document, be named as one, and hold nothing that the antivirus knows.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from core import clock
from core.database import ScopedSession
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.antivirus import infection_of
from flows.engine import transitions
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from flows.mail import door, events, following, repeating, settling
from flows.mail.events import EventKind
from flows.mail.keeping import ANSWER
from flows.mail.models import MailAnswer, MailEvent, MailRecipient, Place, RecipientState
from flows.mail.opening import Opened, Visited, documents, held, listed
from flows.mail.sightings import Circumstances
from schemas.invoices.pieces import sniffed

_messages = Catalogue("flows.mail")
LONGEST_TEXT, MOST_FILES = 10_000, 10
LARGEST_FILE, LARGEST_FILES = 20 * 1024 * 1024, 60 * 1024 * 1024
"""Bytes of one file of an answer, and of all of them."""
_HEAD = 2048
_RECEIPT = 1
# Formats of office software are ZIP or OLE inside, programs may be so too, or plain text: whoever opens a file goes by its name.
_TAKEN = {
    "application/pdf": (".pdf",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/tiff": (".tif", ".tiff"),
    "application/zip": (".odt", ".ods", ".odp", ".odg", ".docx", ".xlsx", ".pptx", ".zip"),
    "application/x-ole-storage": (".doc", ".xls", ".ppt"),
    "application/rtf": (".rtf", ".doc"),
    "text/plain": (".txt", ".csv"),
}
"""Media types that are taken, as ``sniffed`` gives them, and how their files are named; nothing that a system would run."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a recipient reads.

    Attributes:
        files: documents, in their order; ``destroyed`` what was given of them, once they are there no more.
        to, copies: names of those whom everybody sees, without anybody's address where there is a name.
    """

    files: list[DossierFile]
    destroyed: list[dict[str, Any]]
    to: list[str]
    copies: list[str]


def read(platform: Platform, opened: Opened) -> Reading:
    """Return what a recipient reads; whoever got a blind copy is named to nobody."""
    with platform.database.reading(PLATFORM) as session:
        wanted = select(MailRecipient).where(MailRecipient.dossier_id == opened.dossier.id).order_by(col(MailRecipient.rank))
        everybody = session.exec(wanted).all()
        purged = opened.mail.purged is not None
        return Reading(
            files=[] if purged else documents(session, opened.dossier.id),
            destroyed=_withdrawal(session, opened.recipient).facts["documents"] if purged else [],
            to=[one.name or one.address for one in everybody if one.place == Place.TO],
            copies=[one.name or one.address for one in everybody if one.place == Place.CC],
        )


@dataclass(frozen=True, slots=True)
class Brought:
    """A file that comes with an answer: looked at, and not kept yet."""

    name: str
    media_type: str
    path: Path


def document(platform: Platform, opened: Opened, file_id: str) -> DossierFile:
    """Return a document that is asked for.

    Raises:
        NotFound: it is none of this send, or was destroyed.
    """
    with platform.database.reading(PLATFORM) as session:
        found = next((file for file in documents(session, opened.dossier.id) if file.id == file_id), None)
    if found is None or opened.mail.purged is not None:
        raise NotFound(_messages("answer.no_document"))
    return found


def downloaded(platform: Platform, visited: Visited, file: DossierFile, circumstances: Circumstances) -> None:
    """Write down that a document is given out: once a visit, however often it is asked for (``repeating``)."""
    opened = visited.opened
    about, which = {"file": file.id}, {"visit": visited.id, "file": file.id}
    facts = {**asdict(circumstances), "notice": opened.notice.id, **which, **listed([file])[0]}
    with platform.database.writing(PLATFORM) as session:
        recipient = session.exec(select(MailRecipient).where(MailRecipient.id == opened.recipient.id).with_for_update()).one()
        repeating.record(session, recipient, EventKind.DOWNLOADED, facts, about=about, like=which)


def require_awaited(opened: Opened) -> None:
    """Go on only if an answer would be taken now.

    Raises:
        Conflict: it was answered already, the sender awaits no answer, or no longer.
    """
    if opened.answer is not None:
        raise Conflict(_messages("answer.twice"))
    if not opened.takes_answers:
        raise Conflict(_messages("answer.closed"))


def look(platform: Platform, path: Path, name: str) -> Brought:
    """Look at a file that comes with an answer.

    Raises:
        UsageError: it is empty, is no document, is named as something else, or the antivirus found something in it.
        Unavailable, NeedsOperator: the antivirus says nothing.
    """
    if not path.stat().st_size:
        raise UsageError(_messages("answer.empty", name=name))
    with path.open("rb") as stream:
        kind = sniffed(stream.read(_HEAD))
    if kind not in _TAKEN:
        raise UsageError(_messages("answer.kind", name=name))
    if not name.casefold().endswith(_TAKEN[kind]):
        raise UsageError(_messages("answer.named", name=name, expected=", ".join(_TAKEN[kind])))
    if infection_of(platform, path) is not None:
        raise UsageError(_messages("answer.infected", name=name))
    return Brought(name, kind, path)


def answer(platform: Platform, opened: Opened, text: str, brought: tuple[Brought, ...], circumstances: Circumstances) -> None:
    """Take the answer of a recipient: once. Its files are kept once all else is in order.

    Raises:
        UsageError: there is nothing in it, or too much.
        Conflict: it was answered already, the sender awaits no answer, or no longer.
    """
    said = text.replace("\r\n", "\n").strip()
    if not said and not brought:
        raise UsageError(_messages("answer.nothing"))
    if len(said) > LONGEST_TEXT:
        raise UsageError(_messages("answer.long", most=LONGEST_TEXT))
    files = tuple(_kept(platform, one) for one in brought)
    with platform.database.writing(PLATFORM) as session:
        now = held(session, opened)
        require_awaited(now)
        recipient, moment = now.recipient, clock.now()
        told = [{"name": one.name, "media_type": one.media_type, "sha256": one.sha256, "size": one.size} for one in files]
        session.add(
            MailAnswer(
                recipient_id=recipient.id,
                organisation_id=recipient.organisation_id,
                dossier_id=recipient.dossier_id,
                text=said,
                files=told,
                at=moment,
            )
        )
        transitions.add_files(session, recipient.organisation_id, recipient.dossier_id, files)
        recipient.answered = moment
        settling.stand(session, recipient, RecipientState.ANSWERED)
        facts = {**asdict(circumstances), "text_sha256": hashlib.sha256(said.encode()).hexdigest(), "files": told}
        events.record(session, recipient, EventKind.ANSWERED, facts, actor=door.actor(recipient), at=moment)
        following.settle(session, recipient.dossier_id)


def _kept(platform: Platform, brought: Brought) -> KeptFile:
    blob = platform.objects.put_file(brought.path)
    return KeptFile(ANSWER, brought.name, brought.media_type, blob.sha256, blob.size)


def receipt(platform: Platform, opened: Opened) -> dict[str, Any]:
    """Return what proves to a recipient that they withdrew, and what: the very facts whose digest the journal holds."""
    recipient = opened.recipient
    with platform.database.reading(PLATFORM) as session:
        event = _withdrawal(session, recipient)
        return {
            "v": _RECEIPT,
            "send": opened.dossier.id,
            "sender": opened.mail.sender,
            "subject": opened.mail.subject,
            "recipient": {"id": recipient.id, "name": recipient.name, "address": recipient.address},
            "withdrawn": event.facts["at"],
            "event": {"id": event.id, "sha256": event.sha256, "facts": event.facts},
        }


def _withdrawal(session: ScopedSession, recipient: MailRecipient) -> MailEvent:
    wanted = select(MailEvent).where(MailEvent.recipient_id == recipient.id, MailEvent.kind == EventKind.WITHDRAWN.value)
    found = session.exec(wanted.order_by(col(MailEvent.id))).first()
    if found is None:
        raise NotFound(_messages("answer.no_receipt"))
    return found
