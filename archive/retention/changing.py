"""Changing the referential of an organisation: the next version of a rule, its withdrawal, the rule chosen for a kind of record.

A version is never changed. What it says in words stands under lock as a statement, which the journal names by its digest: the
date on a package stays explainable without the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from archive.places import statements
from archive.retention.defaults import BUILT_IN, KINDS
from archive.retention.models import RuleChoice, RuleVersion
from archive.retention.referential import rule_named
from archive.retention.rules import Category, Delay, RetentionRule
from core import clock, journal
from core.canonical import canonical_bytes
from core.errors import Conflict, NotFound, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("archive.retention")
FOLLOWED, WITHDRAWN, CHOSEN = "archive.rule_version", "archive.rule_withdrawn", "archive.rule_chosen"
"""The journal entries of the referential."""
STATEMENT = "rule"
_CHOOSABLE = (Category.APPRAISAL, Category.ACCESS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule as somebody wants it; its version is given when it is kept, whatever the delay says of it.

    Attributes:
        since: the first day on which it may be applied.
    """

    category: Category
    delay: Delay
    since: date


def follow(platform: Platform, principal: Principal, organisation_id: str, wanted: Wanted) -> RuleVersion:
    """Keep the next version of a rule, or the first one of a new rule; it holds for the organisation and all below.

    Raises:
        Forbidden: the principal manages no archives there.
        UsageError: the rule is not of its category.
        Conflict: somebody else made a version at the same time.
        Unavailable: a place of the archive does not answer: nothing is kept.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    if isinstance(wanted.delay, RetentionRule) != (wanted.category is Category.APPRAISAL):
        raise UsageError(_messages("rule.final_action"))
    with platform.database.reading(PLATFORM) as session:
        row = _row(session, principal, organisation_id, wanted)
    digest = statements.keep(platform, STATEMENT, row.id, _statement(row))
    try:
        with platform.database.writing(PLATFORM) as session:
            end_before(session, row)
            session.add(row)
            facts = {
                "rule": row.id,
                "category": row.category,
                "code": row.code,
                "version": row.version,
                "years": row.years,
                "ends": row.ends,
                "final_action": row.final_action,
                "since": row.since.isoformat(),
                "statement": digest,
            }
            journal.write(session, organisation_id=organisation_id, kind=FOLLOWED, actor=principal.actor, facts=facts)
            session.flush()
    except IntegrityError as error:
        raise Conflict(_messages("rule.at_once", identifier=row.code)) from error
    return row


def _row(session: Session, principal: Principal, organisation_id: str, wanted: Wanted) -> RuleVersion:
    delay = wanted.delay
    same = (RuleVersion.category == wanted.category.value, RuleVersion.code == delay.identifier)
    built_in = any(one.identifier == delay.identifier for one in BUILT_IN[wanted.category])
    last = session.exec(select(func.max(RuleVersion.version)).where(*same)).one() or int(built_in)
    return RuleVersion(
        id=new_id(),
        organisation_id=organisation_id,
        category=wanted.category.value,
        code=delay.identifier,
        version=last + 1,
        label=delay.label,
        years=delay.years,
        ends=delay.ends.value,
        final_action=delay.final_action.value if isinstance(delay, RetentionRule) else "",
        source=delay.source,
        since=wanted.since,
        created_by=principal.actor,
    )


def _statement(row: RuleVersion) -> bytes:
    said = row.model_dump(mode="json", exclude={"until", "created"})
    return canonical_bytes(said | {"created": clock.iso(row.created)})


def end_before(session: Session, row: RuleVersion) -> None:
    """End the organisation's own version that this one follows."""
    own = select(RuleVersion).where(
        RuleVersion.organisation_id == row.organisation_id,
        RuleVersion.category == row.category,
        RuleVersion.code == row.code,
        col(RuleVersion.until).is_(None),
    )
    for before in session.exec(own):
        before.until = row.since - timedelta(days=1)


def withdraw(platform: Platform, principal: Principal, organisation_id: str, category: Category, code: str) -> None:
    """End an organisation's own rule today: tomorrow the one above it, or the built-in one, counts again.

    Raises:
        Forbidden: the principal manages no archives there.
        NotFound: the organisation has no such rule in force.
        Conflict: it is chosen for a kind of record, and none would take its place.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    today = clock.in_paris(clock.now()).date()
    with platform.database.writing(PLATFORM) as session:
        own = select(RuleVersion).where(
            RuleVersion.organisation_id == organisation_id,
            RuleVersion.category == category.value,
            RuleVersion.code == code,
            col(RuleVersion.until).is_(None),
        )
        row = session.exec(own.with_for_update()).first()
        if row is None:
            raise NotFound(_messages("rule.unknown", identifier=code[:40], category=_messages(f"category.{category.value}")))
        row.until = max(row.since, today)
        session.flush()
        _refuse_lapse(session, row)
        facts = {"rule": row.id, "category": row.category, "code": row.code, "version": row.version}
        facts |= {"until": row.until.isoformat()}
        journal.write(session, organisation_id=organisation_id, kind=WITHDRAWN, actor=principal.actor, facts=facts)


def _refuse_lapse(session: Session, row: RuleVersion) -> None:
    organisation = session.get_one(Organisation, row.organisation_id)
    below = subtree(session, organisation.path)
    chosen = select(RuleChoice).where(RuleChoice.code == row.code, RuleChoice.category == row.category)
    tomorrow = (row.until or row.since) + timedelta(days=1)
    for choice in session.exec(chosen.where(col(RuleChoice.organisation_id).in_(below))):
        try:
            rule_named(session, choice.organisation_id, row.code, Category(row.category), day=tomorrow)
        except NotFound as error:
            raise Conflict(_messages("rule.chosen", identifier=row.code, kind=_messages(f"kind.{choice.kind}"))) from error


def choose(
    platform: Platform, principal: Principal, organisation_id: str, kind: str, category: Category, code: str | None
) -> None:
    """Choose the rule that applies to a kind of record from now on, there and below; None goes back to what holds above.

    What is sealed already keeps its rule.

    Raises:
        Forbidden: the principal manages no archives there.
        UsageError: there is no such kind, or no rule of this category is chosen for kinds.
        NotFound: there is no such rule in force.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    if kind not in KINDS or category not in _CHOOSABLE:
        raise UsageError(_messages("choice.unknown"))
    with platform.database.writing(PLATFORM) as session:
        if code is not None:
            rule_named(session, organisation_id, code, category)
        own = session.get(RuleChoice, (organisation_id, kind, category.value))
        if (own.code if own else None) == code:
            return
        if own is not None:
            session.delete(own)
            session.flush()
        if code is not None:
            session.add(
                RuleChoice(
                    organisation_id=organisation_id, kind=kind, category=category.value, code=code, chosen_by=principal.actor
                )
            )
        facts = {"kind": kind, "category": category.value, "code": code}
        journal.write(session, organisation_id=organisation_id, kind=CHOSEN, actor=principal.actor, facts=facts)
