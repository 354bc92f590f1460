"""Verifying the signatures of a PES file: one verdict for the file, four answers for each signature."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from lxml import etree

from core import clock
from schemas import xml
from signing.pes.bulk import Bulk
from signing.pes.inspected import Inspected, verdict_of
from signing.pes.inspection import inspect
from signing.trust import TrustStore
from signing.verdicts import FileVerdict


def verify(path: Path, *, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify every signature of a file.

    Args:
        path: of the file; its size is bounded by the caller.
        trust: who is believed; None means nobody: nothing better than indeterminate comes out.
        at: the moment of the verification, now by default.

    Raises:
        UnreadableInput: a DOCTYPE, or not well-formed XML.
    """
    bulk = Bulk.of(path)
    return verify_tree(xml.parse(path) if bulk is None else bulk.tree(), bulk=bulk, trust=trust, at=at)


def verify_tree(
    tree: etree._ElementTree, *, bulk: Bulk | None = None, trust: TrustStore | None, at: datetime | None = None
) -> FileVerdict:
    """Verify every signature of a tree parsed by ``schemas.xml``; it must not be used by another thread meanwhile.

    ``bulk`` is the file it was parsed from, when it is mostly text.
    """
    return verdict_of(inspect(tree, bulk=bulk, trust=trust, at=at or clock.now()), _level)


def _level(inspected: Inspected) -> str | None:
    if inspected.claims is None:
        return None
    if any(timestamp.valid for timestamp in inspected.timestamps):
        return "T"
    return "EPES" if inspected.claims.policy else "BES"
