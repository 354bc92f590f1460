"""What the certificate of an elimination says: what was destroyed, by whose decision, with what result.

For people (a printed page) and for machines (JSON). Neither has the title of a record. What does not live here: its sealing
(`archive.elimination.concluding`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from babel.numbers import format_decimal
from sqlalchemy import func
from sqlmodel import Session, select

from archive.elimination.bordereau import every_line, kind_in_words
from archive.elimination.lists import Line, counts
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import Outcome
from core import clock
from core.messages import Catalogue
from core.organisations import Organisation
from core.people import Person
from signing.report.content import Line as Cells
from signing.report.content import Page, Row, Section, Table, Tone, plain

_messages = Catalogue("archive.elimination")
MOST_PRINTED = 300
"""Lines that the printed certificate shows; the JSON has them all."""


def as_json(session: Session, elimination: Elimination) -> dict[str, Any]:
    """Return all that a certificate says, for machines: identifiers, digests, days, decisions, and what each place answered."""
    return {
        "v": 1,
        "elimination": elimination.id,
        "organisation": elimination.organisation_id,
        "as_of": elimination.as_of.isoformat(),
        "bordereau_sha256": elimination.bordereau,
        "list_sha256": elimination.listing,
        "decisions": {
            "made": _decision(elimination.made, elimination.made_by),
            "agreed": _decision(elimination.agreed, elimination.agreed_by),
            "visa": _decision(elimination.visa, elimination.visa_by)
            | {
                "reference": elimination.visa_reference,
                "document_sha256": elimination.visa_document,
                "statement_sha256": elimination.visa_statement,
            },
            "ordered": _decision(elimination.ordered, elimination.ordered_by),
        },
        "ended": clock.iso(elimination.ended) if elimination.ended else None,
        "lines": [_line(one) for one in every_line(session, elimination.id, "chosen")],
    }


def _decision(at: datetime | None, by: str | None) -> dict[str, Any]:
    return {"at": clock.iso(at) if at else None, "by": by}


def _line(one: Line) -> dict[str, Any]:
    line, record = one.line, one.record
    return {
        "record": record.id,
        "sha256": record.sha256,
        "size": record.size,
        "kind": record.kind,
        "producer": record.producer,
        "dated": record.dated.isoformat(),
        "rule": record.rule,
        "keep_until": record.keep_until.isoformat() if record.keep_until else None,
        "sealed": clock.iso(record.sealed),
        "accepted": line.accepted,
        "outcome": line.outcome,
        "reasons": line.reasons,
        "settled": clock.iso(line.settled) if line.settled else None,
        "result": line.result,
        "working_copies_destroyed": clock.iso(line.emptied) if line.emptied else None,
    }


def page_of(session: Session, elimination: Elimination) -> Page:
    """Return the certificate in the words of the current locale."""
    total = counts(session, elimination.id)
    organisation = session.get_one(Organisation, elimination.organisation_id)
    destroyed = total[Outcome.DESTROYED]
    name = plain(organisation.name)
    return Page(
        language="fr",
        title=_messages("certificate.title", name=name),
        verdict=_messages.counted("certificate.verdict", destroyed, count=_number(destroyed)),
        tone=Tone.GOOD,
        meaning=_messages("certificate.meaning"),
        reasons=(),
        sections=(
            Section(_messages("certificate.decisions"), tuple(_decisions(session, elimination))),
            Section(_messages("certificate.results"), tuple(_results(session, elimination)), (_destroyed(session, elimination),)),
        ),
        notes=(_messages("certificate.note"),),
    )


def _decisions(session: Session, elimination: Elimination) -> Iterator[Row]:
    steps = (
        ("made", elimination.made, elimination.made_by),
        ("agreed", elimination.agreed, elimination.agreed_by),
        ("visa", elimination.visa, elimination.visa_by),
        ("ordered", elimination.ordered, elimination.ordered_by),
    )
    yield Row(_messages("bordereau.identifier"), (elimination.id,))
    for step, at, by in steps:
        if at is not None:
            told = _messages("certificate.by", name=_name(session, by), at=f"{clock.in_paris(at):%d/%m/%Y %H:%M}")
            yield Row(_messages(f"certificate.{step}"), (told,))
    if elimination.visa_reference:
        yield Row(_messages("certificate.reference"), (plain(elimination.visa_reference),))
    for part, digest in (
        ("bordereau", elimination.bordereau),
        ("list", elimination.listing),
        ("document", elimination.visa_document),
    ):
        if digest:
            yield Row(_messages(f"certificate.{part}"), (digest,))


def _name(session: Session, actor: str | None) -> str:
    kind, _, identifier = (actor or "").partition(":")
    person = session.get(Person, identifier) if kind == "person" else None
    return plain(person.name) if person else actor or "–"


def _results(session: Session, elimination: Elimination) -> Iterator[Row]:
    total = counts(session, elimination.id)
    for key in (Outcome.DESTROYED.value, Outcome.SKIPPED.value, "refused"):
        yield Row(_messages(f"certificate.total.{key}"), (_number(total[key]),))
    own = select(func.max(EliminationLine.emptied)).where(EliminationLine.elimination_id == elimination.id)
    if emptied := session.exec(own).one():
        yield Row(_messages("certificate.working_copies"), (f"{clock.in_paris(emptied):%d/%m/%Y %H:%M}",))


def _destroyed(session: Session, elimination: Elimination) -> Table:
    head = ("record", "kind", "dated", "sha256")
    shown = every_line(session, elimination.id, Outcome.DESTROYED.value)
    lines = [_cells(one) for _, one in zip(range(MOST_PRINTED), shown, strict=False)]
    return Table(
        title=_messages("certificate.table", most=MOST_PRINTED),
        head=tuple(_messages(f"column.{name}") for name in head),
        words=len(head),
        lines=tuple(lines),
    )


def _cells(one: Line) -> Cells:
    record = one.record
    return Cells((record.id, kind_in_words(record.kind), f"{record.dated:%d/%m/%Y}", record.sha256))


def _number(count: int) -> str:
    return format_decimal(count, locale="fr")
