"""The exclusive canonical form of a PES read as a stream of bytes: no tree, and memory that does not grow with the file.

libxml2 escapes a text node as a whole, in a buffer of up to twice its size: an attachment of 120 MB under a signature over the
whole file costs it a quarter of a gigabyte. Here text goes to the hash in pieces; but a tag costs some fifteen times what it
costs from a tree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from core.errors import UnreadableInput
from schemas.xml import DoctypeRefused, refuse_long_token
from signing.pes.layout import ALLER, DS, HEADERS

WHOLE = 0
"""The place of the root; bordereaux follow from 1, in the order of the file."""

_TEXT_PIECE = 1 << 16
_XML = "http://www.w3.org/XML/1998/namespace"
_DEEPEST_PLACE = 3
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_MARKS_IN_TEXT = re.compile(r"[&<>\r]")
_MARKS_IN_ATTRIBUTE = re.compile(r"[&<\"\t\n\r]")
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_IN_ATTRIBUTE = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)  # fmt: skip


Texts = Callable[[str, str], Iterable[bytes] | None]
"""Gives the canonical text that an instruction stands for, by its target and data; None for an instruction of the document."""


def digests(pieces: Iterable[bytes], wanted: Mapping[int, str], texts: Texts = lambda _target, _data: None) -> dict[int, bytes]:
    """Return the digest of elements in exclusive canonical form without comments, each without the signatures among its children.

    Exclusive XML Canonicalization 1.0 on what Canonical XML 1.0 says of tags and text; enveloped signature, XMLDSig 6.6.4. The
    root takes in the instructions that stand beside it, as the reference ``URI=""`` does.

    Args:
        pieces: the bytes of a PES_Aller, in order.
        wanted: the hash's name by place: ``WHOLE``, or the rank of a bordereau from 1.
        texts: what stands in for long texts.

    Returns:
        The digest by place, for those of the wanted that are there.

    Raises:
        UnreadableInput: a DOCTYPE, not well-formed, a prefix that is not declared, a token that is too long.
    """
    reader, fed = _Reader(wanted, texts), 0
    try:
        for piece in pieces:
            reader.parser.Parse(piece, False)
            fed += len(piece)
            refuse_long_token(reader.parser, fed)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding that expat does not know
        raise UnreadableInput(str(error)) from error
    return {place: form.hash.digest() for place, form in reader.forms.items()}


@dataclass(slots=True)
class _Form:
    """The canonical form of one element, being written.

    Attributes:
        depth: of the element; the root's is 1.
        hash: what it is written to.
        rendered: for each element open in it, the namespaces in force in the output, by prefix.
        cut: depth of the signature being left out; 0 outside.
    """

    depth: int
    hash: hashlib._Hash
    rendered: list[dict[str, str]] = field(default_factory=lambda: [{"": ""}])
    cut: int = 0

    def start(self, name: str, attributes: list[tuple[str, str]], scope: dict[str, str]) -> None:
        """Write a start tag: namespaces first, by prefix, then attributes by namespace and local name."""
        rendered = self.rendered[-1]
        used = {name.rpartition(":")[0]}
        plain = [(key, value) for key, value in attributes if key != "xmlns" and not key.startswith("xmlns:")]
        used.update(key.rpartition(":")[0] for key, _ in plain if ":" in key)
        fresh = {
            prefix: uri
            for prefix in sorted(used)
            if prefix != "xml" and rendered.get(prefix) != (uri := _namespace(scope, prefix))
        }  # fmt: skip
        written = [("xmlns:" + prefix if prefix else "xmlns", uri) for prefix, uri in fresh.items()]
        written += sorted(plain, key=lambda attribute: _rank(attribute[0], scope)) if len(plain) > 1 else plain
        shown = "".join([f' {key}="{_attribute(value)}"' for key, value in written])
        self.hash.update(f"<{name}{shown}>".encode())
        self.rendered.append(rendered | fresh if fresh else rendered)

    def end(self, name: str) -> None:
        """Write an end tag; an empty element has one too."""
        self.hash.update(f"</{name}>".encode())
        self.rendered.pop()


def _refuse_relative(namespaces: Iterable[str]) -> None:
    """Refuse a namespace that is a relative URI: there is no canonical form with one (Canonical XML 1.0, 1.3)."""
    for namespace in namespaces:
        if namespace and not _ABSOLUTE.match(namespace):
            raise UnreadableInput(f"the namespace {namespace} is a relative URI")


def _rank(key: str, scope: dict[str, str]) -> tuple[str, str]:
    """Return what an attribute is sorted by; one without prefix is in no namespace."""
    prefix, _, local = key.rpartition(":")
    return (_namespace(scope, prefix) if prefix else "", local)


def _attribute(value: str) -> str:
    return value.translate(_IN_ATTRIBUTE) if _MARKS_IN_ATTRIBUTE.search(value) else value


def _namespace(scope: dict[str, str], prefix: str) -> str:
    uri = scope.get(prefix)
    if uri is None:
        raise UnreadableInput(f"the prefix {prefix} is not declared")
    return uri


class _Reader:
    """The handlers of the pass.

    Attributes:
        forms: those begun, by place.
        active: those of the elements that are open.
        scopes: the namespaces in force for each open element, by prefix.
    """

    def __init__(self, wanted: Mapping[int, str], texts: Texts) -> None:
        self.wanted = wanted
        self.texts = texts
        self.forms: dict[int, _Form] = {}
        self.active: list[_Form] = []
        self.scopes: list[dict[str, str]] = [{"": "", "xml": _XML}]
        self.trail: list[str] = []
        self.bordereaux = 0
        self.before: list[bytes] = []
        parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.buffer_size = _TEXT_PIECE
        parser.StartDoctypeDeclHandler = self.doctype
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.ProcessingInstructionHandler = self.instruction
        self.parser = parser

    def doctype(self, *_: object) -> None:
        raise DoctypeRefused(self.parser.CurrentLineNumber)

    def start(self, name: str, flat: list[str]) -> None:
        scope = self.scopes[-1]
        attributes = list(zip(flat[::2], flat[1::2], strict=True))
        if declared := {key[6:]: value for key, value in attributes if key == "xmlns" or key.startswith("xmlns:")}:
            scope = scope | declared
        self.scopes.append(scope)
        self.trail.append(name)
        depth = len(self.trail)
        if depth <= _DEEPEST_PLACE:
            self.begin(depth)
        for form in self.active:
            if not form.cut and depth == form.depth + 1 and self.is_signature(name, scope):
                form.cut = depth
            if not form.cut:
                _refuse_relative(declared.values())
                form.start(name, attributes, scope)

    def begin(self, depth: int) -> None:
        """Begin the form of an element that is wanted."""
        place = self.place(depth)
        if place is None or place not in self.wanted:
            return
        form = _Form(depth, hashlib.new(self.wanted[place]))
        if place == WHOLE:
            for instruction in self.before:
                form.hash.update(instruction)
        self.forms[place] = form
        self.active.append(form)
        self.parser.CharacterDataHandler = self.text

    def place(self, depth: int) -> int | None:
        """Tell which place the element just opened is, the way ``layout.domains`` finds them in a tree."""
        if depth == 1:
            return WHOLE
        root, *rest = self.trail
        if depth != _DEEPEST_PLACE or _local(rest[0]) not in HEADERS or _local(rest[1]) != "Bordereau":
            return None
        prefix, _, local = root.rpartition(":")
        if local != "PES_Aller" or self.scopes[1].get(prefix) != ALLER:
            return None
        self.bordereaux += 1
        return self.bordereaux

    def is_signature(self, name: str, scope: dict[str, str]) -> bool:
        prefix, _, local = name.rpartition(":")
        return local == "Signature" and scope.get(prefix) == DS

    def text(self, text: str) -> None:
        octets = (text.translate(_IN_TEXT) if _MARKS_IN_TEXT.search(text) else text).encode()
        for form in self.active:
            if not form.cut:
                form.hash.update(octets)

    def instruction(self, target: str, data: str) -> None:
        if (text := self.texts(target, data)) is not None:
            forms = [form for form in self.active if not form.cut]
            for piece in text if forms else ():
                for form in forms:
                    form.hash.update(piece)
            return
        written = f"<?{target} {data}?>".encode() if data else f"<?{target}?>".encode()
        if self.trail:
            for form in self.active:
                if not form.cut:
                    form.hash.update(written)
        elif WHOLE in self.forms:
            self.forms[WHOLE].hash.update(b"\n" + written)
        else:
            self.before.append(written + b"\n")

    def end(self, name: str) -> None:
        depth = len(self.trail)
        for form in self.active:
            if not form.cut:
                form.end(name)
            elif form.cut == depth:
                form.cut = 0
        self.active = [form for form in self.active if form.depth != depth]
        if not self.active:
            self.parser.CharacterDataHandler = None
        self.scopes.pop()
        self.trail.pop()


def _local(name: str) -> str:
    return name.rpartition(":")[2]
