"""By when a convocation must have left: the rules of law, each with its article, and what is counted from them.

A clear day (*jour franc*) runs from midnight to midnight: neither the day of the sending nor that of the meeting counts, Sundays
and holidays do. Days are those of Paris. What counts is that it was sent, not that it was read (CE, 5 February 1954).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from core import clock
from core.errors import UsageError
from core.messages import Catalogue

_t = Catalogue("flows.mail.convening")
_DAY = timedelta(days=1)
_SUNDAY = 6
MOST_DAYS = 60


@dataclass(frozen=True, slots=True)
class Delay:
    """A delay before a meeting.

    Attributes:
        days: how many.
        article: where it stands.
        clear: in clear days; else the day of the meeting counts.
    """

    days: int
    article: str
    clear: bool = True

    def last_day(self, meeting: date) -> date:
        """Return the last day of sending before a meeting of that day."""
        return meeting - (self.days + self.clear) * _DAY


@dataclass(frozen=True, slots=True)
class Rule:
    """The law of an assembly.

    Attributes:
        name: key of its words: ``rule.<name>``.
        usual: the delay of an ordinary meeting; None where statutes set it (``models.Assembly.days``).
        urgent: below which an urgency never shortens it.
        second: after a meeting without quorum; None when the usual one holds.
        renewal: of the first meeting after a general renewal; None when the usual one holds.
        note: a *note explicative de synthèse* goes with the convocation.
    """

    name: str
    usual: Delay | None
    urgent: Delay
    second: Delay | None = None
    renewal: Delay | None = None
    note: bool = False


_SECOND = Delay(3, "CGCT, L. 2121-17")  # clear days: CE, 16 June 1997, Pfister, n° 142691
_RENEWED = Delay(3, "CGCT, L. 2121-7")
# The first meeting of an EPCI has no delay of its own: CE, 22 July 2015, n° 383072.
RULES = {
    rule.name: rule
    for rule in (
        Rule("commune", Delay(3, "CGCT, L. 2121-11"), Delay(1, "CGCT, L. 2121-11"), _SECOND, _RENEWED),
        Rule("commune_3500", Delay(5, "CGCT, L. 2121-12"), Delay(1, "CGCT, L. 2121-12"), _SECOND, _RENEWED, note=True),
        Rule("epci", Delay(3, "CGCT, L. 5211-1, L. 2121-11"), Delay(1, "CGCT, L. 5211-1, L. 2121-11"), _SECOND),
        Rule("epci_3500", Delay(5, "CGCT, L. 5211-1, L. 2121-12"), Delay(1, "CGCT, L. 5211-1, L. 2121-12"), _SECOND, note=True),
        Rule(
            "departement",
            Delay(12, "CGCT, L. 3121-19", clear=False),
            Delay(1, "CGCT, L. 3121-19"),
            Delay(3, "CGCT, L. 3121-14", clear=False),
        ),
        Rule(
            "region",
            Delay(12, "CGCT, L. 4132-18", clear=False),
            Delay(1, "CGCT, L. 4132-18"),
            Delay(3, "CGCT, L. 4132-13", clear=False),
        ),
        Rule("statutes", None, Delay(1, "")),
    )
}


class Case(StrEnum):
    """Why a meeting has the delay that it has; one of them."""

    USUAL = "usual"
    URGENCY = "urgency"
    SECOND = "second"
    RENEWAL = "renewal"


class Warned(StrEnum):
    """What a careful clerk is told of a delay that is met."""

    ENDS_ON_REST = "ends_on_rest"  # some hold that a delay which ends on a Sunday or holiday goes on to the next working day
    LEAVES_ON_REST = "leaves_on_rest"  # the last day to send is a Sunday or a holiday
    NOT_CLEAR = "not_clear"  # the article does not say clear days; a judge might read them


def rule_named(name: str) -> Rule:
    """Return a rule.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in RULES:
        raise UsageError(_t("rule.unknown", found=name[:40]))
    return RULES[name]


def delay_of(rule: Rule, days: int, case: Case) -> Delay:
    """Return the delay of a meeting.

    Args:
        rule: of its assembly.
        days: that the statutes of the assembly say, where the rule leaves it to them.
        case: of the meeting.
    """
    usual = rule.usual or Delay(days, "")
    return {Case.URGENCY: rule.urgent, Case.SECOND: rule.second, Case.RENEWAL: rule.renewal}.get(case) or usual


def last_day(rule: Rule, days: int, starts: datetime, case: Case = Case.USUAL) -> date:
    """Return the last day, in Paris, on which the convocation of a meeting may leave; see ``delay_of``."""
    return delay_of(rule, days, case).last_day(clock.in_paris(starts).date())


def in_time(last: date, sent: datetime) -> bool:
    """Tell whether a moment of sending is not beyond a last day: the day is that of Paris."""
    return clock.in_paris(sent).date() <= last


def warnings(rule: Rule, days: int, starts: datetime, case: Case = Case.USUAL) -> Iterator[Warned]:
    """Yield what to tell of the last day of a meeting: what is debated in law, and what is awkward at the office."""
    delay, meeting = delay_of(rule, days, case), clock.in_paris(starts).date()
    if delay.clear and is_rest(meeting - _DAY):
        yield Warned.ENDS_ON_REST
    if not delay.clear:
        yield Warned.NOT_CLEAR
    if is_rest(delay.last_day(meeting)):
        yield Warned.LEAVES_ON_REST


def is_rest(day: date) -> bool:
    """Tell whether a day is a Sunday or a public holiday (code du travail, L. 3133-1)."""
    return day.weekday() == _SUNDAY or day in holidays(day.year)


def holidays(year: int) -> frozenset[date]:
    """Return the public holidays of a year in metropolitan France, those of Alsace and Moselle left out."""
    easter = _easter(year)
    moving = (easter + offset * _DAY for offset in (1, 39, 50))
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    return frozenset((*moving, *(date(year, month, day) for month, day in fixed)))


def _easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (Meeus, *Astronomical Algorithms*, chapter 8)."""
    golden, century, rest = year % 19, year // 100, year % 100
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - correction + 15) % 30
    to_sunday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)
