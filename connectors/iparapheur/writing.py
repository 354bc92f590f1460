"""A message as the octets of a SOAP 1.1 envelope, in pieces: documents are read from their files as they are encoded."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from connectors.iparapheur.fields import Field, element_of, fields_of
from connectors.iparapheur.messages import NAMESPACE, SOAP, XMLMIME, XSI, Document, Fault, Message
from core.clock import in_paris
from core.errors import UsageError
from core.messages import Catalogue

_messages = Catalogue("connectors.iparapheur")

MEDIA = "text/xml; charset=utf-8"
"""Media type of an envelope (SOAP 1.1, 6)."""

_PIECE = 3 << 16  # a multiple of three octets makes whole groups of base64
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def encode(message: Message) -> Iterator[bytes]:
    """Give an envelope with the message, in pieces of at most some 256 KB.

    Raises:
        UsageError: a text holds a character that XML cannot carry.
        OSError: a document cannot be read.
    """
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<S:Envelope xmlns:S="{SOAP}"><S:Body>'.encode()
    if isinstance(message, Fault):
        yield f"<S:Fault><faultcode>S:{_text(message.code)}</faultcode>".encode()
        yield f"<faultstring>{_text(message.text)}</faultstring></S:Fault>".encode()
    else:
        name = element_of(type(message))
        yield f'<p:{name} xmlns:p="{NAMESPACE}" xmlns:m="{XMLMIME}" xmlns:i="{XSI}">'.encode()
        yield from _content(message)
        yield f"</p:{name}>".encode()
    yield b"</S:Body></S:Envelope>"


def write(message: Message, path: Path) -> int:
    """Write the envelope to a file and return its size in bytes. Raises what ``encode`` does."""
    with path.open("wb") as file:
        file.writelines(encode(message))
        return file.tell()


def spoken(text: str) -> str:
    """Return a text with what XML cannot carry replaced, for what is said to whoever has sent anything."""
    return _UNSPEAKABLE.sub("\ufffd", text)


def _content(value: Any) -> Iterator[bytes]:
    for field in fields_of(type(value)):
        yield from _field(field, getattr(value, field.attribute))


def _field(field: Field, value: Any) -> Iterator[bytes]:
    name = field.element.name
    if not name:
        yield from _simple(value)
    elif field.many:
        yield from _many(field, value)
    elif value is not None:
        yield from _element(name, value)
    elif field.element.nil:
        yield f'<p:{name} i:nil="true"/>'.encode()


def _many(field: Field, values: Iterable[Any]) -> Iterator[bytes]:
    each = field.element.each
    if not each:
        for value in values:
            yield from _element(field.element.name, value)
    elif values:
        yield f"<p:{field.element.name}>".encode()
        for value in values:
            yield from _element(each, value)
        yield f"</p:{field.element.name}>".encode()


def _element(name: str, value: Any) -> Iterator[bytes]:
    if isinstance(value, Document):
        yield f"<p:{name} m:contentType={quoteattr(_speakable(value.media))}>".encode()
        yield from _base64(value.path)
    else:
        yield f"<p:{name}>".encode()
        yield from _content(value) if is_dataclass(value) else _simple(value)
    yield f"</p:{name}>".encode()


def _base64(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield base64.b64encode(piece)


def _simple(value: Any) -> Iterator[bytes]:
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, datetime):
        text = in_paris(value).isoformat(timespec="milliseconds")
    elif isinstance(value, date):
        text = value.isoformat()
    else:
        text = str(value)
    yield _text(text).encode()


def _text(text: str) -> str:
    return escape(_speakable(text), {"\r": "&#13;"})


def _speakable(text: str) -> str:
    if found := _UNSPEAKABLE.search(text):
        raise UsageError(_messages("message.character", found=ascii(found[0])))
    return text
