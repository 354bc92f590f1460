"""Days, minutes and delays of meetings, as people write them, in the current locale."""

from __future__ import annotations

from datetime import date, datetime

from babel.dates import format_date, format_datetime

from core import clock
from core.messages import Catalogue, current_locale
from flows.mail.convening.delays import Delay

_t = Catalogue("flows.mail.convening")
_MINUTE = {"fr": "EEEE d MMMM y 'à' H 'h' mm", "en": "EEEE d MMMM y 'at' HH:mm"}
_DAY = {"fr": "EEEE d MMMM y", "en": "EEEE d MMMM y"}


def minute_in_words(moment: datetime) -> str:
    """Return a moment with its day of the week, by the clocks of Paris."""
    return format_datetime(clock.in_paris(moment), _MINUTE[current_locale()], locale=current_locale())


def day_in_words(day: date) -> str:
    """Return a day with its day of the week."""
    return format_date(day, _DAY[current_locale()], locale=current_locale())


def delay_in_words(delay: Delay) -> str:
    """Return how long a delay is."""
    if not delay.clear:
        return _t("delay.days", days=delay.days)
    return _t("delay.clear.one") if delay.days == 1 else _t("delay.clear", days=delay.days)
