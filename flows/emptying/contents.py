"""The octets of what is destroyed: kept by their content, hence shared; they go once no row of the platform names them."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from sqlalchemy import Connection, Table, select
from sqlmodel import SQLModel

from core.errors import Unavailable
from core.messages import Catalogue
from core.platform import Platform
from flows.actes.models import ActesMail, MailState
from flows.emptying.rows import is_digest
from schemas.pes import lookup
from schemas.pes.attachments import AttachmentUnreadable, extract
from schemas.pes.seen import Attachment
from schemas.pes.shelf import shelved

_messages = Catalogue("flows.emptying")
# Rows that outlive what they name: a record and a transfer are proved by their digests long after; an upload is no document yet.
_OUTLIVE = frozenset(
    {"record", "record_digest", "tree_segment", "evidence_stamp", "archive_transfer", "known_certificate", "upload"}
)
_ALSO = frozenset(
    {
        *(("elimination", name) for name in ("listing", "bordereau", "visa_document", "certificate")),
        ("archive_agreement", "profile"),
    }
)
_mails = SQLModel.metadata.tables[ActesMail.__tablename__]
_AT_ONCE = 500
_PAGE = 100
_PIECE = 1 << 20
_INDEXED_WITHIN = 600.0  # seconds
_TIMES = 2  # the largest document: as those who take one out of a flow


def still_named(connection: Connection, digests: Collection[str]) -> set[str]:
    """Return those of these digests that some row names, of whatever dossier, folder, record or mail."""
    asked, found = sorted(digests), set[str]()
    for first in range(0, len(asked), _AT_ONCE):
        chosen = asked[first : first + _AT_ONCE]
        for table in SQLModel.metadata.sorted_tables:
            for column in table.c:
                if _names(table, column.name):
                    found |= set(connection.execute(select(column).where(column.in_(chosen)).distinct()).scalars())
    # The parts of a mail that nobody could apply are named there only.
    open_ = _mails.c.state.in_([MailState.KEPT.value, MailState.UNMATCHED.value])
    parts = (one.get("sha256") for row in connection.execute(select(_mails.c.parts).where(open_)).scalars() for one in row)
    return found | (set(parts) & set(asked))


def _names(table: Table, column: str) -> bool:
    return (table.name not in _OUTLIVE and is_digest(table, column)) or (table.name, column) in _ALSO


def taken_out(platform: Platform, sha256: str) -> Iterator[str]:
    """Yield the digests of the supporting documents of a PES: whoever looked at one put it among the documents, unnamed.

    Raises:
        Unavailable: the flow is still being read.
        ObjectMissing, ObjectAltered: the store does not hold it any more.
    """
    path = _index_of(platform, sha256)
    if path is None:
        return
    with tempfile.TemporaryDirectory(prefix="tabellion-") as place:
        flow, target = Path(place) / "flow", Path(place) / "document"
        platform.objects.fetch(sha256, flow)
        with lookup.opened(path) as database:
            after, found = 0, lookup.attachments(database, _PAGE)
            while found:
                for one in found:
                    try:
                        extract(_stretch(flow, one), target, _TIMES * platform.settings.upload_limit)
                    except AttachmentUnreadable:  # nobody ever saw it
                        continue
                    with target.open("rb") as stream:
                        yield hashlib.file_digest(stream, "sha256").hexdigest()
                after = found[-1].id
                found = lookup.attachments(database, _PAGE, after)


def _index_of(platform: Platform, sha256: str) -> Path | None:
    """Return the index of a PES once it is whole; None for what cannot be read, of which nothing was ever shown."""
    until = time.monotonic() + _INDEXED_WITHIN
    while not (state := shelved(platform, sha256)).whole:
        if state.trouble is not None:
            return None
        if time.monotonic() > until:
            raise Unavailable(_messages("flow.slow"))
    return state.path


def _stretch(flow: Path, one: Attachment) -> Iterator[bytes]:
    with flow.open("rb") as stream:
        stream.seek(one.start)
        left = one.end - one.start
        while left and (piece := stream.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece
