"""Addresses of people (RFC 5321, 4.1.2; letters beyond ASCII, RFC 6531; names of domains, RFC 5890).

The local part is a dot-atom: quoted ones, comments and address literals, which nobody is reached at, are refused.
"""

from __future__ import annotations

import re
import unicodedata

from core.errors import UsageError
from core.messages import Catalogue

_messages = Catalogue("schemas.mail")

_LONGEST, _LONGEST_LOCAL, _LONGEST_LABEL = 254, 64, 63  # octets (RFC 5321, 4.5.3.1, and its erratum 1690)
_ATOM = frozenset("!#$%&'*+/=?^_`{|}~-")
_LETTERS = frozenset({"Ll", "Lu", "Lt", "Lo", "Lm", "Mn", "Mc", "Nd"})
_PAUSE = re.compile(r"\s*[,;:]+(?:\s+|$)")
_MEANT = re.compile(r"[,;:<>()\[\]@\"\\]")
_LDH = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SHOWN = 120


def normal(address: str) -> str:
    """Return an address as it is compared: trimmed, in small letters, its domain in A-labels (RFC 5890, 2.3.2.1).

    An address that ``check`` would refuse is returned as it is, trimmed and in small letters.
    """
    local, at, domain = _composed(address).lower().rpartition("@")
    return f"{local}{at}{_ascii(domain)}"


def check(address: str) -> None:
    """Refuse what is no address that mail can be sent to.

    Raises:
        UsageError: says what is wrong with it, and what was expected.
    """
    local, at, domain = _composed(address).rpartition("@")
    known = {"address": _shown(address)}
    if not at or not local or not domain:
        raise UsageError(_messages("address.form", **known))
    odd = next((one for one in local if one not in _ATOM and one != "." and not _is_letter(one)), None)
    if odd is not None:
        raise UsageError(_messages("address.character", character=_named(odd), **known))
    if "" in local.split("."):
        raise UsageError(_messages("address.dots", **known))
    labels = _ascii(domain).split(".")
    if len(labels) == 1:
        raise UsageError(_messages("address.short", domain=_shown(domain), **known))
    if labels[-1].isdigit() or not all(_LDH.fullmatch(label) and len(label) <= _LONGEST_LABEL for label in labels):
        raise UsageError(_messages("address.domain", domain=_shown(domain), **known))
    size = len(f"{local}@{'.'.join(labels)}".encode())
    if len(local.encode()) > _LONGEST_LOCAL or size > _LONGEST:
        raise UsageError(_messages("address.long", local=_LONGEST_LOCAL, whole=_LONGEST, **known))


def display(name: str, address: str) -> str:
    """Return the value of an address header, to be set on an ``EmailMessage``, which encodes letters: ``"Mairie" <a@b.fr>``.

    Whatever the name holds, it stays a name. Quotes would not do: the standard library drops them where it folds a long
    header, and reads encoded words inside them, so that a comma, or a ``<`` however it is written, begins another address.

    Args:
        name: may be empty; signs that have a meaning in the header become dashes or blanks.
        address: one that ``check`` lets through; its domain is written in A-labels.
    """
    local, at, domain = _composed(address).rpartition("@")
    place = f"{local}{at}{_ascii(domain)}"
    shown = "".join(one if _is_shown(one) else " " for one in _composed(name)).replace("=?", " ")
    clean = " ".join(_MEANT.sub(" ", _PAUSE.sub(" – ", shown)).split()).strip("– ")
    return f'"{clean}" <{place}>' if clean else place


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _ascii(domain: str) -> str:
    """Return a domain in A-labels; one that has none as it is. All letters of .fr are kept apart, ß too (RFC 5892)."""
    labels = []
    for label in unicodedata.normalize("NFKC", domain).lower().split("."):
        usable = label.isascii() or all(_is_letter(one) or one == "-" for one in label)
        labels.append(label if label.isascii() or not usable else f"xn--{label.encode('punycode').decode()}")
    return ".".join(labels)


def _is_letter(one: str) -> bool:
    return (one.isascii() and one.isalnum()) or (not one.isascii() and unicodedata.category(one) in _LETTERS)


def _is_shown(one: str) -> bool:
    """Tell whether a character shows: neither a control nor one that turns the direction of writing or hides."""
    return unicodedata.category(one)[0] != "C"


def _named(one: str) -> str:
    if one.isspace():
        return _messages("character.blank")
    return one if _is_shown(one) else f"U+{ord(one):04X}"


def _shown(text: str) -> str:
    return "".join(one if _is_shown(one) else "�" for one in text[:_SHOWN])
