"""``doctor`` on the keys that are configured: how long the certificate of each seal, and of each client, still serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from cryptography import x509
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from api.cli.finding import Finding
from connectors.actes.settings import ActesOperator
from connectors.iparapheur.settings import ParapheurSettings
from core import clock
from core.clock import in_paris
from core.configuration import Configuration, configuration_of
from core.errors import Misconfigured
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.settings import OPERATOR
from flows.helios.settings import SEAL as HELIOS_SEAL
from flows.helios.settings import HeliosSeal
from flows.parapheur.external import EXTERNAL
from flows.sae.settings import OUTSIDE, OutsideArchive
from signing.keys import KeyRefused
from signing.parapheur.sealing import SEAL, ServerSeal

SOON = timedelta(days=60)
_t = Catalogue("api.cli")


class _Holder(NamedTuple):
    """A configuration that holds keys, and how their certificates are read from it."""

    model: type[BaseModel]
    certificates: Callable[[Any], list[x509.Certificate]]


def _of_actes(operator: ActesOperator) -> list[x509.Certificate]:
    keys = (endpoint.client_key() for endpoint in (operator.endpoint, operator.rescue) if endpoint)
    return [key.certificate for key in keys if key]


def _of_parapheur(settings: ParapheurSettings) -> list[x509.Certificate]:
    key = settings.client_key()
    return [key[1][0]] if key else []


def _of_archive(outside: OutsideArchive) -> list[x509.Certificate]:
    return [outside.vitam.client_key()[1][0]] if outside.vitam else []


def _of_seal(seal: HeliosSeal | ServerSeal) -> list[x509.Certificate]:
    return [seal.signer().certificate]


_HOLDERS = {
    HELIOS_SEAL: _Holder(HeliosSeal, _of_seal),
    SEAL: _Holder(ServerSeal, _of_seal),
    OPERATOR: _Holder(ActesOperator, _of_actes),
    EXTERNAL: _Holder(ParapheurSettings, _of_parapheur),
    OUTSIDE: _Holder(OutsideArchive, _of_archive),
}


def keys(platform: Platform) -> Iterator[Finding]:
    """Examine every key that an organisation configured, each where it is configured."""
    part = _t("doctor.keys")
    try:
        with platform.database.reading(PLATFORM) as session:
            held = session.exec(
                select(Configuration.name, Organisation)
                .join(Organisation, col(Organisation.id) == Configuration.organisation_id)
                .where(col(Configuration.name).in_(_HOLDERS))
                .order_by(col(Configuration.name), col(Organisation.path))
            ).all()
    except SQLAlchemyError as error:
        yield Finding(part, False, str(error).splitlines()[0][:200], _t("doctor.database.mend"))
        return
    for name, organisation in held:
        yield from _of_one(part, platform, name, organisation)


def _of_one(part: str, platform: Platform, name: str, organisation: Organisation) -> Iterator[Finding]:
    whose = _t(f"doctor.keys.{name}", organisation=organisation.name)
    holder = _HOLDERS[name]
    try:
        with platform.database.reading(PLATFORM) as session:
            configured = configuration_of(session, platform.secrets, organisation.id, name, holder.model)
        certificates = holder.certificates(configured)
    except (KeyRefused, Misconfigured, ValidationError) as error:
        seen = _t("doctor.keys.refused", whose=whose, reason=str(error).splitlines()[0])
        yield Finding(part, False, seen, _t("doctor.keys.mend"))
        return
    for certificate in certificates:
        end = certificate.not_valid_after_utc
        well = end - clock.now() > SOON
        seen = _t("doctor.certificate", name=whose, date=f"{in_paris(end):%d/%m/%Y}")
        yield Finding(part, well, seen, "" if well else _t("doctor.keys.mend"))
