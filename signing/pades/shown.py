"""What a later revision of a PDF makes seen that a comparison of its objects does not tell.

pyHanko explains each object that a revision writes. It takes no account of what was there already and is only pointed to, it
counts as unseen any field whose box it cannot read, and an object that the document asked for and lacked is to it one that
nothing leads to. So these are looked for here, in what the revision as a whole shows, whichever objects that took.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    IndirectObject,
    NumberObject,
    Reference,
)
from pyhanko.pdf_utils.reader import HistoricalResolver
from pyhanko.sign.diff_analysis import ModificationLevel, SuspiciousModification
from pyhanko.sign.diff_analysis.commons import compare_dicts
from pyhanko.sign.diff_analysis.constants import FORMFIELD_ALWAYS_MODIFIABLE
from pyhanko.sign.diff_analysis.form_rules_api import FieldComparisonSpec, _list_fields
from pyhanko.sign.fields import FieldMDPSpec

from signing.pades.pdf import value_of

_CORNERS = 4
_ACTIONS = {"/A", "/AA"}
_DRAWN_FROM = ("/DR", "/DA", "/Q")


def is_shown(field: Any) -> bool:
    """Tell whether a field or one of its widgets may be seen, or may act: whatever is not plainly without extent."""
    return any(_is_drawn(one) for one in (field, *(kid.get_object() for kid in value_of(field, "/Kids", []))))


def _is_drawn(annotation: Any) -> bool:
    if _ACTIONS & annotation.keys() or value_of(annotation, "/Subtype", "/Widget") != "/Widget":
        return True  # a script may change what is seen; a line or a note is drawn without regard to its box
    if "/Rect" not in annotation:
        return bool({"/Subtype", "/AP"} & annotation.keys())
    box = annotation["/Rect"]
    if not isinstance(box, ArrayObject) or len(box) != _CORNERS:
        return True
    left, bottom, right, top = (box[rank] for rank in range(_CORNERS))  # by rank: references are followed, as by viewers
    if not all(isinstance(one, NumberObject | FloatObject) for one in (left, bottom, right, top)):
        return True
    return bool(left != right and bottom != top)


def numbers_lacking(signed: HistoricalResolver) -> set[int]:
    """Return the numbers of objects that what a revision shows asks for, and that it does not have.

    What tools keep for themselves beside the catalog (LibreOffice: the source of the document) shows nothing.
    """
    asked = signed.collect_dependencies(signed.root)
    return {one.idnum for one in asked if not _existed(signed, one)}


def fields_of(old: HistoricalResolver, new: HistoricalResolver) -> dict[str, FieldComparisonSpec]:
    """Return the fields of either revision by their full names."""
    before, after = (value_of(value_of(one.root, "/AcroForm", {}), "/Fields", ArrayObject()) for one in (old, new))
    return dict(_list_fields(before, after, None))


def level_of_looks(
    old: HistoricalResolver, new: HistoricalResolver, locked: FieldMDPSpec | None, *, certified: bool
) -> ModificationLevel:
    """Tell what a revision does to what is seen: nothing, or what filling in does.

    Args:
        old: the revision before.
        new: the revision.
        locked: the fields that the signature locks.
        certified: the signature says what others may change.

    Raises:
        SuspiciousModification: it does what nothing allows.
    """
    _refuse_other_order(old, new)
    fields = fields_of(old, new)
    if any(spec.field_type != "/Sig" and _is_another(spec, new) for spec in fields.values()):
        raise SuspiciousModification("a field that is none of signatures is another than before")
    seen = {name: spec for name, spec in fields.items() if _is_newly_shown(spec, new)}
    if (certified and any(spec.old_field is None for spec in seen.values())) or (locked and any(map(locked.is_locked, seen))):
        raise SuspiciousModification("a field that is seen where none may be added")
    return ModificationLevel.FORM_FILLING if seen or _is_redrawn(old, new, fields) else ModificationLevel.NONE


def _is_newly_shown(spec: FieldComparisonSpec, new: HistoricalResolver) -> bool:
    """Tell of a signature field that is seen whether it was added, or can be drawn otherwise than before."""
    was, now = spec.old_field, spec.new_field
    if spec.field_type != "/Sig" or now is None or not is_shown(now):
        return False
    return was is None or not is_shown(was) or _is_another(spec, new)


def _is_another(spec: FieldComparisonSpec, new: HistoricalResolver) -> bool:
    """Tell of a field that was there whether it changed, or gave its name to something that was lying about."""
    was, now, reference = spec.old_field, spec.new_field, spec.new_field_ref
    if was is None or now is None:
        return False
    if reference == spec.old_field_ref and reference not in new.explicit_refs_in_revision():  # type: ignore[no-untyped-call]
        return False
    return not compare_dicts(was, now, FORMFIELD_ALWAYS_MODIFIABLE, raise_exc=False)


def _is_redrawn(old: HistoricalResolver, new: HistoricalResolver, fields: dict[str, FieldComparisonSpec]) -> bool:
    """Tell whether what fields are drawn from changes, where there are any but of signatures."""
    if all(spec.field_type == "/Sig" for spec in fields.values()):
        return False
    before, after = (value_of(one.root, "/AcroForm", DictionaryObject()) for one in (old, new))  # type: ignore[no-untyped-call]
    return any(_raw(before, key) != _raw(after, key) for key in _DRAWN_FROM)


def _raw(dictionary: Any, key: str) -> Any:
    return dictionary.raw_get(key) if key in dictionary else None


def _existed(old: HistoricalResolver, reference: Reference) -> bool:
    return old.reader.xrefs.get_historical_ref(reference, old.revision) is not None


def _refuse_other_order(old: HistoricalResolver, new: HistoricalResolver) -> None:
    """Refuse annotations of a page in another order: the last one is drawn over the others."""
    changed = [one for one in new.explicit_refs_in_revision() if _existed(old, one)]  # type: ignore[no-untyped-call]
    pages = [one for one in changed if _is_page(old(one))]
    if any(isinstance(old(one), ArrayObject) for one in changed):
        pages = [*pages, *_pages(old, old.root.raw_get("/Pages"))]
    for page in pages:
        before, after = _annotations(old(page)), _annotations(new(page))
        known = set(before)
        if [one for one in after if one in known] != before:
            raise SuspiciousModification(f"the annotations of {page} stand otherwise")


def _is_page(found: Any) -> bool:
    return isinstance(found, DictionaryObject) and "/Annots" in found


def _annotations(page: Any) -> list[Reference]:
    return [one.reference for one in value_of(page, "/Annots", []) if isinstance(one, IndirectObject)]


def _pages(old: HistoricalResolver, root: Any) -> Iterator[Reference]:
    """Give the pages of a revision that have annotations."""
    seen, waiting = set(), [root]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, IndirectObject) or node.reference in seen:
            continue
        seen.add(node.reference)
        found = old(node.reference)
        if _is_page(found):
            yield node.reference
        waiting.extend(value_of(found, "/Kids", []))
