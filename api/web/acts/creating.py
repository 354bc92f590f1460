"""“Déposer un acte”: everything that is wrong is said at once, beside its field, and nothing that was typed or sent is lost.

Without a script each button sends the whole form; with it, files come in pieces, the number is looked at while it is typed, and
matières are searched (``acts.js``).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.tenants import organisation_named, where
from api.web.acts import pieces as papers
from api.web.acts.form import Filled, Typed, Unfit, judge, read, require_fit, values_of
from api.web.acts.known import Known, known_of
from api.web.acts.number import Standing, number_standing
from api.web.acts.pieces import Attached
from api.web.pages import render
from api.web.rows import button
from api.web.visitor import Parts, SignedIn, Visitor
from api.words import of_page
from core import clock, uploads
from core.blobs import TooLarge
from core.errors import Conflict, NeedsOperator, NotFound, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.actes.act import Act
from flows.actes.intake import Submission, submit
from flows.engine import reading
from flows.engine.intake import Received
from flows.engine.models import Dossier
from schemas.actes.archive import DEFAULT_LIMITS
from schemas.actes.contents import LONGEST_SUBJECT

router = APIRouter()
PATH = "/actes/nouveau"
LARGEST = DEFAULT_LIMITS.documents
_PAGE, _PIECES = "web/acts/new.html", "web/acts/pieces.html"
_t = Catalogue("api.web.acts")
_SHEET = re.compile(r"[0-9A-Z]{26}")
_SEND = "send"
_REFUSED = (UsageError, TooLarge, Conflict, NeedsOperator, NotFound)


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
    """Show the form; ``saisie`` names it, so that files that have come are found again, ``depuis`` an act to be mended."""
    if not _SHEET.fullmatch(saisie):
        told = request.url.include_query_params(saisie=new_id())
        return RedirectResponse(f"{told.path}?{told.query}", status_code=303)
    values = _values_of_act(platform, visitor, depuis) if depuis else {"sign": "1"}
    given = {**values, "organisation": organisation or values.get("organisation", ""), "saisie": saisie}
    return _form(request, platform, visitor, {**given, "depuis": depuis if values.get("number") else ""}, FormData(), done=fait)


@router.post(PATH)
def done(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> Response:
    """Do what the button says: send the act, or something to its files; what was typed comes back as it was."""
    values = values_of(filled)
    visitor.check(values.get("csrf"))
    known = _known(platform, visitor, values)
    sheet = _sheet(values)
    trouble: dict[str, str] = {}
    try:
        papers.keep(platform, visitor.principal, known.organisation.id, papers.place_of(sheet), filled)
    except _REFUSED as error:
        trouble["document"] = fault_of(error).detail
    if values.get("do") != _SEND or trouble:
        return _form(request, platform, visitor, values, filled, trouble=trouble)
    if (before := _already(platform, visitor, known, sheet)) is not None:
        return _sent(visitor, before)
    typed, found = _judged(platform, visitor, known, values, filled)
    try:
        received = _submitted(platform, visitor, known, typed, found, sheet) if not typed.problems else None
    except _REFUSED as error:
        fault = fault_of(error)
        anchor = "number" if fault.existing else "document" if isinstance(error, NotFound | TooLarge) else "summary"
        return _form(request, platform, visitor, values, filled, status=fault.status, trouble={anchor: fault.detail})
    if received is None:
        return _form(request, platform, visitor, values, filled, status=400, trouble=typed.problems)
    return _sent(visitor, received.dossier)


@router.post(f"{PATH}/pieces")
def arranged(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> HTMLResponse:
    """Show the files of the form again: one has come or was moved, or the nature has changed."""
    values = values_of(filled)
    visitor.check(values.get("csrf"))
    known = _known(platform, visitor, values)
    typed, found = read(values, known), _pieces(platform, visitor, values, filled)
    return render(request, _PIECES, visitor=visitor, **_of_pieces(known, typed, found, _rank(values, found)), problems={})


@router.post(f"{PATH}/numero")
def looked_at(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> HTMLResponse:
    """Say whether the number can be sent and whether it is taken."""
    values = values_of(filled)
    visitor.check(values.get("csrf"))
    known = _known(platform, visitor, values)
    standing = _standing(platform, known, read(values, known))
    return render(request, "web/acts/number.html", visitor=visitor, standing=standing)


def _standing(platform: Platform, known: Known, typed: Typed) -> Standing:
    return number_standing(platform, known, typed.number, typed.decision_date, typed.nature)


def _known(platform: Platform, visitor: Visitor, values: dict[str, str]) -> Known:
    organisation = organisation_named(platform, visitor.principal, values.get("organisation", ""))
    visitor.principal.require(Right.DEPOSIT, organisation.id)
    return known_of(platform, organisation)


def _sheet(values: dict[str, str]) -> str:
    sheet = values.get("saisie", "")
    return sheet if _SHEET.fullmatch(sheet) else new_id()


def _already(platform: Platform, visitor: Visitor, known: Known, sheet: str) -> Dossier | None:
    """Return the act that the same form has made already."""
    own = select(Dossier).where(Dossier.organisation_id == known.organisation.id, Dossier.idempotency_key == sheet)
    with platform.database.reading(visitor.principal) as session:
        return session.exec(own).first()


def _sent(visitor: Visitor, dossier: Dossier) -> RedirectResponse:
    if visitor.principal.may(Right.READ, dossier.organisation_id):
        return RedirectResponse(f"/actes/{dossier.id}?fait=depot", status_code=303)
    return RedirectResponse(f"{PATH}?fait=depot", status_code=303)


def _judged(
    platform: Platform, visitor: Visitor, known: Known, values: dict[str, str], filled: FormData
) -> tuple[Typed, list[Attached]]:
    typed = read(values, known)
    found = papers.typed(_pieces(platform, visitor, values, filled), known, typed.nature)
    judge(platform, known, typed, found)
    if known.trouble and not known.department:
        typed.wrong("summary", known.trouble)
    return typed, found


def _submitted(
    platform: Platform, visitor: Visitor, known: Known, typed: Typed, found: list[Attached], sheet: str
) -> Received | None:
    """Send the act; None when its files are not what their names say, which is noted beside each."""
    wanted = [one.upload_id for one in found if one.upload_id]
    try:
        with uploads.using(platform, visitor.principal, known.organisation.id, wanted) as used:
            files = papers.joined(found, {one.id: one.sha256 or "" for one in used})
            require_fit(platform, typed, found, files)
            return submit(platform, visitor.principal, _submission(known, typed, files, sheet))
    except Unfit:
        return None


def _submission(known: Known, typed: Typed, files: list[Any], sheet: str) -> Submission:
    if typed.decision_date is None or typed.nature is None:
        raise UsageError(_t("wrong.date"))
    return Submission(
        known.organisation.id,
        typed.number,
        typed.decision_date,
        typed.nature,
        typed.matieres,
        typed.subject,
        files[0],
        files[1:],
        paper=typed.paper,
        sign=typed.sign and known.signs,
        idempotency_key=sheet,
    )


def _pieces(platform: Platform, visitor: Visitor, values: dict[str, str], filled: FormData) -> list[Attached]:
    place, source = papers.place_of(_sheet(values)), values.get("depuis", "")
    found = papers.of_form(platform, visitor.principal, place, filled, source)
    return papers.arranged(platform, visitor.principal, found, button(values.get("do", "")))


def _rank(values: dict[str, str], found: list[Attached]) -> int | None:
    """Return the rank of the file that was moved, where its reader goes on; None when none was."""
    pressed = button(values.get("do", ""))
    step = {"up": -1, "down": 1, "main": -pressed.rank}.get(pressed.act)
    return None if step is None or not found else max(0, min(pressed.rank + step, len(found) - 1))


def _of_pieces(known: Known, typed: Typed, found: list[Attached], moved: int | None) -> dict[str, Any]:
    return {
        "pieces": papers.typed(found, known, typed.nature),
        "types": known.types(typed.nature),
        "nature": typed.nature,
        "total": papers.total(found),
        "most": papers.MOST,
        "moved": moved,
        "act": True,
    }


def _values_of_act(platform: Platform, visitor: Visitor, dossier_id: str) -> dict[str, str]:
    """Return an act as its form had it; nothing when the visitor does not read it."""
    try:
        with reading.opened(platform.database, visitor.principal) as session:
            dossier = reading.seen(session, dossier_id).dossier
    except NotFound:
        return {"sign": "1"}
    if "act" not in dossier.facts:
        return {"sign": "1"}
    act = Act.from_facts(dossier.facts)
    return {
        "organisation": dossier.organisation_id,
        "number": act.number,
        "decision_date": act.decision_date.isoformat(),
        "nature": str(act.nature),
        "matiere": ".".join(map(str, act.matieres)),
        "subject": act.subject,
        "paper": "1" if act.paper else "",
        "sign": "1" if dossier.facts.get("sign") else "",
    }


def _form(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    values: dict[str, str],
    filled: FormData,
    *,
    status: int = 200,
    trouble: dict[str, str] | None = None,
    done: str = "",
) -> HTMLResponse:
    organisations = where(platform, visitor.principal, Right.DEPOSIT)
    here = next((one for one in organisations if one.id == values.get("organisation")), None) or organisations[0]
    known = known_of(platform, here)
    typed, found = read(values, known), _pieces(platform, visitor, values, filled)
    problems = trouble or {}
    shown: dict[str, Any] = {
        "organisations": organisations,
        "here": here,
        "known": known,
        "typed": typed,
        "problems": problems,
        "standing": _standing(platform, known, typed) if typed.number and "number" not in problems else None,
        "sheet": _sheet(values),
        "source": values.get("depuis", ""),
        "today": clock.in_paris(clock.now()).date(),
        "longest": LONGEST_SUBJECT,
        "limit": platform.settings.upload_limit,
        "done": done,
        "may_administer": visitor.principal.may(Right.ADMINISTER, here.id),
        "deposit_words": _DEPOSIT_WORDS,
    }
    return render(
        request, _PAGE, visitor=visitor, status=status, **shown, **_of_pieces(known, typed, found, _rank(values, found))
    )


_DEPOSIT_WORDS = of_page("web/deposit/upload.html")
