"""Software that speaks the legacy SOAP service."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import Code, Document, Visibility
from connectors.iparapheur.reading import decode
from connectors.iparapheur.simulated_typology import EMITTER
from connectors.iparapheur.writing import MEDIA, encode
from tests.iparapheur_platform import PASSWORD, Town
from tests.pades_documents import paper

A = TypeVar("A", bound=wire.Answer)
PDF = "application/pdf"
PATH = "/ws-iparapheur-no-mtom"


@dataclass(frozen=True)
class Caller:
    """Software that speaks to the service."""

    address: str
    login: str
    password: str
    folder: Path

    def post(self, content: bytes, path: str = PATH, **headers: str) -> httpx.Response:
        basic = base64.b64encode(f"{self.login}:{self.password}".encode()).decode()
        sent = {"Authorization": f"Basic {basic}", "Content-Type": MEDIA, **headers}
        return httpx.post(self.address + path, content=content, headers=sent, timeout=60)

    def send(self, request: wire.Request) -> httpx.Response:
        return self.post(b"".join(encode(request)))

    def read(self, reply: httpx.Response) -> wire.Message:
        return decode(io.BytesIO(reply.content), reply.headers["content-type"], self.folder)

    def ask(self, request: wire.Request, kind: type[A]) -> A:
        answer = self.read(self.send(request))
        assert isinstance(answer, kind), answer
        return answer

    def fault(self, reply: httpx.Response) -> wire.Fault:
        answer = self.read(reply)
        assert isinstance(answer, wire.Fault), answer
        return answer

    def history(self, dossier: str) -> list[wire.LogDossier]:
        return list(self.ask(wire.GetHistoDossierRequest(dossier), wire.GetHistoDossierResponse).entries)


def caller(town: Town, folder: Path, desk: str = EMITTER) -> Caller:
    return Caller(town.address, town.people[desk].email, PASSWORD, folder)


def create(who: Caller, asked: wire.CreerDossierRequest) -> str:
    answer = who.ask(asked, wire.CreerDossierResponse)
    assert answer.notice.code is Code.OK, answer.notice.message
    return answer.dossier_id or ""


def act(folder: Path, octets: bytes | None = None) -> wire.CreerDossierRequest:
    """Ask for the visa of an act: one step, at the desk of the manager."""
    path = folder / "acte.pdf"
    path.write_bytes(paper() if octets is None else octets)
    return wire.CreerDossierRequest(
        type="Actes",
        subtype="visa sans meta",
        title="Délibération",
        document=Document(path, PDF),
        document_name="acte.pdf",
        public_note="À viser",
        visibility=Visibility.SERVICE,
    )
