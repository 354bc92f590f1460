"""Statuses: the words that people read, where an invoice may go, and what is never sent."""

from __future__ import annotations

import pytest

from connectors.chorus import statuses
from connectors.chorus.errors import StatusUnsendable
from connectors.chorus.statuses import FINAL, RANK, REASONED, SENDABLE, TRANSITIONS, Outcome, Status, check_sendable, outcome
from core.messages import LOCALES, speaking


@pytest.mark.parametrize("locale", LOCALES)
def test_every_status_and_reason_has_words(locale: str) -> None:
    with speaking(locale):
        assert all(statuses.word(one) != one for one in Status)
        codes = {*statuses.REFUSAL_REASONS, *statuses.SUSPENSION_REASONS}
        assert all(statuses.reason_word(code) != code for code in codes)


def test_what_is_not_known_is_told_as_it_came() -> None:
    assert statuses.word("NOUVEL_ETAT") == "NOUVEL_ETAT"
    assert statuses.reason_word("NOUVEAU") == "NOUVEAU"
    assert outcome("IN_NOUVEAU") is Outcome.UNDER_WAY


def test_the_table_is_whole_and_never_goes_back() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert {one for one in Status if not TRANSITIONS[one]} >= FINAL
    reached = {target for targets in TRANSITIONS.values() for target in targets}
    assert reached == SENDABLE
    for status, targets in TRANSITIONS.items():
        for target in targets:
            assert target in REASONED or RANK[target] > RANK[status]


@pytest.mark.parametrize(
    ("status", "reason", "mandate"),
    [
        ("A_RECYCLER", "motif", ""),
        ("MISE_A_DISPOSITION", "", ""),
        ("COMPLETEE", "", ""),
        ("INCONNU", "", ""),
        ("REJETEE", "", ""),
        ("SUSPENDUE", " \u00a0", ""),
        ("REJETEE", "x" * 256, ""),
        ("SERVICE_FAIT", "", "M1"),
        ("MANDATEE", "", "1" * 51),
    ],
)
def test_what_is_never_sent(status: str, reason: str, mandate: str) -> None:
    with pytest.raises(StatusUnsendable):
        check_sendable(status, reason, mandate)


@pytest.mark.parametrize(
    ("status", "reason", "mandate"), [("REJETEE", "x" * 255, ""), ("MANDATEE", "", "1" * 50), ("MISE_EN_PAIEMENT", "", "")]
)
def test_what_is_sent(status: str, reason: str, mandate: str) -> None:
    check_sendable(status, reason, mandate)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("IN_RECU", Outcome.UNDER_WAY),
        ("IN_INTEGRE", Outcome.TAKEN),
        ("IN_INTEGRE_PARTIEL", Outcome.PARTLY),
        ("IN_REJETE", Outcome.REFUSED),
        ("QP_IRRECEVABLE", Outcome.REFUSED),
        ("QP_RECEVABLE_AVEC_ERREUR", Outcome.UNDER_WAY),
        ("IN_INCIDENTE", Outcome.INCIDENT),
    ],
)
def test_what_the_states_of_a_deposit_mean(state: str, expected: Outcome) -> None:
    assert outcome(state) is expected
