"""What SAE knows beside a dossier: the record that it hands over, and the archive service of its organisation."""

from __future__ import annotations

from sqlmodel import Session, select

from archive.models import Record
from core.configuration import Configuration, configuration_of
from core.errors import NeedsOperator
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.sae.settings import OUTSIDE, OutsideArchive

_messages = Catalogue("flows.sae")


class Unsendable(NeedsOperator):
    """There is nothing that the service could take: the record is gone, or its package none for a service so configured."""


def accounts(session: Session) -> set[str]:
    """Return the organisations that configure an archive service."""
    return set(session.exec(select(Configuration.organisation_id).where(Configuration.name == OUTSIDE)))


def account_of(path: str, configured: set[str]) -> str | None:
    """Return whose settings count for the organisation of a path: its own, else those of the nearest above; None for none."""
    return next((one for one in reversed(path.strip("/").split("/")) if one in configured), None)


def account_for(platform: Platform, organisation_id: str) -> tuple[str, OutsideArchive]:
    """Return whose archive service an organisation hands over to, and how it is reached.

    Raises:
        NeedsOperator: there is none, here or above.
        Misconfigured: the settings cannot be decrypted.
    """
    with platform.database.reading(PLATFORM) as session:
        account = account_of(session.get_one(Organisation, organisation_id).path, accounts(session))
    if account is None:
        raise NeedsOperator(_messages("outside.missing"))
    return account, settings_of(platform, account)


def settings_of(platform: Platform, account: str) -> OutsideArchive:
    """Return the settings of an account: its own, for those of an organisation above are of another service.

    Raises:
        NeedsOperator: it has none any more.
        Misconfigured: they cannot be decrypted.
    """
    with platform.database.reading(PLATFORM) as session:
        if session.get(Configuration, (account, OUTSIDE)) is None:
            raise NeedsOperator(_messages("outside.missing"))
        return configuration_of(session, platform.secrets, account, OUTSIDE, OutsideArchive)


def require_same(system: str, settings: OutsideArchive) -> None:
    """Go on only with the service that knows a transfer.

    Raises:
        NeedsOperator: the settings are of another one by now.
    """
    if system != settings.system.value:
        raise NeedsOperator(_messages("outside.other", system=system))


def record_of(platform: Platform, record_id: str) -> Record:
    """Return a record that is still kept.

    Raises:
        Unsendable: it was eliminated meanwhile.
    """
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, record_id)
    if record.eliminated is not None:
        raise Unsendable(_messages("record.eliminated"))
    return record
