"""What others wrote of an invoice, made fit for the columns in which it is kept and searched."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

_LARGEST = Decimal(10) ** 17
_CENT = Decimal("0.01")
_EURO = "EUR"


def line(text: str, most: int) -> str:
    """Return what somebody else wrote, fit for a column and a page: on one line, without signs that are not seen, cut short."""
    return "".join(sign if unicodedata.category(sign)[0] != "C" else " " for sign in text)[:most].strip()


def amount(value: Decimal | None) -> Decimal | None:
    """Return an amount to the cent; None for one that no invoice bears."""
    return None if value is None or abs(value) >= _LARGEST else value.quantize(_CENT)


def currency(code: str) -> str:
    """Return a code of currency (ISO 4217); euros where none can be read, as Chorus Pro leaves out what goes without saying."""
    return code if len(code) == len(_EURO) and code.isascii() and code.isupper() else _EURO
