"""A council of the tests: its members, an alternate, one who wants paper, and meetings convened as the flow would have them."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlmodel import col, select

from core import clock
from core.identifiers import Siren
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform, open_platform
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from core.settings import Settings
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.mail import links
from flows.mail.convening import assemblies, attending, intake
from flows.mail.convening.assemblies import AssemblyDetails, MemberDetails
from flows.mail.convening.intake import Convocation, Guest
from flows.mail.convening.meetings import seats_of
from flows.mail.convening.models import Assembly, AssemblyMember, Convened, Meeting, Presence
from flows.mail.kinds import CONVOCATION
from flows.mail.models import Mail, MailEvent, MailNotice, MailRecipient, NoticeState, RecipientState
from tests.databases import empty
from tests.office import pdf

NAMES = ("Camille Aubert", "Dominique Marchal", "Sacha Perrin", "Claude Lemoine", "Morgan Texier")
AGENDA = "Approbation du procès-verbal\nBudget primitif\nTarifs de la cantine"


@dataclass
class Council:
    """A council of five members by mail, one on paper, an alternate, and whoever convenes it."""

    platform: Platform
    organisation: Organisation
    clerk: Principal
    assembly: Assembly = field(init=False)
    members: dict[str, AssemblyMember] = field(default_factory=dict)

    def seat(self, rule: str = "commune", **details: Any) -> Council:
        """Make the council."""
        said = AssemblyDetails(f"Conseil municipal {len(self.names())}", rule, place="Salle du conseil", **details)
        with self.platform.database.writing(self.clerk) as session:
            self.assembly = assemblies.make(session, self.clerk, self.organisation.id, said)
            for name in NAMES:
                self._add(session, MemberDetails(name, address(name), "Maire" if name == NAMES[0] else ""))
            self._add(session, MemberDetails("Jean Vieil", "4 rue du Lavoir, 40000 Valmorin", paper=True))
            self._add(session, MemberDetails("Lou Second", address("Lou Second"), alternate_of=self.members[NAMES[1]].id))
        return self

    def names(self) -> list[str]:
        """Return the names of the assemblies of the organisation."""
        with self.platform.database.reading(PLATFORM) as session:
            return [one.name for one in assemblies.assemblies_of(session, self.organisation.id)]

    def _add(self, session: Any, details: MemberDetails) -> None:
        self.members[details.name] = assemblies.add_member(session, self.clerk, self.assembly, details)

    def wanted(self, days: int = 10, **changes: Any) -> Convocation:
        """Return a convocation to a meeting some days from now."""
        given: dict[str, Any] = {
            "assembly_id": self.assembly.id,
            "starts": on(days),
            "agenda": AGENDA,
            "guests": (Guest("presse@gazette.test", "La Gazette"),),
            "questions": ("Acceptez-vous la séance à huis clos ?",),
            "documents": (self.kept("convocation.pdf"),),
            **changes,
        }
        return Convocation(**given)

    def kept(self, name: str) -> KeptFile:
        """Keep a document."""
        blob = self.platform.objects.put(io.BytesIO(pdf(name)))
        return KeptFile("document", name, "application/pdf", blob.sha256, blob.size)

    def convene(self, days: int = 10, **changes: Any) -> str:
        """Write a convocation down; return its dossier."""
        return intake.convene(self.platform, self.clerk, self.wanted(days, **changes)).dossier.id

    def convened(self, days: int = 10, *, left: datetime | None = None, **changes: Any) -> str:
        """Convene, and have the mail server answer for everybody; return the dossier."""
        dossier_id = self.convene(days, **changes)
        moment = left or clock.now()
        with self.platform.database.writing(PLATFORM) as session:
            mail = session.get_one(Mail, dossier_id)
            mail.author, mail.sent, mail.terms = self.clerk.actor, moment, CONVOCATION.model_dump(mode="json")
            mail.withdraw_until = mail.readable_until = (moment + timedelta(days=60)).date()
            session.get_one(Dossier, dossier_id).state = "sent"
            for seat in seats_of(session, dossier_id):
                seat.recipient.state = RecipientState.HANDED.value
                session.add(_accepted(seat.recipient, moment))
        return dossier_id

    def recipient(self, dossier_id: str, name: str) -> str:
        """Return the identifier of somebody who is convened."""
        with self.platform.database.reading(PLATFORM) as session:
            wanted = select(MailRecipient.id).where(MailRecipient.dossier_id == dossier_id, MailRecipient.name == name)
            return session.exec(wanted).one()

    def of(self, dossier_id: str, name: str) -> Convened:
        """Return the seat of somebody."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Convened, self.recipient(dossier_id, name))

    def starts(self, dossier_id: str, moment: datetime) -> None:
        """Have the meeting begin at another moment."""
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(Meeting, dossier_id).starts = moment

    def stand(self, dossier_id: str, name: str, state: RecipientState) -> None:
        """Have a recipient stand elsewhere."""
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(MailRecipient, self.recipient(dossier_id, name)).state = state.value

    def occasions(self, dossier_id: str, name: str) -> list[str]:
        """Return why somebody was, or will be, written to, the convocation aside."""
        with self.platform.database.reading(PLATFORM) as session:
            wanted = select(MailNotice.occasion).where(MailNotice.recipient_id == self.recipient(dossier_id, name))
            return [one for one in session.exec(wanted.order_by(col(MailNotice.id))) if one != "notice"]

    def events(self, dossier_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Return what happened, in order."""
        with self.platform.database.reading(PLATFORM) as session:
            found = session.exec(select(MailEvent).where(MailEvent.dossier_id == dossier_id).order_by(col(MailEvent.id)))
            return [(one.kind, one.facts) for one in found]


def address(name: str) -> str:
    """Return the address of a member."""
    return f"{name.lower().replace(' ', '.')}@elus.test"


def clerk_of(organisation: Organisation) -> Principal:
    """Return somebody who deposits in an organisation."""
    return Principal("person:clerk", {organisation.id: frozenset({Right.READ, Right.DEPOSIT})}, name="Le secrétariat")


def on(days: int) -> datetime:
    """Return half past six in the evening, in Paris, some days from today."""
    today = clock.in_paris(clock.now()).date()
    return datetime.combine(today + timedelta(days=days), time(18, 30), clock.PARIS)


def _accepted(recipient: MailRecipient, moment: datetime) -> MailNotice:
    return MailNotice(
        organisation_id=recipient.organisation_id,
        dossier_id=recipient.dossier_id,
        recipient_id=recipient.id,
        occasion="notice",
        address=recipient.address,
        envelope=links.new_envelope(),
        token=links.digest(links.new_token()),
        state=NoticeState.ACCEPTED.value,
        attempts=1,
        accepted=moment,
    )


@contextmanager
def council_on(database: str, s3: S3Server, folder: Path) -> Iterator[Council]:
    """A commune's council on an up-to-date PostgreSQL, which is emptied afterwards."""
    chosen = Settings(
        state_dir=folder,
        database_url=SecretStr(database),
        s3_bucket_prefix=f"t{secrets.token_hex(6)}",
        mail_from="courrier@plateforme.test",
    )
    platform = open_platform(chosen, s3.store(chosen.s3_bucket_prefix))
    platform.objects.prepare()
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        town = add_organisation(session, "Valmorin", OrganisationKind.COLLECTIVITE, parent=root, siren=Siren("214009995"))
    try:
        yield Council(platform, town, clerk_of(town)).seat(remote=True)
    finally:
        platform.database.close()
        empty(database)


def answer(council: Council, dossier_id: str, name: str, presence: Presence, to: str = "", **more: Any) -> tuple[str, ...]:
    """Have somebody answer, a proxy ``to`` somebody."""
    who = council.recipient(dossier_id, name)
    return attending.attend(council.platform, who, presence, council.recipient(dossier_id, to) if to else None, **more)
