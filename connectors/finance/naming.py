"""Names under which an invoice is delivered, and the names of answers: plain, bounded, the same whenever they are made.

A delivery has one name, and its files begin with it: the manifest ``<name>.json``, the pivot ``<name>.xml``. An answer has the
name of the delivery too: ``<name>.ok``, ``<name>.ko``, ``<name>.ack.json``.
"""

from __future__ import annotations

import re
import unicodedata

from core.errors import UsageError
from core.messages import Catalogue

_messages = Catalogue("connectors.finance")
MANIFEST = ".json"
TAKEN, REFUSED, TOLD = ".ok", ".ko", ".ack.json"
_TEMPORARY = ".part"
_LONGEST_PARTY, _LONGEST_NUMBER = 20, 40
_OTHERS = re.compile(r"[^A-Za-z0-9]+")
_SUFFIX = re.compile(r"[A-Za-z0-9]{1,5}")
_OFFER = re.compile(r"_r[0-9]+$")
_OFFERS_KNOWN = 9
_DELIVERY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def delivery_name(recipient: str, number: str, chorus_id: int, cycle: int = 1, offer: int = 1) -> str:
    """Return the name of a delivery: who it is for, the supplier's number made plain, and what no other invoice has.

    Args:
        recipient: SIRET of the structure that it is for.
        number: as the supplier wrote it: it may hold anything.
        chorus_id: what Chorus Pro knows the invoice by.
        cycle: 2 and more once its supplier completed it.
        offer: 2 and more once the software refused it and a person had it offered again.
    """
    name = f"{_made_plain(recipient, _LONGEST_PARTY) or '0'}_{_made_plain(number, _LONGEST_NUMBER) or '0'}_{chorus_id}"
    return name + (f"_c{cycle}" if cycle > 1 else "") + (f"_r{offer}" if offer > 1 else "")


def offers_of(delivery: str) -> list[str]:
    """Return the names that a delivery has over its first offers, so that an answer to an earlier one is known for what it is.

    The delivery itself is among them, however often it was offered.
    """
    first = _OFFER.sub("", delivery)
    names = [first, *(f"{first}_r{offer}" for offer in range(2, _OFFERS_KNOWN + 1))]
    return names if delivery in names else [*names, delivery]


def file_name(delivery: str, mark: str, name: str) -> str:
    """Return the name of a file of a delivery.

    Args:
        delivery: its name.
        mark: what tells it from the others; none for the main one.
        name: of the file as it was written, of which only a plain extension is kept.
    """
    extension = name.rpartition(".")[2] if "." in name else ""
    suffix = extension.lower() if _SUFFIX.fullmatch(extension) else "bin"
    return f"{delivery}{'_' + mark if mark else ''}.{suffix}"


def temporary_name(name: str) -> str:
    """Return the one name that a file has until it is whole."""
    return plain(name) + _TEMPORARY


def answered(name: str) -> tuple[str, str] | None:
    """Return the delivery and the kind of an answer by its name; None when it is no answer."""
    for kind in (TAKEN, REFUSED, TOLD):
        delivery = name.removesuffix(kind)
        if delivery != name and _DELIVERY.fullmatch(delivery):
            return delivery, kind
    return None


def plain(name: str) -> str:
    """Refuse a name that would lead elsewhere.

    Raises:
        UsageError: it is empty, a relative step, or holds a separator or a control character.
    """
    if name in {"", ".", ".."} or any(letter in "/\\\x7f" or letter < " " for letter in name):
        raise UsageError(_messages("name.path", name=ascii(name)[:100]))
    return name


def _made_plain(text: str, longest: int) -> str:
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _OTHERS.sub("-", ascii_only)[:longest].strip("-")
