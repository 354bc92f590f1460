"""A mairie of the tests that sends tracked mails for real: through its stages, by SMTP."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from pydantic import SecretStr
from sqlalchemy import Table, update
from sqlmodel import col, select

from api.runtime import build_engine
from core import clock
from core.identifiers import Siret
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform, open_platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from core.settings import Settings
from flows.engine.brokers import open_broker
from flows.engine.models import Dossier, Step
from flows.engine.work import KeptFile
from flows.mail.intake import Addressed, Draft, compose, send
from flows.mail.models import Mail, MailEvent, MailNotice, MailRecipient
from flows.mail.posting import post_due
from tests.databases import sqlite_at
from tests.mail_sink import Sink, mail_sink

RECIPIENTS_URL = "https://courrier.valmorin.test"
SENDERS = Siret("21400987000012")
"""Invented: the collectivité of these tests has a number of its own."""
_notice: Table = MailNotice.__table__  # type: ignore[attr-defined]
_LINK = re.compile(r"https?://\S+/courrier/(\S+)")


@dataclass
class Sending:
    """The mairie, and what becomes of what it sends."""

    platform: Platform
    organisation: Organisation
    broker: dramatiq.Broker

    @classmethod
    def opened(cls, platform: Platform) -> Sending:
        """Furnish an empty platform, and declare its actors, which tests call one by one."""
        with platform.database.writing(PLATFORM) as session:
            root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
            kind = OrganisationKind.COLLECTIVITE
            town = add_organisation(session, "Commune de Valmorin", kind, parent=root, siret=SENDERS)
        broker = open_broker("memory://")
        build_engine(platform, broker)
        return cls(platform, town, broker)

    def document(self, octets: bytes = b"%PDF-1.7\n%%EOF\n", name: str = "avis.pdf") -> KeptFile:
        """Keep a document."""
        blob = self.platform.objects.put(io.BytesIO(octets))
        return KeptFile("document", name, "application/pdf", blob.sha256, blob.size)

    def draft(self, *addresses: str, kind: str = "secured", **changes: Any) -> Draft:
        """A draft to some addresses."""
        told: dict[str, Any] = {
            "subject": "Avis de passage du service des eaux",
            "body": "Bonjour,\n\nVeuillez trouver ci-joint l’avis.",
            "recipients": tuple(Addressed(one, one.partition("@")[0].replace(".", " ").title()) for one in addresses),
            "documents": (self.document(),),
        }
        return Draft(self.organisation.id, kind, **(told | changes))

    def written(self, *addresses: str, **changes: Any) -> str:
        """Write a draft down; return its dossier."""
        return compose(self.platform, PLATFORM, self.draft(*addresses, **changes)).dossier.id

    def checked(self, *addresses: str, **changes: Any) -> str:
        """Have a draft sent and checked; return its dossier, which is about to leave."""
        dossier_id = self.written(*addresses, **changes)
        send(self.platform, PLATFORM, dossier_id)
        self.perform("check", dossier_id)
        return dossier_id

    def sent(self, *addresses: str, **changes: Any) -> str:
        """Have a draft checked and its notices leave; return its dossier."""
        dossier_id = self.checked(*addresses, **changes)
        self.perform("send", dossier_id)
        return dossier_id

    def perform(self, stage: str, dossier_id: str) -> None:
        """Perform a stage as a worker would."""
        self.broker.get_actor(f"mail.{stage}")(dossier_id)

    def post(self) -> None:
        """Send what is due, whatever was to wait: its time has come."""
        self.let_come()
        post_due(self.platform)

    def let_come(self) -> None:
        """Let all that was to wait be due: the time of every notice and of every postponed stage has come."""
        with self.platform.database.writing(PLATFORM) as session:
            early = clock.now() - timedelta(seconds=1)
            session.connection().execute(update(_notice).values(not_before=early))
            for step in session.exec(select(Step)):
                step.due = early
                session.add(step)

    def dossier(self, dossier_id: str) -> Dossier:
        """Read a dossier."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Dossier, dossier_id)

    def mail(self, dossier_id: str) -> Mail:
        """Read a send."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Mail, dossier_id)

    def recipients(self, dossier_id: str) -> list[MailRecipient]:
        """Read its recipients, in their order."""
        with self.platform.database.reading(PLATFORM) as session:
            wanted = select(MailRecipient).where(MailRecipient.dossier_id == dossier_id)
            return list(session.exec(wanted.order_by(col(MailRecipient.rank))))

    def states(self, dossier_id: str) -> list[str]:
        """Where its recipients stand, in their order."""
        return [one.state for one in self.recipients(dossier_id)]

    def notices(self, dossier_id: str) -> list[MailNotice]:
        """Read its messages, oldest first."""
        with self.platform.database.reading(PLATFORM) as session:
            wanted = select(MailNotice).where(MailNotice.dossier_id == dossier_id)
            return list(session.exec(wanted.order_by(col(MailNotice.id))))

    def notice(self, dossier_id: str, occasion: str = "notice", rank: int = 0) -> MailNotice:
        """Read one message."""
        recipient = self.recipients(dossier_id)[rank]
        return next(one for one in self.notices(dossier_id) if (one.recipient_id, one.occasion) == (recipient.id, occasion))

    def events(self, dossier_id: str) -> list[MailEvent]:
        """Read what happened, oldest first."""
        with self.platform.database.reading(PLATFORM) as session:
            wanted = select(MailEvent).where(MailEvent.dossier_id == dossier_id)
            return list(session.exec(wanted.order_by(col(MailEvent.at), col(MailEvent.id))))

    def kinds(self, dossier_id: str) -> list[str]:
        """The kinds of what happened, in order."""
        return [one.kind for one in self.events(dossier_id)]

    def change(self, row: Mail | MailRecipient, **values: Any) -> None:
        """Write values of a row."""
        with self.platform.database.writing(PLATFORM) as session:
            held = session.merge(row)
            for name, value in values.items():
                setattr(held, name, value)
            session.add(held)

    def days_later(self, dossier_id: str, days: int) -> None:
        """Let days pass over a send: all that happened to it is so much longer ago."""
        past = timedelta(days=days)

        def earlier(moment: datetime | None) -> datetime | None:
            return moment - past if moment else None

        with self.platform.database.writing(PLATFORM) as session:
            mail = session.get_one(Mail, dossier_id)
            mail.sent = earlier(mail.sent)
            mail.withdraw_until = mail.withdraw_until - past if mail.withdraw_until else None
            mail.readable_until = mail.readable_until - past if mail.readable_until else None
            session.add(mail)
            for notice in session.exec(select(MailNotice).where(MailNotice.dossier_id == dossier_id)):
                notice.accepted = earlier(notice.accepted)
                session.add(notice)


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    """A mail server for a module of tests."""
    with mail_sink(tmp_path_factory.mktemp("mail") / "sink") as running:
        yield running


@pytest.fixture(scope="module")
def sending(tmp_path_factory: pytest.TempPathFactory, s3: S3Server, sink: Sink) -> Iterator[Sending]:
    """The mairie on SQLite, for a module of tests."""
    folder = tmp_path_factory.mktemp("sending")
    platform = furnished(sqlite_at(folder / "db.sqlite3"), folder, s3, sink.url)
    yield Sending.opened(platform)
    platform.database.close()


@pytest.fixture
def mairie(sending: Sending, sink: Sink) -> Sending:
    """The mairie, of which the mail server has nothing yet."""
    sink.clear()
    return sending


def furnished(database_url: str, folder: Path, s3: S3Server, smtp_url: SecretStr, **changes: object) -> Platform:
    """Open a platform that sends by a mail server."""
    settings = Settings(
        state_dir=folder,
        database_url=SecretStr(database_url),
        s3_bucket_prefix="mailsending",
        smtp_url=smtp_url,
        mail_from="courrier@valmorin.test",
        mail_return_address="retour@valmorin.test",
        public_url="https://tabellion.valmorin.test",
        recipients_url=f"{RECIPIENTS_URL}/",
    ).model_copy(update=changes)
    platform = open_platform(settings, s3.store(settings.s3_bucket_prefix))
    platform.objects.prepare()
    return platform


def links_in(octets: bytes | Sequence[str] | str) -> set[str]:
    """Return the secrets of the links in a text."""
    text = octets.decode() if isinstance(octets, bytes) else octets if isinstance(octets, str) else " ".join(octets)
    return set(_LINK.findall(text))
