"""``tabellion verify`` over every sample that has an expected verdict, as a user runs it, beside what other programs say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.witnesses import Heard, Setting, ask, missing

TABELLION = Path(sys.executable).with_name("tabellion")
COLLECTIONS = ("signatures", "parapheur", "pes")
KEYS = {"format", "level", "signer", "signing_time", "intact", "covers", "trust", "timestamps", "verdict", "reasons"}
STATUS = {"valid": 0, "invalid": 1, "indeterminate": 1, "unsigned": 1}


@dataclass(frozen=True)
class Sample:
    """One file of the corpus, how it is verified, and the verdict that it must get."""

    path: Path
    expected: str
    detached: Path | None
    trust: Path | None
    at: str | None

    @property
    def options(self) -> tuple[str, ...]:
        named = (("--detached", self.detached), ("--trust", self.trust), ("--at", self.at))
        return tuple(text for name, value in named if value for text in (name, str(value)))


def samples_of(folder: Path) -> list[Sample]:
    lines = (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    return [_sample(folder, entry) for entry in map(json.loads, lines) if entry["verify"]]


def _sample(folder: Path, entry: dict[str, Any]) -> Sample:
    def named(key: str) -> Path | None:
        return folder / entry[key] if entry.get(key) else None

    return Sample(folder / entry["file"], entry["verify"], named("detached"), named("trust_dir"), entry.get("at"))


def answers(samples: list[Sample]) -> dict[Path, dict[str, Any]]:
    """Run the command once for each way of calling it, and return its answers by file."""
    groups: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.options].append(sample)
    told = {}
    for options, members in groups.items():
        command = [str(TABELLION), "verify", "--json", *options, *(str(member.path) for member in members)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)
        assert ran.stderr == "", ran.stderr
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        assert ran.returncode == max(STATUS[line["verdict"]] for line in lines)
        told |= {Path(line["file"]): line for line in lines}
    return told


@pytest.fixture(scope="module")
def samples(shared: Path) -> list[Sample]:
    found = [sample for name in COLLECTIONS for sample in samples_of(shared / "corpus" / name)]
    assert len(found) > 100
    return found


@pytest.fixture(scope="module")
def told(samples: list[Sample]) -> dict[Path, dict[str, Any]]:
    return answers(samples)


def test_every_sample_gets_its_verdict(samples: list[Sample], told: dict[Path, dict[str, Any]]) -> None:
    wrong = [
        f"{sample.path}: {told[sample.path]['verdict']} instead of {sample.expected}: {told[sample.path]}"
        for sample in samples
        if told[sample.path]["verdict"] != sample.expected
    ]
    assert wrong == [], "\n".join(wrong)


def test_every_answer_has_the_keys_of_the_contract_and_says_why(told: dict[Path, dict[str, Any]]) -> None:
    for line in told.values():
        assert line.keys() == {"file", "verdict", "signatures", "reasons"}
        assert all(signature.keys() >= KEYS for signature in line["signatures"])
        assert (line["verdict"] == "unsigned") == (line["signatures"] == [])
        if line["verdict"] in {"invalid", "indeterminate"}:
            assert line["reasons"] or any(signature["reasons"] for signature in line["signatures"]), line


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}")
def test_what_is_valid_here_is_not_broken_for_any_other_program(
    samples: list[Sample], told: dict[Path, dict[str, Any]], tmp_path: Path
) -> None:
    heard: dict[Path, Heard] = {}
    for sample in samples:
        heard[sample.path] = ask(sample.path, Setting(sample.detached, sample.trust, sample.at, tmp_path))
    table = [f"{'file':<68} {'expected':<14} {'ours':<14} {'witness':<12} {'says':<7} words"]
    for sample in samples:
        witness, ours = heard[sample.path], told[sample.path]["verdict"]
        name = str(sample.path.relative_to(sample.path.parents[2]))[-68:]
        table.append(f"{name:<68} {sample.expected:<14} {ours:<14} {witness.program:<12} {witness.answer:<7} {witness.words}")
    sys.stdout.write("\n".join(["", *table, ""]))
    wrong = [path for path, line in told.items() if line["verdict"] == "valid" and heard[path].answer == "no"]
    assert wrong == []
    assert sum(witness.answer == "yes" for witness in heard.values()) > 40
