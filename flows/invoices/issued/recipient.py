"""What a recipient asks of the invoices that it takes, as the directory of Chorus Pro tells it before one is deposited.

    V07  the code service (BT-10) that the recipient asks for is given, is one of its own, and is open
    V08  the engagement (BT-13) that the recipient, or its service, asks for is given

A recipient that the directory does not show has asked for nothing: a deposit says what becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from core.identifiers import Siret
from core.problems import Problem
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.issued.rules import told
from schemas.invoices.addressing import PUBLIC_INVOICES, Recipient, Service


class Directory(Protocol):
    """Who tells of recipients; ``connectors.chorus.directory.ChorusDirectory`` does."""

    def recipient(self, siret: Siret) -> Recipient | None:
        """Return a recipient with its services; None when it is not shown."""

    def service(self, siret: Siret, code: str) -> Service | None:
        """Return a service, with what it asks; None when there is none."""


def asked_of(directory: Directory, invoice: IssuedInvoice) -> Iterator[Problem]:
    """Yield what the recipient of an invoice asks for, and does not find in it."""
    siret, code, engagement = Siret(invoice.recipient), invoice.service_code, invoice.engagement
    recipient = directory.recipient(siret)
    if recipient is None:
        return
    service = next((one for one in recipient.services if one.code == code), None) if code else None
    # Every structure has that one: it says nothing of whether the structure has services of its own.
    if code and service is None and any(one.code != PUBLIC_INVOICES for one in recipient.services):
        yield told("V07", "unknown", found=code, name=recipient.name)
    elif service is not None and not service.active:
        yield told("V07", "closed", found=code, name=recipient.name)
    elif recipient.service and not code:
        yield told("V07", "missing", name=recipient.name)
    elif recipient.either and not code and not engagement:
        yield told("V07", "either", name=recipient.name)
    if not engagement and (recipient.engagement or (service is not None and _asks(directory, siret, code))):
        yield told("V08", name=recipient.name, service=code)


def _asks(directory: Directory, siret: Siret, code: str) -> bool:
    detail = directory.service(siret, code)
    return detail is not None and bool(detail.engagement)
