"""Heads of the journal outside the platform: each written to a folder that the operator names, on another machine if need be.

One ZIP a head (``head.json``, ``token.der``, ``certificates/NN.pem``, ``SHA256SUMS``), which is never replaced: whoever keeps the
folder can hold a later proof of consistency against it (`archive.proof.consistency`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlmodel import col, select

from archive.models import TreeHead
from archive.proof.chains import chain_of
from archive.proof.evidence import SUMS, add_stamped_head, sums
from archive.proof.head import Head
from archive.stored_zip import stored_zip
from core.platform import Platform
from core.principal import PLATFORM

_AT_ONCE = 100


def name_of(size: int) -> str:
    """Return the name of the file of a head."""
    return f"head-{size:012d}.zip"


def write_head(platform: Platform, row: TreeHead, target: Path) -> None:
    """Write a head, its token and the authority's chain to a file; the same head gives the same bytes."""
    head = Head.read(row.head)
    with stored_zip(target, head.at) as zipped:
        stored = list(add_stamped_head(zipped, head, row.token, chain_of(platform, row)))
        zipped.add(SUMS, sums(stored))


def write_due(platform: Platform) -> int:
    """Write the heads that the folder does not have yet, oldest first; return how many there were.

    A head appears whole, under its name, or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = platform.settings.heads_dir
    if folder is None:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for row in _due(platform, folder):
        with tempfile.TemporaryDirectory(prefix=".head-", dir=folder) as own:
            written = Path(own) / "head.zip"
            write_head(platform, row, written)
            _flush(written)
            os.link(written, folder / name_of(row.size))  # refused where the name is taken, unlike a rename
        count += 1
    if count:
        _flush(folder)
    return count


def newest_head(platform: Platform) -> TreeHead | None:
    """Return the newest head; None before the first."""
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(TreeHead).order_by(col(TreeHead.size).desc()).limit(1)).first()


def _due(platform: Platform, folder: Path) -> Iterator[TreeHead]:
    last = max((int(path.stem.removeprefix("head-")) for path in folder.glob("head-????????????.zip")), default=0)
    with platform.database.reading(PLATFORM) as session:
        later = select(TreeHead).where(TreeHead.size > last).order_by(col(TreeHead.size)).limit(_AT_ONCE)
        rows = list(session.exec(later))
    yield from rows


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
