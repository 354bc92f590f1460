"""``tabellion verify`` as a user runs it, on what we sign: answers, exit status, report."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from schemas.pes.sample import Sample, write_sample
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.pki import TestAuthority
from tests.terminal import TABELLION, run_here


@dataclass(frozen=True)
class Desk:
    """What lies on a user's desk."""

    folder: Path

    def verify(self, *arguments: str, trusting: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        trust = ("--trust", "trust") if trusting else ()
        if not environment:
            return run_here("verify", *trust, *arguments, environment={}, folder=self.folder)
        command = [str(TABELLION), "verify", *trust, *arguments]
        given = {**os.environ, **environment}  # the language is chosen when the program starts
        return subprocess.run(command, cwd=self.folder, env=given, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    authority = TestAuthority.create()
    signer = Pkcs12Signer.load(authority.seal(bits=2048).as_pkcs12("x"), "x")
    (folder / "trust").mkdir()
    (folder / "trust" / "anchor.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    write_sample(Sample("DESK", bordereaux=2), folder / "flow.xml")
    seal(folder / "flow.xml", folder / "sealed.xml", signer, SealContext(role="Maire", city="Saint-Exemple", postal_code="99000"))
    octets = (folder / "sealed.xml").read_bytes()
    (folder / "altered.xml").write_bytes(octets.replace(b'<IdBord V="101"/>', b'<IdBord V="103"/>'))
    (folder / "acte.txt").write_bytes(b"Un acte.")
    (folder / "autre.txt").write_bytes(b"Un autre acte.")
    sign(Cades(), folder / "acte.txt", folder / "acte.p7s", signer)
    return Desk(folder)


@pytest.mark.parametrize(
    ("arguments", "status", "verdict"),
    [
        (("sealed.xml",), 0, "valid"),
        (("altered.xml",), 1, "invalid"),
        (("flow.xml",), 1, "unsigned"),
        (("--detached", "acte.txt", "acte.p7s"), 0, "valid"),
        (("--detached", "autre.txt", "acte.p7s"), 1, "invalid"),
    ],
)
def test_the_status_follows_the_verdict(desk: Desk, arguments: tuple[str, ...], status: int, verdict: str) -> None:
    ran = desk.verify("--json", *arguments)
    assert (ran.returncode, ran.stderr) == (status, "")
    (line,) = map(json.loads, ran.stdout.splitlines())
    assert (line["file"], line["verdict"]) == (arguments[-1], verdict)


def test_nobody_trusted_is_indeterminate_and_no(desk: Desk) -> None:
    ran = desk.verify("--json", "sealed.xml", trusting=False)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["verdict"] == "indeterminate"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("absent.pdf",), "absent.pdf"),
        (("acte.txt",), "CAdES"),
        (("acte.p7s",), "--detached"),
        (("--detached", "absent.txt", "acte.p7s"), "No such file"),
        (("--detached", "acte.txt", "sealed.xml"), "--detached"),
        (("--report", "report.docx", "sealed.xml"), "report.docx"),
        (("--report", "report.html", "sealed.xml", "flow.xml"), "--report"),
        (("--report", "absent/report.html", "sealed.xml"), "report.html"),
        (("--at", "hier", "sealed.xml"), "hier"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    ran = desk.verify(*arguments)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_trust_folder_that_is_not_there_is_wrong_use(desk: Desk) -> None:
    ran = desk.verify("--trust", "absent", "sealed.xml", trusting=False)
    assert ran.returncode == 2
    assert "absent" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_one_unreadable_file_among_others_leaves_the_others_told(desk: Desk) -> None:
    ran = desk.verify("--json", "acte.txt", "sealed.xml", "altered.xml")
    assert ran.returncode == 2
    assert [json.loads(line)["verdict"] for line in ran.stdout.splitlines()] == ["valid", "invalid"]


def test_a_person_reads_four_answers_for_each_signature(desk: Desk) -> None:
    told = desk.verify("altered.xml").stdout
    assert "altered.xml · Invalide" in told
    assert told.count("Que couvre-t-elle") == 2
    for words in (
        "Signature 1 sur 2",
        "Non, ce qu’elle couvre a changé",
        "Oui, par une autorité de confiance",
        "Le bordereau BRD101",
    ):
        assert words in told
    assert "Signature 2 of 2" in desk.verify("altered.xml", TABELLION_LANG="en").stdout


@pytest.mark.parametrize(("name", "begins"), [("r.html", b"<!DOCTYPE html>"), ("r.pdf", b"%PDF-"), ("r.json", b"{")])
def test_a_report_is_written_whatever_the_verdict(desk: Desk, tmp_path: Path, name: str, begins: bytes) -> None:
    ran = desk.verify("--json", "--report", str(tmp_path / name), "altered.xml")
    assert (ran.returncode, json.loads(ran.stdout)["verdict"]) == (1, "invalid")
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_the_report_speaks_the_language_in_force(desk: Desk, tmp_path: Path) -> None:
    for language, words in (("fr", "Vérification de"), ("en", "Verification of")):
        desk.verify("--report", str(tmp_path / "r.html"), "sealed.xml", TABELLION_LANG=language)
        assert words in (tmp_path / "r.html").read_text(encoding="utf-8")
