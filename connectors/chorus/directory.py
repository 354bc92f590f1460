"""The directory of the reform as Chorus Pro tells it: public structures, their services, and what they ask of invoices.

It satisfies ``connectors.einvoicing.directory.Directory`` by its shape: rooms of one floor do not know each other.
"""

from __future__ import annotations

from datetime import date

from connectors.chorus.answers import Structure, StructureDetail, StructureService
from connectors.chorus.client import Chorus
from core import clock
from core.errors import UsageError
from core.identifiers import Siren, Siret
from schemas.invoices.addressing import Place, Recipient, Service

_ACTIVE = "ACTIVE"


class ChorusDirectory:
    """Looks recipients up for one technical account; every call may raise what ``Chorus`` raises."""

    def __init__(self, chorus: Chorus) -> None:
        self._chorus = chorus

    def recipients(self, siren: Siren) -> tuple[Recipient, ...]:
        """Return the structures of a legal unit, without their services and without what they ask: a city has dozens of them.

        Nothing published says that the search of Chorus Pro takes a SIREN: that none is found does not mean that there is none.
        """
        return tuple(_recipient(siret, one) for one in self._chorus.find_structures(siren) if (siret := _siret(one)))

    def recipient(self, siret: Siret) -> Recipient | None:
        """Return the structure of an establishment; None when Chorus Pro shows none."""
        found = self._structure(siret)
        if found is None:
            return None
        return _recipient(siret, found, self._chorus.structure(found.id), self._chorus.services(found.id))

    def service(self, siret: Siret, code: str) -> Service | None:
        """Return a service of an establishment, with what it asks of invoices; None when there is no such service."""
        structure = self._structure(siret)
        services = self._chorus.services(structure.id) if structure else ()
        found = next((one for one in services if one.code == code), None)
        if structure is None or found is None:
            return None
        return _service(siret, found, self._chorus.service(structure.id, found.id).engagement_required)

    def _structure(self, siret: Siret) -> Structure | None:
        return next((one for one in self._chorus.find_structures(siret) if one.identifier == siret), None)


def _recipient(
    siret: Siret, found: Structure, detail: StructureDetail | None = None, services: tuple[StructureService, ...] = ()
) -> Recipient:
    return Recipient(
        siret=siret,
        name=found.name or (detail.name if detail else ""),
        active=found.status == _ACTIVE if found.status else None,
        service=detail.service_required if detail else None,
        engagement=detail.engagement_required if detail else None,
        either=detail.either_required if detail else None,
        address=Place(siret.siren, siret).address,
        services=tuple(_service(siret, one) for one in services),
    )


def _service(siret: Siret, found: StructureService, engagement: bool | None = None) -> Service:
    return Service(found.code, found.name, _open(found), engagement, Place(siret.siren, siret, found.code).address)


def _open(service: StructureService) -> bool:
    today = clock.in_paris(clock.now()).date()
    return service.active and (service.since or date.min) <= today <= (service.until or date.max)


def _siret(structure: Structure) -> Siret | None:
    """Return the SIRET of a structure; None for one that is known by another number."""
    try:
        return Siret(structure.identifier)
    except UsageError:
        return None
