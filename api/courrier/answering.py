"""The answer of a recipient: a text and files, in one form, read forward and looked at one file after the other."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.courrier.reading import READING, shown
from api.courrier.visitor import ROOT, Visiting, check, circumstances, onwards
from api.multipart import Multipart
from api.problems import fault_of
from api.uploads import Body, Uploads
from api.web.visitor import Parts
from core.blobs import TooLarge
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.engine.work import KeptFile
from flows.mail import answering
from flows.mail.answering import LARGEST_FILE, LONGEST_TEXT, MOST_FILES
from flows.mail.opening import Visited

router = APIRouter()
_t = Catalogue("api.courrier")
PATH = ROOT + "/reponse"
LARGEST = 60 * 1024 * 1024
"""Bytes of the whole form."""
_TEXT_BYTES = 4 * LONGEST_TEXT + 4 * 1024
_LONGEST_NAME = 200
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass
class _Form:
    """What was read of the form so far."""

    text: str = ""
    files: list[KeptFile] = field(default_factory=list)


@router.post(PATH)
async def answer(request: Request, platform: Parts, visited: Visiting) -> Response:
    """Take the answer, once."""
    turnstile: Uploads = request.app.state.uploads
    form, kind = _Form(), request.headers.get("content-type", "")
    about = circumstances(request)

    def take(body: Body) -> None:
        _read(platform, visited, Multipart(body, kind), form)
        answering.answer(platform, visited.opened, form.text, tuple(form.files), about)

    try:
        await turnstile.run(request, take)
    except (UsageError, TooLarge, Conflict) as error:
        fault = fault_of(error)
        return shown(request, platform, visited, status=fault.status, trouble=fault.detail, trouble_of="answer", text=form.text)
    return onwards(f"{READING}?fait=reponse")


def _read(platform: Platform, visited: Visited, parts: Multipart, form: _Form) -> None:
    """Read the form to its end: the token first, so that nothing is kept of one that is not ours."""
    trusted = False
    while (part := parts.following()) is not None:
        if part.name == b"csrf":
            check(visited, (parts.whole(_LONGEST_NAME) or b"").decode("utf-8", "replace"))
            trusted = True
        elif not trusted:
            check(visited, None)
        elif part.name == b"text":
            form.text = _words(parts.whole(_TEXT_BYTES))
        elif part.name == b"document" and part.file_name:
            _take(platform, parts, _called(part.file_name), form)
    if not trusted:
        check(visited, None)


def _take(platform: Platform, parts: Multipart, name: str, form: _Form) -> None:
    if len(form.files) == MOST_FILES:
        raise UsageError(_t("answer.many", most=MOST_FILES))
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path, size = Path(folder) / "file", 0
        with path.open("wb") as target:
            while piece := parts.read():
                size += len(piece)
                if size > LARGEST_FILE:
                    raise TooLarge(LARGEST_FILE)
                target.write(piece)
        form.files.append(answering.keep(platform, path, name))


def _words(octets: bytes | None) -> str:
    if octets is None:
        raise UsageError(_t("answer.long", most=LONGEST_TEXT))
    return _NO_TEXT.sub("", octets.decode("utf-8", "replace"))


def _called(name: bytes) -> str:
    """Return a name that every disk takes; the extension stays at its end."""
    plain = _NO_NAME.sub("_", PurePosixPath(name.decode("utf-8", "replace")).name).strip(". ") or "document"
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[: _LONGEST_NAME - 12]}…{plain[-11:]}"
