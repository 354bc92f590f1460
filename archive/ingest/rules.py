"""The rules that a manifest names: known to the archive service, of the right category, of sense (`archive.ingest.sense`).

How long something is kept lives behind a rule's identifier (`archive.retention.referential`); what follows for the whole package
is here too: it is kept as long as the part of it that is kept longest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from sqlmodel import Session

from archive.describing import DescribedRule, Description
from archive.ingest.sense import OTHERS, RULES, NamedRule, check_sense, lacks_an_appraisal, rules_of, without_rule
from archive.ingest.wording import problem
from archive.retention import referential
from archive.retention.defaults import PRIVATE_LIFE
from archive.retention.rules import AccessDelay, Category, Delay, RetentionRule
from core.problems import Problem, Severity
from schemas.seda.elements import text_of, value_of
from schemas.seda.model import FinalAction
from schemas.seda.reader import Manifest

_CATEGORIES = dict(zip(RULES, (Category.APPRAISAL, Category.ACCESS, Category.STORAGE, Category.HOLD), strict=True))
NO_RULE = RetentionRule(
    identifier="SANS-REGLE",
    years=0,
    label="aucune règle de durée dans le bordereau : conservation sans limite",
    source="bordereau de transfert",
)
"""What a package is kept by that names no rule: for ever, since nothing says when its time starts."""


@dataclass(frozen=True, slots=True)
class Kept:
    """By which rules a package is kept as a whole.

    Attributes:
        starts: the day from which the appraisal counts; None when it is not known: it is kept for ever then.
        hidden: the day from which the access delay counts; None when it is not known: it stays closed then.
    """

    appraisal: RetentionRule
    starts: date | None
    access: AccessDelay
    hidden: date | None

    def applied(self, description: Description) -> Description:
        """Return what a package says of itself with the one rule of each category that counts for all of it."""
        return replace(
            description,
            appraisal=DescribedRule(self.appraisal.identifier, self.starts),
            final_action=self.appraisal.final_action,
            access=DescribedRule(self.access.identifier, self.hidden),
        )


def check_rules(session: Session, organisation_id: str, manifest: Manifest, today: date) -> list[Problem]:
    """Return what is wrong with the rules of a manifest.

    Args:
        session: the platform's own.
        organisation_id: whose referential counts.
        manifest: as it was read.
        today: in metropolitan France.
    """
    known = {
        category: {one.delay.identifier for one in referential.in_force(session, organisation_id, category)}
        for category in Category
    }
    found = list(rules_of(manifest))
    problems = [flaw for rule in found for flaw in _identifier(rule, known)] + check_sense(manifest, today)
    if not any(rule.category == "AppraisalRule" for rule in found):
        problems.append(problem("203", "rule.none", Severity.WARNING))
    return [*problems, *_uncovered(manifest), *_held(found), *_not_applied(manifest)]


def kept_by(session: Session, organisation_id: str, manifest: Manifest) -> Kept:
    """Return by which rules a package is kept as a whole: what ends last counts, and to keep wins over to destroy.

    A unit that no rule covers, its own or inherited, has one that never ends: the package is kept, or closed, for ever.

    Args:
        session: the platform's own.
        organisation_id: whose referential counts.
        manifest: one whose rules were found to be known.

    Raises:
        NotFound: a rule is not known any more.
    """
    found = list(rules_of(manifest))
    appraisal, starts = _longest(session, organisation_id, found, Category.APPRAISAL)
    access, hidden = _longest(session, organisation_id, found, Category.ACCESS)
    actions = {value_of(element) for element in manifest.tree.getroot().iterfind(".//{*}AppraisalRule/{*}FinalAction")}
    uncovered = lacks_an_appraisal(manifest.tree.getroot())
    destroyed = actions == {FinalAction.DESTROY.value} and not uncovered
    action = FinalAction.DESTROY if destroyed else FinalAction.KEEP
    rule = appraisal if isinstance(appraisal, RetentionRule) else NO_RULE
    delay = access if isinstance(access, AccessDelay) else PRIVATE_LIFE
    if without_rule(manifest.tree.getroot(), "AccessRule") is not None:  # whoever reads a package reads all of it
        delay, hidden = max(delay, PRIVATE_LIFE, key=lambda one: one.years), None
    return Kept(rule.model_copy(update={"final_action": action}), None if uncovered else starts, delay, hidden)


def _longest(
    session: Session, organisation_id: str, found: list[NamedRule], category: Category
) -> tuple[Delay | None, date | None]:
    """Return the rule of a category that ends last, and when it starts; one without a start or an end ends after every other."""
    applied: list[tuple[Delay, date | None]] = [
        (referential.rule_named(session, organisation_id, rule.identifier, category), rule.begins)
        for rule in found
        if _CATEGORIES[rule.category] is category
    ]
    return max(applied, key=lambda one: _last_day(*one), default=(None, None))


def _last_day(delay: Delay, starts: date | None) -> date:
    if starts is None or (isinstance(delay, AccessDelay) and delay.opens(starts) is None):
        return date.max
    return delay.end_from(starts)


def _identifier(rule: NamedRule, known: dict[Category, set[str]]) -> Iterator[Problem]:
    wanted = _CATEGORIES[rule.category]
    if rule.identifier in known[wanted]:
        return
    elsewhere = next((category for category, names in known.items() if rule.identifier in names), None)
    key = "rule.category" if elsewhere else "rule.unknown"
    yield problem("203", key, line=rule.line, path=rule.category, found=rule.identifier)


def _uncovered(manifest: Manifest) -> Iterator[Problem]:
    unit = without_rule(manifest.tree.getroot(), "AccessRule")
    if unit is not None:
        place = {"line": unit.sourceline, "path": unit.get("id")}
        yield problem("203", "rule.no_access", Severity.WARNING, **place, found=text_of(unit, "Content", "Title"))


def _held(found: list[NamedRule]) -> Iterator[Problem]:
    first = next((rule for rule in found if rule.category == "HoldRule"), None)
    if first is not None:
        yield problem("203", "rule.hold", Severity.WARNING, line=first.line, path=first.category, found=first.identifier)


def _not_applied(manifest: Manifest) -> Iterator[Problem]:
    for name in ("StorageRule", *OTHERS):
        first = next((element for element in manifest.tree.getroot().iter(f"{{*}}{name}")), None)
        if first is not None:
            yield problem("203", "rule.not_applied", Severity.WARNING, line=first.sourceline, path=name)
