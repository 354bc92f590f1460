"""The interface over HTTP: who asks, how much they may send, and what is answered when something fails.

A refusal is an answer: ``KO`` and words, with 200, as clients expect of lines of text. Where a client would take the answer for a
file, and where the door, the size or a part of the platform is at fault, the status says so too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TypeVar

import structlog
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.acts.gathering import AROUND, LARGEST
from api.problems import fault_of
from api.s2low import asking, giving, helios, sending
from api.s2low.calls import Call, NotDone, refused
from api.s2low.door import account_behind
from api.s2low.faults import INFO, LOGINS, NONCE, TEST
from api.s2low.sending import Sending
from api.uploads import Body, Uploads, known
from api.web.visitor import Parts
from core.blobs import Readable, TooLarge
from core.errors import Forbidden, Misconfigured, TabellionError, Unauthenticated, Unavailable
from core.messages import Catalogue
from core.platform import Platform

router = APIRouter(include_in_schema=False)
_log = structlog.get_logger()
_t = Catalogue("api.s2low")
_ACTES, _HELIOS = "/modules/actes", "/modules/helios"
_SMALL = 256 * 1024
_BASIC = {"WWW-Authenticate": 'Basic realm="tabellion", charset="UTF-8"'}
_OTHERS = {"cross-site", "same-site"}
_OURS, _NOT_DONE, _NOBODY = 500, 404, 401
_FAULTS = (Unauthenticated, Forbidden, TooLarge, Unavailable, Misconfigured)
Asking = Callable[[Call], Response]
Given = TypeVar("Given")

ASKED: Mapping[str, Asking] = {
    TEST: asking.let_in,
    INFO: asking.info,
    f"{_ACTES}/actes_transac_get_status.php": asking.status,
    f"{_ACTES}/api/list_document_prefecture.php": asking.unread,
    f"{_ACTES}/api/document_prefecture_mark_as_read.php": asking.read,
    f"{_ACTES}/api/list_actes.php": asking.acts,
    f"{_ACTES}/api/number_actes.php": asking.count,
    f"{_ACTES}/api/actes_status.php": asking.known_statuses,
    f"{_ACTES}/api/nb_actes_by_authorities_and_date.php": asking.by_authority,
    f"{_ACTES}/actes_transac_get_files_list.php": giving.listed,
    f"{_ACTES}/actes_classification_fetch.php": giving.classification,
    f"{_ACTES}/actes_classification_request.php": sending.request,
    f"{_HELIOS}/api/helios_transac_get_status.php": helios.status,
    f"{_HELIOS}/api/helios_get_list.php": helios.returns,
    f"{_HELIOS}/api/helios_change_status.php": helios.return_taken,
    f"{_HELIOS}/api/nb_pes_aller_by_authorities_and_date.php": asking.pes_by_authority,
}
"""Calls that answer lines, JSON or XML."""

GIVEN: Mapping[str, Asking] = {
    f"{_ACTES}/actes_transac_get_document.php": giving.document,
    f"{_ACTES}/actes_download_file.php": giving.file,
    f"{_ACTES}/actes_transac_get_ARActe.php": giving.receipt,
    f"{_ACTES}/actes_transac_get_tampon.php": giving.stamped,
    f"{_ACTES}/actes_create_pdf.php": giving.docket,
    f"{_ACTES}/actes_transac_post_confirm_api.php": giving.confirmation,
    f"{_ACTES}/actes_transac_post_confirm_api_multi.php": giving.confirmation,
    f"{_HELIOS}/helios_download_acquit.php": helios.acquit,
    f"{_HELIOS}/helios_download_file.php": helios.file,
    f"{_HELIOS}/api/helios_get_retour.php": helios.given_return,
    NONCE: giving.by_certificate,
    LOGINS: giving.by_certificate,
}
"""Calls whose answer is taken for a file."""

SENT: Mapping[str, Sending] = {
    f"{_ACTES}/actes_transac_create.php": sending.create,
    f"{_ACTES}/actes_transac_cancel.php": sending.cancel,
    f"{_ACTES}/actes_transac_reponse_create.php": sending.reply,
    f"{_HELIOS}/api/helios_importer_fichier.php": helios.post,
}
"""Calls that send."""

LARGE = tuple(path for path in SENT if not path.endswith("_cancel.php"))
GATE = 1 << 40
"""Bytes that the gate lets through to those: what is too large is answered here, in words that clients show."""


def _asked(operation: Asking, *, gives: bool) -> Callable[[Request, Platform], Response]:
    def answered(request: Request, platform: Parts) -> Response:
        return _answer(request, lambda: operation(_call(request, platform)), gives=gives)

    return answered


def largest(path: str, upload_limit: int) -> int:
    """Return how many bytes a call may send, what a form adds around its files aside."""
    return upload_limit if path.startswith(_HELIOS) else LARGEST


def _sent(path: str, operation: Sending) -> Callable[..., object]:
    async def answered(request: Request, platform: Parts) -> Response:
        most = largest(path, platform.settings.upload_limit)
        content_type = request.headers.get("content-type", "")
        stated = request.headers.get("content-length", "")
        size = int(stated) if stated.isascii() and stated.isdigit() else None

        call = await to_thread.run_sync(lambda: _answer(request, lambda: _call(request, platform)))
        if isinstance(call, Response):  # nothing is read of whoever is not let in
            return call
        known(request, call.account.principal.actor)

        def send(source: Readable) -> Response:
            return _answer(request, lambda: operation(call, source, content_type))

        if size is not None and size > most + AROUND:
            return await to_thread.run_sync(send, _TooLong(most))
        if size is not None and size <= _SMALL:
            return await to_thread.run_sync(send, BytesIO(await request.body()))
        turnstile: Uploads = request.app.state.uploads
        try:
            return await turnstile.run(request, lambda body: send(_Bounded(body, most)))
        except Unavailable as error:  # its turn did not come
            return _refusal(request, error, gives=False)

    return answered


class _TooLong:
    """A body that says itself that it is too large: the first who reads it is told so."""

    def __init__(self, most: int) -> None:
        self._most = most

    def read(self, _size: int = -1, /) -> bytes:
        raise TooLarge(self._most)


class _Bounded:
    """A body of any length, read as far as it may go."""

    def __init__(self, body: Body, most: int) -> None:
        self._body, self._most, self._read = body, most, 0

    def read(self, size: int = -1, /) -> bytes:
        piece = self._body.read(size)
        self._read += len(piece)
        if self._read > self._most + AROUND:
            raise TooLarge(self._most)
        return piece


def _call(request: Request, platform: Platform) -> Call:
    if request.headers.get("sec-fetch-site") in _OTHERS:
        # A browser that was led here by another site: whoever it speaks for did not ask for this.
        raise Forbidden(_t("door.foreign"))
    return Call(platform, account_behind(platform, request.headers.get("authorization", "")), request.query_params)


def _answer(request: Request, answer: Callable[[], Given], *, gives: bool = False) -> Given | Response:
    """Return what is given, an answer in the end; whatever fails becomes one."""
    try:
        return answer()
    except TabellionError as error:
        return _refusal(request, error, gives=gives)
    except Exception as error:  # noqa: BLE001 - a caller is told nothing of our faults; the log has the reference
        _log.exception("s2low.fault", request=request.state.reference, error=type(error).__name__)
        return refused(request.url.path, [_t("fault.ours", reference=request.state.reference)], _OURS)


def _refusal(request: Request, error: TabellionError, *, gives: bool) -> Response:
    path = request.url.path
    if isinstance(error, NotDone):
        return refused(path, [str(error)], _NOT_DONE)
    if isinstance(error, Misconfigured):
        _log.error("s2low.misconfigured", request=request.state.reference, reason=str(error))
    fault = fault_of(error)
    lines = [str(problem["message"]) for problem in fault.problems] or [fault.detail]
    answer = refused(path, lines, fault.status if gives or isinstance(error, _FAULTS) else 200)
    if fault.status == _NOBODY:
        answer.headers.update(_BASIC)
    return answer


for _path, _operation in ASKED.items():
    router.add_api_route(_path, _asked(_operation, gives=False), methods=["GET"])
for _path, _operation in GIVEN.items():
    router.add_api_route(_path, _asked(_operation, gives=True), methods=["GET"])
for _path, _sending in SENT.items():
    router.add_api_route(_path, _sent(_path, _sending), methods=["POST"])
