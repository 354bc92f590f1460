"""A multipart form (RFC 7578) read forward: part after part, or its fields first, then its document, or several, as a stream.

The end of the document is told to its reader only once the whole body has been seen to be in order: a truncated body, or a
second document after the first, is an error of reading, and what was read so far is not kept.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.problems import UnknownBody
from api.words import messages
from core.blobs import Readable
from core.errors import UnreadableInput, UsageError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

DOCUMENT: Final = "document"
_PIECE = 64 * 1024
_LONGEST_FIELD = 1000
_HEADERS, _HEADER_SIZE = 8, 4096
_LONGEST_BOUNDARY = 70  # RFC 2046, 5.1.1
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_Event = tuple[str, bytes]
_BEGIN, _HEADER, _VALUE, _READY, _DATA, _END, _DONE = "begin", "header", "value", "ready", "data", "end", "done"


class Part(NamedTuple):
    """The head of a part, in the octets of its sender, whatever charset they are in.

    Attributes:
        name: of the field.
        file_name: of the file that it is; None when it is none.
    """

    name: bytes
    file_name: bytes | None


class Multipart:
    """The parts of a form, one after the other.

    Args:
        source: the body.
        content_type: the header that names the boundary.

    Raises:
        UnknownBody: no multipart form.
        UnreadableInput: no boundary, or one that cannot be one.
    """

    def __init__(self, source: Readable, content_type: str) -> None:
        self._source = source
        self._events: deque[_Event] = deque()
        self._parser = _parser(content_type, self._events)
        self._inside = False

    def following(self) -> Part | None:
        """Go to the next part, past what is left of the one before; None once the whole body has been seen to be in order.

        Raises:
            UnreadableInput: the form is truncated or malformed.
        """
        while self._inside:
            self.read()
        if self._next()[0] == _BEGIN:
            part = self._head()
            self._inside = True
            return part
        while self._source.read(_PIECE):  # whatever stands after the form means nothing, but must have come in full
            pass
        return None

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes of the part; none at its end.

        Raises:
            UnreadableInput: as ``following``.
        """
        if not self._inside:
            return b""
        kind, data = self._next()
        if kind == _END:
            self._inside = False
            return b""
        taken, rest = (data, b"") if size < 0 else (data[:size], data[size:])
        if rest:
            self._events.appendleft((_DATA, rest))
        return taken

    def whole(self, limit: int) -> bytes | None:
        """Return what is left of the part; None when that is more than ``limit`` bytes.

        Raises:
            UnreadableInput: as ``following``.
        """
        value = b""
        while piece := self.read():
            value += piece
            if len(value) > limit:
                return None
        return value

    def _head(self) -> Part:
        headers: dict[bytes, bytes] = {}
        header = value = b""
        while (event := self._next())[0] != _READY:
            kind, data = event
            if kind == _HEADER:
                if value:
                    headers[header.lower()], header, value = value, b"", b""
                header += data
            elif kind == _VALUE:
                value += data
        headers[header.lower()] = value
        _, options = parse_options_header(headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise UnreadableInput(messages("form.malformed"))
        return Part(options[b"name"], options.get(b"filename"))

    def _next(self) -> _Event:
        while not self._events:
            piece = self._source.read(_PIECE)
            if not piece:
                # The closing boundary is the only proof that nothing was cut off.
                raise UnreadableInput(messages("upload.truncated"))
            self._feed(piece)
        return self._events.popleft()

    def _feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise UnreadableInput(messages("form.malformed")) from error


class Form:
    """A form with named fields and one file named ``document``, which comes last.

    Args:
        source: the body.
        content_type: the header that names the boundary.
        fields: names of the fields that may stand in it.

    Raises:
        UnknownBody: no multipart form.
        UsageError: an unknown or doubled field, a field after the document, two documents, none.
        UnreadableInput: the form is truncated or malformed.
    """

    def __init__(self, source: Readable, content_type: str, fields: frozenset[str]) -> None:
        self._parts = Multipart(source, content_type)
        self._allowed = fields
        self._done = False
        self.values: dict[str, str] = {}
        self.file_name = self._read_fields()

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes of the document; none once the whole form has been read and is in order."""
        if self._done:
            return b""
        piece = self._parts.read(size)
        if not piece:
            self._expect_the_end()
            self._done = True
        return piece

    def _read_fields(self) -> str:
        while (part := self._parts.following()) is not None:
            name, file_name = _named(part)
            if name == DOCUMENT and file_name:
                return file_name
            if name == DOCUMENT:
                break
            self._keep(name, file_name)
        raise UsageError(messages("form.no_document"))

    def _keep(self, name: str, file_name: str | None) -> None:
        if name not in self._allowed or file_name is not None:
            raise UsageError(messages("form.unknown", name=name[:60], allowed=", ".join(sorted({*self._allowed, DOCUMENT}))))
        if name in self.values:
            raise UsageError(messages("form.doubled", name=name))
        value = self._parts.whole(_LONGEST_FIELD)
        if value is None:
            raise UsageError(messages("form.long", name=name))
        self.values[name] = _text(value, name)

    def _expect_the_end(self) -> None:
        if (part := self._parts.following()) is not None:
            name, file_name = _named(part)
            raise UsageError(messages("form.second" if file_name is not None else "form.late", name=name[:60]))


class Files(Form):
    """A form with named fields, then any number of files named ``document``, each read to its end before the next one.

    ``file_name`` is the name of the first file, empty when there is none; ``following`` goes to the next.
    """

    def __init__(self, source: Readable, content_type: str, fields: frozenset[str]) -> None:
        self._begun, self._next_name = False, ""
        super().__init__(source, content_type, fields)

    def following(self) -> str:
        """Go to the next file once the one before was read to its end; return its name, empty when there is none."""
        self._done = not self._next_name
        return self._next_name

    def _read_fields(self) -> str:
        name = self._seek()
        self._done = not name
        return name

    def _expect_the_end(self) -> None:
        self._next_name = self._seek()

    def _seek(self) -> str:
        while (part := self._parts.following()) is not None:
            name, file_name = _named(part)
            if name != DOCUMENT:
                if self._begun:
                    raise UsageError(messages("form.late", name=name[:60]))
                self._keep(name, file_name)
            elif file_name:
                self._begun = True
                return file_name
            elif self._parts.read():  # what a browser sends of a field in which no file was chosen is empty
                raise UsageError(messages("form.no_document"))
        return ""


def _named(part: Part) -> tuple[str, str | None]:
    """Return the name of a part, and its file's name when it is one."""
    shown = None if part.file_name is None else _CONTROL.sub("", part.file_name.decode("utf-8", "replace"))
    return _text(part.name, "name"), shown


def _parser(content_type: str, events: deque[_Event]) -> MultipartParser:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise UnknownBody(messages("upload.kind"))

    def mark(event: str) -> Callable[[], None]:
        return lambda: events.append((event, b""))

    def keep(event: str) -> Callable[[bytes, int, int], None]:
        return lambda data, start, end: events.append((event, data[start:end]))

    callbacks: MultipartCallbacks = {
        "on_part_begin": mark(_BEGIN),
        "on_header_field": keep(_HEADER),
        "on_header_value": keep(_VALUE),
        "on_headers_finished": mark(_READY),
        "on_part_data": keep(_DATA),
        "on_part_end": mark(_END),
        "on_end": mark(_DONE),
    }
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise UnreadableInput(messages("form.malformed"))
    return MultipartParser(boundary, callbacks, max_header_count=_HEADERS, max_header_size=_HEADER_SIZE)


def _text(value: bytes, name: str) -> str:
    try:
        text = value.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise UsageError(messages("form.text", name=name)) from error
    if _CONTROL.search(text):
        raise UsageError(messages("form.text", name=name))
    return text
