"""What a package that was handed over says of its units: a whole is not destroyed while a part of it is to be kept.

Our own packages name one rule for all; one from outside may name several, and a record is destroyed whole. Its manifest is read
just before it would be destroyed. A reason that the verdict of the row alone cannot know is found here; what the package says of
holds becomes a hold of the record (`archive.elimination.package_holds`), and blocks as any other.

Nobody waits for packages to be read while a list is prepared: one that was not looked into when it was sealed is looked into by a
scheduled run, and is in conflict until then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import structlog
from lxml import etree
from sqlmodel import Session, col, select

from archive.elimination import package_holds
from archive.elimination.analysis import Reason, Verdict
from archive.elimination.states import Status
from archive.ingest.inspection import open_package
from archive.ingest.sense import lacks_an_appraisal
from archive.models import UNLOOKED, Record
from archive.places.places import fetch
from archive.retention.holds import held
from archive.retention.referential import rule_named
from archive.retention.rules import Category
from core import clock
from core.blobs import ObjectAltered, ObjectMissing
from core.errors import Misconfigured, NotFound, TabellionError, Unavailable, UnreadableInput
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.model import FinalAction
from schemas.seda.reader import read_manifest

HANDED_OVER = "transfer"
"""The kind of the records that were handed over from outside."""
_log = structlog.get_logger()
_AT_ONCE = 500
_AT_A_TURN, _MOST_BYTES = 200, 1024**3
_LATER, _MUCH_LATER = timedelta(hours=1), timedelta(days=1)
_NOT_WHOLE = (ObjectMissing, ObjectAltered, UnreadableInput)


def look(platform: Platform) -> None:
    """Look into packages that nobody looked into yet, those not tried before first: a bounded number of records and of bytes.

    One that no place gives now, or none gives whole, is left for later, and holds up none of the others.
    """
    again = col(Record.look_again)
    due = select(Record).where(UNLOOKED, again.is_(None) | (again <= clock.now()))
    with platform.database.reading(PLATFORM) as session:
        records = session.exec(due.order_by(again.is_not(None), Record.id).limit(_AT_A_TURN)).all()
    left = _MOST_BYTES
    for record in records:
        left -= record.size
        if not _looked(platform, record) or left <= 0:
            return


def _looked(platform: Platform, record: Record) -> bool:
    """Look into a package, and tell whether the places answered: others would wait for them in vain."""
    try:
        package_holds.take_up(platform, record.id, _manifest_of(platform, record))
    except TabellionError as error:
        _log.warning("package.not_looked_into", record=record.id, reason=str(error))
        unreadable = isinstance(error, _NOT_WHOLE)
        with platform.database.writing(PLATFORM) as session:
            kept = session.get_one(Record, record.id)
            kept.unreadable, kept.look_again = unreadable, clock.now() + (_MUCH_LATER if unreadable else _LATER)
        return not isinstance(error, Unavailable | Misconfigured)
    return True


def only_examined(session: Session, found: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts, those put in conflict whose package was handed over and not looked into yet.

    Of the others the row and its holds say what the package does.

    Args:
        session: the platform's own.
        found: the verdicts of their rows.
    """
    wanted = [verdict.record_id for verdict in found if verdict.status is Status.DESTROY]
    unlooked: dict[str, bool] = {}
    for first in range(0, len(wanted), _AT_ONCE):
        some = col(Record.id).in_(wanted[first : first + _AT_ONCE])
        unlooked |= {one.id: one.unreadable for one in session.exec(select(Record).where(UNLOOKED, some))}
    reasons = {False: Reason.PACKAGE_UNEXAMINED, True: Reason.PACKAGE_UNREADABLE}
    return [_in_conflict(one, reasons[unlooked[one.record_id]]) if one.record_id in unlooked else one for one in found]


def _in_conflict(verdict: Verdict, *reasons: Reason) -> Verdict:
    return replace(verdict, status=Status.CONFLICT, reasons=(*verdict.reasons, *reasons))


def examined(platform: Platform, verdict: Verdict, as_of: date) -> Verdict:
    """Return the verdict of a record, in conflict when a part of its package contradicts it, or holds the whole.

    Args:
        platform: whose archive.
        verdict: of its row.
        as_of: the day.

    Raises:
        Unavailable: the places do not answer.
    """
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, verdict.record_id)
    if verdict.status is not Status.DESTROY or record.kind != HANDED_OVER:
        return verdict
    try:
        root = _manifest_of(platform, record)
    except _NOT_WHOLE:  # the audit makes an incident of it; what cannot be read is not known to be destroyable
        return _in_conflict(verdict, Reason.PACKAGE_UNREADABLE)
    package_holds.take_up(platform, record.id, root)
    with platform.database.reading(PLATFORM) as session:
        reasons = contradictions(session, record, root, as_of)
        if held(session, {record.id}):
            reasons = (*reasons, Reason.BLOCKED_BY_HOLD_RULE)
    return _in_conflict(verdict, *reasons) if reasons else verdict


def _manifest_of(platform: Platform, record: Record) -> etree._Element:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package, manifest = Path(folder) / "package", Path(folder) / "manifest.xml"
        fetch(platform, record, package)
        with open_package(package) as opened, manifest.open("wb") as stream:
            stream.writelines(opened.chunks(opened.manifest_name()))
        return read_manifest(manifest).tree.getroot()


def contradictions(session: Session, record: Record, root: etree._Element, as_of: date) -> tuple[Reason, ...]:
    """Return why the units of a manifest do not let the whole be destroyed on a day.

    The rules that the units name are those of the referential as it stood on the day of the sealing, as the record's own is: what
    is sealed keeps its version, and its dates do not move because a rule was followed by another or withdrawn since.
    """
    found: dict[Reason, None] = {}
    for appraisal in root.iter("{*}AppraisalRule"):
        if appraisal.findtext("{*}FinalAction") != FinalAction.DESTROY.value:
            found[Reason.FINAL_ACTION_INCONSISTENCY] = None
        elif not _over(session, record, appraisal, as_of):
            found[Reason.NON_DESTROYABLE_HAS_CHILD_UNITS] = None
    if lacks_an_appraisal(root):
        found[Reason.FINAL_ACTION_INCONSISTENCY] = None
    return tuple(found)


def _over(session: Session, record: Record, appraisal: etree._Element, as_of: date) -> bool:
    """Tell whether every rule of a unit has ended before a day; what cannot be computed has no end."""
    sealed = clock.in_paris(record.sealed).date()
    for rule in appraisal.iterfind("{*}Rule"):
        start = rule.getnext()
        named = start is not None and isinstance(start.tag, str) and etree.QName(start).localname == "StartDate"
        try:
            began = date.fromisoformat((start.text or "").strip()[:10]) if named and start is not None else None
            delay = rule_named(session, record.organisation_id, (rule.text or "").strip(), Category.APPRAISAL, day=sealed)
        except (ValueError, NotFound):
            return False
        if began is None or delay.end_from(began) >= as_of:
            return False
    return True
