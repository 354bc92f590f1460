"""An as@lae for demonstrations and tests, as a server: it receives, acknowledges, then accepts or refuses.

As strict as the original where it is known to be: the account with the SHA-256 of its password, the attachments as a TAR
compressed by gzip whose files are those of the manifest, an identifier taken once. And as odd: what is not there yet is a 500
with a text.

    python -m connectors.asalae.simulator --folder var/asalae --port 8096
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import shutil
import tarfile
import threading
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

from pydantic import SecretStr
from python_multipart.multipart import parse_options_header

from connectors.asalae.client import ACKNOWLEDGEMENT, REPLY
from connectors.asalae.settings import AsalaeSettings
from connectors.asalae.simulated_messages import acknowledgement, reply
from connectors.asalae.simulated_store import ATTACHMENTS, MANIFEST, Store
from connectors.sae.simulated_http import Asked, Faults, Server, Told
from core import clock
from core.errors import UnreadableInput
from schemas.seda.nouns import Manifest
from schemas.seda.reader import read_manifest

LOGIN, PASSWORD = "demonstration", "mot-de-passe-du-simulateur"
_GOOD, _ABSENT, _DIGEST = "000", "211", "207"
_BASE = "/restservices"
_MESSAGE = f"{_BASE}/sedaMessages/sequence:ArchiveTransfer/message:"
_VERSIONS = {"application": "as@lae", "version": "2.1 (simulation)", "denomination": "DÉMONSTRATION"}


class AsalaeSimulator(Server):
    """An as@lae that listens on a port.

    Attributes:
        faults: what goes wrong with the next requests.
        verdict: the code and the comment with which transfers that are sound are answered from now on.
        delay: seconds before a transfer is acknowledged, and again before it is answered.

    Example:
        >>> with AsalaeSimulator(folder) as asalae:
        ...     settings = asalae.settings()
    """

    def __init__(
        self, folder: Path, *, host: str = "127.0.0.1", port: int = 0, delay: float = 0, password: str = PASSWORD
    ) -> None:
        """Open the folder; nothing is answered before ``start``.

        Args:
            folder: all that it keeps; made when absent.
            host: address to listen on.
            port: TCP port; zero for a free one.
            delay: see above.
            password: of the account ``demonstration``.
        """
        self.faults = Faults()
        self.verdict = (_GOOD, "")
        self.delay = delay
        self._password = password
        self._store = Store(folder)
        self._taking = threading.Lock()
        super().__init__(self._answer, self.faults, host, port)

    @property
    def received(self) -> int:
        """How many transfers were received."""
        return self._store.count()

    def settings(self) -> AsalaeSettings:
        """Return how to reach it."""
        return AsalaeSettings(address=self.url + _BASE, login=LOGIN, password=SecretStr(self._password))

    def _answer(self, asked: Asked) -> Told:
        if not self._admitted(asked.headers.get("authorization", "")):
            return Told.text(401, "Accès refusé")
        if asked.method == "GET" and asked.path in {f"{_BASE}/ping", f"{_BASE}/versions"}:
            return _json(_VERSIONS)
        if asked.method == "GET" and asked.path.startswith(_MESSAGE):
            return self._message(asked.path.removeprefix(_MESSAGE))
        if asked.method == "POST" and asked.path == f"{_BASE}/sedaMessages":
            return self._receive(_form(asked))
        if asked.method == "POST" and asked.path == f"{_BASE}/sedaAttachmentsChunkFiles":
            return self._piece(_form(asked))
        return Told.text(404, "Page introuvable")

    def _admitted(self, header: str) -> bool:
        hashed = hashlib.sha256(self._password.encode()).hexdigest()
        expected = "Basic " + base64.b64encode(f"{LOGIN}:{hashed}".encode()).decode()
        return hmac.compare_digest(header.encode(), expected.encode())

    def _receive(self, form: dict[str, bytes]) -> Told:
        manifest, attachments = form.get("seda_message"), form.get("attachments")
        if manifest is None:
            return Told.text(400, "Le bordereau seda_message est absent")
        if form.get("send_chunked_attachments") == b"true":
            session = self._store.begin(manifest)
            return _json({"chunk_session_identifier": session, "chunk_security_identifier": self._security(session)})
        room = self._store.room()
        (room / MANIFEST).write_bytes(manifest)
        (room / ATTACHMENTS).write_bytes(attachments or b"")
        return self._take(room)

    def _piece(self, form: dict[str, bytes]) -> Told:
        told = {name: value.decode() for name, value in form.items() if name != "chunk_content"}
        session = told.get("session_identifier", "")
        if not hmac.compare_digest(told.get("security_identifier", "").encode(), self._security(session).encode()):
            return Told.text(400, "Session inconnue")
        if told.get("compression_algorithm") != "TARGZ" or told.get("number_of_files") != "1" or told.get("file_index") != "1":
            return Told.text(400, "Un seul fichier TARGZ est attendu")
        with self._taking:
            try:
                folder = self._store.piece(
                    session, int(told["chunk_index"]), int(told["number_of_chunks"]), form.get("chunk_content", b"")
                )
            except (KeyError, ValueError):
                return Told.text(400, "Morceau inattendu")
        return _json({"chunk": told["chunk_index"]}) if folder is None else self._take(folder)

    def _take(self, room: Path) -> Told:
        try:
            manifest = read_manifest(room / MANIFEST)
        except UnreadableInput:
            shutil.rmtree(room)
            return Told.text(400, "Le bordereau n’est pas un ArchiveTransfer")
        code, comment = _flaw(manifest, room / ATTACHMENTS) or self.verdict
        if not self._store.keep(manifest.transferring_agency or "", manifest.identifier or "", room, code, comment):
            return Told.text(409, "Un transfert de cet identifiant existe déjà")
        return _json({"message": "transfert reçu"})

    def _message(self, asked: str) -> Told:
        parts = dict(part.partition(":")[::2] for part in f"message:{asked}".split("/"))
        sender, identifier = (
            unquote(parts.get(f"origin{name}", "")) for name in ("OrganizationIdentification", "MessageIdentifier")
        )
        kept = self._store.known(sender, identifier)
        waits = {ACKNOWLEDGEMENT: 1, REPLY: 2}.get(parts["message"])
        if kept is None or waits is None or clock.now() < kept.received + waits * timedelta(seconds=self.delay):
            return Told.text(500, "Le message demandé n’existe pas")
        written = acknowledgement(kept) if waits == 1 else reply(kept)
        return Told(200, written, "application/xml")

    def _security(self, session: str) -> str:
        return hmac.new(self._password.encode(), session.encode(), hashlib.sha256).hexdigest()


def _flaw(manifest: Manifest, attachments: Path) -> tuple[str, str] | None:
    """Return why the files are not those of the manifest; None when they are."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(attachments, "r:gz") as tarred:
            for entry in tarred:
                content = tarred.extractfile(entry)
                found[entry.name] = hashlib.file_digest(content, "sha256").hexdigest() if content else ""  # type: ignore[arg-type]
    except (tarfile.TarError, EOFError, OSError):
        return _ABSENT, "Les pièces jointes ne sont pas un fichier tar.gz"
    for item in manifest.objects:
        if item.uri not in found:
            return _ABSENT, f"La pièce {item.uri} est absente"
        if found[item.uri] != item.digest:
            return _DIGEST, f"L’empreinte de {item.uri} est fausse"
    return None


def _form(asked: Asked) -> dict[str, bytes]:
    """Return the values of a form by their names; a later one of a name counts."""
    boundary = parse_options_header(asked.headers.get("content-type", ""))[1].get(b"boundary", b"")
    found = {}
    for part in asked.body.split(b"--" + boundary)[1:-1] if boundary else []:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        disposition = next((one for one in head.splitlines() if one.lower().startswith(b"content-disposition:")), b"")
        name = parse_options_header(disposition.partition(b":")[2].strip())[1].get(b"name", b"").decode()
        found[name] = value.removesuffix(b"\r\n")
    return found


def _json(value: object) -> Told:
    return Told(200, json.dumps(value, ensure_ascii=False).encode())


def main() -> None:
    """Run the simulator until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m connectors.asalae.simulator")
    parser.add_argument("--folder", type=Path, required=True, help="all that it keeps")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8096)
    parser.add_argument("--delay", type=float, default=5.0, help="seconds before it acknowledges, and before it answers")
    told = parser.parse_args()
    with AsalaeSimulator(told.folder, host=told.host, port=told.port, delay=told.delay):
        threading.Event().wait()


if __name__ == "__main__":
    main()
