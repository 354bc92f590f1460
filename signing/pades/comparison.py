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
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import partial
from typing import Any

from pyhanko.pdf_utils.generic import IndirectObject, PdfObject, Reference
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.pdf_utils.xref import XRefSectionType
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DocInfoRule,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    XrefStreamRule,
)
from pyhanko.sign.diff_analysis.form_rules_api import FormUpdate
from pyhanko.sign.diff_analysis.rules.form_field_rules import is_field_visible
from pyhanko.sign.fields import enumerate_sig_fields

from signing.pades.document import Document, Embedded
from signing.pades.pdf import FLAWS, value_of
from signing.pades.security_store import SecurityStoreRule

_LTA = ModificationLevel.LTA_UPDATES
_HYBRID = (XRefSectionType.HYBRID_MAIN, XRefSectionType.HYBRID_STREAM)
_OF_FORM = {"/Fields", "/DR", "/DA", "/Q"}  # without NeedAppearances, upon which viewers draw the fields anew


class _FormRule(FormUpdatingRule):
    """What may become of the form, where what is never seen counts as no more than what long-term validation adds.

    Tools give the invisible field of a document timestamp an appearance all the same, and the form resources for it: pyHanko has
    both for filling in. Resources matter to fields that are drawn from them, hence where there are none but of signatures.
    """

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[tuple[ModificationLevel, FormUpdate]]:
        stamps = {name for name, value, field in enumerate_sig_fields(new) if _is_unseen_stamp(value, field.get_object())}
        bare = all(value_of(field.get_object(), "/FT") == "/Sig" for field in _fields(old))
        for level, update in super().apply(old, new):
            unseen = bare if update.field_name is None else update.field_name in stamps
            yield _LTA if unseen and level is ModificationLevel.FORM_FILLING else level, update


def _is_unseen_stamp(value: Any, field: Any) -> bool:
    held = value.get_object() if isinstance(value, IndirectObject) else value  # type: ignore[no-untyped-call]
    return held is not None and value_of(held, "/SubFilter") == "/ETSI.RFC3161" and not is_field_visible(field)  # type: ignore[no-untyped-call]


def _fields(revision: HistoricalResolver) -> list[Any]:
    return list(value_of(value_of(revision.root, "/AcroForm", {}), "/Fields", []))


# pyHanko's default policy without its rule on form fields (a field filled in afterwards shows what nobody signed), and with ours
# on the security store
_POLICY = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(),  # type: ignore[no-untyped-call]
        DocInfoRule().as_qualified(_LTA),
        XrefStreamRule().as_qualified(_LTA),
        ObjectStreamRule().as_qualified(_LTA),
        SecurityStoreRule().as_qualified(_LTA),
        MetadataUpdateRule().as_qualified(_LTA),  # type: ignore[no-untyped-call]
    ],
    form_rule=_FormRule([SigFieldCreationRule(), SigFieldModificationRule()], _OF_FORM),  # type: ignore[no-untyped-call]
)
_MOST_STEPS = 50_000  # some seconds
_SECONDS = 60
_MEMORY = 4 << 30
_DEPTH = 1_000_000  # of calls: bookmarks are a chain, each of which is reached through all before


class Aftermath(StrEnum):
    """What came after a signature."""

    HARMLESS = "harmless"
    HARMFUL = "harmful"
    TAILED = "tailed"
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
        return Aftermath.TAILED
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
