"""What people do with an act once the State has it: answer its letters, cancel the transmission. Its closing, in its time.

Each is a message to be sent, written with its files in one transaction; the dossier's own stage sends it. What may be done is
asked again under the dossier's lock: of two who answer the same letter at once, the second is told who was first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session, col, select

from core import clock, journal
from core.errors import Conflict, NotFound, Refused, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.problems import Severity
from flows.actes import silences
from flows.actes.act import Act, JoinedFile
from flows.actes.checking import problems_of_reply
from flows.actes.flow import ACTES
from flows.actes.legality import Clock, Event, Happening, Phase, clock_of
from flows.actes.models import ActesMessage, MessageState
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile
from schemas.actes.codes import MessageCode

_messages = Catalogue("flows.actes")

ANSWERS: dict[MessageCode, tuple[MessageCode, ...]] = {
    MessageCode.COURRIER_SIMPLE: (MessageCode.REPONSE_COURRIER_SIMPLE,),
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE: (MessageCode.PIECE_COMPLEMENTAIRE, MessageCode.REFUS_PIECE_COMPLEMENTAIRE),
    MessageCode.LETTRE_OBSERVATIONS: (MessageCode.REPONSE_LETTRE_OBSERVATIONS, MessageCode.REJET_LETTRE_OBSERVATIONS),
}
"""How each letter may be answered."""

_HAPPENS = {
    MessageCode.AR_ACTE: Happening.RECEIVED,
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE: Happening.DOCUMENTS_ASKED,
    MessageCode.AR_PIECE_COMPLEMENTAIRE: Happening.DOCUMENTS_ANSWERED,
    MessageCode.LETTRE_OBSERVATIONS: Happening.OBSERVATIONS,
    MessageCode.AR_REPONSE_REJET_LETTRE_OBSERVATIONS: Happening.OBSERVATIONS_ANSWERED,
    MessageCode.DEFERE_TA: Happening.REFERRED,
    MessageCode.AR_ANNULATION: Happening.CANCELLED,
}
FOLLOWED = frozenset({"acknowledged", "answering"})
"""States in which a letter can be answered and the transmission cancelled."""

_OVER = frozenset({Phase.ENDED, Phase.SETTLED})
_UNDER_WAY = frozenset({MessageState.TO_SEND.value, MessageState.PACKED.value, MessageState.UNCERTAIN.value})
_ASKED = (MessageState.TO_SEND.value, MessageState.PACKED.value, MessageState.UNCERTAIN.value, MessageState.SENT.value)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a letter.

    Attributes:
        letter_id: the message that it answers.
        code: which answer: 2-2, 3-3, 3-4, 4-3, 4-4.
        documents: one, or several for 3-4.
    """

    letter_id: str
    code: MessageCode
    documents: Sequence[JoinedFile]


def messages_of(session: Session, dossier_id: str) -> list[ActesMessage]:
    """Return the messages of an act, oldest first."""
    return list(
        session.exec(
            select(ActesMessage)
            .where(ActesMessage.dossier_id == dossier_id)
            .order_by(col(ActesMessage.created), col(ActesMessage.id))
        )
    )


def answers_of(letter: ActesMessage) -> tuple[MessageCode, ...]:
    """Return how a letter may be answered: not at all without its date, which is all that an answer names it by."""
    return () if letter.letter_date is None else ANSWERS.get(MessageCode(letter.code), ())


def answer_to(letter: ActesMessage, messages: Sequence[ActesMessage]) -> ActesMessage | None:
    """Return the answer that somebody asked for to a letter; one that the State refused does not count."""
    codes = {code.value for code in ANSWERS.get(MessageCode(letter.code), ())}
    return next((one for one in messages if one.answers_id == letter.id and one.code in codes and one.state in _ASKED), None)


def cancellation_of(messages: Sequence[ActesMessage]) -> ActesMessage | None:
    """Return the cancellation that somebody asked for; one that the State refused does not count."""
    return next((one for one in messages if one.code == MessageCode.ANNULATION.value and one.state in _ASKED), None)


def legality_of(messages: Sequence[ActesMessage], act: Act, today: date, *, settled: date | None = None) -> Clock | None:
    """Return the control of legality of an act as its messages tell it; None before the State has it.

    A letter without a date counts from when it came. What the State acknowledges is an answer, which names its letter.

    Args:
        messages: of the act.
        act: it.
        today: the day for which it is told.
        settled: the day on which the litigation was over, once somebody has said so (``settled_on``).
    """
    answers = {message.id: message.answers_id for message in messages if message.outgoing}
    events = [
        Event(message.day or came, _HAPPENS[code], came, answers.get(message.answers_id or "", message.id))
        for message in messages
        if (code := MessageCode(message.code)) in _HAPPENS and (came := clock.in_paris(message.created).date())
    ]
    if settled is not None:
        events.append(Event(settled, Happening.SETTLED))
    return clock_of(events, today, budget=act.is_budget)


def reply(platform: Platform, principal: Principal, dossier_id: str, answer: Reply) -> ActesMessage:
    """Ask for an answer to be sent (rule R37).

    Raises:
        NotFound: no such act, or no such letter of it.
        Forbidden: the principal may not deposit for the organisation.
        UsageError: that letter cannot be answered so, or not with so many documents.
        Refused: the documents break rules.
        Conflict: it was answered already, it bears no date, or the act cannot be answered about any more.
    """
    with platform.database.reading(principal) as session:
        act = session.get(Dossier, dossier_id)
    if act is not None and act.flow == ACTES.name:
        problems = problems_of_reply(platform, act.organisation_id, Act.from_facts(act.facts).nature, answer.documents)
        if any(one.severity is Severity.ERROR for one in problems):
            raise Refused(problems)
    with platform.database.writing(principal) as session:
        dossier = held(session, principal, dossier_id)
        letter = session.get(ActesMessage, answer.letter_id)
        if letter is None or letter.dossier_id != dossier_id or letter.outgoing:
            raise NotFound(_messages("R37.unknown"))
        if answer.code not in ANSWERS.get(MessageCode(letter.code), ()):
            raise UsageError(_messages("R37.code", code=answer.code.value, letter=letter.code))
        if not answers_of(letter):
            raise Conflict(_messages("R37.undated"), dossier_id)
        if not answer.documents or (len(answer.documents) > 1 and answer.code is not MessageCode.PIECE_COMPLEMENTAIRE):
            raise UsageError(_messages("R37.documents"))
        before = answer_to(letter, messages_of(session, dossier_id))
        if before is not None:
            raise Conflict(_messages("R37.answered", day=f"{clock.in_paris(before.created):%d/%m/%Y}"), dossier_id)
        asked = _asked(session, principal, dossier, answer.code, letter)
        files = []
        for n, one in enumerate(answer.documents, 1):
            files.append(KeptFile(f"reply.{asked.id}.{n}", one.name, one.media_type, one.sha256, one.size))
        default = Act.from_facts(dossier.facts).main_type
        asked.facts = {"pieces": [[file.role, one.type or default] for file, one in zip(files, answer.documents, strict=True)]}
        session.add(asked)
        transitions.add_files(session, dossier.organisation_id, dossier_id, tuple(files))
        wake(session, dossier_id, principal.actor)
        return asked


def cancel(platform: Platform, principal: Principal, dossier_id: str) -> ActesMessage:
    """Ask the State to cancel the transmission of an act (rule R36); the act itself is not withdrawn by it.

    Raises:
        NotFound, Forbidden: as ``reply``.
        Conflict: the act is not acknowledged, or a cancellation was asked for already.
    """
    with platform.database.writing(principal) as session:
        dossier = held(session, principal, dossier_id)
        before = cancellation_of(messages_of(session, dossier_id))
        if before is not None:
            raise Conflict(_messages("R36.asked", day=f"{clock.in_paris(before.created):%d/%m/%Y}"), dossier_id)
        asked = _asked(session, principal, dossier, MessageCode.ANNULATION, None)
        wake(session, dossier_id, principal.actor)
        return asked


def held(
    session: Session,
    principal: Principal,
    dossier_id: str,
    *,
    right: Right = Right.DEPOSIT,
    states: frozenset[str] | None = FOLLOWED,
) -> Dossier:
    """Return an act under its lock, with the right to follow it checked."""
    dossier = session.get(Dossier, dossier_id, with_for_update=True)
    if dossier is None or dossier.flow != ACTES.name:
        raise NotFound(_messages("act.missing"))
    principal.require(right, dossier.organisation_id)
    if states is not None and dossier.state not in states:
        raise Conflict(_messages("following.state"), dossier_id)
    return dossier


def _asked(
    session: Session, principal: Principal, dossier: Dossier, code: MessageCode, letter: ActesMessage | None
) -> ActesMessage:
    asked = ActesMessage(
        organisation_id=dossier.organisation_id,
        dossier_id=dossier.id,
        code=code.value,
        id_acte=dossier.facts["id_acte"],
        outgoing=True,
        state=MessageState.TO_SEND.value,
        letter_date=letter.letter_date if letter else None,
        answers_id=letter.id if letter else None,
        actor=principal.actor,
    )
    session.add(asked)
    session.flush()
    journal.write(
        session,
        organisation_id=dossier.organisation_id,
        dossier_id=dossier.id,
        kind="actes.message_asked",
        actor=principal.actor,
        facts={"code": code.value, "message": asked.id},
    )
    return asked


def wake(session: Session, dossier_id: str, actor: str) -> None:
    """Tell the dossier that it has something to send; one that is sending already will look again by itself."""
    transitions.signal(session, ACTES, dossier_id, "to_send", Advance("to_send"), actor)


def wake_all(platform: Platform) -> None:
    """Wake the acts that have something to send and do not know it: asked for at the very moment when they stopped looking."""
    with platform.database.reading(PLATFORM) as session:
        asleep = session.exec(
            select(Dossier.id)
            .join(ActesMessage, col(ActesMessage.dossier_id) == col(Dossier.id))
            .where(ActesMessage.state == MessageState.TO_SEND.value, Dossier.state == "acknowledged", Dossier.flow == ACTES.name)
            .distinct()
        ).all()
    for dossier_id in asleep:
        with platform.database.writing(PLATFORM) as session:
            wake(session, dossier_id, "platform")


def close_elapsed(platform: Platform) -> None:
    """Take the acts whose control is over to their archiving, page by page; tell of those that the State leaves open."""
    today = clock.in_paris(clock.now()).date()
    after = ""
    while page := _acknowledged(platform, after):
        for dossier_id in page:
            _close_elapsed(platform, dossier_id, today)
        after = page[-1]
    silences.tell(platform)


def _acknowledged(platform: Platform, after: str) -> list[str]:
    with platform.database.reading(PLATFORM) as session:
        return list(
            session.exec(
                select(Dossier.id)
                .where(Dossier.flow == ACTES.name, Dossier.state == "acknowledged", Dossier.id > after)
                .order_by(col(Dossier.id))
                .limit(500)
            )
        )


def _close_elapsed(platform: Platform, dossier_id: str, today: date) -> None:
    with platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, dossier_id, with_for_update=True)  # no referral comes between the look and the move
        close(session, dossier, today, platform.settings.acts_grace_days)


def close(session: Session, dossier: Dossier, today: date, grace_days: int) -> None:
    """Take an act to its archiving if its control is over, or its litigation, and nothing of it is still to leave or to come.

    Args:
        session: its transaction is the caller's.
        dossier: the act.
        today: the day in Paris.
        grace_days: how long after the last day of the control a letter that is dated from before may still come.
    """
    messages = messages_of(session, dossier.id)
    found = legality_of(messages, Act.from_facts(dossier.facts), today, settled=settled_on(dossier))
    if found is None or found.phase not in _OVER or any(row.state in _UNDER_WAY for row in messages):
        return
    if cancellation_of(messages) is not None:  # the State says what became of it (6-2, or an anomaly): nothing else ends it
        return
    if found.phase is Phase.ENDED and found.ends and today <= found.ends + timedelta(days=grace_days):
        return
    facts = {"control_ended": found.ends.isoformat()} if found.phase is Phase.ENDED and found.ends else {}
    transitions.signal(session, ACTES, dossier.id, "elapsed", Advance("elapsed", facts=facts))


def settled_on(dossier: Dossier) -> date | None:
    """Return the day on which the litigation about an act was over, once somebody has said so."""
    told = dossier.facts.get("litigation")
    return date.fromisoformat(told["ended"]) if told else None
