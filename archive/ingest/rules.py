"""The rules that a manifest names: known to the archive service, of the right category, with dates that can be meant.

How long something is kept lives behind a rule's identifier (`archive.retention.referential`); what follows for the whole package
is here too: it is kept as long as the part of it that is kept longest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from lxml import etree
from sqlmodel import Session

from archive.ingest.wording import problem
from archive.retention import referential
from archive.retention.defaults import PRIVATE_LIFE
from archive.retention.rules import AccessDelay, Category, Delay, RetentionRule
from core.problems import Problem, Severity
from schemas.seda.model import FinalAction
from schemas.seda.reader import Manifest

_CATEGORIES = {
    "AppraisalRule": Category.APPRAISAL,
    "AccessRule": Category.ACCESS,
    "StorageRule": Category.STORAGE,
    "HoldRule": Category.HOLD,
}
_OTHERS = ("DisseminationRule", "ReuseRule", "ClassificationRule")
_ACTING = ("AppraisalRule", "StorageRule")
_FIRST, _LAST = date(1000, 1, 1), date(2200, 12, 31)
_AHEAD = timedelta(days=366)
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


@dataclass(frozen=True, slots=True)
class _Named:
    """A rule as a manifest names it."""

    category: str
    identifier: str
    line: int
    start: str | None
    hold_end: str | None


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
    found = list(_rules(manifest))
    problems = [flaw for rule in found for flaw in (*_identifier(rule, known), *_dates(rule, today))]
    problems += list(_actions(manifest))
    if not any(rule.category == "AppraisalRule" for rule in found):
        problems.append(problem("203", "rule.none", Severity.WARNING))
    return problems + list(_not_applied(manifest))


def kept_by(session: Session, organisation_id: str, manifest: Manifest) -> Kept:
    """Return by which rules a package is kept as a whole: what ends last counts, and to keep wins over to destroy.

    Args:
        session: the platform's own.
        organisation_id: whose referential counts.
        manifest: one whose rules were found to be known.

    Raises:
        NotFound: a rule is not known any more.
    """
    found = list(_rules(manifest))
    appraisal, starts = _longest(session, organisation_id, found, Category.APPRAISAL)
    access, hidden = _longest(session, organisation_id, found, Category.ACCESS)
    actions = {(element.text or "").strip() for element in manifest.tree.getroot().iterfind(".//{*}AppraisalRule/{*}FinalAction")}
    action = FinalAction.DESTROY if actions == {FinalAction.DESTROY.value} else FinalAction.KEEP
    rule = appraisal if isinstance(appraisal, RetentionRule) else NO_RULE
    return Kept(
        rule.model_copy(update={"final_action": action}),
        starts,
        access if isinstance(access, AccessDelay) else PRIVATE_LIFE,
        hidden,
    )


def _longest(session: Session, organisation_id: str, found: list[_Named], category: Category) -> tuple[Delay | None, date | None]:
    """Return the rule of a category that ends last, and when it starts; one without a start ends after every other."""
    applied: list[tuple[Delay, date | None]] = [
        (referential.rule_named(session, organisation_id, rule.identifier, category), _day(rule.start))
        for rule in found
        if _CATEGORIES[rule.category] is category
    ]
    return max(applied, key=lambda one: one[0].end_from(one[1]) if one[1] else date.max, default=(None, None))


def _rules(manifest: Manifest) -> Iterator[_Named]:
    for category in manifest.tree.getroot().iter(*(f"{{*}}{name}" for name in _CATEGORIES)):
        for rule in category.iterfind("{*}Rule"):
            beside = _beside(rule)
            name = etree.QName(category).localname
            yield _Named(name, (rule.text or "").strip(), rule.sourceline, beside.get("StartDate"), beside.get("HoldEndDate"))


def _beside(rule: etree._Element) -> dict[str, str]:
    """Return what is said of a rule in the elements that follow it, up to the next one."""
    found: dict[str, str] = {}
    for element in rule.itersiblings():
        if isinstance(element.tag, str):
            name = etree.QName(element).localname
            if name == "Rule":
                break
            found.setdefault(name, (element.text or "").strip())
    return found


def _identifier(rule: _Named, known: dict[Category, set[str]]) -> Iterator[Problem]:
    wanted = _CATEGORIES[rule.category]
    if rule.identifier in known[wanted]:
        return
    elsewhere = next((category for category, names in known.items() if rule.identifier in names), None)
    key = "rule.category" if elsewhere else "rule.unknown"
    yield problem("203", key, line=rule.line, path=rule.category, found=rule.identifier)


def _dates(rule: _Named, today: date) -> Iterator[Problem]:
    start, end = _day(rule.start), _day(rule.hold_end)
    place = {"line": rule.line, "path": rule.category}
    latest = min(_LAST, today + _AHEAD)
    if rule.start and (start is None or not _FIRST <= start <= latest):
        yield problem("203", "rule.start", **place, found=rule.start, expected=f"{_FIRST} – {latest}")  # type: ignore[arg-type]
    if rule.hold_end and (end is None or not _FIRST <= end <= _LAST):
        yield problem("203", "rule.hold_end", **place, found=rule.hold_end)  # type: ignore[arg-type]
    elif start is not None and end is not None and end < start:
        yield problem("203", "rule.hold_order", **place, found=f"{end}", expected=f"≥ {start}")  # type: ignore[arg-type]


def _actions(manifest: Manifest) -> Iterator[Problem]:
    for name in _ACTING:
        for category in manifest.tree.getroot().iter(f"{{*}}{name}"):
            if category.find("{*}FinalAction") is None:
                yield problem("203", "rule.no_action", line=category.sourceline, path=name)


def _not_applied(manifest: Manifest) -> Iterator[Problem]:
    for name in _OTHERS:
        first = next((element for element in manifest.tree.getroot().iter(f"{{*}}{name}")), None)
        if first is not None:
            yield problem("203", "rule.not_applied", Severity.WARNING, line=first.sourceline, path=name)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None
