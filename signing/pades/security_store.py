"""What may become of the document security store after a signature: it is material for whoever verifies, and shows nothing.

pyHanko's own rule lets the lists of the store be written anew, but no entry of VRI, which tells what is for which signature. The
standard sets no such limit (ETSI EN 319 142-1, 5.4.2): tools that add material write these entries again, or do without them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject
from pyhanko.pdf_utils.misc import map_with_return
from pyhanko.pdf_utils.reader import HistoricalResolver, RawPdfPath
from pyhanko.sign.diff_analysis import ReferenceUpdate, SuspiciousModification, WhitelistRule
from pyhanko.sign.diff_analysis.commons import compare_key_refs, safe_whitelist
from pyhanko.sign.diff_analysis.rules_api import AbsoluteContext, Context

_LISTS = {"/Certs", "/CRLs", "/OCSPs"}
_LISTS_OF_ENTRY = {"/Cert", "/CRL", "/OCSP"}
_OF_STORE = {"/Type", "/VRI", *_LISTS}
_OF_ENTRY = {"/Type", "/TU", "/TS", *_LISTS_OF_ENTRY}
_Both = Generator[ReferenceUpdate, None, tuple[Any, Any]]


class SecurityStoreRule(WhitelistRule):
    """Lets the store be added, and written anew, as long as it holds what the standard puts there and nothing else."""

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        """Return the objects whose change is explained.

        Raises:
            SuspiciousModification: the store was taken away, or holds something else.
        """
        place = Context.from_absolute(old, RawPdfPath("/Root", "/DSS"))
        before, after = yield from _dictionaries("/DSS", old, (old.root, new.root), place)
        if after is None:
            return
        _refuse_strange(after, _OF_STORE)
        yield from _material(old, new, (before, after), _LISTS, place)
        if "/VRI" not in after:
            return
        place = place.descend("/VRI")
        entries_before, entries = yield from _dictionaries("/VRI", old, (before, after), place)
        for name in entries:
            entry_before, entry = yield from _dictionaries(name, old, (entries_before, entries), place.descend(name))
            _refuse_strange(entry, _OF_ENTRY)
            yield from _material(old, new, (entry_before, entry), _LISTS_OF_ENTRY, place.descend(name))
            yield from _stamp(old, new, entry)


def _dictionaries(key: str, old: HistoricalResolver, holders: tuple[Any, Any], place: AbsoluteContext) -> _Both:
    """Explain that another dictionary stands under a key; return both, an empty one where there was none."""
    before, after = yield from map_with_return(
        compare_key_refs(key, old, *holders), ReferenceUpdate.curry_ref(context_checked=place)
    )
    for one in (before, after):
        if one is not None and (isinstance(one, StreamObject) or not isinstance(one, DictionaryObject)):
            raise SuspiciousModification(f"{key} is no dictionary")
    return (DictionaryObject() if before is None else before), after  # type: ignore[no-untyped-call]


def _refuse_strange(dictionary: Any, keys: set[str]) -> None:
    if not keys.issuperset(dictionary.keys()):
        raise SuspiciousModification("a key that the standard does not put there")


def _material(
    old: HistoricalResolver, new: HistoricalResolver, holders: tuple[Any, Any], keys: set[str], place: AbsoluteContext
) -> Iterator[ReferenceUpdate]:
    """Explain the lists of certificates, revocation lists and answers: streams, those that were not there before being new."""
    before, after = holders
    for key in keys.intersection(after.keys()):
        value, here = after.raw_get(key), place.descend(key)
        found = after[key]
        if not isinstance(found, ArrayObject) or not all(map(_is_stream, found)):
            raise SuspiciousModification(f"{key} holds something else than streams")
        was = before.raw_get(key) if key in before else None
        if isinstance(value, IndirectObject) and isinstance(was, IndirectObject):
            for reference in safe_whitelist(old, was.reference, value.reference):
                yield ReferenceUpdate(reference, context_checked=here)
        for reference in new.collect_dependencies(value, since_revision=old.revision + 1):
            yield ReferenceUpdate(reference, context_checked=here)


def _stamp(old: HistoricalResolver, new: HistoricalResolver, entry: Any) -> Iterator[ReferenceUpdate]:
    """Explain the timestamp of an entry, a stream, when it is new."""
    if "/TS" not in entry:
        return
    value = entry.raw_get("/TS")
    if not _is_stream(value):
        raise SuspiciousModification("/TS is no stream")
    for reference in new.collect_dependencies(value, since_revision=old.revision + 1):
        yield ReferenceUpdate(reference)


def _is_stream(value: Any) -> bool:
    return isinstance(value, IndirectObject) and isinstance(value.get_object(), StreamObject)  # type: ignore[no-untyped-call]
