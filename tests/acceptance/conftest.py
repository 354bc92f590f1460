"""A browser, and the demonstration as a newcomer starts it: once for a file of tests."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from signing.pki import TestAuthority
from tests.acceptance.parapheur_town import ParapheurTown, introduced, started, until
from tests.conftest import free_port
from tests.softhsm import SoftToken
from tests.waiting import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)
# Without windows of its own, the shell takes a quarter of the processor time of the whole browser.
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
TABELLION = Path(sys.executable).with_name("tabellion")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium, as the machine has it: nothing is downloaded. Its event loop must end with its file."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[ParapheurTown]:
    """The demonstration in a process of its own, and a token with the mayor's key."""
    folder = tmp_path_factory.mktemp("demonstration")
    port = free_port()
    process = started(folder, TABELLION, port)
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None, (folder / "up.log").read_text()
        try:
            return bool(introduced(folder)) and httpx.get(f"{address}/health/ready", timeout=5).is_success
        except httpx.TransportError:
            return False

    try:
        until(ready, bool)
        token = SoftToken(folder / "softhsm")
        token.initialise()
        authority = TestAuthority.open(folder / "var" / "simulators" / "authority")
        token.hold(authority.seal("Maire de démonstration", bits=2048), "01", "maire")
        yield ParapheurTown(address, introduced(folder), folder, token, chromium)
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def town(demonstration: ParapheurTown) -> Iterator[ParapheurTown]:
    """The demonstration; tabs are closed afterwards, and none may have met an error."""
    yield demonstration
    demonstration.close_tabs()
