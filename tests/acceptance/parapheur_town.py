"""The demonstration as a newcomer starts it, in a process of its own: a token in the mayor’s hand, a browser for everybody."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page

from tests.softhsm import MODULE, PIN, SoftToken
from tests.waiting import PATIENCE

AGENT = Path(__file__).parents[2] / "agent"
CCAS = "21990001600029"
DESKTOP, PHONE = 1280, 390


@dataclass
class ParapheurTown:
    """A running demonstration.

    Attributes:
        address: of the platform.
        shown: what the demonstration tells a newcomer: accounts, token, PIN.
        token: in the mayor's hand.
    """

    address: str
    shown: dict[str, Any]
    folder: Path
    token: SoftToken
    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def tab(self, who: str, width: int = DESKTOP, **options: Any) -> Page:
        """Open a tab in which somebody is signed in."""
        context = self.browser.new_context(
            base_url=self.address, viewport={"width": width, "height": 844}, locale="fr-FR", **options
        )
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda said: self.troubles.append(said.text) if "Content Security Policy" in said.text else None)
        email = f"{who}@valmorin.example"
        page.goto("/connexion")
        page.get_by_label("Adresse électronique").fill(email)
        page.get_by_label("Mot de passe").fill(self.shown["accounts"][email])
        page.get_by_role("button", name="Se connecter").click()
        page.wait_for_url(lambda address: "/connexion" not in address)
        return page

    def close_tabs(self) -> None:
        """Close every tab; none may have met an error."""
        for context in self.contexts:
            context.close()
        self.contexts.clear()
        assert self.troubles == []

    def api(self) -> httpx.Client:
        """The finance software's connection."""
        return httpx.Client(base_url=self.address, headers={"Authorization": f"Bearer {self.shown['token']}"}, timeout=60)

    def sends_pes(self, path: Path) -> str:
        """Push a PES of the CCAS, whose PES are signed by hand, and return its dossier."""
        with self.api() as client, path.open("rb") as stream:
            answer = client.post("/v1/dossiers", data={"organisation": CCAS}, files={"document": (path.name, stream)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def sends_letter(self, title: str, subtype: str, document: bytes) -> str:
        """Push a letter into a circuit of the commune, and return its dossier."""
        said = {"flow": "document", "desk": "secretariat", "type": "Courrier", "subtype": subtype, "title": title}
        with self.api() as client:
            answer = client.post("/v1/dossiers", data=said, files={"document": (f"{title}.pdf", document)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def state(self, dossier: str) -> str:
        with self.api() as client:
            return str(client.get(f"/v1/dossiers/{dossier}").raise_for_status().json()["state"])

    def wait_for(self, dossier: str, *states: str, seconds: float = 60) -> str:
        """Wait until a dossier is in one of these states."""
        return until(lambda: self.state(dossier), lambda state: state in states, seconds)

    def agent(self, link: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the desktop agent as the browser does when its link is opened, the PIN given at once."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        (home / "pin").write_text(PIN)
        local = ("--insecure-localhost", "--trust-origin", "--module", str(MODULE), "--pin-file", str(home / "pin"), "--yes")
        settings = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "PYTHONPATH": str(AGENT), "PYTHONIOENCODING": "utf-8"}
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tabellion_agent", "--terminal", *local, *options, link],
            env={**self.token.environment, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )


def until(look: Callable[[], Any], right: Callable[[Any], bool], seconds: float = PATIENCE) -> Any:
    """Look again until what is seen is right, and return it."""
    deadline = time.monotonic() + seconds
    while not right(seen := look()):
        assert time.monotonic() < deadline, f"what was awaited did not happen: {seen!r}"
        time.sleep(0.2)
    return seen


def started(folder: Path, tabellion: Path, port: int) -> subprocess.Popen[bytes]:
    """Start ``tabellion up`` in a folder of its own."""
    environment = {
        **{name: value for name, value in os.environ.items() if not re.match("TABELLION_(?!TEST)", name)},
        "TABELLION_STATE_DIR": str(folder / "var"),
        "TABELLION_HTTP_PORT": str(port),
    }
    with (folder / "up.log").open("ab") as log:
        return subprocess.Popen([str(tabellion), "up"], env=environment, stdout=log, stderr=log)


def introduced(folder: Path) -> dict[str, Any]:
    """Return what the demonstration tells a newcomer, once it is there."""
    path = folder / "var" / "demonstration.json"
    return json.loads(path.read_text()) if path.exists() else {}
