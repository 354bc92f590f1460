"""Reading the XML of an invoice, whoever wrote it: a small tree, and the documents attached to it as files beside.

Attachments are most of a large file. Their text goes to a file as it comes, and a placeholder stands in the tree, so that 120 MB
cost no more memory than the rest of the invoice. A DOCTYPE is refused at its first letter; all else is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from lxml import etree

from core.errors import UnreadableInput
from schemas.invoices.pieces import MOST_OCTETS, Decoding, Piece
from schemas.xml import DoctypeRefused, Malformed

PLACEHOLDER = "AAAA"
"""What stands in the tree for an attachment: base64, as schemas want it."""

_ATTACHED = frozenset({"Contenu", "AttachmentBinaryObject", "EmbeddedDocumentBinaryObject"})
_CHUNK = 1 << 16
_LAST_LINE = 65_535  # a tree holds no number from here on; problems further down are told by their path alone
_BETWEEN = "\x1f"  # no character of XML, so that no name or namespace holds it


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is accepted of an invoice.

    Attributes:
        text: characters besides attachments: 10 MiB hold some 10 000 lines.
        elements: each costs some 300 octets.
        depth: elements within one another; UBL takes some 12.
        token: octets of one tag with its attributes, comment or instruction.
        pieces: attachments.
        octets: of all attachments together, taken out: many small bombs are a large one.
    """

    text: int = 10 << 20
    elements: int = 300_000
    depth: int = 64
    token: int = 1 << 20
    pieces: int = 1_000
    octets: int = 4 * MOST_OCTETS


BOUNDS = Bounds()


class Excessive(UnreadableInput):
    """The document holds something out of all proportion with an invoice.

    Attributes:
        what: the name of one of ``Bounds``.
        line: where, from 1.
        limit: what is accepted, in its unit.
    """

    def __init__(self, what: str, line: int, limit: int) -> None:
        super().__init__(f"line {line}: {what} above {limit}")
        self.what = what
        self.line = line
        self.limit = limit


@dataclass(slots=True)
class Source:
    """What was read.

    Attributes:
        tree: without processing instructions, comments, and the text of attachments; elements know their line.
        pieces: the attachments, in the order of the file.
    """

    tree: etree._ElementTree
    pieces: list[Piece]
    _ranks: dict[etree._Element, int] = field(default_factory=dict)

    def rank(self, element: etree._Element) -> int | None:
        """Return the rank of the piece that an element holds; None when it holds none."""
        return self._ranks.get(element)


def read(path: Path, folder: Path, bounds: Bounds = BOUNDS) -> Source:
    """Return the tree of a file and its attachments.

    Args:
        path: the file, whose size was bounded.
        folder: where attachments go, under names of ours; it must hold nothing else.
        bounds: what is accepted.

    Raises:
        DoctypeRefused: a document type declaration, harmless or not; no entity is ever expanded.
        Excessive: one of the bounds is passed.
        Malformed: not well-formed, empty, or of an encoding that is not known (UTF-8, UTF-16 and those of one octet are).
    """
    parser = expat.ParserCreate(namespace_separator=_BETWEEN)
    parser.namespace_prefixes = True
    parser.buffer_text = True
    parser.buffer_size = _CHUNK
    building = _Building(parser, folder, bounds)
    fed = 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                parser.Parse(chunk, False)
                fed += len(chunk)
                # The parser takes a token anew with each chunk that does not end it: its square is what a hostile file costs.
                if fed - max(parser.CurrentByteIndex, 0) > bounds.token:
                    raise Excessive("token", parser.CurrentLineNumber, bounds.token)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Malformed(error.lineno, expat.ErrorString(error.code)) from error
    except (LookupError, ValueError) as error:  # how the parser says that it does not know an encoding
        raise Malformed(1, str(error)) from error
    finally:
        building.abandon()
    return Source(etree.ElementTree(building.root), building.pieces, building.ranks)


class _Building:
    """A tree under way."""

    def __init__(self, parser: expat.XMLParserType, folder: Path, bounds: Bounds) -> None:
        self.root: etree._Element | None = None
        self.pieces: list[Piece] = []
        self.ranks: dict[etree._Element, int] = {}
        self._parser, self._folder, self._bounds = parser, folder, bounds
        self._open: list[etree._Element] = []
        self._last: etree._Element | None = None  # closed last, below the one that is open
        self._declared: dict[str | None, str] = {}
        self._texts: list[str] = []
        self._decoding: Decoding | None = None
        self._elements = self._characters = self._octets = 0
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def abandon(self) -> None:
        """Close the attachment that was under way when reading stopped."""
        if self._decoding is not None:
            self._decoding.conclude()

    def _doctype(self, *_: object) -> None:
        raise DoctypeRefused(self._parser.CurrentLineNumber)

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        if uri:
            self._declared[prefix or None] = uri

    def _start(self, raw: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._characters += sum(map(len, attributes.values()))
        self._within("elements", self._elements)
        self._within("text", self._characters)
        self._within("depth", len(self._open) + 1)
        self._flush()
        if self._decoding is not None:
            self._decoding.spoil("markup")
        named = {_clark(name): value for name, value in attributes.items()}
        if self.root is None:
            element = self.root = etree.Element(_clark(raw), named, nsmap=self._declared)
        else:
            element = etree.SubElement(self._open[-1], _clark(raw), named, nsmap=self._declared)
        line = self._parser.CurrentLineNumber
        element.sourceline = line if line < _LAST_LINE else 0
        self._declared = {}
        self._open.append(element)
        self._last = None
        if self._decoding is None and etree.QName(element).localname in _ATTACHED:
            self._attach(element)

    def _attach(self, element: etree._Element) -> None:
        rank = len(self.ranks)
        self._within("pieces", rank + 1)
        self.ranks[element] = rank
        self._decoding = Decoding(self._folder / f"{rank:04}.octets", self._parser.CurrentLineNumber)

    def _end(self, _: str) -> None:
        self._flush()
        element = self._last = self._open.pop()
        if self._decoding is not None and element in self.ranks:
            decoding, self._decoding = self._decoding, None
            self.pieces.append(decoding.conclude())
            self._octets += self.pieces[-1].size
            self._within("octets", self._octets)
            del element[:]
            element.text = PLACEHOLDER

    def _text(self, data: str) -> None:
        if self._decoding is not None:
            self._decoding.take(data)
            return
        self._characters += len(data)
        self._within("text", self._characters)
        self._texts.append(data)

    def _flush(self) -> None:
        text = "".join(self._texts)
        self._texts.clear()
        if not text or not self._open:
            return
        if self._last is None:
            self._open[-1].text = (self._open[-1].text or "") + text
        else:
            self._last.tail = (self._last.tail or "") + text

    def _within(self, what: str, value: int) -> None:
        limit: int = getattr(self._bounds, what)
        if value > limit:
            raise Excessive(what, self._parser.CurrentLineNumber, limit)


def _clark(raw: str) -> str:
    """Return a name as lxml writes it."""
    uri, between, rest = raw.partition(_BETWEEN)
    return f"{{{uri}}}{rest.partition(_BETWEEN)[0]}" if between else raw


def path_of(element: etree._Element) -> str:
    """Return where an element stands: its name and those above it as the document writes them, numbered among their like."""
    steps = []
    for one in (element, *element.iterancestors()):
        name = etree.QName(one).localname
        named = f"{one.prefix}:{name}" if one.prefix else name
        before = sum(1 for _ in one.itersiblings(one.tag, preceding=True))
        alone = not before and next(one.itersiblings(one.tag), None) is None
        steps.append(named if alone else f"{named}[{before + 1}]")
    return "/" + "/".join(reversed(steps))
