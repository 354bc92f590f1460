"""The book as a table for spreadsheets: how one is read, with everything that is wrong in it, and how it is written.

A first line that names the columns is understood (address, name, groups, note, in any order); without one, the address stands
before or after the name, then the groups, then the note: so do exports of other software. Semicolons, commas or tabs; UTF-8,
UTF-16 or Windows-1252.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from core.errors import UnreadableInput, UsageError
from core.folding import folded
from core.messages import Catalogue
from flows.mail.book import contacts, groups
from flows.mail.book.contacts import Told
from flows.mail.book.written import Fault, FaultyLines, named
from schemas.mail import addresses

_messages = Catalogue("flows.mail.book")
LARGEST = 1 << 20
MOST = 5000
MARK = "\ufeff"
COLUMNS = ("address", "name", "groups", "note")
_HEADINGS = {
    "address": ("adresse", "adresse electronique", "email", "e-mail", "courriel", "mail", "address"),
    "name": ("nom", "nom complet", "name", "description"),
    "groups": ("groupe", "groupes", "group", "groups"),
    "note": ("note", "notes", "remarque", "commentaire"),
}
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
_BETWEEN_GROUPS = "|"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: its number, the contact, the groups that it names."""

    line: int
    told: Told
    groups: tuple[str, ...]


def read(octets: bytes) -> list[Row]:
    """Return the contacts of a table, each once, with the groups of all its lines.

    Raises:
        UnreadableInput: it is no text.
        UsageError: it is empty, or longer than ``MOST`` lines.
        FaultyLines: with every line that is wrong.
    """
    lines = list(_cells(_text(octets)))
    faults = [Fault(number, cells) for number, cells in lines if isinstance(cells, str)]
    rows = [(number, cells) for number, cells in lines if not isinstance(cells, str)]
    if not lines:
        raise UsageError(_messages("csv.empty"))
    if len(lines) > MOST:
        raise UsageError(_messages("csv.long", most=MOST, found=len(lines)))
    columns, headed = _columns(rows[0][1]) if rows else (COLUMNS, False)
    if "address" not in columns:
        raise UsageError(_messages("csv.no_address", found=", ".join(rows[0][1])[:200]))
    found: dict[str, Row] = {}
    for number, cells in rows[headed:]:
        try:
            _join(found, _row(number, dict(zip(columns, cells, strict=False))))
        except UsageError as error:
            faults.append(Fault(number, str(error)))
    if faults:
        raise FaultyLines(sorted(faults, key=lambda one: one.line))
    return list(found.values())


def _text(octets: bytes) -> str:
    if len(octets) > LARGEST:
        raise UsageError(_messages("csv.large"))
    encodings = ("utf-16",) if octets[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = octets.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise UnreadableInput(_messages("csv.unreadable"))


def _cells(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each line that is not blank with its number: its cells, or what is wrong with how it is written."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(";\t,", key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield number, _messages("csv.quotes")
        else:
            if any(cell.strip() for cell in cells):
                yield number, [_plain(cell) for cell in cells]
        number = reader.line_num + 1


def _plain(cell: str) -> str:
    """Return a cell as it was before it was kept from looking like a formula (``cell_of``)."""
    bare = cell.strip()
    return bare[1:] if bare.startswith("'") and bare[1:].startswith(_FORMULAS) else bare


def _columns(first: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Return what each column holds, and whether the first line says so."""
    said = [next((name for name, words in _HEADINGS.items() if folded(cell) in words), "") for cell in first]
    if any(said) and not any("@" in cell for cell in first):
        return tuple(said), True
    swapped = len(first) > 1 and "@" in first[1] and "@" not in first[0]
    return ("name", "address", *COLUMNS[2:]) if swapped else COLUMNS, False


def _row(number: int, cells: dict[str, str]) -> Row:
    written, address = named(cells.get("address", ""))
    if not address:
        raise UsageError(_messages("csv.address_missing"))
    told = contacts.check(Told(address, cells.get("name", "") or written, cells.get("note", "")))
    names = [groups.check(one) for one in cells.get("groups", "").split(_BETWEEN_GROUPS) if one.strip()]
    return Row(number, told, tuple(dict.fromkeys(names)))


def _join(found: dict[str, Row], row: Row) -> None:
    """Note a line; one that names a contact again adds its groups."""
    normal = addresses.normal(row.told.address)
    before = found.setdefault(normal, row)
    if row.told.name not in {before.told.name, row.told.address}:  # without a name, an address is its own
        raise UsageError(_messages("csv.other", address=row.told.address, line=before.line, name=before.told.name))
    found[normal] = Row(before.line, before.told, tuple(dict.fromkeys((*before.groups, *row.groups))))


def written(rows: Iterable[Sequence[str]]) -> str:
    """Return lines of cells as a table that no spreadsheet reckons with: what looks like a formula begins with an apostrophe."""
    text = StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def line_of(told: Told, names: Sequence[str]) -> tuple[str, str, str, str]:
    """Return the cells of a contact, in the order of ``COLUMNS``."""
    return told.address, told.name, _BETWEEN_GROUPS.join(names), told.note
