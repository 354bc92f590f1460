"""A multipart form (RFC 7578) with files in it, written to a file so that its length is known and nothing large is in memory."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_ESCAPED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # as browsers do (HTML, 4.10.21.8)


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a form.

    Attributes:
        field: name of the field.
        name: of the file.
        media: media type.
        content: its octets, or the file that holds them.
    """

    field: str
    name: str
    media: str
    content: bytes | Path


def write(parts: Iterable[Part], path: Path) -> str:
    """Write the form and return its Content-Type."""
    boundary = secrets.token_hex(24)
    with path.open("wb") as form:
        for part in parts:
            shown = f'name="{part.field}"; filename="{part.name.translate(_ESCAPED)}"'
            media = part.media.translate(_ESCAPED)
            form.write(f"--{boundary}\r\nContent-Disposition: form-data; {shown}\r\nContent-Type: {media}\r\n\r\n".encode())
            if isinstance(part.content, bytes):
                form.write(part.content)
            else:
                with part.content.open("rb") as file:
                    shutil.copyfileobj(file, form)
            form.write(b"\r\n")
        form.write(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}"
