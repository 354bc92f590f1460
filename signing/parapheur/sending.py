"""What the desk that sends a folder does around its circuit: keep the words of its start, remind, send the like again."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Field, Session, col, select

from core import clock
from core.database import Owned
from core.errors import Conflict
from core.messages import Catalogue
from core.principal import Principal
from signing.parapheur.desks import Hand
from signing.parapheur.emitting import emitter_hand
from signing.parapheur.folders import Joined, documents_of, locked, own_draft
from signing.parapheur.history import LONGEST_NOTE, Said, events_of, tell
from signing.parapheur.models import DocumentKind, Folder, FolderDocument, FolderEvent, FolderState, TaskState
from signing.parapheur.notices import Category, notify
from signing.parapheur.progress import Standing, is_automatic, standing_of, tasks_of

_messages = Catalogue("signing.parapheur")
_BETWEEN_REMINDERS = timedelta(hours=24)


class Opening(Owned, table=True):
    """The words with which a draft is going to start; gone once it has started."""

    __tablename__ = "folder_opening"

    folder_id: str = Field(foreign_key="folder.id", primary_key=True, max_length=26)
    note: str = Field(default="", max_length=LONGEST_NOTE)
    private_note: str = Field(default="", max_length=LONGEST_NOTE)


def words_of(session: Session, folder_id: str) -> Said:
    """Return the words with which a draft is going to start."""
    kept = session.exec(select(Opening).where(Opening.folder_id == folder_id)).first()
    return Said(kept.note, kept.private_note) if kept else Said()


def keep_words(session: Session, folder_id: str, hand: Hand, said: Said) -> None:
    """Keep the words with which a draft is going to start.

    Raises:
        Conflict: it is no draft any more.
        Forbidden: it is not at this desk.
    """
    folder = own_draft(session, folder_id, hand)
    kept = session.exec(select(Opening).where(Opening.folder_id == folder_id)).first()
    kept = kept or Opening(organisation_id=folder.organisation_id, folder_id=folder_id)
    kept.note, kept.private_note = said.note.strip(), said.private_note.strip()
    session.add(kept)
    session.flush()


def forget_words(session: Session, folder_id: str) -> None:
    """Forget the words kept for a start: they have been said, or will not be."""
    for kept in session.exec(select(Opening).where(Opening.folder_id == folder_id)):
        session.delete(kept)
    session.flush()


def remind(session: Session, principal: Principal, folder_id: str) -> Standing:
    """Tell the desks that hold a folder once more that it waits for them.

    Raises:
        Forbidden: the desk that sent it is not theirs.
        Conflict: no desk holds it, or they were reminded less than a day ago.
    """
    folder = locked(session, folder_id)
    hand = emitter_hand(session, principal, folder.emitter_id)
    waiting = [one for one in tasks_of(session, folder.id) if one.state == TaskState.OPEN.value and not is_automatic(one)]
    if folder.state != FolderState.PENDING.value or not waiting:
        raise Conflict(_messages("remind.nobody"))
    since = clock.now() - _BETWEEN_REMINDERS
    lately = select(FolderEvent.id).where(
        FolderEvent.folder_id == folder.id, FolderEvent.kind == "reminded", col(FolderEvent.at) > since
    )
    if session.exec(lately).first() is not None:
        raise Conflict(_messages("remind.lately"))
    today = clock.in_paris(clock.now()).date()
    for desk_id in dict.fromkeys(task.desk_id for task in waiting):
        notify(session, folder, desk_id, Category.LATE if folder.due and folder.due < today else Category.TO_DO)
    tell(session, folder, "reminded", hand)
    return standing_of(session, folder)


def as_deposited(session: Session, principal: Principal, folder: Folder) -> list[Joined]:
    """Return the documents of a folder as its desk put them in, before anybody signed them; what the circuit added is left out.

    Raises:
        Forbidden: the desk that sent it is not theirs.
        Conflict: its documents were given up.
    """
    emitter_hand(session, principal, folder.emitter_id)
    found = [one for one in documents_of(session, folder.id) if one.added_at is None]
    if not found:
        raise Conflict(_messages("duplicate.empty"))
    names = {one.id: one.name for one in found}
    sizes = _first_sizes(events_of(session, folder.id))
    return [_joined(one, names, sizes) for one in found if one.kind != DocumentKind.PROOF.value]


def _first_sizes(events: list[FolderEvent]) -> dict[str, int]:
    """Return the sizes of documents before they were first signed, by document; signing is what changes them."""
    changed = [change for event in events for change in event.facts.get("documents", ()) if change.get("before")]
    return {change["id"]: change["size"] for change in reversed(changed)}


def _joined(document: FolderDocument, names: dict[str, str], sizes: dict[str, int]) -> Joined:
    untouched = document.sha256 == document.source_sha256
    return Joined(
        DocumentKind(document.kind),
        document.name,
        document.media_type,
        document.source_sha256,
        document.size if untouched else sizes[document.id],
        names.get(document.signature_of or ""),
    )
