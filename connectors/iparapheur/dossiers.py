"""A dossier as it leaves for an external parapheur, stands there and comes back, in words that belong to no protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from core.errors import UsageError
from core.messages import Catalogue

_messages = Catalogue("connectors.iparapheur")

_LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9_àâäçéèêëîïôöùûüÿœæÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸŒÆ]")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


class State(StrEnum):
    """Where a dossier stands, in words that belong to no product."""

    PENDING = "pending"
    SIGNED = "signed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document on its way there or back.

    Attributes:
        path: where its octets are.
        name: of the file, as people see it.
        media: media type.
        signature: a detached signature of it.
    """

    path: Path
    name: str
    media: str
    signature: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A dossier to be signed.

    Attributes:
        id: ours, never used for another; letters, digits, ``_`` and ``-``, at most 64.
        title: as people over there will read it.
        document: what is to be signed first and foremost.
        more: other main documents, for a sub-type that takes several.
        annexes: documents to be read with it.
        visual: a PDF that shows a PES.
        metadata: by our names; those that the settings give no name over there stay here.
        public_note: everybody reads it.
        private_note: the first desk reads it.
        due: the day by which it should be done.
        email: of whoever submits.
    """

    id: str
    title: str
    document: Attachment
    more: tuple[Attachment, ...] = ()
    annexes: tuple[Attachment, ...] = ()
    visual: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    public_note: str | None = None
    private_note: str | None = None
    due: date | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a dossier over there.

    Attributes:
        moment: when.
        actor: who, as the parapheur names them; empty when it does not say.
        status: the parapheur's own word for it.
        note: what was said.
    """

    moment: datetime
    actor: str
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class Status:
    """Where a dossier stands, and what led there.

    Attributes:
        state: where.
        events: oldest first.
        reason: why it was rejected; empty otherwise.
    """

    state: State
    events: tuple[Event, ...]
    reason: str = ""

    @property
    def last_event(self) -> Event | None:
        """The latest thing that happened."""
        return self.events[-1] if self.events else None


@dataclass(frozen=True, slots=True)
class Returned:
    """A dossier as it came back.

    Attributes:
        documents: the main documents, signed within when their format has it so; each with its latest detached signature.
        annexes: those that were sent, then those that were added over there.
        bordereau: the PDF that tells what happened; None when the parapheur gives none.
        metadata: by the names over there.
    """

    documents: tuple[Attachment, ...]
    annexes: tuple[Attachment, ...]
    bordereau: Attachment | None
    metadata: Mapping[str, str]


def external_name(submission: Submission) -> str:
    """Return the identifier that a dossier has over there: ours and its title made safe, always the same for the same two.

    Letters with French accents, digits and ``_`` stay; anything else becomes ``_``, and the title is cut at 100 characters.

    Raises:
        UsageError: our identifier holds something else than letters, digits, ``_`` and ``-``.
    """
    if not _IDENTIFIER.fullmatch(submission.id):
        raise UsageError(_messages("submission.identifier", found=ascii(submission.id)[:80]))
    return f"{submission.id} {_UNSAFE.sub('_', submission.title)[:_LONGEST_NAME]}".strip()
