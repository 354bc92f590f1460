"""The desktop agent against the platform: real processes on both sides, a token between them."""

from __future__ import annotations

import base64
import io
import os
import pty
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from reportlab.pdfgen.canvas import Canvas

from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.platform import open_platform
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from core.secrets import SecretBox
from core.settings import Settings
from core.tokens import issue_token
from signing.pki import TestAuthority
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.verification import verify
from tests.conftest import MAIRIE, free_port
from tests.softhsm import MODULE, PIN, SoftToken, needs_softhsm
from tests.waiting import wait_until

pytestmark = needs_softhsm
AGENT = Path(__file__).parents[2] / "agent"
TABELLION = Path(sys.executable).with_name("tabellion")


@dataclass(frozen=True)
class Town:
    """A platform at work, whose software asks for signatures."""

    address: str
    token: str
    folder: Path

    def asks(self, *documents: bytes) -> tuple[str, str]:
        """Open a sitting; return its identifier and the link that opens the agent."""
        wanted = [
            {"title": f"Arrêté {number}.pdf", "format": "pades", "content": base64.b64encode(document).decode()}
            for number, document in enumerate(documents, 1)
        ]
        answer = self._client().post("/v1/sittings", json={"person": "Camille Essai", "documents": wanted})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["url"]

    def sitting(self, identifier: str) -> Any:
        return self._client().get(f"/v1/sittings/{identifier}").raise_for_status().json()

    def states(self, identifier: str) -> list[str]:
        return [item["state"] for item in self.sitting(identifier)["items"]]

    def signed(self, item: Any) -> Path:
        path = self.folder / f"{item['id']}.signed"
        path.write_bytes(self._client().get(item["href"]).raise_for_status().content)
        return path

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, headers={"Authorization": f"Bearer {self.token}"}, timeout=60)


@pytest.fixture(scope="module")
def town(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The web service in a process of its own, as ``tabellion web`` runs it."""
    folder = tmp_path_factory.mktemp("town")
    key = folder / "secret.key"
    SecretBox.created_at(key)
    port = free_port()
    values = {
        "state_dir": str(folder),
        "database_url": f"sqlite:///{folder / 'tabellion.sqlite3'}",
        "s3_endpoint": s3.endpoint,
        "s3_access_key": s3.access_key,
        "s3_secret_key": s3.secret_key,
        "s3_bucket_prefix": f"t{secrets.token_hex(6)}",
        "secret_key_file": str(key),
        "http_port": str(port),
    }
    platform = open_platform(Settings(**{**values, "s3_secret_key": SecretStr(s3.secret_key)}))  # type: ignore[arg-type]
    upgrade(platform.database)
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        mairie = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root, siret=MAIRIE)
        token = issue_token(session, mairie, "logiciel", {Right.READ, Right.DEPOSIT})
    platform.database.close()
    environment = {**os.environ, **{f"TABELLION_{name.upper()}": value for name, value in values.items()}}
    with (folder / "web.log").open("ab") as log:
        web = subprocess.Popen([str(TABELLION), "web"], env=environment, stdout=log, stderr=log)
        try:
            made = Town(f"http://127.0.0.1:{port}", token, folder)
            wait_until(lambda: web.poll() is None and answers(made.address), seen=(folder / "web.log").read_text)
            yield made
        finally:
            web.terminate()
            web.wait(20)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/v1/openapi.json", timeout=5).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority.create()


@pytest.fixture
def token(tmp_path: Path, authority: TestAuthority) -> SoftToken:
    made = SoftToken(tmp_path / "softhsm")
    made.initialise()
    made.hold(authority.seal("Camille Essai", bits=2048), "01", "maire")
    return made


@dataclass(frozen=True)
class Desk:
    """Where the agent runs: a home of its own, a token."""

    home: Path
    token: SoftToken

    def command(self, link: str, *options: str) -> list[str]:
        local = ("--insecure-localhost", "--trust-origin", "--module", str(MODULE))
        return [sys.executable, "-W", "ignore", "-m", "tabellion_agent", "--terminal", *local, *options, link]

    @property
    def environment(self) -> dict[str, str]:
        home = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home), "PYTHONPATH": str(AGENT), "PYTHONIOENCODING": "utf-8"}
        return {**self.token.environment, **home}

    def run(self, link: str, *options: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run the agent with the PIN in a file."""
        pin = self.home / "pin"
        if not pin.exists():
            pin.write_text(PIN)
        return subprocess.run(
            self.command(link, "--pin-file", str(pin), *options),
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def at_the_keyboard(self, link: str, replies: Sequence[tuple[str, str]]) -> tuple[int, str]:
        """Run the agent on a terminal, reply to its questions in turn; return its status and all that it wrote."""
        command = self.command(link)
        process, terminal = pty.fork()
        if process == 0:
            os.execve(command[0], command, self.environment)
        shown, left = "", list(replies)
        while True:
            try:
                part = os.read(terminal, 4096).decode(errors="replace")
            except OSError:  # how a terminal tells that nobody writes any more
                break
            shown += part
            if left and left[0][0] in shown.rpartition("\n")[2]:
                os.write(terminal, f"{left.pop(0)[1]}\n".encode())
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


@pytest.fixture
def desk(tmp_path: Path, token: SoftToken) -> Desk:
    home = tmp_path / "home"
    home.mkdir()
    return Desk(home, token)


def pdf(number: int) -> bytes:
    """A document of one page."""
    written = io.BytesIO()
    canvas = Canvas(written, invariant=True)
    canvas.drawString(72, 720, f"Arrêté municipal n° {number}")
    canvas.save()
    return written.getvalue()


def test_fifty_pdfs_are_signed_with_one_pin_and_each_verifies(town: Town, desk: Desk, authority: TestAuthority) -> None:
    documents = [pdf(number) for number in range(50)]
    sitting, link = town.asks(*documents)
    status, shown = desk.at_the_keyboard(link, [("Signer 50 documents", "oui"), ("Code PIN", PIN)])
    assert status == 0, shown
    assert shown.count("Code PIN") == 1
    assert "Signature : 12 sur 50" in shown
    assert "Documents signés : 50 sur 50." in shown
    assert PIN not in shown
    found = town.sitting(sitting)
    assert found["state"] == "closed"
    trust = TrustStore.of([authority.certificate])
    for item, document in zip(found["items"], documents, strict=True):
        assert item["state"] == "signed"
        signed = town.signed(item)
        assert signed.read_bytes().startswith(document)
        verdict = verify(signed, trust=trust)
        assert [(one.signer, one.covers, one.intact) for one in verdict.signatures] == [("Camille Essai", "document", True)]
        assert verdict.verdict is not Belief.INVALID


def test_a_ticket_serves_once(town: Town, desk: Desk) -> None:
    sitting, link = town.asks(pdf(1))
    assert desk.run(link, "--yes").returncode == 0
    again = desk.run(link, "--yes")
    assert again.returncode == 1
    assert "ticket" in again.stderr.lower()
    assert "Traceback" not in again.stderr
    assert town.states(sitting) == ["signed"]


def test_a_wrong_pin_signs_nothing_and_is_not_tried_twice(town: Town, desk: Desk) -> None:
    sitting, link = town.asks(pdf(1), pdf(2))
    (desk.home / "pin").write_text("111111")
    ended = desk.run(link, "--yes")
    assert ended.returncode == 1
    assert ended.stderr.strip() == "Le code PIN est faux."
    assert town.sitting(sitting)["state"] == "abandoned"
    assert "signed" not in town.states(sitting)


def test_a_wrong_pin_typed_may_be_mended(town: Town, desk: Desk) -> None:
    sitting, link = town.asks(pdf(1))
    status, shown = desk.at_the_keyboard(link, [("Signer 1 document", "oui"), ("Code PIN", "111111"), ("Code PIN", PIN)])
    assert status == 0, shown
    assert "Le code PIN est faux." in shown
    assert town.states(sitting) == ["signed"]


def test_whoever_says_no_signs_nothing(town: Town, desk: Desk) -> None:
    sitting, link = town.asks(pdf(1), pdf(2))
    ended = desk.run(link, typed="non\n")
    assert ended.returncode == 1
    assert "abandonné" in ended.stderr
    found = town.sitting(sitting)
    assert (found["state"], found["reason"]) == ("abandoned", "Vous avez abandonné : rien n’a été signé.")
    assert "signed" not in town.states(sitting)


def test_without_a_token_nothing_is_signed(town: Town, desk: Desk) -> None:
    sitting, link = town.asks(pdf(1))
    desk.token.remove()
    ended = desk.run(link, "--yes")
    assert ended.returncode == 1
    assert "Aucun jeton" in ended.stderr
    assert town.sitting(sitting)["state"] == "abandoned"


def test_documents_are_there_to_be_read_before_anything_is_signed(town: Town, desk: Desk, tmp_path: Path) -> None:
    sitting, link = town.asks(pdf(1), pdf(2))
    ended = desk.run(link, "--documents", str(tmp_path / "read"), typed="non\n")
    assert ended.returncode == 1
    assert sorted(path.read_bytes() for path in (tmp_path / "read").iterdir()) == sorted([pdf(1), pdf(2)])
    assert "signed" not in town.states(sitting)


@pytest.fixture
def at_hand(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent within this process, for what no honest token or terminal does."""
    monkeypatch.syspath_prepend(str(AGENT))
    monkeypatch.setenv("SOFTHSM2_CONF", str(desk.token.configuration))


def _last_bit(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


def _nothing(_: bytes) -> bytes:
    return b""


def _too_much(_: bytes) -> bytes:
    return b"x" * 9000


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize("spoil", [_last_bit, _nothing, _too_much])
def test_a_value_altered_on_its_way_refuses_that_document_alone(town: Town, spoil: Any) -> None:
    from tabellion_agent import token as tokens
    from tabellion_agent.link import Link
    from tabellion_agent.protocol import Platform
    from tabellion_agent.session import Session

    class Spoilt:
        def __init__(self, key: tokens.Key) -> None:
            self.key = key
            self.count = 0

        def sign(self, octets: bytes) -> bytes:
            self.count += 1
            return spoil(self.key.sign(octets)) if self.count == 2 else self.key.sign(octets)

    sitting, link = town.asks(pdf(1), pdf(2), pdf(3))
    session = Session(Platform(Link.read(link, insecure_localhost=True)))
    [identity] = tokens.identities([MODULE])
    with tokens.unlocked(identity, PIN) as key:
        outcomes = session.sign(identity, Spoilt(key), lambda *_: None)  # type: ignore[arg-type]
    assert [one.state for one in outcomes] == ["signed", "refused", "signed"]
    assert outcomes[1].detail
    found = town.sitting(sitting)
    assert found["state"] == "closed"
    assert [item["state"] == "signed" for item in found["items"]] == [True, False, True]
    assert found["items"][1]["href"] is None


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A screen that nobody looks at."""
    reading, writing = os.pipe()
    with subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1024x768x24"], pass_fds=[writing]) as served:
        os.close(writing)
        with os.fdopen(reading) as told:
            monkeypatch.setenv("DISPLAY", f":{told.readline().strip()}")
        yield
        served.terminate()


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is absent (apt-get install xvfb)")
@pytest.mark.usefixtures("at_hand", "screen")
def test_the_window_signs_from_the_keyboard_alone(town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tabellion_agent import window
    from tabellion_agent.link import Link
    from tabellion_agent.settings import Settings as Remembered

    told: list[str] = []
    opened: list[Path] = []
    asked: list[str] = []
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(window.messagebox, "askyesno", lambda _, question, **__: asked.append(question) or True)
    monkeypatch.setattr(window.messagebox, "showerror", lambda _, words, **__: told.append(words))
    monkeypatch.setattr(window, "_viewed", lambda path: opened.append(path.read_bytes()))

    class Driven(window.Window):
        """Whoever types waits for the window before each step."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.steps = iter([self.look, self.mistype, self.type, self.leave])
            self._root.after(50, self.go_on)

        def go_on(self) -> None:
            if not self._busy:
                step = next(self.steps)
                step()
                if step == self.leave:
                    return
            self._root.after(50, self.go_on)

        def look(self) -> None:
            self._root.event_generate("<Alt-v>")

        def mistype(self) -> None:
            self.typed("111111")

        def type(self) -> None:
            self.typed(PIN)

        def typed(self, pin: str) -> None:
            self._pin.focus_force()
            for digit in pin:
                self._pin.event_generate(f"<Key-{digit}>")
            self._pin.event_generate("<Return>")

    monkeypatch.setattr(window, "Window", Driven)
    sitting, link = town.asks(pdf(1), pdf(2), pdf(3))
    status = window.run(Link.read(link, insecure_localhost=True), Remembered(), (MODULE,))
    assert town.address in asked[0]
    assert opened == [pdf(1)]
    assert told == ["Le code PIN est faux."]
    assert status == 0
    assert town.states(sitting) == ["signed"] * 3


@pytest.mark.usefixtures("at_hand")
def test_a_token_pulled_out_in_the_middle_leaves_everything_unsigned(town: Town, desk: Desk) -> None:
    from tabellion_agent import token as tokens
    from tabellion_agent.errors import TokenProblem
    from tabellion_agent.link import Link
    from tabellion_agent.protocol import Platform
    from tabellion_agent.session import Session

    def pulled_out(doing: str, done: int, _total: int) -> None:
        if (doing, done) == ("Signature", 2):
            desk.token.remove()

    sitting, link = town.asks(pdf(1), pdf(2), pdf(3), pdf(4))
    session = Session(Platform(Link.read(link, insecure_localhost=True)))
    [identity] = tokens.identities([MODULE])
    with pytest.raises(TokenProblem, match="retiré"), tokens.unlocked(identity, PIN) as key:
        session.sign(identity, key, pulled_out)
    assert town.sitting(sitting)["state"] == "abandoned"
    assert "signed" not in town.states(sitting)
