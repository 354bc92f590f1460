#!/usr/bin/env python3
"""Draw every flow from its declaration into ``docs/flows/<name>.svg``, with the words of the French pages: ``make docs``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from api.words import label
from core.messages import speaking
from flows.engine.diagram import draw
from flows.engine.table import Flow
from flows.registry import FLOWS

FOLDER = Path(__file__).parent / "flows"


def drawings() -> dict[Path, str]:
    """Return what each drawing must hold, by its path."""
    with speaking("fr"):
        return {FOLDER / f"{name}.svg": _drawing(flow) + "\n" for name, flow in FLOWS.items()}


def _drawing(flow: Flow) -> str:
    return draw(flow, partial(label, flow=flow.name), title=label(f"flow.{flow.name}"))


if __name__ == "__main__":
    for path, drawing in drawings().items():
        path.write_text(drawing, encoding="utf-8")
