"""Dockets and prints of folders, for every face that gives them out: made once a day for what a folder tells, then kept.

What a signature is worth changes with the days; everything else of a docket is in what the folder tells, its last event included.
Who may see a folder is decided by whoever asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter
from sqlmodel import Session

from core import clock
from core.derived import derived_files
from core.messages import current_locale
from core.platform import Platform
from core.principal import Principal
from signing.docket import forms
from signing.docket import page as words
from signing.docket.checking import check
from signing.docket.content import Docket, content_of
from signing.docket.printed import printed
from signing.parapheur.folders import documents_of
from signing.parapheur.models import FolderDocument
from signing.report.content import Page
from signing.trust import trust_store

_EDITION = 1
_PAGE = TypeAdapter(Page)


@dataclass(frozen=True, slots=True)
class Told:
    """A folder as its docket tells it, before its signatures were looked at."""

    docket: Docket
    documents: tuple[FolderDocument, ...]

    def key(self, form: str) -> str:
        """Return the name under which a form of it is kept today, in the current locale."""
        last = self.docket.events[-1].digest if self.docket.events else ""
        # A draft changes without an event: all that is told counts, and the last event's digest stands in it.
        whole = hashlib.sha256(f"{last}/{self.docket!r}".encode()).hexdigest()
        return f"{_EDITION}/docket/{whole}/{clock.in_paris(clock.now()):%Y%m%d}/{current_locale()}/{form}"


def told_of(platform: Platform, principal: Principal, folder_id: str, see: Callable[[Session], Any]) -> Told:
    """Return what the docket of a folder tells.

    Args:
        platform: where the folder is.
        principal: who asks.
        folder_id: the folder.
        see: raises when they may not see it.

    Raises:
        NotFound: no such folder for them; and what ``see`` raises.
    """
    with platform.database.reading(principal) as session:
        see(session)
        return Told(content_of(session, folder_id), tuple(documents_of(session, folder_id)))


def page_of(platform: Platform, told: Told) -> Page:
    """Return a docket in words.

    Raises:
        Unavailable, ObjectMissing: the store does not give a document.
    """
    key = told.key("page")
    made = derived_files(platform.settings).get_or_make(
        key, key, lambda: {key: _PAGE.dump_json(words.page_of(_checked(platform, told)))}
    )
    return _PAGE.validate_json(made)


def pdf_of(platform: Platform, told: Told) -> bytes:
    """Return a docket as a tagged PDF; takes seconds the first time, in a process of its own.

    Raises:
        SandboxError: it could not be composed.
        Unavailable, ObjectMissing: the store does not give a document, or too many wait for their turn.
    """
    key = told.key("pdf")
    return derived_files(platform.settings).get_or_make(key, key, lambda: {key: forms.pdf(_checked(platform, told))})


def print_of(platform: Platform, told: Told, annexes: Collection[str]) -> bytes:
    """Return the documents of a folder, the annexes that are chosen and its docket as one PDF.

    Raises:
        UsageError: a document does not open, or there is too much of it; the message says which.
        SandboxError: it took too much time or memory.
        Unavailable, ObjectMissing: see ``pdf_of``.
    """
    chosen = sorted({one.id for one in told.documents} & set(annexes))
    key = told.key("/".join(["print", *chosen]))
    return derived_files(platform.settings).get_or_make(
        key, key, lambda: {key: printed(platform.objects, _checked(platform, told), chosen)}
    )


def _checked(platform: Platform, told: Told) -> Docket:
    trust = trust_store(platform.settings.trust_dir)
    found = check(platform.objects, told.documents, trust, clock.now())
    return replace(told.docket, documents=tuple(replace(one, checked=found.get(one.id)) for one in told.docket.documents))
