"""Depositing a document over the API: a multipart form, or the document as the very body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from api.deposits import Destination, deposit, said_once
from api.multipart import DOCUMENT, Form
from api.uploads import Body, Uploads
from api.v1.access import Caller, Parts, own_organisation
from api.v1.shapes import DossierLine
from api.words import messages
from core.errors import UsageError
from core.platform import Platform
from core.principal import Principal
from flows.engine.intake import Received
from flows.helios.flow import HELIOS
from flows.registry import FIELDS, flow_for_deposits

router = APIRouter(prefix="/v1", tags=["Dossiers"])
_WHERE = frozenset({"flow", "organisation"})
_FIELDS = _WHERE.union(*FIELDS.values())
_DOCUMENT_FIELDS = {
    "desk": "short name of the desk that sends (needed)",
    "title": "what people read; the name of the file when absent",
    "type": "name of the type",
    "subtype": "name of the subtype",
    "metadata": "a JSON object of texts",
    "due": "day by which it should be through, YYYY-MM-DD",
    "visibility": "confidential or public",
    "external_id": "what the software knows it by; unique",
    "start": "false to keep it as a draft",
}
_RAW = "application/xml"
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["document"],
                "properties": {
                    "flow": {"type": "string", "description": "Name of the flow; before the document.", "default": HELIOS.name},
                    "organisation": {
                        "type": "string",
                        "description": "SIREN or SIRET; before the document; that of the token when absent.",
                    },
                    **{
                        name: {"type": "string", "description": f"Of the flow document: {words}; before the document."}
                        for name, words in _DOCUMENT_FIELDS.items()
                    },
                    "document": {"type": "string", "format": "binary", "description": "The document: the last part."},
                },
            }
        },
        _RAW: {"schema": {"type": "string", "format": "binary"}},
    },
}


@router.post(
    "/dossiers",
    status_code=201,
    summary="Deposit a document",
    openapi_extra={"requestBody": _BODY},
    responses={
        200: {"model": DossierLine, "description": "The identical document was deposited before: this is its dossier."},
        201: {"headers": {"Location": {"schema": {"type": "string"}}}},
    },
)
async def deposited(
    request: Request,
    response: Response,
    platform: Parts,
    caller: Caller,
    flow: Annotated[
        str | None, Query(max_length=40, description="In place of the form’s field; 400 when the two differ.")
    ] = None,
    organisation: Annotated[
        str | None, Query(max_length=26, description="In place of the form’s field; 400 when the two differ.")
    ] = None,
    name: Annotated[str, Query(max_length=255, description="Name of the document, when it is the body.")] = "document.xml",
    idempotency_key: Annotated[str | None, Header(description="Makes a repeat harmless: 1 to 200 visible characters.")] = None,
) -> DossierLine:
    """Make a dossier of a document, read as it comes; the answer is given once the document is kept.

    What the document is worth is checked afterwards: follow the dossier.
    """
    given = {"flow": flow, "organisation": organisation}
    uploads: Uploads = request.app.state.uploads
    received = await uploads.run(
        request, _reader(platform, caller, request.headers.get("content-type", ""), given, name, idempotency_key)
    )
    response.headers["Location"] = f"/v1/dossiers/{received.dossier.id}"
    if not received.created:
        response.status_code = 200
        response.headers["Idempotent-Replay"] = "true"
    return DossierLine.of(received.dossier)


def _reader(
    platform: Platform, caller: Principal, content_type: str, given: dict[str, str | None], name: str, key: str | None
) -> Callable[[Body], Received]:
    """Return what reads the body, in a thread, once it is its turn."""

    def read(body: Body) -> Received:
        if content_type.partition(";")[0].strip().lower() == _RAW:
            return deposit(platform, caller, _destination(platform, caller, given), body, name, key)
        form = Form(body, content_type, _FIELDS)
        told = {name: said_once(name, given[name], form.values.get(name)) for name in given}
        to = _destination(platform, caller, {**form.values, **told})
        return deposit(platform, caller, to, form, form.file_name, key)

    return read


def _destination(platform: Platform, caller: Principal, given: dict[str, str | None]) -> Destination:
    """Return where a document goes.

    Raises:
        UsageError: no such flow, or a field that is another flow's: what it says would be passed over.
    """
    flow = flow_for_deposits(given["flow"] or HELIOS.name).name
    said = {name: value for name, value in given.items() if name not in _WHERE and value is not None}
    for name in sorted(said.keys() - FIELDS[flow]):
        allowed = ", ".join(sorted({*_WHERE, *FIELDS[flow], DOCUMENT}))
        raise UsageError(messages("form.unknown", name=name, allowed=allowed))
    return Destination(flow, given["organisation"] or own_organisation(platform, caller).id, said)
