"""The clock of the control of legality: two months, twice interrupted at most, counted again at each event."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime

import pytest

from core.identifiers import new_id
from flows.actes.act import Act
from flows.actes.following import legality_of
from flows.actes.legality import Clock, Event, Happening, Phase, clock_of, months_later
from flows.actes.models import ActesMessage

RECEIVED = Event(date(2026, 1, 10), Happening.RECEIVED)


def clock(*events: Event, today: date, budget: bool = False) -> Clock:
    found = clock_of((RECEIVED, *events), today, budget=budget)
    assert found is not None
    return found


def asked(day: date) -> Event:
    return Event(day, Happening.DOCUMENTS_ASKED)


def answered(day: date) -> Event:
    return Event(day, Happening.DOCUMENTS_ANSWERED)


def observed(day: date) -> Event:
    return Event(day, Happening.OBSERVATIONS)


def rejected(day: date) -> Event:
    return Event(day, Happening.OBSERVATIONS_ANSWERED)


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2026, 1, 10), 2, date(2026, 3, 10)),
        (date(2025, 12, 31), 2, date(2026, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
        (date(2026, 12, 1), 2, date(2027, 2, 1)),
    ],
)
def test_periods_run_from_date_to_date_and_stop_at_the_end_of_a_shorter_month(day: date, months: int, then: date) -> None:
    assert months_later(day, months) == then


def test_an_act_that_the_state_has_not_received_has_no_clock() -> None:
    assert clock_of([asked(date(2026, 2, 1))], date(2026, 2, 1)) is None


def test_two_months_run_from_the_receipt_their_last_day_included() -> None:
    assert clock(today=date(2026, 3, 10)).phase is Phase.RUNNING
    ended = clock(today=date(2026, 3, 11))
    assert (ended.phase, ended.ends) == (Phase.ENDED, date(2026, 3, 10))


def test_a_budget_is_under_a_second_control_of_one_month() -> None:
    assert clock(today=date(2026, 1, 11), budget=True).budgetary == date(2026, 2, 10)
    assert clock(today=date(2026, 1, 11)).budgetary is None


def test_a_request_for_documents_interrupts_and_says_until_when_to_answer() -> None:
    now = clock(asked(date(2026, 2, 20)), today=date(2026, 2, 21))
    assert (now.phase, now.answer_by, now.ends) == (Phase.INTERRUPTED, date(2026, 4, 20), date(2026, 6, 20))


def test_silence_counts_as_a_refusal_and_two_months_run_from_it() -> None:
    silent = clock(asked(date(2026, 2, 20)), today=date(2026, 4, 21))
    assert (silent.phase, silent.answer_by, silent.ends) == (Phase.RUNNING, None, date(2026, 6, 20))


def test_documents_received_start_two_new_months() -> None:
    now = clock(asked(date(2026, 2, 20)), answered(date(2026, 3, 1)), today=date(2026, 3, 2))
    assert (now.phase, now.ends) == (Phase.RUNNING, date(2026, 5, 1))


def test_documents_that_come_after_the_silence_are_counted_from_the_day_they_came() -> None:
    now = clock(asked(date(2026, 2, 20)), answered(date(2026, 5, 2)), today=date(2026, 5, 3))
    assert now.ends == date(2026, 7, 2)


def test_documents_then_observations_interrupt_twice_and_nothing_does_a_third_time() -> None:
    events = (asked(date(2026, 2, 1)), answered(date(2026, 2, 10)), observed(date(2026, 4, 9)), rejected(date(2026, 5, 5)))
    twice = clock(*events, today=date(2026, 5, 6))
    assert twice.ends == date(2026, 7, 5)
    thrice = clock(*events, asked(date(2026, 6, 1)), observed(date(2026, 6, 2)), today=date(2026, 6, 3))
    assert thrice.ends == twice.ends
    assert [turn.idle for turn in thrice.turns[-2:]] == [True, True]


def test_a_request_after_the_end_interrupts_nothing() -> None:
    late = clock(asked(date(2026, 3, 11)), today=date(2026, 3, 12))
    assert (late.phase, late.turns[-1].idle) == (Phase.ENDED, True)


def test_an_answer_to_no_request_changes_nothing() -> None:
    now = clock(answered(date(2026, 2, 1)), today=date(2026, 2, 2))
    assert (now.ends, now.turns[-1].idle) == (date(2026, 3, 10), True)


def test_two_letters_open_at_once_are_both_waited_for() -> None:
    both = (asked(date(2026, 2, 1)), observed(date(2026, 3, 1)))
    open_ = clock(*both, today=date(2026, 3, 2))
    assert (open_.answer_by, open_.ends) == (date(2026, 4, 1), date(2026, 7, 1))
    one_left = clock(*both, rejected(date(2026, 3, 10)), today=date(2026, 3, 11))
    assert (one_left.answer_by, one_left.ends) == (date(2026, 4, 1), date(2026, 6, 1))
    none_left = clock(*both, rejected(date(2026, 3, 10)), answered(date(2026, 3, 12)), today=date(2026, 3, 13))
    assert (none_left.phase, none_left.ends) == (Phase.RUNNING, date(2026, 5, 12))


def test_only_what_answers_the_letter_that_interrupted_ends_its_silence() -> None:
    first, second = (Event(date(2026, 1, day), Happening.DOCUMENTS_ASKED, letter=str(day)) for day in (12, 20))
    of_second = Event(date(2026, 1, 25), Happening.DOCUMENTS_ANSWERED, letter="20")
    waiting = clock(first, second, of_second, today=date(2026, 1, 26))
    assert (waiting.phase, waiting.answer_by, waiting.ends) == (Phase.INTERRUPTED, date(2026, 3, 12), date(2026, 5, 12))
    of_first = Event(date(2026, 2, 1), Happening.DOCUMENTS_ANSWERED, letter="12")
    answered = clock(first, second, of_second, of_first, today=date(2026, 2, 2))
    assert (answered.phase, answered.ends) == (Phase.RUNNING, date(2026, 4, 1))


def test_an_acknowledgement_is_of_the_letter_that_its_answer_names() -> None:
    act = Act("2026_01", date(2026, 1, 2), 1, (7, 10), "Tarifs", ())
    messages = [
        message("1-2", day=date(2026, 1, 5)),
        message("3-1", "first", day=date(2026, 1, 10)),
        message("3-1", "second", day=date(2026, 1, 20)),
        message("3-4", "answer", outgoing=True, answers_id="second"),
        message("3-5", day=date(2026, 1, 25), answers_id="answer"),
    ]
    waiting = legality_of(messages, act, date(2026, 1, 26))
    assert waiting is not None
    assert (waiting.phase, waiting.ends) == (Phase.INTERRUPTED, date(2026, 5, 10))
    messages += [
        message("3-3", "refusal", outgoing=True, answers_id="first"),
        message("3-5", day=date(2026, 2, 1), answers_id="refusal"),
    ]
    answered = legality_of(messages, act, date(2026, 2, 2))
    assert answered is not None
    assert (answered.phase, answered.ends) == (Phase.RUNNING, date(2026, 4, 1))


def message(code: str, identifier: str | None = None, *, outgoing: bool = False, **told: date | str) -> ActesMessage:
    created = datetime(2026, 1, 5, tzinfo=UTC)
    return ActesMessage(id=identifier or new_id(), code=code, outgoing=outgoing, created=created, **told)  # type: ignore[arg-type]


def test_a_litigation_ends_when_somebody_says_so_and_another_referral_opens_it_again() -> None:
    referred = Event(date(2026, 2, 2), Happening.REFERRED)
    settled = Event(date(2026, 9, 1), Happening.SETTLED)
    again = Event(date(2026, 9, 8), Happening.REFERRED)
    assert clock(settled, today=date(2026, 1, 20)).phase is Phase.RUNNING
    over = clock(referred, settled, today=date(2026, 9, 2))
    assert (over.phase, over.ends, [turn.kind for turn in over.turns][1:]) == (
        Phase.SETTLED,
        date(2026, 9, 1),
        [Happening.REFERRED, Happening.SETTLED],
    )
    reopened = clock(referred, settled, again, today=date(2026, 9, 9))
    assert (reopened.phase, reopened.ends) == (Phase.REFERRED, None)


@pytest.mark.parametrize(("kind", "phase"), [(Happening.REFERRED, Phase.REFERRED), (Happening.CANCELLED, Phase.CANCELLED)])
def test_a_referral_or_a_cancellation_ends_the_clock_whatever_comes_after(kind: Happening, phase: Phase) -> None:
    over = clock(Event(date(2026, 2, 1), kind), asked(date(2026, 2, 2)), today=date(2026, 2, 3))
    assert (over.phase, over.ends, over.turns[-1].kind) == (phase, None, kind)


def test_the_order_in_which_mails_arrived_changes_nothing() -> None:
    events = (RECEIVED, asked(date(2026, 2, 1)), answered(date(2026, 2, 1)), observed(date(2026, 3, 20)))
    told = {clock_of(order, date(2026, 3, 21)) for order in itertools.permutations(events)}
    assert len(told) == 1
