"""Addresses as people write and paste them: ``Nom <adresse>``, an address alone, cells of a spreadsheet, several on a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.errors import UsageError
from core.messages import Catalogue
from flows.mail.book import contacts
from flows.mail.book.contacts import Told
from schemas.mail import addresses

_messages = Catalogue("flows.mail.book")
_NAMED = re.compile(r"([^<>@]*)<\s*([^<>\s]+@[^<>\s]+)\s*>")
_QUOTES = "\"'«»“” \t\u00a0\u202f"
_CUTS = re.compile(r"[;,\t]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line.

    Attributes:
        line: from 1.
        message: what is wrong, and what was expected.
    """

    line: int
    message: str


class FaultyLines(UsageError):
    """Lines are wrong, and nothing of the whole was kept.

    Attributes:
        faults: every one, in order.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(_messages.counted("lines.faulty", len(self.faults), count=len(self.faults)))


def named(text: str) -> tuple[str, str]:
    """Return the name and the address of ``Nom <adresse>``; of anything else, no name and the text itself."""
    found = _NAMED.fullmatch(text.strip())
    return (found[1].strip(_QUOTES), found[2]) if found else ("", text.strip())


def recipients(text: str, most: int) -> list[Told]:
    """Return those whom lines name, each once, in order.

    Args:
        text: a recipient a line, or several with semicolons or commas between them; cells that hold no address are a name.
        most: how many are read.

    Raises:
        FaultyLines: with every line that is wrong.
    """
    found: list[Told] = []
    faults: list[Fault] = []
    known: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        for told in _of_line(line):
            try:
                checked = contacts.check(told)
                normal = addresses.normal(checked.address)
            except UsageError as error:
                faults.append(Fault(number, str(error)))
                continue
            if normal in known:
                faults.append(Fault(number, _messages("lines.twice", address=checked.address, line=known[normal])))
                continue
            known[normal] = number
            found.append(Told(checked.address, checked.name if told.name.strip() else ""))
    if len(found) > most:
        faults.append(Fault(len(text.splitlines()), _messages("lines.many", most=most, found=len(found))))
    if faults:
        raise FaultyLines(faults)
    return found


def _of_line(line: str) -> Iterator[Told]:
    if line.count("@") <= 1 and (whole := named(line)) != ("", line.strip()):
        yield Told(whole[1], whole[0])
        return
    cells = [cell.strip() for cell in _CUTS.split(line) if cell.strip()]
    addressed = [cell for cell in cells if "@" in cell]
    if len(addressed) == 1:
        name, address = named(addressed[0])
        others = [cell.strip(_QUOTES) for cell in cells if "@" not in cell]
        yield Told(address.strip(_QUOTES), name or (others[0] if others else ""))
        return
    for cell in addressed or cells[:1]:
        name, address = named(cell)
        yield Told(address, name)


def line_of(name: str, address: str) -> str:
    """Return a recipient as a line that ``recipients`` reads."""
    shown = name.translate({ord(sign): None for sign in "<>@"}).strip(_QUOTES)
    return f"{shown} <{address}>" if shown and shown != address else address
