"""A collectivité of the tests that sends acts: a platform of real parts, the simulated ministry, a real mailbox between."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import dramatiq
from sqlmodel import col, select

from api.runtime import working
from connectors.actes.simulated_mailbox import PostOffice
from connectors.actes.simulator import MinistrySimulator
from core import clock
from core.configuration import configure
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import classifying
from flows.actes.act import JoinedFile
from flows.actes.intake import Submission, submit
from flows.actes.models import ActesEnvelope, ActesMail, ActesMessage
from flows.actes.settings import COLLECTIVITE, OPERATOR, ActesCollectivite
from flows.engine.models import Dossier, DossierFile
from tests.pades_documents import paper
from tests.schedules import plan_without_archive
from tests.waiting import PATIENCE, wait_until

ADDRESS = "tdt@tdt.test"
_numbers = itertools.count(1)


@contextmanager
def ministry(folder: Path, **changes: object) -> Iterator[tuple[MinistrySimulator, PostOffice]]:
    """The State's side, answering at once, and the mailbox it answers to."""
    with PostOffice(folder / "post", accounts={ADDRESS: "boite aux lettres"}) as office:
        relay = ("127.0.0.1", office.smtp_port)
        with MinistrySimulator(folder / "ministry", relay=relay, delay=0, **changes) as state:  # type: ignore[arg-type]
            yield state, office


@dataclass(frozen=True)
class ActsTown:
    """A collectivité ready to send acts, and what happens to them."""

    platform: Platform
    broker: dramatiq.Broker
    organisation: Organisation
    state: MinistrySimulator
    office: PostOffice

    def prepare(self, *, classified: bool = True, mailbox_port: int | None = None) -> None:
        """Configure the operator and the collectivité, and ask for the classification."""
        changes = {} if mailbox_port is None else {"port": mailbox_port}
        operator = self.state.operator(self.office.settings_for(ADDRESS, **changes), ADDRESS)
        known = ActesCollectivite(department="040", arrondissement="1", nature="31")
        with self.platform.database.writing(PLATFORM) as session:
            configure(session, self.platform.secrets, self.organisation.id, OPERATOR, operator)
            configure(session, self.platform.secrets, self.organisation.id, COLLECTIVITE, known)
        plan_without_archive(self.platform)
        if classified:
            classifying.request(self.platform, self.organisation.id)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Workers and relay."""
        with working(self.platform, self.broker):
            yield

    def file(self, name: str, octets: bytes | None = None, type_: str | None = None) -> JoinedFile:
        """A file in the object store."""
        content = paper() if octets is None else octets
        media = {"pdf": "application/pdf", "xml": "application/xml", "png": "image/png"}.get(
            name.rpartition(".")[2], "application/octet-stream"
        )
        blob = self.platform.objects.put(BytesIO(content), 200_000_000)
        return JoinedFile(name, media, blob.sha256, blob.size, type_)

    def send(self, number: str | None = None, *, document: JoinedFile | None = None, **changes: object) -> str:
        """Submit an act and return its dossier."""
        values: dict[str, object] = {
            "number": number or f"2026_{next(_numbers):03d}",
            "decision_date": clock.in_paris(clock.now()).date() - timedelta(days=1),
            "nature": 1,
            "matieres": (7, 10),
            "subject": "Tarifs de la cantine scolaire",
            "document": document or self.file("deliberation.pdf"),
            **changes,
        }
        submission = Submission(self.organisation.id, **values)  # type: ignore[arg-type]
        return submit(self.platform, PLATFORM, submission).dossier.id

    def dossier(self, dossier_id: str) -> Dossier:
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()

    def wait_for(self, dossier_id: str, *states: str, seconds: float = PATIENCE) -> Dossier:
        """Wait until an act is in one of these states."""
        wait_until(lambda: self.dossier(dossier_id).state in states, seconds, lambda: repr(self.dossier(dossier_id)))
        return self.dossier(dossier_id)

    def messages(self, dossier_id: str) -> list[ActesMessage]:
        with self.platform.database.reading(PLATFORM) as session:
            rows = select(ActesMessage).where(ActesMessage.dossier_id == dossier_id)
            return list(session.exec(rows.order_by(col(ActesMessage.created), col(ActesMessage.id))))

    def wait_for_messages(self, dossier_id: str, codes: Sequence[str], seconds: float = PATIENCE) -> list[ActesMessage]:
        """Wait until these messages, and no others, are with an act, all of ours sent."""

        def there() -> bool:
            rows = self.messages(dossier_id)
            return sorted(row.code for row in rows) == sorted(codes) and all(row.state in {"sent", "received"} for row in rows)

        wait_until(there, seconds, lambda: repr([(row.code, row.state) for row in self.messages(dossier_id)]))
        return self.messages(dossier_id)

    def message(self, dossier_id: str, code: str) -> ActesMessage:
        return next(row for row in self.messages(dossier_id) if row.code == code)

    def files(self, dossier_id: str) -> dict[str, DossierFile]:
        with self.platform.database.reading(PLATFORM) as session:
            return {kept.role: kept for kept in session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id))}

    def envelopes(self, dossier_id: str) -> list[ActesEnvelope]:
        with self.platform.database.reading(PLATFORM) as session:
            return list(session.exec(select(ActesEnvelope).where(ActesEnvelope.dossier_id == dossier_id)))

    def mails(self, *states: str) -> list[ActesMail]:
        with self.platform.database.reading(PLATFORM) as session:
            return list(session.exec(select(ActesMail).where(col(ActesMail.state).in_(states))))

    def delivered(self, dossier_id: str) -> int:
        """How often the ministry was given the envelopes of an act."""
        names = {f"TAB-{one.name}.tar.gz" for one in self.envelopes(dossier_id)}
        return sum(delivery.name in names for delivery in self.state.deliveries())


def today() -> date:
    return clock.in_paris(clock.now()).date()
