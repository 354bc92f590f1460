"""What was decided about a fonds in words: the statements under lock and the holds in force, as a restitution gives them.

They are what the packages do not say: why a record is held, by whom it was taken in and what was found of its signatures on that
day, which visa let others be destroyed. What does not live here: how a statement is kept (`archive.places.statements`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from archive import spreadsheet
from archive.correction.models import STATEMENT as CORRECTION
from archive.correction.models import RecordCorrection
from archive.elimination.deciding import DECIDED
from archive.elimination.deciding import STATEMENT as VISA
from archive.elimination.models import Elimination
from archive.models import Record
from archive.places import statements
from archive.retention.changing import STATEMENT as RULE
from archive.retention.holds import LIFT_STATEMENT, LIFTED
from archive.retention.holds import STATEMENT as HOLD
from archive.retention.models import RecordHeld, RecordHold, RuleVersion
from core import clock
from core.database import ScopedSession
from core.journal import JournalEntry, about
from core.platform import Platform

_COLUMNS = ("gel", "motif", "responsable", "posé le", "à réexaminer le", "prend fin le", "archives", "décision")


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision that stands under lock.

    Attributes:
        kind: of statement: ``hold``, ``transfer``…
        sha256: of the statement, where a row or the journal has it.
    """

    kind: str
    identifier: str
    sha256: str | None = None

    @property
    def name(self) -> str:
        """Its name in what is given back."""
        return f"decisions/{self.kind}/{self.identifier}.json"

    def read(self, platform: Platform) -> bytes:
        """Return the statement as it was sealed.

        Raises:
            ObjectMissing, ObjectAltered: no place has it as it was sealed.
            Unavailable: no place that answers has it.
        """
        return statements.read(platform, self.kind, self.identifier, self.sha256)


@dataclass(frozen=True, slots=True)
class Holds:
    """The holds in force over a fonds.

    Attributes:
        by_record: the identifiers of the holds over each record that is held, the oldest first.
    """

    rows: Sequence[RecordHold]
    by_record: dict[str, list[str]]

    def over(self, record: Record) -> str:
        """Return the holds over a record, as a cell of a table names them."""
        return " ".join(self.by_record.get(record.id, ()))

    def table(self, given: set[str]) -> bytes:
        """Return the holds as a table.

        Args:
            given: names of the decisions that are given back too.
        """
        counts = defaultdict[str, int](int)
        for holds in self.by_record.values():
            for hold in holds:
                counts[hold] += 1
        return spreadsheet.written([_COLUMNS, *(_row(hold, counts[hold.id], given) for hold in self.rows)])


def entry_of(record: Record) -> Decision | None:
    """Return what was found and decided of a record when it was handed over from outside; None of the platform's own."""
    if record.kind != statements.OF_TRANSFER or record.dossier_id is None:
        return None
    return Decision(statements.OF_TRANSFER, record.dossier_id)


def holds_over(session: ScopedSession, organisations: Sequence[str]) -> Holds:
    """Return the holds in force over the records of organisations, whoever put them: one above them may have."""
    running = (
        select(RecordHeld.record_id, RecordHeld.hold_id)
        .join(RecordHold, col(RecordHold.id) == col(RecordHeld.hold_id))
        .where(col(RecordHold.lifted).is_(None), col(RecordHeld.organisation_id).in_(organisations))
        .order_by(RecordHeld.hold_id)
    )
    by_record = defaultdict[str, list[str]](list)
    for record_id, hold_id in session.exec(running):
        by_record[record_id].append(hold_id)
    meant = select(RecordHeld.hold_id).where(col(RecordHeld.organisation_id).in_(organisations))
    rows = select(RecordHold).where(col(RecordHold.lifted).is_(None), col(RecordHold.id).in_(meant)).order_by(RecordHold.id)
    return Holds(session.exec(rows).all(), dict(by_record))


def decisions(session: ScopedSession, organisations: Sequence[str]) -> Iterator[Decision]:
    """Yield what organisations decided about their fonds: holds, and why they were lifted; rules; corrections; visas.

    One that an organisation above made is not theirs: its statement names the records of others too.
    """
    for hold in session.exec(_own(RecordHold, organisations)):
        yield Decision(HOLD, hold.id, hold.statement)
        if hold.lifted is not None:
            yield from _told(session, LIFT_STATEMENT, hold.id, LIFTED)
    for rule in session.exec(_own(RuleVersion, organisations)):
        yield Decision(RULE, rule.id)
    for correction in session.exec(_own(RecordCorrection, organisations)):
        if correction.statement is not None:
            yield Decision(CORRECTION, correction.statement, correction.digest)
    for elimination in session.exec(_own(Elimination, organisations)):
        yield from _told(session, VISA, elimination.id, DECIDED)


def _own(table: type[Any], organisations: Sequence[str]) -> Any:
    return select(table).where(col(table.organisation_id).in_(organisations)).order_by(table.id)


def _told(session: ScopedSession, kind: str, identifier: str, entry_kind: str) -> Iterator[Decision]:
    """Yield the statements that the journal names of a hold or an elimination; the first holds were lifted without."""
    named = select(JournalEntry.facts).where(about(identifier), JournalEntry.kind == entry_kind)
    for facts in session.exec(named):
        if "statement" in facts:
            yield Decision(kind, facts["statement"], facts["sha256"])


def _row(hold: RecordHold, count: int, given: set[str]) -> tuple[str, ...]:
    name = Decision(HOLD, hold.id).name
    return (
        *(hold.id, hold.reason, hold.owner, clock.iso(hold.placed), hold.review.isoformat()),
        hold.ends.isoformat() if hold.ends else "",
        *(str(count), name if name in given else ""),
    )
