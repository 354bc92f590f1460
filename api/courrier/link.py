"""The page of a link: it says who wrote and what withdrawing means, and changes nothing until somebody presses a button."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.courrier.visitor import BEFORE, COOKIE, ROOT, bear, circumstances, in_turn, is_ours, onwards, page, token_before
from api.problems import fault_of
from api.web.visitor import Fields, Parts
from api.words import day
from core import clock, passwords
from core.errors import Conflict, Forbidden, NotFound, Unauthenticated, UsageError
from core.lockout import Locked
from core.messages import Catalogue
from core.platform import Platform
from flows.mail import door, opening, sightings
from flows.mail.door import Given
from flows.mail.opening import Deed, Opened

router = APIRouter()
_t = Catalogue("api.courrier")
LINK = ROOT + "/{token}"
_METHODS = ["GET", "HEAD"]
_LONGEST = 300
_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an act was not done, said on the page that asked for it."""

    words: str
    status: int
    wait: int = 0


@router.get(ROOT + "/merci")
def thanks(request: Request) -> HTMLResponse:
    """Say that the sender will know that it was for somebody else."""
    return page(request, "thanks.html")


@router.api_route(LINK, methods=_METHODS)
def ask(request: Request, platform: Parts, token: str) -> HTMLResponse:
    """Show the page; that something asked for it is an indication, and no more."""
    opened = _behind(platform, token)
    if not (opened.taken or opened.cancelled or opened.refused):
        sightings.look(platform, opened.notice, circumstances(request))
    return _shown(request, opened, token)


@router.post(LINK)
async def withdraw(request: Request, platform: Parts, token: str, fields: Fields) -> Response:
    """Withdraw the documents, and go on to an address that bears no secret."""
    opened = await in_turn(request, partial(_or_as_long, platform, token, fields))
    if not is_ours(request, fields):
        return _shown(request, opened, token, Trouble(_t("stale"), 403))
    said = _t("again.statement") if opened.taken else _statement()
    awaited = not (opened.taken or opened.cancelled or opened.refused)
    if awaited and fields.get("statement") != said:  # it names a day: what is proved is what was read
        return _shown(request, opened, token, Trouble(_t("withdraw.changed"), 409), name=fields.get("name", "")[:_LONGEST])
    deed = _deed(request, fields, said)
    try:
        cookie = await in_turn(request, partial(opening.withdraw, platform, token, deed))
    except Conflict:  # cancelled or refused meanwhile: the page says so
        return onwards(f"{ROOT}/{token}")
    except (Locked, Unauthenticated, Forbidden, UsageError) as error:
        fresh = await to_thread.run_sync(_behind, platform, token)
        return _shown(request, fresh, token, _trouble(error), name=deed.name)
    answer = onwards(f"{ROOT}/lecture")
    bear(request, answer, COOKIE, cookie)
    return answer


@router.post(LINK + "/code")
async def code(request: Request, platform: Parts, token: str, fields: Fields) -> Response:
    """Have a code sent, and show the page that takes it."""
    opened = await to_thread.run_sync(_behind, platform, token)
    if not is_ours(request, fields):
        return _shown(request, opened, token, Trouble(_t("stale"), 403))
    if opened.cancelled or opened.refused or not door.asks_code(opened.kind):
        return onwards(f"{ROOT}/{token}")
    try:
        await in_turn(request, partial(door.send_code, platform, opened.recipient.id))
    except (UsageError, Conflict, Forbidden) as error:
        return _shown(request, opened, token, _trouble(error))
    return onwards(f"{ROOT}/{token}")


@router.api_route(LINK + "/refus", methods=_METHODS)
def ask_refusal(request: Request, platform: Parts, token: str) -> Response:
    """Show what refusing means."""
    opened = _behind(platform, token)
    return _shown(request, opened, token, template="refuse.html") if _may_refuse(opened) else onwards(f"{ROOT}/{token}")


@router.post(LINK + "/refus")
async def refuse(request: Request, platform: Parts, token: str, fields: Fields) -> Response:
    """Refuse the documents."""
    opened = await in_turn(request, partial(_or_as_long, platform, token, fields))
    shown = partial(_shown, request, template="refuse.html", reason=fields.get("reason", "")[:_LONGEST_REASON])
    if not is_ours(request, fields):
        return shown(opened, token, Trouble(_t("stale"), 403))
    try:
        await in_turn(request, partial(opening.refuse, platform, token, _deed(request, fields, _t("refuse.statement"))))
    except Conflict:
        return onwards(f"{ROOT}/{token}")
    except (Locked, Unauthenticated, Forbidden, UsageError) as error:
        return shown(await to_thread.run_sync(_behind, platform, token), token, _trouble(error))
    return onwards(f"{ROOT}/{token}")


@router.api_route(LINK + "/erreur", methods=_METHODS)
def ask_whose(request: Request, platform: Parts, token: str) -> Response:
    """Show what it means to say that the link is for somebody else."""
    opened = _behind(platform, token)
    may = not (opened.taken or opened.cancelled or opened.refused)
    return _shown(request, opened, token, template="not_me.html") if may else onwards(f"{ROOT}/{token}")


@router.post(LINK + "/erreur")
def not_me(request: Request, platform: Parts, token: str, fields: Fields) -> Response:
    """Note that the link reached somebody else, who gets nothing."""
    opened = _behind(platform, token)
    if not is_ours(request, fields):
        return _shown(request, opened, token, Trouble(_t("stale"), 403), template="not_me.html")
    try:
        opening.not_me(platform, token, _deed(request, fields, _t("not_me.statement")))
    except Conflict:
        return onwards(f"{ROOT}/{token}")
    return onwards(f"{ROOT}/merci")


def _behind(platform: Platform, token: str) -> Opened:
    found = opening.behind(platform, token)
    if found is None:
        raise NotFound(_t("nowhere.title"))
    return found


def _or_as_long(platform: Platform, token: str, fields: dict[str, str]) -> Opened:
    """Return what a link leads to; one that leads to nothing takes as long to refuse as a wrong password."""
    found = opening.behind(platform, token)
    if found is None:
        if "password" in fields:
            passwords.matches(None, fields["password"][:_LONGEST])
        raise NotFound(_t("nowhere.title"))
    return found


def _may_refuse(opened: Opened) -> bool:
    return not (opened.taken or opened.cancelled or opened.refused or opened.late)


def _statement() -> str:
    return _t("withdraw.statement", day=day(clock.in_paris(clock.now()).date()))


def _deed(request: Request, fields: dict[str, str], statement: str) -> Deed:
    return Deed(
        Given(fields.get("password", "")[:_LONGEST], fields.get("code", "")[:_LONGEST]),
        circumstances(request),
        statement,
        name=fields.get("name", "")[:_LONGEST],
        reason=fields.get("reason", "")[:_LONGEST_REASON],
    )


def _trouble(error: Exception) -> Trouble:
    if isinstance(error, Locked):
        seconds = int(error.wait.total_seconds()) + 1
        return Trouble(_t("locked", minutes=-(-seconds // 60)), 429, seconds)
    return Trouble(str(error), fault_of(error).status)


def _shown(
    request: Request, opened: Opened, token: str, trouble: Trouble | None = None, *, template: str = "link.html", **typed: Any
) -> HTMLResponse:
    csrf = token_before(request)
    recipient = opened.recipient
    shown = page(
        request,
        template,
        status=trouble.status if trouble else 200,
        opened=opened,
        here=f"{ROOT}/{token}",
        csrf=csrf,
        trouble=trouble,
        statement=_statement(),
        may_refuse=_may_refuse(opened),
        blocked=door.is_blocked(recipient),
        code_asked=door.asks_code(opened.kind),
        code_sent=door.awaits_code(recipient),
        address=_hidden(recipient.address),
        **{"name": "", "reason": "", **typed},
    )
    if trouble and trouble.wait:
        shown.headers["Retry-After"] = str(trouble.wait)
    bear(request, shown, BEFORE, csrf)
    return shown


def _hidden(address: str) -> str:
    """Return an address so that its owner knows it, and others do not."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"
