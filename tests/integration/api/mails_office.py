"""A mairie that writes tracked mails, seen from its pages: real stages, a mail server that keeps what it is given, people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.runtime import build_engine
from core.identifiers import new_id
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.engine.brokers import open_broker
from flows.mail.book import contacts, groups
from flows.mail.book.models import Contact
from tests.integration.api.acts_forms import csrf
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.service import Service, web_service
from tests.mail_sink import Sink, mail_sink
from tests.mails import MailsMairie
from tests.sending import Sending

NEW = "/courriers/nouveau"
COUNCIL = (("elodie@elus.test", "Élodie Roy"), ("sacha@elus.test", "Sacha Perrin"), ("lou@elus.test", "Lou Marchal"))


@dataclass(frozen=True)
class MailsOffice:
    """The mairie, its people by role, its sends, its mail server."""

    service: Service
    mairie: MailsMairie
    sending: Sending
    sink: Sink
    people: dict[str, str]
    council: tuple[Contact, ...]
    group: str

    def leave(self, send_id: str) -> None:
        """Have a send checked, and its notices leave."""
        for stage in ("check", "send"):
            self.sending.perform(stage, send_id)


@contextmanager
def mails_office(s3: S3Server, folder: Path) -> Iterator[MailsOffice]:
    """Run the office for the time of the block."""
    with (
        mail_sink(folder / "sink") as sink,
        web_service(s3, folder, smtp_url=sink.url, mail_from="courrier@tabellion.test") as service,
    ):
        owner = service.mairie.organisation
        broker = open_broker("memory://")
        build_engine(service.platform, broker)
        hired = ActsMairie(service.platform, owner)
        for role, rights in (
            ("clerc", {Right.READ, Right.DEPOSIT}),
            ("lecteur", {Right.READ}),
            ("deposant", {Right.DEPOSIT}),
        ):
            hired.hire(role, rights)
        hired.hire("tout", set(Right), above=True)
        elsewhere = ActsMairie(service.platform, service.syndicat.organisation)
        elsewhere.hire("ailleurs", {Right.READ, Right.DEPOSIT})
        council = tuple(contacts.add(service.platform, PLATFORM, owner.id, contacts.Told(*told)) for told in COUNCIL)
        group = groups.make(service.platform, PLATFORM, owner.id, "Conseil municipal").id
        groups.put(service.platform, PLATFORM, group, [one.id for one in council])
        yield MailsOffice(
            service,
            MailsMairie(service.platform, owner),
            Sending(service.platform, owner, broker),
            sink,
            hired.people | elsewhere.people,
            council,
            group,
        )


def filled(office: MailsOffice, **changes: Any) -> dict[str, Any]:
    """The form of a send as somebody fills it in."""
    return {
        "organisation": office.mairie.organisation.id,
        "saisie": new_id(),
        "kind": "secured",
        "to": "Max Petit <max@elus.test>",
        "subject": "Avis de passage",
        "body": "Bonjour,\n\nVeuillez trouver l’avis.",
        "answers": "1",
        "do": "save",
        **changes,
    }


def send(client: httpx.Client, fields: dict[str, Any], *files: tuple[str, Any], to: str = NEW) -> httpx.Response:
    """Send a form as a browser without a script does."""
    return client.post(to, data={**csrf(client), **fields}, files=[("document", one) for one in files] or {"document": ("", b"")})


def sent_id(answer: httpx.Response) -> str:
    """Return the send that an answer leads to."""
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/courriers/")[:26]


def lines(page: httpx.Response, place: str) -> list[str]:
    """Return the lines of a field of recipients."""
    found = re.search(rf'<textarea id="{place}"[^>]*>(.*?)</textarea>', page.text, re.DOTALL)
    assert found is not None
    return [line.replace("&lt;", "<").replace("&gt;", ">") for line in found[1].splitlines()]


def pieces(page: httpx.Response) -> list[str]:
    """Return the keys of the documents that a form shows."""
    return re.findall(r'name="piece" value="(\w+)"', page.text)


def base(page: httpx.Response) -> str:
    """Return what a form says of the documents that it knows."""
    return page.text.partition('name="base" value="')[2].partition('"')[0]
