"""Forms of multipart/form-data as they are sent: fields, and files of which nothing is held in memory (RFC 7578)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a form, or a stretch of one.

    Attributes:
        size: octets from ``start``.
    """

    name: str
    file_name: str
    media_type: str
    path: Path
    start: int
    size: int

    @classmethod
    def whole(cls, name: str, file_name: str, media_type: str, path: Path) -> Part:
        """Return a whole file as a part."""
        return cls(name, file_name, media_type, path, 0, path.stat().st_size)


@dataclass(frozen=True, slots=True)
class Form:
    """A form: names and values are plain ASCII without quotes, which nothing of as@lae exceeds."""

    fields: Sequence[tuple[str, str]]
    parts: Sequence[Part]
    boundary: str = field(default_factory=lambda: secrets.token_hex(24))

    @property
    def media_type(self) -> str:
        """Of the body."""
        return f"multipart/form-data; boundary={self.boundary}"

    @property
    def size(self) -> int:
        """Of the body, in octets."""
        heads = sum(len(self._field(*one)) for one in self.fields) + sum(len(self._head(one)) + 2 for one in self.parts)
        return heads + sum(one.size for one in self.parts) + len(self._end())

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in pieces."""
        for one in self.fields:
            yield self._field(*one)
        for part in self.parts:
            yield self._head(part)
            yield from _stretch(part)
            yield b"\r\n"
        yield self._end()

    def _field(self, name: str, value: str) -> bytes:
        return f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode("ascii")

    def _head(self, part: Part) -> bytes:
        named = f'Content-Disposition: form-data; name="{part.name}"; filename="{part.file_name}"'
        return f"--{self.boundary}\r\n{named}\r\nContent-Type: {part.media_type}\r\n\r\n".encode("ascii")

    def _end(self) -> bytes:
        return f"--{self.boundary}--\r\n".encode("ascii")


def _stretch(part: Part) -> Iterator[bytes]:
    left = part.size
    with part.path.open("rb") as file:
        file.seek(part.start)
        while left and (piece := file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece
