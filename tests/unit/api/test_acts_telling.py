"""The control of legality in words: what runs, until when, what stopped it, and in whose words."""

from __future__ import annotations

from datetime import date

import pytest

from api.acts import telling
from api.s2low import statuses
from core.messages import LOCALES, Catalogue, speaking
from flows.actes.flow import ACTES
from flows.actes.legality import Clock, Event, Happening, clock_of
from flows.actes.models import ActesMessage, MessageState
from flows.actes.wording import message_label
from schemas.actes.codes import MessageCode

RECEIVED = Event(date(2026, 11, 2), Happening.RECEIVED)
ASKED = Event(date(2026, 11, 20), Happening.DOCUMENTS_ASKED)


def clock(*events: Event, today: date, budget: bool = False) -> Clock:
    found = clock_of([RECEIVED, *events], today, budget=budget)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("events", "today", "words"),
    [
        ((), date(2026, 11, 28), "Contrôle de légalité en cours jusqu’au 2 janvier 2027 (encore 35\u00a0jours)."),
        ((), date(2027, 1, 1), "Contrôle de légalité en cours jusqu’au 2 janvier 2027 (encore un jour)."),
        ((), date(2027, 1, 2), "Contrôle de légalité en cours jusqu’au 2 janvier 2027 (dernier jour)."),
        ((), date(2027, 1, 3), "Contrôle de légalité terminé depuis le 2 janvier 2027."),
        ((Event(date(2026, 12, 1), Happening.REFERRED),), date(2026, 12, 2), "L’acte est déféré au tribunal administratif."),
        ((Event(date(2026, 12, 1), Happening.CANCELLED),), date(2026, 12, 2), "La transmission de l’acte est annulée."),
    ],
    ids=["running", "one day", "last day", "ended", "referred", "cancelled"],
)
def test_where_the_control_stands_is_a_sentence(events: tuple[Event, ...], today: date, words: str) -> None:
    assert telling.control_in_words(clock(*events, today=today), today) == words


def test_an_interruption_says_until_when_to_answer() -> None:
    today = date(2026, 11, 28)
    found = clock(ASKED, today=today)
    assert "Répondez avant le 20 janvier 2027 inclus" in telling.control_in_words(found, today)
    assert telling.turn_in_words(found.turns[1]).endswith("le silence vaut refus après le 20 janvier 2027.")
    assert telling.days_left(found, today) == (date(2027, 3, 20) - today).days
    again = clock(ASKED, Event(date(2026, 11, 25), Happening.DOCUMENTS_ASKED), today=today)
    assert telling.turn_in_words(again.turns[2]).endswith("Sans effet sur le délai.")


def test_a_budget_has_a_second_control() -> None:
    today = date(2026, 11, 28)
    assert telling.budgetary_in_words(clock(today=today), today) is None
    assert telling.budgetary_in_words(clock(today=today, budget=True), today) == "Contrôle budgétaire jusqu’au 2 décembre 2026."


@pytest.mark.parametrize("locale", LOCALES)
def test_every_message_state_and_happening_has_words(locale: str) -> None:
    words = Catalogue("api.acts")
    with speaking(locale):
        assert all(message_label(code.value) != code.value for code in MessageCode if code.about_an_act)
        assert all(f"standing.{state.value}" in words for state in MessageState)
        assert all(f"turn.{kind.value}" in words for kind in Happening)
        assert telling.file_label("annex.3.signature").endswith("3")
        assert telling.file_label("3-1.01M8H3Q66A4ZCT2VZ4W1DD74T0") == message_label("3-1")


def test_every_state_of_an_act_has_a_status_and_every_status_a_name() -> None:
    told = {statuses.of_state(state) for state in ACTES.states}
    assert {status.value for status in told} <= statuses.LABELS.keys()
    assert statuses.states_of(4) == ("acknowledged", "answering")
    assert statuses.states_of(6) == ()


@pytest.mark.parametrize("state", [state for state in MessageState if state is not MessageState.RECEIVED])
def test_every_standing_of_a_message_of_ours_has_a_status(state: MessageState) -> None:
    ours = ActesMessage(
        organisation_id="", dossier_id="", code="3-4", id_acte="", outgoing=True, state=state.value, actor="platform"
    )
    assert statuses.of_message(ours, [ours]).value in statuses.LABELS
