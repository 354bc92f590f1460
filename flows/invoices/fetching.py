"""Bringing the files of an invoice: the pivot as Chorus Pro gives it, what is in it, and a PDF for people when none is.

An invoice of Chorus Pro is legally received: nothing in it refuses it. What cannot be taken out stays in the pivot, what is
dangerous is kept and marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from connectors.antivirus.errors import NotScanned
from connectors.chorus.answers import Format
from connectors.chorus.client import Chorus
from connectors.chorus.errors import AnswerTooLarge, ChorusRefused
from flows import antivirus
from flows.engine.work import KeptFile, Work
from flows.invoices.columns import line
from flows.invoices.models import ReceivedInvoice
from schemas.invoices.chorus import ORIGINAL as ORIGINAL_PIECE
from schemas.invoices.chorus import NotChorus, read
from schemas.invoices.invoice import Attachment, Invoice
from schemas.invoices.pieces import EXECUTABLE, Piece, agree
from schemas.invoices.source import Excessive
from schemas.xml import DoctypeRefused, Malformed

PIVOT, ORIGINAL, READABLE, PIECE = "pivot", "original", "readable", "piece"
XML, PDF = "application/xml", "application/pdf"
# Marks of a document that must not be opened without a thought; those that only its content tells are set when it is looked at.
VIRUS, UNSCANNED, EXECUTABLE_FILE, OTHER_TYPE = "virus", "unscanned", "executable", "type"

_READABLE_PREFIX = "PJ00"  # how the name of the PDF begins that Chorus Pro adds to an invoice in XML
_LONGEST_NAME = 200


@dataclass
class Brought:
    """What was brought.

    Attributes:
        files: in the order pivot, original, readable, pieces.
        marks: why a document must not be opened without a thought, by its SHA-256.
        invoice: what the pivot says; None when it could not be read.
    """

    files: list[KeptFile] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    invoice: Invoice | None = None


def bring(work: Work, kept: ReceivedInvoice, chorus: Chorus) -> Brought:
    """Bring the files of an invoice into the object store.

    Raises:
        ChorusUnavailable, ChorusRefused and the others of ``connectors.chorus.errors``: there is no pivot, or only half of it.
        Unavailable: the antivirus, or the object store, does not answer.
    """
    path = work.folder / "pivot.xml"
    told = chorus.download(kept.chorus_id, Format.PIVOT, path)
    brought = Brought()
    name = f"pivot_{kept.chorus_id}.xml"
    brought.files.append(work.keep(PIVOT, path, name, told.media))
    brought.invoice, pieces = _read(work, path, kept)
    original = _original(pieces)
    if original is None:
        brought.files.append(work.keep(ORIGINAL, path, name, told.media))
    else:
        _keep(work, brought, ORIGINAL, original)
    _readable(work, brought, kept, chorus, original, pieces)
    for piece in pieces:
        if piece is not original:
            _keep(work, brought, PIECE, piece)
    return brought


@dataclass(frozen=True)
class _Taken:
    """A piece of the pivot that could be taken out."""

    attachment: Attachment
    piece: Piece
    path: Path

    @property
    def name(self) -> str:
        return clean_name(self.attachment.name) or f"piece-{self.attachment.reference or self.piece.line}"


def _read(work: Work, path: Path, kept: ReceivedInvoice) -> tuple[Invoice | None, list[_Taken]]:
    """Return what the pivot says of the invoice, and its pieces; nothing when it cannot be read: the check says why."""
    folder = work.folder / "pieces"
    folder.mkdir()
    try:
        file = read(path, folder)
    except (DoctypeRefused, Excessive, Malformed, NotChorus):
        return None, []
    own = [one for one in file.invoices if one.chorus_id == str(kept.chorus_id)] or list(file.invoices)[:1]
    if not own:
        return None, []
    return own[0], list(_taken(own[0], file.source.pieces))


def _taken(invoice: Invoice, pieces: list[Piece]) -> Iterator[_Taken]:
    for attachment in invoice.attachments:
        piece = None if attachment.piece is None else pieces[attachment.piece]
        if piece is not None and piece.path is not None:
            yield _Taken(attachment, piece, piece.path)


def _original(pieces: list[_Taken]) -> _Taken | None:
    return next((one for one in pieces if one.attachment.role == ORIGINAL_PIECE), None)


def _readable(
    work: Work, brought: Brought, kept: ReceivedInvoice, chorus: Chorus, original: _Taken | None, pieces: list[_Taken]
) -> None:
    """Keep what people read: the invoice when it is a PDF, else the PDF that came with it, else the one that Chorus Pro makes."""
    beside = (one for one in pieces if one.name.upper().startswith(_READABLE_PREFIX) and one.piece.media_type == PDF)
    found = original if original and original.piece.media_type == PDF else next(beside, None)
    if found is not None:
        _keep(work, brought, READABLE, found)
        return
    path = work.folder / "readable.pdf"
    try:
        told = chorus.download(kept.chorus_id, Format.PDF, path, supporting=False)
    except (ChorusRefused, AnswerTooLarge):
        return  # the original is there; that nobody can read it at a glance is told by the check
    if told.media == PDF:
        document = work.keep(READABLE, path, f"facture_{kept.chorus_id}.pdf", PDF)
        brought.files.append(document)
        _mark(brought, document, _scanned(work, path))


def _keep(work: Work, brought: Brought, role: str, taken: _Taken) -> None:
    known = next((one for one in brought.files if one.name == taken.name and one.size == taken.piece.size), None)
    document = work.keep(role, taken.path, taken.name, taken.piece.media_type)
    if known is not None and known.sha256 == document.sha256 and role == PIECE:
        return  # what people read is among the pieces already
    brought.files.append(document)
    if document.sha256 not in brought.marks:
        _mark(brought, document, _why_not(work, taken))


def _mark(brought: Brought, document: KeptFile, mark: str | None) -> None:
    if mark is not None:
        brought.marks[document.sha256] = mark


def _why_not(work: Work, taken: _Taken) -> str | None:
    """Return the mark of a piece: the gravest."""
    if (found := _scanned(work, taken.path)) is not None:
        return found
    if taken.piece.media_type in EXECUTABLE:
        return EXECUTABLE_FILE
    return None if agree(taken.attachment.declared, taken.piece.media_type) else OTHER_TYPE


def _scanned(work: Work, path: Path) -> str | None:
    try:
        return VIRUS if antivirus.infection_of(work.platform, path) else None
    except NotScanned:
        return UNSCANNED


def clean_name(name: str) -> str:
    """Return the name of a document as it was written, without folders, signs that are not seen, and beyond 200 characters."""
    shown = line(PurePosixPath(name.replace("\\", "/")).name, len(name)).lstrip(".")
    stem, dot, ending = shown.rpartition(".")
    room = _LONGEST_NAME - len(dot) - len(ending)
    return shown if len(shown) <= _LONGEST_NAME else f"{stem[:room]}{dot}{ending}" if room > 0 else shown[:_LONGEST_NAME]


def new_ones(files: list[KeptFile], known: tuple[KeptFile, ...]) -> tuple[KeptFile, ...]:
    """Return the documents that a dossier is to keep: all that come with a new pivot, else those that it does not have.

    What follows the newest pivot is the present cycle, so that nothing of it may be missing there because it came before.
    """
    newest = {one.role: one.sha256 for one in known}
    if any(one.role == PIVOT and one.sha256 != newest.get(PIVOT) for one in files):
        return tuple(files)
    pieces = {(one.name, one.sha256) for one in known if one.role == PIECE}
    return tuple(
        one
        for one in files
        if ((one.name, one.sha256) not in pieces if one.role == PIECE else newest.get(one.role) != one.sha256)
    )
