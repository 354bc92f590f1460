"""The directory over the API: who receives invoices at a number, at what addresses, and what is asked of invoices."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.tenants import organisation_named
from api.v1.access import Caller, Parts, own_organisation
from connectors.chorus.directory import ChorusDirectory
from connectors.einvoicing.directory import Directory
from core.errors import NotFound, UsageError
from core.identifiers import Siren, Siret
from core.messages import Catalogue
from core.principal import Right
from flows.invoices.knowledge import chorus_of
from schemas.invoices.addressing import PUBLIC_INVOICES, Recipient, Service

router = APIRouter(prefix="/v1", tags=["Factures"])
_t = Catalogue("api.v1")


class ServiceShape(BaseModel):
    """A service of a recipient."""

    code: str = Field(description="Code service, which invoices bear.")
    name: str
    active: bool = Field(description="Whether it takes invoices today.")
    reserved: bool = Field(description="Whether only other public bodies invoice it.")
    engagement_required: bool | None = Field(
        description="Whether it asks for a numéro d’engagement; told only when `service` names it."
    )
    address: str | None = Field(description="Electronic address; null when the code cannot stand in one.")

    @classmethod
    def of(cls, service: Service) -> Self:
        """Show a service."""
        return cls(
            code=service.code,
            name=service.name,
            active=service.active,
            reserved=service.code == PUBLIC_INVOICES,
            engagement_required=service.engagement,
            address=service.address.value if service.address else None,
        )


class RecipientShape(BaseModel):
    """Who receives invoices at an establishment; what is null was not told."""

    siret: str
    name: str
    active: bool | None
    service_required: bool | None = Field(description="Whether invoices must bear a code service.")
    engagement_required: bool | None = Field(description="Whether they must bear a numéro d’engagement.")
    either_required: bool | None = Field(description="Whether they must bear one of the two.")
    address: str | None = Field(description="Electronic address of the establishment.")
    scheme: str | None = Field(description="Scheme of electronic addresses: 0225.")
    services: list[ServiceShape]

    @classmethod
    def of(cls, recipient: Recipient, services: tuple[Service, ...]) -> Self:
        """Show a recipient with some of its services."""
        return cls(
            siret=recipient.siret,
            name=recipient.name,
            active=recipient.active,
            service_required=recipient.service,
            engagement_required=recipient.engagement,
            either_required=recipient.either,
            address=recipient.address.value if recipient.address else None,
            scheme=recipient.address.scheme if recipient.address else None,
            services=[ServiceShape.of(one) for one in services],
        )


class DirectoryAnswer(BaseModel):
    """Recipients that were found: one for a SIRET, those of all establishments for a SIREN."""

    recipients: list[RecipientShape]


@router.get("/directory", summary="Look a recipient of invoices up")
def looked_up(
    platform: Parts,
    caller: Caller,
    siret: Annotated[Siret | None, Query(description="Of the establishment.")] = None,
    siren: Annotated[Siren | None, Query(description="Of the legal unit: its establishments, without what they ask.")] = None,
    service: Annotated[str, Query(max_length=100, description="Code service: only this one, and what it asks itself.")] = "",
    organisation: Annotated[
        str | None,
        Query(max_length=26, description="Through whose account: SIREN, SIRET or identifier; the token’s own by default."),
    ] = None,
) -> DirectoryAnswer:
    """Return what Chorus Pro tells now: nothing of it is kept. 404 when it knows no such structure, or no such service."""
    if (siret is None) == (siren is None):
        raise UsageError(_t("directory.one"))
    if service and siret is None:
        raise UsageError(_t("directory.service"))
    asking = organisation_named(platform, caller, organisation) if organisation else own_organisation(platform, caller)
    caller.require(Right.READ, asking.id)
    found = ChorusDirectory(chorus_of(platform, asking.id))
    return DirectoryAnswer(recipients=_establishment(found, siret, service) if siret else _unit(found, siren))


def _establishment(directory: Directory, siret: Siret, code: str) -> list[RecipientShape]:
    recipient = directory.recipient(siret)
    if recipient is None:
        raise NotFound(_t("directory.unknown", number=siret))
    if not code:
        return [RecipientShape.of(recipient, recipient.services)]
    service = directory.service(siret, code)
    if service is None:
        raise NotFound(_t("directory.unknown_service", siret=siret, code=code))
    return [RecipientShape.of(recipient, (service,))]


def _unit(directory: Directory, siren: Siren | None) -> list[RecipientShape]:
    recipients = directory.recipients(siren) if siren else ()
    if not recipients:
        raise NotFound(_t("directory.unknown", number=siren))
    return [RecipientShape.of(one, one.services) for one in recipients]
