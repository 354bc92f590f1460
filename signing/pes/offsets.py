"""Where the bytes of a PES stand that a seal touches: one pass over the file, nothing kept of its content.

A seal is inserted as text, because writing the tree again would change bytes that nobody asked to change (encoding of characters,
line ends, white space in tags).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.parsers import expat

from core.errors import UnreadableInput
from schemas.xml import DoctypeRefused, refuse_long_token
from signing.pes.edits import rewritten
from signing.pes.layout import FLAG, HEADERS
from signing.pes.texts import Run, marked

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
        encoding: as declared; UTF-8 when nothing is.
        root: the root element.
        blocks: the domains, in order.
        identifiers: every Id of the file, with how often it occurs.
        runs: its long texts, those in a signature left out.
    """

    encoding: str
    root: Place
    blocks: list[Block]
    identifiers: Counter[str]
    runs: tuple[Run, ...]


def locate(path: Path, texts: Sequence[Run] = ()) -> Layout:
    """Find the places of a PES_Aller.

    Args:
        path: the file.
        texts: stretches that look like long texts; those that are, outside signatures, are not read.

    Raises:
        DoctypeRefused: a DOCTYPE is declared.
        UnreadableInput: not well-formed XML, of an encoding that the reader does not know, or a token that is too long.
    """
    reader, fed = _Reader(texts), 0
    try:
        for piece in rewritten(path, marked(texts, reader.target)):
            reader.parser.Parse(piece, False)
            fed += len(piece)
            refuse_long_token(reader.parser, fed)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError) as error:
        if not texts:
            raise UnreadableInput(str(error)) from error
    if reader.met != len(texts):  # one of them was something else, such as a long attribute: all is read
        return locate(path)
    headers = [block.header for block in reader.blocks if block.header is not None]
    bordereaux = [place for block in reader.blocks for place in block.bordereaux]
    with path.open("rb") as stream:
        for place in (reader.root, *headers, *bordereaux):
            _forget_close_of_empty(stream, place, reader.encoding)
    return Layout(reader.encoding, reader.root, reader.blocks, reader.identifiers, tuple(reader.runs))


def _forget_close_of_empty(stream: IO[bytes], place: Place, encoding: str) -> None:
    """Tell an end tag from the end of an empty-element tag, for which the parser gives the offset of what follows."""
    tag = f"</{place.name}".encode(encoding)
    stream.seek(place.close or 0)
    if stream.read(len(tag)) != tag:
        place.close = None


class _Reader:
    """The handlers of the pass; ``trail`` holds the elements open, down to the depth that matters."""

    def __init__(self, texts: Sequence[Run]) -> None:
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
        self.parser.ProcessingInstructionHandler = self.instruction
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.texts = texts
        self.target = f"run-{secrets.token_hex(8)}"  # what no document can hold but by chance
        self.met = 0
        self.runs: list[Run] = []
        self.in_signature = 0
        self.skipped = self.skipped_lines = 0

    def doctype(self, *_: object) -> None:
        raise DoctypeRefused(self.parser.CurrentLineNumber)

    def instruction(self, target: str, data: str) -> None:
        """Take note of a long text, and that what follows stands further on in the file."""
        if target != self.target:
            return
        run = self.texts[int(data)]
        self.met += bool(self.trail)
        if not self.in_signature:
            self.runs.append(run)
        self.skipped += run.end - run.start - len(f"<?{target} {data}?>")
        self.skipped_lines += run.lines

    @property
    def offset(self) -> int:
        """Where the parser is in the file."""
        return self.parser.CurrentByteIndex + self.skipped

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.encoding = encoding or self.encoding

    def start(self, name: str, attributes: dict[str, str]) -> None:
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
        place = Place(name, self.parser.CurrentLineNumber + self.skipped_lines, self.offset)
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
        if self.in_signature:
            self.in_signature -= 1
        place = self.open.pop(len(self.trail), None)
        if place is not None:
            place.close = self.offset
        self.trail.pop()


_DEEPEST = 4
