"""By when a convocation must have left: each rule of law with examples around the ends of months, rests and changes of hour."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from core.clock import PARIS
from core.errors import UsageError
from core.messages import Catalogue
from flows.mail.convening.delays import RULES, Case, Warned, delay_of, holidays, in_time, last_day, rule_named, warnings


def at(day: str, hour: int = 18, minute: int = 30) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time().replace(hour=hour, minute=minute), PARIS)


@pytest.mark.parametrize(
    ("rule", "case", "meeting", "last"),
    [
        # L. 2121-11: three clear days; the week, the end of a month, of February in a leap year and in another, of the year
        ("commune", Case.USUAL, "2026-03-12", "2026-03-08"),
        ("commune", Case.USUAL, "2026-04-02", "2026-03-29"),
        ("commune", Case.USUAL, "2028-03-02", "2028-02-27"),
        ("commune", Case.USUAL, "2026-03-02", "2026-02-26"),
        ("commune", Case.USUAL, "2027-01-02", "2026-12-29"),
        # L. 2121-12: five clear days; over Easter Monday and over 1 May, which count as any day
        ("commune_3500", Case.USUAL, "2026-03-12", "2026-03-06"),
        ("commune_3500", Case.USUAL, "2026-04-09", "2026-04-03"),
        ("commune_3500", Case.USUAL, "2026-05-04", "2026-04-28"),
        # L. 2121-7: three clear days for the first meeting of a commune, whatever its size
        ("commune_3500", Case.RENEWAL, "2026-03-27", "2026-03-23"),
        ("commune", Case.RENEWAL, "2026-03-27", "2026-03-23"),
        # CE, 22 July 2015, n° 383072: none of its own for that of an EPCI
        ("epci_3500", Case.RENEWAL, "2026-04-09", "2026-04-03"),
        ("epci_3500", Case.USUAL, "2026-04-09", "2026-04-03"),
        ("epci", Case.USUAL, "2026-04-09", "2026-04-05"),
        # urgency: never under one clear day
        ("commune", Case.URGENCY, "2026-03-12", "2026-03-10"),
        ("commune_3500", Case.URGENCY, "2026-03-01", "2026-02-27"),
        ("epci_3500", Case.URGENCY, "2026-01-01", "2025-12-30"),
        ("departement", Case.URGENCY, "2026-03-12", "2026-03-10"),
        ("statutes", Case.URGENCY, "2026-03-12", "2026-03-10"),
        # L. 2121-17: three clear days again (CE, 16 June 1997, n° 142691): lacking on Monday, on Friday at the earliest
        ("commune", Case.SECOND, "2026-03-13", "2026-03-09"),
        ("commune_3500", Case.SECOND, "2026-03-13", "2026-03-09"),
        ("epci_3500", Case.SECOND, "2026-03-13", "2026-03-09"),
        # L. 3121-14, L. 4132-13: three days later by operation of law
        ("departement", Case.SECOND, "2026-03-12", "2026-03-09"),
        ("region", Case.SECOND, "2026-03-12", "2026-03-09"),
        # L. 3121-19, L. 4132-18: twelve days, not said to be clear
        ("departement", Case.USUAL, "2026-03-12", "2026-02-28"),
        ("region", Case.USUAL, "2026-01-05", "2025-12-24"),
        # statutes: their own, here seven days
        ("statutes", Case.USUAL, "2026-03-12", "2026-03-04"),
        ("statutes", Case.SECOND, "2026-03-12", "2026-03-04"),
        ("statutes", Case.RENEWAL, "2026-03-12", "2026-03-04"),
    ],
)
def test_the_last_day_of_sending_is_that_of_the_law(rule: str, case: Case, meeting: str, last: str) -> None:
    assert last_day(RULES[rule], 7, at(meeting), case) == date.fromisoformat(last)


def test_every_delay_names_its_article_but_those_of_statutes_and_every_rule_has_a_name() -> None:
    words = Catalogue("flows.mail.convening")
    for name, rule in RULES.items():
        assert f"rule.{name}" in words
        for case in Case:
            assert bool(delay_of(rule, 7, case).article) is (name != "statutes")
    with pytest.raises(UsageError, match="senat"):
        rule_named("senat")


@pytest.mark.parametrize(
    ("meeting", "last"),
    [
        (at("2026-03-31"), "2026-03-27"),  # over the last Sunday of March: the night has an hour less
        (at("2026-10-27"), "2026-10-23"),  # over the last Sunday of October: one more
        (datetime(2026, 3, 29, 22, 30, tzinfo=UTC), "2026-03-26"),  # 00:30 on the 30th in Paris
        (datetime(2026, 12, 31, 23, 15, tzinfo=UTC), "2026-12-28"),  # 00:15 on New Year's Day in Paris
        (datetime(2026, 7, 14, 21, 59, tzinfo=UTC), "2026-07-10"),  # 23:59 on the 14th in Paris
    ],
)
def test_days_are_those_of_paris_in_summer_and_winter(meeting: datetime, last: str) -> None:
    assert last_day(RULES["commune"], 0, meeting) == date.fromisoformat(last)


@pytest.mark.parametrize(
    ("sent", "good"),
    [
        (datetime(2026, 3, 8, 22, 59, 59, tzinfo=UTC), True),  # 23:59 in Paris, winter
        (datetime(2026, 3, 8, 23, 0, tzinfo=UTC), False),  # midnight
        (datetime(2026, 3, 7, 23, 0, tzinfo=UTC), True),  # the first minute of the last day
    ],
)
def test_a_mail_accepted_until_midnight_in_paris_is_in_time(sent: datetime, good: bool) -> None:
    assert in_time(date(2026, 3, 8), sent) is good


@pytest.mark.parametrize(
    ("rule", "meeting", "told"),
    [
        ("commune", "2026-03-12", {Warned.LEAVES_ON_REST}),  # the last day is Sunday the 8th
        ("commune", "2026-03-09", {Warned.ENDS_ON_REST}),  # a Monday: the delay ends on Sunday
        ("commune", "2026-04-07", {Warned.ENDS_ON_REST}),  # the day after Easter Monday
        ("commune", "2026-05-05", {Warned.LEAVES_ON_REST}),  # the last day is 1 May
        ("commune", "2026-03-13", set()),
        ("departement", "2026-03-13", {Warned.NOT_CLEAR, Warned.LEAVES_ON_REST}),  # Sunday, 1 March
        ("departement", "2026-03-16", {Warned.NOT_CLEAR}),
    ],
)
def test_what_is_debated_or_awkward_is_told_and_changes_no_day(rule: str, meeting: str, told: set[Warned]) -> None:
    assert set(warnings(RULES[rule], 0, at(meeting))) == told


@pytest.mark.parametrize(
    ("year", "moving"),
    [
        (2024, {"2024-04-01", "2024-05-09", "2024-05-20"}),
        (2026, {"2026-04-06", "2026-05-14", "2026-05-25"}),
        (2027, {"2027-03-29", "2027-05-06", "2027-05-17"}),
        (2038, {"2038-04-26", "2038-06-03", "2038-06-14"}),  # Easter on the latest day that it can fall
    ],
)
def test_holidays_follow_easter(year: int, moving: set[str]) -> None:
    found = {day.isoformat() for day in holidays(year)}
    assert moving <= found
    assert len(found) == 11
    assert f"{year}-07-14" in found
