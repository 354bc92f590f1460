"""The trays: one sentence, the others at hand with how much lies in them, and the list, page by page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api import cursors
from api.web.pages import render
from api.web.trays import outcomes
from api.web.trays.listing import Listing
from api.web.trays.rows import rows, sentence
from api.web.visitor import Parts, SignedIn, over_https
from api.words import number
from core.messages import Catalogue
from flows.engine import reading
from signing.parapheur import trays, typology
from signing.parapheur.desks import Around, around
from signing.parapheur.models import Desk, StepKind
from signing.parapheur.trays import Place, Tray, Wanted

router = APIRouter()
messages = Catalogue("api.web.trays")
_A_PAGE = 25
_AS_CURSOR = Annotated[str, Query(max_length=200)]
_TO_ACT = (Tray.TO_DO, Tray.LATE, Tray.DELEGATED, Tray.UPCOMING, Tray.RETRIEVABLE)
_SENT = (Tray.SENT, Tray.REJECTED, Tray.FINISHED, Tray.DRAFTS, Tray.TRASH)
GESTURES = {
    Tray.TO_DO: ("signer", "viser", "rejeter"),
    Tray.LATE: ("signer", "viser", "rejeter"),
    Tray.DELEGATED: ("signer", "viser", "rejeter"),
    Tray.RETRIEVABLE: ("recuperer",),
    Tray.FINISHED: ("corbeille",),
    Tray.REJECTED: ("effacer",),
    Tray.DRAFTS: ("demarrer", "effacer"),
    Tray.TRASH: ("effacer",),
}


@dataclass(frozen=True, slots=True)
class Pill:
    """A tray beside the list: its name, how much lies there in words, empty for nothing."""

    tray: Tray
    address: str
    count: str
    current: bool


def pills(session: Session, desks: Around, listing: Listing) -> list[tuple[str, list[Pill]]]:
    """Return the trays in two groups: what one does, what one has sent."""
    only = Wanted(desk_id=listing.wanted.desk_id)
    place, counts = Listing(wanted=only), trays.counts(session, desks, only)
    groups = []
    for name, group in (("act", _TO_ACT), ("sent", _SENT)):
        found = []
        for tray in group:
            counted = counts[tray]
            shown = "" if not counted.number else number(counted.number) + ("" if counted.exact else "+")
            if shown or tray is not Tray.DELEGATED or desks.stands_in:
                found.append(Pill(tray, replace(place, tray=tray).address(), shown, tray is listing.tray))
        groups.append((name, found))
    return groups


def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    apres: _AS_CURSOR = "",
    avant: _AS_CURSOR = "",
    bilan: Annotated[str, Query(max_length=8000)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
    dossier: Annotated[str, Query(max_length=26)] = "",
) -> HTMLResponse:
    """Show a page of a tray; ``fait`` and ``bilan`` say what the visitor has just done."""
    listing = _listing(request)
    with platform.database.reading(visitor.principal) as session:
        desks = around(session, visitor.person_id)
        page = trays.page(session, desks, listing.tray, listing.wanted, _A_PAGE, _place(apres), _place(avant))
        context = {
            "rows": rows(session, desks, listing, page.lines),
            "pills": pills(session, desks, listing),
            "sentence": _sentence(session, desks, listing),
            "done": outcomes.done(session, visitor.principal, fait, dossier),
            **_filters(session, desks),
        }
    answer = render(
        request,
        "web/trays/list.html",
        visitor=visitor,
        listing=listing,
        any_desk=desks.any,
        gestures=GESTURES.get(listing.tray, ()),
        results=outcomes.read(platform, bilan),
        next=listing.address(apres=_cursor(page.after)) if page.after else None,
        previous=listing.address(avant=_cursor(page.before)) if page.before else None,
        **context,
    )
    answer.set_cookie(
        "parapheur_depuis", listing.text, path="/parapheur", secure=over_https(request), httponly=True, samesite="lax"
    )
    return answer


for one in Tray:
    router.add_api_route(f"/parapheur/{one.value}", listed, methods=["GET"], name=f"tray_{one.name.lower()}")
router.add_api_route("/parapheur", listed, methods=["GET"], name="parapheur")


@router.get("/parapheur/compteurs")
def counters(
    request: Request, platform: Parts, visitor: SignedIn, ici: Annotated[str, Query(max_length=400)] = ""
) -> HTMLResponse:
    """Return the trays with how much lies in them now; ``ici`` is the list on the page that asks."""
    listing = Listing.read(ici) or Listing()
    with platform.database.reading(visitor.principal) as session:
        found = pills(session, around(session, visitor.person_id), listing)
    return render(request, "web/trays/pills.html", visitor=visitor, pills=found, listing=listing)


def _listing(request: Request) -> Listing:
    name = request.url.path.rpartition("/")[2]
    return Listing.of(Tray(name) if name in set(Tray) else Tray.TO_DO, dict(request.query_params))


def _sentence(session: Session, desks: Around, listing: Listing) -> str:
    """Say what waits for the visitor; of the other trays, what lies in them."""
    if listing.tray is not Tray.TO_DO:
        counted = trays.count(session, desks, listing.tray, listing.wanted)
        if not counted.number:
            return ""
        return messages.counted("count", counted.number, count=number(counted.number) + ("" if counted.exact else "+"))
    own = replace(desks, supervised=())
    kinds = trays.kinds(session, own, Tray.TO_DO, listing.wanted)
    late = trays.count(session, own, Tray.LATE, listing.wanted).number if kinds else 0
    told = sentence(kinds, late, more=sum(kinds.values()) >= trays.COUNTED_UP_TO)
    looked_at = sum(trays.kinds(session, replace(desks, held=()), Tray.TO_DO, listing.wanted).values()) if desks.supervised else 0
    if looked_at:
        told += " " + messages.counted("sentence.supervised", looked_at, count=number(looked_at))
    return told


def _filters(session: Session, desks: Around) -> dict[str, Any]:
    """Return what may narrow a list: the visitor's desks, and the kinds of folder where these are."""
    own = {*desks.held, *desks.supervised, *(one.desk_id for one in desks.stands_in)}
    found = session.exec(select(Desk).where(col(Desk.id).in_(own)).order_by(Desk.name)).all() if own else []
    organisations = dict.fromkeys(desk.organisation_id for desk in found)
    return {
        "own_desks": [(desk.id, desk.name) for desk in found],
        "kinds_of_folder": [kind for organisation in organisations for kind in typology.kinds(session, organisation)],
        "asked": tuple(StepKind),
    }


def _place(cursor: str) -> Place | None:
    found = cursors.read(cursor)
    return Place(found.created, found.id) if found else None


def _cursor(place: Place) -> str | None:
    return cursors.written(reading.Place(place.since, place.id))
