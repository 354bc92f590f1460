"""Acts in words: their files, the messages of both sides and where these stand, the control of legality and how it came about."""

from __future__ import annotations

from datetime import date

from api.words import day as in_words
from api.words import number as in_figures
from core.messages import Catalogue
from flows.actes.legality import Clock, Phase, Turn
from flows.actes.models import ActesMessage
from flows.actes.wording import message_label

_t = Catalogue("api.acts")
_ANNEX = "annex."
_SIGNATURE = ".signature"


def standing_label(message: ActesMessage) -> str:
    """Return where a message stands."""
    return _t(f"standing.{message.state}")


def file_label(role: str) -> str:
    """Return what a file is to its act, by its role."""
    plain, _, _ = role.partition(_SIGNATURE)
    if plain != role:
        return _t("file.signature", of=file_label(plain))
    kind, _, rank = role.partition(".")
    if role.startswith(_ANNEX):
        return _t("file.annex", rank=rank)
    if kind in {"reply", "archive", "message"} and rank:
        return _t(f"file.{kind}")
    key = f"file.{kind}"
    return _t(key) if key in _t else message_label(kind)


def days_left(found: Clock, today: date) -> int | None:
    """Return how many days the control still runs, its last one counted; None once it does not."""
    return max((found.ends - today).days, 0) if found.ends and found.phase in {Phase.RUNNING, Phase.INTERRUPTED} else None


def control_in_words(found: Clock, today: date) -> str:
    """Return where the control of legality stands, as a sentence; indicative, as every date of the law that a machine counts."""
    left = days_left(found, today)
    counted = _t("control.last") if not left else _t.counted("control.left", left, days=in_figures(left))
    ends = in_words(found.ends) if found.ends else ""
    answer_by = in_words(found.answer_by) if found.answer_by else ""
    return _t(f"control.{found.phase.value}", ends=ends, left=counted, answer_by=answer_by)


def budgetary_in_words(found: Clock, today: date) -> str | None:
    """Return where the control of a budget stands; None for what is none, and for what is before the tribunal or cancelled."""
    if found.budgetary is None or found.phase in {Phase.REFERRED, Phase.SETTLED, Phase.CANCELLED}:
        return None
    return _t("budgetary.running" if today <= found.budgetary else "budgetary.ended", ends=in_words(found.budgetary))


def turn_in_words(turn: Turn) -> str:
    """Return one thing that the clock counted, and what it changed."""
    told = _t(f"turn.{turn.kind.value}", day=in_words(turn.day))
    if turn.idle:
        return f"{told} {_t('turn.idle')}"
    if turn.silence is not None:
        return f"{told} {_t('turn.silence', day=in_words(turn.silence))}"
    if turn.ends is not None:
        return f"{told} {_t('turn.ends', day=in_words(turn.ends))}"
    return told
