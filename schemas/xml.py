"""Reading XML that a stranger sent: the DOCTYPE is refused before any tree is built, and nothing is fetched or expanded.

Sizes are bounded by the caller, who knows the limit of the document at hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO
from xml.parsers import expat

from lxml import etree

from core.errors import UnreadableInput

LONGEST_TOKEN = 1 << 20
"""Octets that one tag with its attributes, one comment or one instruction may take. With every chunk, expat begins anew the token
that the chunk does not end: the square of this is what a hostile file costs."""

_CHUNK = 1 << 16


class DoctypeRefused(UnreadableInput):
    """The document declares a DOCTYPE, which is never accepted.

    Attributes:
        line: where the declaration stands, from 1.
    """

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}: a DOCTYPE is declared")
        self.line = line


class TokenTooLong(DoctypeRefused):
    """A tag, comment or instruction is too long to look behind: a DOCTYPE may stand there."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.args = (f"line {line}: a tag, comment or instruction of more than {LONGEST_TOKEN >> 20} MiB",)


class Malformed(UnreadableInput):
    """The document is not well-formed XML.

    Attributes:
        line: where reading stopped, from 1.
        reason: what the parser says, in English.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def parse(path: Path) -> etree._ElementTree:
    """Return the tree of an XML file, having refused a DOCTYPE first.

    Text nodes above 10 MB are legal here (a PES carries its attachments), hence ``huge_tree``. Entities need a DOCTYPE: one that
    an encoding hides from the first look is refused by the second, and what it expands until then is bounded by libxml2.

    Raises:
        DoctypeRefused: a document type declaration, harmless or not.
        Malformed: not well-formed, empty, or of an encoding that is not known.
    """
    with path.open("rb") as stream:
        refuse_doctype(stream)
        stream.seek(0)
        # Not by its path: libxml2 would inflate a gzip, and what came out of it was held against no limit.
        return parse_pieces(iter(partial(stream.read, _CHUNK), b""))


def parse_pieces(pieces: Iterable[bytes]) -> etree._ElementTree:
    """Return the tree of an XML document given in pieces, whose prolog was looked at before.

    Raises:
        DoctypeRefused, Malformed: as ``parse``.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=True, collect_ids=False
    )
    try:
        tree = etree.parse(_Pieces(pieces), parser)
    except etree.XMLSyntaxError as error:
        line, _ = error.position
        raise Malformed(line or 1, error.msg or "not well-formed") from error
    except OSError as error:  # how this parser says that octets are not of the encoding; what gives them was just read
        raise Malformed(1, str(error)) from error
    if tree.docinfo.internalDTD is not None:  # an encoding that only this parser knows may have hidden it from the first look
        raise DoctypeRefused(1)
    return tree


class _Pieces:
    """Pieces, as the file that the parser wants to read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def read(self, _size: int) -> bytes:
        """Return the next piece that is not empty, and nothing at the end."""
        return next((piece for piece in self._pieces if piece), b"")


def refuse_doctype(stream: IO[bytes]) -> None:
    """Read the prolog, up to the root element, and refuse a DOCTYPE there.

    Only the prolog can hold one; what follows is left to the tree parser. A prolog that cannot be read is left to it too:
    its message is better.

    Raises:
        DoctypeRefused: there is one.
        TokenTooLong: there may be one.
    """
    parser = expat.ParserCreate()

    def doctype(*_: object) -> None:
        raise DoctypeRefused(parser.CurrentLineNumber)

    def root(*_: object) -> None:
        raise _PrologRead

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = root
    with suppress(_PrologRead, expat.ExpatError, LookupError, ValueError):  # the last two: an encoding that expat does not know
        _feed(parser, stream)


def refuse_long_tokens(stream: IO[bytes]) -> None:
    """Read a document to its end, as far as it can be read, and refuse a tag, comment or instruction that takes too long to read.

    Raises:
        TokenTooLong: there is one.
    """
    with suppress(expat.ExpatError, LookupError, ValueError):
        _feed(expat.ParserCreate(), stream)


def refuse_long_token(parser: expat.XMLParserType, fed: int) -> None:
    """Go on only if the token that a parser is in is not too long; ``fed`` is how many octets it was given.

    Raises:
        TokenTooLong: it is.
    """
    if fed - max(parser.CurrentByteIndex, 0) > LONGEST_TOKEN:
        raise TokenTooLong(parser.CurrentLineNumber)


def _feed(parser: expat.XMLParserType, stream: IO[bytes]) -> None:
    fed = 0
    while chunk := stream.read(_CHUNK):
        parser.Parse(chunk, False)
        fed += len(chunk)
        refuse_long_token(parser, fed)


def root_of_file(path: Path) -> str | None:
    """Return the root element of a file in Clark notation, by the parser that reads it later; None when it is no XML so far.

    Raises:
        DoctypeRefused: a document type declaration.
    """
    with path.open("rb") as stream:
        refuse_doctype(stream)
        stream.seek(0)
        events = etree.iterparse(stream, ("start",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
        try:
            _, root = next(events)
        except (etree.XMLSyntaxError, StopIteration):
            return None
    return str(root.tag)


class _PrologRead(Exception):
    """The root element has begun."""
