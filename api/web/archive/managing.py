"""Whose archives are managed on a page: the organisation named in the address, among those where the visitor may."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from api.tenants import holding
from api.web.administered import Place, place_of
from api.web.visitor import Parts, SignedIn
from core.principal import Right

__all__ = ["Managed", "holding"]


def _here(platform: Parts, visitor: SignedIn, organisation: Annotated[str, Query(max_length=26)] = "") -> Place:
    return place_of(platform, visitor, organisation, Right.ARCHIVE)


Managed = Annotated[Place, Depends(_here)]
