"""The flows that this platform knows, and how a document enters each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from core.blobs import Readable
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.actes.flow import ACTES
from flows.actes.intake import FIELDS as ACTES_FIELDS
from flows.actes.intake import deposit as deposit_act
from flows.document.flow import DOCUMENT
from flows.document.intake import FIELDS as DOCUMENT_FIELDS
from flows.document.intake import deposit as deposit_document
from flows.engine.intake import Received
from flows.engine.table import Flow
from flows.helios.flow import HELIOS
from flows.helios.intake import deposit as deposit_helios
from flows.helios.returns import RETURNS
from flows.invoices.flow import INVOICES
from flows.invoices.issued.flow import SALES
from flows.invoices.issued.intake import deposit as deposit_sale
from flows.mail.flow import MAIL
from flows.sae.flow import SAE
from flows.transfers.flow import TRANSFER
from flows.transfers.intake import FIELDS as TRANSFER_FIELDS
from flows.transfers.intake import deposit as deposit_transfer

_messages = Catalogue("flows.engine")
Deposit = Callable[[Platform, Principal, str, Readable, str, str | None, Mapping[str, str] | None], Received]

FLOWS: dict[str, Flow] = {flow.name: flow for flow in (HELIOS, RETURNS, ACTES, DOCUMENT, INVOICES, SALES, MAIL, TRANSFER, SAE)}
DEPOSITS: dict[str, Deposit] = {
    HELIOS.name: deposit_helios,
    ACTES.name: deposit_act,
    DOCUMENT.name: deposit_document,
    SALES.name: deposit_sale,
    TRANSFER.name: deposit_transfer,
}
# What a form may say of a document beside the document itself.
FIELDS: dict[str, frozenset[str]] = {
    HELIOS.name: frozenset(),
    ACTES.name: ACTES_FIELDS,
    DOCUMENT.name: DOCUMENT_FIELDS,
    SALES.name: frozenset(),
    TRANSFER.name: TRANSFER_FIELDS,
}


def flow_named(name: str) -> Flow:
    """Return a flow by its name.

    Raises:
        UsageError: there is none of that name.
    """
    return _named(name, FLOWS)


def flow_for_deposits(name: str) -> Flow:
    """Return a flow that documents are deposited in, by its name; received invoices are fetched, mails are written.

    Raises:
        UsageError: there is none of that name.
    """
    return _named(name, DEPOSITS)


def _named(name: str, known: Collection[str]) -> Flow:
    if name not in known:
        raise UsageError(_messages("flow.unknown", found=name[:40], known=", ".join(sorted(known))))
    return FLOWS[name]
