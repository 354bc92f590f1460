"""The words of IMAP, as the simulated server reads them: arguments of commands, sets of numbers, parts of a mail."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from connectors.actes.simulated_mails import INBOX, Kept


class No(Exception):
    """The command cannot be done."""


class Bad(Exception):
    """The command is not formed as it should be, or not known."""


_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^\s()"]*\[[^\]]*\](?:<[0-9.]+>)?)|([^\s()"]+)|([()])|\s+')
Argument = str | list[Any]


def read_words(line: bytes, nesting: list[list[Argument]]) -> None:
    """Add the words of a line: quoted strings, atoms, sections of FETCH, lists in parentheses."""
    for found in _TOKEN.finditer(line.rstrip(b"\r\n")):
        quoted, section, atom, mark = found.groups()
        if mark == b"(":
            inner: list[Argument] = []
            nesting[-1].append(inner)
            nesting.append(inner)
        elif mark == b")":
            if len(nesting) > 1:
                nesting.pop()
        elif section or atom:
            nesting[-1].append((section or atom).decode("utf-8", "surrogateescape"))
        elif quoted is not None:
            nesting[-1].append(re.sub(rb"\\(.)", rb"\1", quoted).decode("utf-8", "surrogateescape"))


def among(mails: dict[int, Kept], wanted: str, *, by_uid: bool) -> dict[int, Kept]:
    """Return the mails of a set of numbers or UIDs (``1,3:5,7:*``)."""
    highest = max((mail.uid if by_uid else number for number, mail in mails.items()), default=0)
    ranges = []
    for part in wanted.split(","):
        first, _, last = part.partition(":")
        ends = sorted(highest if end == "*" else int(end) for end in (first, last or first))
        ranges.append(range(ends[0], ends[1] + 1))
    return {number: mail for number, mail in mails.items() if any((mail.uid if by_uid else number) in one for one in ranges)}


def section_of(octets: bytes, section: str, fields: Iterable[str]) -> bytes:
    """Return what a section of FETCH asks for: all of a mail, its head, or some fields of it."""
    if not section:
        return octets
    head = octets.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    if section.upper() == "HEADER":
        return head
    names = "|".join(map(re.escape, fields)).encode()
    found = re.findall(rb"^(?:%s):.*?\r\n(?![ \t])" % names, head, re.IGNORECASE | re.MULTILINE | re.DOTALL)
    return b"".join(found) + b"\r\n"


def folder_named(given: Argument) -> str:
    """Return the name of a folder as it is kept: INBOX is written in any case (RFC 3501, 5.1)."""
    name = str(given)
    return INBOX if name.upper() == INBOX else name


def in_quotes(name: str) -> str:
    """Return a quoted string."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
