"""A collectivité that does not exist, its people, its software's token: what a first look at the platform needs."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlmodel import select

from api import showcase, showcase_invoices, showcase_mails
from api.showcase import Cast
from api.simulators import Simulators
from core.configuration import Configuration, configure
from core.identifiers import Siret
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import Person, add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.roles import OPERATOR
from core.tokens import issue_token
from flows.actes.settings import COLLECTIVITE, ActesCollectivite
from flows.actes.settings import OPERATOR as OPERATOR_OF_ACTS
from flows.helios.settings import GATEWAY, SEAL
from flows.sae.settings import KINDS, OUTSIDE, OutsideArchive, When
from signing.keys.csc_simulator import SHOWN_KEY
from signing.pki import write_private

NAME = "Commune de Valmorin (démonstration)"
# No département has the number 99: the commune does not exist.
SIRET = Siret("21990001600011")
_COMMUNE = ActesCollectivite(department="099", arrondissement="1", nature="31", referent="Secrétariat général")
_CLERK, _DIRECTOR, _OFFICIAL = "agent@valmorin.example", "dgs@valmorin.example", "maire@valmorin.example"
_PEOPLE = (
    (_CLERK, "Agent du secrétariat", ("agent", "signataire")),
    (_DIRECTOR, "Directrice des services", ("signataire",)),
    (_OFFICIAL, "Maire de démonstration", ("signataire",)),
    ("admin@valmorin.example", "Administratrice de la commune", ("administrateur",)),
    ("archiviste@valmorin.example", "Archiviste", ("archiviste",)),
    ("controle@valmorin.example", "Contrôle des archives", ("contrôleur",)),
    ("exploitant@valmorin.example", "Exploitante de la plateforme", (OPERATOR,)),
)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What to show a newcomer.

    Attributes:
        accounts: address and password of each person.
        token: of the finance software.
        pin: with which the mayor signs remotely.
    """

    organisation: str
    siren: str
    accounts: dict[str, str]
    token: str
    pin: str


def prepare_demonstration(platform: Platform, played: Simulators) -> Demonstration:
    """Make the demonstration the first time, find it again later; point it at the simulators that are running."""
    path = platform.settings.state_dir / "demonstration.json"
    known = _read(path)
    shown = known or _make(platform, path, played)
    with platform.database.writing(PLATFORM) as session:
        owner = session.exec(select(Organisation.id).where(Organisation.siret == SIRET)).one()
        official = session.exec(select(Person.id).where(Person.email == _OFFICIAL)).one()
        configure(session, platform.secrets, owner, GATEWAY, played.gateway_settings())
        root = session.exec(select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM)).one()
        configure(session, platform.secrets, root, OPERATOR_OF_ACTS, played.operator_settings())
        configure(session, platform.secrets, owner, COLLECTIVITE, _COMMUNE)
        configure(session, platform.secrets, owner, OUTSIDE, _archives(played))
        showcase.reach(session, platform, owner, official, played)
        showcase_invoices.reach(session, platform, root, owner, played)
        if session.get(Configuration, (owner, SEAL)) is None:
            configure(session, platform.secrets, owner, SEAL, played.seal())
    if known is None:
        showcase.transmit(platform, owner)
        showcase_invoices.send(played)
        showcase_mails.write(platform, owner, _CLERK, played)
    return shown


def _archives(played: Simulators) -> OutsideArchive:
    """Return how records go to the simulated as@lae: when somebody asks for it."""
    return OutsideArchive(
        asalae=played.asalae.settings(),
        archival_agency="AD-DEMONSTRATION",
        transferring_agency=SIRET,
        kinds=dict.fromkeys(KINDS, When.ON_DEMAND),
    )


def _read(path: Path) -> Demonstration | None:
    return Demonstration(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _make(platform: Platform, path: Path, played: Simulators) -> Demonstration:
    accounts, people = {}, {}
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme Tabellion", OrganisationKind.PLATFORM)
        commune = add_organisation(session, NAME, OrganisationKind.COLLECTIVITE, parent=root, siret=SIRET)
        for email, name, roles in _PEOPLE:
            accounts[email] = secrets.token_urlsafe(9)
            people[email] = add_person(session, email, name, accounts[email])
            for role in roles:
                grant_role(session, people[email], root if role == OPERATOR else commune, role)
        token = issue_token(session, commune, "Logiciel financier", {Right.READ, Right.DEPOSIT})
        clerk, director, official = (people[email] for email in (_CLERK, _DIRECTOR, _OFFICIAL))
        showcase.furnish(session, platform, commune, Cast(clerk, director, official), played)
    showcase.fill(platform, commune.id)
    shown = Demonstration(NAME, SIRET.siren, accounts, token, played.remote.keys[SHOWN_KEY].proofs["PIN"])
    write_private(path, json.dumps(asdict(shown)).encode())
    return shown
