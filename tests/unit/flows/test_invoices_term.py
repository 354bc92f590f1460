"""The term of payment, in days of Paris, from what Chorus Pro says of an invoice's life."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from connectors.chorus.statuses import Status
from core.clock import PARIS
from flows.invoices.term import Passed, Term, term_of


def at(day: str, hour: str = "10:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=PARIS)


def lived(*steps: tuple[str, str], days: int = 30) -> Term:
    return term_of([Passed(code, at(day)) for code, day in steps], days)


def test_nothing_runs_before_the_invoice_is_available() -> None:
    term = lived((Status.DEPOSITED, "2026-09-01"), (Status.ON_ITS_WAY, "2026-09-01"))
    assert term == Term()
    assert term.run(date(2026, 9, 5)) is None
    assert term.remaining(date(2026, 9, 5)) is None
    assert term.late_from is None


def test_the_day_of_availability_is_not_counted() -> None:
    term = lived((Status.DEPOSITED, "2026-08-31"), (Status.AVAILABLE, "2026-09-01"))
    assert term.due == date(2026, 10, 1)
    assert term.run(date(2026, 9, 1)) == 0
    assert term.run(date(2026, 9, 11)) == 10
    assert term.remaining(date(2026, 9, 11)) == 20
    assert term.remaining(date(2026, 10, 3)) == -2


def test_a_public_health_body_has_fifty_days() -> None:
    assert lived((Status.AVAILABLE, "2026-09-01"), days=50).due == date(2026, 10, 21)


@pytest.mark.parametrize(("hour", "due"), [("21:59", date(2026, 10, 1)), ("22:01", date(2026, 10, 2))])
def test_days_are_those_of_paris(hour: str, due: date) -> None:
    moment = datetime.fromisoformat(f"2026-09-01T{hour}+00:00")
    assert term_of([Passed(Status.AVAILABLE, moment)], 30).due == due


def test_the_change_of_hour_takes_no_day_and_gives_none() -> None:
    term = term_of([Passed(Status.AVAILABLE, at("2026-10-20", "23:59"))], 30)
    assert term.due == date(2026, 11, 19)
    assert term.remaining(date(2026, 10, 26)) == 24


def test_only_the_first_availability_opens_the_term() -> None:
    assert lived((Status.AVAILABLE, "2026-09-01"), (Status.AVAILABLE, "2026-09-20")).due == date(2026, 10, 1)


def test_a_suspension_stops_the_term_and_its_days_are_known() -> None:
    term = lived((Status.AVAILABLE, "2026-09-01"), (Status.SUSPENDED, "2026-09-11"))
    assert (term.due, term.late_from, term.left) == (None, None, 20)
    assert term.stopped == at("2026-09-11")
    assert term.remaining(date(2026, 12, 25)) == 20
    assert term.run(date(2026, 12, 25)) is None


def test_once_completed_a_new_term_of_thirty_days_is_open() -> None:
    """R2192-29: thirty days, whatever was left of the first thirty."""
    term = lived((Status.AVAILABLE, "2026-09-01"), (Status.SUSPENDED, "2026-09-28"), (Status.COMPLETED, "2026-10-10"))
    assert term.due == date(2026, 11, 9)
    assert term.run(date(2026, 10, 20)) == 10
    assert (term.stopped, term.left, term.resumed) == (None, None, at("2026-10-10"))


def test_what_was_left_counts_when_it_is_more_than_thirty_days() -> None:
    """R2192-29: a health body that suspended on the fifth day still has its forty-five."""
    term = lived((Status.AVAILABLE, "2026-09-01"), (Status.SUSPENDED, "2026-09-06"), (Status.COMPLETED, "2026-10-01"), days=50)
    assert term.due == date(2026, 11, 15)


def test_the_term_is_interrupted_once_only() -> None:
    """R2192-27: a second suspension does not stop it."""
    lives = [
        (Status.AVAILABLE, "2026-09-01"),
        (Status.SUSPENDED, "2026-09-11"),
        (Status.COMPLETED, "2026-09-21"),
        (Status.SUSPENDED, "2026-09-25"),
    ]
    assert lived(*lives).due == date(2026, 10, 21)
    assert lived(*lives, (Status.COMPLETED, "2026-10-20")).due == date(2026, 10, 21)


def test_an_expense_that_was_ordered_can_be_suspended_and_its_term_runs_on() -> None:
    term = lived((Status.AVAILABLE, "2026-09-01"), (Status.MANDATED, "2026-09-10"), (Status.SUSPENDED, "2026-09-12"))
    assert term.due == date(2026, 10, 1)


def test_a_clerk_may_lift_a_suspension_without_the_supplier() -> None:
    term = lived((Status.AVAILABLE, "2026-09-01"), (Status.SUSPENDED, "2026-09-11"), (Status.TAKEN_UP, "2026-09-15"))
    assert term.due == date(2026, 10, 15)


def test_an_unknown_status_changes_nothing() -> None:
    steps = [(Status.AVAILABLE, "2026-09-01"), (Status.SUSPENDED, "2026-09-11")]
    assert lived(*steps, ("TRANSMISE_A_LA_PLATEFORME", "2026-09-12")) == lived(*steps)


@pytest.mark.parametrize("end", [Status.PAID, Status.REJECTED])
def test_payment_and_rejection_end_the_term(end: Status) -> None:
    for before in ((), ((Status.SUSPENDED, "2026-09-03"),)):
        term = lived((Status.AVAILABLE, "2026-09-01"), *before, (end, "2026-09-20"))
        assert (term.over, term.due, term.late_from, term.stopped, term.left) == (True, None, None, None, None)
        assert term.available == at("2026-09-01")


@pytest.mark.parametrize("status", [Status.MANDATED, Status.WITH_ACCOUNTANT, Status.ACCOUNTED])
def test_nobody_here_is_late_once_the_expense_was_ordered(status: Status) -> None:
    term = lived((Status.AVAILABLE, "2026-09-01"), (status, "2026-09-20"))
    assert (term.due, term.late_from) == (date(2026, 10, 1), None)


def test_an_invoice_that_is_back_from_its_mandate_can_be_late_again() -> None:
    term = lived(
        (Status.AVAILABLE, "2026-09-01"),
        (Status.MANDATED, "2026-09-10"),
        (Status.SUSPENDED, "2026-09-12"),
        (Status.COMPLETED, "2026-09-20"),
    )
    assert term.late_from == date(2026, 10, 1)
