"""Figures of an invoice as people write them: all the decimals that the supplier gave, and none that they did not."""

from __future__ import annotations

from decimal import Decimal

from babel.numbers import format_currency, format_decimal, format_percent

from core.messages import Catalogue, current_locale

_t = Catalogue("api.web.invoices")


def money(value: Decimal | None, currency: str) -> str:
    """Return an amount in a currency, in its major unit; a dash for none."""
    if value is None:
        return "–"
    return format_currency(value, currency or "EUR", locale=current_locale(), decimal_quantization=False)


def quantity(value: Decimal | None, unit: str) -> str:
    """Return a quantity with its unit (UN/ECE Rec. 20): in words for those of every day, else as a code."""
    if value is None:
        return "–"
    shown = format_decimal(value, locale=current_locale(), decimal_quantization=False)
    key = f"unit.{unit}"
    said = _t(key) if key in _t else unit
    return f"{shown}\u00a0{said}" if said and unit not in _COUNTED else shown


def rate(value: Decimal | None) -> str:
    """Return a rate given in percent; a dash for none."""
    return "–" if value is None else format_percent(value / 100, locale=current_locale(), decimal_quantization=False)


_COUNTED = frozenset({"", "C62", "H87", "EA", "XPP"})
"""Units that say nothing but that things are counted one by one."""
