"""“Déposer un lot d’actes”: many files at once, what they share told once, a number and an object for each; each becomes one act.

Nothing leaves while a number, an object or what is shared is wrong. Then each act leaves by itself: one whose file cannot be sent
stays on the page with the reason, and holds up no other. To open a hundred PDFs takes longer than a browser waits: it is left to
the check of each act, whose outcome the page of the batch shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import col, select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts.drafts import remember, resumed
from api.web.acts.form import Filled, Typed, judge, read
from api.web.acts.lines import Line, judge_lines, lines_of, numbered
from api.web.acts.sheet import NAME, REFUSED, SAVE, SEND, ActSheet, known_by, sheet_sent
from api.web.acts.standing import colour
from api.web.acts.submitting import submitted
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from core import uploads
from core.blobs import TooLarge
from core.errors import NeedsOperator, NotFound, Unavailable, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.principal import Right
from flows.actes import drafts
from flows.actes.drafts import DraftKind
from flows.engine.models import DepositKey, Dossier
from schemas.actes.archive import DEFAULT_LIMITS

router = APIRouter()
PATH = "/actes/lot"
LINES = f"{PATH}/lignes"
LARGEST = DEFAULT_LIMITS.documents
LARGEST_LINES = 1 << 20
_PAGE = "web/acts/batch.html"
_SHARED = ("decision_date", "nature", "matiere")
_t = Catalogue("api.web.acts")


@router.get(PATH)
def ask(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    organisation: Annotated[str, Query(max_length=26)] = "",
    saisie: Annotated[str, Query(max_length=26)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show the form, or what became of it; ``saisie`` names it."""
    if not NAME.fullmatch(saisie):
        told = request.url.include_query_params(saisie=new_id())
        return RedirectResponse(f"{told.path}?{told.query}", status_code=303)
    values, filled = resumed(platform, visitor.principal, saisie, DraftKind.BATCH) or ({"sign": "1"}, FormData())
    known = known_by(platform, visitor.principal, organisation or values.get("organisation", ""))
    sheet = ActSheet(platform, visitor, known, saisie, values, filled)
    return _form(request, sheet, lines_of(sheet), done=fait)


@router.post(PATH)
def done(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> Response:
    """Send the acts, keep the form, number its lines, or take one out; what was typed comes back as it was."""
    sheet = sheet_sent(platform, visitor, filled)
    trouble = sheet.keep_files()
    if sheet.pressed.act == "number" and not trouble:
        sheet, trouble = _numbered(sheet)
    lines = lines_of(sheet)
    if sheet.deed != SEND or sheet.moved or trouble:
        return _kept(request, sheet, lines, trouble)
    if not lines and _made(sheet):
        return _gone(sheet)
    trouble = _judged(sheet, lines)
    if trouble or any(line.problems for line in lines):
        return _kept(request, sheet, lines, trouble, 400)
    trouble = _send(sheet, lines)
    left = [line for line in lines if not line.sent]
    return _kept(request, sheet, left, trouble, 409) if left else _gone(sheet)


@router.post(LINES)
def arranged(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> HTMLResponse:
    """Show the lines again: a file has come or was taken out, or they were numbered."""
    sheet = sheet_sent(platform, visitor, filled)
    trouble: dict[str, str] = {}
    if sheet.pressed.act == "number":
        sheet, trouble = _numbered(sheet)
    lines = lines_of(sheet)
    _remember(sheet, lines)
    return render(request, "web/acts/lines.html", visitor=visitor, **_of_lines(sheet, lines), problems=trouble)


def _numbered(sheet: ActSheet) -> tuple[ActSheet, dict[str, str]]:
    """Return the form with a number in each line, counted from the first one."""
    lines = lines_of(sheet)
    try:
        numbers = numbered(sheet.values.get("first_number", ""), len(lines))
    except UsageError as error:
        return sheet, {"first_number": str(error)}
    return sheet.with_values({f"number.{line.key}": number for line, number in zip(lines, numbers, strict=True)}), {}


def _judged(sheet: ActSheet, lines: Sequence[Line]) -> dict[str, str]:
    """Judge what is shared, then each line; return what is wrong with what is shared."""
    shared = read(sheet.values, sheet.known)
    judge(sheet.platform, sheet.known, shared, [])
    trouble = {anchor: shared.problems[anchor] for anchor in _SHARED if anchor in shared.problems}
    if not lines:
        trouble["document"] = _t("wrong.batch.none")
    if sheet.known.trouble and not sheet.known.department:
        trouble["summary"] = sheet.known.trouble
    judge_lines(sheet, lines, _SHARED)
    return trouble


def _send(sheet: ActSheet, lines: Sequence[Line]) -> dict[str, str]:
    """Send act after act; return what stopped them all, when something did."""
    for line in lines:
        try:
            line.sent = submitted(sheet, line.typed, line.files, f"{sheet.id}.{line.key}", opens=False) is not None
        except (Unavailable, NeedsOperator) as error:
            return {"summary": fault_of(error).detail}
        except REFUSED as error:
            fault = fault_of(error)
            elsewhere = isinstance(error, NotFound | TooLarge) or not fault.existing
            line.typed.wrong(line.piece.anchor if elsewhere else "number", fault.detail)
    return {}


def _made(sheet: ActSheet) -> list[Dossier]:
    """Return the acts that this form has made, in the order in which they left."""
    keys = select(DepositKey.dossier_id).where(
        DepositKey.organisation_id == sheet.known.organisation.id, col(DepositKey.key).startswith(f"{sheet.id}.")
    )
    own = select(Dossier).where(col(Dossier.id).in_(keys))
    with sheet.platform.database.reading(sheet.visitor.principal) as session:
        return list(session.exec(own.order_by(col(Dossier.created), col(Dossier.id))))


def _gone(sheet: ActSheet) -> RedirectResponse:
    drafts.forget(sheet.platform, sheet.visitor.principal, sheet.id)
    return RedirectResponse(f"{PATH}?saisie={sheet.id}&organisation={sheet.known.organisation.id}", status_code=303)


def _remember(sheet: ActSheet, lines: Sequence[Line]) -> str:
    files = [file for line in lines for file in line.files]
    title = _t("batch.draft", count=len(lines), name=lines[0].piece.name) if lines else ""
    return remember(sheet, DraftKind.BATCH, title, files)


def _kept(request: Request, sheet: ActSheet, lines: Sequence[Line], trouble: dict[str, str], status: int = 200) -> Response:
    """Keep what was typed as a draft, and show it again."""
    unkept = _remember(sheet, lines)
    if sheet.deed == SAVE and not (trouble or unkept):
        return RedirectResponse(f"{PATH}?saisie={sheet.id}&fait=brouillon", status_code=303)
    return _form(request, sheet, lines, status=status, trouble=trouble, unkept=unkept)


def _of_lines(sheet: ActSheet, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "lines": lines,
        "total": sum(line.piece.size for line in lines),
        "first_number": sheet.values.get("first_number", ""),
    }


def _form(
    request: Request,
    sheet: ActSheet,
    lines: Sequence[Line],
    *,
    status: int = 200,
    trouble: dict[str, str] | None = None,
    unkept: str = "",
    done: str = "",
) -> HTMLResponse:
    typed: Typed = read(sheet.values, sheet.known)
    made = _made(sheet)
    shown: dict[str, Any] = {
        **sheet.context(typed, trouble or {}),
        **_of_lines(sheet, lines),
        "made": [(one, colour(one)) for one in made],
        "reads": sheet.visitor.principal.may(Right.READ, sheet.known.organisation.id),
        "over": bool(made) and not lines,
        "faulty": [line for line in lines if line.problems],
        "unkept": unkept,
        "most": uploads.MOST,
        "done": done,
    }
    return render(request, _PAGE, visitor=sheet.visitor, status=status, **shown)
