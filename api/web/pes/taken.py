"""Supporting documents taken out of a flow when somebody asks for one: to be downloaded, or to be shown as pages.

The whole flow is read each time, so that what is given out is what the store had been given, to the byte.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from core.blobs import ObjectAltered
from core.derived import derived_files
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from schemas.pes import lookup
from schemas.pes.attachments import Extracted, extract
from schemas.pes.seen import Attachment
from schemas.pes.shelf import shelved

messages = Catalogue("api.web.pes")
_PIECE = 1 << 18
_TIMES = 2  # the largest document, of the largest flow: gzip makes paper smaller, and a bomb enormous
_LONGEST_NAME = 120
_SHOWN = frozenset({"application/pdf", "image/png", "image/jpeg", "text/plain"})
_HARMLESS = {
    # As for every document of an outsider: no script, no origin, no guess at its type.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def named(platform: Platform, kept: DossierFile | KeptFile, rank: int) -> Attachment:
    """Return a supporting document by its rank.

    Raises:
        NotFound: there is none, or not yet.
    """
    state = shelved(platform, kept.sha256)
    if state.path is None:
        raise NotFound(state.trouble or messages("pes.not_yet"))
    with lookup.opened(state.path) as database:
        found = lookup.attachment(database, rank)
    if found is None:
        raise NotFound(messages("document.absent"))
    return found


def download(platform: Platform, kept: DossierFile | KeptFile, rank: int) -> FileResponse:
    """Return a supporting document as an attachment, under the type that its octets tell.

    Raises:
        NotFound: there is none of that rank.
        AttachmentUnreadable: it is empty, broken, or too large once inflated.
        ObjectAltered: the store gave back another flow.
    """
    found = named(platform, kept, rank)
    with ExitStack() as stack:
        path, extracted = stack.enter_context(_extracted(platform, kept, found))
        remaining = stack.pop_all()
    return FileResponse(
        path,
        media_type=extracted.media_type,
        filename=file_name(found),
        headers=_HARMLESS,
        background=BackgroundTask(remaining.close),
    )


def can_be_shown(attachment: Attachment) -> bool:
    """Tell whether there can be page images of a supporting document."""
    return attachment.media_type in _SHOWN


def as_kept(platform: Platform, kept: DossierFile | KeptFile, rank: int) -> KeptFile:
    """Return a supporting document as one of the store, where it is put under its own digest, for the viewer to read.

    Raises:
        NotFound, AttachmentUnreadable, ObjectAltered: as ``download``.
    """
    found = named(platform, kept, rank)
    key = f"pes/{kept.sha256}/{rank}"

    def made() -> dict[str, bytes]:
        with _extracted(platform, kept, found) as (path, extracted):
            blob = platform.objects.put_file(path)
        return {key: json.dumps([extracted.media_type, blob.sha256, blob.size]).encode()}

    media_type, sha256, size = json.loads(derived_files(platform.settings).get_or_make(key, key, made))
    return KeptFile("pj", file_name(found), media_type, sha256, size)


def file_name(attachment: Attachment) -> str:
    """Return what a supporting document is saved as: the last part of NomPJ, without what no file name should hold."""
    last = PurePosixPath((attachment.name or "").replace("\\", "/")).name
    plain = "".join(character for character in last if character.isprintable()).strip(". ")
    return plain[-_LONGEST_NAME:] or f"pj-{attachment.id}"


@contextmanager
def _extracted(platform: Platform, kept: DossierFile | KeptFile, found: Attachment) -> Iterator[tuple[Path, Extracted]]:
    limit = _TIMES * platform.settings.upload_limit
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "document"
        yield path, extract(_stretch(platform, kept.sha256, found.start, found.end), path, limit)


def _stretch(platform: Platform, sha256: str, start: int, end: int) -> Iterator[bytes]:
    """Give the bytes of a stretch of a document; the last of them only once the whole has its digest."""
    digest, offset, held = hashlib.sha256(), 0, b""
    with platform.objects.reading(sha256) as source:
        for piece in source.stream(_PIECE):
            digest.update(piece)
            wanted = piece[max(0, start - offset) : max(0, end - offset)]
            offset += len(piece)
            if wanted:
                yield held
                held = wanted
    if digest.hexdigest() != sha256:
        raise ObjectAltered(f"the store altered {sha256}")
    yield held
