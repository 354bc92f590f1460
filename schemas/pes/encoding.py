"""What the bytes of a PES say before any parser reads them: declared encoding, byte order mark, doubtful characters.

Files are read by chunks: a flow of 128 MB costs one chunk of memory. Nothing here decodes or judges; the rules do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.pes.attachments import sniffed

_CHUNK = 1 << 20
_HEAD = 1024
_BOMS = ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_WIDE = ((b"\xff\xfe", "utf-16-le"), (b"<\x00", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\x00<", "utf-16-be"))
_DECLARATION = re.compile(rb"""<\?xml\s[^>]*?\sencoding\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""")
_ROOT_NAME = re.compile(rb"<(?:[A-Za-z_][-.\w]*:)?(PES_[A-Za-z_]+)[\s/>]")
# A character of UTF-8, or a byte that ISO-8859-1 leaves to control codes. All begin with one class of bytes, so that what cannot
# begin either is passed over quickly. French text in ISO-8859-1 has sequences that UTF-8 could have too ("é", a space that does
# not break, "»"): beyond the letters of Europe, those of two bytes, a control code must be among the first two.
_DOUBTFUL = re.compile(
    rb"[\x80-\x9f\xc2-\xf4](?:(?P<control>(?<=[\x80-\x9f]))|(?<=[\xc2-\xc5])[\x80-\xbf]|(?<=[\xc6-\xdf])[\x80-\x9f]"
    rb"|(?<=[\xe0-\xef])[\x80-\x9f][\x80-\xbf]|(?<=[\xf0-\xf4])[\x80-\x9f][\x80-\xbf]{2})"
)
_OVERLAP = 3


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the first bytes claim.

    Attributes:
        encoding: as written in the XML declaration; None without one.
        bom: name of the encoding whose byte order mark opens the file; None without one.
        root: local name of a PES root element seen near the top, for a file that cannot be parsed.
        media_type: of a file that is no XML, as its first bytes tell; None for XML.
        late: something stands before the XML declaration, which has to come first.
    """

    encoding: str | None
    bom: str | None
    root: str | None
    media_type: str | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """The first bytes that ISO-8859-1 text does not hold.

    Attributes:
        line: from 1.
        utf8: a sequence of UTF-8; otherwise a lone byte between 0x80 and 0x9F, as Windows-1252 writes.
        found: the bytes, in hexadecimal, and what they look like.
    """

    line: int
    utf8: bool
    found: str


@dataclass(frozen=True, slots=True)
class Bytes:
    """What reading all bytes once tells.

    Attributes:
        tags: number of ``<``, which no parser's tree can exceed in elements; ``attributes`` of ``=``, likewise.
        doubt: the first doubtful character, None when there is none.
    """

    tags: int
    attributes: int
    doubt: Doubt | None


def read_declaration(path: Path) -> Declaration:
    """Return what the first kilobyte of a file claims about its encoding (XML 1.0, 4.3.3 and appendix F)."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    bom = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    wide = next((codec for opening, codec in _WIDE if head.startswith(opening)), None)
    if wide is not None:
        head = head.decode(wide, "replace").lstrip("\ufeff").encode("ascii", "replace")
    declared = _DECLARATION.search(head)
    root = _ROOT_NAME.search(head)
    kind = sniffed(head)
    return Declaration(
        encoding=(declared.group(1) or declared.group(2) or b"").decode("ascii", "replace") or None if declared else None,
        bom=bom,
        root=root.group(1).decode("ascii") if root else None,
        media_type=None if kind == "application/xml" else kind,
        late=head.lstrip().startswith(b"<?xml") and not head.startswith(b"<?xml"),
    )


def read_bytes(path: Path) -> Bytes:
    """Read a file once, counting tags and attributes, and looking for the first character that does not belong in ISO-8859-1."""
    tags, attributes, line, doubt, tail = 0, 0, 1, None, b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            tags += chunk.count(b"<")
            attributes += chunk.count(b"=")
            if doubt is None:
                window = tail + chunk
                doubt = _first_doubt(window, line - tail.count(b"\n"), last=len(chunk) < _CHUNK)
                tail = window[-_OVERLAP:]
                line += chunk.count(b"\n")
    return Bytes(tags=tags, attributes=attributes, doubt=doubt)


def _first_doubt(window: bytes, line: int, *, last: bool) -> Doubt | None:
    if window.isascii():
        return None
    match = _DOUBTFUL.search(window)
    if match is None:
        return None
    utf8 = match.group("control") is None
    if not utf8 and not last and match.start() >= len(window) - _OVERLAP:
        return None  # the next window holds it again, with what follows
    raw = match.group()
    shown = raw.decode("utf-8" if utf8 else "cp1252", "replace")
    return Doubt(line + window.count(b"\n", 0, match.start()), utf8, f"0x{raw.hex().upper()} ({shown})")
