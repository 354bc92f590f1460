"""The web application: every face that speaks HTTP, behind one gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from api import answers, operation
from api.addresses import Addresses
from api.courrier import answering as courrier_answering
from api.courrier import routes as courrier
from api.courrier.gate import RecipientsGate
from api.guard import Guard
from api.iparapheur import service as iparapheur
from api.metrics import Requests, WorkCollector
from api.pastell import service as pastell
from api.problems import MEDIA_TYPE, ProblemDetails
from api.publications import routes as publications
from api.s2low import service as s2low
from api.uploads import Uploads
from api.v1 import (
    act_papers,
    act_publication,
    act_sending,
    acts,
    agent,
    agreements,
    contacts,
    corrections,
    deposits,
    directory,
    dossiers,
    folders,
    holds,
    invoice_life_cycle,
    invoices,
    journal,
    mail_sending,
    mails,
    reference,
    sae,
    sales,
    sealed,
    sittings,
    transfers,
    uploads,
)
from api.web import site
from api.web.acts import answering, batch, creating
from api.web.archive.check import page as archive_check
from api.web.archive.eliminations import visas as elimination_visas
from api.web.archive.rules import page as archive_rules
from api.web.archive.transfers import handing as archive_handing
from api.web.convening import papers
from api.web.draft import page as draft
from api.web.mails import acting as mail_acting
from api.web.mails import book
from api.web.mails import writing as mail
from archive import spreadsheet
from archive.elimination.deciding import LARGEST_VISA
from core.platform import Platform
from core.settings import Settings
from flows.mail.book import csv_lines

_log = structlog.get_logger()
_STATIC = Path(__file__).parent / "web" / "static"
_VERSION = "1.0.0"
_SETUP = 1 << 20  # a set-up of a signing book, as a file
_FORM_AROUND = 64 * 1024  # what a form adds to the document in it
_MAIL_AROUND = 1 << 20  # a thousand recipients and a long message
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDetails, "description": words, "content": {MEDIA_TYPE: {}}}
    for status, words in (
        (400, "The request cannot be understood."),
        (401, "No valid token."),
        (403, "The right is not held there."),
        (404, "Nothing there, or nothing that may be seen."),
        (409, "It exists already, or somebody acted in between."),
        (413, "Too large."),
        (422, "A value does not fit."),
        (503, "A part of the platform does not answer; try again."),
    )
}


class _Application(FastAPI):
    """The application behind its gate, which stands outside everything, so that answers to our own faults pass it too."""

    def build_middleware_stack(self) -> ASGIApp:
        settings = self.state.platform.settings
        return Addresses(
            Guard(
                RecipientsGate(super().build_middleware_stack(), settings),
                limits=largest_bodies(settings),
                requests=Requests(self.state.registry),
                public_url=settings.public_url,
            )
        )


def largest_bodies(settings: Settings) -> dict[str, int]:
    """Return the largest body in bytes of each path that takes a large one, as the gate writes paths."""
    large = settings.upload_limit + _FORM_AROUND
    return {
        "/v1/dossiers": large,
        transfers.PATH: large,
        agreements.PATH: agreements.LARGEST,
        **dict.fromkeys((act_sending.ACTS, act_sending.REPLIES), act_sending.LARGEST_BODY),
        "/deposer": large,
        **dict.fromkeys((mail_sending.WRITTEN, mail_sending.CHANGED, mail_sending.ADDED), mail_sending.LARGEST_BODY),
        "/v1/sittings": sittings.LARGEST,
        "/v1/agent/values": agent.LARGEST,
        "/v1/uploads/pieces": uploads.LARGEST,
        "/v1/folders/{id}/documents": large,
        "/parapheur/taches/{id}/importer": large,
        "/parapheur/dossiers/{id}/annexes": large,
        **dict.fromkeys(s2low.LARGE, s2low.GATE),
        **dict.fromkeys(pastell.LARGE, large),
        **dict.fromkeys(iparapheur.PATHS, iparapheur.largest(settings.upload_limit)),
        draft.DOCUMENTS: large,
        creating.PATH: creating.LARGEST + _FORM_AROUND,
        batch.PATH: batch.LARGEST + batch.LARGEST_LINES,
        batch.LINES: batch.LARGEST_LINES,
        answering.REPLY.format(act_id="{id}", message_id="{id}"): creating.LARGEST + _FORM_AROUND,
        courrier_answering.PATH: courrier_answering.LARGEST,
        **dict.fromkeys((path.format(meeting_id="{id}") for path in (papers.JOIN, papers.ADD)), large),
        "/administration/assemblees/{id}/import": _SETUP,
        **dict.fromkeys(
            (mail.NEW, mail.EDIT.format(mail_draft_id="{id}"), mail_acting.ADDING.format(send_id="{id}")),
            mail.LARGEST + _MAIL_AROUND,
        ),
        **dict.fromkeys((f"{mail.NEW}/pieces", f"{mail.EDIT}/pieces".format(mail_draft_id="{id}")), _MAIL_AROUND),
        archive_check.PATH: large,
        archive_rules.TABLE: spreadsheet.LARGEST + _FORM_AROUND,
        elimination_visas.VISA.format(elimination_id="{id}"): elimination_visas.LARGEST,
        elimination_visas.SIGNED_VISA.format(elimination_id="{id}"): LARGEST_VISA + _FORM_AROUND,
        archive_handing.PATH: large,
        book.IMPORT: csv_lines.LARGEST + _FORM_AROUND,
        "/administration/configuration/reprise": _SETUP,
        "/administration/circuits/reprise": _SETUP,
    }


def create_app(platform: Platform) -> FastAPI:
    """Return the application of a platform."""
    app = _Application(
        title="Tabellion",
        version=_VERSION,
        summary="Télétransmission, signature et archivage des flux des collectivités.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        license_info={"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
    )
    registry = CollectorRegistry()
    registry.register(WorkCollector(platform.database))
    app.state.platform, app.state.registry, app.state.uploads = platform, registry, Uploads()
    answers.install(app)
    for part in (
        deposits,
        dossiers,
        acts,
        act_papers,
        act_sending,
        act_publication,
        invoices,
        sales,
        invoice_life_cycle,
        directory,
        folders,
        uploads,
        transfers,
        agreements,
        sae,
        sealed,
        holds,
        corrections,
        journal,
        sittings,
        mail_sending,
        mails,
        contacts,
        agent,
    ):
        app.include_router(part.router, responses=_PROBLEMS)
    for other in (reference, operation, iparapheur, s2low, pastell, publications, courrier, site):
        app.include_router(other.router)
    app.mount("/static", _Static(directory=_STATIC), name="static")
    if not (_STATIC / "vendor").is_dir():
        _log.warning("web.assets_missing", mend="npm ci --ignore-scripts && npm run assets")
    return app


class _Static(StaticFiles):
    """Files that a browser may keep: pages name them with their version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response
