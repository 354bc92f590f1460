"""Giving documents out: streamed from the store, checked against their digest, never opened by the browser as a page."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from archive.finding.proofs import write_evidence_record
from archive.proof.proving import write_evidence
from core.blobs import ObjectAltered
from core.platform import Platform
from core.principal import Principal
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile

_PIECE = 256 * 1024
_HARMLESS = {
    # What an outsider sent is never rendered: no script, no origin, no guess at its type.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_SHOWN = {
    # A PDF is no page of ours, whatever it holds; and not every browser starts its own reader of PDF in a sandbox.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def document(platform: Platform, kept: DossierFile | KeptFile) -> StreamingResponse:
    """Return a document as an attachment.

    Raises:
        ObjectMissing: the store has it no more.
        Unavailable: the store does not answer.
    """
    return _streamed(platform.objects.reading(kept.sha256), kept, _HARMLESS | {"Content-Disposition": _attachment(kept.name)})


def held(platform: Platform, key: str, kept: KeptFile) -> StreamingResponse:
    """Return what is held in the store under a provisional name, as an attachment.

    Raises:
        ObjectMissing, Unavailable: as ``document``.
    """
    return _streamed(platform.objects.reading_held(key), kept, _HARMLESS | {"Content-Disposition": _attachment(kept.name)})


def published(platform: Platform, kept: KeptFile) -> StreamingResponse:
    """Return a published PDF, for the browser to show.

    Raises:
        ObjectMissing, Unavailable: as ``document``.
    """
    return _streamed(platform.objects.reading(kept.sha256), kept, _SHOWN | {"Content-Disposition": _inline(kept.name)})


def _streamed(reading: AbstractContextManager[Any], kept: DossierFile | KeptFile, headers: dict[str, str]) -> StreamingResponse:
    opened = ExitStack()
    source = opened.enter_context(reading)
    told = headers | {"Content-Length": str(kept.size)}
    return StreamingResponse(_pieces(opened, source, kept), media_type=kept.media_type, headers=told)


def _pieces(opened: ExitStack, source: Any, kept: DossierFile | KeptFile) -> Iterator[bytes]:
    digest, held = hashlib.sha256(), b""
    with opened:
        for piece in source.stream(_PIECE):
            digest.update(piece)
            if held:
                yield held
            held = piece
        # The last piece waits for the digest: a document that was altered never arrives whole.
        if digest.hexdigest() != kept.sha256:
            raise ObjectAltered(f"the store altered {kept.sha256}")
        yield held


def evidence(platform: Platform, principal: Principal, record_id: str) -> FileResponse:
    """Return the evidence of a record, to be verified anywhere.

    Raises:
        NotFound: no such record, or the principal does not see it.
        Unavailable: its proof is not complete yet.
    """
    return proof(record_id, partial(write_evidence, platform, principal, record_id))


def evidence_record(platform: Platform, record_id: str) -> FileResponse:
    """Return the evidence record (RFC 4998) of a record that was found to be for whoever asks.

    Raises:
        Unavailable: there is none yet.
    """
    return whole(f"preuve-{record_id}.ers", "application/octet-stream", partial(write_evidence_record, platform, record_id))


def proof(identifier: str, write: Callable[[Path], None]) -> FileResponse:
    """Return evidence of what an identifier names; ``write`` writes it to the file that it is given."""
    return zipped(f"preuve-{identifier}.zip", write)


def zipped(name: str, write: Callable[[Path], None]) -> FileResponse:
    """Return a ZIP of a name, which lasts until it is sent; ``write`` writes it to the file that it is given."""
    return whole(name, "application/zip", write)


def whole(name: str, media_type: str, write: Callable[[Path], None]) -> FileResponse:
    """Return a file of a name once all of it was written, and found to be right, by ``write``; it lasts until it is sent."""
    with ExitStack() as stack:
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabellion-"))) / "made"
        write(target)
        kept = stack.pop_all()
    return FileResponse(
        target,
        media_type=media_type,
        filename=name,
        headers=_HARMLESS,
        background=BackgroundTask(kept.close),
    )


def _attachment(name: str) -> str:
    """Return a Content-Disposition for any name (RFC 6266, with the extended notation of RFC 8187)."""
    return f"attachment; {_named(name)}"


def _inline(name: str) -> str:
    return f"inline; {_named(name)}"


def _named(name: str) -> str:
    plain = re.sub(r'[^ -~]|["\\]', "_", name)
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def copy(name: str, octets: bytes, media_type: str) -> Response:
    """Return octets that were made for whoever asks, as an attachment of a name."""
    headers = _HARMLESS | {"Content-Length": str(len(octets)), "Content-Disposition": _attachment(name)}
    return Response(octets, media_type=media_type, headers=headers)
