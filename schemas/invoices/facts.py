"""What a report says of an invoice: identifiers, dates, sums; nothing personal, no account number."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from schemas.invoices.invoice import Invoice
from schemas.invoices.parties import Party
from schemas.invoices.pieces import Piece


def facts_of(invoice: Invoice, pieces: list[Piece]) -> dict[str, Any]:
    """Return facts as JSON values: days in ISO 8601, sums as text."""
    totals = invoice.totals
    return {
        "syntax": invoice.syntax.value,
        "profile": invoice.profile,
        "process": invoice.process,
        "number": invoice.number,
        "type": invoice.type_code,
        "issued": _day(invoice.issued),
        "due": _day(invoice.due),
        "delivered": _day(invoice.delivered),
        "currency": invoice.currency,
        "seller": _party(invoice.seller),
        "buyer": _party(invoice.buyer),
        "service": invoice.buyer_reference,
        "commitment": invoice.purchase_order,
        "contract": invoice.contract,
        "net": _sum(totals.net),
        "vat": _sum(totals.vat),
        "gross": _sum(totals.gross),
        "payable": _sum(totals.payable),
        "lines": len(invoice.lines),
        "preceding": [one.number for one in invoice.preceding],
        "chorus_id": invoice.chorus_id,
        "attachments": [
            {
                "name": one.name,
                "description": one.description,
                "role": one.role,
                "declared": one.declared,
                "media_type": pieces[one.piece].media_type if one.piece is not None else None,
                "size": pieces[one.piece].size if one.piece is not None else None,
            }
            for one in invoice.attachments
        ],
    }


def _party(party: Party) -> dict[str, str]:
    return {"name": party.name, "siren": party.siren, "siret": party.siret, "vat": party.vat}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _sum(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
