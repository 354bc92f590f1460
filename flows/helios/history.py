"""What was sent before of the bordereaux of a budget, and what became of them: what rule B02 is held against.

An acquit tells a bordereau by its number, mostly with its year, never with its kind: of a flow with one number under two kinds,
a refusal does not say which of them it means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from core.database import ScopedSession
from core.journal import JournalEntry
from flows.engine.models import Dossier
from schemas.pes.pieces import year_of
from schemas.pes.reader import whole

ROLL = "06"
AGAIN = "helios.acquit_again"
"""What the journal calls an acquit after the first one."""
# Hélios took these; of a flow that is on its way, only the sequence can be told.
_TAKEN = ("acquitted", "archived")
_NOT_TAKEN = ("received", "rejected", "declined", "given_up", "refused")
# DomaineAck: the domain and the kind of bordereau that a refusal is about; None means any.
_ABOUT: dict[str | None, tuple[str | None, str | None]] = {
    **dict.fromkeys(("0", "1", "2", "3"), (None, None)),
    "5": ("depense", None),
    "6": ("recette", None),
    "7": ("recette", ROLL),
}
_OLDEST, _LAST = 2005, 9997
# A year of the largest budget: a number that an older flow has is Hélios's to tell, and no check waits longer for it.
_MOST, _AT_A_TIME = 5000, 100

Name = tuple[str, int, str]
"""Of a series of bordereaux: domain, year, kind."""
Numbers = Mapping[Name, Mapping[int, int]]
"""The numbers of the bordereaux of a flow, by their series, with the rank of each in its domain."""
_Place = tuple[Name, int]


@dataclass(slots=True)
class Series:
    """The numbers of bordereaux of one domain, year and kind, of one budget.

    Attributes:
        highest: of those that were sent.
        taken: those that Hélios took, with the dossier of each.
        doubted: those of which it refused one of several, and did not say which; with the dossier of each.
    """

    highest: int = 0
    taken: dict[int, str] = field(default_factory=dict)
    doubted: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Before:
    """What was sent before a flow.

    Attributes:
        series: by their names, of those that were asked for.
        whole: every flow deposited before was read: only then can a number be missing.
    """

    series: dict[Name, Series]
    whole: bool = True


def numbers_of(bordereaux: Iterable[Mapping[str, Any]]) -> dict[Name, dict[int, int]]:
    """Return the numbers of the bordereaux of a flow, as its facts tell them."""
    found: dict[Name, dict[int, int]] = defaultdict(dict)
    ranks: dict[str, int] = defaultdict(int)
    for one in bordereaux:
        ranks[one["domain"]] += 1
        year, number = year_of(one["exer"]), whole(one["id_bord"])
        if year is not None and number is not None and one["typ_bord"]:
            found[one["domain"], year, one["typ_bord"]].setdefault(number, ranks[one["domain"]])
    return found


def refusals_of(elements: Iterable[Mapping[str, Any]]) -> list[dict[str, str | None]]:
    """Return which bordereaux an acquit refuses, as far as it says."""
    told = ("domain", "exercice", "bordereau")
    return [{name: one[name] for name in told} for one in elements if one["domain"] in _ABOUT and not one["accepted"]]


def before(session: ScopedSession, organisation_id: str, dossier_id: str, header: Mapping[str, Any], wanted: Numbers) -> Before:
    """Return what was sent before for the same budget, of the series that are wanted.

    No flow is sent earlier than the year before its own, or later than the year after: the newest dossiers of these years are
    read, a few at a time, and of each only what it says of bordereaux.
    """
    found: dict[Name, Series] = defaultdict(Series)
    if not wanted:
        return Before(found)
    years = [year for _, year, _ in wanted]
    facts = col(Dossier.facts)
    earlier = (
        col(Dossier.organisation_id) == organisation_id,
        col(Dossier.flow) == "helios",
        col(Dossier.id) < dossier_id,
        col(Dossier.created) >= datetime(max(_OLDEST, min(years) - 1), 1, 1, tzinfo=UTC),
        col(Dossier.created) < datetime(min(max(years), _LAST) + 2, 1, 1, tzinfo=UTC),
        facts["cod_col"].as_string() == header.get("cod_col"),
    )
    # Until it is read, a flow does not say of which budget it is.
    unread = session.execute(select(col(Dossier.id)).where(*earlier, col(Dossier.state) == "received").limit(1)).first()
    rows = session.execute(
        select(col(Dossier.id), col(Dossier.state), facts["bordereaux"], facts[("acquit", "elements")])
        .where(*earlier, facts["cod_bud"].as_string() == header.get("cod_bud"), col(Dossier.state).not_in(_NOT_TAKEN))
        .order_by(col(Dossier.created).desc(), col(Dossier.id).desc())
        .limit(_MOST)
        .execution_options(yield_per=_AT_A_TIME)
    )
    known: dict[str, tuple[Numbers, list[dict[str, str | None]]]] = {}
    for dossier, state, bordereaux, elements in rows:
        numbers = numbers_of(bordereaux or ())
        refusals = refusals_of(elements or ()) if state in _TAKEN else []
        refused, _ = _refused(numbers, refusals)
        for name in numbers.keys() & wanted.keys():
            sent = (number for number in numbers[name] if (name, number) not in refused)
            found[name].highest = max(found[name].highest, *sent, 0)
        if state in _TAKEN and any(_shared(numbers, wanted)):
            known[dossier] = numbers, refusals
    later = _later(session, list(known)) if known else {}
    for dossier, (own, refusals) in known.items():
        refused, doubted = _refused(own, [*refusals, *later.get(dossier, ())])
        for name, number in _shared(own, wanted):
            if (name, number) not in refused:
                series = found[name]
                (series.doubted if (name, number) in doubted else series.taken).setdefault(number, dossier)
    return Before(found, whole=unread is None)


def _shared(numbers: Numbers, wanted: Numbers) -> Iterator[_Place]:
    for name in numbers.keys() & wanted.keys():
        for number in numbers[name].keys() & wanted[name].keys():
            yield name, number


def _later(session: ScopedSession, dossiers: list[str]) -> dict[str, list[dict[str, str | None]]]:
    """Return what acquits after the first one refuse: the journal keeps it, for they change nothing else of a dossier."""
    found: dict[str, list[dict[str, str | None]]] = defaultdict(list)
    rows = session.execute(
        select(col(JournalEntry.dossier_id), col(JournalEntry.facts)["refused"]).where(
            col(JournalEntry.dossier_id).in_(dossiers), col(JournalEntry.kind) == AGAIN
        )
    )
    for dossier, refused in rows:
        found[dossier] += refused or ()
    return found


def _refused(numbers: Numbers, refusals: Iterable[Mapping[str, Any]]) -> tuple[set[_Place], set[_Place]]:
    """Return the bordereaux of a flow that are refused, and those one of which is; what names no number is about all."""
    places: dict[int, list[Name]] = defaultdict(list)
    for name in numbers:
        for number in numbers[name]:
            places[number].append(name)
    sure: set[_Place] = set()
    perhaps: set[_Place] = set()
    for one in refusals:
        domain, kind = _ABOUT[one["domain"]]
        year, told = year_of(one["exercice"]), whole(one["bordereau"])
        meant = {
            (name, own)
            for own in ([told] if told is not None else places)
            for name in places.get(own, ())
            if domain in (None, name[0]) and year in (None, name[1]) and kind in (None, name[2])
        }
        (sure if told is None or len(meant) == 1 else perhaps).update(meant)
    return sure, perhaps
