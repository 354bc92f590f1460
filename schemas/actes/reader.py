"""Reading what anybody sent: messages of both directions and envelopes, leniently.

Nothing well-formed is refused: what can be read is read, what cannot is left empty, and each departure from the schema is a
warning. Judging is left to ``rules.py``. Only octets that are no XML, a DOCTYPE, and what is too large raise.

Covered beyond the schema, because the State sends it: UTF-8 under an ISO-8859-1 label or without any, dates with a time zone,
``DocumentPapier`` absent or odd, natures without typologies, levels of matière that are skipped, elements repeated (the first
one counts).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from core.errors import UnreadableInput
from core.problems import Problem
from schemas.actes.codes import ENVELOPE, ENVELOPE_FROM_STATE, ENVELOPE_TO_STATE, NAMESPACE, Direction, MessageCode, code_of_root
from schemas.actes.codes import direction_of_root as _direction
from schemas.actes.codes import kind_of_root as _kind
from schemas.actes.fields import Fields
from schemas.actes.latin import Octets, read_octets
from schemas.actes.messages import Document, EnveloppeCLMISILL, EnveloppeMISILLCL, Message
from schemas.actes.reading import CONSTRUCTORS, envelope_from_state, envelope_to_state
from schemas.actes.schema import findings
from schemas.actes.violations import problems_of
from schemas.flood import Finding
from schemas.xml import parse_pieces, refuse_doctype

LARGEST = 16 << 20
"""Largest message or envelope, in bytes: detached signatures are what takes room in one."""

MOST_TAGS = 300_000
"""Most tags in one: the largest classification known has some 1 500. A tree takes about 250 bytes a tag."""


class TooLarge(UnreadableInput):
    """The document is larger than any message, or holds more tags than any.

    Attributes:
        size: in bytes.
        tags: how many there are; None when they were not even counted.
    """

    def __init__(self, size: int, tags: int | None = None) -> None:
        super().__init__(f"{size} bytes, {tags} tags" if tags else f"{size} bytes")
        self.size = size
        self.tags = tags


@dataclass(frozen=True, slots=True)
class Read:
    """What was read.

    Attributes:
        root: local name of the root element, whatever it is.
        document: the message or envelope; None when the root is none of ACTES.
        octets: what the octets say of their encoding.
        findings: where the document departs from the schema.
        unread: values that could not be read though the schema has no objection.
        tree: the document itself.
    """

    root: str
    document: Document | None
    octets: Octets
    findings: tuple[Finding, ...]
    unread: tuple[Problem, ...]
    tree: etree._ElementTree = field(repr=False, compare=False)

    @property
    def message(self) -> Message | None:
        """The message; None for an envelope and for what is none of ACTES."""
        return self.document if isinstance(self.document, Message) else None

    @property
    def envelope(self) -> EnveloppeCLMISILL | EnveloppeMISILLCL | None:
        """The envelope; None for a message and for what is none of ACTES."""
        return self.document if isinstance(self.document, EnveloppeCLMISILL | EnveloppeMISILLCL) else None

    @property
    def departures(self) -> list[Problem]:
        """Where it departs from the schema, as errors of rule R07 for an envelope and R12 for a message, or of a finer rule."""
        told = problems_of(list(self.findings), _rule(self.root))
        places = {problem.path for problem in told}
        return told + [problem for problem in self.unread if (problem.path or "").partition("/@")[0] not in places]

    @property
    def flaws(self) -> list[Problem]:
        """The same as warnings: what the State sends is never refused for its form."""
        return [problem.as_warning() for problem in self.departures]

    @property
    def code(self) -> MessageCode | None:
        """The code of the message."""
        return None if self.message is None else self.message.code

    @property
    def kind(self) -> str | None:
        """``actes-message`` or ``actes-envelope``; None when it is none of ACTES."""
        return None if self.document is None else _kind(self.root)

    @property
    def direction(self) -> Direction | None:
        """Who sends such a document; None when it is none of ACTES."""
        return None if self.document is None else _direction(self.root)


def read(path: Path) -> Read:
    """Read a message or an envelope.

    Raises:
        DoctypeRefused: a document type declaration.
        Malformed: not well-formed XML.
        TooLarge: see ``LARGEST`` and ``MOST_TAGS``.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise TooLarge(size)
    return read_content(path.read_bytes())


def read_content(content: bytes) -> Read:
    """Read a message or an envelope held in memory, as the attachment of a mail is.

    Raises:
        DoctypeRefused, Malformed, TooLarge: as ``read``.
    """
    if len(content) > LARGEST:
        raise TooLarge(len(content))
    if (tags := content.count(b"<")) > MOST_TAGS:
        raise TooLarge(len(content), tags)
    octets = read_octets(content)
    refuse_doctype(io.BytesIO(octets.content))
    tree = parse_pieces([octets.content])
    root = tree.getroot()
    name = etree.QName(root)
    construct = _constructor(name.localname) if name.namespace == NAMESPACE else None
    if construct is None:
        return Read(name.localname, None, octets, (), (), tree)
    fields = Fields(root)
    document = construct(fields)
    found = tuple(findings(tree, octets.content))
    return Read(name.localname, document, octets, found, tuple(fields.flaws(_rule(name.localname))), tree)


def _rule(root: str) -> str:
    return "R07" if _kind(root) == ENVELOPE else "R12"


def _constructor(root: str) -> Callable[[Fields], Document] | None:
    if root == ENVELOPE_TO_STATE:
        return envelope_to_state
    if root == ENVELOPE_FROM_STATE:
        return envelope_from_state
    code = code_of_root(root)
    return None if code is None else CONSTRUCTORS[code]
