"""Canonical JSON: the one way of writing a statement whose bytes are hashed or timestamped, and its strict reading.

A subset of RFC 8785 (JCS), on which any other implementation agrees: keys sorted, no spaces, UTF-8, no floats, keys in ASCII,
integers within ±(2^53 - 1). What enters a statement is up to the module that makes it.
"""

from __future__ import annotations

import json
from typing import Any

from core.errors import UnreadableInput
from core.messages import Catalogue

_messages = Catalogue("core")
_LARGEST_INTEGER = 2**53 - 1


class NotCanonical(UnreadableInput):
    """The bytes are not a JSON object in its canonical form."""


def canonical_bytes(value: dict[str, Any]) -> bytes:
    """Return the canonical bytes of a JSON object.

    Raises:
        TypeError: it holds something that has no single form on every platform.
        ValueError: a text holds half of a surrogate pair, which UTF-8 cannot write.
    """
    _refuse_ambiguous(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_canonical(data: bytes) -> dict[str, Any]:
    """Read a JSON object and insist that the bytes are its only form: a repeated key or an added space is refused.

    Raises:
        NotCanonical: anything else.
    """
    try:
        value = json.loads(data)
        same = isinstance(value, dict) and canonical_bytes(value) == data
    except (ValueError, TypeError, RecursionError) as error:
        raise NotCanonical(_messages("canonical.refused")) from error
    if not same:
        raise NotCanonical(_messages("canonical.refused"))
    return dict(value)


def _refuse_ambiguous(value: object) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise TypeError(f"a key must be an ASCII string: {key!r}")
            _refuse_ambiguous(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_ambiguous(inner)
    elif isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise TypeError("an integer beyond 2^53 - 1 is not read alike everywhere: use a string")
    elif value is not None and not isinstance(value, str | int):
        raise TypeError(f"{type(value).__name__} has no canonical form: use an integer or a string")
