"""A budget as a stream of events: safe whoever sent it, and in the memory of one tag however large the file.

The seal and the figures are taken from the same events, so that what is read is what was sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from core.errors import UnreadableInput
from schemas.xml import DoctypeRefused, Malformed

_CHUNK = 1 << 16
_BETWEEN = "\x1f"  # no character of XML, so that no name or namespace holds it
_CUT_SHORT = frozenset(
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)


class Truncated(Malformed):
    """The document ends before its root element is closed."""


class Excessive(UnreadableInput):
    """The document holds something out of all proportion with a budget.

    Attributes:
        what: ``depth`` of elements, ``events`` (elements, comments and instructions), ``token`` (one of these), ``text`` (one run
            of it) or ``budgets``.
        line: where, from 1.
        limit: what is accepted, in that unit; octets for a token, characters for text.
    """

    def __init__(self, what: str, line: int, limit: int) -> None:
        super().__init__(f"line {line}: {what} above {limit}")
        self.what = what
        self.line = line
        self.limit = limit


class Name(NamedTuple):
    """The name of an element or attribute: its namespace (empty for none), its local part, and the two as written."""

    uri: str
    local: str
    written: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is accepted of a document.

    Attributes:
        depth: elements within one another; a CFU and its XAdES signatures take 16.
        token: octets of one tag with its attributes, comment or instruction. The parser starts a token afresh with every
            chunk that does not complete it, so that the square of this is what a hostile file costs.
        events: elements, comments and instructions; 40 MB of budget hold 1.3 million, and each costs some ten microseconds.
        text: characters of one run of text; a signature may carry revocation lists of some megabytes.
    """

    depth: int = 100
    token: int = 1 << 20
    events: int = 5_000_000
    text: int = 16 << 20


BOUNDS = Bounds()


class Place:
    """Where the parser stands."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self._parser = parser

    @property
    def line(self) -> int:
        """Line of the tag under way, from 1."""
        return self._parser.CurrentLineNumber

    @property
    def offset(self) -> int:
        """Octet of the file at which the tag under way begins."""
        return self._parser.CurrentByteIndex


class Listener:
    """Somebody who follows the events; a method that is not overridden ignores its events."""

    def declare(self, prefix: str, uri: str) -> None:
        """A namespace declared by the element about to start; both may be empty."""

    def start(self, name: Name, attributes: list[str], place: Place) -> None:
        """An element starts; attributes are raw names and values in turn, for ``named``."""

    def end(self, name: Name) -> None:
        """An element ends."""

    def undeclare(self, prefix: str) -> None:
        """The element that declared this namespace has ended."""

    def text(self, data: str) -> None:
        """A piece of text inside the root element, line ends normalised."""

    def instruction(self, target: str, data: str) -> None:
        """A processing instruction."""

    def comment(self, data: str) -> None:
        """A comment."""


@lru_cache(maxsize=4096)
def named(raw: str) -> Name:
    """Return the name that the parser wrote as one string."""
    uri, local, prefix = (*raw.split(_BETWEEN), "", "")[:3] if _BETWEEN in raw else ("", raw, "")
    return Name(uri, local, f"{prefix}:{local}" if prefix else local)


def walk(path: Path, listeners: Sequence[Listener], bounds: Bounds = BOUNDS) -> None:
    """Tell the events of a file to listeners, each event to all of them in turn.

    Raises:
        DoctypeRefused: a document type declaration, harmless or not; no entity is ever expanded.
        Excessive: one of the bounds is passed.
        Truncated: the file stops before the root element is closed.
        Malformed: not well-formed, empty, or of an encoding that is not known (UTF-8, UTF-16 and those of one octet are).
    """
    parser = expat.ParserCreate(namespace_separator=_BETWEEN)
    parser.namespace_prefixes = True
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.buffer_size = _CHUNK
    place = Place(parser)
    _connect(parser, place, listeners, bounds)
    read = 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                parser.Parse(chunk, False)
                read += len(chunk)
                if read - max(parser.CurrentByteIndex, 0) > bounds.token:
                    raise Excessive("token", place.line, bounds.token)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        cut = error.code in _CUT_SHORT and read > 0
        raise (Truncated if cut else Malformed)(error.lineno, expat.ErrorString(error.code)) from error
    except (LookupError, ValueError) as error:  # how the parser says that it does not know an encoding
        raise Malformed(1, str(error)) from error


def _connect(parser: expat.XMLParserType, place: Place, listeners: Sequence[Listener], bounds: Bounds) -> None:
    depth = run = seen = 0
    starts = [one.start for one in listeners if _overrides(one, "start")]
    ends = [one.end for one in listeners if _overrides(one, "end")]
    texts = [one.text for one in listeners if _overrides(one, "text")]

    def doctype(*_: object) -> None:
        raise DoctypeRefused(place.line)

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen > bounds.events:
            raise Excessive("events", place.line, bounds.events)

    def start(raw: str, attributes: list[str]) -> None:
        nonlocal depth, run
        count()
        depth, run = depth + 1, 0
        if depth > bounds.depth:
            raise Excessive("depth", place.line, bounds.depth)
        name = named(raw)
        for tell in starts:
            tell(name, attributes, place)

    def end(raw: str) -> None:
        nonlocal depth, run
        depth, run = depth - 1, 0
        name = named(raw)
        for tell in ends:
            tell(name)

    def text(data: str) -> None:
        nonlocal run
        run += len(data)
        if run > bounds.text:
            raise Excessive("text", place.line, bounds.text)
        for tell in texts:
            tell(data)

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartNamespaceDeclHandler = _telling(listeners, lambda one: lambda prefix, uri: one.declare(prefix or "", uri or ""))
    parser.EndNamespaceDeclHandler = _telling(listeners, lambda one: lambda prefix: one.undeclare(prefix or ""))
    parser.ProcessingInstructionHandler = _telling(listeners, lambda one: one.instruction, first=count)
    parser.CommentHandler = _telling(listeners, lambda one: one.comment, first=count)


def _telling(
    listeners: Sequence[Listener], method: Callable[[Listener], Callable[..., None]], *, first: Callable[[], None] = lambda: None
) -> Callable[..., None]:
    told = [method(one) for one in listeners]

    def tell(*event: str) -> None:
        first()
        for each in told:
            each(*event)

    return tell


def _overrides(listener: Listener, method: str) -> bool:
    return getattr(type(listener), method) is not getattr(Listener, method)
