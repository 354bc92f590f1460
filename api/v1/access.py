"""Who calls the API, and with which parts a route works."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel import select

from api.uploads import known
from api.words import messages
from core.errors import Unauthenticated
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal
from core.tokens import ApiToken, software_behind

_bearer = HTTPBearer(auto_error=False, scheme_name="Jeton", description="Jeton d’API : `Authorization: Bearer tab_…`")


def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


def _software(
    request: Request,
    platform: Annotated[Platform, Depends(_platform)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    if credentials is None:
        raise Unauthenticated(messages("bearer.absent"))
    with platform.database.reading(PLATFORM) as session:
        caller = software_behind(session, credentials.credentials)
    known(request, caller.actor)
    return caller


Parts = Annotated[Platform, Depends(_platform)]
Caller = Annotated[Principal, Depends(_software)]


def own_organisation(platform: Platform, caller: Principal) -> Organisation:
    """Return the organisation that a caller's token was issued to."""
    _, _, identifier = caller.actor.partition(":")
    with platform.database.reading(PLATFORM) as session:
        return session.exec(
            select(Organisation)
            .join(ApiToken, ApiToken.organisation_id == Organisation.id)  # type: ignore[arg-type]
            .where(ApiToken.id == identifier)
        ).one()
