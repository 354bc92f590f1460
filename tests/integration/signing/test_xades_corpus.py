"""Every sample signed in XML that is no PES gets its expected verdict, the files that detached ones are over beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from signing.trust import TrustStore
from signing.verdicts import FileVerdict
from signing.verification import Kind, recognise
from signing.xades.verifier import verify

CORPUS = Path(__file__).parents[3] / "../shared/corpus"
FOLDERS = ("signatures/xades/", "signatures/trustlist/", "parapheur/")


def entries() -> list[Any]:
    found = []
    for listing in sorted(CORPUS.glob("*/expected.jsonl")):
        for entry in map(json.loads, listing.read_text(encoding="utf-8").splitlines()):
            name = f"{listing.parent.name}/{entry['file']}"
            if name.startswith(FOLDERS) and name.endswith(".xml") and entry["kind"] is None and entry["verify"]:
                found.append(pytest.param(listing.parent.name, entry, id=name))
    return found


ENTRIES = entries()
DETACHED = [one for one in ENTRIES if "detached" in one.values[1]]


def verdict_of(folder: Path, entry: dict[str, Any], detached: Path | None) -> FileVerdict:
    at = datetime.fromisoformat(entry["at"]).replace(tzinfo=UTC)
    return verify(folder / entry["file"], detached=detached, trust=TrustStore.from_folder(folder / entry["trust_dir"]), at=at)


def test_there_are_samples(shared: Path) -> None:
    assert shared.is_dir()
    assert len(ENTRIES) >= 11
    assert len(DETACHED) >= 5


@pytest.mark.parametrize(("part", "entry"), ENTRIES)
def test_the_verdict_is_the_expected_one(shared: Path, part: str, entry: dict[str, Any]) -> None:
    folder = shared / "corpus" / part
    detached = folder / entry["detached"] if "detached" in entry else None
    assert recognise(folder / entry["file"]) is Kind.XML
    verdict = verdict_of(folder, entry, detached)
    assert verdict.verdict == entry["verify"], (entry["why"], verdict)
    assert len(verdict.signatures) == (folder / entry["file"]).read_bytes().count(b"<ds:Signature ")


@pytest.mark.parametrize(("part", "entry"), [one for one in DETACHED if one.values[1]["verify"] == "valid"])
def test_a_single_octet_changed_in_the_file_is_seen(shared: Path, tmp_path: Path, part: str, entry: dict[str, Any]) -> None:
    folder = shared / "corpus" / part
    octets = bytearray((folder / entry["detached"]).read_bytes())
    octets[len(octets) // 2] ^= 1
    changed = tmp_path / "changed"
    changed.write_bytes(octets)
    assert verdict_of(folder, entry, changed).verdict == "invalid"


def test_the_archive_timestamps_of_another_tool_are_found_to_be_of_their_signatures(shared: Path) -> None:
    verdict = verify(shared / "corpus/signatures/xades/d03_dss_double_signed.xml", trust=None)
    assert [[stamp.valid for stamp in one.timestamps] for one in verdict.signatures] == [[True, True], [True, True]]
