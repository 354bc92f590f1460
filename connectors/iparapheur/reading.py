"""A message from the octets of a SOAP 1.1 envelope, held to its type: nothing missing, nothing twice, no wrong value.

Documents go to files as they are decoded. XOP (MTOM) is read too: a document then stands in a part of its own.
"""

from __future__ import annotations

import binascii
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from lxml import etree

from connectors.iparapheur.errors import MessageUnreadable
from connectors.iparapheur.fields import Field, fields_of, messages_by_element
from connectors.iparapheur.messages import NAMESPACE, SOAP, XMLMIME, XSI, Document, Fault, Message, Request
from connectors.iparapheur.parts import is_multipart, separate
from connectors.iparapheur.texts import Thinned, thin
from core.identifiers import new_id
from core.messages import Catalogue
from schemas.xml import DoctypeRefused, Malformed, parse_pieces, refuse_doctype

_messages = Catalogue("connectors.iparapheur")

LARGEST = 512 << 20
"""Octets of a message: its documents in base64, a third larger than they are, and all the rest."""

_XOP = "{http://www.w3.org/2004/08/xop/include}Include"
_NIL, _MEDIA, _MUST = f"{{{XSI}}}nil", f"{{{XMLMIME}}}contentType", f"{{{SOAP}}}mustUnderstand"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_PIECE = 1 << 18
_LONGEST_MEDIA = 200


def decode(source: IO[bytes], content_type: str, folder: Path, limit: int = LARGEST) -> Message:
    """Read a message to its end.

    Args:
        source: the body of an HTTP request or answer.
        content_type: its media type, as HTTP gives it.
        folder: a private folder; the message's documents go into one of its own there, and nothing stays if it is refused.
        limit: bytes beyond which it is refused.

    Raises:
        MessageUnreadable: too large, not well-formed, a DOCTYPE, another namespace, an unknown message, a field that is wrong.
    """
    room = folder / new_id()
    room.mkdir()
    try:
        if not is_multipart(content_type):
            return _decoded(source, {}, room, limit)
        root, attached = separate(source, content_type, room, limit)
        with root.open("rb") as stream:
            root.unlink()
            return _decoded(stream, attached, room, limit)
    except BaseException:
        shutil.rmtree(room)
        raise


def _decoded(source: IO[bytes], attached: Mapping[str, Path], folder: Path, limit: int) -> Message:
    texts = folder / new_id()
    try:
        with texts.open("w+b") as file:
            thinned = thin(source, file, limit)
            return _Reader(thinned, file, attached, folder).message(_tree(thinned.rest))
    finally:
        texts.unlink(missing_ok=True)


def _tree(octets: bytes) -> etree._Element:
    try:
        refuse_doctype(BytesIO(octets))
        return parse_pieces([octets]).getroot()
    except DoctypeRefused as error:
        raise MessageUnreadable(_messages("message.doctype", line=error.line)) from error
    except Malformed as error:
        raise MessageUnreadable(_messages("message.malformed", line=error.line, reason=error.reason)) from error


@dataclass(frozen=True, slots=True)
class _Reader:
    """What stands beside the tree: the texts that were taken out of it, and the parts that came with it."""

    thinned: Thinned
    texts: IO[bytes]
    attached: Mapping[str, Path]
    folder: Path

    def message(self, envelope: etree._Element) -> Message:
        """Return the one message of an envelope (SOAP 1.1, 4)."""
        children = list(envelope.iterchildren("*"))
        if envelope.tag != f"{{{SOAP}}}Envelope" or not children or children[-1].tag != f"{{{SOAP}}}Body":
            raise _wrong(envelope, "soap:Envelope/soap:Body")
        for header in children[:-1]:
            if header.tag != f"{{{SOAP}}}Header" or any(block.get(_MUST) in {"1", "true"} for block in header.iterchildren("*")):
                raise _wrong(header, "soap:Body")
        bodies = list(children[-1].iterchildren("*"))
        if len(bodies) != 1:
            raise _wrong(children[-1], "1")
        (body,) = bodies
        name = etree.QName(body)
        if body.tag == f"{{{SOAP}}}Fault":
            return _fault(body)
        kind = messages_by_element().get(name.localname) if name.namespace == NAMESPACE else None
        if kind is None:
            raise _wrong(body, f"{{{NAMESPACE}}}")
        found: Message = self._build(kind, body, strict=issubclass(kind, Request))
        return found

    def _build(self, kind: type[Any], element: etree._Element, *, strict: bool) -> Any:
        fields = fields_of(kind)
        if [field.element.name for field in fields] == [""]:
            return kind(self._simple(fields[0], element))
        if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
            raise _wrong(element, ", ".join(field.element.name for field in fields))
        groups: dict[str, list[etree._Element]] = {}
        for child in element.iterchildren("*"):
            groups.setdefault(str(child.tag), []).append(child)
        values = {
            field.attribute: self._value(field, groups.pop(_tag(field.element.name), []), element, strict) for field in fields
        }
        for unknown in groups.values():
            if strict or etree.QName(unknown[0]).namespace != NAMESPACE:
                raise _wrong(unknown[0], ", ".join(field.element.name for field in fields))
        return kind(**values)

    def _value(self, field: Field, found: list[etree._Element], parent: etree._Element, strict: bool) -> Any:
        each = field.element.each
        if len(found) > 1 and (each or not field.many):
            raise _wrong(found[1], "1")
        if field.many:
            items = list(found[0].iterchildren("*")) if each and found else found
            for item in items:
                if each and item.tag != _tag(each):
                    raise _wrong(item, each)
            return tuple(self._one(field, item, strict) for item in items)
        if found and found[0].get(_NIL) not in {"true", "1"}:
            return self._one(field, found[0], strict)
        if field.default is MISSING:
            raise _wrong(found[0] if found else parent, field.element.name)
        return field.default

    def _one(self, field: Field, element: etree._Element, strict: bool) -> Any:
        if field.kind is Document:
            return self._document(field, element)
        if is_dataclass(field.kind):
            if field.optional and not len(element) and not (element.text or "").strip():
                return None  # some clients write an empty element for nothing
            return self._build(field.kind, element, strict=strict)
        return self._simple(field, element)

    def _simple(self, field: Field, element: etree._Element) -> Any:
        if len(element):
            raise _wrong(element[0], "text")
        text = element.text or ""
        if field.element.collapsed or field.kind is not str:
            text = " ".join(text.split())
        if field.optional and not text and field.kind is not str:
            return None
        try:
            return _parsed(field.kind, text)
        except (ValueError, KeyError) as error:
            raise _wrong(element, field.kind.__name__) from error

    def _document(self, field: Field, element: etree._Element) -> Document | None:
        # Clients written in PHP give the attribute no namespace unless a description asks for one.
        media = (element.get(_MEDIA) or element.get("contentType") or "").strip()
        path = self.folder / new_id()
        included = [child for child in element.iterchildren("*") if child.tag == _XOP]
        if included:
            reference = unquote(str(included[0].get("href", "")).removeprefix("cid:"))
            if len(element) != 1 or (element.text or "").strip() or reference not in self.attached:
                raise _wrong(element, "xop:Include")
            return Document(self.attached[reference], _media(media, element))
        with path.open("wb") as file:
            self._decode_base64(element, file)
        if field.optional and not media and not path.stat().st_size:
            path.unlink()
            return None
        return Document(path, _media(media, element))

    def _decode_base64(self, element: etree._Element, file: IO[bytes]) -> None:
        left = b""
        try:
            for piece in self._pieces(element):
                octets = left + piece.translate(None, b" \t\r\n")
                padding = octets.find(b"=")
                cut = (len(octets) if padding < 0 else padding) // 4 * 4
                file.write(binascii.a2b_base64(octets[:cut], strict_mode=True))
                left = octets[cut:]
                if len(left) > 4:  # something after the padding
                    raise _wrong(element, "base64")
            file.write(binascii.a2b_base64(left, strict_mode=True))
        except (binascii.Error, UnicodeEncodeError) as error:
            raise _wrong(element, "base64") from error

    def _pieces(self, element: etree._Element) -> Iterator[bytes]:
        """Give the text of an element, what was taken out of it included."""
        yield (element.text or "").encode("ascii")
        for child in element.iterchildren():
            if child.tag is not etree.ProcessingInstruction or child.target != self.thinned.target:
                raise _wrong(element, "base64")
            start, end = self.thinned.runs[int(child.text or "")]
            self.texts.seek(start)
            while start < end:
                piece = self.texts.read(min(_PIECE, end - start))
                start += len(piece)
                yield piece
            yield (child.tail or "").encode("ascii")


def _fault(element: etree._Element) -> Fault:
    said = {etree.QName(child).localname: "".join(child.itertext()).strip() for child in element.iterchildren("*")}
    return Fault(said.get("faultcode", "").rpartition(":")[2] or "Server", said.get("faultstring", ""))


def _parsed(kind: type[Any], text: str) -> Any:
    if kind is bool:
        return _BOOLEANS[text]
    if kind is date:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else _refuse()
    if kind is datetime:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else _refuse()
    if kind is int:
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else _refuse()
    if issubclass(kind, StrEnum):
        return kind(text)
    return text


def _refuse() -> Any:
    raise ValueError


def _media(media: str, element: etree._Element) -> str:
    if not media or len(media) > _LONGEST_MEDIA or not media.isprintable():
        raise _wrong(element, "xmlmime:contentType")
    return media


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _wrong(element: etree._Element, expected: str) -> MessageUnreadable:
    name = element.tag if isinstance(element.tag, str) else "<?…?>"
    return MessageUnreadable(_messages("message.wrong", line=element.sourceline or 1, found=name[:200], expected=expected[:300]))
