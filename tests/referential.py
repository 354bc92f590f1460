"""Rules of an organisation for tests, written straight into its referential."""

from __future__ import annotations

from datetime import date

from sqlmodel import Session

from archive.retention.models import RuleChoice, RuleVersion
from archive.retention.rules import Category, Delay, RetentionRule
from core.organisations import Organisation

LONG_SINCE = date(2020, 1, 1)


def add_rule(
    session: Session, organisation: Organisation, category: Category, rule: Delay, since: date = LONG_SINCE
) -> RuleVersion:
    """Give an organisation a version of a rule."""
    row = RuleVersion(
        organisation_id=organisation.id,
        category=category.value,
        code=rule.identifier,
        version=int(rule.version),
        label=rule.label,
        years=rule.years,
        ends=rule.ends.value,
        final_action=rule.final_action.value if isinstance(rule, RetentionRule) else "",
        source=rule.source,
        since=since,
        created_by="platform",
    )
    session.add(row)
    session.flush()
    return row


def choose(session: Session, organisation: Organisation, kind: str, rule: Delay, category: Category = Category.APPRAISAL) -> None:
    """Give an organisation a rule, and choose it for a kind of record."""
    add_rule(session, organisation, category, rule)
    values = {"organisation_id": organisation.id, "kind": kind, "category": category.value, "code": rule.identifier}
    session.add(RuleChoice.model_validate({**values, "chosen_by": "platform"}))
    session.flush()
