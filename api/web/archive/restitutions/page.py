"""“Restitutions”: whole fonds given back, asked for here, written by a worker into volumes that are taken here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import downloads
from api.problems import fault_of
from api.tenants import organisation_named, where
from api.web.administered import Identifier
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from archive.finding import restitutions
from archive.finding.models import RestitutionVolume
from archive.finding.volumes import key_of
from core.errors import Conflict, NotFound, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine.work import KeptFile

router = APIRouter()
PATH = "/archives/restitutions"
Rank = Annotated[int, Path(ge=1, le=1_000_000)]
_A_PAGE = 25
_DONE = frozenset({"demandee"})


@router.get(PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    apres: Annotated[str, Query(max_length=26)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show the restitutions, newest first; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, after=apres, done=fait if fait in _DONE else "")


@router.post(PATH)
def asked(request: Request, platform: Parts, visitor: SignedIn, fields: Fields) -> Response:
    """Ask for one."""
    visitor.check(fields.get("csrf"))
    try:
        organisation = organisation_named(platform, visitor.principal, fields.get("organisation", ""))
        restitutions.ask(platform, visitor.principal, organisation.id)
    except (Conflict, UsageError, NotFound) as error:
        fault = fault_of(error)
        return _page(request, platform, visitor, status=fault.status, trouble=fault.detail)
    return RedirectResponse(f"{PATH}?fait=demandee", status_code=303)


@router.get(PATH + "/{restitution_id}/{rank}")
def volume(platform: Parts, visitor: SignedIn, restitution_id: Identifier, rank: Rank) -> StreamingResponse:
    """Give a volume out, held against its digest on the way."""
    found = restitutions.volume_of(platform, visitor.principal, restitution_id, rank)
    kept = KeptFile("volume", _name(found), "application/zip", found.sha256, found.size)
    return downloads.held(platform, key_of(found), kept)


def _name(volume: RestitutionVolume) -> str:
    return f"restitution-{volume.restitution_id}-{volume.rank:03d}.zip"


def _page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    *,
    after: str = "",
    status: int = 200,
    done: str = "",
    trouble: str = "",
) -> HTMLResponse:
    managed = {name: rights for name, rights in visitor.principal.grants.items() if Right.ARCHIVE in rights}
    with platform.database.reading(Principal(visitor.principal.actor, managed)) as session:
        rows = restitutions.listed(session, after, _A_PAGE + 1)
        found = rows[:_A_PAGE]
        owners = {one.organisation_id for one in found}
        volumes = restitutions.volumes_of(session, found)
        names = dict(session.exec(select(Organisation.id, Organisation.name).where(col(Organisation.id).in_(owners))).all())
    return render(
        request,
        "web/archive/restitutions/list.html",
        visitor=visitor,
        status=status,
        restitutions=found,
        names=names,
        volumes={one.id: [(volume, _name(volume)) for volume in volumes.get(one.id, [])] for one in found},
        taken={one.id: visitor.principal.may(Right.READ, one.organisation_id) for one in found},
        organisations=where(platform, visitor.principal, Right.ARCHIVE),
        more=f"{PATH}?apres={found[-1].id}" if len(rows) > _A_PAGE else "",
        done=done,
        trouble=trouble,
    )
