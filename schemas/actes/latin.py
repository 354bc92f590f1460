"""ISO-8859-1, the only encoding that ACTES knows: what it can hold, what can be put in other words, and who lies about it.

Rule R34. Text to be sent is transliterated where typography alone is lost, and refused otherwise, never sent as ``?``. Octets
that were received are read as UTF-8 when they are UTF-8 in truth, whatever their label: the State's own software does that.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

ENCODING = "ISO-8859-1"

_HEAD = 512
_DECLARATION = re.compile(rb"""\s*<\?xml\s[^>]*?\?>""")
_LABEL = re.compile(rb"""\sencoding\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""")
_BOM = b"\xef\xbb\xbf"
_ONE_BYTE = frozenset({"iso-8859-1", "latin1", "latin-1", "l1", "windows-1252", "cp1252", "iso-8859-15", "latin-9", "us-ascii"})
_C1 = re.compile(rb"[\x80-\x9f]")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")

_WORDS = {
    **dict.fromkeys("‘’‚‛′ʼ", "'"),
    **dict.fromkeys("“”„‟″", '"'),
    **dict.fromkeys("‹", "<"),
    **dict.fromkeys("›", ">"),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u205f", " "),
    **dict.fromkeys("\u2007\u202f", "\u00a0"),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
    "…": "...",
    "•": "-",
    "€": "EUR",
    "œ": "oe",
    "Œ": "OE",
    "Ÿ": "Y",
    "™": "(TM)",
    "ﬀ": "ff",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "ﬃ": "ffi",
    "ﬄ": "ffl",
}


class Flaw(StrEnum):
    """What is wrong with the encoding of a document."""

    UNDECLARED = "undeclared"
    OTHER = "other"
    UTF8 = "utf8"
    CONTROL = "control"
    BOM = "bom"


@dataclass(frozen=True, slots=True)
class Octets:
    """The octets of a document, ready for a parser.

    Attributes:
        content: relabelled when the label lied.
        label: the encoding that was declared, as written; None without one.
        flaw: what is wrong with it for ACTES; None when nothing is. A document without a single accent and without a label
            has none: it reads the same in every encoding.
        line: where the first doubtful octet stands, from 1.
        found: the label, or the octets and what they look like.
    """

    content: bytes
    label: str | None
    flaw: Flaw | None = None
    line: int = 1
    found: str | None = None


def transliterate(text: str) -> str:
    """Return the text with typography put in characters that ISO-8859-1 has: ’ as ', œ as oe, € as EUR, … as three stops.

    What has no such equivalent is left for ``untransmittable`` to find. Characters between U+0080 and U+009F, which are
    Windows-1252 misread, are put right first.
    """
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text)
    return "".join(_put(character) for character in composed)


def untransmittable(text: str) -> tuple[str, ...]:
    """Return the characters of a text that cannot be sent, each once, in their order; tabs and line breaks can."""
    return tuple(dict.fromkeys(character for character in text if ord(character) > 0xFF or _ILLEGAL.match(character)))


def read_octets(content: bytes) -> Octets:
    """Look at the octets of a document before a parser does (XML 1.0, 4.3.3).

    Octets that are UTF-8 under a one-byte label, or that are not UTF-8 without any label, get the label that they deserve.
    """
    bom, body = content.startswith(_BOM), content.removeprefix(_BOM)
    declaration = _DECLARATION.match(body[:_HEAD])
    label = _label(declaration.group()) if declaration else None
    one_byte = (label or "").lower() in _ONE_BYTE
    if bom:
        return Octets(_relabelled(body, declaration, "UTF-8"), label, Flaw.BOM, found="UTF-8")
    if one_byte and (text := _hidden_utf8(body)) is not None:
        line, found = _first_accent(text)
        return Octets(_relabelled(body, declaration, "UTF-8"), label, Flaw.UTF8, line, found)
    if label is None:
        return _unlabelled(body, declaration)
    if label.upper() != ENCODING:
        return Octets(body, label, Flaw.OTHER, found=label)
    if control := _C1.search(body):
        octet = control.group()
        found = f"0x{octet.hex().upper()} ({octet.decode('cp1252', 'replace')})"
        return Octets(_relabelled(body, declaration, "windows-1252"), label, Flaw.CONTROL, _line(body, control.start()), found)
    return Octets(body, label)


def _put(character: str) -> str:
    if "\x80" <= character <= "\x9f":
        character = character.encode("latin-1").decode("cp1252", "replace")
    return _WORDS.get(character, character)


def _unlabelled(body: bytes, declaration: re.Match[bytes] | None) -> Octets:
    if body.isascii() or body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Octets(body, None) if body.isascii() else Octets(body, None, Flaw.OTHER, found="UTF-16")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"0x{body[error.start]:02X}"
        return Octets(_relabelled(body, declaration, ENCODING), None, Flaw.UNDECLARED, _line(body, error.start), found)
    return Octets(body, None, Flaw.UNDECLARED)


def _hidden_utf8(body: bytes) -> str | None:
    """Return the text of octets that are UTF-8 and say something in it; one lucky pair of Latin letters is no proof."""
    if body.isascii():
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    plausible = all(character.isascii() or character in _WORDS or _in_windows(character) for character in text)
    return text if plausible else None


def _in_windows(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _first_accent(text: str) -> tuple[int, str]:
    rank = next(rank for rank, character in enumerate(text) if not character.isascii())
    octets = text[rank].encode()
    return text.count("\n", 0, rank) + 1, f"0x{octets.hex().upper()} ({text[rank]})"


def _label(declaration: bytes) -> str | None:
    match = _LABEL.search(declaration)
    return (match.group(1) or match.group(2) or b"").decode("ascii", "replace") if match else None


def _relabelled(body: bytes, declaration: re.Match[bytes] | None, label: str) -> bytes:
    """Return the document under another label; the lines keep their numbers."""
    lines = 0 if declaration is None else declaration.group().count(b"\n")
    rest = body if declaration is None else body[declaration.end() :]
    return f'<?xml version="1.0" encoding="{label}"?>'.encode() + b"\n" * lines + rest


def _line(body: bytes, offset: int) -> int:
    return body.count(b"\n", 0, offset) + 1
