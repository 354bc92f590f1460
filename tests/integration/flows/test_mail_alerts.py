"""What senders are told without looking: whom a send does not reach, the last day of a convocation, the news of the morning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from itertools import count
from typing import Any

import pytest
from pydantic import SecretStr
from sqlmodel import select

from api.runtime import build_engine
from connectors.mail.errors import MailUnavailable
from core import clock
from core.errors import Misconfigured
from core.journal import JournalEntry
from core.organisations import OrganisationKind, add_organisation
from core.people import Person, add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.engine.brokers import open_broker
from flows.engine.models import Schedule
from flows.mail import alerting, alerts, events
from flows.mail.alerts import Due, MailAlert
from flows.mail.convening.models import Meeting
from flows.mail.events import EventKind
from flows.mail.models import Mail, MailRecipient, RecipientState
from signing.parapheur.models import SignatoryProfile
from tests.databases import sqlite_at
from tests.mail_sink import Sink, mail_sink
from tests.mails import ADDRESSES, MailsMairie
from tests.meetings import NAMES, Council, clerk_of
from tests.sending import furnished

ROOT = "https://tabellion.valmorin.test"
CAMILLE, DOMINIQUE, SACHA = ADDRESSES
TOMORROW = clock.in_paris(clock.now()).date() + timedelta(days=1)
"""The day of these tests: what they make is not of this very moment."""
_numbers = count()

At = Callable[..., datetime]


@dataclass
class Alerted:
    """A mairie whose agents send, and the mail server that writes to them."""

    platform: Platform
    council: Council
    mairie: MailsMairie
    sink: Sink

    def person(self, stem: str = "agent", *, rights: tuple[Right, ...] = (Right.READ, Right.DEPOSIT), **values: Any) -> Person:
        """Add somebody who sends."""
        with self.platform.database.writing(PLATFORM) as session:
            person = add_person(session, f"{stem}{next(_numbers)}@valmorin.test", "Andréa Greffier", None)
            for name, value in values.items():
                setattr(person, name, value)
            grant_role(session, person, self.council.organisation, "greffe", rights)
        return person

    def sends(self, author: Person | str, *recipients: str, **changes: Any) -> str:
        """Add a send of somebody; return its dossier."""
        dossier_id = self.mairie.mail(recipients=recipients or (CAMILLE,), **changes)
        return self.is_of(dossier_id, author)

    def convenes(self, author: Person, last_day: int) -> str:
        """Add a convocation of somebody, which may leave until some days after the day of these tests."""
        dossier_id = self.council.convened(12, left=clock.now() - timedelta(days=2))
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(Meeting, dossier_id).last_day = TOMORROW + timedelta(days=last_day)
        return self.is_of(dossier_id, author)

    def is_of(self, dossier_id: str, author: Person | str) -> str:
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(Mail, dossier_id).author = author if isinstance(author, str) else f"person:{author.id}"
        return dossier_id

    def fails(self, dossier_id: str, rank: int = 0, trouble: str = "Le serveur a répondu 550.") -> None:
        """Have a recipient stand FAILED from now on."""
        state = RecipientState.FAILED.value
        self.mairie.change(self.mairie.recipient(dossier_id, rank), state=state, since=clock.now(), trouble=trouble)

    def happens(self, dossier_id: str, kind: EventKind, at: datetime, *ranks: int) -> None:
        """Have recipients do something at a moment."""
        with self.platform.database.writing(PLATFORM) as session:
            for rank in ranks:
                events.record(session, self.mairie.recipient(dossier_id, rank), kind, at=at)

    def told(self, person: Person) -> list[EmailMessage]:
        """Tell whoever is to be told; return all letters to a person."""
        alerting.alert(self.platform)
        return self.sink.to(person.email)


@pytest.fixture(scope="module")
def alerted(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerted]:
    folder = tmp_path_factory.mktemp("alerts")
    with mail_sink(folder / "sink") as sink:
        platform = furnished(sqlite_at(folder / "db.sqlite3"), folder, s3, sink.url)
        with platform.database.writing(PLATFORM) as session:
            root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
            town = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root)
        yield Alerted(platform, Council(platform, town, clerk_of(town)).seat(), MailsMairie(platform, town), sink)
        platform.database.close()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the clock to an hour of Paris, some days after the day of these tests."""

    def on(hour: int, minute: int = 0, days: int = 0) -> datetime:
        moment = clock.as_utc(datetime.combine(TOMORROW + timedelta(days=days), time(hour, minute), clock.PARIS))
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment

    on(7)
    return on


def plain(letter: EmailMessage, kind: str = "plain") -> str:
    part = letter.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").replace("\u00a0", " ")


def subject(letter: EmailMessage) -> str:
    return str(letter["Subject"]).replace("\u00a0", " ")


def test_whoever_sent_is_told_at_once_whom_it_does_not_reach_and_why_and_never_again(alerted: Alerted, at: At) -> None:
    agent = alerted.person()
    dossier_id = alerted.sends(agent, CAMILLE, DOMINIQUE, SACHA)
    link = f"https://courrier.test/courrier/{alerted.mairie.token(dossier_id, 1)}"
    alerted.fails(dossier_id, 0)
    alerted.fails(dossier_id, 1, f"Refusé à cause de <{link}>\r\nBcc: x@y.test <b>")
    with alerted.platform.database.reading(PLATFORM) as session:
        journal = len(session.exec(select(JournalEntry)).all())
    alerting.plan(alerted.platform)
    broker = open_broker("memory://")
    build_engine(alerted.platform, broker)
    with alerted.platform.database.writing(PLATFORM) as session:
        planned = session.exec(select(Schedule).where(Schedule.actor == alerting.ACTOR)).one()
        planned.due = clock.now()
        assert planned.queue == "remote.mail"
    broker.get_actor(alerting.ACTOR)(planned.name)
    (letter,) = alerted.sink.to(agent.email)
    assert subject(letter) == "Courriers suivis : destinataires non joints (2)"
    assert (letter["To"], letter["Auto-Submitted"]) == (f"Andréa Greffier <{agent.email}>", "auto-generated")
    for words in (
        "Bonjour Andréa Greffier",
        f"- Camille Aubert ({CAMILLE}) : non remis. Le serveur a répondu 550.",
        f"- Dominique Marchal ({DOMINIQUE}) : non remis. Refusé à cause de … Bcc: x@y.test <b>",
        f"\n{ROOT}/courriers/{dossier_id}\n",
        "corrigez l’adresse",
        f"{ROOT}/parapheur/preferences",
    ):
        assert words in plain(letter)
    everything = plain(letter) + plain(letter, "html") + letter.as_string()
    assert not [one for one in (SACHA, "Avis de passage", "/courrier/", "recommandé") if one in everything]
    assert "<b>" not in plain(letter, "html")
    assert not [token for token in alerted.mairie.tokens.values() if token in everything]
    assert f'<a href="{ROOT}/courriers/{dossier_id}">' in plain(letter, "html")
    assert len(alerted.told(agent)) == 1
    at(7, 30)
    alerted.fails(dossier_id, 0)  # mended, and refused anew
    *_, again = alerted.told(agent)
    assert (CAMILLE in plain(again), DOMINIQUE in plain(again)) == (True, False)
    assert len(alerted.told(agent)) == 2
    with alerted.platform.database.reading(PLATFORM) as session:
        assert len(session.exec(select(JournalEntry)).all()) == journal


def test_nobody_is_told_who_is_suspended_refuses_mail_or_may_not_see_the_send_any_more(alerted: Alerted, at: At) -> None:
    agents = [
        alerted.person(suspended=clock.now()),
        alerted.person(),
        alerted.person(rights=(Right.ACT,)),
    ]
    with alerted.platform.database.writing(PLATFORM) as session:
        session.add(SignatoryProfile(person_id=agents[1].id, frequency="never"))
    cancelled = alerted.person()
    over = alerted.person()
    authors: list[Person | str] = [*agents, cancelled, "token:01J", "platform"]
    dossiers = [alerted.sends(one) for one in authors]
    dossiers.append(alerted.sends(over, state="archived"))
    for dossier_id in dossiers:
        alerted.fails(dossier_id)
    with alerted.platform.database.writing(PLATFORM) as session:
        session.get_one(Mail, dossiers[3]).cancelled = clock.now()
    at(8)
    before = len(alerted.sink.kept())
    alerting.alert(alerted.platform)
    assert len(alerted.sink.kept()) == before
    with alerted.platform.database.writing(PLATFORM) as session:
        session.get_one(SignatoryProfile, agents[1].id).frequency = "daily"
        session.get_one(Person, agents[0].id).suspended = None
    assert [len(alerted.told(one)) for one in agents] == [1, 1, 0]


@pytest.mark.usefixtures("at")
def test_a_convocation_says_its_last_day_and_loudly_when_it_is_near(alerted: Alerted) -> None:
    agent = alerted.person()
    near = {0: "AUJOURD’HUI", 1: "DEMAIN"}
    for days, words in ((3, "Dernier jour pour convoquer : "), (1, "DEMAIN"), (0, "AUJOURD’HUI"), (-1, "est passé")):
        dossier_id = alerted.convenes(agent, days)
        alerted.council.stand(dossier_id, NAMES[2], RecipientState.FAILED)
        *_, letter = alerted.told(agent)
        assert words in plain(letter), days
        assert (f"<strong>DERNIER JOUR pour convoquer : {near.get(days)}" in plain(letter, "html")) == (days in near)
        assert subject(letter).startswith(f"DERNIER JOUR {near[days]}" if days in near else "Courriers suivis")
        assert "convoqué par un autre moyen" in plain(letter)
    assert len(alerted.told(agent)) == 4
    with alerted.platform.database.reading(PLATFORM) as session:
        assert session.get_one(Mail, dossier_id).subject in plain(letter)


def test_on_the_last_two_days_one_letter_a_morning_names_the_members_who_are_not_reached(alerted: Alerted, at: At) -> None:
    agent, calm = alerted.person(), alerted.person()
    dossier_id, other = alerted.convenes(agent, 1), alerted.convenes(calm, 1)
    alerted.council.stand(other, "La Gazette", RecipientState.DELAYED)  # a guest: no delay is kept for them
    hurried = alerted.council.recipient(other, NAMES[0])
    alerted.council.stand(other, NAMES[0], RecipientState.WAITING)
    alerted.council.stand(dossier_id, NAMES[0], RecipientState.WAITING)
    alerted.council.stand(dossier_id, NAMES[1], RecipientState.DELAYED)
    assert alerted.told(agent) == []
    at(8)
    with alerted.platform.database.writing(PLATFORM) as session:  # in hand: its notice has just been planned anew
        session.get_one(MailRecipient, hurried).since = clock.now()
    alerted.council.stand(dossier_id, NAMES[2], RecipientState.FAILED)
    (letter,) = alerted.told(agent)
    assert subject(letter) == "DERNIER JOUR DEMAIN : convocation, destinataires non joints (3)"
    assert alerted.sink.to(calm.email) == []
    for words in ("pas encore parti.", "retardé, un serveur essaie encore.", "non remis."):
        assert words in plain(letter)
    at(15)
    assert (len(alerted.told(agent)), len(alerted.told(calm))) == (1, 1)  # the notice in hand did not leave after all
    at(8, days=1)
    alerted.council.stand(dossier_id, NAMES[0], RecipientState.HANDED)
    *_, letter = alerted.told(agent)
    assert subject(letter) == "DERNIER JOUR AUJOURD’HUI : convocation, destinataires non joints (2)"
    at(8, days=2)
    assert len(alerted.told(agent)) == 2


def test_each_morning_the_news_of_the_day_before_are_told_once_unless_there_are_none(alerted: Alerted, at: At) -> None:
    agent = alerted.person(language="en")
    one, two, quiet = (alerted.sends(agent, *ADDRESSES) for _ in range(3))
    alerted.happens(one, EventKind.WITHDRAWN, at(6), 0, 1)
    alerted.happens(one, EventKind.ANSWERED, at(6), 0)
    alerted.happens(two, EventKind.REFUSED, at(6), 0)
    alerted.happens(two, EventKind.EXPIRED, at(6), 1)
    alerted.happens(two, EventKind.WITHDRAWN, at(7, 57), 2)
    alerted.happens(quiet, EventKind.OPENED, at(6), 0, 1)
    at(7, 59)
    assert alerted.told(agent) == []
    at(8)
    (letter,) = alerted.told(agent)
    assert subject(letter) == "Tracked mail: news of your sends (2)"
    assert f"- Withdrawn: 2\n- Answers: 1\n{ROOT}/courriers/{one}\n" in plain(letter)
    assert f"- Refused: 1\n- Not withdrawn in time: 1\n{ROOT}/courriers/{two}\n" in plain(letter)
    assert not [words for words in (*ADDRESSES, quiet, "/courrier/") if words in plain(letter)]
    at(20)
    assert len(alerted.told(agent)) == 1
    at(9, days=1)
    *_, letter = alerted.told(agent)
    assert f"- Withdrawn: 1\n{ROOT}/courriers/{two}\n" in plain(letter)
    assert one not in plain(letter)
    at(8, days=2)
    assert len(alerted.told(agent)) == 2


@pytest.mark.usefixtures("at")
def test_what_certainly_did_not_leave_is_told_later_and_what_may_have_left_is_not_told_twice(alerted: Alerted) -> None:
    late, refused, agent = alerted.person("later"), alerted.person("refused"), alerted.person()
    for person in (late, refused, agent):
        alerted.fails(alerted.sends(person))
    with pytest.raises(MailUnavailable, match="451"):
        alerting.alert(alerted.platform)
    kept = [len(alerted.sink.to(person.email)) for person in (late, refused, agent)]
    assert kept == [0, 0, 1]
    assert [len(alerted.told(person)) for person in (late, refused, agent)] == [1, 0, 1]
    lost = alerted.person("lost")
    dossier_id = alerted.sends(lost)
    alerted.fails(dossier_id)
    with pytest.raises(MailUnavailable):
        alerting.alert(alerted.platform)
    assert len(alerted.told(lost)) == 1
    due = Due(alerted.council.organisation.id, dossier_id, "summary:2026-01-01")
    assert len(alerts.claim(alerted.platform.database, lost.id, [due])) == 1
    another = replace(due, occasion="deadline:2026-01-01")
    assert alerts.claim(alerted.platform.database, lost.id, [another, due]) == []
    with alerted.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(MailAlert).where(MailAlert.occasion == another.occasion)).first() is None


@pytest.mark.usefixtures("at")
def test_without_a_server_nothing_is_kept_as_told_and_without_a_sender_the_operator_is(alerted: Alerted) -> None:
    agent = alerted.person()
    alerted.fails(alerted.sends(agent))
    settings = alerted.platform.settings
    alerting.alert(replace(alerted.platform, settings=settings.model_copy(update={"smtp_url": SecretStr("")})))
    with pytest.raises(Misconfigured):
        alerting.alert(replace(alerted.platform, settings=settings.model_copy(update={"mail_from": ""})))
    assert len(alerted.told(agent)) == 1
