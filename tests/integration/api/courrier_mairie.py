"""A mairie whose mails the tests open, refuse and answer as recipients do, over HTTP."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import delete
from sqlmodel import col, select

from core import clock
from core.identifiers import Siren
from core.lockout import Lockout
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM
from flows.mail.convening.models import Assembly, AssemblyMember, Convened, Meeting, MeetingQuestion
from flows.mail.models import MailEvent, MailNotice
from tests.integration.api.service import Service
from tests.mails import ADDRESSES, MailsMairie

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PASSWORD = "hirondelle des granges"
PDF = b"%PDF-1.7\n%%EOF\n"
SUBJECT, FILE = "Avis de passage du service des eaux", "avis.pdf"


def mails_of(service: Service, name: str, siren: str) -> MailsMairie:
    """A mairie of its own on the shared service."""
    with service.platform.database.writing(PLATFORM) as session:
        root = session.get_one(Organisation, service.mairie.organisation.parent_id)
        town = add_organisation(session, name, OrganisationKind.COLLECTIVITE, parent=root, siren=Siren(siren))
    return MailsMairie(service.platform, town)


def page(token: str, below: str = "") -> str:
    return f"/courrier/{token}{below}"


def csrf(client: httpx.Client, path: str) -> str:
    return client.get(path).text.partition('name="csrf" value="')[2].partition('"')[0]


def borne(client: httpx.Client, path: str) -> dict[str, str]:
    """Return what the forms of a page bear unseen."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', client.get(path).text))


def press(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Open a page, and press its button."""
    return client.post(path, data={**borne(client, path.removesuffix("/code")), **fields})


def withdrawn(client: httpx.Client, token: str, **fields: str) -> httpx.Response:
    """Withdraw as a person does; return the page that follows."""
    pressed = press(client, page(token), **fields)
    assert pressed.status_code == 303, pressed.text
    assert pressed.headers["location"] == "/courrier/lecture"
    return client.get("/courrier/lecture")


def rows(mairie: MailsMairie, dossier_id: str, kind: str) -> list[dict[str, Any]]:
    with mairie.platform.database.reading(PLATFORM) as session:
        wanted = select(MailEvent).where(MailEvent.dossier_id == dossier_id, MailEvent.kind == kind)
        return [event.facts for event in session.exec(wanted.order_by(col(MailEvent.id)))]


def change(mairie: MailsMairie, model: Any, where: Any, **values: Any) -> None:
    with mairie.platform.database.writing(PLATFORM) as session:
        for row in session.exec(select(model).where(where)):
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)


def forget_tries(mairie: MailsMairie) -> None:
    """Everybody of these tests comes from one network."""
    with mairie.platform.database.writing(PLATFORM) as session:
        session.execute(delete(Lockout))


def code_of(mairie: MailsMairie, dossier_id: str, number: int) -> str:
    with mairie.platform.database.reading(PLATFORM) as session:
        wanted = select(MailNotice).where(MailNotice.dossier_id == dossier_id, MailNotice.occasion == f"code-{number}")
        notice = session.exec(wanted).one()
    assert (notice.linked, notice.token, notice.evidence) == (False, None, [])
    return mairie.platform.secrets.decrypt(notice.message or b"").decode()


def answered(client: httpx.Client, text: str, *files: tuple[str, bytes], token: str | None = None) -> httpx.Response:
    fields = {"csrf": csrf(client, "/courrier/lecture") if token is None else token, "text": text}
    return client.post(
        "/courrier/reponse", data=fields, files=[("document", file) for file in files] or [("document", ("", b""))]
    )


def convened(mairie: MailsMairie, people: int = 3, *, starts: timedelta = timedelta(days=6)) -> str:
    """Add a convocation of a council whose members may give a proxy, with a question; return its dossier."""
    mail = mairie.mail(
        kind="convocation",
        subject="Conseil municipal du printemps",
        body="Mesdames, Messieurs,\n\nLe conseil est convoqué.",
        recipients=ADDRESSES[:people],
        answers=False,
    )
    owner = mairie.organisation.id
    with mairie.platform.database.writing(PLATFORM) as session:
        council = Assembly(organisation_id=owner, name=f"Conseil municipal {mail[-6:]}", rule="conseil_municipal", days=5)
        session.add(council)
        session.flush()
        session.add(
            Meeting(
                dossier_id=mail,
                organisation_id=owner,
                assembly_id=council.id,
                starts=clock.now() + starts,
                place="Salle du conseil",
                agenda="Tarifs de la cantine\nVente du lavoir",
            )
        )
        for one in mairie.recipients(mail):
            member = AssemblyMember(
                organisation_id=owner,
                assembly_id=council.id,
                rank=one.rank,
                name=one.name,
                address=one.address,
                normal=one.normal,
            )
            session.add(member)
            session.flush()
            session.add(Convened(recipient_id=one.id, organisation_id=owner, dossier_id=mail, member_id=member.id))
        session.add(MeetingQuestion(organisation_id=owner, dossier_id=mail, rank=1, text="Dînez-vous sur place ?"))
    return mail
