"""Holds that a package handed over from outside names: each becomes a hold of its record, seen, told and lifted as any other.

The package is sealed and stays what it is. What its manifest says (``HoldRule``, from SEDA 2.2 on) is read once, when it was just
sealed or, of one that was sealed before this was done, by a scheduled run (`archive.elimination.inside`); from then on the hold
of the record counts alone. It ends on the day that the manifest names, or when an archivist lifts it, and never comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from lxml import etree
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from archive.ingest.sense import beside, day_of
from archive.models import Record
from archive.retention import holds
from archive.retention.holds import LONGEST_OWNER, LONGEST_REASON
from archive.retention.models import RecordHold
from archive.retention.referential import rule_named
from archive.retention.rules import Category
from core import clock
from core.canonical import canonical_bytes
from core.errors import NotFound
from core.identifiers import id_of
from core.messages import Catalogue, speaking
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.elements import value_of

_messages = Catalogue("archive.elimination")
_ACTOR = "platform"


@dataclass(frozen=True, slots=True)
class NamedHold:
    """A hold as a unit of a manifest names it; what it does not say is empty.

    Attributes:
        rule: its identifier in the referential.
        ends: the last day; None when it stands until somebody lifts it.
        review: the day on which somebody is to look at it again.
    """

    rule: str
    reason: str
    owner: str
    ends: date | None
    review: date | None


def take_up(platform: Platform, record_id: str, root: etree._Element) -> None:
    """Put a record under the hold that its package names, unless that was done, or no such hold stands any more.

    Args:
        platform: whose archive.
        record_id: of a record that was handed over from outside.
        root: of the manifest of its package.

    Raises:
        Conflict: the record was destroyed, or is being destroyed.
        Unavailable: a place of the archive does not answer: there is no hold.
    """
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, record_id)
        known = session.exec(select(RecordHold.id).where(RecordHold.package_of == record_id)).first() is not None
        standing = [] if known else _standing(session, record, root)
    if record.looked_inside or record.eliminated is not None:
        return
    if standing:
        with suppress(IntegrityError):  # another process has just put it
            holds.place(platform, _as_one(record, standing), [record_id])
    with platform.database.writing(PLATFORM) as session:
        session.get_one(Record, record_id).looked_inside = True


def _standing(session: Session, record: Record, root: etree._Element) -> list[NamedHold]:
    today = clock.in_paris(clock.now()).date()
    named = dict.fromkeys(named_by(session, record, root))
    return [hold for hold in named if hold.ends is None or hold.ends >= today]


def named_by(session: Session, record: Record, root: etree._Element) -> Iterator[NamedHold]:
    """Yield the holds that a manifest names, over whichever unit: a record is destroyed whole.

    A ``HoldRule`` without any ``Rule`` says only that those of the units above are not inherited, and holds nothing. A rule
    without a day of its own ends when its delay does, as the referential had it on the day of the sealing; most have none.

    Args:
        session: the platform's own.
        record: whose package it is.
        root: of its manifest.
    """
    for category in root.iter("{*}HoldRule"):
        for rule in category.iterfind("{*}Rule"):
            told = {name: " ".join(text.split()) for name, text in beside(rule).items()}
            yield NamedHold(
                rule=value_of(rule),
                reason=told.get("HoldReason", ""),
                owner=told.get("HoldOwner", ""),
                ends=day_of(told.get("HoldEndDate")) or _end_of(session, record, value_of(rule), day_of(told.get("StartDate"))),
                review=day_of(told.get("HoldReassessingDate")),
            )


def _end_of(session: Session, record: Record, rule: str, start: date | None) -> date | None:
    sealed = clock.in_paris(record.sealed).date()
    try:
        delay = rule_named(session, record.organisation_id, rule, Category.HOLD, day=sealed)
    except NotFound:
        return None
    return delay.end_from(start) if start and delay.years else None


def _as_one(record: Record, named: list[NamedHold]) -> RecordHold:
    """Return the hold of a record: it stands as long as any that its package names does, and is looked at when the first is due.

    Where the package names no day at all somebody is to look at it at once: nobody else ever said when. It is placed at the
    moment of the sealing, and the same words make the same hold: a try after one that a silent place cut short adds nothing.
    """
    ends = [one.ends for one in named if one.ends]
    last = max(ends) if len(ends) == len(named) else None
    owners = ", ".join(dict.fromkeys(one.owner for one in named if one.owner))
    with speaking("fr"):  # its statement is read by French archivists
        told = " ; ".join(map(_in_words, named))
        reason = _messages("package_hold.reason", holds=told)
        owner = owners or _messages("package_hold.owner", producer=record.producer)
    review = min((one.review for one in named if one.review), default=last or clock.in_paris(record.sealed).date())
    days = {"review": review.isoformat(), "ends": last.isoformat() if last else None}
    said = {"record": record.id, "reason": reason, "owner": owner, **days}
    return RecordHold(
        id=id_of(record.sealed, canonical_bytes(said)),
        organisation_id=record.organisation_id,
        reason=reason[:LONGEST_REASON],
        owner=owner[:LONGEST_OWNER],
        review=review,
        statement="",
        placed=record.sealed,
        placed_by=_ACTOR,
        package_of=record.id,
        ends=last,
    )


def _in_words(named: NamedHold) -> str:
    said = [named.rule, named.reason, _messages("package_hold.until", day=f"{named.ends:%d/%m/%Y}") if named.ends else ""]
    return ", ".join(filter(None, said))
