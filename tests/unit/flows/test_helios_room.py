"""Large PES pass one at a time in a worker: large by their size, or by what a tree of them takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.helios import stages


@pytest.mark.parametrize(
    ("content", "alone"),
    [(b"<a/>" * 9, False), (b"<a/>" * 11, True), (b"<a " + b'b=""' * 10 + b"/>", True), (b"<a>" + b"x" * 200 + b"</a>", True)],
    ids=["small", "tags", "attributes", "size"],
)
def test_what_a_tree_takes_much_for_waits_for_its_turn(
    content: bytes, alone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "_MANY_TAGS", 10)
    monkeypatch.setattr(stages, "_LARGE", 200)
    path = tmp_path / "flow.xml"
    path.write_bytes(content)
    with stages._room_for(path):
        free = stages._large_documents.acquire(blocking=False)
        if free:
            stages._large_documents.release()
        assert free is not alone
    assert stages._large_documents.acquire(blocking=False)
    stages._large_documents.release()
