"""The embedded platform as an operator runs it: started, asked, killed, started again."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from api.demonstration import SIRET
from schemas.pes.sample import Authority, Sample, write_sample
from tests.clamd import Clamd
from tests.conftest import free_port
from tests.terminal import TABELLION, run_here
from tests.waiting import wait_until


class Operator:
    """Somebody at a terminal, with a state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = {
            **os.environ,
            "TABELLION_STATE_DIR": str(folder / "var"),
            "TABELLION_HTTP_PORT": str(self.port),
            "TABELLION_TRUST_DIR": str(folder / "var" / "simulators" / "trust"),
        }
        self.running: subprocess.Popen[bytes] | None = None
        self.said = ""

    def up(self) -> None:
        log = (self.folder / "up.log").open("ab")
        self.running = subprocess.Popen([str(TABELLION), "up"], env=self.environment, stdout=log, stderr=log)
        wait_until(lambda: b"Ctrl-C" in (self.folder / "up.log").read_bytes())
        self.said = (self.folder / "up.log").read_text(encoding="utf-8")
        (self.folder / "up.log").write_bytes(b"")

    def kill(self) -> None:
        if self.running is not None:
            self.running.send_signal(signal.SIGKILL)
            self.running.wait()

    def spawn(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own, as the shell does."""
        return subprocess.run(
            [str(TABELLION), *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_here(*arguments, environment=self.environment)

    def counted(self, table: str, column: str) -> dict[str, int]:
        database = sqlite3.connect(f"file:{self.folder / 'var' / 'tabellion.sqlite3'}?mode=ro", uri=True)
        with closing(database):
            return dict(database.execute(f"SELECT {column}, COUNT(*) FROM {table} GROUP BY {column}"))

    def pes(self, name: str, number: int) -> Path:
        path = self.folder / f"{name}.xml"
        write_sample(Sample(name, Authority(siret=SIRET), first_bordereau=number), path)
        return path


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """One folder for the file: a platform takes a while to start, and most tests only ask it something."""
    alone = Operator(tmp_path_factory.mktemp("operator"))
    yield alone
    alone.kill()
    # The S3 server outlives a killed parent: the next start would end it, here nobody starts again.
    pid = alone.folder / "var" / "s3" / "pid"
    if pid.exists():
        subprocess.run(["kill", "-9", pid.read_text()], check=False, capture_output=True)


@pytest.fixture
def operator(at_work: Operator) -> Iterator[Operator]:
    """The operator of a running platform."""
    if at_work.running is None or at_work.running.poll() is not None:
        at_work.up()
    environment = dict(at_work.environment)
    yield at_work
    at_work.environment = environment


def test_a_deposit_is_followed_to_its_record_proved_and_verified_offline(operator: Operator, tmp_path: Path) -> None:
    page = re.search(r"http\S+/courrier/\S+", operator.said)
    assert page is not None and "Retirer le document" in httpx.get(page[0], headers={"Accept-Language": "fr"}).text
    stand = {"answered": 1, "withdrawn": 3, "handed": 4, "failed": 1}  # the simulated post office knows nobody at one address
    wait_until(
        lambda: operator.counted("mail_recipient", "state") == stand,
        seen=lambda: str(operator.counted("mail_recipient", "state")),
    )
    assert operator.counted("convened", "presence") == {"present": 1, "proxy": 1, "unknown": 4}
    deposited = operator.spawn(
        "deposit", str(operator.pes("PES_CLI", 1)), "--flow", "helios", "--organisation", SIRET.siren, "--json"
    )
    assert deposited.returncode == 0, deposited.stderr
    dossier = json.loads(deposited.stdout)["dossier"]
    followed = operator.spawn("follow", dossier)
    assert followed.returncode == 0, followed.stdout + followed.stderr
    shown = json.loads(operator.run("show", dossier, "--json").stdout)
    assert shown["state"] == "archived"
    record = next(entry["facts"]["record"] for entry in shown["timeline"] if entry["kind"] == "record.sealed")
    proof = tmp_path / "proof.zip"
    wait_until(lambda: operator.run("archive", "prove", record, "-o", str(proof)).returncode == 0)
    operator.kill()
    alone = {"PATH": os.environ["PATH"]}
    trust = str(operator.folder / "var" / "simulators" / "trust")
    held = subprocess.run([str(TABELLION), "archive", "verify", str(proof), "--trust", trust], env=alone, check=False)
    assert held.returncode == 0
    unknown = subprocess.run([str(TABELLION), "archive", "verify", str(proof)], env=alone, check=False, capture_output=True)
    assert unknown.returncode == 1, "an authority that nobody vouches for must not pass"
    bytes_of_proof = bytearray(proof.read_bytes())
    bytes_of_proof[len(bytes_of_proof) // 2] ^= 1
    proof.write_bytes(bytes_of_proof)
    broken = subprocess.run([str(TABELLION), "archive", "verify", str(proof), "--trust", trust], env=alone, check=False)
    assert broken.returncode == 1
    with zipfile.ZipFile(tmp_path / "proof.zip") as opened:
        assert "README.txt" in opened.namelist()


def test_a_platform_killed_with_work_in_hand_takes_it_up_again(operator: Operator) -> None:
    dossiers = []
    for number in range(2, 6):
        ran = operator.run("deposit", str(operator.pes(f"PES_{number}", number)), "--organisation", SIRET.siren, "--json")
        dossiers.append(json.loads(ran.stdout)["dossier"])
    operator.kill()
    operator.up()
    for dossier in dossiers:
        followed = operator.run("follow", dossier, "--json")
        assert followed.returncode == 0, followed.stdout + followed.stderr


def test_doctor_finds_every_part_well_and_names_what_is_not(operator: Operator, antivirus: Clamd) -> None:
    operator.environment |= {"TABELLION_ANTIVIRUS": antivirus.tcp, "TABELLION_UPLOAD_LIMIT": "4000000"}
    well = operator.run("doctor", "--json")
    findings = [json.loads(line) for line in well.stdout.splitlines()]
    parts = ("S3", "Base", "Antivirus")
    assert all(finding["well"] for finding in findings if any(part in finding["part"] for part in parts)), findings
    assert any(finding["seen"].startswith("ClamAV") for finding in findings)
    operator.environment["TABELLION_ANTIVIRUS"] = "unix:/nowhere/clamd.ctl"
    operator.environment["TABELLION_TRUST_DIR"] = ""
    operator.environment.pop("TABELLION_TRUST_DIR")
    ill = operator.run("doctor", "--json")
    assert ill.returncode == 3
    assert {
        finding["part"] for finding in map(json.loads, ill.stdout.splitlines()) if not finding["well"] and finding["mend"]
    } >= {
        "Antivirus",
        "Autorités reconnues",
    }


def test_a_second_platform_on_the_same_folder_is_refused(operator: Operator) -> None:
    second = operator.spawn("up")
    assert second.returncode == 3
    assert "dossier" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_command_explains_itself_in_both_languages(language: str) -> None:
    environment = {**os.environ, "TABELLION_LANG": language}
    told = subprocess.run([str(TABELLION), "--help"], env=environment, capture_output=True, text=True, check=True).stdout
    for command in ("check", "verify", "up", "web", "worker", "relay", "simulators", "deposit", "show", "follow", "doctor"):
        assert command in told
    assert ("Vérifie" in told) == (language == "fr")


def test_an_unknown_dossier_is_told_in_a_sentence(operator: Operator) -> None:
    ran = operator.run("show", "01UNKNOWN")
    assert ran.returncode == 1
    assert "01UNKNOWN" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_database_that_is_none_and_a_key_that_is_not_named_are_told_in_a_sentence(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TABELLION_")} | {
        "TABELLION_STATE_DIR": str(tmp_path / "var"),
        "TABELLION_S3_ENDPOINT": "http://127.0.0.1:9",
        "TABELLION_S3_ACCESS_KEY": "a",
        "TABELLION_S3_SECRET_KEY": "b",
    }
    keyless = run_here("show", "01M8M9MJV5CEJFEM94AC1743KD", environment=environment)
    assert (keyless.returncode, "TABELLION_SECRET_KEY_FILE" in keyless.stderr) == (3, True), keyless.stderr
    assert not (tmp_path / "var" / "secret.key").exists()  # a fresh one would open nothing
    (tmp_path / "secret.key").write_bytes(Fernet.generate_key())
    environment["TABELLION_SECRET_KEY_FILE"] = str(tmp_path / "secret.key")
    empty = run_here("show", "01M8M9MJV5CEJFEM94AC1743KD", environment=environment)
    assert (empty.returncode, "db upgrade" in empty.stderr, "Traceback" in empty.stderr) == (3, True, False), empty.stderr
