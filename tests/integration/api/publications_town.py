"""A site on which collectivités publish: a real timestamping authority, and acts in each situation that the public may meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from api.runtime import timestamps
from archive.proof import heads
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.actes.models import ActesPublication
from flows.actes.publishing import withdraw
from signing.timestamp.simulator import TsaSimulator
from tests.integration.api.service import Service, web_service
from tests.pades_documents import paper, words
from tests.published_acts import Publisher

SECRET = "Confidentiel"
Result = TypeVar("Result")


@dataclass(frozen=True)
class PublicTown:
    """The site.

    Attributes:
        mairie: open, with acts online.
        syndicat: has published, and is closed since.
        trust: the folder in which the timestamping authority is believed.
        acts: identifiers of publications, by situation.
        unpublished: the dossier of an act that nobody published.
    """

    service: Service
    mairie: Publisher
    syndicat: Publisher
    trust: Path
    acts: dict[str, str]
    unpublished: str

    @property
    def page(self) -> str:
        """The public page of the mairie."""
        return f"/publications/{self.mairie.organisation.siren}"

    def act(self, situation: str) -> str:
        """The public page of an act."""
        return f"{self.page}/actes/{self.acts[situation]}"

    def row(self, situation: str) -> ActesPublication:
        with self.service.platform.database.reading(PLATFORM) as session:
            return session.exec(select(ActesPublication).where(ActesPublication.id == self.acts[situation])).one()


@contextmanager
def public_town(s3: S3Server, folder: Path, **settings: object) -> Iterator[PublicTown]:
    """Run the site for the time of the block."""
    authority, trust, web = TsaSimulator(folder / "tsa"), folder / "trust", folder / "web"
    trust.mkdir()
    web.mkdir()
    (trust / "tsa.pem").write_bytes(authority.anchor.public_bytes(Encoding.PEM))
    authority.start()
    try:
        with web_service(s3, web, tsa_url=authority.url, trust_dir=trust, **settings) as service:
            yield _furnished(service, trust)
    finally:
        authority.stop()


def aside(perform: Callable[[], Result]) -> Result:
    """Do something in a thread of its own: where a browser is driven, this one has a loop already, and timestamps need one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(perform).result()


def _furnished(service: Service, trust: Path) -> PublicTown:
    mairie = Publisher(service.platform, service.mairie.organisation)
    syndicat = Publisher(service.platform, service.syndicat.organisation)
    mairie.classify()
    mairie.open(about="Les actes sont aussi affichés à la mairie.")
    syndicat.open()
    closed = syndicat.publish(subject=f"{SECRET} du syndicat")
    syndicat.open(open=False)
    act = mairie.received(number="2026_118", subject="Tarifs de la cantine & du <portage> à domicile")
    mairie.keep(act, "annex.1", paper(words(SECRET)), name=f"{SECRET}.pdf")
    online = mairie.publish(act)
    withdrawn = mairie.publish(number="2026_119", subject=f"{SECRET} à retirer")
    withdraw(service.platform, mairie.agent(), withdrawn.id, f"{SECRET} : nom d’un administré")
    cancelled = mairie.publish(number="2026_120", subject="Vente du lavoir")
    regulatory = mairie.publish(
        number="2026_121", nature=2, matieres=(6, 1), subject="Circulation rue des Tanneurs", decision_date=date(2025, 12, 3)
    )
    aside(lambda: heads.cut(service.platform, timestamps(service.platform)))
    late = mairie.publish(mairie.received(number="2026_122", subject="Motion pour le bureau de poste"), "document", "annex.1")
    acts = {
        "online": online,
        "withdrawn": withdrawn,
        "cancelled": cancelled,
        "regulatory": regulatory,
        "late": late,
        "closed": closed,
    }
    unpublished = mairie.received(subject=f"{SECRET} que personne n’a publié")
    return PublicTown(service, mairie, syndicat, trust, {name: one.id for name, one in acts.items()}, unpublished)
