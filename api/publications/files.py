"""What a reader takes away of a published act: its documents, copies with the préfecture's stamp, the proof of publication."""

from __future__ import annotations

import re
from functools import partial
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import downloads
from api.publications.answering import tag_of, validated
from api.publications.finding import ACT, DOCUMENT, METHODS, File, Online
from api.web.visitor import Parts
from core.derived import derived_files
from flows.actes import published
from flows.actes.models import ActesPublication
from flows.engine.work import KeptFile

router = APIRouter()
_EDITION = 1  # of the stamp: one more when the same document gives another copy


@router.api_route(DOCUMENT, methods=METHODS)
def document(request: Request, platform: Parts, act: Online, file: File) -> Response:
    """Give a document as it was transmitted, to be read in the browser."""
    kept = KeptFile(file["role"], called(act.publication, file), file["type"], file["sha256"], file["size"])
    return validated(request, kept.sha256, lambda: downloads.published(platform, kept))


@router.api_route(f"{DOCUMENT}/tampon", methods=METHODS)
def stamped(request: Request, platform: Parts, act: Online, file: File) -> Response:
    """Give a copy with the stamp and the day of publication on each page; made once, and kept while there is room."""
    key = f"{_EDITION}/publication/{act.publication.id}/{file['rank']}/stamped"

    def made() -> dict[str, bytes]:
        return {key: published.stamped(platform, act.publication, file["rank"])}

    # Once the transmission is cancelled no copy is made, which is what its making says; one that was made before is not given.
    octets = made()[key] if act.cancelled_on else derived_files(platform.settings).get_or_make(key, key, made)
    name = called(act.publication, file, "-tampon")
    return validated(request, tag_of(octets), lambda: downloads.copy(name, octets, file["type"]))


@router.api_route(f"{ACT}/preuve", methods=METHODS)
def proof(request: Request, platform: Parts, act: Online) -> Response:
    """Give the proof of the publication, to be verified anywhere; the same octets from the first head that covers it on."""
    publication = act.publication
    write = partial(published.write_publication_evidence, platform, publication)
    if act.stamped is None:
        return downloads.proof(publication.id, write)  # says that it is not there yet
    return validated(request, f"{publication.package_sha256[:32]}.proof", lambda: downloads.proof(publication.id, write))


def called(publication: ActesPublication, file: dict[str, Any], ending: str = "") -> str:
    """Return the name under which a reader keeps a document: the act's number first, and nothing that a disk refuses."""
    stem = re.sub(r"[^\w.-]+", "-", PurePath(file["name"]).stem).strip("-.") or "document"
    return f"{publication.number}-{stem}{ending}.pdf"
