"""The interface over HTTP: addresses of the second generation, then the names in ``.php`` of the first, and its refusals."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar

import structlog
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.pastell import operations, words
from api.pastell.calls import Call, Refusal, as_json, refusal
from api.pastell.faults import METHODS, ROOT, TOLD_APART, V2
from api.problems import fault_of
from api.s2low.door import Account, account_behind
from api.uploads import Body, Uploads, known
from api.web.visitor import Parts
from core.blobs import Readable
from core.errors import Forbidden, Misconfigured, TabellionError, Unavailable
from core.messages import speaking
from core.platform import Platform

router = APIRouter(include_in_schema=False)
_log = structlog.get_logger()
_ENTITY, _DOCUMENT = f"{V2}/entite/{{id_e}}", f"{V2}/entite/{{id_e}}/document/{{id_d}}"
_FILE = f"{_DOCUMENT}/file/{{field}}"
_BASIC = {"WWW-Authenticate": 'Basic realm="API Pastell"'}
_OTHERS = {"cross-site", "same-site"}
_SMALL = 64 * 1024
_OURS, _NOBODY, _TOO_LARGE, _CREATED = 500, 401, 413, 201

Operation = Callable[..., Any]
Found = TypeVar("Found")

LARGE = (
    *(path.format(id_e="{id}", id_d="{id}", field=words.FILES, num="{id}") for path in (_FILE, f"{_FILE}/{{num}}")),
    f"{ROOT}/modif-document.php",
    f"{ROOT}/send-file.php",
)
"""Paths that take files, as the gate writes them."""


def _answered(operation: Operation, method: str) -> Callable[..., Any]:
    async def answered(request: Request, platform: Parts) -> Response:
        named = dict(request.path_params)
        status = _CREATED if method == "POST" else 200

        def answer(account: Account, source: Readable | None) -> Response:
            return _answer(request, lambda: _given(operation(_call(request, platform, account, source), **named), status))

        return await _run(request, platform, answer, sends=method in {"POST", "PATCH"})

    return answered


def _old(name: str) -> Callable[..., Any]:
    operation, needed = OLD_NAMES[name]

    async def answered(request: Request, platform: Parts) -> Response:
        def done(account: Account, source: Readable | None) -> Response:
            call = _call(request, platform, account, source)
            named = {to: call.value(*names, default=default) for to, (names, default) in needed.items()}
            return _given(operation(call, **named), 200, texts=True)

        def answer(account: Account, source: Readable | None) -> Response:
            return _answer(request, lambda: done(account, source), old=True)

        return await _run(request, platform, answer, sends=request.method != "GET", old=True)

    return answered


async def _run(
    request: Request,
    platform: Platform,
    answer: Callable[[Account, Readable | None], Response],
    *,
    sends: bool,
    old: bool = False,
) -> Response:
    """Answer in a thread, which reads the body as it comes unless it is small; nothing is read of whoever is not let in."""
    account = await to_thread.run_sync(lambda: _answer(request, lambda: _admitted(request, platform), old=old))
    if isinstance(account, Response):
        return account
    if not sends:
        return await to_thread.run_sync(answer, account, None)
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated) <= _SMALL:
        return await to_thread.run_sync(answer, account, BytesIO(await request.body()))
    known(request, account.principal.actor)
    turnstile: Uploads = request.app.state.uploads

    def streamed(body: Body) -> Response:
        return answer(account, body)

    try:
        return await turnstile.run(request, streamed)
    except Unavailable as error:  # its turn did not come
        return refusal(error, 503)


def _admitted(request: Request, platform: Platform) -> Account:
    if request.headers.get("sec-fetch-site") in _OTHERS:
        # A browser that was led here by another site: whoever it speaks for did not ask for this.
        raise Forbidden(words.NO_ACCESS)
    return account_behind(platform, request.headers.get("authorization", ""))


def _call(request: Request, platform: Platform, account: Account, source: Readable | None) -> Call:
    content_type = request.headers.get("content-type", "")
    return Call(platform, account, request.scope["query_string"], None if source is None else lambda: (source, content_type))


def _given(value: Any, status: int, *, texts: bool = False) -> Response:
    return value if isinstance(value, Response) else as_json(value, status, texts=texts)


def _answer(request: Request, answer: Callable[[], Found], *, old: bool = False) -> Found | Response:
    """Return what is found, an answer in the end; whatever fails becomes one, in French whatever language is asked for."""
    with speaking("fr"):
        try:
            return answer()
        except TabellionError as error:
            if isinstance(error, Misconfigured):
                _log.error("pastell.misconfigured", request=request.state.reference, reason=str(error))
            status = _status(error)
            told = words.NO_ACCESS if status == _NOBODY else error if isinstance(error, Refusal) else fault_of(error).detail
            refused = refusal(told, status if not old or status in TOLD_APART else 200, texts=old)
            if status == _NOBODY:
                refused.headers.update(_BASIC)
            return refused
        except Exception as error:  # noqa: BLE001 - a caller is told nothing of our faults; the log has the reference
            _log.exception("pastell.fault", request=request.state.reference, error=type(error).__name__)
            return refusal(f"Une erreur est survenue ({request.state.reference}).", _OURS, texts=old)


def _status(error: TabellionError) -> int:
    if isinstance(error, Refusal):
        return error.status
    status = fault_of(error).status
    return status if status in TOLD_APART | {_TOO_LARGE} else 400


_Values = dict[str, tuple[tuple[str, ...], str]]
_E: _Values = {"id_e": (("id_e",), "")}
_D: _Values = {**_E, "id_d": (("id_d",), "")}
_F: _Values = {**_D, "field": (("field", "field_name"), ""), "num": (("num", "file_number"), "0")}
_T: _Values = {"type": (("type",), "")}
OLD_NAMES: dict[str, tuple[Operation, _Values]] = {
    "version": (operations.version, {}),
    "list-entite": (operations.entities, {}),
    "detail-entite": (operations.entity, _E),
    "document-type": (operations.types, {}),
    "document-type-info": (operations.fields, _T),
    "document-type-action": (operations.actions, _T),
    "list-document": (operations.listed, _E),
    "recherche-document": (operations.listed, _E),
    "detail-several-document": (operations.listed, _E),
    "detail-document": (operations.detailed, _D),
    "create-document": (operations.created, _E),
    "modif-document": (operations.modified, _D),
    "send-file": (operations.attached, _F),
    "recuperation-fichier": (operations.file, _F),
    "receive-file": (operations.text, _F),
    "action": (operations.acted, {**_D, "action": (("action",), "")}),
}
"""Names of the first generation: what they do, which values they take, by which names they call them."""

ROUTES: tuple[tuple[str, str, Operation], ...] = (
    ("GET", f"{ROOT}/rest/allo", operations.hello),
    ("GET", f"{V2}/version", operations.version),
    ("GET", f"{V2}/flux", operations.types),
    ("GET", f"{V2}/flux/{{type}}", operations.fields),
    ("GET", f"{V2}/flux/{{type}}/action", operations.actions),
    ("GET", f"{V2}/entite", operations.entities),
    ("GET", _ENTITY, operations.entity),
    ("GET", f"{_ENTITY}/document", operations.listed),
    ("POST", f"{_ENTITY}/document", operations.created),
    ("GET", _DOCUMENT, operations.detailed),
    ("PATCH", _DOCUMENT, operations.modified),
    ("DELETE", _DOCUMENT, operations.deleted),
    ("GET", _FILE, operations.file),
    ("POST", _FILE, operations.attached),
    ("DELETE", _FILE, operations.detached),
    ("GET", f"{_FILE}/{{num}}", operations.file),
    ("POST", f"{_FILE}/{{num}}", operations.attached),
    ("DELETE", f"{_FILE}/{{num}}", operations.detached),
    ("POST", f"{_DOCUMENT}/action/{{action}}", operations.acted),
)
"""Addresses of the second generation."""

for _method, _path, _operation in ROUTES:
    router.add_api_route(_path, _answered(_operation, _method), methods=[_method])
for _name in OLD_NAMES:
    router.add_api_route(f"{ROOT}/{_name}.php", _old(_name), methods=list(METHODS))
