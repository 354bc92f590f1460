"""``archive catch-up``: a database that was restored from a backup, brought forward from the places alone."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.markup import escape
from sqlmodel import select

from api.cli.archive_rebuild import Counting, stopped_platform, tell_troubles
from api.cli.output import NO, console, json_line
from api.pastell.models import PastellNumber
from api.s2low.models import S2lowTransaction
from api.words import moment, told
from archive.models import Record
from archive.proof import marks
from archive.rebuilding import tail
from archive.rebuilding.catching_up import CaughtUp
from archive.rebuilding.catching_up import catch_up as bring_forward
from core import clock, numbers
from core.clock import iso
from core.database import ScopedSession
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import numbering
from flows.engine import overtaken
from flows.engine.models import Dossier
from flows.registry import FLOWS

_t = Catalogue("api.cli")
_PASSED_OVER = 10_000
"""Numbers of the S2LOW and Pastell interfaces that are passed over: other software keeps those that were given after the backup,
and nothing here names them. More than are given between two backups, and few of the two thousand million that there are."""
_LATE = 2
"""Heads are cut, and copied, each once in the same interval: what happened before the last but one is in the places."""


def catch_up(*, as_json: bool) -> int:
    """Catch up; return 0 when everything was found whole, 1 otherwise.

    Raises:
        Conflict: the database is not the beginning of the journal in the places, or went on by itself, or somebody is at work.
        Misconfigured: the embedded platform is running.
        SegmentAltered, ObjectMissing, ObjectAltered: the journal or a statement in the places does not hold.
        Unavailable: a place does not answer.
    """
    with stopped_platform() as platform:
        done = bring_forward(
            platform,
            _set_aside,
            lambda dossier: _is_known(platform, dossier),
            Counting("catch_up", as_json=as_json),
        )
        with platform.database.writing(PLATFORM) as session:
            overtaken.conclude(session, FLOWS)
            if done.mark is not None and marks.unfinished(session):
                _pass_over_numbers(session, done.mark, done.stamped or done.mark.at)
                tail.end(session)
        (_as_json if as_json else _tell)(platform, done)
    return NO if done.unreadable or done.unknown or done.evidence_lost else 0


def _pass_over_numbers(session: ScopedSession, mark: JournalEntry, until: datetime) -> None:
    """Pass over the numbers that were given since the backup; the journal tells of what happened until a moment."""
    numbering.pass_over(session, mark.number or 0, clock.in_paris(until).date())
    for table in (S2lowTransaction, PastellNumber):
        numbers.pass_over(session, str(table.__tablename__), _PASSED_OVER)


def _set_aside(session: ScopedSession, mark: JournalEntry, dossiers: Collection[str]) -> None:
    overtaken.set_aside(session, mark, dossiers, FLOWS, told)


def _is_known(platform: Platform, dossier_id: str) -> bool:
    with platform.database.reading(PLATFORM) as session:
        return session.get(Dossier, dossier_id) is not None


def _tell(platform: Platform, done: CaughtUp) -> None:
    if done.mark is None:
        console.print(f"  [green]✓[/] {_t('catch_up.nothing', size=done.size)}")
    else:
        _tell_what_came(platform, done, done.mark)
    at = moment(done.stamped) if done.stamped else _t("catch_up.never")
    console.print(_t("catch_up.gap", at=at, minutes=_minutes(platform)))
    if done.outside > done.size:
        console.print(f"  [yellow]![/] {_t('catch_up.outside', size=done.outside, lost=done.outside - done.size)}")


def _tell_what_came(platform: Platform, done: CaughtUp, mark: JournalEntry) -> None:
    console.print(f"  [green]✓[/] {_t.counted('catch_up.entries', done.entries, count=done.entries, size=done.size)}")
    console.print(f"  [green]✓[/] {_t('catch_up.records', count=done.records, eliminated=done.eliminated, holds=done.holds)}")
    with platform.database.reading(PLATFORM) as session:
        count, missing = overtaken.count(session, mark), list(_missing(session, mark))
    if count:
        console.print(f"  [yellow]![/] {_t.counted('catch_up.parked', count, count=count)}")
    if missing:
        console.print(f"  [yellow]![/] {_t.counted('catch_up.missing', len(missing), count=len(missing))}")
    for one in missing:
        line = _t("catch_up.missing.line", **one | {"at": moment(one["at"]), "last": told(one["last"])})
        console.print(escape(f"    {line}") + (f" [green]{_t('catch_up.missing.sealed')}[/]" if one["record"] else ""))
    tell_troubles(done)


def _as_json(platform: Platform, done: CaughtUp) -> None:
    said: dict[str, Any] = {name: getattr(done, name) for name in CaughtUp.__slots__ if name != "mark"}
    parked, missing = 0, list[dict[str, Any]]()
    if done.mark is not None:
        with platform.database.reading(PLATFORM) as session:
            parked = overtaken.count(session, done.mark)
            missing = [one | {"at": iso(one["at"])} for one in _missing(session, done.mark)]
    stamped = iso(done.stamped) if done.stamped else None
    json_line(said | {"stamped": stamped, "parked": parked, "missing": missing, "minutes_lost": _minutes(platform)})


def _missing(session: ScopedSession, mark: JournalEntry) -> Iterator[dict[str, Any]]:
    """Yield what is said of each dossier that is not there: whose it is, what the journal says last, its record if sealed."""
    for one in overtaken.missing(session, mark):
        record = session.exec(select(Record.id).where(Record.dossier_id == one.id)).first()
        owner = session.get_one(Organisation, one.organisation_id).name
        yield asdict(one) | {"organisation": owner, "record": record}


def _minutes(platform: Platform) -> int:
    return math.ceil(_LATE * platform.settings.tree_head_seconds / 60)
