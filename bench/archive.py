"""What finding costs among a million records, and what proving one of them does.

The records are those of communes below a platform: kinds and years as they fall, two dozen words each of a vocabulary in which
half of what is said is said by few words (Zipf), numbers of their own. They are written as the index writes them, in bulk.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import Table, insert, text
from sqlmodel import select

from archive.finding import matching, search
from archive.finding.index import facets_of
from archive.finding.matching import Entry
from archive.finding.models import IndexedRecord, RecordState
from archive.finding.search import Wanted
from archive.finding.words import tokens_of
from archive.models import Record, TreeHead, TreeLeaf
from archive.proof import tree
from archive.proof.heads import TableStore
from archive.proof.proving import standing_of
from bench.places import empty_postgres
from core.blobs import ObjectStore
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform, open_platform
from core.principal import PLATFORM, Principal, Right
from core.settings import Settings

RECORDS = 1_000_000
COMMUNES = 300
_SHARED = 100
_BATCH = 10_000
_ROUNDS = 20
_PERCENT = 95
_WORDS = 40_000
_KINDS = ("helios", "actes", "invoices", "mail", "document", "sales", "transfer")
_OF_KINDS = (40, 25, 18, 8, 5, 3, 1)
INDEX = "CREATE INDEX record_words_index ON record_words USING gin (words) WITH (fastupdate = off)"
_FIRST = datetime(2016, 1, 1, tzinfo=UTC)
_SPAN = timedelta(days=10 * 365)


@dataclass(frozen=True)
class Row:
    """Milliseconds of a question, counts and facets included.

    Attributes:
        found: how many records, ``10000+`` when there are more than are counted.
    """

    database: str
    question: str
    found: str
    p50: float
    p95: float


@dataclass(frozen=True)
class Fonds:
    """A platform with a million records, and those who read in it."""

    platform: Platform
    communes: tuple[Organisation, ...]
    everything: Principal
    shared: Principal
    alone: Principal


def search_rows(records: int = RECORDS) -> Iterator[Row]:
    """Measure each database: questions, and the proof of a record."""
    for name in ("SQLite", "PostgreSQL"):
        with fonds(name, records) as here:
            for question, asked in questions(here, records).items():
                yield _measured(name, question, asked)
            yield proof_row(name, here.platform, records)


def questions(here: Fonds, records: int) -> dict[str, Callable[[], search.Page]]:
    """Return what is asked: words common and rare, beginnings, facts of management, first pages and last ones."""

    def ask(who: Principal, **wanted: Any) -> Callable[[], search.Page]:
        return lambda: search.find(here.platform, who, Wanted(**wanted))

    low = records // 200
    return {
        "nothing asked, whole platform": ask(here.everything),
        "nothing asked, one commune": ask(here.alone),
        "nothing asked, a hundred communes": ask(here.shared),
        "a word of half of the records": ask(here.everything, text=_word(0)),
        "the same, one commune": ask(here.alone, text=_word(0)),
        "the same, a hundred communes": ask(here.shared, text=_word(0)),
        "two common words": ask(here.everything, text=f"{_word(0)} {_word(1)}"),
        "three words, common to rare": ask(here.everything, text=f"{_word(0)} {_word(30)} {_word(300)}"),
        "a rare word": ask(here.everything, text=_word(30_000)),
        "a number": ask(here.everything, text=f"B{records // 2:07}"),
        "the beginning of a word, 4 letters": ask(here.everything, text=_word(5)[:4] + "*"),
        "the beginning of a number": ask(here.everything, text=f"B{records // 2:07}"[:5] + "*"),
        "a kind and a common word": ask(here.everything, text=_word(0), kinds=("actes",)),
        "the oldest year": ask(here.everything, years=(2016,)),
        "the oldest year and a common word": ask(here.everything, years=(2016,), text=_word(0)),
        "the oldest year and a middling word": ask(here.everything, years=(2016,), text=_word(30)),
        "a rule, the newest year, eliminated": ask(
            here.everything, rule="APP-COMPTA-10ANS v1", years=(2025,), states=(RecordState.ELIMINATED,)
        ),
        "due by the end of 2026": ask(here.everything, due_by=date(2026, 12, 31), final_action="Destroy"),
        "not open today": ask(here.everything, open=False),
        "last page, nothing asked": ask(here.everything, after=low),
        "last page, a common word": ask(here.everything, text=_word(0), after=low),
        "last page, one commune": ask(here.alone, text=_word(0), after=low),
    }


def proof_row(database: str, platform: Platform, size: int) -> Row:
    """Measure where records stand in a tree of so many entries, and their ways to its root, each verified."""
    chance = random.Random(7)
    with platform.database.reading(PLATFORM) as session:
        root = tree.root_at(TableStore(session.connection()), size)
    times = []
    for _ in range(200):
        position = chance.randrange(size)
        started = time.perf_counter()
        with platform.database.reading(PLATFORM) as session:
            standing = standing_of(session, _entry_id(position))
            path = tree.inclusion_path(TableStore(session.connection()), position, size)
            assert standing.position == position
            assert tree.verify_inclusion(tree.leaf_hash(_leaf(position)), position, size, path, root)
        times.append((time.perf_counter() - started) * 1000)
    return _row(database, "the proof of a record", "1", times)


@contextlib.contextmanager
def fonds(name: str, records: int = RECORDS) -> Iterator[Fonds]:
    """Make a platform with this many records on a database."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabellion-bench-", ignore_cleanup_errors=True)))
        database = f"sqlite:///{folder / 'db.sqlite3'}" if name == "SQLite" else stack.enter_context(empty_postgres())
        settings = Settings(state_dir=folder, database_url=SecretStr(database), broker_url=SecretStr("memory://"))
        platform = open_platform(settings, ObjectStore("http://127.0.0.1:9", "none", "none", "bench"))  # nothing is asked of it
        stack.callback(platform.database.close)
        upgrade(platform.database)
        communes = _communes(platform)
        _fill(platform, communes, records)
        rights = frozenset({Right.READ})
        yield Fonds(
            platform,
            communes,
            Principal("token:everything", {one.id: rights for one in _all(platform)}),
            Principal("person:shared", {one.id: rights for one in communes[:_SHARED]}),
            Principal("person:alone", {communes[0].id: rights}),
        )


def _communes(platform: Platform) -> tuple[Organisation, ...]:
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme de mesure", OrganisationKind.PLATFORM)
        kind = OrganisationKind.COLLECTIVITE
        return tuple(add_organisation(session, f"Commune {rank}", kind, parent=root) for rank in range(COMMUNES))


def _all(platform: Platform) -> Sequence[Organisation]:
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(Organisation)).all()


def _fill(platform: Platform, communes: Sequence[Organisation], records: int) -> None:
    """Write records, their words and the tree of their entries."""
    chance = random.Random(20)
    sizes = list(accumulate(1 / (rank + 3) for rank in range(len(communes))))
    zipf = list(accumulate(1 / (rank + 1) for rank in range(_WORDS)))
    vocabulary = [tuple(tokens_of([_word(rank)])) for rank in range(_WORDS)]
    blank = Record(**_record(chance, communes[0], 1, records)).model_dump()
    if not platform.database.is_sqlite:
        _run(platform, "DROP INDEX record_words_index")
    for start in range(0, records, _BATCH):
        rows, indexed, words = [], [], []
        for number in range(start + 1, min(start + _BATCH, records) + 1):
            (commune,) = chance.choices(communes, cum_weights=sizes)
            row = blank | _record(chance, commune, number, records)
            said = chance.choices(vocabulary, cum_weights=zipf, k=25)
            state = RecordState.ELIMINATED if chance.random() < 0.02 else RecordState.KEPT
            tokens = dict.fromkeys(facets_of(cast("Record", SimpleNamespace(**row)), commune.path, state))
            tokens.update((token, None) for one in said for token in one)
            tokens.update({f"b{number:07}": None, f"{row['dated'].year}-{number:06}": None, row["id"]: None})
            rows.append(row)
            facts = {name: row[name] for name in ("organisation_id", "kind", "producer")}
            indexed.append({"number": number, "record_id": row["id"], "year": row["dated"].year, "state": state.value, **facts})
            words.append(Entry(number, commune.id, tokens))
        with platform.database.writing(PLATFORM) as session:
            connection = session.connection()
            connection.execute(insert(_table(Record)), rows)
            connection.execute(insert(_table(IndexedRecord)), indexed)
            matching.put(connection, words)
            positions = range(start, min(start + _BATCH, records))
            leaves = [{"position": one, "entry_number": one + 1, "entry_id": _entry_id(one)} for one in positions]
            connection.execute(insert(_table(TreeLeaf)), leaves)
            tree.append(TableStore(connection), start, [tree.leaf_hash(_leaf(one)) for one in positions])
    with platform.database.writing(PLATFORM) as session:
        root = tree.root_at(TableStore(session.connection()), records)
        session.add(TreeHead(size=records, root=root, head=b"{}", token=b"", stamped=_FIRST + _SPAN))
    if not platform.database.is_sqlite:
        _run(platform, "SET statement_timeout = 0; SET maintenance_work_mem = '256MB'; " + INDEX)
    _run(platform, "ANALYZE")


def _run(platform: Platform, statement: str) -> None:
    with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


def _record(chance: random.Random, commune: Organisation, number: int, records: int) -> dict[str, Any]:
    sealed = _FIRST + _SPAN * (number / records)
    dated = (sealed - timedelta(days=chance.randrange(60))).date()
    (kind,) = chance.choices(_KINDS, _OF_KINDS)
    destroyed = kind in {"helios", "invoices", "sales"}
    hidden = 50 if chance.random() < 0.3 else 0
    confidential = chance.random() < 0.01
    return {
        "id": f"{number:026}",
        "organisation_id": commune.id,
        "kind": kind,
        "title": f"{kind} {number}",
        "producer": f"21{number % COMMUNES:07}",
        "dated": dated,
        "key": f"{number}",
        "sha256": f"{number:064x}",
        "size": 10_000,
        "entry_id": _entry_id(number - 1),
        "rule": "APP-COMPTA-10ANS v1" if destroyed else "APP-ACTES-1AN v1",
        "final_action": "Destroy" if destroyed else "Keep",
        "keep_until": date(dated.year + (10 if destroyed else 1), 12, 31),
        "access": "AR048 v1" if hidden else "AR038 v1",
        "open_from": date(dated.year + hidden, dated.month, 1),
        "sealed": sealed,
        "confidential": confidential,
        "withheld": confidential,
    }


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table


def _word(rank: int) -> str:
    """Return a word that looks like one; the lower its rank the more often it is said."""
    syllables = ("ma", "de", "ri", "to", "lu", "pen", "bar", "si", "cho", "vel", "gra", "non", "tis", "fa", "cu", "zo")
    rank, parts = rank + 4096, []
    while rank:
        rank, one = divmod(rank, len(syllables))
        parts.append(syllables[one])
    return "".join(parts)


def _leaf(position: int) -> bytes:
    return b"entry %d" % position


def _entry_id(position: int) -> str:
    return f"E{position:025}"


def _measured(database: str, question: str, asked: Callable[[], search.Page]) -> Row:
    counts = asked().counts
    assert counts is not None
    times = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        asked()
        times.append((time.perf_counter() - started) * 1000)
    return _row(database, question, f"{counts.total}{'' if counts.exact else '+'}", times)


def _row(database: str, question: str, found: str, times: list[float]) -> Row:
    return Row(database, question, found, statistics.median(times), sorted(times)[len(times) * _PERCENT // 100])


if __name__ == "__main__":
    for row in search_rows():
        print(f"{row.database:12} {row.question:40} {row.found:>8} found  p50 {row.p50:6.1f} ms  p95 {row.p95:6.1f} ms")
