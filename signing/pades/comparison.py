"""What was written after each signature of a PDF, and whether it changes what is shown.

The paths to every object of a document are compared, and a document can be made to have any number of them, or some of any
length: long bookmarks do. Beyond what an ordinary document takes, the comparison is begun again in a process of its own, bounded
in time and memory; starting one costs a second, so that ordinary documents are compared here.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial

from pyhanko.pdf_utils.generic import PdfObject, Reference
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.pdf_utils.xref import XRefSectionType
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DocInfoRule,
    DSSCompareRule,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    XrefStreamRule,
)

from signing.pades.document import Document, Embedded
from signing.pades.pdf import FLAWS

_LTA = ModificationLevel.LTA_UPDATES
_HYBRID = (XRefSectionType.HYBRID_MAIN, XRefSectionType.HYBRID_STREAM)
_OF_FORM = {"/Fields", "/DR", "/DA", "/Q"}  # without NeedAppearances, upon which viewers draw the fields anew
# pyHanko's default policy without its rule on form fields: a field filled in afterwards shows what nobody signed
_POLICY = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(),  # type: ignore[no-untyped-call]
        DocInfoRule().as_qualified(_LTA),
        XrefStreamRule().as_qualified(_LTA),
        ObjectStreamRule().as_qualified(_LTA),
        DSSCompareRule().as_qualified(_LTA),
        MetadataUpdateRule().as_qualified(_LTA),  # type: ignore[no-untyped-call]
    ],
    form_rule=FormUpdatingRule([SigFieldCreationRule(), SigFieldModificationRule()], _OF_FORM),  # type: ignore[no-untyped-call]
)
_MOST_STEPS = 50_000  # some seconds
_SECONDS = 60
_MEMORY = 4 << 30
_DEPTH = 1_000_000  # of calls: bookmarks are a chain, each of which is reached through all before


class Aftermath(StrEnum):
    """What came after a signature."""

    HARMLESS = "harmless"
    HARMFUL = "harmful"
    UNKNOWN = "unknown"


class _TooComplex(Exception):
    """More steps than are taken here."""


class _Counted(HistoricalResolver):
    """A revision whose objects can be asked for as long as there are steps left."""

    def __init__(self, reader: PdfFileReader, steps: Iterator[int], revision: int) -> None:
        super().__init__(reader, revision)
        self._steps = steps

    def __call__(self, ref: Reference) -> PdfObject:
        if next(self._steps, None) is None:
            raise _TooComplex
        found: PdfObject = super().__call__(ref)
        return found


def aftermaths(document: Document) -> tuple[Aftermath, ...]:
    """Tell what came after each signature and timestamp, in their order; unknown beyond our bounds and those of the standard.

    Up to the last signature a revision may add signatures and validation material; after it, validation material and document
    timestamps only; nothing else follows. What a signature itself forbids (DocMDP, FieldMDP) is held too.
    """
    if not document.strict:
        whole = (one.end == len(document.octets) for one in document.embedded)
        return tuple(Aftermath.HARMLESS if one else Aftermath.UNKNOWN for one in whole)
    revision = partial(_Counted, document.reader, iter(range(_MOST_STEPS)))
    try:
        return tuple(_aftermath(document, one, revision) for one in document.embedded)
    except (_TooComplex, RecursionError):
        return _apart(document)


def _apart(document: Document) -> tuple[Aftermath, ...]:
    """Compare in a process of its own."""
    try:
        answer = subprocess.run(  # noqa: S603 - this very module, by this very interpreter
            [sys.executable, "-m", __name__],
            input=document.octets[:],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=_SECONDS,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return tuple(Aftermath.UNKNOWN for _ in document.embedded)
    return tuple(Aftermath(word) for word in json.loads(answer.stdout))


def _aftermath(document: Document, embedded: Embedded, resolver: Callable[[int], HistoricalResolver]) -> Aftermath:
    if document.has_tail and embedded.end != len(document.octets):
        return Aftermath.HARMFUL
    last = max((one.revision for one in document.signatures), default=-1)
    before = resolver(embedded.revision)
    try:
        for revision in range(embedded.revision + 1, document.reader.total_revisions):
            if document.reader.xrefs.get_xref_container_info(revision).xref_section_type in _HYBRID:
                return Aftermath.HARMFUL  # two programs may read two documents in it
            found = _POLICY.apply(before, resolver(revision), embedded.locked, embedded.permission).modification_level
            allowed = ModificationLevel.FORM_FILLING if revision <= last else _LTA
            if found > allowed or (embedded.permission is not None and found.value > embedded.permission.value):
                return Aftermath.HARMFUL
    except RecursionError:
        raise
    except FLAWS:
        return Aftermath.HARMFUL
    return Aftermath.HARMLESS


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.setrecursionlimit(_DEPTH)
    document = Document.read(sys.stdin.buffer.read())
    resolver = document.reader.get_historical_resolver
    json.dump([_aftermath(document, one, resolver) for one in document.embedded], sys.stdout)


if __name__ == "__main__":
    _main()
