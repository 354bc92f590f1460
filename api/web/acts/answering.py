"""Answering a letter of the préfecture, and asking it to cancel a transmission: each behind a page that says what it means."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts import pieces as papers
from api.web.acts.form import Filled, Typed, Unfit, judge_reply, require_fit, values_of
from api.web.acts.known import Known, known_of
from api.web.acts.page import Identifier
from api.web.acts.pieces import Attached
from api.web.acts.telling import Telling, Told, tell
from api.web.pages import render
from api.web.rows import button
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from api.words import of_page
from core import uploads
from core.blobs import TooLarge
from core.errors import Conflict, NeedsOperator, NotFound, Unavailable, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.actes import following
from flows.actes.following import ANSWERS, Reply
from schemas.actes.codes import MessageCode

router = APIRouter()
_ACT = "/actes/{act_id}"
REPLY = _ACT + "/courriers/{message_id}/reponse"
_t = Catalogue("api.web.acts")
_SHEET = re.compile(r"[0-9A-Z]{26}")
_SEND = "send"
_REFUSED = (UsageError, TooLarge, Conflict, NeedsOperator, Unavailable)
Message = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]


@router.get(REPLY)
def ask(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    act_id: Identifier,
    message_id: Message,
    saisie: Annotated[str, Query(max_length=26)] = "",
) -> Response:
    """Show what the letter says, and how it can be answered."""
    if not _SHEET.fullmatch(saisie):
        return RedirectResponse(f"/actes/{act_id}/courriers/{message_id}/reponse?saisie={new_id()}", status_code=303)
    telling, letter = _letter(platform, visitor, act_id, message_id)
    return _form(request, platform, visitor, telling, letter, {"saisie": saisie}, FormData())


@router.post(REPLY)
def answered(
    request: Request, platform: Parts, visitor: SignedIn, filled: Filled, act_id: Identifier, message_id: Message
) -> Response:
    """Send the answer, or do something to its documents."""
    values = values_of(filled)
    visitor.check(values.get("csrf"))
    telling, letter = _letter(platform, visitor, act_id, message_id)
    owner = telling.seen.dossier.organisation_id
    trouble: dict[str, str] = {}
    try:
        papers.keep(platform, visitor.principal, owner, papers.place_of(_sheet(values)), filled)
    except _REFUSED as error:
        trouble["document"] = fault_of(error).detail
    if values.get("do") != _SEND or trouble:
        return _form(request, platform, visitor, telling, letter, values, filled, trouble=trouble)
    known = known_of(platform, visitor.principal, telling.seen.organisation)
    typed = Typed(nature=telling.act.nature)
    found = papers.typed(_pieces(platform, visitor, values, filled), known, typed.nature)
    code = _code(letter, values.get("code", ""))
    judge_reply(typed, code, found)
    try:
        if not typed.problems and code is not None:
            _replied(platform, visitor, telling, Reply(letter.message.id, code, ()), typed, found)
    except _REFUSED as error:
        fault = fault_of(error)
        return _form(
            request, platform, visitor, telling, letter, values, filled, status=fault.status, trouble={"code": fault.detail}
        )
    if typed.problems:
        return _form(request, platform, visitor, telling, letter, values, filled, status=400, trouble=typed.problems)
    return RedirectResponse(f"/actes/{act_id}?fait=reponse#courriers", status_code=303)


@router.post(REPLY + "/pieces")
def arranged(
    request: Request, platform: Parts, visitor: SignedIn, filled: Filled, act_id: Identifier, message_id: Message
) -> HTMLResponse:
    """Show the documents of the answer again: one has come, or was moved."""
    values = values_of(filled)
    visitor.check(values.get("csrf"))
    telling, _ = _letter(platform, visitor, act_id, message_id)
    known = known_of(platform, visitor.principal, telling.seen.organisation)
    found = _pieces(platform, visitor, values, filled)
    return render(request, "web/acts/pieces.html", visitor=visitor, **_of_pieces(known, telling, found), problems={})


@router.get(_ACT + "/annulation")
def ask_cancellation(request: Request, platform: Parts, visitor: SignedIn, act_id: Identifier) -> Response:
    """Show what a cancellation means and does not mean."""
    telling = tell(platform, visitor, act_id)
    visitor.principal.require(Right.DEPOSIT, telling.seen.dossier.organisation_id)
    if not telling.cancels:
        return RedirectResponse(f"/actes/{act_id}", status_code=303)
    return render(
        request, "web/acts/cancel.html", visitor=visitor, telling=telling, dossier=telling.seen.dossier, act=telling.act
    )


@router.post(_ACT + "/annulation")
def cancelled(platform: Parts, visitor: SignedIn, fields: Fields, act_id: Identifier) -> RedirectResponse:
    """Ask for the cancellation."""
    visitor.check(fields.get("csrf"))
    following.cancel(platform, visitor.principal, act_id)
    return RedirectResponse(f"/actes/{act_id}?fait=annulation", status_code=303)


def _letter(platform: Platform, visitor: Visitor, act_id: str, message_id: str) -> tuple[Telling, Told]:
    """Return a letter that the visitor may answer now.

    Raises:
        NotFound: no such act or letter.
        Forbidden: the visitor may not answer for the organisation.
        Conflict: it was answered, it bears no date, or the act cannot be followed any more.
    """
    telling = tell(platform, visitor, act_id)
    visitor.principal.require(Right.DEPOSIT, telling.seen.dossier.organisation_id)
    letter = next((one for one in telling.messages if one.message.id == message_id and not one.message.outgoing), None)
    if letter is None or MessageCode(letter.message.code) not in ANSWERS:
        raise NotFound(_t("answer.unknown"))
    if not letter.answers:
        raise Conflict(_t("answer.undated" if letter.waits else "answer.done"), act_id)
    return telling, letter


def _sheet(values: dict[str, str]) -> str:
    sheet = values.get("saisie", "")
    return sheet if _SHEET.fullmatch(sheet) else new_id()


def _pieces(platform: Platform, visitor: Visitor, values: dict[str, str], filled: FormData) -> list[Attached]:
    found = papers.of_form(platform, visitor.principal, papers.place_of(_sheet(values)), filled)
    return papers.arranged(platform, visitor.principal, found, button(values.get("do", "")))


def _code(letter: Told, told: str) -> MessageCode | None:
    if len(letter.answers) == 1:
        return letter.answers[0]
    return next((code for code in letter.answers if code.value == told), None)


def _replied(platform: Platform, visitor: Visitor, telling: Telling, reply: Reply, typed: Typed, found: list[Attached]) -> None:
    """Send the answer; what its documents lack is noted beside each, and nothing is sent then."""
    dossier = telling.seen.dossier
    wanted = [one.upload_id for one in found if one.upload_id]
    try:
        with uploads.using(platform, visitor.principal, dossier.organisation_id, wanted) as used:
            files = papers.joined(found, {one.id: one.sha256 or "" for one in used})
            require_fit(platform, typed, found, files)
            following.reply(platform, visitor.principal, dossier.id, Reply(reply.letter_id, reply.code, files))
    except Unfit:
        return


def _of_pieces(known: Known, telling: Telling, found: list[Attached]) -> dict[str, Any]:
    nature = telling.act.nature
    return {
        "pieces": papers.typed(found, known, nature),
        "types": known.types(nature),
        "nature": nature,
        "total": papers.total(found),
        "most": papers.MOST,
        "moved": None,
        "act": False,
    }


def _form(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    telling: Telling,
    letter: Told,
    values: dict[str, str],
    filled: FormData,
    *,
    status: int = 200,
    trouble: dict[str, str] | None = None,
) -> HTMLResponse:
    known, found = known_of(platform, visitor.principal, telling.seen.organisation), _pieces(platform, visitor, values, filled)
    shown: dict[str, Any] = {
        "telling": telling,
        "dossier": telling.seen.dossier,
        "of": telling.act,
        "letter": letter,
        "code": values.get("code", ""),
        "sheet": _sheet(values),
        "problems": trouble or {},
        "limit": platform.settings.upload_limit,
        "deposit_words": _DEPOSIT_WORDS,
    }
    return render(request, "web/acts/answer.html", visitor=visitor, status=status, **shown, **_of_pieces(known, telling, found))


_DEPOSIT_WORDS = of_page("web/deposit/upload.html")
