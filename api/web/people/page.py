"""“Personnes”: the list, somebody new, and what an administrator does to an account. What may be done is decided in ``core``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.people import invitation, roles
from api.web.visitor import Administers, Fields, Parts, Visitor
from core import administration, directory, lockout, people, reach, second_factor
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.roles import BUILT_IN, defined_at

router = APIRouter()
_t = Catalogue("api.web.people")
_PATH = "/administration/personnes"
_A_PAGE = 25
_LONGEST_NAME = 120
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
Act = Callable[[Session, Principal, Person], object]
_ACTS: dict[str, Act] = {
    "suspension": administration.suspend,
    "reactivation": administration.reactivate,
    "deblocage": administration.unlock,
    "second-facteur": administration.remove_second_factor,
}
_DONE = (*_ACTS, "role", "role-ailleurs", "role-retire", "nom")


@router.get(_PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: Administers,
    q: Annotated[str, Query(max_length=100)] = "",
    apres: Annotated[str, Query(max_length=26)] = "",
    avant: Annotated[str, Query(max_length=26)] = "",
) -> HTMLResponse:
    """Show a page of the list."""
    with platform.database.reading(PLATFORM) as session:
        page = directory.page(session, visitor.where(Right.ADMINISTER), q, _A_PAGE, after=apres, before=avant)
    return render(
        request,
        "web/people/people.html",
        visitor=visitor,
        page=page,
        q=q.strip(),
        next=_address(q, apres=page.after),
        previous=_address(q, avant=page.before),
    )


@router.get(f"{_PATH}/ajout")
def ask(request: Request, platform: Parts, visitor: Administers) -> HTMLResponse:
    """Show the form by which somebody is added."""
    return _form(request, platform, visitor)


@router.post(f"{_PATH}/ajout")
def add(request: Request, platform: Parts, visitor: Administers, fields: Fields) -> Response:
    """Add somebody with a role, and show the link to hand over; somebody who is known already gets the role only."""
    visitor.check(fields.get("csrf"))
    email, name = fields.get("email", "").strip(), " ".join(fields.get("name", "").split())
    try:
        people.check_address(email)
        _check_name(name)
        with platform.database.writing(PLATFORM) as session:
            organisation = _administered(session, visitor, fields.get("organisation", ""))
            person, secret = administration.invite(session, visitor.principal, organisation, email, name, fields.get("role", ""))
            touches = reach.covers(session, visitor.principal, person, takes_over=False)
    except (UsageError, Conflict, NotFound) as refused:
        return _form(request, platform, visitor, status=400, trouble=str(refused), given=fields)
    if not secret:
        return _done(person.id, "role" if touches else "role-ailleurs")
    return _shown(request, platform, visitor, person.id, link=invitation.link(request, secret))


router.include_router(roles.router)


@router.get(f"{_PATH}/{{person_id}}")
def shown(request: Request, platform: Parts, visitor: Administers, person_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show somebody; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, person_id, done=fait if fait in _DONE else "")


@router.post(f"{_PATH}/{{person_id}}/nom")
def rename(platform: Parts, visitor: Administers, fields: Fields, person_id: Identifier) -> RedirectResponse:
    """Give somebody another name."""
    visitor.check(fields.get("csrf"))
    name = " ".join(fields.get("name", "").split())
    _check_name(name)
    with platform.database.writing(PLATFORM) as session:
        administration.rename(session, visitor.principal, _seen(session, visitor, person_id), name)
    return _done(person_id, "nom")


@router.post(f"{_PATH}/{{person_id}}/roles")
def give(platform: Parts, visitor: Administers, fields: Fields, person_id: Identifier) -> RedirectResponse:
    """Give somebody a role."""
    visitor.check(fields.get("csrf"))
    with platform.database.writing(PLATFORM) as session:
        person = _seen(session, visitor, person_id)
        organisation = _administered(session, visitor, fields.get("organisation", ""))
        administration.give_role(session, visitor.principal, person, organisation, fields.get("role", ""))
    return _done(person_id, "role")


@router.post(f"{_PATH}/{{person_id}}/roles/retrait")
def take(platform: Parts, visitor: Administers, fields: Fields, person_id: Identifier) -> RedirectResponse:
    """Take a role from somebody; whoever has none left there is not seen from there any more."""
    visitor.check(fields.get("csrf"))
    administered = visitor.where(Right.ADMINISTER)
    with platform.database.writing(PLATFORM) as session:
        person = _seen(session, visitor, person_id)
        administration.take_role(session, visitor.principal, person, fields.get("membership", ""))
        session.flush()
        held = people.memberships(session, person_id)
        still = directory.sees_everybody(session, administered) or any(place.id in administered for _, place in held)
    return _done(person_id, "role-retire") if still else RedirectResponse(_PATH, status_code=303)


@router.post(f"{_PATH}/{{person_id}}/lien")
def make_link(request: Request, platform: Parts, visitor: Administers, fields: Fields, person_id: Identifier) -> HTMLResponse:
    """Make a link by which somebody chooses a password, and show it: nothing will show it again."""
    visitor.check(fields.get("csrf"))
    with platform.database.writing(PLATFORM) as session:
        secret = administration.make_link(session, visitor.principal, _seen(session, visitor, person_id))
    return _shown(request, platform, visitor, person_id, link=invitation.link(request, secret))


@router.post(f"{_PATH}/{{person_id}}/{{act}}")
def act_on(platform: Parts, visitor: Administers, fields: Fields, person_id: Identifier, act: str) -> RedirectResponse:
    """Suspend, reactivate, unlock, or remove a second factor."""
    visitor.check(fields.get("csrf"))
    if act not in _ACTS:
        raise NotFound(_t("act.unknown"))
    with platform.database.writing(PLATFORM) as session:
        _ACTS[act](session, visitor.principal, _seen(session, visitor, person_id))
    return _done(person_id, act)


def _seen(session: Session, visitor: Visitor, person_id: str) -> Person:
    return directory.person(session, visitor.where(Right.ADMINISTER), person_id)


def _administered(session: Session, visitor: Visitor, organisation_id: str) -> Organisation:
    """Return an organisation that the visitor administers; another is not told from one that does not exist."""
    found = session.get(Organisation, organisation_id) if organisation_id in visitor.where(Right.ADMINISTER) else None
    if found is None:
        raise NotFound(_t("organisation.unknown"))
    return found


def _check_name(name: str) -> None:
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        raise UsageError(_t("name.unfit", longest=_LONGEST_NAME))


def _choices(session: Session, visitor: Visitor) -> dict[str, Any]:
    """Return the organisations and the roles that forms offer."""
    administered = visitor.where(Right.ADMINISTER)
    found = session.exec(select(Organisation).where(col(Organisation.id).in_(administered)).order_by(Organisation.path)).all()
    own = {name for organisation in found for name in defined_at(session, organisation.path)}
    return {"organisations": found, "roles": [*BUILT_IN, *sorted(own)]}


def _form(request: Request, platform: Platform, visitor: Visitor, *, status: int = 200, **context: Any) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        choices = _choices(session, visitor)
    shown = {"trouble": "", "given": {}, "csrf": visitor.csrf} | choices | context
    return render(request, "web/people/add.html", visitor=visitor, status=status, **shown)


def _shown(request: Request, platform: Platform, visitor: Visitor, person_id: str, **context: Any) -> HTMLResponse:
    administered = visitor.where(Right.ADMINISTER)
    with platform.database.reading(PLATFORM) as session:
        person = directory.person(session, administered, person_id)
        held = people.memberships(session, person.id)
        values = {
            "person": person,
            "held": [(membership, place) for membership, place in held if place.id in administered],
            "elsewhere": sum(place.id not in administered for _, place in held),
            "touches": reach.covers(session, visitor.principal, person, takes_over=False),
            "takes_over": reach.covers(session, visitor.principal, person, takes_over=True),
            "oneself": person.id == visitor.person_id,
            "factor": second_factor.is_on(session, person.id),
            "locked": lockout.account_locked_until(session, person.email)
            or lockout.locked_until(session, lockout.codes(person.id)),
            **_choices(session, visitor),
        }
    shown = {"done": "", "link": "", "csrf": visitor.csrf} | values | context
    return render(request, "web/people/person.html", visitor=visitor, **shown)


def _done(person_id: str, what: str) -> RedirectResponse:
    return RedirectResponse(f"{_PATH}/{person_id}?fait={what}", status_code=303)


def _address(q: str, **place: str) -> str:
    kept = {name: value for name, value in {"q": q.strip(), **place}.items() if value}
    return f"{_PATH}?{urlencode(kept)}" if any(place.values()) else ""
