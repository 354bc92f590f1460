"""A form as software of the field writes it: fields and files in any order, in the charset of its age."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from api.multipart import Multipart
from api.words import messages
from core.blobs import Readable
from core.errors import UsageError

_LONGEST_FIELD = 8192
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WINDOWS = {code: letter for code in range(0x80, 0xA0) if (letter := bytes((code,)).decode("cp1252", "ignore"))}
"""What Windows-1252 has where ISO-8859-1 has controls that nobody means: quotes, dashes, the euro."""


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
            yield decoded(part.name), None if part.file_name is None else decoded(part.file_name)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes of the part; none at its end."""
        return self._parts.read(size)

    def text(self, name: str, longest: int = _LONGEST_FIELD) -> str:
        """Return the part as text, stripped.

        Raises:
            UsageError: it has more than ``longest`` bytes, or holds control characters.
        """
        value = self._parts.whole(longest)
        if value is None:
            raise UsageError(messages("form.long", name=name))
        return text_of(name, value).strip()


def urlencoded(octets: bytes) -> list[tuple[str, bytes]]:
    """Return the fields of a form in their order, percent-encoded or not; their values in the octets of their sender."""
    found = []
    for one in octets.split(b"&"):
        name, _, value = one.replace(b"+", b" ").partition(b"=")
        if name:
            found.append((decoded(unquote_to_bytes(name)), unquote_to_bytes(value)))
    return found


def text_of(name: str, value: bytes) -> str:
    """Return the value of a field as text.

    Raises:
        UsageError: it holds control characters.
    """
    text = decoded(value)
    if _CONTROL.search(text):
        raise UsageError(messages("form.text", name=name[:60]))
    return text


def decoded(value: bytes) -> str:
    """Return octets as text: UTF-8, or Windows-1252 as older software speaks; what is one is never the other by chance.

    Windows-1252 is ISO-8859-1 but for controls; software that takes one for the other on its way to UTF-8 sends those controls.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("iso-8859-1")
    return text.translate(_WINDOWS)
