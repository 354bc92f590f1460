"""Uploads that come in pieces: begun, sent in order, asked about after a cut, finished, and used once within a day.

Whoever sends may lose the connection, close the browser, or be served by another process: what has come is in the object store
under a provisional name, and where it stands is in the database. It becomes a document only once somebody uses it, so that what
is given up can be swept away without asking who else holds the same content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any

import structlog
from sqlalchemy import BigInteger, Column, Index
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Field, Session, col, select

from core import clock
from core.blobs import ObjectMissing, TooLarge
from core.database import JsonValue, Owned, UtcDateTime
from core.errors import Conflict, NotFound, TabellionError, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("core")
PIECE = 4 * 1024 * 1024
MOST = 100
LASTS = timedelta(hours=24)
LONGEST_PLACE = 60
TRANSFERS = "transfers"
"""The place of packages for the archive, which may be larger than any other document, and serve for nothing else."""
_SWEPT_AT_ONCE = 200
# Longer than any request lasts.
_CLAIM = timedelta(minutes=15)
_log = structlog.get_logger()


class Upload(Owned, table=True):
    """A document on its way in.

    Attributes:
        actor: whose it is, as the journal names actors; nobody else sees it.
        place: what it is sent for, as whoever sends it calls it.
        size: in bytes, as announced.
        pieces: hexadecimal SHA-256 of what has come, in order; each is of ``PIECE`` bytes but the last one.
        sha256: hexadecimal, of the whole; None until it is finished.
        claimed: since when something is made of it; a claim lapses, so that a process that dies gives it back.
        used: when it was; it is not used again.
        expires: when it is swept away.
    """

    __table_args__ = (Index("upload_of_actor", "actor", "expires"), Index("upload_expires", "expires"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    actor: str = Field(max_length=40)
    place: str = Field(max_length=LONGEST_PLACE)
    name: str = Field(max_length=255)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    pieces: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    sha256: str | None = Field(default=None, max_length=64)
    claimed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    used: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    expires: datetime = Field(default_factory=lambda: clock.now() + LASTS, sa_column=Column(UtcDateTime, nullable=False))

    @property
    def received(self) -> int:
        """How many bytes have come; the next piece begins there."""
        return min(len(self.pieces) * PIECE, self.size)


def begin(platform: Platform, principal: Principal, organisation_id: str, name: str, size: int, place: str = "") -> Upload:
    """Announce a document.

    Args:
        platform: its parts.
        principal: who sends.
        organisation_id: for whom.
        name: of the file.
        size: in bytes.
        place: what it is sent for; ``waiting`` finds it again.

    Raises:
        Forbidden: the principal may not deposit there.
        UsageError: an empty document.
        TooLarge: above the platform's limit.
        Conflict: too many wait already.
    """
    principal.require(Right.DEPOSIT, organisation_id)
    if size < 1:
        raise UsageError(_messages("upload.empty"))
    limit = platform.settings.transfer_limit if place == TRANSFERS else platform.settings.upload_limit
    if size > limit:
        raise TooLarge(limit)
    begun = Upload(
        organisation_id=organisation_id, actor=principal.actor, place=place[:LONGEST_PLACE], name=_shown(name), size=size
    )
    with platform.database.writing(principal) as session:
        soon = clock.now() + LASTS  # what a place keeps for longer is bounded by that place
        if sum(one.place == begun.place or one.expires <= soon for one in _waiting(session, principal)) >= MOST:
            raise Conflict(_messages("upload.many", most=MOST))
        session.add(begun)
    return begun


def _shown(name: str) -> str:
    bare = PurePath(name.replace("\\", "/")).name
    return "".join(letter for letter in bare if letter.isprintable())[-255:] or "document"


def waiting(platform: Platform, principal: Principal, place: str | None = None) -> list[Upload]:
    """Return the uploads of a principal that can still be used, oldest first; only those for one place, when it is given."""
    with platform.database.reading(principal) as session:
        return [found for found in _waiting(session, principal) if place in {None, found.place}]


def _waiting(session: Session, principal: Principal) -> list[Upload]:
    own = select(Upload).where(Upload.actor == principal.actor, col(Upload.used).is_(None), Upload.expires > clock.now())
    return list(session.exec(own.order_by(col(Upload.id))))


def keep(platform: Platform, principal: Principal, place: str, organisation_id: str, until: datetime) -> None:
    """Have the uploads for a place last until a moment, and be used for an organisation from now on.

    Raises:
        Forbidden: the principal may not deposit there.
    """
    principal.require(Right.DEPOSIT, organisation_id)
    with platform.database.writing(principal) as session:
        for upload in _waiting(session, principal):
            if upload.place == place:
                upload.organisation_id, upload.expires = organisation_id, max(upload.expires, until)
                session.add(upload)


def standing(platform: Platform, principal: Principal, upload_id: str) -> Upload:
    """Return an upload, to know where it stands.

    Raises:
        NotFound: there is none, it is somebody else's, or its day is over.
    """
    with platform.database.reading(principal) as session:
        return _own(session, principal, upload_id)


def _own(session: Session, principal: Principal, upload_id: str, *, locked: bool = False) -> Upload:
    wanted = select(Upload).where(Upload.id == upload_id, Upload.actor == principal.actor, Upload.expires > clock.now())
    found = session.exec(wanted.with_for_update() if locked else wanted).first()
    if found is None:
        raise NotFound(_messages("upload.unknown"))
    return found


def receive(platform: Platform, principal: Principal, upload_id: str, offset: int, octets: bytes, sha256: str) -> Upload:
    """Keep the next piece; the one that came last may come again.

    Args:
        platform: its parts.
        principal: who sends.
        upload_id: of what.
        offset: where the piece begins.
        octets: the piece: ``PIECE`` bytes, or what is left.
        sha256: hexadecimal digest of the piece, as the sender computed it.

    Raises:
        NotFound: see ``standing``.
        UsageError: the piece has another size or another digest than it must have.
        Conflict: another piece is awaited, or the upload is finished.
    """
    upload = standing(platform, principal, upload_id)
    if _has(upload, offset, sha256):
        return upload
    _refuse_place(upload, offset)
    if len(octets) != min(PIECE, upload.size - offset):
        raise UsageError(_messages("upload.piece_size", found=len(octets), expected=min(PIECE, upload.size - offset)))
    if hashlib.sha256(octets).hexdigest() != sha256.lower():
        raise UsageError(_messages("upload.piece_digest"))
    platform.objects.hold(_piece(upload.id, sha256), _Octets(octets), PIECE)
    with platform.database.writing(principal) as session:
        upload = _own(session, principal, upload_id, locked=True)
        if not _has(upload, offset, sha256):
            _refuse_place(upload, offset)
            upload.pieces = [*upload.pieces, sha256.lower()]
            session.add(upload)
    return upload


def _has(upload: Upload, offset: int, sha256: str) -> bool:
    rank, rest = divmod(offset, PIECE)
    return not rest and 0 <= rank < len(upload.pieces) and upload.pieces[rank] == sha256.lower()


def _refuse_place(upload: Upload, offset: int) -> None:
    if upload.sha256 is not None or offset != upload.received or offset >= upload.size:
        raise Conflict(_messages("upload.offset", found=offset, expected=upload.received), upload.id)


def finish(platform: Platform, principal: Principal, upload_id: str, sha256: str) -> Upload:
    """Put the pieces together; again changes nothing.

    Args:
        platform: its parts.
        principal: who sends.
        upload_id: of what.
        sha256: hexadecimal digest of the whole, as the sender computed it.

    Raises:
        NotFound: see ``standing``.
        Conflict: pieces are missing.
        UsageError: the whole has another digest: what had come is forgotten, and awaited again from its beginning, unless it
            was put together before.
    """
    upload, expected = standing(platform, principal, upload_id), sha256.lower()
    if upload.sha256 is not None:
        return _put_together(upload, expected)
    if upload.received < upload.size:
        raise Conflict(_messages("upload.offset", found=upload.size, expected=upload.received), upload.id)
    try:
        platform.objects.hold(_whole(upload.id), _Whole(platform, upload, expected), upload.size)
    except _OtherDigest as error:
        _settle(platform, principal, upload_id, [], None)
        raise UsageError(_messages("upload.whole")) from error
    except ObjectMissing:
        # Another request, which was given up, may have put it together meanwhile and let the pieces go.
        upload = standing(platform, principal, upload_id)
        if upload.sha256 is None:
            raise
        return _put_together(upload, expected)
    upload = _settle(platform, principal, upload_id, upload.pieces, expected)
    _let_go(platform, f"{upload.id}/pieces")
    return upload


def _put_together(upload: Upload, expected: str) -> Upload:
    if upload.sha256 != expected:
        raise UsageError(_messages("upload.other", name=upload.name))
    return upload


def _let_go(platform: Platform, folder: str) -> None:
    """Forget what is of no more use; what the store does not forget now is swept away with its upload."""
    try:
        platform.objects.let_go(folder)
    except TabellionError as error:
        _log.warning("uploads.left_behind", folder=folder, error=type(error).__name__)


def _settle(platform: Platform, principal: Principal, upload_id: str, pieces: list[str], sha256: str | None) -> Upload:
    with platform.database.writing(principal) as session:
        upload = _own(session, principal, upload_id, locked=True)
        upload.pieces, upload.sha256 = pieces, sha256
        session.add(upload)
    return upload


def cancel(platform: Platform, principal: Principal, upload_id: str) -> None:
    """Give an upload up.

    Raises:
        NotFound: see ``standing``.
        Conflict: it is used, or being used.
    """
    with platform.database.writing(principal) as session:
        upload = _own(session, principal, upload_id, locked=True)
        _refuse_taken(upload)
        platform.objects.let_go(upload.id)
        session.delete(upload)


@contextmanager
def using(
    platform: Platform, principal: Principal, organisation_id: str, upload_ids: Sequence[str], place: str | None = None
) -> Iterator[list[Upload]]:
    """Make documents of finished uploads, for the block; when it raises, or its process dies, they can be used again.

    Args:
        platform: its parts.
        principal: whose they are.
        organisation_id: for whom they were sent.
        upload_ids: which ones; they are given in this order, as documents under their digests.
        place: what they are used for; matters for ``TRANSFERS`` only.

    Raises:
        NotFound: see ``standing``; or one was sent for another organisation, or for transfers and is used for something else.
        Conflict: one is not finished, was used already, or is being used.
    """
    chosen = list(dict.fromkeys(upload_ids))
    claimed = _claim(platform, principal, organisation_id, chosen, place)
    try:
        with platform.database.reading(principal) as session:
            uploads = [_own(session, principal, upload_id) for upload_id in chosen]
        for upload in uploads:
            platform.objects.adopt(_whole(upload.id), upload.sha256 or "")
        yield uploads
    except BaseException:
        _end_claim(platform, claimed, chosen, used=False)
        raise
    # What was made stands: whatever fails from here on is no fault of whoever asked for it.
    try:
        _end_claim(platform, claimed, chosen, used=True)
    except SQLAlchemyError as error:
        _log.warning("uploads.left_claimed", error=type(error).__name__)
    for upload in uploads:
        _let_go(platform, upload.id)


def _claim(
    platform: Platform, principal: Principal, organisation_id: str, upload_ids: Sequence[str], place: str | None
) -> datetime:
    """Claim uploads; return the moment of the claim, by which it is known."""
    now = clock.now()
    with platform.database.writing(principal) as session:
        for upload_id in sorted(upload_ids):
            upload = _own(session, principal, upload_id, locked=True)
            if upload.organisation_id != organisation_id or (upload.place == TRANSFERS and place != TRANSFERS):
                raise NotFound(_messages("upload.unknown"))
            _refuse_taken(upload)
            if upload.sha256 is None:
                raise Conflict(_messages("upload.unfinished", name=upload.name))
            upload.claimed = now
            session.add(upload)
    return now


def _refuse_taken(upload: Upload) -> None:
    if upload.used is not None:
        raise Conflict(_messages("upload.used", name=upload.name))
    if upload.claimed is not None and upload.claimed + _CLAIM > clock.now():
        raise Conflict(_messages("upload.claimed", name=upload.name, minutes=_CLAIM.seconds // 60))


def _end_claim(platform: Platform, claimed: datetime, upload_ids: Sequence[str], *, used: bool) -> None:
    """Give claimed uploads back, or have them be used; those that another has claimed since are left alone when given back."""
    with platform.database.writing(PLATFORM) as session:
        wanted = select(Upload).where(col(Upload.id).in_(upload_ids)).order_by(col(Upload.id)).with_for_update()
        for upload in session.exec(wanted):
            if used:
                upload.used = clock.now()
            elif upload.claimed == claimed:
                upload.claimed = None
            session.add(upload)


def sweep(platform: Platform) -> int:
    """Forget the uploads whose day is over, with what is held of them; return how many there were."""
    over = select(Upload).where(Upload.expires <= clock.now()).order_by(col(Upload.expires)).limit(_SWEPT_AT_ONCE)
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(over).all()
    for upload in found:
        platform.objects.let_go(upload.id)
        with platform.database.writing(PLATFORM) as session:
            if kept := session.get(Upload, upload.id):
                session.delete(kept)
    return len(found)


def _piece(upload_id: str, sha256: str) -> str:
    return f"{upload_id}/pieces/{sha256.lower()}"


def _whole(upload_id: str) -> str:
    return f"{upload_id}/whole"


class _OtherDigest(Exception):
    """The whole is not what was announced: the way out of the store, which keeps nothing then."""


class _Octets:
    """A piece, to be read once."""

    def __init__(self, octets: bytes) -> None:
        self._left = octets

    def read(self, size: int = -1, /) -> bytes:
        taken = self._left if size < 0 else self._left[:size]
        self._left = self._left[len(taken) :]
        return taken


class _Whole:
    """The pieces one after the other; the end is told only once the whole has the digest that was announced."""

    def __init__(self, platform: Platform, upload: Upload, expected: str) -> None:
        self._platform, self._upload, self._expected = platform, upload, expected
        self._next, self._left, self._digest = 0, _Octets(b""), hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        taken = self._left.read(size)
        if not taken and self._next < len(self._upload.pieces):
            self._left = _Octets(self._read_piece())
            taken = self._left.read(size)
        return taken

    def _read_piece(self) -> bytes:
        with self._platform.objects.reading_held(_piece(self._upload.id, self._upload.pieces[self._next])) as stream:
            octets: Any = stream.read()
        self._next += 1
        self._digest.update(octets)
        if self._next == len(self._upload.pieces) and self._digest.hexdigest() != self._expected:
            raise _OtherDigest
        return bytes(octets)
