"""Which act a message of the ministry is about.

The State names an act by its identifier, or by a copy of what it received. Its number serves again once the act was refused or
cancelled, and organisations of one SIREN share their numbers, so several acts may bear one identifier. What was never sent is
not meant while another was; what was received is held against what was sent; what acknowledges a request is the act's that made
it; what an act has heard to the letter is its own, unless another waits for it. What cannot be told apart goes to a person: an
acknowledgement on the wrong act would prove what did not happen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from core.errors import TabellionError
from core.messages import Catalogue
from core.platform import Platform
from flows.actes.knowledge import DEAD
from flows.actes.models import ActesEnvelope, ActesMessage, MessageState
from flows.actes.transmitted import CANCELLED, newest_of
from flows.engine.models import Dossier
from schemas.actes.codes import NATURES, MessageCode
from schemas.actes.messages import Acte
from schemas.actes.reader import read

_messages = Catalogue("flows.actes")
WAITING = frozenset({"sent", "uncertain"})
"""States of an act of which the State has not said yet whether it takes it."""
_NOT_SENT_YET = frozenset({"received", "checked", "proceeding", "in_parapheur", "validated", "ready", "packed"})
_HELD = frozenset({"acknowledged", "answering", "elapsed", "archived"})
_UNTAKEN = DEAD - CANCELLED
ANSWERED = {
    MessageCode.AR_PIECE_COMPLEMENTAIRE: (MessageCode.REFUS_PIECE_COMPLEMENTAIRE, MessageCode.PIECE_COMPLEMENTAIRE),
    MessageCode.AR_REPONSE_REJET_LETTRE_OBSERVATIONS: (
        MessageCode.REJET_LETTRE_OBSERVATIONS,
        MessageCode.REPONSE_LETTRE_OBSERVATIONS,
    ),
    MessageCode.AR_ANNULATION: (MessageCode.ANNULATION,),
}
"""What each acknowledgement of the State answers."""

_Pair = tuple[ActesMessage, Dossier]


class Unmatched(TabellionError):
    """A person must look: the message is about nothing that is known here, or contradicts what is."""


class Ambiguous(Unmatched):
    """Several acts may be meant, and only a person can tell which.

    Attributes:
        acts: their dossiers, the oldest first.
    """

    def __init__(self, message: str, acts: Sequence[str]) -> None:
        super().__init__(message)
        self.acts = tuple(acts)


class NotYet(TabellionError):
    """Its act cannot hear it yet."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message tells of the act that it is about.

    Attributes:
        sha256: of the message.
        id_acte: the act's identifier; empty where the message bears none.
        recipient: SIREN of the envelope; None without one.
        received: the State's copy of the act; None where there is none.
        day: of the State's letter, which is not older than the receipt of the act; None where it tells none.
        meant: the dossier that a person named, which counts among acts that cannot be told apart; None where nobody did.
    """

    code: MessageCode
    sha256: str
    id_acte: str
    recipient: str | None
    received: Acte | None = None
    day: date | None = None
    meant: str | None = None


def require_heard(dossier: Dossier) -> None:
    """Let an answer wait for an act that has not left, or that a restored backup has as it was: until an operator resumes it.

    Raises:
        NotYet: it waits.
        Unmatched: the act was refused, here or there: the State does not take it for what it is here.
    """
    if dossier.state in _NOT_SENT_YET or dossier.overtaken:
        raise NotYet
    if dossier.state in _UNTAKEN:
        raise Unmatched(_messages("act.untaken", act=dossier.facts["id_acte"]))


def identity(heard: Heard) -> tuple[str, str]:
    """Return the SIREN of an act and how its identifier ends; not its département, which the State may spell otherwise.

    Raises:
        Unmatched: the message tells neither.
    """
    if heard.id_acte.count("-") >= len(("siren", "date", "number", "nature")):
        _, siren, rest = heard.id_acte.split("-", 2)
        return siren, f"-{siren}-{rest}"
    received = heard.received
    nature = NATURES.get(received.nature or 0) if received else None
    if received is None or nature is None or received.decision_date is None or not heard.recipient:
        raise Unmatched(_messages("act.unnamed"))
    day = received.decision_date.strftime("%Y%m%d")
    return heard.recipient, f"-{heard.recipient}-{day}-{received.number}-{nature.abbreviation}"


def act_of(session: Session, platform: Platform, organisations: Sequence[str], heard: Heard) -> _Pair:
    """Return the act that a message is about, with its first message (1-1).

    Args:
        session: that sees every organisation.
        platform: its parts.
        organisations: of the SIREN that ``identity`` tells.
        heard: what the message tells.

    Raises:
        Unmatched: no act here bears that identifier.
        Ambiguous: several do that cannot be told apart, and nobody named one of them.
        NotYet: it will be known once the State has answered an act that is under way.
    """
    _, ending = identity(heard)
    bearing = session.exec(
        select(ActesMessage, Dossier)
        .join(Dossier, col(Dossier.id) == col(ActesMessage.dossier_id))
        .where(ActesMessage.code == MessageCode.ACTE.value, col(ActesMessage.id_acte).endswith(ending, autoescape=True))
        .where(col(ActesMessage.organisation_id).in_(organisations))
        .order_by(col(Dossier.created))
    ).all()
    named = heard.id_acte or ending.lstrip("-")
    if not bearing:
        raise Unmatched(_messages("act.unknown", act=named))
    told = _told(session, heard, bearing)
    if len(bearing) == 1:
        return bearing[0]
    left = _left(session, bearing)
    if told:
        again = _hoping(session, platform, heard, told, [pair for pair in left if pair not in told])
        return _meant([*told, *again], heard, named) if again else told[-1]
    pairs = left or list(bearing)
    asking = _asking(session, heard, pairs)
    asked = [pair for pair in pairs if asking.get(pair[1].id)] or [pair for pair in pairs if pair[1].id in asking]
    pairs = _likely(session, platform, heard, asked or pairs)
    waiting = [pair for pair in pairs if pair[1].state in WAITING | _NOT_SENT_YET]
    held = [pair for pair in pairs if pair[1].state in _HELD]
    if heard.received is None and waiting and not held and len(pairs) > 1:
        raise NotYet  # a letter: it is that act's if the State takes it, else an earlier one's
    for alike in (waiting, held) if heard.received else (held, waiting):
        if alike:
            return alike[0] if len(alike) == 1 else _meant(alike, heard, named)
    return pairs[-1]


def _meant(alike: list[_Pair], heard: Heard, named: str) -> _Pair:
    """Return the act that a person named among those that cannot be told apart."""
    meant = next((pair for pair in alike if pair[1].id == heard.meant), None)
    if meant is None:
        raise Ambiguous(_messages("act.ambiguous", act=named), [dossier.id for _, dossier in alike])
    return meant


def _told(session: Session, heard: Heard, pairs: Iterable[_Pair]) -> list[_Pair]:
    """Return those acts that have heard this very message."""
    own = select(ActesMessage.dossier_id).where(
        col(ActesMessage.dossier_id).in_([dossier.id for _, dossier in pairs]),
        ActesMessage.code == heard.code.value,
        ActesMessage.sha256 == heard.sha256,
    )
    told = set(session.exec(own))
    return [pair for pair in pairs if pair[1].id in told]


def _hoping(session: Session, platform: Platform, heard: Heard, told: list[_Pair], others: list[_Pair]) -> list[_Pair]:
    """Return those acts that wait for what another has heard to the letter: it may be mailed twice, or be their own.

    Of an act that left again under its number on the day on which it was refused or cancelled, the State says the very same.
    """
    if heard.code in ANSWERED:
        asking = _asking(session, heard, others)
        return [pair for pair in others if asking.get(pair[1].id)]
    if heard.received is None:
        return []
    waiting = [pair for pair in others if pair[1].state in WAITING | _NOT_SENT_YET]
    return [pair for pair in _likely(session, platform, heard, [*told, *waiting]) if pair in waiting]


def _asking(session: Session, heard: Heard, pairs: list[_Pair]) -> dict[str, bool]:
    """Return the acts that asked the State for what a message says, and whether it has not told them yet."""
    of = col(ActesMessage.dossier_id).in_([dossier.id for _, dossier in pairs])
    asked = select(ActesMessage.id, ActesMessage.dossier_id).where(
        of,
        col(ActesMessage.code).in_([code.value for code in ANSWERED.get(heard.code, ())]),
        ActesMessage.state != MessageState.REFUSED.value,
        ActesMessage.letter_date == heard.day,
    )
    told = set(session.exec(select(ActesMessage.answers_id).where(of, ActesMessage.code == heard.code.value)))
    asking = session.exec(asked).all()
    waits = {dossier for message, dossier in asking if message not in told}
    return {dossier: dossier in waits for _, dossier in asking}


def _left(session: Session, pairs: Iterable[_Pair]) -> list[_Pair]:
    """Return the acts that left, or began to, as far as a restored backup tells."""
    sent = select(ActesEnvelope.message_id).where(
        col(ActesEnvelope.message_id).in_([first.id for first, _ in pairs]), col(ActesEnvelope.sent).is_not(None)
    )
    departed = set(session.exec(sent))
    return [pair for pair in pairs if pair[0].id in departed or pair[1].overtaken]


def _likely(session: Session, platform: Platform, heard: Heard, pairs: list[_Pair]) -> list[_Pair]:
    """Return those acts of which the message can speak: as the State received it, or received before its letter."""
    if heard.received is not None:
        told = _said(heard.received)
        return [pair for pair in pairs if _sent(session, platform, pair[1]) == told] or pairs
    if heard.day is None:
        return pairs
    day = heard.day.isoformat()
    return [pair for pair in pairs if (pair[1].facts.get("reception_date") or "") <= day] or pairs


def _sent(session: Session, platform: Platform, dossier: Dossier) -> tuple[Any, ...] | None:
    """Return what the message of an act (1-1) says; None where none is kept."""
    kept = newest_of(session, dossier.id).get("message")
    if kept is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "message.xml"
        platform.objects.fetch(kept.sha256, path)
        sent = read(path).document
    return _said(sent) if isinstance(sent, Acte) else None


def _said(act: Acte) -> tuple[Any, ...]:
    return " ".join(act.subject.split()).casefold(), act.matiere, tuple(file.name.casefold() for file in act.files)
