"""The answer of a recipient: a text and files, in one form, read forward and looked at one file after the other.

Whatever keeps it from being taken is told on a page, with the text that was typed.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.courrier.reading import READING, shown
from api.courrier.visitor import BEFORE, ROOT, check, circumstances, onwards, page, visit
from api.multipart import Multipart
from api.problems import TooSlow, fault_of
from api.uploads import Body, Uploads
from api.web.visitor import Parts
from api.words import size
from core.blobs import TooLarge
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.mail import answering
from flows.mail.answering import LARGEST_FILE, LARGEST_FILES, LONGEST_TEXT, MOST_FILES, Brought
from flows.mail.opening import Visited

router = APIRouter()
_t = Catalogue("api.courrier")
PATH = ROOT + "/reponse"
LARGEST = MOST_FILES * LARGEST_FILE + 1024 * 1024
"""Bytes of the whole form that are read: more than is taken, so that who brings too much is told so on the page."""
_TEXT_BYTES = 4 * LONGEST_TEXT + 4 * 1024
_LONGEST_NAME = 200
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass
class _Form:
    """What was read of the form so far, and how many bytes its files have together."""

    text: str = ""
    files: list[Brought] = field(default_factory=list)
    size: int = 0


@router.post(PATH)
async def answer(request: Request, platform: Parts) -> Response:
    """Take the answer, once."""
    turnstile: Uploads = request.app.state.uploads
    form, kind = _Form(), request.headers.get("content-type", "")
    try:
        visited = await to_thread.run_sync(visit, request, platform)
    except (NotFound, Conflict) as error:
        if BEFORE not in request.cookies:  # nobody whom we gave a page: there is no text of theirs to give back
            raise
        await turnstile.run(request, lambda body: _read_text(Multipart(body, kind), form))
        if not form.text:
            raise
        why = str(error) if isinstance(error, Conflict) else _t("unsent.over")
        return page(request, "unsent.html", status=fault_of(error).status, why=why, text=form.text)
    about = circumstances(request)

    def take(body: Body) -> None:
        answering.require_awaited(visited.opened)
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            try:
                _read(platform, visited, Multipart(body, kind), form, Path(folder))
            except TooSlow:
                raise
            except (UsageError, TooLarge, Forbidden):
                while body.read():  # a browser shows no answer before it has sent its form
                    pass
                raise
            answering.answer(platform, visited.opened, form.text, tuple(form.files), about)

    try:
        await turnstile.run(request, take)
    except (UsageError, TooLarge, Conflict, Forbidden) as error:
        fault = fault_of(error)
        return shown(request, platform, visited, status=fault.status, trouble=fault.detail, trouble_of="answer", text=form.text)
    return onwards(f"{READING}?fait=reponse")


def _read(platform: Platform, visited: Visited, parts: Multipart, form: _Form, folder: Path) -> None:
    """Read the form to its end: the token first, so that no file is taken of one that is not ours."""
    token = None
    while (part := parts.following()) is not None:
        if part.name == b"csrf":
            token = (parts.whole(_LONGEST_NAME) or b"").decode("utf-8", "replace")
        elif part.name == b"text":
            form.text = _words(parts.whole(_TEXT_BYTES))
        elif part.name == b"document" and part.file_name:
            check(visited, token)
            form.files.append(_taken(platform, parts, _called(part.file_name), form, folder))
    check(visited, token)


def _read_text(parts: Multipart, form: _Form) -> None:
    while (part := parts.following()) is not None:
        if part.name == b"text":
            form.text = _words(parts.whole(_TEXT_BYTES))


def _taken(platform: Platform, parts: Multipart, name: str, form: _Form, folder: Path) -> Brought:
    if len(form.files) == MOST_FILES:
        raise UsageError(_t("answer.many", most=MOST_FILES))
    path, octets = folder / str(len(form.files)), 0
    with path.open("wb") as target:
        while piece := parts.read():
            octets += len(piece)
            if octets > LARGEST_FILE:
                raise TooLarge(LARGEST_FILE)
            target.write(piece)
    form.size += octets
    if form.size > LARGEST_FILES:
        raise UsageError(_t("answer.large", largest=size(LARGEST_FILES)))
    return answering.look(platform, path, name)


def _words(octets: bytes | None) -> str:
    if octets is None:
        raise UsageError(_t("answer.long", most=LONGEST_TEXT))
    return _NO_TEXT.sub("", octets.decode("utf-8", "replace"))


def _called(name: bytes) -> str:
    """Return a name that every disk takes; the extension stays at its end."""
    plain = _NO_NAME.sub("_", PurePosixPath(name.decode("utf-8", "replace")).name).strip(". ") or "document"
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[: _LONGEST_NAME - 12]}…{plain[-11:]}"
