"""Who is known to the simulated Chorus Pro: applications, technical accounts, structures and their services. All are invented."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

PUBLIC_INVOICES = "FACTURES_PUBLIQUES"
COMMUNE, CCAS, ELSEWHERE = 25780001, 25780002, 25780003
SUPPLIER = "99912345800013"
SUPPLIER_NAME = "Fournitures du Val SARL"
APIS = frozenset({"factures", "facturesTravaux", "structures", "transverses"})


@dataclass(frozen=True, slots=True)
class Desk:
    """A service of a structure; ``engagement_required`` counts besides what the structure asks."""

    id: int
    code: str
    name: str
    active: bool = True
    engagement_required: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A public structure: whom invoices are for, and what it asks of its suppliers."""

    id: int
    siret: str
    name: str
    desks: tuple[Desk, ...] = ()
    service_required: bool = False
    engagement_required: bool = False
    either_required: bool = False

    def desk(self, known: int | None) -> Desk | None:
        """Return a service by its identifier."""
        return next((one for one in self.desks if one.id == known), None)


@dataclass(frozen=True, slots=True)
class Technical:
    """A technical account.

    Attributes:
        expires: last day of its password.
        bodies: structures that it sees.
        denied: services, by their paths, that it has no right to.
    """

    login: str
    password: str
    expires: date
    bodies: frozenset[int]
    denied: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class World:
    """All that is known; ``subscribed`` names the APIs that the application may call, by the first word of their paths."""

    bodies: tuple[Body, ...]
    accounts: tuple[Technical, ...]
    client_id: str = "tabellion-demonstration"
    client_secret: str = field(default="secret-de-demonstration", repr=False)
    subscribed: frozenset[str] = APIS

    def body(self, known: int) -> Body | None:
        """Return a structure by its identifier."""
        return next((one for one in self.bodies if one.id == known), None)

    def body_of(self, siret: str) -> Body | None:
        """Return a structure by its SIRET."""
        return next((one for one in self.bodies if one.siret == siret), None)

    def account(self, login: str) -> Technical | None:
        """Return a technical account."""
        return next((one for one in self.accounts if one.login == login), None)


def _desks(first: int, *names: tuple[str, str]) -> tuple[Desk, ...]:
    public = Desk(first, PUBLIC_INVOICES, "Factures publiques")
    return (public, *(Desk(first + rank, code, name) for rank, (code, name) in enumerate(names, 1)))


_COMMUNE_DESKS = (
    *_desks(100, ("SG", "Services généraux"), ("TECH", "Services techniques"), ("ECOLES", "Écoles")),
    Desk(104, "CULTURE", "Ancien service culturel", active=False),
    *(Desk(104 + rank, f"ANTENNE-{rank:02}", f"Antenne {rank}", engagement_required=rank == 1) for rank in range(1, 21)),
)

DEMONSTRATION = World(
    bodies=(
        Body(COMMUNE, "21400999500017", "Commune de Saint-Florent-le-Vieil", _COMMUNE_DESKS, service_required=True),
        Body(CCAS, "26400999400015", "CCAS de Saint-Florent-le-Vieil", _desks(200), either_required=True),
        Body(ELSEWHERE, "21990001600011", "Commune d’à côté", _desks(300)),
    ),
    accounts=(
        Technical("TECH_1@cpro.fr", "clé:secrète", date(2027, 6, 30), frozenset({COMMUNE, CCAS})),
        Technical("TECH_2@cpro.fr", "autre", date(2027, 6, 30), frozenset({ELSEWHERE})),
    ),
)
