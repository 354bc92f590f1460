"""A flow that asks people binds the folder that it makes; what the signing book makes for itself is its desk's own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def making() -> list[tuple[str, ast.Call]]:
    """Every place of the flows in which a folder is made: the file, and the call."""
    return [
        (path.relative_to(ROOT / "flows").as_posix(), node)
        for path in sorted((ROOT / "flows").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "NewFolder"
    ]


@pytest.mark.parametrize(("place", "made"), making(), ids=[place for place, _ in making()])
def test_every_flow_but_that_of_documents_binds_its_folders(place: str, made: ast.Call) -> None:
    binds = [ast.literal_eval(one.value) for one in made.keywords if one.arg == "bound"]
    assert binds == ([] if place.startswith("document/") else [True])
