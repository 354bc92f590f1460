"""Fifty PDFs signed by one person: the desktop agent, a token (SoftHSM2), and the web service, each in a process of its own."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reportlab.pdfgen.canvas import Canvas

from bench.places import place, web
from signing.pki import TestAuthority
from tests.softhsm import MODULE, PIN, SoftToken

DOCUMENTS = 50
_AGENT = Path(__file__).parents[1] / "agent"


def seconds() -> float:
    """Return how long the agent takes from its start to its end; the PIN is given once, in a file."""
    with place("embedded") as here, tempfile.TemporaryDirectory() as name, web(here) as (address, _):
        folder = Path(name)
        token = SoftToken(folder / "softhsm")
        token.initialise()
        token.hold(TestAuthority.create().seal("Camille Mesure", bits=2048), "01", "maire")
        (folder / "pin").write_text(PIN)
        sitting = _called(address, here.token, "POST", "/v1/sittings", {"person": "Camille Mesure", "documents": _documents()})
        command = [sys.executable, "-m", "tabellion_agent", "--terminal", "--insecure-localhost", "--trust-origin"]
        command += ["--module", str(MODULE), "--pin-file", str(folder / "pin"), sitting["url"]]
        home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "PYTHONPATH": str(_AGENT)}
        started = time.monotonic()
        ran = subprocess.run(
            command, env={**os.environ, **token.environment, **home}, input="oui\n", capture_output=True, text=True, check=False
        )
        took = time.monotonic() - started
        items = _called(address, here.token, "GET", f"/v1/sittings/{sitting['id']}")["items"]
        if ran.returncode or {item["state"] for item in items} != {"signed"}:
            raise RuntimeError(ran.stdout + ran.stderr)
        return took


def _documents() -> list[dict[str, str]]:
    return [
        {"title": f"Arrêté {number}.pdf", "format": "pades", "content": base64.b64encode(_pdf(number)).decode()}
        for number in range(1, DOCUMENTS + 1)
    ]


def _pdf(number: int) -> bytes:
    written = io.BytesIO()
    canvas = Canvas(written, invariant=True)
    canvas.drawString(72, 720, f"Arrêté municipal n° {number}")
    canvas.save()
    return written.getvalue()


def _called(address: str, token: str, method: str, path: str, body: object = None) -> Any:
    connection = http.client.HTTPConnection(address, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status >= http.client.BAD_REQUEST:
        raise RuntimeError(said.decode())
    return json.loads(said)
