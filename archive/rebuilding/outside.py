"""Heads that were written outside the platform, held against those in the places, which somebody else may control.

What lives here: the reading of the folder (``TABELLION_HEADS_DIR``). What does not: its writing (`archive.proof.outside`).
"""

from __future__ import annotations

from archive.proof.evidence import HEAD, TOKEN
from archive.proof.outside import name_of
from archive.proof.segments import Segment
from archive.stored_zip import NotStoredZip, content, read_stored_zip
from core.errors import Conflict
from core.messages import Catalogue
from core.platform import Platform

_messages = Catalogue("archive.rebuilding")


def require_same(platform: Platform, segment: Segment) -> None:
    """Refuse a segment whose head stands outside otherwise; one that does not stand there says nothing.

    Raises:
        Conflict: it does.
        OSError: the folder cannot be read.
    """
    folder = platform.settings.heads_dir
    path = folder / name_of(segment.head.size) if folder else None
    if path is None or not path.exists():
        return
    try:
        with path.open("rb") as stream:
            said = {entry.name: b"".join(content(stream, entry)) for entry in read_stored_zip(stream)}
    except NotStoredZip:
        said = {}
    if (said.get(HEAD), said.get(TOKEN)) != (segment.head.canonical(), segment.contents.token):
        raise Conflict(_messages("outside", file=path))


def newest(platform: Platform) -> int:
    """Return the size of the newest head that stands outside; 0 where there is none, or no folder.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = platform.settings.heads_dir
    found = folder.glob("head-????????????.zip") if folder else ()
    return max((int(path.stem.removeprefix("head-")) for path in found), default=0)
