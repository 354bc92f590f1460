"""What a PDF carries that a reader at home might run or open: scripts, programs to be started, files. Runs in the sandbox only.

PDFium counts the scripts and files of the whole document; actions elsewhere are looked for here, through a bounded number of
objects, those of the document before those of its pages. A warning that is missing proves nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject
from pyhanko.pdf_utils.reader import PdfFileReader

_MOST_OBJECTS = 6000
_PASSED_OVER = frozenset({"/Parent", "/P", "/Resources", "/Contents", "/StructTreeRoot", "/Metadata", "/AP", "/Outlines"})
_ACTIONS = {"/JavaScript": "script", "/Launch": "program"}


def of(path: Path, *, scripts: bool, files: bool) -> list[str]:
    """Return what is found, besides what is known already: ``script``, ``program``, ``files``."""
    found = {name for name, known in (("script", scripts), ("files", files)) if known}
    with path.open("rb") as stream:
        try:
            for one in _dictionaries(PdfFileReader(stream, strict=False).root):
                if kind := _ACTIONS.get(str(one.get("/S", ""))):
                    found.add(kind)
                if "/EF" in one:
                    found.add("files")
        except (Exception, RecursionError):  # noqa: BLE001  (what PDFium reads and pyHanko does not is shown all the same)
            return sorted(found)
    return sorted(found)


def _dictionaries(root: Any) -> Iterator[Any]:
    waiting, seen, looked_at = deque([root]), set(), 0
    while waiting and looked_at < _MOST_OBJECTS:
        one = waiting.popleft()
        if isinstance(one, IndirectObject):
            if one.reference in seen:
                continue
            seen.add(one.reference)
            one = one.get_object()  # type: ignore[no-untyped-call]
        looked_at += 1
        if isinstance(one, DictionaryObject):
            yield one
            waiting.extend(one.raw_get(key) for key in one if key not in _PASSED_OVER)
        elif isinstance(one, ArrayObject):
            waiting.extend(one.raw_get(rank) for rank in range(len(one)))
