"""Acts that the State has received, for the tests of their publication: written as the stages would have left them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

from sqlmodel import select

from connectors.actes.simulated_classification import demonstration
from core.configuration import configure
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes.act import Act, Piece
from flows.actes.flow import ACTES
from flows.actes.models import ActesClassification, ActesMessage, ActesPublication
from flows.actes.publishing import publish
from flows.actes.settings import PUBLICATION, ActesPublishing, Author
from flows.engine.models import Dossier, DossierFile
from schemas.actes import messages as said
from schemas.actes.writer import render
from tests.pades_documents import paper, words

AUTHOR = Author(first_name="Élise", last_name="Martin-Prévost", capacity="Maire")
IN_FORCE = date(2026, 1, 1)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Publisher:
    """An organisation whose acts are received and published."""

    platform: Platform
    organisation: Organisation

    def open(self, **changes: Any) -> None:
        """Configure its publication; its page is open unless told otherwise."""
        with self.platform.database.writing(PLATFORM) as session:
            wanted = ActesPublishing.model_validate({"open": True, **changes})
            configure(session, self.platform.secrets, self.organisation.id, PUBLICATION, wanted)

    def classify(self) -> None:
        """Give it the classification of the demonstration."""
        blob = self.platform.objects.put(BytesIO(render(said.RetourClassification(demonstration(IN_FORCE)))))
        with self.platform.database.writing(PLATFORM) as session:
            session.add(ActesClassification(organisation_id=self.organisation.id, day=IN_FORCE, sha256=blob.sha256))

    def agent(self, *rights: Right) -> Principal:
        """Somebody with rights here and nowhere else."""
        return Principal("person:01JPERS0NNE", {self.organisation.id: frozenset(rights or {Right.DEPOSIT})})

    def received(self, *, state: str = "acknowledged", facts: dict[str, Any] | None = None, **changes: Any) -> str:
        """An act that the State has acknowledged: its main document, a PDF and a picture beside it; return its dossier."""
        number = f"2026_{next(_numbers):04d}"
        values: dict[str, Any] = {
            "number": number,
            "decision_date": date(2026, 11, 20),
            "nature": 1,
            "matieres": (7, 10),
            "subject": "Tarifs de la cantine scolaire",
            "pieces": tuple(Piece(role) for role in ("document", "annex.1", "annex.2")),
            **changes,
        }
        act = Act(**values)
        known = {
            "act": act.as_facts(),
            "id_acte": f"040-{self.organisation.siren}-20261120-{act.number}-DE",
            "sent_at": "2026-11-21T09:30:00Z",
            "reception_date": "2026-11-21",
            "classification_date": IN_FORCE.isoformat(),
            "sign": False,
        }
        dossier = Dossier(
            organisation_id=self.organisation.id,
            flow=ACTES.name,
            title=act.subject,
            state=state,
            facts={**known, **(facts or {})},
        )
        with self.platform.database.writing(PLATFORM) as session:
            session.add(dossier)
        self.keep(dossier.id, "document", paper(words(f"Acte {act.number}")), name="Délibération.pdf")
        self.keep(dossier.id, "annex.1", paper(words("Annexe")), name="Grille.pdf")
        self.keep(dossier.id, "annex.2", b"\x89PNG", name="Plan.png", media_type="image/png")
        self.keep(dossier.id, "ar", b"<actes:ARActe/>", name="ar.xml", media_type="application/xml")
        return dossier.id

    def keep(self, dossier_id: str, role: str, octets: bytes, *, name: str, media_type: str = "application/pdf") -> str:
        """Keep a file of a dossier; return its digest."""
        blob = self.platform.objects.put(BytesIO(octets))
        with self.platform.database.writing(PLATFORM) as session:
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
        return blob.sha256

    def asks_to_cancel(self, dossier_id: str) -> None:
        """A cancellation of its transmission (6-1) that is on its way."""
        with self.platform.database.writing(PLATFORM) as session:
            session.add(
                ActesMessage(
                    organisation_id=self.organisation.id,
                    dossier_id=dossier_id,
                    code="6-1",
                    id_acte=session.get_one(Dossier, dossier_id).facts["id_acte"],
                    outgoing=True,
                    state="sent",
                    actor="platform",
                )
            )

    def stand(self, dossier_id: str, state: str, **facts: Any) -> None:
        """Have an act in a state, with further facts."""
        with self.platform.database.writing(PLATFORM) as session:
            dossier = session.get_one(Dossier, dossier_id)
            dossier.state, dossier.facts = state, {**dossier.facts, **facts}
            session.add(dossier)

    def dossier(self, dossier_id: str) -> Dossier:
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Dossier, dossier_id)

    def publish(self, dossier_id: str | None = None, *roles: str, author: Author = AUTHOR, **changes: Any) -> ActesPublication:
        """Publish an act, a new one unless told otherwise."""
        act = dossier_id or self.received(**changes)
        return publish(self.platform, self.agent(), act, author, roles or ("document",))

    def publications(self, dossier_id: str) -> list[ActesPublication]:
        with self.platform.database.reading(PLATFORM) as session:
            own = select(ActesPublication).where(ActesPublication.dossier_id == dossier_id)
            return list(session.exec(own.order_by(ActesPublication.id)))

    def told(self, dossier_id: str) -> list[JournalEntry]:
        """The journal of an act."""
        with self.platform.database.reading(PLATFORM) as session:
            entries = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)
            return list(session.exec(entries.order_by(JournalEntry.number)))
