"""Whatever octets a stranger sends, the answer is a report: never a failure of ours, never a file outside the folder."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from schemas.actes.rules import examine_archive, examine_envelope, examine_message
from schemas.actes.writer import render
from tests.unit.schemas_actes.acts import a_budget, a_parcel, an_act
from tests.unit.schemas_actes.every_message import messages


def damaged(octets: bytes, chance: random.Random) -> bytes:
    """The octets with a few changed, cut, repeated or put in."""
    work = bytearray(octets)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(len(work) + 1)
        kind = chance.choice(("set", "cut", "insert", "repeat", "end"))
        if kind == "set" and at < len(work):
            work[at] = chance.randrange(256)
        elif kind == "cut":
            del work[at : at + chance.randrange(40)]
        elif kind == "insert":
            work[at:at] = chance.choice((b"<", b"&", b"\xff", b"\0", b"<!DOCTYPE a>", b"</a>", "’".encode(), b"../", b"9" * 30))
        elif kind == "repeat":
            work[at:at] = work[at : at + chance.randrange(600)]
        elif chance.random() < 0.1:
            del work[at:]
    return bytes(work)


@pytest.mark.parametrize("seed", range(4))
def test_any_message_gets_a_report(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    rendered = [render(message) for message in messages().values()]
    path = tmp_path / "040-254002264-20240315-2024_012-DE-1-1_0.xml"
    for _ in range(250):
        path.write_bytes(damaged(chance.choice(rendered), chance))
        for examine in (examine_message, examine_envelope):
            report = examine(path)[1]
            assert all(problem.message and problem.mend for problem in report.problems)


@pytest.mark.parametrize("layer", ["gzip", "tar", "files"])
def test_any_archive_gets_a_report(layer: str, tmp_path: Path) -> None:
    chance = random.Random(layer)
    parcel = a_parcel(an_act(), a_budget())
    sound = parcel.write(tmp_path).read_bytes()
    for rank in range(150):
        folder = tmp_path / str(rank)
        taken = folder / "taken"
        taken.mkdir(parents=True)
        path = folder / parcel.name
        if layer == "files":
            broken = a_parcel(an_act(), a_budget())
            name = chance.choice(sorted(broken.files))
            broken.files[name] = damaged(broken.files[name], chance)
            broken.write(folder)
        else:
            octets = damaged(sound, chance) if layer == "gzip" else gzip.compress(damaged(gzip.decompress(sound), chance), 1)
            path.write_bytes(octets)
        report = examine_archive(path, folder=taken)[1]
        assert all(problem.message and problem.mend for problem in report.problems)
        assert {found.name for found in folder.iterdir()} == {parcel.name, "taken"}
        assert all(found.is_file() and not found.is_symlink() for found in taken.iterdir())
