"""What an address of the public pages names: an open organisation, one of its publications, a file of it; or nothing."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from api.web.visitor import Parts
from core.errors import Gone, NotFound
from core.messages import Catalogue
from flows.actes import published
from flows.actes.published import PublicAct, PublicOrganisation

_t = Catalogue("api.publications")
ROOT = "/publications"
ORGANISATION = ROOT + "/{siren}"
ACT = ORGANISATION + "/actes/{publication_id}"
DOCUMENT = ACT + "/documents/{rank}"
METHODS = ["GET", "HEAD"]
_LONGEST_RANK = 3


def _open(platform: Parts, siren: str) -> PublicOrganisation:
    # One that is not open is not told from one that does not exist, nor an act that nobody published from no act at all.
    found = published.organisation_of(platform, siren)
    if found is None:
        raise NotFound(_t("absent.organisation"))
    return found


Open = Annotated[PublicOrganisation, Depends(_open)]


def _act(platform: Parts, organisation: Open, publication_id: str) -> PublicAct:
    found = published.one(platform, organisation, publication_id)
    if found is None:
        raise NotFound(_t("absent.act"))
    return found


Found = Annotated[PublicAct, Depends(_act)]


def _online(act: Found) -> PublicAct:
    if act.publication.withdrawn is not None:
        raise Gone(_t("gone.document"))
    return act


Online = Annotated[PublicAct, Depends(_online)]


def _file(act: Online, rank: str) -> dict[str, Any]:
    number = int(rank) if rank.isascii() and rank.isdigit() and len(rank) <= _LONGEST_RANK else 0
    return published.document(act.publication, number) | {"rank": number}


File = Annotated[dict[str, Any], Depends(_file)]
"""A file of a publication, with its ``rank`` from 1."""


def address(siren: str, publication_id: str = "") -> str:
    """Return the path of the page of an organisation, or of one of its publications."""
    return f"{ROOT}/{siren}/actes/{publication_id}" if publication_id else f"{ROOT}/{siren}"


def root_of(request: Request, platform: Parts) -> str:
    """Return the address under which people reach the platform, without a slash at its end."""
    return (platform.settings.public_url or str(request.base_url)).rstrip("/")
