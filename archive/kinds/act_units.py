"""The units of an act in its archive transfer: one file, and below it an item for each document and each message exchanged.

Items stand in the order of the files; a message bears its attachments, a document the detached signature over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import count

from archive.kinds.act_facts import BELOW, ActDescribed, ActFacts, ActFile, ActRecord, ActRole, Exchange
from archive.package import group_of
from core import clock
from core.messages import Catalogue
from schemas.seda.model import ArchiveUnit, Dates, Event, Keyword, KeywordType, Level

_messages = Catalogue("archive")


def act_unit(record: ActRecord, files: Sequence[ActDescribed], last: date) -> ArchiveUnit:
    """Return the units of an act, in the current language; ``last`` is the day of its most recent document."""
    return file_unit(record, _description(record), _keywords(record), record.events, tuple(_items(record, files)), last)


def file_unit(
    record: ActFacts,
    description: str,
    keywords: tuple[Keyword, ...],
    events: tuple[Event, ...],
    units: tuple[ArchiveUnit, ...],
    last: date,
) -> ArchiveUnit:
    """Return the file about an act, whatever the record that it stands in; ``last`` is the last day of what it tells."""
    return ArchiveUnit(
        identifier="AU1",
        level=Level.FILE,
        title=record.title,
        description=description,
        document_type=record.nature_label,
        originating_identifier=record.number,
        transferring_identifier=record.dossier,
        language="fra",
        keywords=keywords,
        originating_agency=record.producer,
        submission_agency=record.transferring_agency,
        dates=Dates(transacted=record.decided, received=record.received, start=min(record.decided, record.received), end=last),
        events=events,
        units=units,
    )


def act_described(record: ActFacts) -> str:
    """Return the sentence that says which act it is, in the current language."""
    return _messages(
        "act.description",
        nature=record.nature_label,
        matiere=record.matiere_in_words,
        decided=_written(record.decided),
        received=_written(record.received),
        identifier=record.id_acte,
    )


def _description(record: ActRecord) -> str:
    sentences = [act_described(record)]
    if record.control_ended is not None:
        sentences.append(_messages("act.controlled", day=_written(record.control_ended)))
    if record.litigation_ended is not None:
        told = _messages("act.litigation", day=_written(record.litigation_ended), result=record.litigation_result)
        sentences.append(told)
    if record.cancelled is not None:
        sentences.append(_messages("act.cancelled", day=_written(record.cancelled)))
    return " ".join(sentences)


def _keywords(record: ActRecord) -> tuple[Keyword, ...]:
    return (
        Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier),
        Keyword(_messages("act.keyword.subject"), KeywordType.SUBJECT),
        Keyword(record.matiere_in_words, KeywordType.SUBJECT, record.matiere),
        Keyword(record.nature_label, KeywordType.GENRE, str(record.nature)),
        Keyword(_messages("act.keyword.identifier", identifier=record.id_acte), KeywordType.NAME, record.id_acte),
    )


def _items(record: ActRecord, files: Sequence[ActDescribed]) -> Iterator[ArchiveUnit]:
    """Return an item for each file; signatures and attachments stand below what they follow."""
    numbers, ranks = count(2), count(1)
    waiting: list[ActDescribed] = []
    for described in files:
        if waiting and described[0].role not in BELOW:
            yield _item(record, waiting, numbers, ranks)
            waiting = []
        waiting.append(described)
    yield _item(record, waiting, numbers, ranks)


def _item(record: ActRecord, described: Sequence[ActDescribed], numbers: Iterator[int], ranks: Iterator[int]) -> ArchiveUnit:
    (file, item), *below = described
    title, description = _told(file, ranks)
    return ArchiveUnit(
        identifier=f"AU{next(numbers)}",
        level=Level.ITEM,
        title=title,
        description=description,
        document_type=None if file.exchange is None else file.exchange.code.root,
        dates=_dates(record, file),
        units=tuple(_item(record, (one,), numbers, ranks) for one in below),
        groups=(group_of(item),),
    )


def _told(file: ActFile, ranks: Iterator[int]) -> tuple[str, str | None]:
    """Return the title and the description of a file."""
    role = ActRole(file.role)
    if role is ActRole.JOURNAL:
        return _messages("act.journal"), None
    if file.exchange is not None:
        code = file.exchange.code.value
        return _messages("act.message", label=_messages(f"act.{code}"), code=code), _course(file.exchange)
    label = _messages("act.annex_of_rank", rank=next(ranks)) if role is ActRole.ANNEX else _messages(f"act.{role.value}")
    return _messages("act.named", name=file.own_name or file.name), label


def _course(exchange: Exchange) -> str:
    """Say which way a message went, when, about which letter, and what it lacks."""
    day = _written(clock.in_paris(exchange.at).date())
    sentences = [_messages("act.left" if exchange.is_outgoing else "act.came", day=day)]
    if exchange.letter is not None:
        sentences.append(_messages("act.letter", day=_written(exchange.letter)))
    if exchange.missing:
        sentences.append(_messages("act.missing", names=", ".join(exchange.missing)))
    if exchange.infected:
        sentences.append(_messages("act.infected", names=", ".join(exchange.infected)))
    return " ".join(sentences)


def _dates(record: ActRecord, file: ActFile) -> Dates:
    if file.exchange is not None:
        return file.exchange.days
    role = ActRole(file.role)
    if role is ActRole.JOURNAL:
        return Dates(created=record.at)
    return Dates(transacted=record.decided) if role is ActRole.DOCUMENT else Dates()


def _written(day: date) -> str:
    return f"{day:%d/%m/%Y}"
