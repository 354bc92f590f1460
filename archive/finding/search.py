"""Finding records: by words, facts of management, digests of files; newest first, in pages by key, counted up to a bound.

What is seen is what the principal may *read*. The question itself asks for the organisations, so that the records of others cost
nothing. The rows are read by their numbers in the platform's own session, and each is held against the principal's rights once
more: narrowed by organisations, SQLite would walk through all the records of a collectivité for the few of a page.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from sqlalchemy import Connection, true
from sqlmodel import col, select

from archive.finding import matching
from archive.finding.expression import Every, Expression, Term, Without, some_of
from archive.finding.holding import digested_as
from archive.finding.index import ALL, CONFIDENTIAL, WITHHELD
from archive.finding.models import IndexedRecord, RecordState
from archive.finding.scope import scope_of
from archive.finding.seeing import cleared_in
from archive.finding.words import facet, up_to, wanted_of
from archive.models import Record, RecordFile
from core import clock
from core.database import ScopedSession
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from signing.parapheur.software import is_software

_messages = Catalogue("archive.finding")
COUNTED_UP_TO = 10_000
_SHORTEST_BEGINNING = 4
_MOST_WORDS = 30
_MOST_SHOWN = 12  # values of a facet
_MOST_SAME = 1000  # records that hold one and the same file


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records to find; what is left empty does not narrow.

    Attributes:
        text: words that must all be there; the beginning of one ends with a star.
        organisations: these and all below them.
        rule: identifier and version of the retention rule.
        final_action: ``Keep`` or ``Destroy``.
        open: True for those that anyone may read today, False for the others.
        digest: of a file or of the package, hexadecimal.
        due_by: those whose retention ends on that day at the latest.
        after: number of the last record of the page before.
        limit: how many are wanted.
    """

    text: str = ""
    kinds: tuple[str, ...] = ()
    producers: tuple[str, ...] = ()
    years: tuple[int, ...] = ()
    organisations: tuple[str, ...] = ()
    states: tuple[RecordState, ...] = ()
    rule: str = ""
    final_action: str = ""
    open: bool | None = None
    digest: str = ""
    due_by: date | None = None
    after: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A record that was found, and where it stands."""

    record: Record
    state: RecordState


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records were found in all, and of each value of a facet, the most frequent first.

    Attributes:
        total: ``COUNTED_UP_TO`` when there are more.
        exact: False when there are more; the facets are then those of the newest ``COUNTED_UP_TO``.
    """

    total: int = 0
    exact: bool = True
    kinds: tuple[tuple[str, int], ...] = ()
    producers: tuple[tuple[str, int], ...] = ()
    years: tuple[tuple[int, int], ...] = ()
    states: tuple[tuple[str, int], ...] = ()
    organisations: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page of what was found.

    Attributes:
        counts: None when they were not asked for.
        next: what ``after`` has to be for the next page; None on the last one.
    """

    lines: tuple[Line, ...]
    counts: Counts | None
    next: int | None


def find(platform: Platform, principal: Principal, wanted: Wanted, *, counted: bool = True) -> Page:
    """Find records.

    Raises:
        UsageError: the beginning of a word is too short, or there are too many words.
    """
    reader = _reader(principal)
    with platform.database.reading(PLATFORM) as session:
        if not (reader.everywhere or reader.organisations):
            return Page((), Counts() if counted else None, None)
        question = _question(wanted)
        scope = None if reader.everywhere else scope_of(session, reader.organisations)
        connection = session.connection()
        among = _numbers_of_digest(session, reader, wanted.digest) if wanted.digest else None
        hidden = _hidden(session, reader)
        newest = partial(matching.newest, connection, question, scope=scope, hidden=hidden, among=among)

        enough = max(wanted.limit, COUNTED_UP_TO if counted else 0) + 1
        first = newest(enough) if counted else []
        begun = wanted.after is None and counted
        numbers = first[: wanted.limit + 1] if begun else newest(wanted.limit + 1, below=wanted.after)
        shown = numbers[: wanted.limit]
        return Page(
            _lines(session, reader, shown),
            _counts(connection, first) if counted else None,
            shown[-1] if len(numbers) > wanted.limit else None,
        )


def _question(wanted: Wanted) -> Expression:
    """Return what to ask the index, beside the organisations.

    Raises:
        UsageError: as ``find``.
    """
    parts = [*_of_text(wanted.text), *_of_facts(wanted)]
    asked: Expression = Every(tuple(parts)) if parts else Term(ALL)
    return Without(asked, some_of(up_to("open", _today()))) if wanted.open is False else asked


def _numbers_of_digest(session: ScopedSession, reader: Principal, digest: str) -> list[int]:
    """Return the numbers of the records whose package, or a file of it, has this digest: of one that many hold the newest."""
    wanted = digest.strip().lower()
    own = true() if reader.everywhere else col(RecordFile.organisation_id).in_(reader.organisations)
    same = select(RecordFile.record_id).where(RecordFile.sha256 == wanted, own)
    of_files = same.order_by(col(RecordFile.record_id).desc()).limit(_MOST_SAME)
    of_packages = select(Record.id).where(Record.sha256 == wanted)
    records = {*session.exec(of_files), *session.exec(of_packages), *digested_as(session, [wanted], _MOST_SAME)}
    found = session.exec(select(IndexedRecord.number).where(col(IndexedRecord.record_id).in_(records)))
    return [number for number in found if number is not None]


def _reader(principal: Principal) -> Principal:
    """Return the principal with what they may read only."""
    if principal.everywhere:
        return principal
    grants = {organisation: rights for organisation, rights in principal.grants.items() if Right.READ in rights}
    return Principal(principal.actor, grants, name=principal.name)


def _of_text(text: str) -> list[Expression]:
    tokens, beginnings = wanted_of(text)
    if len(tokens) + len(beginnings) > _MOST_WORDS:
        raise UsageError(_messages("search.long", most=_MOST_WORDS))
    for beginning in beginnings:
        if len(beginning) < _SHORTEST_BEGINNING:
            raise UsageError(_messages("search.beginning", found=f"{beginning}*", least=_SHORTEST_BEGINNING))
    if text.strip() and not tokens and not beginnings:
        raise UsageError(_messages("search.empty"))
    return [*(Term(token) for token in tokens), *(Term(beginning, beginning=True) for beginning in beginnings)]


def _of_facts(wanted: Wanted) -> list[Expression]:
    parts: list[Expression] = []
    for name, values in (
        ("kind", wanted.kinds),
        ("producer", wanted.producers),
        ("year", tuple(map(str, wanted.years))),
        ("org", wanted.organisations),
        ("state", wanted.states),
        ("rule", (wanted.rule,) if wanted.rule else ()),
        ("final", (wanted.final_action,) if wanted.final_action else ()),
    ):
        if values:
            parts.append(some_of(facet(name, value) for value in values))
    if wanted.due_by:
        parts.append(some_of(up_to("due", wanted.due_by)))
    if wanted.open:
        parts.append(some_of(up_to("open", _today())))
    return parts


def _hidden(session: ScopedSession, principal: Principal) -> Expression | None:
    """Return what is not seen: by software what people kept to themselves, by people confidential records of others' keeping."""
    if principal.everywhere:
        return None
    if is_software(principal):
        return Term(WITHHELD)
    cleared = scope_of(session, cleared_in(principal))
    if cleared is None:
        return None
    return Without(Term(CONFIDENTIAL), some_of(cleared.tokens)) if cleared.tokens else Term(CONFIDENTIAL)


def _lines(session: ScopedSession, reader: Principal, numbers: Sequence[int]) -> tuple[Line, ...]:
    found = session.exec(
        select(Record, IndexedRecord)
        .join(IndexedRecord, col(IndexedRecord.record_id) == Record.id)
        .where(col(IndexedRecord.number).in_(numbers))
        .order_by(col(IndexedRecord.number).desc())
    )
    return tuple(
        Line(record, RecordState(indexed.state)) for record, indexed in found if reader.may(Right.READ, record.organisation_id)
    )


def _counts(connection: Connection, numbers: Sequence[int]) -> Counts:
    counted = numbers[:COUNTED_UP_TO]
    facets: dict[str, Counter[str]] = defaultdict(Counter)
    for name, value, count in matching.facets(connection, counted):
        facets[name][value] = count
    return Counts(
        len(counted),
        len(numbers) <= COUNTED_UP_TO,
        tuple(facets["kind"].most_common()),
        tuple(facets["producer"].most_common(_MOST_SHOWN)),
        tuple((int(year), count) for year, count in sorted(facets["year"].items(), reverse=True)),
        tuple(facets["state"].most_common()),
        tuple(facets["organisation"].most_common(_MOST_SHOWN)),
    )


def _today() -> date:
    return clock.in_paris(clock.now()).date()
