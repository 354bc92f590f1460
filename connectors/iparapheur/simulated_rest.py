"""The REST service of version 5, standard API, of the simulated parapheur: tokens, lists, folders, tasks, exports."""

from __future__ import annotations

import hmac
import re
import secrets
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, unquote

from python_multipart import parse_form
from python_multipart.exceptions import FormParserError

from connectors.iparapheur import export, premis
from connectors.iparapheur.errors import MessageUnreadable
from connectors.iparapheur.messages import Visibility
from connectors.iparapheur.simulated_bordereau import write_bordereau
from connectors.iparapheur.simulated_circuit import Circuit, Refusal, new_identifier
from connectors.iparapheur.simulated_store import Dossier, Kept, Stage
from connectors.iparapheur.simulated_typology import TENANT, Person, SignatureFormat, identifier
from core.clock import iso, now

TOKENS = "/auth/realms/api/protocol/openid-connect/token"
BASE = "/api/standard/v1"
CLIENT_ID = "ipcore-web"
_OK, _CREATED, _NO_CONTENT = 200, 201, 204
_LIFETIME = 300
_DESK = rf"{BASE}/tenant/(?P<tenant>[^/]+)/desk/(?P<desk>[^/]+)"
_FOLDER = rf"{_DESK}/folder/(?P<folder>[^/]+)"
_XML, _ZIP, _JSON = "application/xml", "application/octet-stream", "application/json"


class RestRefusal(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """An HTTP request.

    Attributes:
        method: of HTTP.
        path: without its query.
        query: as it stands after the question mark.
        headers: by name in lower case.
        body: to be read to its end.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: IO[bytes]


@dataclass(frozen=True, slots=True)
class Told:
    """An HTTP answer: JSON, or a body of its own."""

    status: int
    json: Any = None
    media: str = _JSON
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class _Call:
    """A request as its handler sees it."""

    asked: Asked
    person: Person
    found: Mapping[str, str]


class RestDoor:
    """Answers the standard API.

    Attributes:
        secrets: of the clients that may ask for a token by client_credentials, with the login that they act for.
    """

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._typology = circuit.typology
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self.secrets: dict[str, tuple[str, str]] = {}
        self._routes: tuple[tuple[str, str, Callable[[_Call], Told]], ...] = (
            ("GET", rf"{BASE}/tenant", self._tenants),
            ("GET", rf"{BASE}/tenant/(?P<tenant>[^/]+)/desk", self._desks),
            ("GET", rf"{_DESK}/types/creation-allowed", self._types),
            ("GET", rf"{_DESK}/types/(?P<type>[^/]+)/subtypes/creation-allowed", self._subtypes),
            ("GET", rf"{_DESK}/(?P<state>[A-Z]+)", self._list),
            ("POST", rf"{_DESK}/folder", self._create),
            ("GET", rf"{_FOLDER}/premis", self._premis),
            ("GET", rf"{_FOLDER}/zip", self._zip),
            ("DELETE", _FOLDER, self._delete),
            ("PUT", rf"{_FOLDER}/task/(?P<task>[^/]+)/(?P<action>\w+)", self._task),
        )

    def answer(self, asked: Asked) -> Told:
        """Return the answer to a request.

        Raises:
            RestRefusal: with the status and the message of the answer.
        """
        if asked.path == TOKENS and asked.method == "POST":
            return self._token(asked)
        if not asked.path.startswith(BASE):
            raise RestRefusal(404, "No endpoint here")
        person = self._person(asked.headers.get("authorization", ""))
        for method, pattern, handler in self._routes:
            if method == asked.method and (found := re.fullmatch(pattern, asked.path)):
                groups = {name: unquote(value) for name, value in found.groupdict().items()}
                self._check_place(person, groups)
                return self._handled(handler, _Call(asked, person, groups))
        raise RestRefusal(404, "No endpoint here")

    def _handled(self, handler: Callable[[_Call], Told], call: _Call) -> Told:
        try:
            return handler(call)
        except Refusal as refusal:
            raise RestRefusal(404 if refusal.absent else 409, str(refusal)) from refusal

    def forget_tokens(self) -> None:
        """Refuse every token given so far, as a restart of the identity server does."""
        with self._lock:
            self._tokens.clear()

    def _token(self, asked: Asked) -> Told:
        form = {name: values[0] for name, values in parse_qs(asked.body.read().decode("utf-8", "replace")).items()}
        if form.get("grant_type") == "password" and form.get("client_id") == CLIENT_ID:
            person = self._typology.person(form.get("username", ""))
            known = person is not None and _same(form.get("password", ""), person.password)
            login = person.login if person else ""
        elif form.get("grant_type") == "client_credentials":
            secret, login = self.secrets.get(form.get("client_id", ""), (secrets.token_hex(), ""))
            known = _same(form.get("client_secret", ""), secret)
        else:
            raise RestRefusal(400, "unsupported_grant_type")
        if not known:
            raise RestRefusal(401, "invalid_grant")
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._tokens[token] = (login, time.monotonic() + _LIFETIME)
        return Told(_OK, {"access_token": token, "expires_in": _LIFETIME, "token_type": "Bearer"})

    def _person(self, authorization: str) -> Person:
        with self._lock:
            login, end = self._tokens.get(authorization.removeprefix("Bearer "), ("", 0.0))
        person = self._typology.person(login)
        if person is None or time.monotonic() > end:
            raise RestRefusal(401, "Unauthorized")
        return person

    def _check_place(self, person: Person, found: Mapping[str, str]) -> None:
        if found.get("tenant", TENANT) != TENANT:
            raise RestRefusal(404, "The given tenant ID doesn't exist")
        if found.get("desk", identifier(person.desk)) != identifier(person.desk):
            raise RestRefusal(403, "You're not an owner of this desk")

    def _tenants(self, call: _Call) -> Told:
        return _page(call, [{"id": TENANT, "name": TENANT.capitalize()}])

    def _desks(self, call: _Call) -> Told:
        return _page(call, [{"id": identifier(call.person.desk), "name": call.person.desk}])

    def _types(self, call: _Call) -> Told:
        types = self._typology.creatable(call.person.desk)
        return _page(call, [{"id": identifier(one.name), "name": one.name} for one in types])

    def _subtypes(self, call: _Call) -> Told:
        for one in self._typology.creatable(call.person.desk):
            if identifier(one.name) == call.found["type"]:
                return _page(call, [{"id": identifier(one.name, each.name), "name": each.name} for each in one.subtypes])
        raise RestRefusal(404, "The given type ID doesn't exist")

    def _list(self, call: _Call) -> Told:
        person, circuit = call.person, self._circuit
        mine = [one for one in circuit.visible(person) if one.emitter == person.login]
        kinds: dict[str, Callable[[], list[Dossier]]] = {
            "DRAFT": lambda: [one for one in mine if one.stage is Stage.DRAFT],
            "PENDING": lambda: [one for one in circuit.visible(person) if circuit.holds(person, one)],
            "FINISHED": lambda: [one for one in mine if one.stage is Stage.FINISHED],
            "REJECTED": lambda: [one for one in mine if one.stage is Stage.REJECTED],
            "RETRIEVABLE": lambda: [one for one in mine if circuit.recallable(person, one)],
            "DOWNSTREAM": lambda: [one for one in mine if one.stage is Stage.PENDING],
        }
        if call.found["state"] not in kinds:
            raise RestRefusal(400, "Unknown state")
        return _page(call, [_shown(one) for one in kinds[call.found["state"]]()])

    def _create(self, call: _Call) -> Told:
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            told, files = _form(call.asked, Path(folder))
            main = sum(part.main for part in told.parts)
            if not main or sorted(part.name for part in told.parts) != sorted(files):
                raise RestRefusal(400, "The PREMIS objects do not match the given documents")
            dossier = Dossier(
                id=new_identifier(),
                legacy_id=None,
                name=told.name,
                type=told.type,
                subtype=told.subtype,
                format=SignatureFormat.AUTO,
                emitter=call.person.login,
                desk=call.person.desk,
                visibility=Visibility.CONFIDENTIAL,
                due=told.due,
                metadata=dict(told.metadata),
            )
            store = self._circuit.store

            def keep() -> list[Kept]:
                return [
                    Kept(name=part.name, media=files[part.name][1], sha256=store.keep(files[part.name][0]), main=part.main)
                    for part in told.parts
                ]

            try:
                self._circuit.create(call.person, dossier, main, keep)
            except Refusal as refusal:
                raise RestRefusal(400, str(refusal)) from refusal
        return Told(_CREATED, _shown(dossier))

    def _premis(self, call: _Call) -> Told:
        return Told(_OK, media=_XML, content=self._exported(self._circuit.find(call.person, call.found["folder"])))

    def _zip(self, call: _Call) -> Told:
        dossier = self._circuit.find(call.person, call.found["folder"])
        store = self._circuit.store
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            path, bordereau = Path(folder) / "export.zip", Path(folder) / "bordereau.pdf"
            write_bordereau(dossier, self._typology, bordereau)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(premis.NAME, self._exported(dossier))
                for document in dossier.documents:
                    place = export.MAIN if document.main else export.ANNEXES
                    for one in (document, *document.signatures):
                        archive.write(store.path(one.sha256), place + one.name)
                archive.write(bordereau, f"{dossier.name}{export.BORDEREAU}")
            return Told(_OK, media=_ZIP, content=path.read_bytes())

    def _delete(self, call: _Call) -> Told:
        self._circuit.erase(call.person, call.found["folder"])
        return Told(_NO_CONTENT)

    def _task(self, call: _Call) -> Told:
        folder, person = call.found["folder"], call.person
        dossier = self._circuit.find(person, folder)
        if call.found["action"] != "start" and call.found["task"] != _task_id(dossier):
            raise RestRefusal(404, "The given task ID doesn't exist")
        match call.found["action"]:
            case "start":
                self._circuit.start(person, folder)
            case "undo":
                self._circuit.recall(person, folder)
            case "send_to_trash_bin":
                self._circuit.archive(person, folder, keep=True)
            case _:
                raise RestRefusal(400, "Not an external task")
        return Told(_OK, {})

    def _exported(self, dossier: Dossier) -> bytes:
        done = [
            premis.Task(_done_id(dossier, rank), line.action, line.moment, identifier(line.login), line.desk, line.note)
            for rank, line in enumerate(dossier.history)
            if line.action
        ]
        names = {identifier(one.login): one.name for one in self._typology.people}
        acted = {identifier(line.login) for line in dossier.history if line.action}
        told = premis.Folder(
            dossier.name,
            dossier.type,
            dossier.subtype,
            dossier.id,
            dossier.due,
            dossier.metadata,
            tuple(premis.Part(one.name, one.main, one.media) for one in dossier.documents),
            (*done, *_open_tasks(dossier)),
            {key: name for key, name in names.items() if key in acted},
        )
        return premis.write(told)


def _open_tasks(dossier: Dossier) -> list[premis.Task]:
    """Return the task under way and those to come, the archiving last."""
    if dossier.stage is Stage.DRAFT:
        return [premis.Task(_task_id(dossier), "START")]
    if dossier.stage is Stage.REJECTED:
        return [premis.Task(_task_id(dossier), "DELETE")]
    if dossier.stage is Stage.FINISHED:
        return [premis.Task(_task_id(dossier), "ARCHIVE")]
    actions = [stop.action.value for stop in dossier.circuit[dossier.current :]]
    return [premis.Task(_task_id(dossier) if rank == 0 else "", action) for rank, action in enumerate([*actions, "ARCHIVE"])]


def _task_id(dossier: Dossier) -> str:
    return identifier(dossier.id, "task", dossier.stage.value, str(len(dossier.history)))


def _done_id(dossier: Dossier, rank: int) -> str:
    return identifier(dossier.id, "done", str(rank))


def _form(asked: Asked, folder: Path) -> tuple[premis.Folder, dict[str, tuple[Path, str]]]:
    """Return the folder that a form tells of, and its documents: where each is, and its media type."""
    octets: list[bytes] = []
    files: dict[str, tuple[Path, str]] = {}

    def take(file: Any) -> None:
        file.file_object.seek(0)
        if file.field_name == b"folder":
            octets.append(file.file_object.read())
            return
        path, name = folder / str(len(files)), (file.file_name or b"").decode()
        with path.open("wb") as target:
            while piece := file.file_object.read(1 << 20):
                target.write(piece)
        files[name] = (path, file.content_type or premis.OCTETS)

    headers = {name.title(): value.encode() for name, value in asked.headers.items()}
    try:
        parse_form(headers, asked.body, None, take)
        (told,) = octets
        return premis.read(told), files
    except (FormParserError, ValueError, MessageUnreadable) as error:
        raise RestRefusal(400, "The PREMIS part is missing or unreadable") from error


def _page(call: _Call, content: list[dict[str, Any]]) -> Told:
    """Return a page of a list, as Spring does."""
    try:
        number, size = (int(call.asked.query.get(name, [default])[0]) for name, default in (("page", "0"), ("size", "10")))
    except ValueError as error:
        raise RestRefusal(400, "page") from error
    shown = content[number * size : (number + 1) * size]
    return Told(_OK, {"content": shown, "number": number, "size": size, "totalElements": len(content)})


def _shown(dossier: Dossier) -> dict[str, Any]:
    return {"id": dossier.id, "name": dossier.name, "metadata": dossier.metadata}


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def error_body(status: int, message: str, path: str) -> dict[str, Any]:
    """Return the JSON of an error answer."""
    return {"timestamp": iso(now()), "status": status, "error": message, "message": message, "path": path}
