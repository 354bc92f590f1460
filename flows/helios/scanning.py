"""Rule R15: nothing that an antivirus knows stands in a PES, nor in its supporting documents, taken out and inflated."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from core.platform import Platform
from core.problems import Problem
from flows import antivirus
from schemas.pes.attachments import AttachmentUnreadable, extract
from schemas.pes.contents import read_contents
from schemas.pes.enclosed import LARGEST
from schemas.pes.parts import Attachment

_RULE = "R15"
_PIECE = 1 << 16


def flow_problems(platform: Platform, path: Path, name: str) -> list[Problem]:
    """Return what the antivirus found in a flow as it came.

    Raises:
        Unavailable, NeedsOperator: it does not answer, or the file is beyond its limits.
    """
    return antivirus.infected(platform, _RULE, [(name, path)])


def attachment_problems(platform: Platform, path: Path) -> list[Problem]:
    """Return what the antivirus found in the supporting documents of a flow; one that cannot be read is not its business.

    Whatever rule P08 lets through is looked at, however large: a flow that it refuses is not asked about.

    Raises:
        Unavailable, NeedsOperator: as ``flow_problems``.
    """
    if antivirus.scanner_of(platform) is None:
        return []
    return antivirus.infected(platform, _RULE, _taken_out(path))


def _taken_out(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield each supporting document in a file of its own, there until the next is asked for."""
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder, path.open("rb") as stream:
        for one in read_contents(iter(lambda: stream.read(_PIECE), b"")):
            if isinstance(one, Attachment):
                target = Path(folder) / "document"
                with suppress(AttachmentUnreadable):
                    extract(_stretch(path, one.start, one.end), target, LARGEST)
                    yield one.name or one.unique_id or f"{one.rank}", target


def _stretch(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(start)
        while (left := end - stream.tell()) > 0 and (piece := stream.read(min(left, _PIECE))):
            yield piece
