"""What the stages know beside the dossier: schema sets, open sessions, what the organisation configured; made once a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from connectors.helios.sessions import Sessions
from connectors.helios.settings import HeliosGateway
from core.configuration import configuration_of
from core.errors import NeedsOperator, NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.helios.settings import GATEWAY, SEAL, HeliosSeal
from flows.parapheur.external import account_of
from flows.parapheur.settings import HELIOS_ROUTE, ParapheurRoute
from schemas.pes.versions import SchemaSets

_messages = Catalogue("flows.helios")
sessions = Sessions()


@cache
def schema_sets(folder: Path | None) -> SchemaSets:
    """Return the schema sets, compiled as they are used."""
    return SchemaSets(folder)


def gateway_of(platform: Platform, organisation_id: str) -> HeliosGateway:
    """Return the gateway's settings of an organisation (rule R14).

    Raises:
        NeedsOperator: none is configured, here or above.
    """
    with platform.database.reading(PLATFORM) as session:
        try:
            return configuration_of(session, platform.secrets, organisation_id, GATEWAY, HeliosGateway)
        except NotFound as error:
            raise NeedsOperator(_messages("R14.message")) from error


def seal_of(platform: Platform, organisation_id: str) -> HeliosSeal | None:
    """Return the organisation's seal; None when it does not seal here."""
    with platform.database.reading(PLATFORM) as session:
        try:
            return configuration_of(session, platform.secrets, organisation_id, SEAL, HeliosSeal)
        except NotFound:
            return None


def route_of(platform: Platform, organisation_id: str) -> ParapheurRoute | None:
    """Return the way of a PES through the parapheur; None when the organisation sends none there."""
    with platform.database.reading(PLATFORM) as session:
        try:
            return configuration_of(session, platform.secrets, organisation_id, HELIOS_ROUTE, ParapheurRoute)
        except NotFound:
            return None


def signs_in_house(platform: Platform, organisation_id: str) -> bool:
    """Tell whether a PES that arrives unsigned is signed on its way: by people here or in a parapheur outside, or by the seal."""
    asks = account_of(platform, organisation_id) is not None or route_of(platform, organisation_id) is not None
    return asks or seal_of(platform, organisation_id) is not None
