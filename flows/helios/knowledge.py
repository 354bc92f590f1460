"""What the stages know beside the dossier: schema sets, trusted authorities, open sessions; made once a process."""

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
from schemas.pes.versions import SchemaSets
from signing.trust import TrustStore

_messages = Catalogue("flows.helios")
sessions = Sessions()


@cache
def schema_sets(folder: Path | None) -> SchemaSets:
    """Return the schema sets, compiled as they are used."""
    return SchemaSets(folder)


@cache
def trust_store(folder: Path | None) -> TrustStore | None:
    """Return the trusted authorities; None when the operator has named none."""
    return TrustStore.from_folder(folder) if folder else None


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
