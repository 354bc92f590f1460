"""The *bordereau d'élimination*: what is proposed to the producer and to the State, printed, and the list that it stands for.

The printed page sums records up as archivists do (producer, kind, year: extreme dates, number, volume), says which rules let them
be destroyed and what sets these, and names the whole list, a table with a line for each record, by its digest. Both are French,
whoever asks for them; the same lines give the same bytes. Neither holds titles, which may name people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from babel.numbers import format_decimal
from sqlmodel import Session

from archive import spreadsheet
from archive.elimination.lists import Line, lines
from archive.elimination.models import Elimination
from archive.models import Record
from archive.retention.defaults import KINDS
from archive.retention.explaining import retention_of
from core import clock
from core.messages import Catalogue, speaking
from core.organisations import Organisation
from signing.report.content import Line as Cells
from signing.report.content import Page, Row, Section, Table, Tone, plain
from signing.report.pdf import as_pdf

_messages = Catalogue("archive.elimination")
_kinds = Catalogue("archive.retention")
_AT_ONCE = 500
_UNIT = 1000
COLUMNS = (
    "record",
    "kind",
    "producer",
    "dated",
    "rule",
    "keep_until",
    "sealed",
    "size",
    "sha256",
    "status",
    "reasons",
    "decision",
    "outcome",
)


@dataclass(slots=True)
class _Group:
    count: int = 0
    volume: int = 0
    first: date = date.max
    last: date = date.min

    def add(self, record: Record) -> None:
        """Count a record in."""
        self.count += 1
        self.volume += record.size
        self.first, self.last = min(self.first, record.dated), max(self.last, record.dated)


@dataclass(slots=True)
class _Summary:
    """The lines on a list, summed up.

    Attributes:
        groups: by producer, kind and year.
        rules: by retention rule and version, one record of each, and how many there are.
    """

    whole: _Group = field(default_factory=_Group)
    groups: dict[tuple[str, str, int], _Group] = field(default_factory=dict)
    rules: dict[str, tuple[Record, int]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count a record in."""
        self.whole.add(record)
        self.groups.setdefault((record.producer, kind_in_words(record.kind), record.dated.year), _Group()).add(record)
        first, count = self.rules.get(record.rule, (record, 0))
        self.rules[record.rule] = first, count + 1


def kind_in_words(kind: str) -> str:
    """Return a kind of record in words; one that this version does not know, bare."""
    key = f"kind.{kind}"
    return _kinds(key) if key in _kinds else kind


def reason_in_words(reason: str) -> str:
    """Return why a record is in conflict, or kept, in words: a name of ``archive.elimination.analysis.Reason``."""
    return _messages(f"reason.{reason}")


def title_of(record: Record) -> str:
    """Return the title of a record for a list that several people read; nothing of a confidential one, or one destroyed."""
    return "" if record.confidential else record.title


def every_line(session: Session, elimination_id: str, shown: str) -> Iterator[Line]:
    """Yield all lines that ``lists.lines`` shows, page by page."""
    after: str | None = ""
    while after is not None:
        found, after = lines(session, elimination_id, shown=shown, after=after, limit=_AT_ONCE)
        yield from found


def listing(session: Session, elimination: Elimination) -> bytes:
    """Return the lines on the list as the table that is kept for ever: without titles, which may name people."""
    with speaking("fr"):
        return spreadsheet.written([_head(), *map(_row, every_line(session, elimination.id, "chosen"))])


def export(session: Session, elimination: Elimination, shown: str) -> bytes:
    """Return the lines that ``lists.lines`` shows as a table to work with, titles included."""
    lines_shown = every_line(session, elimination.id, shown)
    rows = ([*_row(one), title_of(one.record)] for one in lines_shown)
    return spreadsheet.written([[*_head(), _messages("column.title")], *rows])


def _head() -> list[str]:
    return [_messages(f"column.{name}") for name in COLUMNS]


def _row(one: Line) -> list[str]:
    line, record = one.line, one.record
    decided = {True: _messages("accepted"), False: _messages("refused"), None: ""}[line.accepted]
    return [
        record.id,
        kind_in_words(record.kind),
        record.producer,
        _day(record.dated),
        record.rule,
        _day(record.keep_until) if record.keep_until else "",
        _day(clock.in_paris(record.sealed)),
        str(record.size),
        record.sha256,
        _messages(f"status.{line.status}"),
        ", ".join(map(reason_in_words, line.reasons)),
        decided,
        _messages(f"outcome.{line.outcome}") if line.outcome else "",
    ]


def _day(day: date | datetime) -> str:
    return f"{day:%d/%m/%Y}"


def pdf(session: Session, elimination: Elimination, listed: bytes, made: datetime) -> bytes:
    """Return the printed bordereau of the lines on the list.

    Args:
        session: the platform's own.
        elimination: it.
        listed: its list (``listing``).
        made: the document's own date.

    Raises:
        SandboxError: it could not be composed.
        Unavailable: too many wait for their turn.
    """
    with speaking("fr"):
        return as_pdf(page(session, elimination, listed), made)


def page(session: Session, elimination: Elimination, listed: bytes) -> Page:
    """Return the bordereau in words."""
    summary = _Summary()
    for one in every_line(session, elimination.id, "chosen"):
        summary.add(one.record)
    whole = summary.whole
    organisation = session.get_one(Organisation, elimination.organisation_id)
    head = ("producer", "kind", "year", "first", "last", "count", "volume")
    table = Table(
        title=_messages("bordereau.table"),
        head=tuple(_messages(f"bordereau.{name}") for name in head),
        words=5,
        lines=(*(_cells(key, group) for key, group in sorted(summary.groups.items())), _total(whole)),
    )
    rows = (
        Row(_messages("bordereau.organisation"), (f"{plain(organisation.name)} ({organisation.siren or organisation.id})",)),
        Row(_messages("bordereau.identifier"), (elimination.id,)),
        Row(_messages("bordereau.as_of"), (_day(elimination.as_of),)),
        Row(_messages("bordereau.list"), (_messages("bordereau.list.told"), hashlib.sha256(listed).hexdigest())),
    )
    return Page(
        language="fr",
        title=_messages("bordereau.title", name=plain(organisation.name)),
        verdict=_messages.counted("bordereau.verdict", whole.count, count=_number(whole.count)),
        tone=Tone.PLAIN,
        meaning=_messages("bordereau.meaning"),
        reasons=(),
        sections=(
            Section(_messages("bordereau.about"), rows),
            Section(_messages("bordereau.proposed"), (), (table,)),
            Section(_messages("bordereau.grounds"), tuple(_grounds(session, summary))),
            Section(_messages("bordereau.signatures"), tuple(_signatures())),
        ),
        notes=(_messages("bordereau.note"),),
    )


def _grounds(session: Session, summary: _Summary) -> Iterator[Row]:
    """Yield, for each rule, what it says and what sets it: on this the control of the State decides."""
    for name, (record, count) in sorted(summary.rules.items()):
        rule = retention_of(session, record)
        told = (plain(rule.label), plain(rule.source)) if rule else ()
        yield Row(plain(name), (*told, _messages.counted("bordereau.count_of", count, count=_number(count))))


def _cells(key: tuple[str, str, int], group: _Group) -> Cells:
    producer, kind, year = key
    return Cells((producer, kind, str(year), _day(group.first), _day(group.last), _number(group.count), _volume(group)))


def _total(whole: _Group) -> Cells:
    return Cells(
        (_messages("bordereau.total"), "", "", _day(whole.first), _day(whole.last), _number(whole.count), _volume(whole)),
        total=True,
    )


def _volume(group: _Group) -> str:
    return _messages("bordereau.kilobytes", count=_number(-(-group.volume // _UNIT)))


def _number(count: int) -> str:
    return format_decimal(count, locale="fr")


def _signatures() -> Iterator[Row]:
    for who in ("producer", "state"):
        yield Row(_messages(f"bordereau.sign.{who}"), (_messages("bordereau.sign"),))


def known_kinds() -> tuple[str, ...]:
    """Return the kinds of record that a list may be narrowed to."""
    ours = (kind.partition(".")[0] for kind in KINDS if kind != "publication")  # which is no record of its own
    return (*dict.fromkeys(ours), "transfer")
