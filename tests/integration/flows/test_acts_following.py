"""What follows an act that the State has: when it is closed, what is sent again, and how the classification is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import col, delete, select

from connectors.actes.settings import ActesOperator
from core import clock
from core.configuration import Configuration, configuration_of, configure
from core.errors import Conflict, Unavailable
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM
from flows.actes import classifying, envelopes, following, resending
from flows.actes.act import Act
from flows.actes.envelopes import FOLLOWING, SENDING
from flows.actes.following import Reply
from flows.actes.knowledge import classification_of
from flows.actes.legality import CONTROL, Phase, months_later
from flows.actes.models import LATE, ActesClassification, ActesEnvelope, ActesMessage, EnvelopeState, MessageState
from flows.actes.settings import OPERATOR
from flows.engine.models import Dossier, Step
from schemas.actes.codes import MessageCode
from schemas.actes.envelope_names import EnvelopeName
from tests.acts import ADDRESS, ActsTown, today
from tests.waiting import wait_until

pytestmark = pytest.mark.parametrize("shape", ["embedded"], indirect=True)


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """The mailbox is read often; no timestamping authority is needed here."""
    return {"poll_seconds": 0.2, "archive_lock_days": 1}


def test_an_act_whose_cancellation_waits_for_the_state_is_not_closed(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acknowledged(acts)
        acts.state._delay = timedelta(hours=1)
        following.cancel(acts.platform, PLATFORM, dossier)
        wait_until(lambda: acts.message(dossier, "6-1").state == MessageState.SENT.value)
        acts.wait_for(dossier, "acknowledged")
        received(acts, dossier, today() - timedelta(days=100))
        following.close_elapsed(acts.platform)
        acts.state._delay = timedelta()
        acts.state._hurry()
        acts.wait_for(dossier, "cancelled", "archived")
    assert acts.dossier(dossier).state == "cancelled"
    assert not acts.message(dossier, "6-2").facts.get(LATE)


def test_a_letter_of_the_last_day_that_comes_later_is_still_answered(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acknowledged(acts)
        received(acts, dossier, long_enough_ago(1))
        last = ends(acts, dossier)
        assert last < today()
        following.close_elapsed(acts.platform)
        assert acts.dossier(dossier).state == "acknowledged"
        acts.state.send_letter(acts.dossier(dossier).facts["id_acte"], "3-1", "Transmettez le plan.", last)
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2"])
        acts.wait_for(dossier, "acknowledged")
    letter = acts.message(dossier, "3-1")
    assert (letter.letter_date, letter.facts.get(LATE)) == (last, None)
    answered(acts, dossier, letter)
    control = following.legality_of(acts.messages(dossier), Act.from_facts(acts.dossier(dossier).facts), today())
    assert control is not None
    assert (control.phase, control.answer_by) == (Phase.INTERRUPTED, months_later(today(), 2))  # nobody was silent before it came


def test_an_act_is_closed_once_the_days_of_grace_are_over(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acknowledged(acts)
    grace = acts.platform.settings.acts_grace_days
    last = ends(acts, dossier)
    for days, state in ((grace, "acknowledged"), (grace + 1, "elapsed")):
        with acts.platform.database.writing(PLATFORM) as session:
            following.close(session, session.get_one(Dossier, dossier), last + timedelta(days=days), grace)
        assert acts.dossier(dossier).state == state


def test_what_was_asked_for_anew_is_not_sent_again(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acknowledged(acts)
    letters = [letter_of(acts, dossier, code) for code in ("2-1", "3-1")]
    first = answered(acts, dossier, letters[0])
    automatic = message_of(acts, dossier, "3-2", MessageState.REFUSED, answers_id=letters[1].id)
    answered(acts, dossier, letters[1])
    cancellation = following.cancel(acts.platform, PLATFORM, dossier)
    for one in (first, cancellation):
        changed(acts, ActesMessage, one.id, state=MessageState.REFUSED.value)
    answered(acts, dossier, letters[0])
    following.cancel(acts.platform, PLATFORM, dossier)
    for one in (first, cancellation):
        with pytest.raises(Conflict):
            resending.send_message_again(acts.platform, PLATFORM, one.id)
    resending.send_message_again(acts.platform, PLATFORM, automatic.id)  # the answer beside it is another message
    told = {row.id: row.state for row in acts.messages(dossier)}
    assert (told[first.id], told[cancellation.id], told[automatic.id]) == ("refused", "refused", "to_send")


@pytest.mark.parametrize("changes", [{"state": "archived"}, {"state": "cancelled"}, {"overtaken": True}], ids=str)
def test_nothing_is_sent_again_of_an_act_that_is_closed_or_that_a_restored_backup_has(
    acts: ActsTown, changes: dict[str, Any]
) -> None:
    with acts.at_work():
        dossier = acknowledged(acts)
    doubtful = message_of(acts, dossier, "6-1", MessageState.UNCERTAIN)
    before = {name: getattr(acts.dossier(dossier), name) for name in changes}
    changed(acts, Dossier, dossier, **changes)
    with pytest.raises(Conflict):
        resending.send_message_again(acts.platform, PLATFORM, doubtful.id)
    assert acts.message(dossier, "6-1").state == MessageState.UNCERTAIN.value
    changed(acts, Dossier, dossier, **before)
    resending.send_message_again(acts.platform, PLATFORM, doubtful.id)
    assert acts.message(dossier, "6-1").state == MessageState.TO_SEND.value


def test_an_act_that_is_sent_again_after_a_doubt_keeps_the_name_of_its_envelope(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acknowledged(acts)
    changed(acts, Dossier, dossier, state="uncertain")
    resending.send_again(acts.platform, PLATFORM, dossier)
    now, (envelope,) = acts.dossier(dossier), acts.envelopes(dossier)
    assert (now.state, now.facts[SENDING]["envelope"], now.facts[SENDING]["again"]) == ("packed", envelope.name, True)


@pytest.mark.parametrize("classified", [False, True])
def test_a_classification_that_could_not_be_asked_for_is_asked_for_soon(
    acts: ActsTown, monkeypatch: pytest.MonkeyPatch, classified: bool
) -> None:
    forget(acts)
    if classified:
        with acts.platform.database.writing(PLATFORM) as session:
            session.add(ActesClassification(organisation_id=acts.organisation.id, day=today(), sha256="0" * 64))
    with monkeypatch.context() as down, pytest.raises(Unavailable):
        down.setattr("flows.actes.knowledge.classification_of", lambda *_: None)
        down.setattr(classifying, "deposit", unreachable)
        classifying.look(acts.platform, acts.organisation.id)
    assert due_in(acts, monkeypatch, timedelta(minutes=1)) == []
    assert due_in(acts, monkeypatch, timedelta(minutes=15)) == [acts.organisation.id]


def test_a_classification_is_asked_for_within_the_hours_and_the_quota(acts: ActsTown) -> None:
    forget(acts)
    windows(acts, shut := closed())
    before = len(acts.state.deliveries())
    classifying.look(acts.platform, acts.organisation.id)
    with pytest.raises(classifying.NotNow, match=str(shut["begin"])):
        classifying.request(acts.platform, acts.organisation.id)
    assert (len(acts.state.deliveries()), asked(acts)) == (before, [])
    windows(acts, {"begin": "00:00", "end": "00:00", "quota": 1000})
    classifying.look(acts.platform, acts.organisation.id)
    assert len(asked(acts)) == 1
    with pytest.raises(classifying.NotNow):
        classifying.request(acts.platform, acts.organisation.id)
    assert (len(acts.state.deliveries()), len(asked(acts))) == (before + 1, 1)


def test_the_quota_of_an_operator_is_shared_by_those_alone_who_send_through_it(acts: ActsTown) -> None:
    forget(acts)
    windows(acts, {"begin": "00:00", "end": "00:00", "quota": 1000})
    with acts.platform.database.writing(PLATFORM) as session:
        town = session.get_one(Organisation, acts.organisation.id)
        service = add_organisation(session, "Service culture", OrganisationKind.SERVICE, parent=town)
        operator = configuration_of(session, acts.platform.secrets, town.id, OPERATOR, ActesOperator)
        configure(session, acts.platform.secrets, service.id, OPERATOR, operator)
        session.add(
            ActesEnvelope(
                organisation_id=service.id,
                name="EACT--214009995--20260101-1",
                state=EnvelopeState.SENT.value,
                sha256="0" * 64,
                size=5000,
                sent=clock.now(),
            )
        )
    assert [full(acts, one.id, operator) for one in (town, service)] == [False, True]
    with acts.platform.database.writing(PLATFORM) as session:
        session.delete(session.get_one(Configuration, (service.id, OPERATOR)))
    assert [full(acts, one.id, operator) for one in (town, service)] == [True, True]


def full(acts: ActsTown, organisation_id: str, operator: ActesOperator) -> bool:
    with acts.platform.database.writing(PLATFORM) as session:
        return envelopes.closed(session, organisation_id, operator, "", 1) is not None


def test_what_waited_for_another_day_leaves_in_an_envelope_of_the_day_of_sending(acts: ActsTown) -> None:
    with acts.at_work():
        wait_until(lambda: classification_of(acts.platform, acts.organisation.id) is not None)
        windows(acts, closed())
        dossier = acts.send()
        acts.wait_for(dossier, "packed")
        wait_until(lambda: waits(acts, dossier))
        first = packed_yesterday(acts, dossier, SENDING)
        acts.wait_for(dossier, "acknowledged")
        windows(acts, closed())
        answered(acts, dossier, letter_of(acts, dossier, "2-1"))
        wait_until(lambda: acts.message(dossier, "2-2").state == MessageState.PACKED.value and waits(acts, dossier))
        second = packed_yesterday(acts, dossier, FOLLOWING)
        acts.wait_for_messages(dossier, ["1-1", "1-2", "2-1", "2-2"])
        acts.wait_for(dossier, "acknowledged")
    names = {one.name for one in acts.envelopes(dossier)}
    assert {EnvelopeName.parse(name).day for name in names} == {today()}
    assert (len(names), acts.delivered(dossier)) == (2, 2)
    assert not {first, second} & names


def closed() -> dict[str, object]:
    """A window that closed an hour ago."""
    now = clock.in_paris(clock.now())
    return {"begin": f"{now - timedelta(hours=2):%H:%M}", "end": f"{now - timedelta(hours=1):%H:%M}"}


def waits(acts: ActsTown, dossier: str) -> bool:
    """Tell whether an act was postponed to an hour of sending."""
    with acts.platform.database.reading(PLATFORM) as session:
        step = session.get(Step, dossier)
    return step is not None and step.trouble is not None and step.due > clock.now()


def packed_yesterday(acts: ActsTown, dossier: str, fact: str) -> str:
    """Let the envelope that waits be one of yesterday, and sending be open again."""
    windows(acts, {"begin": "00:00", "end": "00:00"})
    facts = acts.dossier(dossier).facts
    named = EnvelopeName.parse(facts[fact]["envelope"])
    name = replace(named, day=named.day - timedelta(days=1)).stem
    with acts.platform.database.writing(PLATFORM) as session:
        envelope = session.exec(select(ActesEnvelope).where(ActesEnvelope.name == named.stem)).one()
        envelope.name = name
        row = session.get_one(Dossier, dossier)
        row.facts = {**facts, fact: {**facts[fact], "envelope": name}}
        step = session.get_one(Step, dossier)
        step.due, step.announced = clock.now(), None
        session.add_all((envelope, row, step))
    return name


def acknowledged(acts: ActsTown) -> str:
    """Send an act that the State then has."""
    dossier = acts.send()
    acts.wait_for(dossier, "acknowledged")
    return dossier


def changed(acts: ActsTown, kind: type[ActesMessage | Dossier], known: str, **values: Any) -> None:
    with acts.platform.database.writing(PLATFORM) as session:
        row = session.get_one(kind, known)
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def received(acts: ActsTown, dossier: str, day: date) -> None:
    changed(acts, ActesMessage, acts.message(dossier, "1-2").id, day=day)


def ends(acts: ActsTown, dossier: str) -> date:
    day = acts.message(dossier, "1-2").day
    assert day is not None
    return months_later(day, CONTROL)


def long_enough_ago(days: int) -> date:
    """The last day from which a control of two months has ended that many days ago, or more."""
    day = today()
    while months_later(day, CONTROL) > today() - timedelta(days=days):
        day -= timedelta(days=1)
    return day


def message_of(acts: ActsTown, dossier: str, code: str, state: MessageState, **values: Any) -> ActesMessage:
    row = ActesMessage(
        organisation_id=acts.organisation.id,
        dossier_id=dossier,
        code=code,
        id_acte=acts.dossier(dossier).facts["id_acte"],
        outgoing=state is not MessageState.RECEIVED,
        state=state.value,
        actor="platform",
        **values,
    )
    with acts.platform.database.writing(PLATFORM) as session:
        session.add(row)
    return row


def letter_of(acts: ActsTown, dossier: str, code: str) -> ActesMessage:
    return message_of(acts, dossier, code, MessageState.RECEIVED, letter_date=today(), day=today())


def answered(acts: ActsTown, dossier: str, letter: ActesMessage) -> ActesMessage:
    code = {"2-1": MessageCode.REPONSE_COURRIER_SIMPLE, "3-1": MessageCode.PIECE_COMPLEMENTAIRE}[letter.code]
    return following.reply(acts.platform, PLATFORM, dossier, Reply(letter.id, code, (acts.file("reponse.pdf"),)))


def forget(acts: ActsTown) -> None:
    """Forget that the classification was ever asked for, and what was answered."""
    with acts.platform.database.writing(PLATFORM) as session:
        for table in (ActesEnvelope, ActesClassification):
            session.connection().execute(delete(table))


def unreachable(*_: object) -> None:
    raise Unavailable("unreachable")


def due_in(acts: ActsTown, monkeypatch: pytest.MonkeyPatch, wait: timedelta) -> list[str]:
    later = clock.now() + wait
    with monkeypatch.context() as patch:
        patch.setattr(classifying, "clock", SimpleNamespace(now=lambda: later))
        return classifying.due(acts.platform, acts.organisation.id)


def windows(acts: ActsTown, window: dict[str, object]) -> None:
    operator = acts.state.operator(acts.office.settings_for(ADDRESS), ADDRESS, windows=[window])
    with acts.platform.database.writing(PLATFORM) as session:
        configure(session, acts.platform.secrets, acts.organisation.id, OPERATOR, operator)


def asked(acts: ActsTown) -> list[ActesEnvelope]:
    with acts.platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(ActesEnvelope).where(col(ActesEnvelope.dossier_id).is_(None))))
