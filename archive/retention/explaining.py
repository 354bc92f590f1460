"""Why a record is kept until a day and hidden until another, in words: rule, version, source, beginning and end.

The session must see the organisations above: it is the platform's own.
"""

from __future__ import annotations

from sqlmodel import Session

from archive.models import Record
from archive.retention.referential import rule_named
from archive.retention.rules import FOREVER, Category, Delay
from core.errors import NotFound
from core.messages import Catalogue
from schemas.seda.model import FinalAction

_messages = Catalogue("archive.retention")


def explained_for(session: Session, record: Record) -> str:
    """Say until when a record is kept, by which rule, and what happens then.

    A rule that this platform does not know any more, or never knew, is named without its source.
    """
    rule = retention_of(session, record)
    then = _messages("then.destroy" if record.final_action == FinalAction.DESTROY.value else "then.keep")
    if record.keep_until is None:
        return _messages("explained.endless", rule=record.rule or "–")
    places = {"start": f"{record.dated:%d/%m/%Y}", "end": f"{record.keep_until:%d/%m/%Y}", "rule": record.rule, "then": then}
    if rule is None:
        return _messages("explained.bare", **places)
    return _messages("explained.years", **places, years=years_of(rule), source=rule.source)


def retention_of(session: Session, record: Record) -> Delay | None:
    """Return the retention rule of a record in the version that was applied; None where this platform does not know it."""
    return _rule(session, record, Category.APPRAISAL, record.rule)


def access_explained_for(session: Session, record: Record) -> str:
    """Say from which day anyone may read a record, and by which rule."""
    rule = _rule(session, record, Category.ACCESS, record.access)
    if record.open_from is None:
        return _messages("access.never", rule=record.access or "–")
    places = {"day": f"{record.open_from:%d/%m/%Y}", "rule": record.access}
    if rule is None:
        return _messages("access.bare", **places)
    return _messages("access.years", **places, years=years_of(rule), source=rule.source)


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
