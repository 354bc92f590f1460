"""The text form of CMS messages and of timestamp tokens, which are messages too (PEM: RFC 7468, 8 and 9)."""

from __future__ import annotations

import base64
import re

from asn1crypto import parser

_LABELS = rb"(PKCS7|CMS|PKCS #7 SIGNED DATA)"
_ARMOUR = re.compile(rb"-----BEGIN " + _LABELS + rb"-----\s+([A-Za-z0-9+/=\s]+?)-----END \1-----")
_BEGINNING = re.compile(rb"-----BEGIN " + _LABELS + rb"-----\s+([A-Za-z0-9+/\s]+)")
_SEQUENCE = b"\x30"
_FILLING = b"\0\r\n"


def unarmoured(octets: bytes) -> bytes:
    """Return the DER in a PEM, or the octets when they are DER already, less the filling that some tools leave after it.

    Raises:
        ValueError: they are neither.
    """
    if octets.startswith(_SEQUENCE):
        length = parser.peek(octets)
        return octets if octets[length:].strip(_FILLING) else octets[:length]
    found = _ARMOUR.search(octets)
    if found is None:
        raise ValueError("neither DER nor PEM")
    return base64.b64decode(b"".join(found[2].split()), validate=True)


def unarmoured_beginning(head: bytes) -> bytes:
    """Return what DER begins with when only the beginning of a file is at hand; the octets as they are when they are no PEM."""
    found = None if head.startswith(_SEQUENCE) else _BEGINNING.search(head)
    if found is None:
        return head
    text = b"".join(found[2].split())
    return base64.b64decode(text[: len(text) // 4 * 4])
