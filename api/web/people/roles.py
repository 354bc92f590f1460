"""The roles of an organisation: those that are built in, those that it defines, and who must have a second factor."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.visitor import Administers, Fields, Parts, Visitor
from core import administration
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.roles import BUILT_IN, Role, roles_at
from core.second_factor import SecondFactorRule, rules_at

_PATH = "/administration/personnes/roles"
router = APIRouter(prefix=_PATH)
_t = Catalogue("api.web.people")
_DONE = ("defini", "change", "supprime", "regle")
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]


@router.get("")
def shown(
    request: Request,
    platform: Parts,
    visitor: Administers,
    organisation: Annotated[str, Query(max_length=26)] = "",
    fait: str = "",
) -> HTMLResponse:
    """Show the roles of an organisation, the first that is administered unless told otherwise."""
    return _page(request, platform, visitor, organisation, done=fait if fait in _DONE else "")


@router.post("")
def define(request: Request, platform: Parts, visitor: Administers, fields: Fields) -> Response:
    """Add a role."""
    visitor.check(fields.get("csrf"))
    where = fields.get("organisation", "")
    try:
        with platform.database.writing(PLATFORM) as session:
            organisation = _administered(session, visitor, where)
            administration.define_role(session, visitor.principal, organisation, fields.get("name", ""), _rights(fields))
    except (UsageError, Conflict) as refused:
        return _page(request, platform, visitor, where, status=400, trouble=str(refused), given=fields)
    return _done(where, "defini")


@router.post("/second-facteur")
def require_second_factor(platform: Parts, visitor: Administers, fields: Fields) -> RedirectResponse:
    """Say who must have a second factor."""
    visitor.check(fields.get("csrf"))
    where = fields.get("organisation", "")
    named = tuple(sorted(name.removeprefix("role.") for name in fields if name.startswith("role.")))
    rule = SecondFactorRule(everyone="everyone" in fields, roles=named)
    with platform.database.writing(PLATFORM) as session:
        organisation = _administered(session, visitor, where)
        known = roles_at(session, organisation)
        rule = rule.model_copy(update={"roles": tuple(name for name in rule.roles if name in known)})
        administration.require_second_factor(session, platform.secrets, visitor.principal, organisation, rule)
    return _done(where, "regle")


@router.post("/{role_id}")
def change(platform: Parts, visitor: Administers, fields: Fields, role_id: Identifier) -> RedirectResponse:
    """Change what a role gives, to all who hold it."""
    visitor.check(fields.get("csrf"))
    with platform.database.writing(PLATFORM) as session:
        role = _role(session, visitor, role_id)
        administration.change_role(session, visitor.principal, role, _rights(fields))
    return _done(role.organisation_id, "change")


@router.post("/{role_id}/suppression")
def delete(platform: Parts, visitor: Administers, fields: Fields, role_id: Identifier) -> RedirectResponse:
    """Delete a role that nobody holds."""
    visitor.check(fields.get("csrf"))
    with platform.database.writing(PLATFORM) as session:
        role = _role(session, visitor, role_id)
        administration.delete_role(session, visitor.principal, role)
    return _done(role.organisation_id, "supprime")


def _rights(fields: dict[str, str]) -> set[Right]:
    return {right for right in Right if f"right.{right}" in fields}


def _administered(session: Session, visitor: Visitor, organisation_id: str) -> Organisation:
    found = session.get(Organisation, organisation_id) if organisation_id in visitor.where(Right.ADMINISTER) else None
    if found is None:
        raise NotFound(_t("organisation.unknown"))
    return found


def _role(session: Session, visitor: Visitor, role_id: str) -> Role:
    found = session.get(Role, role_id)
    if found is None or found.organisation_id not in visitor.where(Right.ADMINISTER):
        raise NotFound(_t("role.unknown"))
    return found


def _page(
    request: Request, platform: Platform, visitor: Visitor, organisation_id: str, *, status: int = 200, **context: Any
) -> HTMLResponse:
    administered = visitor.where(Right.ADMINISTER)
    with platform.database.reading(PLATFORM) as session:
        places = session.exec(
            select(Organisation).where(col(Organisation.id).in_(administered)).order_by(Organisation.path)
        ).all()
        here = _administered(session, visitor, organisation_id or places[0].id)
        own = session.exec(select(Role).where(Role.organisation_id == here.id).order_by(Role.name)).all()
        known = roles_at(session, here)
        rule, above = rules_at(session, platform.secrets, here.id)
        values = {
            "organisations": places,
            "here": here,
            "own": own,
            "built_in": [(name, sorted(rights)) for name, rights in known.items() if name in BUILT_IN],
            "inherited": [
                (name, sorted(rights))
                for name, rights in known.items()
                if name not in BUILT_IN and name not in {role.name for role in own}
            ],
            "names": list(known),
            "rule": rule,
            "above": above,
            "holdable": [right for right in Right if visitor.principal.may(right, here.id)],
        }
    shown = {"done": "", "trouble": "", "given": {}, "csrf": visitor.csrf} | values | context
    return render(request, "web/people/roles.html", visitor=visitor, status=status, **shown)


def _done(organisation_id: str, what: str) -> RedirectResponse:
    return RedirectResponse(f"{_PATH}?organisation={organisation_id}&fait={what}", status_code=303)
