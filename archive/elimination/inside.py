"""What a package that was handed over says of its units: a whole is not destroyed while a part of it is to be kept.

Our own packages name one rule for all; one from outside may name several, and a record is destroyed whole. Its manifest is read
where everything else says that it may be destroyed. A reason that the verdict of the row alone cannot know is found here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from lxml import etree
from sqlmodel import Session, col, select

from archive.elimination.analysis import Reason, Verdict
from archive.elimination.states import Status
from archive.ingest.inspection import open_package
from archive.ingest.sense import lacks_an_appraisal
from archive.models import Record
from archive.places.places import fetch
from archive.retention.referential import rule_named
from archive.retention.rules import Category
from core.blobs import ObjectAltered, ObjectMissing
from core.errors import NotFound, UnreadableInput
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.model import FinalAction
from schemas.seda.reader import read_manifest

HANDED_OVER = "transfer"
"""The kind of the records that were handed over from outside."""
_AT_ONCE = 500


def examined(platform: Platform, found: Sequence[Verdict], as_of: date) -> list[Verdict]:
    """Return the verdicts, those put in conflict that a part of the package contradicts.

    Raises:
        Unavailable: the places do not answer.
    """
    outside: set[str] = set()
    with platform.database.reading(PLATFORM) as session:
        wanted = [verdict.record_id for verdict in found if verdict.status is Status.DESTROY]
        for first in range(0, len(wanted), _AT_ONCE):
            of_kind = select(Record.id).where(Record.kind == HANDED_OVER, col(Record.id).in_(wanted[first : first + _AT_ONCE]))
            outside |= set(session.exec(of_kind))
    return [_examined(platform, verdict, as_of) if verdict.record_id in outside else verdict for verdict in found]


def _examined(platform: Platform, verdict: Verdict, as_of: date) -> Verdict:
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, verdict.record_id)
    try:
        root = _manifest_of(platform, record)
    except (ObjectMissing, ObjectAltered, UnreadableInput):
        # The audit makes an incident of it; what cannot be read is not known to be destroyable.
        return replace(verdict, status=Status.CONFLICT, reasons=(*verdict.reasons, Reason.PACKAGE_UNREADABLE))
    with platform.database.reading(PLATFORM) as session:
        reasons = contradictions(session, record.organisation_id, root, as_of)
    return replace(verdict, status=Status.CONFLICT, reasons=(*verdict.reasons, *reasons)) if reasons else verdict


def _manifest_of(platform: Platform, record: Record) -> etree._Element:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package, manifest = Path(folder) / "package", Path(folder) / "manifest.xml"
        fetch(platform, record, package)
        with open_package(package) as opened, manifest.open("wb") as stream:
            stream.writelines(opened.chunks(opened.manifest_name()))
        return read_manifest(manifest).tree.getroot()


def contradictions(session: Session, organisation_id: str, root: etree._Element, as_of: date) -> tuple[Reason, ...]:
    """Return why the units of a manifest do not let the whole be destroyed on a day."""
    found: dict[Reason, None] = {}
    for appraisal in root.iter("{*}AppraisalRule"):
        if appraisal.findtext("{*}FinalAction") != FinalAction.DESTROY.value:
            found[Reason.FINAL_ACTION_INCONSISTENCY] = None
        elif not _over(session, organisation_id, appraisal, as_of):
            found[Reason.NON_DESTROYABLE_HAS_CHILD_UNITS] = None
    if lacks_an_appraisal(root):
        found[Reason.FINAL_ACTION_INCONSISTENCY] = None
    if next(root.iter("{*}HoldRule"), None) is not None:
        found[Reason.BLOCKED_BY_HOLD_RULE] = None
    return tuple(found)


def _over(session: Session, organisation_id: str, appraisal: etree._Element, as_of: date) -> bool:
    """Tell whether every rule of a unit has ended before a day; what cannot be computed has no end."""
    for rule in appraisal.iterfind("{*}Rule"):
        start = rule.getnext()
        named = start is not None and isinstance(start.tag, str) and etree.QName(start).localname == "StartDate"
        try:
            began = date.fromisoformat((start.text or "").strip()[:10]) if named and start is not None else None
            delay = rule_named(session, organisation_id, (rule.text or "").strip(), Category.APPRAISAL)
        except (ValueError, NotFound):
            return False
        if began is None or delay.end_from(began) >= as_of:
            return False
    return True
