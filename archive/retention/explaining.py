"""Why a record is kept until a day and hidden until another, in words: rule, version, source, beginning and end.

The session must see the organisations above: it is the platform's own.
"""

from __future__ import annotations

from datetime import date

from sqlmodel import Session

from archive.correction.history import of_access, of_retention
from archive.correction.models import RecordCorrection
from archive.correction.terms import Terms
from archive.models import Record
from archive.retention.referential import rule_named
from archive.retention.rules import FOREVER, Category, Delay
from core import clock
from core.errors import NotFound
from core.messages import Catalogue
from schemas.seda.model import FinalAction

_messages = Catalogue("archive.retention")


def explained_for(session: Session, record: Record) -> str:
    """Say until when a record is kept, by which rule, and what happens then.

    A rule that this platform does not know any more, or never knew, is named without its source.
    """
    correction = of_retention(session, record.id)
    said = _explained(session, record, correction.kept_from if correction else None)
    return _corrected(said, correction, Terms.read(correction.before).rule) if correction else said


def _explained(session: Session, record: Record, start: date | None) -> str:
    rule = retention_of(session, record)
    then = _messages("then.destroy" if record.final_action == FinalAction.DESTROY.value else "then.keep")
    if record.keep_until is None:
        return _messages("explained.endless", rule=record.rule or "–")
    began = start or record.dated
    places = {"start": f"{began:%d/%m/%Y}", "end": f"{record.keep_until:%d/%m/%Y}", "rule": record.rule, "then": then}
    if rule is None:
        return _messages("explained.bare", **places)
    return _messages("explained.years", **places, years=years_of(rule), source=rule.source)


def retention_of(session: Session, record: Record) -> Delay | None:
    """Return the retention rule of a record in the version that was applied; None where this platform does not know it."""
    return _rule(session, record, Category.APPRAISAL, record.rule)


def access_explained_for(session: Session, record: Record) -> str:
    """Say from which day anyone may read a record, and by which rule."""
    said, correction = _access_explained(session, record), of_access(session, record.id)
    return _corrected(said, correction, Terms.read(correction.before).access) if correction else said


def _access_explained(session: Session, record: Record) -> str:
    rule = _rule(session, record, Category.ACCESS, record.access)
    if record.open_from is None:
        return _messages("access.never", rule=record.access or "–")
    places = {"day": f"{record.open_from:%d/%m/%Y}", "rule": record.access}
    if rule is None:
        return _messages("access.bare", **places)
    return _messages("access.years", **places, years=years_of(rule), source=rule.source)


def _corrected(said: str, correction: RecordCorrection, before: str) -> str:
    """Add that it was put right after the sealing: the package says otherwise."""
    day = f"{clock.in_paris(correction.decided or correction.proposed):%d/%m/%Y}"
    return _messages("explained.corrected", said=said, day=day, before=before or "–")


def years_of(rule: Delay, category: Category = Category.APPRAISAL) -> str:
    """Return the length of a delay in words."""
    if category is Category.HOLD and not rule.years:
        return _messages("years.hold")
    special = {0: "years.none", 1: "years.one", FOREVER: "years.forever"}
    return _messages(special.get(rule.years, "years"), count=rule.years)


def _rule(session: Session, record: Record, category: Category, named: str) -> Delay | None:
    code, _, version = named.rpartition(" v")
    try:
        return rule_named(session, record.organisation_id, code, category, version)
    except NotFound:
        return None
