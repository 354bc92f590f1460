"""Every CMS of the samples gets its expected verdict, with OpenSSL as a witness of what can be computed."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.errors import UnreadableInput, UsageError
from signing.cades.verifier import verify
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict

CORPUS = Path(__file__).parents[3] / "../shared/corpus"
OPENSSL = shutil.which("openssl")
MESSAGES = (".p7s", ".p7m")


def entries() -> list[Any]:
    found = []
    for folder in ("signatures", "parapheur"):
        listing = CORPUS / folder / "expected.jsonl"
        lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
        found += [{"folder": folder, **json.loads(line)} for line in lines]
    messages = [entry for entry in found if entry["file"].endswith(MESSAGES) and not entry["file"].startswith("timestamp/")]
    return [pytest.param(entry, id=entry["file"]) for entry in messages]


ENTRIES = entries()
JUDGED = [one for one in ENTRIES if one.values[0]["verify"]]


def verdict_of(shared: Path, entry: dict[str, Any]) -> FileVerdict:
    folder = shared / "corpus" / entry["folder"]
    trust = TrustStore.from_folder(folder / entry["trust_dir"]) if "trust_dir" in entry else None
    at = datetime.fromisoformat(entry["at"]).replace(tzinfo=UTC) if "at" in entry else None
    return verify(folder / entry["file"], detached=detached(folder, entry), trust=trust, at=at)


def detached(folder: Path, entry: dict[str, Any]) -> Path | None:
    return folder / entry["detached"] if "detached" in entry else None


def openssl(path: Path, content: Path | None, *options: str) -> tuple[bool, str]:
    form = "PEM" if path.read_bytes().startswith(b"-----") else "DER"
    command = [
        str(OPENSSL),
        "cms",
        "-verify",
        "-binary",
        "-purpose",
        "any",
        "-inform",
        form,
        "-in",
        str(path),
        "-out",
        "/dev/null",
    ]
    command += ["-content", str(content)] if content else []
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""


def test_there_are_samples(shared: Path) -> None:
    assert shared.is_dir()
    assert len(JUDGED) >= 16


@pytest.mark.parametrize("entry", JUDGED)
def test_the_verdict_is_the_expected_one(shared: Path, entry: dict[str, Any]) -> None:
    assert verdict_of(shared, entry).verdict == entry["verify"], entry["why"]


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize("entry", JUDGED)
def test_openssl_finds_the_same_signatures_intact(shared: Path, entry: dict[str, Any]) -> None:
    folder = shared / "corpus" / entry["folder"]
    verdict = verdict_of(shared, entry)
    ours = all(signature.intact for signature in verdict.signatures)
    theirs, words = openssl(folder / entry["file"], detached(folder, entry), "-noverify")
    print(f"{entry['file']}: ours {verdict.verdict}, intact {ours} | openssl {theirs} ({words})")  # noqa: T201 - the witness, beside ours
    assert ours == theirs


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize("entry", [one for one in JUDGED if one.values[0]["verify"] == "valid"])
def test_openssl_believes_what_we_believe_and_calls_cades_what_we_call_so(
    shared: Path, entry: dict[str, Any], tmp_path: Path
) -> None:
    folder = shared / "corpus" / entry["folder"]
    bundle = tmp_path / "authorities.pem"
    certificates = [*(folder / entry["trust_dir"]).glob("*.crt"), *(folder / entry["trust_dir"]).glob("*.pem")]
    bundle.write_text("\n".join(path.read_text() for path in certificates))
    moment = str(int(datetime.fromisoformat(entry["at"]).replace(tzinfo=UTC).timestamp()))
    options = ("-CAfile", str(bundle), "-attime", moment)
    path, content = folder / entry["file"], detached(folder, entry)
    (signature,) = verdict_of(shared, entry).signatures
    plain, words = openssl(path, content, *options)
    cades, cades_words = openssl(path, content, *options, "-cades")
    print(f"{entry['file']}: ours valid, {signature.format} | openssl {plain} ({words}), -cades {cades} ({cades_words})")  # noqa: T201 - the witness, beside ours
    assert plain
    assert cades == (signature.format == "CAdES")


def test_another_document_is_not_the_one_signed(shared: Path) -> None:
    folder = shared / "corpus/signatures"
    trust = TrustStore.from_folder(folder / "pki")
    verdict = verify(folder / "cades/c_cades_b.p7s", detached=folder / "cades/doc_altered.pdf", trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert not verdict.signatures[0].intact


def test_a_truncated_message_is_unreadable(shared: Path) -> None:
    with pytest.raises(UnreadableInput):
        verify(shared / "corpus/signatures/cades/d_malformed.p7m", trust=None)


def test_a_counter_signature_is_reported_apart_and_sha1_said(shared: Path) -> None:
    verdict = verify(shared / "corpus/signatures/cades/d_countersignature.p7m", trust=None)
    signature, counter = verdict.signatures
    assert (signature.covers, counter.covers) == ("document", "signature")
    assert signature.intact
    assert counter.intact
    assert any("SHA-1" in reason for reason in signature.reasons)
    assert verdict.verdict is Belief.INVALID  # RSA-1024 besides


def test_the_format_and_the_level_are_named(shared: Path) -> None:
    folder = shared / "corpus/signatures/cades"
    named = {}
    for path in sorted(folder.glob("c_*.p7s")):
        (signature,) = verify(path, detached=folder / "doc.pdf", trust=None).signatures
        named[path.stem] = (signature.format, signature.level)
    assert named["c_cades_b"] == ("CAdES", "B")
    assert named["c_cades_t"] == ("CAdES", "T")
    assert named["c_crypto"] == ("CMS", None)


def test_a_detached_signature_without_its_file_says_what_is_missing(shared: Path) -> None:
    with pytest.raises(UsageError, match="--detached"):
        verify(shared / "corpus/signatures/cades/c_cades_b.p7s", trust=None)
