"""The rules that a manifest names, judged without knowing them: dates that can be meant, and what happens at the end.

What lives here: reading them, of every version. What does not: whether an archive service knows them, and how long they last
(`archive.ingest.rules`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from lxml import etree

from archive.ingest.wording import problem
from core.problems import Problem
from schemas.seda.elements import name_of, text_of, value_of
from schemas.seda.legacy import LEGACY
from schemas.seda.reader import Manifest

RULES = ("AppraisalRule", "AccessRule", "StorageRule", "HoldRule")
"""The categories whose rules an archive service knows."""
OTHERS = ("DisseminationRule", "ReuseRule", "ClassificationRule")
"""Those that it does not even know."""
_LEGACY_RULES = ("AppraisalRule", "AccessRestrictionRule", "Appraisal", "AccessRestriction")
_ACTING = ("AppraisalRule", "StorageRule")
_FIRST, _LAST = date(1000, 1, 1), date(2200, 12, 31)
_AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A rule as a manifest names it.

    Attributes:
        start: ``StartDate``, as written.
        hold_end: ``HoldEndDate``, as written.
    """

    category: str
    identifier: str
    line: int
    start: str | None
    hold_end: str | None

    @property
    def begins(self) -> date | None:
        """The day from which it counts; None when there is none, or it is no date."""
        return day_of(self.start)


def rules_of(manifest: Manifest, categories: tuple[str, ...] = RULES) -> Iterator[NamedRule]:
    """Yield the rules of some categories, in the order of the document."""
    for category in manifest.tree.getroot().iter(*(f"{{*}}{name}" for name in categories)):
        for rule in category.iterfind("{*}Rule"):
            said = beside(rule)
            told = said.get("StartDate"), said.get("HoldEndDate")
            yield NamedRule(name_of(category), value_of(rule), rule.sourceline, *told)


def lacks_an_appraisal(root: etree._Element) -> bool:
    """Tell whether a unit of a package of SEDA 2 has no appraisal rule, its own or inherited: nothing says when it may go."""
    return without_rule(root, "AppraisalRule") is not None


def without_rule(root: etree._Element, name: str) -> etree._Element | None:
    """Return the first unit of a package of SEDA 2 without a rule of a category, its own or inherited; None when each has one."""
    common = root.find(f".//{{*}}ManagementMetadata/{{*}}{name}/{{*}}Rule") is not None
    waiting = [(unit, common) for unit in reversed(root.findall(".//{*}DescriptiveMetadata/{*}ArchiveUnit"))]
    while waiting:
        unit, inherited = waiting.pop()
        if unit.find("{*}ArchiveUnitRefId") is not None:
            continue  # another place of a unit that stands elsewhere
        own = unit.find(f"{{*}}Management/{{*}}{name}")
        covered = inherited if own is None else own.find("{*}Rule") is not None or (inherited and _inherits(own))
        if not covered:
            return unit
        waiting += [(below, covered) for below in reversed(unit.findall("{*}ArchiveUnit"))]
    return None


def _inherits(category: etree._Element) -> bool:
    prevented = (category.findtext("{*}PreventInheritance") or "").strip() in {"true", "1"}
    return not prevented and category.find("{*}RefNonRuleId") is None


def check_sense(manifest: Manifest, today: date) -> list[Problem]:
    """Return what is wrong with the rules of a manifest, whatever they are.

    Args:
        manifest: as it was read.
        today: in metropolitan France.
    """
    if manifest.version in LEGACY:
        return [flaw for rule in _legacy_rules(manifest) for flaw in _dates(rule, today)]
    named = rules_of(manifest, (*RULES, *OTHERS))
    return [*(flaw for rule in named for flaw in _dates(rule, today)), *_actions(manifest)]


def _legacy_rules(manifest: Manifest) -> Iterator[NamedRule]:
    for rule in manifest.tree.getroot().iter(*(f"{{*}}{name}" for name in _LEGACY_RULES)):
        yield NamedRule(name_of(rule), text_of(rule, "Code") or "", rule.sourceline, text_of(rule, "StartDate"), None)


def beside(rule: etree._Element) -> dict[str, str]:
    """Return what is said of a rule in the elements that follow it, up to the next one."""
    found: dict[str, str] = {}
    for element in rule.itersiblings():
        if isinstance(element.tag, str):
            if name_of(element) == "Rule":
                break
            found.setdefault(name_of(element), value_of(element))
    return found


def _dates(rule: NamedRule, today: date) -> Iterator[Problem]:
    start, end = rule.begins, day_of(rule.hold_end)
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


def day_of(text: str | None) -> date | None:
    """Return a day as a manifest writes it; None when there is none, or it is no date."""
    try:
        return date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None
