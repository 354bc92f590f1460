"""What a person has read of a folder: opened it, and which pages of its documents."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session

from core import clock
from signing.parapheur.folders import main_documents
from signing.parapheur.models import Folder, FolderReading

WHOLE = "whole"
_MOST_PAGES = 20_000


def opened(session: Session, folder: Folder, person_id: str) -> None:
    """Keep that a person has opened a folder where it stands."""
    reading = session.get(FolderReading, (folder.id, person_id))
    if reading is None:
        reading = FolderReading(organisation_id=folder.organisation_id, folder_id=folder.id, person_id=person_id)
    elif reading.last < folder.since:
        reading.last = clock.now()
    session.add(reading)
    session.flush()


def saw(session: Session, folder: Folder, person_id: str, document_id: str, pages: Iterable[int], total: int) -> None:
    """Keep that a person has seen pages of a document, as it stands now.

    Args:
        session: open to write.
        folder: its folder.
        person_id: who.
        document_id: a main document; another is left out.
        pages: numbers, from 1.
        total: of the document; 0 for one without pages, which is read as a whole.
    """
    document = next((one for one in main_documents(session, folder.id) if one.id == document_id), None)
    if document is None:
        return
    opened(session, folder, person_id)
    reading = session.get_one(FolderReading, (folder.id, person_id))
    before = reading.pages.get(document_id, {})
    seen = set(before.get("seen", ())) if before.get("source") == document.source_sha256 else set()
    seen |= {page for page in pages if 0 < page <= min(total, _MOST_PAGES)}
    kept = {"source": document.source_sha256, "seen": sorted(seen), WHOLE: len(seen) >= total}
    reading.pages = {**reading.pages, document_id: kept}
    session.add(reading)
    session.flush()


def has_opened(session: Session, folder: Folder, person_id: str) -> bool:
    """Tell whether a person has opened a folder since it came where it stands."""
    reading = session.get(FolderReading, (folder.id, person_id))
    return reading is not None and reading.last >= folder.since


def seen_pages(session: Session, folder: Folder, person_id: str) -> dict[str, set[int]]:
    """Return the pages that a person has seen of each document of a folder as it stands; a document read whole has page 0."""
    reading = session.get(FolderReading, (folder.id, person_id))
    kept = reading.pages if reading else {}
    return {
        document.id: {*found["seen"], *([0] if found.get(WHOLE) else [])}
        for document in main_documents(session, folder.id)
        if (found := kept.get(document.id, {})).get("source") == document.source_sha256
    }


def is_read(session: Session, folder: Folder, person_id: str) -> bool:
    """Tell whether a person has read every main document of a folder whole."""
    reading = session.get(FolderReading, (folder.id, person_id))
    if reading is None:
        return False
    return all(
        (kept := reading.pages.get(document.id, {})).get(WHOLE) and kept.get("source") == document.source_sha256
        for document in main_documents(session, folder.id)
    )
