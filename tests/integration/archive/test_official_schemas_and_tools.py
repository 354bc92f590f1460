"""What we write is what others expect: the official schemas, an expert's usual tools, the sample packages of other systems."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from archive.ingest.inspection import check_package
from archive.kinds.pes import pes_package
from archive.package import Package, PackageFile
from archive.proof.evidence import prove
from schemas.seda import schema
from schemas.seda.model import Version
from schemas.seda.rules import check_manifest_file
from tests.archive_samples import RECORD, Notary


@pytest.mark.parametrize("version", list(Version))
def test_the_manifest_of_a_pes_is_valid_against_the_official_schema(
    version: Version, files: list[PackageFile], shared: Path, tmp_path: Path
):
    package = pes_package(tmp_path / "aip.zip", RECORD, files, version=version)
    schemas = shared / "official/seda"
    with zipfile.ZipFile(package.path) as zipped:
        manifest = etree.parse(zipped.extract("manifest.xml", tmp_path))
    validator = schema.load(schemas, version.value)
    assert validator.validate(manifest), validator.error_log
    assert check_package(package.path, schemas=schemas) == []


def test_sample_packages_of_other_systems_are_judged_as_expected(shared: Path):
    corpus, schemas = shared / "corpus/archive", shared / "official/seda"
    verdicts = {}
    for line in (corpus / "expected.jsonl").read_text().splitlines():
        expected = json.loads(line)
        if expected["kind"] != "sip":
            continue
        path = corpus / expected["file"]
        if path.suffix == ".zip":
            problems = check_package(path, schemas=schemas)
        else:
            _, problems = check_manifest_file(path, schemas=schemas)
        verdicts[path.name] = ("rejected" if problems else "accepted", expected["check"])
        assert {problem.rule for problem in problems} >= set(expected["rules"])
    assert len(verdicts) > 30
    assert {name: pair for name, pair in verdicts.items() if pair[0] != pair[1]} == {}


def test_an_expert_can_follow_the_guide_with_usual_tools(notary: Notary, package: Package, tmp_path: Path):
    missing = [tool for tool in ("unzip", "xxd", "openssl", "sha256sum") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"absent from this machine: {', '.join(missing)}")
    evidence = notary.evidence(package, index=70, size=77)
    prove(evidence, tmp_path / "evidence.zip")
    folder = tmp_path / "expert"
    subprocess.run(["unzip", "-q", tmp_path / "evidence.zip", "-d", folder], check=True)
    guide = (folder / "README.txt").read_text()
    commands = "\n".join(line.strip() for line in guide.splitlines() if line.startswith("    "))
    run = subprocess.run(["sh", "-ec", commands], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    expected = re.findall(r"Valeur attendue\s*: ([0-9a-f]{64})", guide)
    assert len(expected) == 3
    assert all(run.stdout.count(value) >= 1 for value in expected)
    assert run.stdout.count(evidence.head.root.hex()) == 2
    assert "Verification: OK" in run.stdout + run.stderr
    assert "FAILED" not in run.stdout


def test_openssl_refuses_the_token_over_another_head(notary: Notary, package: Package, tmp_path: Path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is absent from this machine")
    evidence = notary.evidence(package)
    (tmp_path / "token.der").write_bytes(evidence.token)
    (tmp_path / "head.json").write_bytes(evidence.head.canonical() + b" ")
    (tmp_path / "root.pem").write_bytes(notary.tsa.anchor.public_bytes(Encoding.PEM))
    command = "openssl ts -verify -data head.json -in token.der -token_in -CAfile root.pem"
    run = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert run.returncode != 0
