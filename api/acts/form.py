"""A form as software of the field writes it: fields and files in any order, in the charset of its age."""

from __future__ import annotations

import re
from collections.abc import Iterator

from api.multipart import Multipart
from api.words import messages
from core.blobs import Readable
from core.errors import UsageError

_LONGEST_FIELD = 8192
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Mixed:
    """A form whose fields and files come in any order; each part is read before the next is asked for.

    Args:
        source: the body.
        content_type: the header that names the boundary.

    Raises:
        UnknownBody: no multipart form.
        UnreadableInput: no boundary, or one that cannot be one; later, the form is truncated or malformed.
    """

    def __init__(self, source: Readable, content_type: str) -> None:
        self._parts = Multipart(source, content_type)

    def parts(self) -> Iterator[tuple[str, str | None]]:
        """Yield the name of each part, and its file's name when it is a file."""
        while (part := self._parts.following()) is not None:
            yield _decoded(part.name), None if part.file_name is None else _decoded(part.file_name)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes of the part; none at its end."""
        return self._parts.read(size)

    def text(self, name: str) -> str:
        """Return the part as text: UTF-8, or ISO-8859-1 as older software speaks; what is one is never the other by chance.

        Raises:
            UsageError: it is long, or holds control characters.
        """
        value = self._parts.whole(_LONGEST_FIELD)
        if value is None:
            raise UsageError(messages("form.long", name=name))
        text = _decoded(value).strip()
        if _CONTROL.search(text):
            raise UsageError(messages("form.text", name=name))
        return text


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("iso-8859-1")
