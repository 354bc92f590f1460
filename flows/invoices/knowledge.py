"""What INVOICES knows beside a dossier: its invoice, the account of Chorus Pro, what the organisation configured."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel
from sqlmodel import col, select

from connectors.chorus.client import Chorus
from connectors.chorus.settings import ChorusAccount, ChorusOperator
from core.configuration import Configuration, configuration_of
from core.errors import NeedsOperator, NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.invoices.evidence import keeping
from flows.invoices.models import ReceivedInvoice
from flows.invoices.settings import ACCOUNT, OPERATOR, RECEPTION, VISA, InvoiceReception, InvoiceVisa

_messages = Catalogue("flows.invoices")
_Model = TypeVar("_Model", bound=BaseModel)


def invoice_of(platform: Platform, dossier_id: str) -> ReceivedInvoice:
    """Return the invoice of a dossier.

    Raises:
        NotFound: the dossier is of no invoice.
    """
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(ReceivedInvoice).where(ReceivedInvoice.dossier_id == dossier_id)).first()
    if found is None:
        raise NotFound(_messages("invoice.unknown"))
    return found


def operator_of(platform: Platform, organisation_id: str) -> ChorusOperator:
    """Return the PISTE application through which an organisation speaks to Chorus Pro.

    Raises:
        NeedsOperator: none is configured, here or above.
    """
    found = _inherited(platform, organisation_id, OPERATOR, ChorusOperator)
    if found is None:
        raise NeedsOperator(_messages("operator.missing"))
    return found


def account_of(platform: Platform, organisation_id: str) -> ChorusAccount:
    """Return an organisation's own technical account: never that of another one above, since it ties invoices to its owner.

    Raises:
        NeedsOperator: it has none.
        Misconfigured: it cannot be decrypted.
    """
    with platform.database.reading(PLATFORM) as session:
        own = session.get(Configuration, (organisation_id, ACCOUNT))
        if own is None:
            raise NeedsOperator(_messages("account.missing"))
        return configuration_of(session, platform.secrets, organisation_id, ACCOUNT, ChorusAccount)


def chorus_of(platform: Platform, organisation_id: str, dossier_id: str | None = None) -> Chorus:
    """Return Chorus Pro as an organisation's technical account sees it; evidence of every call is kept.

    Args:
        platform: where it is configured.
        organisation_id: the owner of the account: ``ReceivedInvoice.account_id``.
        dossier_id: what the calls will be about, to whose organisation their evidence then belongs; None for searches.

    Raises:
        NeedsOperator: application or account are missing, or the invoice is of another environment than the account.
        EnvironmentMixed: one is of the sandbox, the other of production.
    """
    operator, account = operator_of(platform, organisation_id), account_of(platform, organisation_id)
    if dossier_id is None:
        return Chorus(operator, account, keeping(platform, organisation_id, None))
    invoice = invoice_of(platform, dossier_id)
    require_environment(account, invoice.environment, invoice.number)
    return Chorus(operator, account, keeping(platform, invoice.organisation_id, dossier_id))


def require_environment(account: ChorusAccount, environment: str, number: str) -> None:
    """Go on only if an invoice is of the environment that an account speaks to: its identifier is that of another one elsewhere.

    Raises:
        NeedsOperator: it is not.
    """
    if environment != account.environment.value:
        raise NeedsOperator(_messages("environment.other", number=number, found=environment, account=account.environment.value))


def reception_of(platform: Platform, organisation_id: str) -> InvoiceReception:
    """Return what an organisation receives, and what Chorus Pro is told by itself.

    Raises:
        NeedsOperator: it does not say, nor does one above.
    """
    found = _inherited(platform, organisation_id, RECEPTION, InvoiceReception)
    if found is None:
        raise NeedsOperator(_messages("reception.missing"))
    return found


def visa_of(platform: Platform, organisation_id: str) -> InvoiceVisa:
    """Return who gives the visa on an organisation's invoices; nobody when it does not say, here or above."""
    return _inherited(platform, organisation_id, VISA, InvoiceVisa) or InvoiceVisa()


def reconfigured(platform: Platform, organisation_id: str, since: datetime) -> bool:
    """Tell whether an organisation's account, or what it receives, was configured anew since a moment, here or above."""
    with platform.database.reading(PLATFORM) as session:
        here = session.get_one(Organisation, organisation_id).path.strip("/").split("/")
        changed = select(Configuration.name).where(
            col(Configuration.organisation_id).in_(here),
            col(Configuration.name).in_((ACCOUNT, RECEPTION)),
            Configuration.changed > since,
        )
        return session.exec(changed).first() is not None


def _inherited(platform: Platform, organisation_id: str, name: str, model: type[_Model]) -> _Model | None:
    with platform.database.reading(PLATFORM) as session:
        try:
            return configuration_of(session, platform.secrets, organisation_id, name, model)
        except NotFound:
            return None
