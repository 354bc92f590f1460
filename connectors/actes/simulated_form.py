"""Reading the form that an archive comes in, as the simulated platform does: forward, its file to disk as it comes."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from python_multipart.multipart import MultipartParser, parse_options_header

_PIECE = 1 << 16


class Form:
    """One ``multipart/form-data`` (RFC 7578), whose file goes to disk as it comes.

    Attributes:
        files: parts that are a file; a part is one when it has a file name.
        name: of the last file.
    """

    def __init__(self, content_type: str, target: IO[bytes]) -> None:
        self.files = 0
        self.name = ""
        self._target = target
        self._boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        self._header = (b"", b"")
        self._into_file = False
        self._ended = False

    def read(self, source: Any, length: int) -> bool:
        """Read a body of a known length; tell whether it came to its end.

        Raises:
            ValueError: it is no such form.
        """
        parser = MultipartParser(
            self._boundary,
            {
                "on_part_begin": self._part,
                "on_header_field": self._field,
                "on_header_value": self._value,
                "on_header_end": self._header_end,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )
        left = length
        while left and (piece := source.read(min(_PIECE, left))):
            left -= len(piece)
            parser.write(piece)
        return not left and self._ended

    def _part(self) -> None:
        self._into_file = False

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], b"")

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _header_end(self) -> None:
        name, value = self._header
        self._header = (b"", b"")
        if name.lower() == b"content-disposition":
            given = parse_options_header(value)[1].get(b"filename")
            if given is not None:
                self._into_file = True
                self.files += 1
                self.name = Path(given.decode("utf-8", "replace")).name

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._into_file:
            self._target.write(data[start:end])

    def _end(self) -> None:
        self._ended = True
