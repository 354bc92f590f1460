"""Every container of the samples gets its expected verdict; OpenSSL is a witness of the CMS in ours."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing.asic.seal import AsicE
from signing.asic.verifier import verify
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pki import TestAuthority
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict

FOLDER = Path(__file__).parents[3] / "../shared/corpus/signatures"
OPENSSL = shutil.which("openssl")
MESSAGE = "META-INF/signature001.p7s"


def entries() -> list[Any]:
    listing = FOLDER / "expected.jsonl"
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    found = [entry for entry in map(json.loads, lines) if entry["file"].startswith("asic/")]
    return [pytest.param(entry, id=entry["file"]) for entry in found]


ENTRIES = entries()


def verdict_of(shared: Path, entry: dict[str, Any]) -> FileVerdict:
    folder = shared / "corpus/signatures"
    at = datetime.fromisoformat(entry["at"]).replace(tzinfo=UTC)
    return verify(folder / entry["file"], trust=TrustStore.from_folder(folder / entry["trust_dir"]), at=at)


def openssl(container: Path, scratch: Path, *options: str) -> tuple[bool, str]:
    """Have the CMS of a container verified over its manifest."""
    with zipfile.ZipFile(container) as archive:
        manifest = next(name for name in archive.namelist() if "ASiCManifest" in name)
        (scratch / "manifest.xml").write_bytes(archive.read(manifest))
        (scratch / "message.p7s").write_bytes(archive.read(MESSAGE))
    command = [str(OPENSSL), "cms", "-verify", "-binary", "-purpose", "any", "-inform", "DER", "-in", "message.p7s"]
    command += ["-content", "manifest.xml", "-out", "/dev/null", *options]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0, done.stderr.strip()


def test_there_are_samples(shared: Path) -> None:
    assert shared.is_dir()
    assert len(ENTRIES) >= 8


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_verdict_is_the_expected_one(shared: Path, entry: dict[str, Any]) -> None:
    assert verdict_of(shared, entry).verdict == entry["verify"], entry["why"]


@pytest.mark.parametrize("sample", ["d_xades_onefile.asice", "d_xades_onefile.asics"])
@pytest.mark.parametrize("changes", [{"test.text": b"another text"}, {"ajout.txt": b"added"}, {"test.text": None}])
def test_a_container_signed_in_xml_and_changed_since_is_refused(
    shared: Path, tmp_path: Path, sample: str, changes: dict[str, bytes | None]
) -> None:
    with zipfile.ZipFile(shared / "corpus/signatures/asic" / sample) as archive:
        files = {name: archive.read(name) for name in archive.namelist()} | changes
    changed = tmp_path / sample
    with zipfile.ZipFile(changed, "w") as archive:
        for name, octets in files.items():
            if octets is not None:
                archive.writestr(name, octets)
    assert verify(changed, trust=None).verdict is Belief.INVALID


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize("entry", [one for one in ENTRIES if "xades" not in one.values[0]["file"]])
def test_openssl_sees_a_good_message_even_where_a_file_is_altered(shared: Path, entry: dict[str, Any], tmp_path: Path) -> None:
    verdict = verdict_of(shared, entry)
    theirs, words = openssl(shared / "corpus/signatures" / entry["file"], tmp_path, "-noverify")
    print(f"{entry['file']}: ours {verdict.verdict} | openssl, message alone: {theirs} ({words})")  # noqa: T201 - the witness
    assert theirs


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize(("family", "bits"), [("rsa", 2048), ("ec", 256)])
def test_openssl_takes_the_message_of_ours_for_cades(tmp_path: Path, authority: TestAuthority, family: str, bits: int) -> None:
    source, container = tmp_path / "files.zip", tmp_path / "files.asice"
    files = {"délibération.pdf": b"%PDF-1.4", "annexe.txt": b"annexe"}
    with zipfile.ZipFile(source, "w") as archive:
        for name, octets in files.items():
            archive.writestr(name, octets)
    signer = Pkcs12Signer.load(authority.seal(family=family, bits=bits).as_pkcs12("x"), "x")
    ours = sign(AsicE(), source, container, signer)
    (tmp_path / "anchor.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    theirs, words = openssl(container, tmp_path, "-CAfile", "anchor.pem", "-cades")
    print(f"{family}: ours intact {ours.signatures[0].intact} | openssl {theirs} ({words})")  # noqa: T201 - the witness
    assert theirs, words
    manifest = (tmp_path / "manifest.xml").read_text(encoding="utf-8")
    with zipfile.ZipFile(container) as archive:
        assert {name: archive.read(name) for name in files} == files
    for octets in files.values():  # the digests, made again by another hand
        done = subprocess.run(
            [str(OPENSSL), "dgst", "-sha256", "-binary"], input=octets, capture_output=True, timeout=60, check=True
        )
        assert done.stdout == hashlib.sha256(octets).digest()
        encoded = subprocess.run([str(OPENSSL), "base64"], input=done.stdout, capture_output=True, timeout=60, check=True)
        assert encoded.stdout.decode().strip() in manifest
