"""Verifying XAdES, and plain XML signatures, in any XML but a PES: one verdict for the file, four answers for each signature."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO

from lxml import etree

from core import clock
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from schemas import xml
from signing.pes.inspected import Inspected, verdict_of
from signing.trust import TrustStore
from signing.verdicts import FileVerdict
from signing.xades.inspection import inspect

_messages = Catalogue("signing")
_LARGEST = 128 << 20


def verify(path: Path, *, detached: Path | None = None, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify every signature of an XML file.

    Args:
        path: of the file, or of the detached signature: at most 128 MiB, since its tree is held in memory.
        detached: the file that a detached signature is over; read as a stream, whatever its size and its name.
        trust: who is believed; None means nobody: nothing better than indeterminate comes out.
        at: the moment of the verification, now by default.

    Raises:
        UnreadableInput: a DOCTYPE, not well-formed XML, too large, or no detached file there.
        UsageError: a detached file is named for signatures that are over none, or none for one that is.
    """
    if detached is not None and not detached.is_file():
        raise UnreadableInput(_messages("cades.absent", file=detached.name))
    if path.stat().st_size > _LARGEST:
        raise UnreadableInput(_messages("xades.large", limit=_LARGEST >> 20))
    asked: set[str | None] = set()

    def resolve(uri: str | None) -> IO[bytes] | None:
        if detached is None:
            raise UsageError(_messages("cades.detached", file=path.name))
        asked.add(uri)
        return detached.open("rb") if len(asked) == 1 else None  # one file cannot be two

    inspection = inspect(xml.parse(path), resolve, trust=trust, at=at or clock.now())
    if detached is not None and not asked and any(one.covers for one in inspection.signatures):
        raise UsageError(_messages("verification.own_data", file=path.name))
    whole = {f"file {uri}" for uri in asked}
    return verdict_of(inspection, _level, lambda name: "document" if name in whole else name)


def verify_document(
    tree: etree._ElementTree,
    *,
    resolve: Callable[[str], IO[bytes] | None],
    trust: TrustStore | None,
    at: datetime,
    existed: datetime | None = None,
) -> FileVerdict:
    """Verify every signature of a document over files that it names, such as those of a container.

    Args:
        tree: parsed by ``schemas.xml``; not to be used by another thread meanwhile.
        resolve: opens the file that a reference names, by its URI as written; None when there is no such file.
        trust: who is believed; None means nobody.
        at: the moment of the verification.
        existed: a time at which the document is proved to have existed, by something outside of it.
    """
    inspection = inspect(tree, lambda uri: None if uri is None else resolve(uri), trust=trust, at=at, existed=existed)
    return verdict_of(inspection, _level)


def _level(inspected: Inspected) -> str | None:
    """Return the level verified: ``T``, else ``EPES`` with a policy, ``B`` with a signing time, ``BES``; plain ones have none."""
    if inspected.claims is None:
        return None
    if any(timestamp.valid for timestamp in inspected.timestamps):
        return "T"
    if inspected.claims.policy:
        return "EPES"
    return "BES" if inspected.claims.signing_time is None else "B"
