"""The composer's side of a PDF, run in the sandbox: it imports little, since each document pays for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_TEMPLATE = Path(__file__).with_name("report.typ")
_SOURCE, RESULT = "page.typ", "page.pdf"


def compose(told: dict[str, Any]) -> None:
    """Write the PDF where this process stands.

    Args:
        told: ``page`` as the template takes it, ``made`` its date in seconds since 1970.
    """
    import typst  # by the process that draws, not by every one that has something drawn

    # The template stands beside what it may read: nothing but itself.
    Path(_SOURCE).write_bytes(_TEMPLATE.read_bytes())
    typst.compile(
        _SOURCE,
        RESULT,
        root=".",
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"page": json.dumps(told["page"])},
        pdf_standards=["ua-1"],
        timestamp=told["made"],
    )
