"""“Déposer un acte”: everything that is wrong is said at once, beside its field, and nothing that was typed or sent is lost.

Without a script each button sends the whole form; with it, files come in pieces, the number is looked at while it is typed, and
matières and earlier acts are searched (``acts.js``). What was typed is kept as a draft whenever it reaches the server.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts import pieces as papers
from api.web.acts.drafts import remember, resumed
from api.web.acts.form import Filled, Typed, judge, read
from api.web.acts.number import Standing, number_standing
from api.web.acts.pieces import Attached
from api.web.acts.preceding import suggested
from api.web.acts.sheet import NAME, REFUSED, SAVE, SEND, ActSheet, known_by, sheet_sent
from api.web.acts.submitting import submitted
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core.blobs import TooLarge
from core.errors import NotFound
from core.identifiers import new_id
from core.platform import Platform
from core.principal import Right
from flows.actes import drafts
from flows.actes.act import Act
from flows.actes.drafts import DraftKind
from flows.engine import reading
from flows.engine.keys import made_with
from flows.engine.models import Dossier
from schemas.actes.archive import DEFAULT_LIMITS
from schemas.actes.contents import LONGEST_SUBJECT

router = APIRouter()
PATH = "/actes/nouveau"
LARGEST = DEFAULT_LIMITS.documents
_PAGE, _PIECES = "web/acts/new.html", "web/acts/pieces.html"
_CHOOSES = "previous:"
_FRESH = {"sign": "1"}


@router.get(PATH)
def ask(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    organisation: Annotated[str, Query(max_length=26)] = "",
    saisie: Annotated[str, Query(max_length=26)] = "",
    depuis: Annotated[str, Query(max_length=26)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show the form; ``saisie`` names it, so that what was typed and sent is found again, ``depuis`` an act to be mended."""
    if not NAME.fullmatch(saisie):
        told = request.url.include_query_params(saisie=new_id())
        return RedirectResponse(f"{told.path}?{told.query}", status_code=303)
    draft = resumed(platform, visitor.principal, saisie, DraftKind.ACT)
    values, filled = draft or (_values_of_act(platform, visitor, depuis) if depuis else _FRESH, FormData())
    if draft is None:
        values = {**values, "depuis": depuis if values.get("number") else ""}
    known = known_by(platform, visitor.principal, organisation or values.get("organisation", ""))
    sheet = ActSheet(platform, visitor, known, saisie, values, filled)
    return _form(request, sheet, sheet.pieces(), done=fait)


@router.post(PATH)
def done(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> Response:
    """Do what the button says: send the act, keep it, or something to its files; what was typed comes back as it was."""
    sheet = sheet_sent(platform, visitor, filled)
    trouble = sheet.keep_files()
    if sheet.deed != SEND or sheet.moved or trouble:
        return _kept(request, sheet, trouble)
    if (before := _already(sheet)) is not None:
        return _sent(sheet, before)
    typed, found = _judged(sheet)
    try:
        received = submitted(sheet, typed, found, sheet.id) if not typed.problems else None
    except REFUSED as error:
        fault = fault_of(error)
        anchor = "number" if fault.existing else "document" if isinstance(error, NotFound | TooLarge) else "summary"
        return _kept(request, sheet, {anchor: fault.detail}, fault.status)
    if received is None:
        return _kept(request, sheet, typed.problems, 400)
    return _sent(sheet, received.dossier)


@router.post(f"{PATH}/pieces")
def arranged(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> HTMLResponse:
    """Show the files of the form again: one has come or was moved, or the nature has changed."""
    sheet = sheet_sent(platform, visitor, filled)
    found = sheet.pieces()
    typed = read(sheet.values, sheet.known)
    remember(sheet, DraftKind.ACT, _title(typed, found), found)
    return render(request, _PIECES, visitor=visitor, **_of_pieces(sheet, typed, found), problems={})


@router.post(f"{PATH}/numero")
def looked_at(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> HTMLResponse:
    """Say whether the number can be sent and whether it is taken."""
    sheet = sheet_sent(platform, visitor, filled)
    standing = _standing(sheet, read(sheet.values, sheet.known))
    return render(request, "web/acts/number.html", visitor=visitor, standing=standing)


@router.post(f"{PATH}/precedent")
def named(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> HTMLResponse:
    """Say which act is meant by what is written, or which ones may be."""
    sheet = sheet_sent(platform, visitor, filled)
    said = suggested(platform, visitor.principal, sheet.known, sheet.values.get("previous", ""))
    return render(request, "web/acts/previous.html", visitor=visitor, before=said, heard=True)


def _standing(sheet: ActSheet, typed: Typed) -> Standing:
    return number_standing(sheet.platform, sheet.known, typed.number, typed.decision_date, typed.nature)


def _already(sheet: ActSheet) -> Dossier | None:
    """Return the act that the same form has made already."""
    own = select(Dossier).where(made_with(sheet.known.organisation.id, sheet.id))
    with sheet.platform.database.reading(sheet.visitor.principal) as session:
        return session.exec(own).first()


def _sent(sheet: ActSheet, dossier: Dossier) -> RedirectResponse:
    drafts.forget(sheet.platform, sheet.visitor.principal, sheet.id)
    if sheet.visitor.principal.may(Right.READ, dossier.organisation_id):
        return RedirectResponse(f"/actes/{dossier.id}?fait=depot", status_code=303)
    return RedirectResponse(f"{PATH}?fait=depot", status_code=303)


def _judged(sheet: ActSheet) -> tuple[Typed, list[Attached]]:
    typed = read(sheet.values, sheet.known)
    found = papers.typed(sheet.pieces(), sheet.known, typed.nature, annexed=True)
    judge(sheet.platform, sheet.known, typed, found)
    if sheet.known.trouble and not sheet.known.department:
        typed.wrong("summary", sheet.known.trouble)
    return typed, found


def _rank(sheet: ActSheet, found: list[Attached]) -> int | None:
    """Return the rank of the file that was moved, where its reader goes on; None when none was."""
    pressed = sheet.pressed
    step = {"up": -1, "down": 1, "main": -pressed.rank}.get(pressed.act)
    return None if step is None or not found else max(0, min(pressed.rank + step, len(found) - 1))


def _of_pieces(sheet: ActSheet, typed: Typed, found: list[Attached]) -> dict[str, Any]:
    return {
        "pieces": papers.typed(found, sheet.known, typed.nature, annexed=True),
        "types": sheet.known.types(typed.nature),
        "nature": typed.nature,
        "total": papers.total(found),
        "most": papers.MOST,
        "moved": _rank(sheet, found),
        "act": True,
    }


def _values_of_act(platform: Platform, visitor: Visitor, dossier_id: str) -> dict[str, str]:
    """Return an act as its form had it; nothing when the visitor does not read it."""
    try:
        with reading.opened(platform.database, visitor.principal) as session:
            dossier = reading.seen(session, dossier_id).dossier
    except NotFound:
        return _FRESH
    if "act" not in dossier.facts:
        return _FRESH
    act = Act.from_facts(dossier.facts)
    return {
        "organisation": dossier.organisation_id,
        "number": act.number,
        "decision_date": act.decision_date.isoformat(),
        "nature": str(act.nature),
        "matiere": ".".join(map(str, act.matieres)),
        "subject": act.subject,
        "previous": act.previous or "",
        "paper": "1" if act.paper else "",
        "sign": "1" if dossier.facts.get("sign") else "",
    }


def _title(typed: Typed, found: list[Attached]) -> str:
    """Return what a draft is called; nothing while nothing was written and no file has come."""
    written = " – ".join(one for one in (typed.number, " ".join(typed.subject.split())) if one)
    return written or next((one.name for one in found), "")


def _kept(request: Request, sheet: ActSheet, trouble: dict[str, str], status: int = 200) -> Response:
    """Keep what was typed as a draft, and show it again."""
    if sheet.deed.startswith(_CHOOSES):
        sheet = sheet.with_values({"previous": sheet.deed.removeprefix(_CHOOSES)})
    found, typed = sheet.pieces(), read(sheet.values, sheet.known)
    unkept = remember(sheet, DraftKind.ACT, _title(typed, found), found)
    if sheet.deed == SAVE and not (trouble or unkept):
        return RedirectResponse(f"{PATH}?saisie={sheet.id}&fait=brouillon", status_code=303)
    return _form(request, sheet, found, status=status, trouble=trouble, unkept=unkept)


def _form(
    request: Request,
    sheet: ActSheet,
    found: list[Attached],
    *,
    status: int = 200,
    trouble: dict[str, str] | None = None,
    unkept: str = "",
    done: str = "",
) -> HTMLResponse:
    typed, problems = read(sheet.values, sheet.known), trouble or {}
    shown: dict[str, Any] = {
        **sheet.context(typed, problems),
        "standing": _standing(sheet, typed) if typed.number and "number" not in problems else None,
        "before": suggested(sheet.platform, sheet.visitor.principal, sheet.known, typed.previous),
        "chosen": sheet.deed.startswith(_CHOOSES),
        "unkept": unkept,
        "source": sheet.source,
        "longest": LONGEST_SUBJECT,
        "done": done,
    }
    return render(request, _PAGE, visitor=sheet.visitor, status=status, **shown, **_of_pieces(sheet, typed, found))
