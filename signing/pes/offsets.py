"""Where the bytes of a PES stand that a seal touches: one pass over the file, nothing kept of its content.

A seal is inserted as text, because writing the tree again would change bytes that nobody asked to change (encoding of characters,
line ends, white space in tags).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.parsers import expat

from core.errors import UnreadableInput
from schemas.xml import DoctypeRefused
from signing.pes.layout import FLAG, HEADERS

_CHUNK = 1 << 16
_LONG = 1 << 20
_IDENTIFIERS = ("Id", "ID", "id", "xml:id")


@dataclass(slots=True)
class Place:
    """An element whose bytes matter.

    Attributes:
        name: as written, prefix included.
        line: of its start tag, from 1.
        start: offset of the ``<`` of its start tag.
        close: offset of the ``<`` of its end tag; None for an empty-element tag.
        identifier: its Id.
        value: its attribute V.
        signatures: how many ds:Signature are among its children.
    """

    name: str
    line: int
    start: int
    close: int | None = None
    identifier: str | None = None
    value: str | None = None
    signatures: int = 0

    @property
    def prefix(self) -> str:
        """The prefix of the name with its colon, or nothing."""
        head, colon, _ = self.name.rpartition(":")
        return head + colon


@dataclass(frozen=True, slots=True)
class Run:
    """A long text, such as an attachment: octets of US-ASCII that hold nothing to escape, and CR only before LF.

    Attributes:
        start: offset of its first byte.
        end: offset after its last byte.
        lines: number of line ends in it.
    """

    start: int
    end: int
    lines: int


@dataclass(slots=True)
class Block:
    """A domain: its header, the flag in it, its bordereaux."""

    name: str
    header: Place | None = None
    flag: Place | None = None
    bordereaux: list[Place] = field(default_factory=list)


@dataclass(slots=True)
class Layout:
    """A file as bytes.

    Attributes:
        sha256: of the whole file.
        encoding: as declared; UTF-8 when nothing is.
        root: the root element.
        blocks: the domains, in order.
        identifiers: every Id of the file, with how often it occurs.
        runs: its long texts, those in a signature left out.
    """

    sha256: bytes
    encoding: str
    root: Place
    blocks: list[Block]
    identifiers: Counter[str]
    runs: tuple[Run, ...]


def locate(path: Path) -> Layout:
    """Find the places of a PES_Aller.

    Raises:
        DoctypeRefused: a DOCTYPE is declared.
        UnreadableInput: not well-formed XML, or of an encoding that the reader does not know.
    """
    reader = _Reader()
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                reader.parser.Parse(chunk, False)
            reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError) as error:
        raise UnreadableInput(str(error)) from error
    headers = [block.header for block in reader.blocks if block.header is not None]
    bordereaux = [place for block in reader.blocks for place in block.bordereaux]
    with path.open("rb") as stream:
        for place in (reader.root, *headers, *bordereaux):
            _forget_close_of_empty(stream, place, reader.encoding)
        runs = tuple(run for start, end in reader.texts if (run := _run(stream, start, end)) is not None)
    return Layout(digest.digest(), reader.encoding, reader.root, reader.blocks, reader.identifiers, runs)


def _run(stream: IO[bytes], start: int, end: int) -> Run | None:
    """Return a long text as a run, if its octets are fit to be one."""
    stream.seek(start)
    lines, left, before = 0, end - start, b""
    while left and (piece := stream.read(min(left, _LONG))):
        left -= len(piece)
        if not piece.isascii() or b"&" in piece or b">" in piece or b"<" in piece:
            return None
        lines += piece.count(b"\n")
        if b"\r" in piece or before == b"\r":
            seen = before + piece
            if seen.count(b"\r", 0, -1) != seen.count(b"\r\n"):
                return None
        before = piece[-1:]
    return None if before == b"\r" else Run(start, end, lines)


def _forget_close_of_empty(stream: IO[bytes], place: Place, encoding: str) -> None:
    """Tell an end tag from the end of an empty-element tag, for which the parser gives the offset of what follows."""
    tag = f"</{place.name}".encode(encoding)
    stream.seek(place.close or 0)
    if stream.read(len(tag)) != tag:
        place.close = None


class _Reader:
    """The handlers of the pass; ``trail`` holds the elements open, down to the depth that matters."""

    def __init__(self) -> None:
        self.encoding = "UTF-8"
        self.root = Place("", 0, 0)
        self.blocks: list[Block] = []
        self.identifiers: Counter[str] = Counter()
        self.trail: list[str] = []
        self.open: dict[int, Place] = {}
        self.parser = expat.ParserCreate()
        self.parser.XmlDeclHandler = self.declaration
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CommentHandler = self.aside
        self.parser.ProcessingInstructionHandler = self.aside
        self.parser.StartCdataSectionHandler = self.cdata
        self.parser.EndCdataSectionHandler = self.aside
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.texts: list[tuple[int, int]] = []
        self.text_from: int | None = None
        self.in_signature = 0

    def doctype(self, *_: object) -> None:
        raise DoctypeRefused(self.parser.CurrentLineNumber)

    def text(self, _text: str) -> None:
        """Take note of where a text begins, and hear no more of it."""
        self.text_from = self.parser.CurrentByteIndex
        self.parser.CharacterDataHandler = None

    def cdata(self) -> None:
        """Leave the text of a CDATA section alone."""
        self.aside()
        self.parser.CharacterDataHandler = None

    def aside(self, *_: object) -> None:
        """End the text before any markup."""
        if self.text_from is not None and self.parser.CurrentByteIndex - self.text_from >= _LONG and not self.in_signature:
            self.texts.append((self.text_from, self.parser.CurrentByteIndex))
        self.text_from = None
        self.parser.CharacterDataHandler = self.text

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.encoding = encoding or self.encoding

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.aside()
        for key in _IDENTIFIERS:
            if key in attributes:
                self.identifiers[attributes[key]] += 1
        local = name.rpartition(":")[2]
        self.trail.append(local)
        if self.in_signature or local == "Signature":
            self.in_signature += 1
        depth = len(self.trail)
        if depth > _DEEPEST:
            return
        place = Place(name, self.parser.CurrentLineNumber, self.parser.CurrentByteIndex)
        place.identifier, place.value = attributes.get("Id"), attributes.get("V")
        self.open[depth] = place
        self.keep(depth, place)

    def keep(self, depth: int, place: Place) -> None:
        local = self.trail[-1]
        if local == "Signature" and depth > 1:
            self.open[depth - 1].signatures += 1
        if depth == 1:
            self.root = place
        elif depth == 2 and local in HEADERS:
            self.blocks.append(Block(local))
        elif depth > 2 and self.trail[1] in HEADERS:
            self.inside(self.blocks[-1], place)

    def inside(self, block: Block, place: Place) -> None:
        header = HEADERS[block.name]
        if self.trail[2:] == ["Bordereau"]:
            block.bordereaux.append(place)
        elif self.trail[2:] == [header]:
            block.header = place
        elif self.trail[2:] == [header, FLAG]:
            block.flag = place

    def end(self, _name: str) -> None:
        self.aside()
        if self.in_signature:
            self.in_signature -= 1
        place = self.open.pop(len(self.trail), None)
        if place is not None:
            place.close = self.parser.CurrentByteIndex
        self.trail.pop()


_DEEPEST = 4
