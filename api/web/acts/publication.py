"""The publication of an act, for those who deposit: what its page says of it, the form that publishes, the one that withdraws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.acts import finding
from api.acts.finding import Whole
from api.problems import fault_of
from api.publications.finding import address, root_of
from api.web.administered import Filled
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core import clock
from core.errors import Conflict, Unavailable, UsageError
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.actes import knowledge, published, publishing, publishing_later
from flows.actes.intake import AUTHOR_FIELDS, author_told
from flows.actes.legality import months_later
from flows.actes.models import ActesPublication, ActesPublicationAsked
from flows.actes.settings import Author
from flows.engine import reading
from flows.engine.reading import Seen

router = APIRouter()
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_ACT = "/actes/{act_id}/publication"
_REFUSED = (UsageError, Conflict, Unavailable)
_KEPT_MONTHS = 2
"""For how long a published act stays online at least (CGCT, R. 2131-1, II)."""
_MAIN = "document"


@dataclass(frozen=True, slots=True)
class Publishing:
    """What the page of an act says of its publication.

    Attributes:
        last: the newest publication, online or withdrawn.
        asked: what was asked at the deposit, and is not done yet.
        who: who published it last; empty for software.
        page: the path of its public page; empty when it has none.
        root: the address of the site.
        obstacle: why the act cannot be published now; empty when it can, and while it is online.
        offered: the visitor may publish it, or could but for the obstacle.
        may: the visitor deposits for the organisation.
    """

    last: ActesPublication | None
    asked: ActesPublicationAsked | None
    who: str
    page: str
    root: str
    obstacle: str
    offered: bool
    may: bool

    @property
    def online(self) -> bool:
        """The act is public."""
        return self.last is not None and self.last.withdrawn is None

    @property
    def shown(self) -> bool:
        """There is something to say."""
        return self.last is not None or self.asked is not None or self.offered


def publishing_of(request: Request, platform: Platform, visitor: Visitor, seen: Seen) -> Publishing:
    """Return what the page of an act says of its publication; nothing of it where acts are not published."""
    dossier = seen.dossier
    with reading.opened(platform.database, visitor.principal) as session:
        last = publishing.publication_of(session, dossier.id)
        asked = publishing_later.asked_of(session, dossier.id)
        who = _name(session, last.actor) if last else ""
    may = visitor.principal.may(Right.DEPOSIT, dossier.organisation_id)
    online = last is not None and last.withdrawn is None
    acknowledged = bool(dossier.facts.get("reception_date"))
    offered = may and acknowledged and not online and knowledge.publishing_of(platform, dossier.organisation_id).open
    siren = seen.organisation.siren or ""
    return Publishing(
        last,
        asked,
        who,
        address(siren, last.id) if last and published.organisation_of(platform, siren) else "",
        root_of(request, platform),
        publishing.obstacle(platform, dossier) if offered else "",
        offered,
        may,
    )


def _name(session: Session, actor: str) -> str:
    kind, _, identifier = actor.partition(":")
    person = session.get(Person, identifier) if kind == "person" else None
    return person.name if person else ""


@router.get(_ACT)
def ask(request: Request, platform: Parts, visitor: SignedIn, act_id: Identifier) -> HTMLResponse:
    """Show who will be named as the author, and which files can be published: the act itself is ticked, annexes are not."""
    found = _deposited(platform, visitor, act_id)
    usual = publishing.usual_author(platform, found.seen.dossier.organisation_id)
    author = {name: getattr(usual, part) for name, part in AUTHOR_FIELDS.items()}
    return _form(request, platform, visitor, found, author, (_MAIN,))


@router.post(_ACT)
def publish(request: Request, platform: Parts, visitor: SignedIn, act_id: Identifier, sheet: Filled) -> Response:
    """Make the act public."""
    visitor.check(sheet.text("csrf"))
    found = _deposited(platform, visitor, act_id)
    author, roles = {name: sheet.text(name) for name in AUTHOR_FIELDS}, sheet.texts("role")
    try:
        publishing.publish(platform, visitor.principal, act_id, author_told(author) or Author(), roles)
    except _REFUSED as error:
        fault = fault_of(error)
        return _form(request, platform, visitor, found, author, roles, status=fault.status, trouble=fault.detail)
    return _back(act_id, "publication")


@router.post(f"{_ACT}/oubli")
def forget(platform: Parts, visitor: SignedIn, act_id: Identifier, fields: Fields) -> Response:
    """Take back what was asked at the deposit."""
    visitor.check(fields.get("csrf"))
    publishing_later.forget(platform, visitor.principal, act_id)
    return _back(act_id, "oubli")


@router.get(f"{_ACT}/retrait")
def ask_withdrawal(request: Request, platform: Parts, visitor: SignedIn, act_id: Identifier) -> Response:
    """Show what withdrawing means; where nothing is online the page of the act says so."""
    found = _deposited(platform, visitor, act_id)
    online = _online(platform, act_id)
    return _withdrawal(request, visitor, found, online) if online else _back(act_id)


@router.post(f"{_ACT}/retrait")
def withdraw(request: Request, platform: Parts, visitor: SignedIn, act_id: Identifier, fields: Fields) -> Response:
    """Take the act off line; the same form sent twice does it once."""
    visitor.check(fields.get("csrf"))
    found = _deposited(platform, visitor, act_id)
    online, reason = _online(platform, act_id), fields.get("reason", "")
    if online is None:
        return _back(act_id)
    try:
        publishing.withdraw(platform, visitor.principal, online.id, reason)
    except UsageError as error:
        return _withdrawal(request, visitor, found, online, status=400, trouble=str(error), reason=reason)
    return _back(act_id, "retrait")


def _back(act_id: str, done: str = "") -> RedirectResponse:
    return RedirectResponse(f"/actes/{act_id}?fait={done}" if done else f"/actes/{act_id}", status_code=303)


def _deposited(platform: Platform, visitor: Visitor, act_id: str) -> Whole:
    """Return an act that the visitor reads and deposits for.

    Raises:
        NotFound: there is none, or the visitor does not read it.
        Forbidden: the visitor does not deposit for its organisation.
    """
    with reading.opened(platform.database, visitor.principal) as session:
        found = finding.whole(session, act_id)
    visitor.principal.require(Right.DEPOSIT, found.seen.dossier.organisation_id)
    return found


def _online(platform: Platform, act_id: str) -> ActesPublication | None:
    with platform.database.reading(PLATFORM) as session:
        last = publishing.publication_of(session, act_id)
    return last if last is not None and last.withdrawn is None else None


def _form(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    found: Whole,
    author: Mapping[str, str],
    roles: Sequence[str],
    *,
    status: int = 200,
    trouble: str = "",
) -> HTMLResponse:
    dossier = found.seen.dossier
    with platform.database.reading(PLATFORM) as session:
        files = publishing.publishable(session, dossier)
    shown = {
        "dossier": dossier,
        "act": found.act,
        "obstacle": publishing.obstacle(platform, dossier),
        "author": author,
        "files": files,
        "chosen": roles,
        "trouble": trouble,
    }
    return render(request, "web/acts/publish.html", visitor=visitor, status=status, **shown)


def _withdrawal(
    request: Request,
    visitor: Visitor,
    found: Whole,
    online: ActesPublication,
    *,
    status: int = 200,
    trouble: str = "",
    reason: str = "",
) -> HTMLResponse:
    since = clock.in_paris(online.published).date()
    until = months_later(since, _KEPT_MONTHS)
    shown = {
        "dossier": found.seen.dossier,
        "act": found.act,
        "last": online,
        "until": until if clock.in_paris(clock.now()).date() < until else None,
        "trouble": trouble,
        "reason": reason,
    }
    return render(request, "web/acts/withdraw.html", visitor=visitor, status=status, **shown)
