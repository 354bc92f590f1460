"""What is said of an act in its archive transfer: what was sent to the State, its acknowledgement, and all that followed.

What lives here: the transfer of an act whose control of legality is over, or whose transmission was cancelled. What does not:
the files themselves, the decision to archive, the package (`archive.package`), how long it is kept (`archive.retention`).

One file per act, and below it an item for each document as it was sent, for the envelope, for the State's acknowledgement
(1-2, the legal proof) and for each message exchanged, in the order in which they left or came: a message bears its attachments,
a document the detached signature over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import count
from pathlib import Path

from archive.package import Described, Package, PackageFile, build_package, group_of
from archive.retention import Started
from archive.transfer import RecordFacts, check_roles, transfer_of
from core import clock
from core.errors import UsageError
from core.messages import Catalogue, speaking
from schemas.actes.codes import Direction, MessageCode
from schemas.seda.model import (
    ArchiveUnit,
    DataObject,
    Dates,
    Keyword,
    KeywordType,
    Level,
    Transfer,
    Version,
)

_messages = Catalogue("archive")


class ActRole(StrEnum):
    """What a file is in the record of an act; in the order in which they stand there."""

    DOCUMENT = "document"
    SIGNATURE = "signature"
    ANNEX = "annex"
    ENVELOPE = "envelope"
    ACKNOWLEDGEMENT = "ar"
    MESSAGE = "message"
    ATTACHMENT = "attachment"
    JOURNAL = "journal"


_OBLIGATORY_ONCE = (ActRole.DOCUMENT, ActRole.ENVELOPE, ActRole.ACKNOWLEDGEMENT, ActRole.JOURNAL)
_EXCHANGED = frozenset({ActRole.ENVELOPE, ActRole.ACKNOWLEDGEMENT, ActRole.MESSAGE})
_BELOW = {
    ActRole.SIGNATURE: frozenset({ActRole.DOCUMENT, ActRole.ANNEX}),
    ActRole.ATTACHMENT: frozenset({ActRole.MESSAGE}),
}
"""What stands below what it follows."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message about an act, as it left or came.

    Attributes:
        code: of the message; it tells the direction.
        at: when it left here, or came.
        day: of its legal effect, as the State says it: of a letter, of a receipt, of a referral.
        letter: date of the préfecture's letter that it answers or acknowledges.
        missing: attachments that it names and that never came.
    """

    code: MessageCode
    at: datetime
    day: date | None = None
    letter: date | None = None
    missing: tuple[str, ...] = ()

    @property
    def is_outgoing(self) -> bool:
        """Whether the collectivité sent it."""
        return self.code.direction is Direction.TO_STATE

    @property
    def days(self) -> Dates:
        """Its dates, each with the meaning that SEDA gives it; days are those of Paris."""
        day = clock.in_paris(self.at).date()
        return Dates(sent=day) if self.is_outgoing else Dates(transacted=self.day, received=day)


@dataclass(frozen=True, slots=True)
class ActFile(PackageFile):
    """A file of the record; its ``name`` is the one that it travelled under.

    Attributes:
        own_name: the name its owner gave it, when it travelled under another.
        exchange: for the envelope, the acknowledgement and each message.
    """

    own_name: str | None = None
    exchange: Exchange | None = None


ActDescribed = tuple[ActFile, DataObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRecord(RecordFacts):
    """The facts of an act; ``at`` is when its control was found to be over, or its transmission cancelled.

    Attributes:
        number: the collectivité's own.
        subject: in plain words.
        nature, nature_label: 1 to 6, and its label.
        matiere, matiere_label: codes joined by full stops (``7.1``), and its label when the classification is known.
        decided: the day of the decision: the retention runs from there.
        received: the day on which the State received it.
        id_acte: how the State knows it.
        control_ended: the last day of the control of legality.
        cancelled: the day on which its transmission was cancelled.
    """

    number: str
    subject: str
    nature: int
    nature_label: str
    matiere: str
    matiere_label: str | None = None
    decided: date
    received: date
    id_acte: str
    control_ended: date | None = None
    cancelled: date | None = None

    @property
    def title(self) -> str:
        """Number and subject."""
        return f"{self.number} – {self.subject}"

    @property
    def clock(self) -> date:
        """The day of the decision."""
        return self.decided


def act_package(target: Path, record: ActRecord, files: Sequence[ActFile], *, version: Version = Version.V2_2) -> Package:
    """Build the package of an act.

    Args:
        target: the package to write.
        record: its facts.
        files: in this order: the main document as it was sent, then annexes, each followed by the detached signature over it;
            the archive of the envelope; the acknowledgement; each message exchanged, followed by its attachments; the journal
            extract. The message of what we sent is the archive in which it left.
        version: of SEDA.

    Raises:
        UsageError: a file is missing, one too many, of a role that an act has not, or below nothing.
    """

    def described(objects: Sequence[Described]) -> Transfer:
        return act_transfer(record, [(file, item) for file, (_, item) in zip(files, objects, strict=True)])

    return build_package(target, files, described, at=record.at, version=version)


def act_transfer(record: ActRecord, files: Sequence[ActDescribed]) -> Transfer:
    """Return the transfer of an act.

    Raises:
        UsageError: as ``act_package``.
    """
    check_roles("act", ActRole, _OBLIGATORY_ONCE, files)
    _refuse_what_stands_alone(files)
    last = _last_day(record, files)
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        # Access counts from the most recent document (Code du patrimoine, L. 213-2), not from the decision.
        hidden = Started(last, _messages("act.rule.last"))
        return transfer_of(record, _act(record, files, last), files, start=_messages("act.rule.start"), hidden=hidden)


def _refuse_what_stands_alone(files: Sequence[ActDescribed]) -> None:
    above: ActRole | None = None
    for file, _ in files:
        role = ActRole(file.role)
        if role in _EXCHANGED and file.exchange is None:
            raise UsageError(_messages("act.undated", name=file.name))
        if role not in _BELOW:
            above = role
        elif above not in _BELOW[role]:
            raise UsageError(_messages("act.alone", name=file.name))


def _last_day(record: ActRecord, files: Sequence[ActDescribed]) -> date:
    """Return the day of the most recent document."""
    days = [record.decided, record.received]
    days += [clock.in_paris(file.exchange.at).date() for file, _ in files if file.exchange is not None]
    return max(days)


def _act(record: ActRecord, files: Sequence[ActDescribed], last: date) -> ArchiveUnit:
    return ArchiveUnit(
        identifier="AU1",
        level=Level.FILE,
        title=record.title,
        description=_description(record),
        document_type=record.nature_label,
        originating_identifier=record.number,
        transferring_identifier=record.dossier,
        language="fra",
        keywords=_keywords(record),
        originating_agency=record.producer,
        submission_agency=record.transferring_agency,
        dates=Dates(transacted=record.decided, received=record.received, start=min(record.decided, record.received), end=last),
        events=record.events,
        units=tuple(_items(record, files)),
    )


def _matiere(record: ActRecord) -> str:
    return f"{record.matiere} {record.matiere_label}" if record.matiere_label else record.matiere


def _description(record: ActRecord) -> str:
    sentences = [
        _messages(
            "act.description",
            nature=record.nature_label,
            matiere=_matiere(record),
            decided=_written(record.decided),
            received=_written(record.received),
            identifier=record.id_acte,
        )
    ]
    if record.control_ended is not None:
        sentences.append(_messages("act.controlled", day=_written(record.control_ended)))
    if record.cancelled is not None:
        sentences.append(_messages("act.cancelled", day=_written(record.cancelled)))
    return " ".join(sentences)


def _keywords(record: ActRecord) -> tuple[Keyword, ...]:
    return (
        Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier),
        Keyword(_messages("act.keyword.subject"), KeywordType.SUBJECT),
        Keyword(_matiere(record), KeywordType.SUBJECT, record.matiere),
        Keyword(record.nature_label, KeywordType.GENRE, str(record.nature)),
        Keyword(_messages("act.keyword.identifier", identifier=record.id_acte), KeywordType.NAME, record.id_acte),
    )


def _items(record: ActRecord, files: Sequence[ActDescribed]) -> Iterator[ArchiveUnit]:
    """Return an item for each file; signatures and attachments stand below what they follow."""
    numbers, ranks = count(2), count(1)
    waiting: list[ActDescribed] = []
    for described in files:
        if waiting and described[0].role not in _BELOW:
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
