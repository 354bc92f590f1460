"""What was written after a PDF was signed, or given away, and whether it changes what is shown.

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
from pathlib import Path
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, PdfObject, Reference
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
    SuspiciousModification,
    XrefStreamRule,
)
from pyhanko.sign.diff_analysis.commons import safe_whitelist
from pyhanko.sign.diff_analysis.form_rules_api import FieldComparisonContext, FormUpdate, _list_fields
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm, enumerate_sig_fields

from signing.pades.document import Document, Embedded
from signing.pades.pdf import FLAWS, Filed, reads_one_way, value_of
from signing.pades.security_store import SecurityStoreRule
from signing.pades.shown import fields_of, is_shown, level_of_looks, numbers_lacking

_LTA = ModificationLevel.LTA_UPDATES
_HYBRID = (XRefSectionType.HYBRID_MAIN, XRefSectionType.HYBRID_STREAM)
_OF_FORM = {"/Fields", "/DR", "/DA", "/Q"}  # without NeedAppearances, upon which viewers draw the fields anew
_OF_FIRST_FORM = {*_OF_FORM, "/SigFlags"}


class _FormRule(FormUpdatingRule):
    """What may become of the form, where what is never seen counts as no more than what long-term validation adds.

    Tools give the invisible field of a document timestamp an appearance all the same, and the form resources for it: pyHanko has
    both for filling in. Resources matter to fields that are drawn from them, hence where there are none but of signatures.
    """

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[tuple[ModificationLevel, FormUpdate]]:
        if "/AcroForm" not in old.root and "/AcroForm" in new.root:
            yield from self._first(old, new)
            return
        stamps = {name for name, value, field in enumerate_sig_fields(new) if _is_unseen_stamp(value, field.get_object())}
        bare = all(spec.field_type == "/Sig" for spec in fields_of(old, new).values())
        for level, update in super().apply(old, new):
            unseen = bare if update.field_name is None else update.field_name in stamps
            yield _LTA if unseen and level is ModificationLevel.FORM_FILLING else level, update

    def _first(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[tuple[ModificationLevel, FormUpdate]]:
        """What may come with the first form of a document, of which pyHanko finds nothing to compare: fields of signatures."""
        form = new.root["/AcroForm"]
        if not isinstance(form, DictionaryObject) or set(form) - _OF_FIRST_FORM:
            raise SuspiciousModification("the first form of the document is more than one of signatures")
        named = [
            holder.raw_get(key) for holder, key in ((new.root, "/AcroForm"), (form, "/Fields"), (form, "/DR")) if key in holder
        ]
        references = {one.reference for one in named if isinstance(one, IndirectObject)}
        if "/DR" in form:
            references |= new.collect_dependencies(form["/DR"], since_revision=old.revision + 1)
        for reference in references:
            for fresh in safe_whitelist(old, None, reference):
                yield ModificationLevel.FORM_FILLING, FormUpdate(updated_ref=fresh)
        fields = dict(_list_fields(ArrayObject(), form.get("/Fields", ArrayObject()), None))
        for rule in self.field_rules:
            yield from rule.apply(FieldComparisonContext(field_specs=fields, old=old, new=new))


def _is_unseen_stamp(value: Any, field: Any) -> bool:
    held = value.get_object() if isinstance(value, IndirectObject) else value  # type: ignore[no-untyped-call]
    return held is not None and value_of(held, "/SubFilter") == "/ETSI.RFC3161" and not is_shown(field)


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


def came_after(given: Path, returned: Path) -> Aftermath:
    """Tell what came after a document that another one begins with: as after a signature that forbids nothing by itself.

    Raises:
        PdfUnreadable: one of them is too large, no PDF, broken, or encrypted.
    """
    with Filed(given) as first, Filed(returned) as octets:
        revision, document = Document.read(first).reader.total_revisions - 1, Document.read(octets)
        if not document.strict:
            return Aftermath.UNKNOWN
        try:
            return _since(document, revision, partial(_Counted, document.reader, iter(range(_MOST_STEPS))))
        except (_TooComplex, RecursionError):
            return _apart(document, revision)[0]


def _since(document: Document, revision: int, resolver: Callable[[int], HistoricalResolver]) -> Aftermath:
    return Aftermath.TAILED if document.has_tail else _changes(document, revision, None, None, resolver)


def _apart(document: Document, revision: int | None = None) -> tuple[Aftermath, ...]:
    """Compare in a process of its own: after each signature, or after a revision."""
    try:
        answer = subprocess.run(  # noqa: S603 - this very module, by this very interpreter
            [sys.executable, "-m", __name__, *([] if revision is None else [str(revision)])],
            input=document.octets[:],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=_SECONDS,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return (Aftermath.UNKNOWN,) * (1 if revision is not None else len(document.embedded))
    return tuple(Aftermath(word) for word in json.loads(answer.stdout))


def _aftermath(document: Document, embedded: Embedded, resolver: Callable[[int], HistoricalResolver]) -> Aftermath:
    if document.has_tail and embedded.end != len(document.octets):
        return Aftermath.TAILED
    return _changes(document, embedded.revision, embedded.locked, embedded.permission, resolver)


def _changes(
    document: Document,
    since: int,
    locked: FieldMDPSpec | None,
    permission: MDPPerm | None,
    resolver: Callable[[int], HistoricalResolver],
) -> Aftermath:
    last = max((one.revision for one in document.signatures), default=-1)
    later = range(since + 1, document.reader.total_revisions)
    if not later:
        return Aftermath.HARMLESS
    before = previous = resolver(since)
    values = {held.reference for _, held, _ in enumerate_sig_fields(document.reader) if isinstance(held, IndirectObject)}
    try:
        lacking = numbers_lacking(before)
        for revision in later:
            if document.reader.xrefs.get_xref_container_info(revision).xref_section_type in _HYBRID:
                return Aftermath.HARMFUL  # two programs may read two documents in it
            after = resolver(revision)
            if lacking & {one.idnum for one in after.explicit_refs_in_revision()}:  # type: ignore[no-untyped-call]
                return Aftermath.HARMFUL  # what was signed says something else with it
            explained = _POLICY.apply(before, after, locked, permission).modification_level
            found = max(explained, level_of_looks(previous, after, locked, certified=permission is not None))
            allowed = ModificationLevel.FORM_FILLING if revision <= last else _LTA
            if found > allowed or (permission is not None and found.value > permission.value):
                return Aftermath.HARMFUL
            previous = after
    except RecursionError:
        raise
    except FLAWS:
        return Aftermath.HARMFUL
    return Aftermath.HARMLESS if all(reads_one_way(document.reader, one, values) for one in later) else Aftermath.UNKNOWN


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.setrecursionlimit(_DEPTH)
    document = Document.read(sys.stdin.buffer.read())
    resolver = document.reader.get_historical_resolver
    if len(sys.argv) > 1:
        json.dump([_since(document, int(sys.argv[1]), resolver)], sys.stdout)
    else:
        json.dump([_aftermath(document, one, resolver) for one in document.embedded], sys.stdout)


if __name__ == "__main__":
    _main()
