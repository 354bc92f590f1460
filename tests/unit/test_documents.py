"""The documents keep up with the code: drawings, settings, links."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from core.settings import PREFIX, Settings
from flows.registry import FLOWS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]


def test_the_drawing_of_every_flow_is_that_of_its_declaration() -> None:
    specification = importlib.util.spec_from_file_location("draw", ROOT / "docs" / "draw.py")
    assert specification is not None
    assert specification.loader is not None
    draw = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(draw)
    drawings = draw.drawings()
    assert {path.stem for path in drawings} == set(FLOWS)
    assert all(path.read_text(encoding="utf-8") == drawing for path, drawing in drawings.items()), "run make docs"


def test_every_link_within_the_project_leads_somewhere() -> None:
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known} | {f"{PREFIX}LANG"}
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(rf"{PREFIX}[A-Z0-9_]+[A-Z0-9]", document.read_text(encoding="utf-8"))
        if not name.startswith(f"{PREFIX}TEST_")
    }
    assert named - known == set()
