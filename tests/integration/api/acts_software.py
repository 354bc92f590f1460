"""Software of collectivités that send acts: their tokens, and the stages that the flow's workers would perform for them."""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import Session, select

from core.errors import Refused
from core.identifiers import Siren
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM, Right
from core.tokens import issue_token
from flows.actes import envelopes, stages
from flows.actes.act import Act
from flows.actes.flow import ACTES
from flows.actes.models import ActesEnvelope
from flows.engine import transitions
from flows.engine.table import Stage
from flows.engine.work import Advance, Work
from schemas.actes import messages as said
from tests.integration.api.acts_mairie import IN_FORCE, ActsMairie, today
from tests.integration.api.service import Service
from tests.office import pdf

RIGHTS = {"software": {Right.READ, Right.DEPOSIT}, "reader": {Right.READ}, "depositor": {Right.DEPOSIT}, "signatory": {Right.ACT}}


@dataclass(frozen=True)
class Software:
    """A collectivité that is ready to send acts, and its software by right.

    Attributes:
        mairie: what happens to its acts, and what the State says of them.
    """

    service: Service
    mairie: ActsMairie
    tokens: dict[str, str]

    @classmethod
    def of(cls, service: Service, name: str, siren: str, *, connected: bool = True) -> Software:
        """Take a collectivité on."""
        with service.platform.database.writing(PLATFORM) as session:
            root = session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM.value)).one()
            organisation = add_organisation(session, name, OrganisationKind.COLLECTIVITE, parent=root, siren=Siren(siren))
            tokens = {who: issue_token(session, organisation, who, rights) for who, rights in RIGHTS.items()}
        mairie = ActsMairie(service.platform, organisation)
        if connected:
            mairie.connect()
        return cls(service, mairie, tokens)

    @property
    def organisation(self) -> Organisation:
        return self.mairie.organisation

    def client(self, who: str = "software", **headers: str) -> httpx.Client:
        """A client that bears a token."""
        return self.service.client(self.tokens[who], **headers)

    def upload(self, client: httpx.Client, name: str, content: bytes) -> str:
        """Send a document in pieces; return the identifier of the upload."""
        digest = hashlib.sha256(content)
        begun = client.post("/v1/uploads", json={"name": name, "size": len(content)}).json()["id"]
        header = {"Content-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"}
        sent = client.put("/v1/uploads/pieces", params={"upload": begun, "offset": 0}, content=content, headers=header)
        assert sent.status_code == 200, sent.text
        client.post(f"/v1/uploads/{begun}/finish", json={"sha256": digest.hexdigest()}).raise_for_status()
        return str(begun)

    def checked(self, dossier_id: str) -> str:
        """Have an act checked; return where that led."""
        return self._performed(dossier_id, stages.check)

    def packed(self, dossier_id: str) -> None:
        """Bring an act to where its envelope is built."""
        assert self.checked(dossier_id) == "checked"
        assert self._performed(dossier_id, stages.sign) == "ready"
        assert self._performed(dossier_id, stages.pack) == "packed"

    def left(self, dossier_id: str) -> None:
        """Bring an act to where it left for the ministry."""
        self.packed(dossier_id)
        self._delivered(dossier_id, stages.transmit, "sent", "sending")

    def acknowledged(self, dossier_id: str) -> None:
        """Bring an act to where the State has acknowledged it."""
        self.left(dossier_id)
        facts = self.mairie.dossier(dossier_id).facts
        act = Act.from_facts(facts)
        document = said.SignedFile("a.pdf")
        copy = said.Acte(act.decision_date, act.number, act.nature, act.matieres, act.subject, IN_FORCE, document, (), "N")
        self.mairie.state_says(said.ARActe(facts["id_acte"], today(), copy, IN_FORCE))
        assert self.mairie.dossier(dossier_id).state == "acknowledged"

    def answered(self, dossier_id: str) -> None:
        """Have everything that an act has to send packed and delivered."""
        while self.mairie.dossier(dossier_id).state == "answering":
            if self._performed(dossier_id, stages.answer) == "answering":
                self._delivered(dossier_id, stages.answer, "more", "following")

    def _performed(self, dossier_id: str, stage: Stage) -> str:
        def perform(work: Work) -> Advance:
            outcome = stage.perform(work)
            assert isinstance(outcome, Advance), outcome
            return outcome

        return self._recorded(dossier_id, stage, perform)

    def _delivered(self, dossier_id: str, stage: Stage, outcome: str, place: str) -> None:
        """Record that an envelope was delivered, which nobody is there to take."""

        def perform(work: Work) -> Advance:
            name = work.facts[place]["envelope"]
            with work.platform.database.reading(PLATFORM) as session:
                message = session.exec(select(ActesEnvelope.message_id).where(ActesEnvelope.name == name)).one()
            facts: dict[str, Any] = {"sent_at": "2026-11-28T10:00:00Z"} if place == "sending" else {place: None}
            return Advance(outcome, facts=facts, apply=partial(_left, name, message))

        self._recorded(dossier_id, stage, perform)

    def _recorded(self, dossier_id: str, stage: Stage, perform: Callable[[Work], Advance]) -> str:
        platform = self.service.platform
        claimed = transitions.claim(platform.database, dossier_id, ACTES.actor(stage), timedelta(minutes=5))
        assert claimed is not None, self.mairie.dossier(dossier_id).state
        with tempfile.TemporaryDirectory() as folder:
            work = Work(
                platform,
                claimed.dossier_id,
                claimed.organisation_id,
                claimed.title,
                claimed.state,
                claimed.facts,
                claimed.files,
                Path(folder),
                claimed.attempt,
                lambda *_, **__: None,
            )
            try:
                transitions.advance(platform.database, ACTES, claimed, perform(work))
            except Refused as refusal:
                transitions.refuse(platform.database, ACTES, claimed, "refused", refusal.problems)
        return self.mairie.dossier(dossier_id).state


def _left(name: str, message_id: str | None, session: Session) -> None:
    envelopes.record_left(name, message_id, True, session)


def paper(words: str, name: str = "acte.pdf") -> tuple[str, io.BytesIO, str]:
    """A PDF as a form sends it."""
    return name, io.BytesIO(pdf(words)), "application/pdf"
