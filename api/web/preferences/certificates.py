"""The certificates of somebody else, as their administrator sees and declares them: “celui-ci est bien le sien”."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.administered import Filled, Identifier, gone, place_of, shown
from api.web.visitor import Administers, Parts, Visitor
from core import clock, directory, journal, people, reach
from core.errors import Forbidden, UsageError
from core.messages import Catalogue
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right
from signing.parapheur import signatories

router = APIRouter()
_t = Catalogue("api.web.preferences")
_PATH, _PAGE = "/administration/certificats", "web/preferences/certificates.html"
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get(f"{_PATH}/{{person_id}}")
def listed(request: Request, platform: Parts, visitor: Administers, person_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show the certificates of a person; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, person_id, done=fait)


@router.post(f"{_PATH}/{{person_id}}")
def declare(request: Request, platform: Parts, visitor: Administers, person_id: Identifier, sheet: Filled) -> Response:
    """Declare a certificate to be a person's, whatever name it bears."""
    visitor.check(sheet.text("csrf"))
    try:
        certificate = signatories.certificate_in(sheet.file("certificate"))
        with platform.database.writing(PLATFORM) as session:
            person = _touched(session, visitor, person_id)
            known = signatories.declare(session, person.id, certificate)
            _note(session, visitor, person, "certificate.declared", known.sha256)
    except UsageError as refused:
        return _shown(request, platform, visitor, person_id, status=400, trouble=str(refused))
    return gone(place_of(platform, visitor), f"{_PATH}/{person_id}", "declare")


@router.post(f"{_PATH}/{{person_id}}/{{sha256}}/oubli")
def forget(platform: Parts, visitor: Administers, person_id: Identifier, sha256: Digest, sheet: Filled) -> RedirectResponse:
    """Forget a certificate of a person."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(PLATFORM) as session:
        person = _touched(session, visitor, person_id)
        signatories.forget(session, person.id, sha256)
        _note(session, visitor, person, "certificate.forgotten", sha256)
    return gone(place_of(platform, visitor), f"{_PATH}/{person_id}", "oublie")


def _touched(session: Session, visitor: Visitor, person_id: str) -> Person:
    """Return a person whose whole account is the visitor's to touch.

    Raises:
        NotFound: nobody whom the visitor sees.
        Forbidden: they have roles where the visitor administers nothing.
    """
    person = directory.person(session, visitor.where(Right.ADMINISTER), person_id)
    if not reach.covers(session, visitor.principal, person, takes_over=False):
        raise Forbidden(_t("certificates.beyond", name=person.name))
    return person


def _note(session: Session, visitor: Visitor, person: Person, kind: str, sha256: str) -> None:
    organisation_id = people.home(session, person.id)
    if organisation_id is not None:
        facts = {"person": person.id, "certificate": sha256}
        journal.write(session, organisation_id=organisation_id, kind=kind, actor=visitor.principal.actor, facts=facts)


def _shown(
    request: Request, platform: Platform, visitor: Visitor, person_id: str, *, status: int = 200, **said: Any
) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        person = directory.person(session, visitor.where(Right.ADMINISTER), person_id)
        touches = reach.covers(session, visitor.principal, person, takes_over=False)
        known = signatories.known_to(session, person.id) if touches else []
    values: dict[str, Any] = {"person": person, "touches": touches, "known": known, "now": clock.now()}
    return shown(request, _PAGE, visitor, place_of(platform, visitor), status=status, **values | said)
