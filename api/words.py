"""The words that both faces use: labels of states, outcomes and journal entries, dates and sizes as people write them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path, PurePath

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal

from core import clock
from core.messages import Catalogue, current_locale, form_of

messages = Catalogue("api")
_API = Path(__file__).parent
_MOMENT = {"fr": "d MMMM y, H\u00a0'h'\u00a0mm", "en": "d MMMM y, HH:mm"}
_TO_THE_SECOND = {"fr": "d MMM y, H\u00a0'h'\u00a0mm\u00a0'min'\u00a0ss\u00a0's'", "en": "d MMM y, HH:mm:ss"}
_IN_FULL = {
    "fr": "EEEE d MMMM y 'à'\u00a0H\u00a0'h'\u00a0mm\u00a0'min'\u00a0ss\u00a0's'",
    "en": "EEEE d MMMM y 'at' HH:mm:ss",
}
_UNITS = ("o", "Kio", "Mio", "Gio")
_STEP = 1024


class PageWords:
    """The words of one page: its own catalogue first, then the one that all pages share."""

    def __init__(self, *catalogues: Catalogue) -> None:
        self._catalogues = catalogues

    def __call__(self, key: str, /, **places: object) -> str:
        """Return the text of a key; see ``Catalogue``."""
        return next((one for one in self._catalogues if key in one), messages)(key, **places)

    def counted(self, key: str, count: int, /, **places: object) -> str:
        """Return the text of a key about a count; see ``Catalogue.counted``."""
        return self(form_of(key, count), **places)

    def __contains__(self, key: str) -> bool:
        """Tell whether the key has a text."""
        return any(key in one for one in self._catalogues)


@cache
def of_page(template: str) -> PageWords:
    """Return the words of a template below ``api/``; a page whose folder has a ``locale`` has words of its own."""
    folder = PurePath(template).parent
    own = (Catalogue(".".join(("api", *folder.parts))),) if (_API / folder / "locale").is_dir() else ()
    return PageWords(*own, messages)


def label(key: str, flow: str = "") -> str:
    """Return the words for ``state.<name>``, ``outcome.<name>`` …, or the bare name when no catalogue has it.

    Where a flow says it in its own words, ``sentence.<flow>.<name>``, these count.
    """
    kind, _, name = key.partition(".")
    own = f"{kind}.{flow}.{name}"
    if flow and own in messages:
        return messages(own)
    return messages(key) if key in messages else key.partition(".")[2].replace("_", " ")


def told(kind: str) -> str:
    """Return what a journal entry says, from the most exact wording to the most general.

    ``helios.check.refused`` has a text of its own, or that of ``*.check.refused``, or that of ``*.refused``.
    """
    parts = kind.split(".")
    candidates = [kind, *(".".join(["*", *parts[rank:]]) for rank in range(1, len(parts)))]
    for candidate in candidates:
        if f"journal.{candidate}" in messages:
            return messages(f"journal.{candidate}")
    return kind.replace(".", " · ").replace("_", " ")


def moment(value: datetime) -> str:
    """Return a moment to the minute, as the clocks of metropolitan France show it."""
    return format_datetime(clock.in_paris(value), _MOMENT[current_locale()], locale=current_locale())


def moment_to_the_second(value: datetime) -> str:
    """Return a moment to the second, for timelines."""
    return format_datetime(clock.in_paris(value), _TO_THE_SECOND[current_locale()], locale=current_locale())


def moment_in_full(value: datetime) -> str:
    """Return a moment to the second with its day of the week, for what counts in law."""
    return format_datetime(clock.in_paris(value), _IN_FULL[current_locale()], locale=current_locale())


def day(value: date) -> str:
    """Return a day in words."""
    return format_date(value, "d MMMM y", locale=current_locale())


def number(value: int) -> str:
    """Return a whole number with the separators of the language."""
    return format_decimal(value, locale=current_locale())


def euros(amount: str) -> str:
    """Return an amount of euros, written with a point, as people write it."""
    return format_currency(Decimal(amount), "EUR", locale=current_locale())


def size(count: int) -> str:
    """Return a size in bytes with the unit that reads best."""
    amount, unit = float(count), 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    shown = format_decimal(amount, format="#,##0.#" if unit else "#,##0", locale=current_locale())
    return f"{shown}\u00a0{messages('unit.' + _UNITS[unit])}"
