"""How an act stands, in a clerk's words: groups of states, the letters that wait for an answer, the end of the control."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from flows.actes.act import Act
from flows.actes.following import ANSWERS, FOLLOWED, answer_to, answers_of, cancellation_of, legality_of, settled_on
from flows.actes.legality import Clock, Phase
from flows.actes.models import ActesMessage
from flows.engine.models import Dossier
from schemas.actes.codes import MessageCode

GROUPS: dict[str, tuple[str, ...]] = {
    "preparation": ("received", "checked", "proceeding", "validated", "ready", "packed"),
    "parapheur": ("in_parapheur",),
    "attente": ("sent", "uncertain"),
    "recu": ("acknowledged", "answering"),
    "termine": ("elapsed", "archived"),
    "annule": ("withdrawn", "cancelled"),
    "echec": ("rejected", "declined", "given_up", "refused"),
}
"""What the list is narrowed by; every state of the flow stands in one of them."""
FAILED = frozenset(GROUPS["echec"])
MOVING = frozenset({*GROUPS["preparation"], *GROUPS["parapheur"], *GROUPS["attente"], "answering", "elapsed", "withdrawn"})
"""States that may change while somebody looks on."""
_COLOURS = {"recu": "green", "termine": "green", "echec": "red", "annule": "amber"}


def colour(dossier: Dossier) -> str:
    """Return the colour of a state's tag."""
    if dossier.parked or dossier.state == "uncertain":
        return "amber"
    group = next((name for name, states in GROUPS.items() if dossier.state in states), "")
    return _COLOURS.get(group, "blue")


def unanswered(messages: Sequence[ActesMessage]) -> list[ActesMessage]:
    """Return the letters of the préfecture that wait for an answer, oldest first.

    One without a date, to which nothing can answer, gives way to one of its kind that came later with a date.
    """
    letters = [one for one in messages if not one.outgoing and MessageCode(one.code) in ANSWERS]
    newest = {one.code: rank for rank, one in enumerate(letters) if answers_of(one)}  # of those with a date
    waiting = (one for rank, one in enumerate(letters) if answers_of(one) or rank > newest.get(one.code, -1))
    return [letter for letter in waiting if answer_to(letter, messages) is None]


def presses(letter: ActesMessage) -> bool:
    """Tell whether time runs against whoever leaves a letter without an answer: a plain letter interrupts nothing."""
    return letter.code != MessageCode.COURRIER_SIMPLE.value


def control_of(dossier: Dossier, messages: Sequence[ActesMessage], today: date) -> Clock | None:
    """Return the control of legality of an act; None before the State has it."""
    return legality_of(messages, Act.from_facts(dossier.facts), today, settled=settled_on(dossier))


def may_be_settled(dossier: Dossier, messages: Sequence[ActesMessage], today: date) -> bool:
    """Tell whether somebody may say that the litigation about an act is over."""
    found = control_of(dossier, messages, today)
    return dossier.state == "acknowledged" and found is not None and found.phase is Phase.REFERRED


def may_be_cancelled(dossier: Dossier, messages: Sequence[ActesMessage]) -> bool:
    """Tell whether a cancellation may be asked for (rule R36)."""
    return dossier.state in FOLLOWED and cancellation_of(messages) is None
