"""A collectivité that does not exist, its people, its software's token: what a first look at the platform needs."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlmodel import select

from api.simulators import Simulators
from core.configuration import Configuration, configure
from core.identifiers import Siret
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.tokens import issue_token
from flows.helios.settings import GATEWAY, SEAL
from signing.pki import write_private

NAME = "Commune de Valmorin (démonstration)"
# No département has the number 99: the commune does not exist.
SIRET = Siret("21990001600011")
_PEOPLE = (
    ("agent@valmorin.example", "Agent des finances", "agent", {Right.READ, Right.DEPOSIT}),
    ("exploitant@valmorin.example", "Exploitante de la plateforme", "exploitant", set(Right)),
)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What to show a newcomer.

    Attributes:
        accounts: address and password of each person.
        token: of the finance software.
    """

    organisation: str
    siren: str
    accounts: dict[str, str]
    token: str


def prepare_demonstration(platform: Platform, played: Simulators) -> Demonstration:
    """Make the demonstration the first time, find it again later; point it at the simulators that are running."""
    path = platform.settings.state_dir / "demonstration.json"
    shown = _read(path) or _make(platform, path)
    with platform.database.writing(PLATFORM) as session:
        owner = session.exec(select(Organisation.id).where(Organisation.siret == SIRET)).one()
        configure(session, platform.secrets, owner, GATEWAY, played.gateway_settings())
        if session.get(Configuration, (owner, SEAL)) is None:
            configure(session, platform.secrets, owner, SEAL, played.seal())
    return shown


def _read(path: Path) -> Demonstration | None:
    return Demonstration(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _make(platform: Platform, path: Path) -> Demonstration:
    accounts = {}
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme Tabellion", OrganisationKind.PLATFORM)
        commune = add_organisation(session, NAME, OrganisationKind.COLLECTIVITE, parent=root, siret=SIRET)
        for email, name, role, rights in _PEOPLE:
            accounts[email] = secrets.token_urlsafe(9)
            person = add_person(session, email, name, accounts[email])
            grant_role(session, person, root if role == "exploitant" else commune, role, rights)
        token = issue_token(session, commune, "Logiciel financier", {Right.READ, Right.DEPOSIT})
    shown = Demonstration(NAME, SIRET.siren, accounts, token)
    write_private(path, json.dumps(asdict(shown)).encode())
    return shown
