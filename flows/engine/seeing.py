"""Who sees which dossiers, as conditions; the session narrows to organisations, see ``reading``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, not_, true
from sqlmodel import col, or_

from core.principal import Principal, Right
from flows.engine.models import Dossier
from signing.parapheur import software


def readable(principal: Principal) -> Any:
    """Return the condition under which a dossier is read: its contents, and what it is about.

    Whoever opened the session has narrowed it to what its principal has to do with; only where they survey without reading is
    there less to see.
    """
    if principal.everywhere:
        return true()
    surveyed_only = set(_held(principal, Right.SURVEY)) - set(_held(principal, Right.READ))
    held = [organisation for organisation in principal.organisations if organisation not in surveyed_only]
    reads = true() if len(held) == len(principal.organisations) else col(Dossier.organisation_id).in_(held)
    if software.is_software(principal):
        return and_(reads, not_(software.withheld(col(Dossier.id))))
    operated = col(Dossier.organisation_id).in_(_held(principal, Right.OPERATE))
    return and_(reads, or_(col(Dossier.confidential).is_(False), operated))


def shown_to(principal: Principal) -> Any:
    """Return the condition under which a dossier is seen, be it that it exists and how it stands."""
    held = _held(principal, Right.SURVEY)
    return or_(readable(principal), col(Dossier.organisation_id).in_(held)) if held else readable(principal)


def _held(principal: Principal, right: Right) -> list[str]:
    return [organisation for organisation in principal.organisations if principal.may(right, organisation)]
