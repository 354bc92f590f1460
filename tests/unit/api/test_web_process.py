"""What a web process at rest has imported: each of these libraries costs it megabytes that a document will need."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    "PIL",
    "aiohttp",
    "alembic",
    "dkim",
    "fido",
    "nacl",
    "paramiko",
    "pikepdf",
    "pyhanko",
    "pypdfium2",
    "reportlab",
    "saxonche",
    "typst",
}


def test_a_web_process_at_rest_holds_no_library_that_only_some_of_its_work_needs() -> None:
    told = "import json, sys, api.server; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    answer = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    imported = set(json.loads(answer.stdout))
    assert "fastapi" in imported
    assert imported & HEAVY == set()
