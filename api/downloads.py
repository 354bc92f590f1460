"""Giving documents out: streamed from the store, checked against their digest, never opened by the browser as a page."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from archive.proving import write_evidence
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


def document(platform: Platform, kept: DossierFile | KeptFile) -> StreamingResponse:
    """Return a document as an attachment.

    Raises:
        ObjectMissing: the store has it no more.
        Unavailable: the store does not answer.
    """
    opened = ExitStack()
    source = opened.enter_context(platform.objects.reading(kept.sha256))
    headers = _HARMLESS | {"Content-Length": str(kept.size), "Content-Disposition": _attachment(kept.name)}
    return StreamingResponse(_pieces(opened, source, kept), media_type=kept.media_type, headers=headers)


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
        Conflict: its proof is not complete yet.
    """
    with ExitStack() as stack:
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabellion-"))) / "evidence.zip"
        write_evidence(platform, principal, record_id, target)
        kept = stack.pop_all()
    return FileResponse(
        target,
        media_type="application/zip",
        filename=f"preuve-{record_id}.zip",
        headers=_HARMLESS,
        background=BackgroundTask(kept.close),
    )


def _attachment(name: str) -> str:
    """Return a Content-Disposition for any name (RFC 6266, with the extended notation of RFC 8187)."""
    plain = re.sub(r'[^ -~]|["\\]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def copy(name: str, octets: bytes, media_type: str) -> Response:
    """Return octets that were made for whoever asks, as an attachment of a name."""
    headers = _HARMLESS | {"Content-Length": str(len(octets)), "Content-Disposition": _attachment(name)}
    return Response(octets, media_type=media_type, headers=headers)
