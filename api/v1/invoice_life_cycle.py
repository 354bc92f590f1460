"""The life-cycle message of a received invoice over the API: its status in the words of the reform, as software reads them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.v1.access import Caller, Parts
from api.v1.invoices import InvoiceId
from flows.engine import reading as dossiers
from flows.invoices import life_message, reading
from schemas.invoices.cdar_writing import cdar_of

router = APIRouter(prefix="/v1", tags=["Factures"])
_MEDIA_TYPE = "application/xml"


@router.get(
    "/invoices/{invoice_id}/life-cycle",
    summary="Read the status of an invoice as a life-cycle message",
    response_class=Response,
    responses={200: {"content": {_MEDIA_TYPE: {}}, "description": "CDAR D22B (XP Z12-012)."}},
)
def life_cycle(platform: Parts, caller: Caller, invoice_id: InvoiceId) -> Response:
    """Return the present status of an invoice as a message CDAR D22B; it is the same as long as the status is.

    409 when the reform has no code for the status, or when what every message must say is not known: a coded reason for a
    suspension that was made elsewhere, for instance.
    """
    with dossiers.opened(platform.database, caller) as session:
        whole = reading.one(session, invoice_id)
    octets = cdar_of(life_message.message_of(platform, whole))
    name = f"cdar_{whole.invoice.chorus_id}.xml"
    return Response(octets, media_type=_MEDIA_TYPE, headers={"Content-Disposition": f'attachment; filename="{name}"'})
