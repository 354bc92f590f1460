"""Tables for spreadsheets, as the French ones expect them: UTF-8 with a byte order mark, semicolons.

What a spreadsheet would take for a formula begins with an apostrophe, and loses it when it is read back.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TextIO

from core.errors import UnreadableInput
from core.messages import Catalogue

_messages = Catalogue("archive.retention")
_MARK = "\ufeff"
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
LARGEST = 1 << 20


class Table:
    """A table that is written row by row: one of a million rows is never held."""

    def __init__(self, stream: TextIO) -> None:
        stream.write(_MARK)
        self._rows = csv.writer(stream, delimiter=";", lineterminator="\r\n")

    def add(self, row: Sequence[str]) -> None:
        """Write a row of cells."""
        self._rows.writerow([_cell(cell) for cell in row])


def written(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows of cells as a table."""
    text = StringIO()
    table = Table(text)
    for row in rows:
        table.add(row)
    return text.getvalue().encode()


@contextmanager
def written_to(path: Path) -> Iterator[Table]:
    """Write a table to a file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        yield Table(stream)


def read(octets: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a table that are not blank, each with its number in the file; semicolons, commas or tabs.

    Raises:
        UnreadableInput: it is no text, too large, or its quotes do not close.
    """
    if len(octets) > LARGEST:
        raise UnreadableInput(_messages("table.large", most=LARGEST >> 20))
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableInput(_messages("table.unreadable")) from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(StringIO(text, newline=""), delimiter=max(";\t,", key=first.count), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [_plain(cell) for cell in cells]
    except csv.Error as error:
        raise UnreadableInput(_messages("table.quotes", line=reader.line_num + 1)) from error


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _plain(cell: str) -> str:
    bare = cell.strip()
    return bare[1:] if bare.startswith("'") and bare[1:].startswith(_FORMULAS) else bare
