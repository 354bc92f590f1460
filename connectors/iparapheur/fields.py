"""How the fields of a message are written, drawn from its type once: what writing and reading both follow."""

from __future__ import annotations

import types
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from connectors.iparapheur.messages import OPERATIONS, EchoRequest, EchoResponse, Element, Message

_ECHO: dict[type[Message], str] = {EchoRequest: "echoRequest", EchoResponse: "echoResponse"}

_drawn: dict[type[Any], tuple[Field, ...]] = {}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message or of a part of it.

    Attributes:
        attribute: its name in Python.
        element: how it is written.
        kind: the type of its value, of one value when there are many.
        optional: it may be None.
        many: it holds any number of values.
        default: its value when it is absent; ``MISSING`` when it must not be.
    """

    attribute: str
    element: Element
    kind: type[Any]
    optional: bool
    many: bool
    default: Any


def fields_of(kind: type[Any]) -> tuple[Field, ...]:
    """Return the fields of a dataclass of ``messages``, in the order in which they are written."""
    if kind not in _drawn:
        _drawn[kind] = _drawn_from(kind)
    return _drawn[kind]


def _drawn_from(kind: type[Any]) -> tuple[Field, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_field(field.name, hints[field.name], field.default) for field in fields(kind))


def element_of(kind: type[Message]) -> str:
    """Return the local name of a message's element."""
    return _ECHO.get(kind, kind.__name__)


@cache
def messages_by_element() -> dict[str, type[Message]]:
    """Return every message by the local name of its element."""
    return {element_of(kind): kind for pair in OPERATIONS.items() for kind in pair}


def _field(name: str, hint: Any, default: Any) -> Field:
    written, element = get_args(hint)
    origin = get_origin(written)
    many, optional = origin is tuple, origin in {Union, types.UnionType}
    kind = get_args(written)[0] if many or optional else written
    return Field(name, element, kind, optional, many, default)
