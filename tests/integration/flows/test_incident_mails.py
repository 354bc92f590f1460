"""Who is told of an incident of the archive by mail, when, in what words; never a flood, and at most twice after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from itertools import count

import pytest
from pydantic import SecretStr
from sqlmodel import select

from api.runtime import build_engine, plan_schedules
from archive.watch import incidents as watch
from archive.watch import telling
from archive.watch.incidents import Kind, open_incident
from archive.watch.models import Incident, IncidentNotice
from connectors.mail.errors import MailUnavailable
from core import clock
from core.database import Database
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import Person, add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.roles import OPERATOR
from core.s3_server import S3Server
from flows import incidents
from flows.engine.brokers import open_broker
from flows.engine.models import Schedule
from signing.parapheur.models import SignatoryProfile
from tests.conftest import free_port
from tests.databases import sqlite_at
from tests.mail_sink import Sink, mail_sink
from tests.sending import furnished

ROOT = "https://tabellion.valmorin.test"
DAY = clock.in_paris(clock.now()).date() + timedelta(days=1)
_numbers = count()
At = Callable[..., datetime]


@dataclass
class Office:
    """A platform with two collectivités, and the mail server by which people are told."""

    platform: Platform
    root: Organisation
    town: Organisation
    other: Organisation
    sink: Sink

    def person(self, where: Organisation, *rights: Right, role: str = "veille", stem: str = "veille", **values: object) -> Person:
        with self.platform.database.writing(PLATFORM) as session:
            person = add_person(session, f"{stem}{next(_numbers)}@valmorin.test", "Andréa Veilleur", None)
            for name, value in values.items():
                setattr(person, name, value)
            grant_role(session, person, where, role, rights)
        return person

    def archivist(self, where: Organisation | None = None, **more: object) -> Person:
        return self.person(where or self.town, Right.ARCHIVE, **more)  # type: ignore[arg-type]

    def opens(self, where: Organisation | None = None, kind: Kind = Kind.COPY_ALTERED) -> str:
        subject = f"cle-de-l-objet/{next(_numbers)}.zip"
        owner = (where or self.town).id
        with self.platform.database.writing(PLATFORM) as session:
            return open_incident(session, organisation_id=owner, kind=kind, place="second", subject=subject, facts={})

    def told(self, person: Person) -> list[EmailMessage]:
        """Tell whoever is to be told; return all messages to a person."""
        incidents.tell(self.platform)
        return self.sink.to(person.email)

    def settle(self) -> None:
        """Close every incident, so that the next test begins without any."""
        with self.platform.database.writing(PLATFORM) as session:
            for one in session.exec(select(Incident).where(Incident.closed == None)):  # noqa: E711
                one.closed = clock.now()


@pytest.fixture(scope="module")
def opened(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("incidents")
    with mail_sink(folder / "sink") as sink:
        platform = furnished(sqlite_at(folder / "db.sqlite3"), folder, s3, sink.url)
        with platform.database.writing(PLATFORM) as session:
            root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
            town, other = (
                add_organisation(session, name, OrganisationKind.COLLECTIVITE, parent=root)
                for name in ("Commune de Valmorin", "Syndicat du Lavoir")
            )
        yield Office(platform, root, town, other, sink)
        platform.database.close()


@pytest.fixture
def office(opened: Office) -> Iterator[Office]:
    yield opened
    opened.settle()
    with opened.platform.database.writing(PLATFORM) as session:
        for person in session.exec(select(Person)):
            person.suspended = clock.now()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the clock to an hour of Paris, on the day of these tests or some days after."""

    def on(hour: int, minute: int = 0, days: int = 0) -> datetime:
        moment = clock.as_utc(datetime.combine(DAY + timedelta(days=days), time(hour, minute), clock.PARIS))
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment

    on(3)
    return on


def plain(letter: EmailMessage) -> str:
    return str(letter.get_content()).replace("\r\n", "\n").replace("\u00a0", " ")


def subject(letter: EmailMessage) -> str:
    return str(letter["Subject"]).replace("\u00a0", " ")


@pytest.mark.usefixtures("at")
def test_whoever_may_act_is_told_at_once_and_once_and_nobody_else(office: Office) -> None:
    archivist, above = office.archivist(), office.person(office.root, role=OPERATOR)
    neighbour = office.archivist(office.other)
    silent = [
        office.person(office.town, Right.READ, Right.DEPOSIT, Right.ADMINISTER),
        office.archivist(suspended=clock.now()),
        refusing := office.archivist(),
    ]
    with office.platform.database.writing(PLATFORM) as session:
        session.add(SignatoryProfile(person_id=refusing.id, frequency="never"))
    incident, elsewhere = office.opens(), office.opens(office.other)
    plan_schedules(office.platform)
    broker = open_broker("memory://")
    build_engine(office.platform, broker)
    with office.platform.database.writing(PLATFORM) as session:
        planned = session.exec(select(Schedule).where(Schedule.actor == incidents.ACTOR)).one()
        planned.due = clock.now()
        assert planned.queue == "remote.mail"
    broker.get_actor(incidents.ACTOR)(planned.name)
    (letter,) = office.sink.to(archivist.email)
    assert subject(letter) == "Archives : incident nouveau, sans responsable (1)"
    assert (letter["To"], letter["Auto-Submitted"]) == (f"Andréa Veilleur <{archivist.email}>", "auto-generated")
    for words in (
        "Bonjour Andréa Veilleur,",
        "- Commune de Valmorin : Copie altérée, lieu « second », relevé le ",
        f"\n  {ROOT}/archives/incidents/{incident}\n",
        f"\n{ROOT}/parapheur/preferences\n",
    ):
        assert words in plain(letter)
    assert "cle-de-l-objet" not in letter.as_string()
    for person, told in ((archivist, {incident}), (neighbour, {elsewhere}), (above, {incident, elsewhere})):
        (letter,) = office.sink.to(person.email)
        assert {one for one in (incident, elsewhere) if one in plain(letter)} == told
    assert [office.told(one) for one in silent] == [[]] * 3
    assert [len(office.told(one)) for one in (archivist, above)] == [1, 1]


def test_a_reminder_comes_each_morning_until_somebody_takes_it_up(office: Office, at: At) -> None:
    archivist, first = office.archivist(), office.opens()
    office.told(archivist)
    counted = []
    for hour, minute, days in ((7, 59, 0), (8, 0, 0), (7, 59, 1), (8, 0, 1), (20, 0, 1), (8, 1, 2)):
        at(hour, minute, days)
        counted.append(len(office.told(archivist)))
    # What was told in the night of a day is not told again in its morning.
    assert counted == [1, 1, 1, 2, 2, 3]
    *_, letter = office.sink.to(archivist.email)
    assert subject(letter) == "Rappel : incidents des archives sans responsable (1)"
    with office.platform.database.writing(PLATFORM) as session:
        watch.own(session, first, "person:p", archivist.id)
    at(9, 0, 3)
    assert len(office.told(archivist)) == 3
    second = office.opens()
    assert len(office.told(archivist)) == 4
    with office.platform.database.writing(PLATFORM) as session:
        watch.close(session, second, "person:p", archivist.id, "réparé")
    at(9, 0, 4)
    assert len(office.told(archivist)) == 4


def test_a_thousand_at_once_are_one_message_with_a_bound_and_a_count_and_those_after_wait_an_hour(office: Office, at: At) -> None:
    archivist = office.archivist()
    with office.platform.database.writing(PLATFORM) as session:
        session.add_all(
            Incident(organisation_id=office.town.id, kind="copy.missing", place="second", subject=f"panne/{rank}")
            for rank in range(1000)
        )
    (letter,) = office.told(archivist)
    assert subject(letter) == "Archives : incident nouveau, sans responsable (1000)"
    assert plain(letter).count("Copie absente") == 20
    assert f"Et 980 autres : {ROOT}/archives/incidents" in plain(letter)
    office.opens()
    at(3, 59)
    assert len(office.told(archivist)) == 1
    at(4)
    *_, letter = office.told(archivist)
    assert subject(letter).endswith("(1)")
    assert len(office.told(archivist)) == 2


@pytest.mark.usefixtures("at")
def test_a_process_that_dies_between_the_message_and_its_note_tells_one_person_twice_and_nobody_never(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [office.archivist() for _ in range(3)]
    office.opens()
    kept, calls = telling.note, count()

    def dies(*told: object) -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt
        kept(*told)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(telling, "note", dies)
        incidents.tell(office.platform)
    incidents.tell(office.platform)
    incidents.tell(office.platform)
    assert sorted(len(office.sink.to(one.email)) for one in people) == [1, 1, 2]


def test_whom_the_server_refuses_keeps_nobody_from_being_told(office: Office, at: At) -> None:
    (office.sink.folder / "later").write_text("1")
    refused, later = office.archivist(stem="refused"), office.archivist(stem="later")
    others = [office.archivist(), office.archivist()]
    office.opens()
    with pytest.raises(MailUnavailable):
        incidents.tell(office.platform)
    assert [len(office.sink.to(one.email)) for one in (refused, later, *others)] == [0, 0, 1, 1]
    assert [len(office.told(one)) for one in (later, *others)] == [1, 1, 1]
    with office.platform.database.reading(PLATFORM) as session:
        tried = session.exec(select(IncidentNotice.at).where(IncidentNotice.person_id == refused.id)).all()
    at(9, 0, 1)
    office.told(refused)
    with office.platform.database.reading(PLATFORM) as session:
        again = session.exec(select(IncidentNotice.at).where(IncidentNotice.person_id == refused.id)).all()
    assert [len(tried), len(again), max(again) > max(tried)] == [1, 1, True]


@pytest.mark.usefixtures("at")
def test_without_a_server_nothing_is_noted_and_all_is_told_once_there_is_one(office: Office) -> None:
    archivist = office.archivist()
    office.opens()
    for url in ("", f"smtp://127.0.0.1:{free_port()}"):
        settings = office.platform.settings.model_copy(update={"smtp_url": SecretStr(url)})
        away = replace(office.platform, settings=settings)
        if url:
            with pytest.raises(MailUnavailable):
                incidents.tell(away)
        else:
            incidents.tell(away)
    assert office.sink.to(archivist.email) == []
    assert len(office.told(archivist)) == 1


def test_what_is_to_be_told_is_asked_alike_of_both_databases(database: Database) -> None:
    with database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme", OrganisationKind.PLATFORM)
        town, other = (add_organisation(session, name, OrganisationKind.COLLECTIVITE, parent=root) for name in "ab")
        person = add_person(session, "a@b.test", "A", None)
        made = [
            open_incident(session, organisation_id=where, kind=Kind.COPY_ALTERED, place="", subject=name, facts={})
            for name, where in (("1", town.id), ("2", town.id), ("3", other.id), ("4", town.id))
        ]
        watch.own(session, made[3], "person:p", person.id)
    watcher, now = Principal(f"person:{person.id}", {town.id: frozenset({Right.ARCHIVE})}), clock.now()

    def untold(since: datetime) -> list[tuple[str, bool]]:
        with database.reading(watcher) as session:
            return [(one.subject, before) for one, before in telling.untold(session, person.id, since)]

    assert untold(now) == [("2", False), ("1", False)]
    with database.reading(PLATFORM) as session:
        assert telling.concerned(session) == {town.id, other.id}
        first = session.get_one(Incident, made[0])
    for _ in range(2):
        telling.note(database, person.id, [first], now)
    assert untold(now) == [("2", False)]
    assert untold(now + timedelta(seconds=1)) == [("2", False), ("1", True)]
    with database.reading(watcher) as session:
        assert telling.last_told(session, person.id) == now
