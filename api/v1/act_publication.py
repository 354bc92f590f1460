"""The publication of an act over the API: made, and withdrawn; what is asked for at the deposit comes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.acts import finding
from api.publications.finding import address, root_of
from api.v1.access import Caller, Parts
from api.v1.act_asked import PublishingAsked
from api.v1.act_followed import Followed
from api.v1.bodies import described, said_in
from api.v1.publication_shapes import PublicationShape
from flows.actes import publishing, publishing_later
from flows.actes.models import ActesPublication
from flows.actes.settings import Author

router = APIRouter(prefix="/v1", tags=["Actes"])
_PATH = "/acts/{act_id}/publication"


@router.put(
    _PATH,
    status_code=201,
    summary="Make an act public",
    openapi_extra=described(PublishingAsked),
    responses={200: {"model": PublicationShape, "description": "It was public already, with this author and these files."}},
)
def published(
    request: Request,
    response: Response,
    platform: Parts,
    caller: Caller,
    act: Followed,
    asked: Annotated[PublishingAsked, said_in(PublishingAsked)],
) -> PublicationShape:
    """Publish the act, which the State must have acknowledged: 409 with the reason when it cannot be.

    The right `dossier.deposit` is asked for. An act that is online with another author or other files has to be withdrawn first.
    """
    author = asked.author or publishing.usual_author(platform, act.organisation_id)
    with platform.database.reading(caller) as session:
        siren = finding.whole(session, act.id).seen.organisation.siren or ""
        last = publishing.publication_of(session, act.id)
    if last is not None and _says(last, author, asked.roles):
        response.status_code = 200
    else:
        last = publishing.publish(platform, caller, act.id, author, asked.roles)
    return PublicationShape.of(last, root_of(request, platform) + address(siren, last.id))


def _says(last: ActesPublication, author: Author, roles: Sequence[str]) -> bool:
    """Tell whether a publication is online as it is asked for."""
    told = publishing.author_of(last), {file["role"] for file in last.files}
    return last.withdrawn is None and told == (author, set(roles))


@router.delete(_PATH, status_code=204, summary="Take an act off line")
def withdrawn(
    platform: Parts,
    caller: Caller,
    act: Followed,
    reason: Annotated[str, Query(max_length=500, description="Why; kept here, and not told to the public.")] = "",
) -> None:
    """Withdraw the publication of an act, or take back the one that was asked for at its deposit, which needs no reason.

    The texts keep an act online for two months at least (CGCT, R. 2131-1).
    """
    with platform.database.reading(caller) as session:
        asked = publishing_later.asked_of(session, act.id)
        last = publishing.publication_of(session, act.id)
    if asked is not None:
        publishing_later.forget(platform, caller, act.id)
    else:
        publishing.withdraw(platform, caller, last.id if last else "", reason)
