"""The referential of an organisation: the built-in rules, its own, those of the organisations above, and what they chose.

The nearest organisation that has a version of a rule counts, then the built-in one; so does the nearest that chose a rule for a
kind of record. What lives here: reading. What does not: new versions and choices (`archive.retention.changing`), CSV
(`archive.retention.exchange`).

The session must see the organisations above: it is the platform's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from archive.retention.defaults import BUILT_IN, KINDS
from archive.retention.models import RuleChoice, RuleVersion
from archive.retention.rules import AccessDelay, Category, Delay, Ends, RetentionRule
from core import clock
from core.errors import Misconfigured, NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from schemas.seda.model import FinalAction

_messages = Catalogue("archive.retention")


@dataclass(frozen=True, slots=True)
class Known:
    """A version of a rule, as an organisation knows it.

    Attributes:
        owner: the organisation whose version it is; None when it is built in.
        since: the first day on which it may be applied; None for what is built in.
        until: the last one; None while it is in force.
    """

    category: Category
    delay: Delay
    owner: str | None
    since: date | None
    until: date | None

    def holds_on(self, day: date) -> bool:
        """Tell whether it may be applied to a record on a day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Rules:
    """What applies to a kind of record."""

    appraisal: RetentionRule
    access: AccessDelay


def known(session: Session, organisation_id: str, identifier: str, category: Category) -> bool:
    """Tell whether an organisation knows a rule of a category that is in force today."""
    return any(one.delay.identifier == identifier for one in in_force(session, organisation_id, category))


def rule_named(
    session: Session,
    organisation_id: str,
    identifier: str,
    category: Category,
    version: str | None = None,
    *,
    day: date | None = None,
) -> Delay:
    """Return a rule as an organisation knows it.

    Args:
        session: the platform's own.
        organisation_id: who asks: its own rules, those above, and the built-in ones are looked at.
        identifier: of the rule.
        category: of the rule.
        version: that it has, in force or not; the one in force on the day when not given.
        day: today when not given.

    Returns:
        A ``RetentionRule`` of appraisal, an ``AccessDelay`` of access, a ``Delay`` of storage or hold.

    Raises:
        NotFound: there is no such rule, or none in force on that day.
    """
    by_day = version is None
    candidates = in_force(session, organisation_id, category, day) if by_day else all_versions(session, organisation_id)
    for one in candidates:
        if one.category is category and one.delay.identifier == identifier and version in {None, one.delay.version}:
            return one.delay
    raise NotFound(_messages("rule.unknown", identifier=identifier[:40], category=_messages(f"category.{category.value}")))


def rules_for(session: Session, organisation_id: str, kind: str, *, by_content: AccessDelay | None = None) -> Rules:
    """Return what applies today to a kind of record of an organisation.

    Args:
        session: the platform's own.
        organisation_id: whose record it is.
        kind: of record, as ``defaults.KINDS`` names it: ``helios``, ``invoices``, ``actes.4``.
        by_content: the access delay that the content of this record asks for; it counts when it is longer than that of its kind.

    Raises:
        Misconfigured: a rule was chosen that is no longer in force.
    """
    appraisal, access = KINDS[kind]
    chosen = choices(session, organisation_id)
    kept = _applied(session, organisation_id, Category.APPRAISAL, chosen.get((kind, Category.APPRAISAL)), appraisal)
    hidden = _applied(session, organisation_id, Category.ACCESS, chosen.get((kind, Category.ACCESS)), access)
    if by_content is not None and by_content.years > hidden.years:
        hidden = _applied(session, organisation_id, Category.ACCESS, None, by_content)
    if not isinstance(kept, RetentionRule) or not isinstance(hidden, AccessDelay):
        raise TypeError(f"{kept.identifier} or {hidden.identifier} is of another category")
    return Rules(kept, hidden)


def _applied(session: Session, organisation_id: str, category: Category, choice: RuleChoice | None, default: Delay) -> Delay:
    """Return the version in force of the rule that was chosen, else of the one that is meant by default."""
    code = choice.code if choice else default.identifier
    try:
        return rule_named(session, organisation_id, code, category)
    except NotFound as error:
        raise Misconfigured(_messages("rule.lapsed", identifier=code)) from error


def choices(session: Session, organisation_id: str) -> dict[tuple[str, Category], RuleChoice]:
    """Return the choice that counts for each kind of record and category where somebody chose: that of the nearest."""
    above = _above(session, organisation_id)
    found = session.exec(select(RuleChoice).where(col(RuleChoice.organisation_id).in_(above))).all()
    ordered = sorted(found, key=lambda choice: above.index(choice.organisation_id))
    return {(choice.kind, Category(choice.category)): choice for choice in ordered}


def in_force(session: Session, organisation_id: str, category: Category, day: date | None = None) -> list[Known]:
    """Return the rules of a category that an organisation may apply on a day (today, when none is given), by identifier.

    Of each rule it is one version: that of the nearest organisation which has one in force, else the built-in one.
    """
    wanted = day or clock.in_paris(clock.now()).date()
    nearest = {
        one.delay.identifier: one
        for one in reversed(all_versions(session, organisation_id))
        if one.category is category and one.holds_on(wanted)
    }
    return [nearest[identifier] for identifier in sorted(nearest)]


def all_versions(session: Session, organisation_id: str) -> list[Known]:
    """Return every version that an organisation knows: the nearest first, of one organisation the newest first."""
    above = _above(session, organisation_id)
    rows = session.exec(select(RuleVersion).where(col(RuleVersion.organisation_id).in_(above))).all()
    ordered = sorted(rows, key=lambda row: (-above.index(row.organisation_id), row.code, -row.version))
    return [*map(_known, ordered), *_built_in()]


def _above(session: Session, organisation_id: str) -> list[str]:
    """Return an organisation and those above it, the root first."""
    return session.get_one(Organisation, organisation_id).path.strip("/").split("/")


def _built_in() -> Iterable[Known]:
    return (Known(category, delay, None, None, None) for category, delays in BUILT_IN.items() for delay in delays)


def _known(row: RuleVersion) -> Known:
    return Known(Category(row.category), delay_of(row), row.organisation_id, row.since, row.until)


def delay_of(row: RuleVersion) -> Delay:
    """Return what a version says."""
    said = {
        "identifier": row.code,
        "version": str(row.version),
        "years": row.years,
        "ends": Ends(row.ends),
        "label": row.label,
        "source": row.source,
    }
    match Category(row.category):
        case Category.APPRAISAL:
            return RetentionRule(**said, final_action=FinalAction(row.final_action))
        case Category.ACCESS:
            return AccessDelay(**said)
        case _:
            return Delay(**said)
