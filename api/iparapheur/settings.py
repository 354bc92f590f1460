"""What an organisation configures of its SOAP service."""

from __future__ import annotations

from pydantic import BaseModel, Field

from core.configuration import configuration_of
from core.errors import NotFound
from core.platform import Platform
from core.principal import PLATFORM

FACADE = "parapheur.soap"


class FacadeSettings(BaseModel):
    """How the organisation's software wants to be answered."""

    signer_rejects: bool = Field(
        False,
        description="Tell every rejection as RejetSignataire: software that knows neither RejetCachet nor the others waits.",
    )


def settings_of(platform: Platform, organisation_id: str) -> FacadeSettings:
    """Return what is configured for an organisation, there or above; what holds by default when nothing is."""
    try:
        # Whoever asks may know nothing of the organisations above.
        with platform.database.reading(PLATFORM) as session:
            return configuration_of(session, platform.secrets, organisation_id, FACADE, FacadeSettings)
    except NotFound:
        return FacadeSettings()
