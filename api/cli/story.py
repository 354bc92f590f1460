"""The demonstration told from end to end: a PES is pushed as finance software would, and followed until its proof is verified."""

from __future__ import annotations

import http.client
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.markup import escape

from api.cli.output import FAULT, NO, console, errors, wait_for_the_end
from api.cli.serving import introduce
from api.demonstration import SIRET
from api.embedded import Embedded, embedded
from archive.proof.verification import EvidenceVerdict, verify_evidence
from core import clock, logs
from core.errors import TabellionError, Unavailable
from core.messages import Catalogue, current_locale
from core.settings import load_settings
from schemas.pes.sample import Authority, Sample, write_sample
from signing.trust import TrustStore

_t = Catalogue("api.cli")
_WITHIN = 120.0
_LOOK_EVERY = 0.2


def tell(*, keep_serving: bool) -> int:
    """Run the embedded platform and tell the story; return 0 only if the record was sealed and its proof holds."""
    logs.configure(logging.WARNING)
    settings = load_settings()
    if not keep_serving:
        settings = settings.model_copy(update={"http_port": 0})
    with embedded(settings, with_demonstration=True) as running:
        console.print(f"[bold]{_t('demo.started', address=running.address)}[/]")
        try:
            holds = _push_and_follow(running)
        except TabellionError as error:
            errors.print(f"[red]✗[/] {escape(str(error))}")
            return FAULT
        if not holds or not keep_serving:
            return 0 if holds else NO
        introduce(running)
        wait_for_the_end()
    return 0


def _push_and_follow(running: Embedded) -> bool:
    caller = _Caller(running)
    with tempfile.TemporaryDirectory(prefix="tabellion-demo-") as folder:
        sample = Path(folder) / "pes.xml"
        moment = clock.now()
        name = f"PESALR1_{SIRET}_{moment:%Y%m%d%H%M%S%f}"
        # Each run has its own number of bordereau: Hélios refuses one that it knows.
        first = int(moment.timestamp()) % 9_000_000 + 1
        authority = Authority(siret=SIRET, name="COMMUNE DE VALMORIN")
        write_sample(Sample(name, authority, first_bordereau=first, issued=clock.in_paris(moment).date()), sample)
        dossier = caller.deposit(sample)
        console.print(_t("demo.deposited", name=name, dossier=dossier))
        state = _follow(caller, dossier)
        if state != "archived":
            console.print(f"[red]✗[/] {_t('demo.not_archived', state=state)}")
            return False
        record, proof = _evidence(caller, dossier, Path(folder) / "preuve.zip")
        report = verify_evidence(proof, trust=TrustStore.from_folder(running.platform.settings.trust_dir or Path()))
        for check in report.checks:
            console.print(f"  {'[green]✓[/]' if check.state.value == 'ok' else '[red]✗[/]'} {escape(check.message)}")
        holds = report.verdict is EvidenceVerdict.VALID
        console.print(_t("demo.proved" if holds else "demo.unproved", record=record))
        return holds


def _follow(caller: _Caller, dossier: str) -> str:
    deadline = time.monotonic() + _WITHIN
    told = 0
    while time.monotonic() < deadline:
        entries = caller.read(f"/v1/dossiers/{dossier}/timeline")["entries"]
        for entry in entries[told:]:
            console.print(f"  {clock.in_paris(clock.from_iso(entry['at'])):%H:%M:%S}  {escape(entry['label'])}")
        told = len(entries)
        shown = caller.read(f"/v1/dossiers/{dossier}")
        if shown["ended"] or shown["parked"]:
            if shown["parked"]:
                console.print(f"  [yellow]{escape(shown['parked'])}[/]")
            return str(shown["state"])
        time.sleep(_LOOK_EVERY)
    raise Unavailable(_t("demo.too_long", seconds=int(_WITHIN)))


def _evidence(caller: _Caller, dossier: str, target: Path) -> tuple[str, Path]:
    record = str(caller.read(f"/v1/dossiers/{dossier}")["record"])
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        status, body = caller.ask("GET", f"/v1/records/{record}/evidence")
        if status == http.client.OK:
            target.write_bytes(body)
            return record, target
        time.sleep(_LOOK_EVERY)
    raise Unavailable(_t("demo.too_long", seconds=int(_WITHIN)))


class _Caller:
    """Finance software, reduced to what it takes: one connection and a token."""

    def __init__(self, running: Embedded) -> None:
        address = urlsplit(running.address)
        self._host, self._port = address.hostname or "127.0.0.1", address.port
        token = running.demonstration.token if running.demonstration else ""
        self._known = {"Authorization": f"Bearer {token}", "Accept-Language": current_locale()}

    def deposit(self, path: Path) -> str:
        boundary = "----tabellion"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="document"; filename="{path.name}"\r\n\r\n'
        body = head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        status, answer = self.ask("POST", "/v1/dossiers", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
        if status != http.client.CREATED:
            raise Unavailable(_t("demo.refused", status=status, answer=answer.decode(errors="replace")[:500]))
        return str(json.loads(answer)["id"])

    def read(self, path: str) -> dict[str, Any]:
        status, answer = self.ask("GET", path)
        if status != http.client.OK:
            raise Unavailable(_t("demo.refused", status=status, answer=answer.decode(errors="replace")[:500]))
        found: dict[str, Any] = json.loads(answer)
        return found

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=60)
        try:
            connection.request(method, path, body, {**self._known, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
