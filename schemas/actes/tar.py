"""Reading a tar as a stream, header by header, trusting none of them.

Only what an ACTES archive is made of is let through: regular files (POSIX.1-1988 ustar, and the older form), whose names may
come from a pax header or GNU's long names. Everything else is told by its kind and never touches a disk. The standard library's
reader is not used here: it takes sizes of headers at their word, follows pax overrides of sizes, and rebuilds sparse files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_BLOCK = 512
_PIECE = 1 << 16
_LARGEST_HEADER = 1 << 16
_ZEROS = bytes(_BLOCK)
_OCTAL = re.compile(rb"[0-7]+").fullmatch
_REGULAR = frozenset({b"0", b"\0"})
_KINDS = {
    b"1": "link",
    b"2": "link",
    b"3": "device",
    b"4": "device",
    b"5": "folder",
    b"6": "device",
    b"S": "sparse",
}

Read = Callable[[int], bytes]


class BrokenTar(Exception):
    """The stream is no tar, or no whole one.

    Attributes:
        variant: ``empty``, ``truncated``, ``tar`` or ``trailing``: which message of rule R03 says it.
    """

    def __init__(self, variant: str) -> None:
        super().__init__(variant)
        self.variant = variant


@dataclass(slots=True)
class Entry:
    """An entry, read before the next one is asked for.

    Attributes:
        name: as written; octets that are not UTF-8 are read as ISO-8859-1.
        size: of its content, in bytes.
        illegal: why it is no plain regular file (``link``, ``device``, ``folder``, ``sparse``, ``header``, ``kind``); None if
            it is one.
        pieces: its content, in pieces of at most 64 kB; empty when it is illegal.
    """

    name: str
    size: int
    illegal: str | None
    pieces: Iterator[bytes] = field(repr=False)


@dataclass(slots=True)
class _Extended:
    """What headers before an entry say of it."""

    name: str | None = None
    size: int | None = None
    illegal: str | None = None


def entries(read: Read) -> Iterator[Entry]:
    """Yield the entries of a tar, then make sure that nothing follows its end.

    Args:
        read: returns up to so many bytes, fewer only at the end of the stream.

    Raises:
        BrokenTar: when that is met.
    """
    extended, everywhere, count = _Extended(), _Extended(), 0
    while (header := _block(read, first=count == 0)) != _ZEROS:
        count += 1
        _hold(header)
        kind, size = header[156:157], _size(header)
        if kind in (b"x", b"g", b"L", b"K"):
            _extend(everywhere if kind == b"g" else extended, kind, _short(read, size))
            continue
        illegal = _illegality(kind, size, extended, everywhere)
        name = extended.name if extended.name is not None else _name(header)
        content = _content(read, size)
        yield Entry(name, size, illegal, iter(()) if illegal else content)
        if illegal and kind in _KINDS and kind != b"S" and size:
            return  # whether content follows such an entry is told differently by each reader: what comes next is not known
        for _ in content:
            pass
        extended = _Extended()
    if count == 0:
        raise BrokenTar("empty")
    while rest := read(_PIECE):
        if rest.strip(b"\0"):
            raise BrokenTar("trailing")


def _illegality(kind: bytes, size: int, extended: _Extended, everywhere: _Extended) -> str | None:
    if kind not in _REGULAR:
        return _KINDS.get(kind, "kind")
    if everywhere.name is not None or everywhere.size is not None or (extended.size is not None and extended.size != size):
        return "header"
    return extended.illegal or everywhere.illegal


def _block(read: Read, *, first: bool) -> bytes:
    block = read(_BLOCK)
    if len(block) < _BLOCK:
        raise BrokenTar("empty" if first and not block else "tar" if first else "truncated")
    return block


def _hold(header: bytes) -> None:
    """Make sure that a block is a header: its sum, and its mark or the older form's absence of one."""
    stated = _octal(header[148:156])
    blanked = header[:148] + b" " * 8 + header[156:]
    signed = sum(octet - 256 if octet > 127 else octet for octet in blanked)
    if stated not in (sum(blanked), signed) or header[257:262] not in (b"ustar", b"\0" * 5):
        raise BrokenTar("tar")


def _size(header: bytes) -> int:
    size = header[124:136]
    return int.from_bytes(size[1:], "big") if size[0] == 0x80 else _octal(size)  # GNU's form for 8 GiB and more


def _octal(digits: bytes) -> int:
    text = digits.strip(b" \0")
    if text and not _OCTAL(text):  # Python would take signs and underscores, which others read otherwise
        raise BrokenTar("tar")
    return int(text or b"0", 8)


def _name(header: bytes) -> str:
    name = _text(header[:100].partition(b"\0")[0])
    prefix = _text(header[345:500].partition(b"\0")[0]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _short(read: Read, size: int) -> bytes:
    """Return the content of an extended header, which no honest archive makes long."""
    if size > _LARGEST_HEADER:
        raise BrokenTar("tar")
    return b"".join(_content(read, size))


def _extend(extended: _Extended, kind: bytes, content: bytes) -> None:
    if kind == b"L":
        extended.name = _text(content.partition(b"\0")[0])
    elif kind in (b"x", b"g"):
        try:
            _pax(extended, content)
        except ValueError:
            extended.illegal = "header"


def _pax(extended: _Extended, content: bytes) -> None:
    """Read pax records: ``length key=value`` and a line break (POSIX.1-2001, pax interchange format)."""
    while content:
        digits, _, _ = content.partition(b" ")
        length = int(digits)
        record, content = content[:length], content[length:]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if length <= len(digits) or not equals or not value.endswith(b"\n") or not digits.isdigit():
            raise ValueError(record)
        if key == b"path":
            extended.name = _text(value[:-1])
        elif key == b"size":
            extended.size = int(value)
        elif key.startswith(b"GNU.sparse"):
            extended.illegal = "sparse"


def _content(read: Read, size: int) -> Iterator[bytes]:
    left, padding = size, -size % _BLOCK
    while left:
        piece = read(min(left, _PIECE))
        if not piece:
            raise BrokenTar("truncated")
        left -= len(piece)
        yield piece
    if len(read(padding)) < padding:
        raise BrokenTar("truncated")
