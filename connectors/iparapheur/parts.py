"""A message with attachments (MTOM, a multipart/related body) taken apart: the envelope, and what it refers to."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from email.message import Message as Headers
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import IO

from connectors.iparapheur.errors import MessageUnreadable
from core.identifiers import new_id
from core.messages import Catalogue

_messages = Catalogue("connectors.iparapheur")
_PIECE = 1 << 20
_MOST_PARTS = 1000
_LARGEST_HEADERS = 1 << 14
_BOUNDARY = re.compile(r"[ -~]{1,70}")  # RFC 2046, 5.1.1


def is_multipart(content_type: str) -> bool:
    """Tell whether a body of this type has parts."""
    return content_type.strip().lower().startswith("multipart/")


def separate(source: IO[bytes], content_type: str, folder: Path, limit: int) -> tuple[Path, dict[str, Path]]:
    """Write every part of a body to a file.

    Args:
        source: the body.
        content_type: its type, with the boundary and, perhaps, which part comes first.
        folder: where the parts go, under names that are not used twice.
        limit: octets beyond which the body is refused.

    Returns:
        The file of the envelope, and the files of the other parts by their Content-ID, without angle brackets.

    Raises:
        MessageUnreadable: too large, truncated, or no multipart/related body.
    """
    described = Headers()
    described["Content-Type"] = content_type
    boundary = str(described.get_param("boundary", ""))
    if described.get_content_type() != "multipart/related" or not _BOUNDARY.fullmatch(boundary):
        raise MessageUnreadable(_messages("message.multipart"))
    whole = folder / new_id()
    _spool(source, whole, limit)
    parts: dict[str, Path] = {}
    with whole.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        for rank, (start, body, end) in enumerate(_places(octets, b"--" + boundary.encode())):
            if rank >= _MOST_PARTS or body - start > _LARGEST_HEADERS:
                raise MessageUnreadable(_messages("message.multipart"))
            headers = BytesHeaderParser().parsebytes(octets[start:body])
            path = folder / new_id()
            _copy(octets, body, end, path)
            parts[str(headers.get("Content-ID", f"#{rank}")).strip().strip("<>")] = path
    whole.unlink()
    root = str(described.get_param("start", "")).strip("<>") or next(iter(parts), "")
    if root not in parts:
        raise MessageUnreadable(_messages("message.multipart"))
    return parts.pop(root), parts


def _spool(source: IO[bytes], path: Path, limit: int) -> None:
    total = 0
    with path.open("wb") as file:
        while piece := source.read(_PIECE):
            total += len(piece)
            if total > limit:
                raise MessageUnreadable(_messages("message.large", limit=limit >> 20))
            file.write(piece)
    if not total:
        raise MessageUnreadable(_messages("message.multipart"))


def _places(octets: mmap.mmap, delimiter: bytes) -> Iterator[tuple[int, int, int]]:
    """Give, for each part, where its headers start, where its body starts, and where that ends."""
    position = octets.find(delimiter)
    while position >= 0:
        position += len(delimiter)
        if octets[position : position + 2] == b"--":
            return
        start = octets.find(b"\n", position) + 1
        end = octets.find(b"\r\n" + delimiter, start)
        body = octets.find(b"\r\n\r\n", start, end) + 4
        if start <= position or end < 0 or body <= start:
            break
        yield start, body, end
        position = end + 2
    raise MessageUnreadable(_messages("message.multipart"))


def _copy(octets: mmap.mmap, start: int, end: int, path: Path) -> None:
    with path.open("wb") as file:
        for position in range(start, end, _PIECE):
            file.write(octets[position : min(end, position + _PIECE)])
