"""A mairie that sends acts, seen from its pages: states are reached by the flow's own functions, mails by being analysed."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import update
from sqlmodel import SQLModel, col, select

from connectors.actes.settings import ActesOperator, Endpoint, Mailbox
from connectors.actes.simulated_classification import demonstration
from core import clock
from core.configuration import configure
from core.organisations import Organisation
from core.people import add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.actes import following, incoming
from flows.actes.act import Act, JoinedFile
from flows.actes.intake import Submission, submit
from flows.actes.models import ActesClassification, ActesMail, ActesMessage, MailState
from flows.actes.settings import COLLECTIVITE, OPERATOR, ActesCollectivite
from flows.engine.models import Dossier
from schemas.actes import messages as said
from schemas.actes.codes import MessageCode
from schemas.actes.writer import render
from tests.integration.api.service import PASSWORD
from tests.office import pdf

IN_FORCE = date(2026, 1, 15)
ROLES: dict[str, set[Right]] = {
    "lecteur": {Right.READ},
    "clerc": {Right.READ, Right.DEPOSIT},
    "deposant": {Right.DEPOSIT},
    "signataire": {Right.ACT},
    "administrateur": {Right.READ, Right.ADMINISTER},
}
_numbers = itertools.count(1)
_dossiers = SQLModel.metadata.tables["dossier"]


def today() -> date:
    return clock.in_paris(clock.now()).date()


def operator(**changes: Any) -> ActesOperator:
    """An operator whom nobody answers."""
    return ActesOperator(
        trigramme="TAB",
        endpoint=Endpoint(url="https://127.0.0.1:9/depot", connect_timeout=2, total_timeout=3),
        mailbox=Mailbox(host="127.0.0.1", user="tdt", password=SecretStr("secret")),
        return_address="tdt@tdt.test",
        **changes,
    )


@dataclass
class ActsMairie:
    """The mairie, its people, and what the ministry says to it."""

    platform: Platform
    organisation: Organisation
    people: dict[str, str] = field(default_factory=dict)

    def connect(self, *, classified: bool = True) -> None:
        """Configure the operator above and the mairie, with its classification."""
        with self.platform.database.writing(PLATFORM) as session:
            owner = session.get_one(Organisation, self.organisation.parent_id)
            configure(session, self.platform.secrets, owner.id, OPERATOR, operator())
            known = ActesCollectivite(department="040", arrondissement="1", nature="31")
            configure(session, self.platform.secrets, self.organisation.id, COLLECTIVITE, known)
        if classified:
            self.classify()

    def classify(self) -> None:
        """Give the mairie the classification of the demonstration."""
        blob = self.platform.objects.put(io.BytesIO(render(said.RetourClassification(demonstration(IN_FORCE)))))
        with self.platform.database.writing(PLATFORM) as session:
            session.add(ActesClassification(organisation_id=self.organisation.id, day=IN_FORCE, sha256=blob.sha256))

    def hire(self, name: str, rights: set[Right], *, above: bool = False) -> str:
        """Take on somebody with rights here, or on the whole platform; return their address."""
        address = f"{name}@{self.organisation.siren}.test"
        with self.platform.database.writing(PLATFORM) as session:
            where = session.get_one(Organisation, self.organisation.parent_id if above else self.organisation.id)
            person = add_person(session, address, name.capitalize(), PASSWORD)
            grant_role(session, person, where, name, rights)
        self.people[name] = address
        return address

    def file(self, name: str = "deliberation.pdf", content: bytes | None = None, type_: str | None = None) -> JoinedFile:
        octets = pdf(name) if content is None else content
        blob = self.platform.objects.put(io.BytesIO(octets))
        media = "application/pdf" if name.endswith(".pdf") else "application/xml"
        return JoinedFile(name, media, blob.sha256, blob.size, type_)

    def act(self, number: str | None = None, **changes: Any) -> str:
        """Submit an act; return its dossier."""
        values: dict[str, Any] = {
            "number": number or f"2026_{next(_numbers):03d}",
            "decision_date": today() - timedelta(days=1),
            "nature": 1,
            "matieres": (7, 10),
            "subject": "Tarifs de la cantine scolaire à compter du 1er janvier",
            "document": self.file(),
            **changes,
        }
        return submit(self.platform, PLATFORM, Submission(self.organisation.id, **values)).dossier.id

    def stand(self, dossier_id: str, state: str, **values: Any) -> None:
        """Have an act in a state that its stages would have reached."""
        with self.platform.database.writing(PLATFORM) as session:
            session.connection().execute(
                update(_dossiers).where(_dossiers.c.id == dossier_id).values(state=state, since=clock.now(), **values)
            )
            if state in {"sent", "uncertain"}:
                first = self.message(dossier_id, "1-1")
                session.get_one(ActesMessage, first.id).state = state

    def dossier(self, dossier_id: str) -> Dossier:
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Dossier, dossier_id)

    def has(self, number: str) -> bool:
        """Tell whether there is an act of that number, whoever's."""
        with self.platform.database.reading(PLATFORM) as session:
            return bool(session.exec(select(Dossier.id).where(col(Dossier.title).startswith(f"{number} –"))).first())

    def message(self, dossier_id: str, code: str) -> ActesMessage:
        with self.platform.database.reading(PLATFORM) as session:
            own = select(ActesMessage).where(ActesMessage.dossier_id == dossier_id, ActesMessage.code == code)
            return session.exec(own.order_by(col(ActesMessage.id).desc())).first() or _missing(code)

    def codes(self, dossier_id: str) -> list[str]:
        with self.platform.database.reading(PLATFORM) as session:
            return [one.code for one in following.messages_of(session, dossier_id)]

    def state_says(
        self, message: said.Message, files: Mapping[str, bytes] | None = None, infected: Mapping[str, str] | None = None
    ) -> str:
        """Have a mail of the ministry arrive and be analysed, some of its files as an antivirus found them; return it."""
        parts = []
        envelope = said.EnveloppeMISILLCL(
            said.Office(said.OfficeKind.PREFECTURE, "040"), self.organisation.siren or "", (said.SignedFile("message.xml"),)
        )
        contents = {"enveloppe.xml": render(envelope), "message.xml": render(message), **(files or {})}
        for name, content in contents.items():
            blob = self.platform.objects.put(io.BytesIO(content))
            media = "application/xml" if name.endswith(".xml") else "application/pdf"
            found = {"infected": infected[name]} if infected and name in infected else {}
            parts.append({"name": name, "media_type": media, "sha256": blob.sha256, "size": blob.size, **found})
        return self.mail(parts)

    def mail(self, parts: Sequence[dict[str, Any]], state: MailState = MailState.KEPT, reason: str | None = None) -> str:
        blob = self.platform.objects.put(io.BytesIO(repr((parts, next(_numbers))).encode()))
        with self.platform.database.writing(PLATFORM) as session:
            owner = self.organisation.parent_id or ""
            kept = ActesMail(
                organisation_id=owner,
                mailbox_id=owner,
                sha256=blob.sha256,
                size=blob.size,
                state=state.value,
                parts=list(parts),
                reason=reason,
            )
            session.add(kept)
            session.flush()
            mail_id = kept.id
        if state is MailState.KEPT:
            incoming.analyse(self.platform, mail_id)
        return mail_id

    def acknowledged(self, number: str | None = None, *, received: date | None = None, **changes: Any) -> str:
        """Submit an act, and have the State acknowledge it."""
        dossier_id = self.act(number, **changes)
        facts = {**self.dossier(dossier_id).facts, "sent_at": clock.iso(clock.now())}
        self.stand(dossier_id, "sent", facts=facts)
        act = Act.from_facts(facts)
        copy = said.Acte(
            act.decision_date, act.number, act.nature, act.matieres, act.subject, IN_FORCE, said.SignedFile("a.pdf"), (), "N"
        )
        self.state_says(said.ARActe(facts["id_acte"], received or today(), copy, IN_FORCE))
        assert self.dossier(dossier_id).state == "acknowledged"
        return dossier_id

    def letter(
        self, dossier_id: str, code: str, words: str = "", day: date | None = None, infected: Mapping[str, str] | None = None
    ) -> ActesMessage:
        """Have the préfecture write about an act; what answers by itself is taken as sent."""
        identifier, when = self.dossier(dossier_id).facts["id_acte"], day or today()
        name = f"courrier-{code}.pdf"
        document = said.SignedFile(name)
        message: said.Message = {
            "2-1": lambda: said.CourrierSimple(identifier, when, document),
            "3-1": lambda: said.DemandePieceComplementaire(identifier, when, document, words),
            "4-1": lambda: said.LettreObservations(identifier, when, document, words),
            "5-1": lambda: said.DefereTA(identifier, when, words, (document,)),
        }[code]()
        self.state_says(message, {name: pdf(f"Courrier {code} {next(_numbers)}")}, infected)
        self.sent_all(dossier_id)
        return self.message(dossier_id, code)

    def sent_all(self, dossier_id: str) -> None:
        """Take what is to be sent as sent."""
        with self.platform.database.writing(PLATFORM) as session:
            for message in following.messages_of(session, dossier_id):
                if message.state == "to_send":
                    message.state = "sent"
                    session.add(message)
        if self.dossier(dossier_id).state == "answering":
            self.stand(dossier_id, "acknowledged")

    def close(self, dossier_id: str, code: str) -> None:
        """Have the State acknowledge the last answer to a letter (3-5, 4-5)."""
        identifier = self.dossier(dossier_id).facts["id_acte"]
        letter = self.message(dossier_id, f"{code[0]}-1")
        kind = said.ARPieceComplementaire if code == "3-5" else said.ARReponseRejetLettreObservations
        self.state_says(kind(identifier, letter.letter_date, today()))

    def cancelled(self, dossier_id: str) -> None:
        """Ask for the cancellation, and have the State grant it."""
        following.cancel(self.platform, PLATFORM, dossier_id)
        self.sent_all(dossier_id)
        self.state_says(said.ARAnnulation(self.dossier(dossier_id).facts["id_acte"], today()))

    def reply(self, dossier_id: str, letter: ActesMessage, code: MessageCode) -> None:
        following.reply(self.platform, PLATFORM, dossier_id, following.Reply(letter.id, code, (self.file("réponse.pdf"),)))
        self.sent_all(dossier_id)


def _missing(code: str) -> ActesMessage:
    raise AssertionError(f"no message {code}")
