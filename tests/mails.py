"""A mairie of the tests that sends tracked mails: each stands as the flow would have left it, so that no server is needed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from core import clock, passwords
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier, DossierFile
from flows.mail import events, links
from flows.mail.events import EventKind
from flows.mail.kinds import BUILT_IN
from flows.mail.models import (
    Mail,
    MailAnswer,
    MailEvent,
    MailNotice,
    MailRecipient,
    NoticeState,
    Place,
    RecipientState,
)

ADDRESSES = ("camille.aubert@elus.test", "dominique.marchal@elus.test", "sacha.perrin@elus.test")


@dataclass
class MailsMairie:
    """The mairie and its sends.

    Attributes:
        tokens: the secret of each notice, by recipient's identifier: the database holds digests only.
    """

    platform: Platform
    organisation: Organisation
    tokens: dict[str, str] = field(default_factory=dict)

    def mail(
        self,
        state: str = "sent",
        *,
        kind: str = "secured",
        subject: str = "Avis de passage du service des eaux",
        body: str = "Bonjour,\n\nVeuillez trouver ci-joint l’avis.",
        recipients: Sequence[str] = ADDRESSES[:1],
        place: Place = Place.TO,
        files: Sequence[tuple[str, bytes]] = (("avis.pdf", b"%PDF-1.7\n%%EOF\n"),),
        password: str = "",
        answers: bool = True,
        sent: datetime | None = None,
        **terms: Any,
    ) -> str:
        """Add a send with its recipients, handed to the mail server unless it is a draft; return its dossier.

        Args:
            state: of the dossier: ``draft``, ``sent``, ``archived``…
            kind: of the send.
            subject: of the send.
            body: its message.
            recipients: their addresses.
            place: of all of them.
            files: names and octets of the documents.
            password: asked of every recipient.
            answers: recipients may answer.
            sent: when; an hour ago when not given.
            terms: changes to the terms of the kind.
        """
        chosen = BUILT_IN[kind].model_copy(update=terms)
        moment = sent or clock.now() - timedelta(hours=1)
        day = clock.in_paris(moment).date()
        with self.platform.database.writing(PLATFORM) as session:
            dossier = Dossier(organisation_id=self.organisation.id, flow="mail", title=subject, state=state, created=moment)
            session.add(dossier)
            session.flush()
            mail = Mail(
                dossier_id=dossier.id,
                organisation_id=self.organisation.id,
                kind=kind,
                terms=chosen.model_dump(mode="json"),
                subject=subject,
                body=body,
                sender=f"Mairie de {self.organisation.name}",
                answers=answers,
            )
            if state != "draft":
                mail.sent, mail.author = moment, "platform"
                mail.withdraw_until = day + timedelta(days=chosen.withdraw_days)
                mail.readable_until = day + timedelta(days=chosen.readable_days)
            session.add(mail)
            for name, octets in files:
                self._keep(session, dossier.id, "document", name, octets)
            for rank, address in enumerate(recipients):
                self._recipient(session, mail, rank, address, place, password)
            return dossier.id

    def recipients(self, dossier_id: str) -> list[MailRecipient]:
        """Return the recipients, in their order."""
        with self.platform.database.reading(PLATFORM) as session:
            wanted = select(MailRecipient).where(MailRecipient.dossier_id == dossier_id).order_by(col(MailRecipient.rank))
            return list(session.exec(wanted))

    def recipient(self, dossier_id: str, rank: int = 0) -> MailRecipient:
        """Return one recipient."""
        return self.recipients(dossier_id)[rank]

    def token(self, dossier_id: str, rank: int = 0) -> str:
        """Return the secret that the notice of a recipient bears."""
        return self.tokens[self.recipient(dossier_id, rank).id]

    def events(self, dossier_id: str) -> list[str]:
        """Return the kinds of what happened, in order."""
        with self.platform.database.reading(PLATFORM) as session:
            wanted = select(MailEvent.kind).where(MailEvent.dossier_id == dossier_id).order_by(col(MailEvent.id))
            return list(session.exec(wanted))

    def change(self, recipient: MailRecipient, **values: Any) -> None:
        """Write values of a recipient."""
        with self.platform.database.writing(PLATFORM) as session:
            kept = session.get_one(MailRecipient, recipient.id)
            for name, value in values.items():
                setattr(kept, name, value)
            session.add(kept)

    def answer(self, recipient: MailRecipient, text: str) -> None:
        """Have a recipient withdraw and answer."""
        with self.platform.database.writing(PLATFORM) as session:
            kept = session.get_one(MailRecipient, recipient.id)
            kept.state, kept.withdrawn, kept.answered = RecipientState.ANSWERED.value, clock.now(), clock.now()
            session.add(kept)
            session.add(
                MailAnswer(
                    recipient_id=kept.id, organisation_id=kept.organisation_id, dossier_id=kept.dossier_id, text=text, files=[]
                )
            )
            events.record(session, kept, EventKind.WITHDRAWN, actor=f"recipient:{kept.id}")
            events.record(session, kept, EventKind.ANSWERED, actor=f"recipient:{kept.id}")

    def _recipient(self, session: Any, mail: Mail, rank: int, address: str, place: Place, password: str) -> None:
        sent = mail.sent is not None
        recipient = MailRecipient(
            organisation_id=mail.organisation_id,
            dossier_id=mail.dossier_id,
            place=place.value,
            rank=rank,
            name=address.partition("@")[0].replace(".", " ").title(),
            address=address,
            normal=address.lower(),
            state=RecipientState.HANDED.value if sent else RecipientState.WAITING.value,
            password_hash=passwords.hashed(password) if password else "",
        )
        session.add(recipient)
        session.flush()
        if not sent:
            return
        token = links.new_token()
        self.tokens[recipient.id] = token
        session.add(
            MailNotice(
                organisation_id=mail.organisation_id,
                dossier_id=mail.dossier_id,
                recipient_id=recipient.id,
                occasion="notice",
                address=address,
                envelope=links.new_envelope(),
                token=links.digest(token),
                message_id=f"{recipient.id.lower()}@tabellion.test",
                sha256="0" * 64,
                state=NoticeState.ACCEPTED.value,
                attempts=1,
                left=mail.sent,
                accepted=mail.sent,
                evidence=[{"host": "mx.elus.test", "code": 250, "text": "2.0.0 Ok: queued", "at": clock.iso(clock.now())}],
            )
        )
        events.record(session, recipient, EventKind.HANDED)

    def _keep(self, session: Any, dossier_id: str, role: str, name: str, octets: bytes) -> None:
        blob = self.platform.objects.put(io.BytesIO(octets), len(octets))
        media_type = "application/pdf" if name.endswith(".pdf") else "application/octet-stream"
        session.add(
            DossierFile(
                organisation_id=self.organisation.id,
                dossier_id=dossier_id,
                role=role,
                name=name,
                media_type=media_type,
                sha256=blob.sha256,
                size=blob.size,
            )
        )
