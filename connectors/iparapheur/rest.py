"""A parapheur over the REST service of i-Parapheur 5 that is meant for integrators (``/api/standard/v1``).

The service gives its own identifiers and compares no names: whether a dossier was submitted is told by a folder of our name on
the desk. So a folder is looked for before it is created.

Uncertain, since only the service's description and its PHP client say it:

- ``undo`` and ``send_to_trash_bin`` are given the task under way;
- the text of an annotation stands in ``eventDetail``;
- a detached signature cannot be sent along: a dossier that has one is refused here.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from connectors.iparapheur import errors, export, form, premis
from connectors.iparapheur.dossiers import Event, Returned, State, Status, Submission, external_name
from connectors.iparapheur.messages import ArchiveAction
from connectors.iparapheur.reading import LARGEST
from connectors.iparapheur.settings import Grant, ParapheurSettings
from connectors.iparapheur.transport import Reply, Transport
from core.addresses import Networks
from core.errors import UnreadableInput
from core.identifiers import new_id
from core.messages import Catalogue

_messages = Catalogue("connectors.iparapheur")

_LARGEST_JSON = 4 << 20
_PAGE, _MOST_PAGES = 100, 200
_SUCCESS = range(200, 300)
_BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _UNPROCESSABLE = 400, 401, 404, 409, 422
_REFUSALS = {_BAD_REQUEST, 406, _CONFLICT, 413, 415, _UNPROCESSABLE}
_EARLY = 30.0
_START, _REJECT, _ARCHIVE = "START", "REJECT", "ARCHIVE"
_SIGNED = {"SIGNATURE", "SEAL", "EXTERNAL_SIGNATURE"}
_STATES = ("DRAFT", "DOWNSTREAM", "FINISHED", "REJECTED")
_JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    end: float


class RestParapheur:
    """One desk of one tenant; any thread may use it."""

    def __init__(self, settings: ParapheurSettings, networks: Networks) -> None:
        self._settings = settings
        self._transport = Transport(settings, networks)
        self._desk = f"/api/standard/v1/tenant/{quote(settings.tenant or '', '')}/desk/{quote(settings.desk or '', '')}"
        self._token: _Token | None = None
        self._lock = threading.Lock()

    def list_types(self) -> Mapping[str, tuple[str, ...]]:
        """See ``ParapheurConnector``."""
        types = self._pages(f"{self._desk}/types/creation-allowed")
        return {
            str(one.get("name")): tuple(
                str(each.get("name")) for each in self._pages(f"{self._desk}/types/{_quoted(one)}/subtypes/creation-allowed")
            )
            for one in types
        }

    def submit(self, submission: Submission) -> str:
        """See ``ParapheurConnector``: a folder of our name on the desk was submitted before."""
        name = external_name(submission)
        if any(one.signature for one in (submission.document, *submission.more, *submission.annexes)):
            raise errors.SubmissionRefused(_messages("submission.signature"))
        found = next((one for state in _STATES for one in self._pages(f"{self._desk}/{state}") if one.get("name") == name), None)
        if found is not None:
            return str(found["id"])
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            body = Path(folder) / "form"
            kind = form.write(_parts(submission, name, self._settings), body)
            reply = self._send("POST", f"{self._desk}/folder", Path(folder), body=body, headers={"Content-Type": kind})
            if reply.status in _REFUSALS or reply.status == _NOT_FOUND:
                raise errors.SubmissionRefused(_messages("submission.refused", reason=_said(reply)))
            self._check(reply)
            return _identifier(reply.json())

    def status(self, external_id: str) -> Status:
        """See ``ParapheurConnector``."""
        return _status(self._folder(external_id))

    def fetch(self, external_id: str, folder: Path) -> Returned:
        """See ``ParapheurConnector``."""
        headers = {"Accept": "application/octet-stream, application/json"}
        reply = self._send("GET", f"{self._of(external_id)}/zip", folder, headers=headers)
        try:
            self._check_folder(reply, external_id)
            return export.unpack(reply.path, folder, LARGEST)
        except UnreadableInput as error:
            raise errors.AnswerUnreadable(_messages("answer.unreadable", reason=str(error))) from error
        finally:
            reply.path.unlink(missing_ok=True)

    def close(self, external_id: str, action: ArchiveAction) -> None:
        """See ``ParapheurConnector``; a folder that was taken back is erased too."""
        try:
            told = self._folder(external_id)
            state = _status(told).state
            if state in {State.PENDING, State.ERROR}:
                raise errors.NotEnded(_messages("dossier.not_ended", dossier=external_id))
            if action is ArchiveAction.KEEP and state in {State.SIGNED, State.APPROVED}:
                self._act(external_id, told, "send_to_trash_bin")
            else:
                self._ask("DELETE", self._of(external_id), external_id)
        except errors.DossierMissing:
            return

    def recall(self, external_id: str) -> None:
        """See ``ParapheurConnector``."""
        told = self._folder(external_id)
        try:
            self._act(external_id, told, "undo")
        except errors.RequestRefused as error:
            raise errors.RecallRefused(_messages("recall.refused", dossier=external_id, reason=str(error)[:300])) from error

    def _act(self, external_id: str, told: premis.Folder, action: str) -> None:
        pending = _pending(told)
        task = quote(pending.id, "") if pending else "none"
        self._ask("PUT", f"{self._of(external_id)}/task/{task}/{action}", external_id)

    def _folder(self, external_id: str) -> premis.Folder:
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            headers = {"Accept": "application/xml, application/json"}
            reply = self._send("GET", f"{self._of(external_id)}/premis", Path(folder), headers=headers)
            self._check_folder(reply, external_id)
            try:
                return premis.read(reply.path.read_bytes())
            except UnreadableInput as error:
                raise errors.AnswerUnreadable(_messages("answer.unreadable", reason=str(error))) from error

    def _ask(self, method: str, path: str, external_id: str) -> None:
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            self._check_folder(self._send(method, path, Path(folder), headers=_JSON), external_id)

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Give everything that a list holds, page after page."""
        for number in range(_MOST_PAGES):
            with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
                reply = self._send("GET", f"{path}?page={number}&size={_PAGE}", Path(folder), headers=_JSON)
                self._check(reply)
                found = reply.json()
            content = found.get("content") if isinstance(found, dict) else None
            if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
                raise errors.AnswerUnreadable(_messages("answer.unreadable", reason="content"))
            yield from content
            if len(content) < _PAGE:
                return
        raise errors.AnswerTooLarge(_messages("answer.pages", address=self._transport.address, most=_PAGE * _MOST_PAGES))

    def _send(self, method: str, path: str, folder: Path, *, headers: Mapping[str, str], body: Path | None = None) -> Reply:
        """Send with an access token; one that is refused is renewed once: nothing was done with the request then."""
        target = folder / new_id()
        limit = LARGEST if path.endswith("/zip") else _LARGEST_JSON
        for fresh in (False, True):
            given = {**_JSON, **headers, "Authorization": f"Bearer {self._access(fresh=fresh)}"}
            reply = self._transport.send(method, path, target, headers=given, body=body, limit=limit)
            if reply.status != _UNAUTHORIZED:
                break
        return reply

    def _access(self, *, fresh: bool) -> str:
        with self._lock:
            if fresh or self._token is None or time.monotonic() > self._token.end:
                self._token = self._new_token()
            return self._token.value

    def _new_token(self) -> _Token:
        settings = self._settings
        asked = {"grant_type": settings.grant.value, "client_id": settings.client_id}
        if settings.grant is Grant.PASSWORD and settings.password is not None:
            asked |= {"username": settings.login or "", "password": settings.password.get_secret_value()}
        if settings.client_secret is not None:
            asked["client_secret"] = settings.client_secret.get_secret_value()
        headers = {**_JSON, "Content-Type": "application/x-www-form-urlencoded"}
        path = f"/auth/realms/{settings.realm}/protocol/openid-connect/token"
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            target, body = Path(folder) / "token", urlencode(asked).encode()
            reply = self._transport.send("POST", path, target, headers=headers, body=body, limit=_LARGEST_JSON)
            if reply.status in {_BAD_REQUEST, _UNAUTHORIZED}:  # RFC 6749, 5.2
                address = self._transport.address
                raise errors.AccessRefused(_messages("access.refused", address=address, status=reply.status))
            self._check(reply)
            given = reply.json()
        token = given.get("access_token") if isinstance(given, dict) else None
        if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
            raise errors.AnswerUnreadable(_messages("answer.unreadable", reason="access_token"))
        lasting = given.get("expires_in", 0)
        seconds = float(lasting) if isinstance(lasting, int | float) else 0.0
        return _Token(token, time.monotonic() + max(0.0, seconds - _EARLY))

    def _of(self, external_id: str) -> str:
        return f"{self._desk}/folder/{quote(external_id, '')}"

    def _check(self, reply: Reply) -> None:
        if reply.status not in _SUCCESS:
            self._transport.refuse(reply)

    def _check_folder(self, reply: Reply, external_id: str) -> None:
        if reply.status == _NOT_FOUND:
            raise errors.DossierMissing(_messages("dossier.missing", dossier=external_id))
        if reply.status in _REFUSALS:
            raise errors.RequestRefused(_messages("request.refused", reason=_said(reply)))
        self._check(reply)


def _parts(submission: Submission, name: str, settings: ParapheurSettings) -> Iterator[form.Part]:
    documents = [(one, True) for one in (submission.document, *submission.more)]
    documents += [(one, False) for one in submission.annexes]
    names = [one.name for one, _ in documents]
    if len(set(names)) != len(names):
        raise errors.SubmissionRefused(_messages("submission.names"))
    told = premis.Folder(
        name,
        settings.type,
        settings.subtype,
        due=submission.due,
        metadata={settings.metadata[key]: value for key, value in submission.metadata.items() if key in settings.metadata},
        parts=tuple(premis.Part(one.name, main, one.media) for one, main in documents),
    )
    yield form.Part("folder", premis.NAME, "application/xml", premis.write(told))
    for one, _ in documents:
        yield form.Part("documents", one.name, one.media, one.path)


def _status(told: premis.Folder) -> Status:
    done = [task for task in told.tasks if task.moment is not None]
    events = tuple(
        Event(task.moment, told.users.get(task.user, ""), task.action, task.note) for task in done if task.moment is not None
    )
    starts = [rank for rank, task in enumerate(done) if task.action == _START]
    since = done[starts[-1] :] if starts else done
    rejection = next((task for task in reversed(since) if task.action == _REJECT), None)
    if rejection is not None:
        return Status(State.REJECTED, events, rejection.note)
    pending = _pending(told)
    if pending is not None and pending.action != _ARCHIVE:
        return Status(State.WITHDRAWN if pending.action == _START else State.PENDING, events)
    if not since:
        return Status(State.PENDING, events)
    return Status(State.SIGNED if any(task.action in _SIGNED for task in since) else State.APPROVED, events)


def _pending(told: premis.Folder) -> premis.Task | None:
    return next((task for task in told.tasks if task.id and task.moment is None), None)


def _identifier(found: Any) -> str:
    identifier = found.get("id") if isinstance(found, dict) else None
    if not isinstance(identifier, str) or not identifier:
        raise errors.AnswerUnreadable(_messages("answer.unreadable", reason="id"))
    return identifier


def _quoted(one: Mapping[str, Any]) -> str:
    return quote(str(one.get("id")), "")


def _said(reply: Reply) -> str:
    """Return what a refusal says: its JSON has a message."""
    try:
        found = reply.json()
    except errors.AnswerUnreadable:
        found = None
    message = found.get("message") if isinstance(found, dict) else None
    return str(message or f"HTTP {reply.status}")[:300]
