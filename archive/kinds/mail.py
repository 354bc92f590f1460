"""What is said of a tracked mail in its archive transfer: what was sent, to whom, and what proves what became of it.

What lives here: the transfer of a send that is over. What does not: the statements themselves and what they mean, the decision to
archive, the package (`archive.package`), how long it is kept (`archive.retention.rules`).

One file per send; below it an item for the message and for each document, then one for each recipient, with all that proves what
became of the mail for them, so that it can be communicated without that of the others; last the whole send and the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path

from archive.package import Described, Package, PackageFile, build_package, group_of
from archive.retention.defaults import MAILS
from archive.retention.rules import RetentionRule
from archive.transfer import RecordFacts, check_roles, transfer_of
from core.errors import UsageError
from core.messages import Catalogue, speaking
from schemas.seda.model import ArchiveUnit, Dates, Keyword, KeywordType, Level, Transfer, Version

_messages = Catalogue("archive")


class MailRole(StrEnum):
    """What a file is in the record of a mail; in the order in which they stand there.

    STATEMENT begins what belongs to one recipient: the attestation, returned messages and answer that follow it are theirs.
    """

    MESSAGE = "message"
    DOCUMENT = "document"
    ADDITION = "addition"
    STATEMENT = "statement"
    ATTESTATION = "attestation"
    RETURN = "return"
    ANSWER = "answer"
    SUMMARY = "summary"
    OVERVIEW = "overview"
    DOCKET = "docket"
    JOURNAL = "journal"


_ONCE = (MailRole.SUMMARY, MailRole.OVERVIEW, MailRole.JOURNAL)
_OF_RECIPIENT = frozenset({MailRole.ATTESTATION, MailRole.RETURN, MailRole.ANSWER})
_MADE_HERE = frozenset({MailRole.MESSAGE, MailRole.SUMMARY, MailRole.OVERVIEW, MailRole.JOURNAL})


@dataclass(frozen=True, slots=True)
class Addressee:
    """A recipient, as the archive names them: name and address, and what became of the mail for them, in words."""

    name: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecord(RecordFacts):
    """The facts of a send that is over, which was at ``at``.

    Attributes:
        subject: of the mail.
        sender: the service that sent it, as recipients read it.
        kind: of send, in words.
        recipients: in the order of their statements among the files.
        sent: the day on which a mail server accepted its first notice; None when none ever did.
        closed: the day on which it was over: the clock of every rule starts there.
    """

    subject: str
    sender: str
    kind: str
    recipients: tuple[Addressee, ...]
    sent: date | None
    closed: date
    retention: RetentionRule = MAILS

    @property
    def clock(self) -> date:
        """The day on which the send was over."""
        return self.closed


def mail_package(target: Path, record: MailRecord, files: Sequence[PackageFile], *, version: Version = Version.V2_2) -> Package:
    """Build the package of a mail.

    Args:
        target: the package to write.
        record: its facts.
        files: the message and the documents, unless they were destroyed; a statement for each recipient, followed by what else
            is theirs; one summary of the whole, one overview for people, dockets of its visa, one journal extract.
        version: of SEDA.

    Raises:
        UsageError: a file is missing, or there is one too many.
    """
    return build_package(target, files, partial(mail_transfer, record), at=record.at, version=version)


def mail_transfer(record: MailRecord, files: Sequence[Described]) -> Transfer:
    """Return the transfer of a mail.

    Raises:
        UsageError: a file is missing, one too many, of a role that a mail has not, or it belongs to no recipient.
    """
    found = check_roles("mail", MailRole, _ONCE, files)
    if found[MailRole.STATEMENT] != len(record.recipients):
        raise UsageError(_messages("mail.statements", count=len(record.recipients), found=found[MailRole.STATEMENT]))
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        return transfer_of(record, _send(record, files), files, start=_messages("mail.rule.start"))


def _send(record: MailRecord, files: Sequence[Described]) -> ArchiveUnit:
    return ArchiveUnit(
        identifier="AU1",
        level=Level.FILE,
        title=record.subject,
        description=_messages("mail.description", kind=record.kind, sender=record.sender, count=len(record.recipients)),
        document_type=record.kind,
        transferring_identifier=record.dossier,
        language="fra",
        keywords=(
            Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier),
            Keyword(record.sender, KeywordType.CORPORATE_NAME),
            Keyword(record.kind, KeywordType.GENRE),
        ),
        originating_agency=record.producer,
        submission_agency=record.transferring_agency,
        dates=Dates(sent=record.sent, start=min(record.sent or record.closed, record.closed), end=record.closed),
        events=record.events,
        units=tuple(_items(record, files)),
    )


def _items(record: MailRecord, files: Sequence[Described]) -> Iterator[ArchiveUnit]:
    """Yield an item for each file, but one for all that belongs to a recipient."""
    numbers, addressees = count(2), iter(record.recipients)
    waiting: list[Described] = []
    for described in files:
        role = MailRole(described[0].role)
        if role in _OF_RECIPIENT:
            if not waiting:
                raise UsageError(_messages("mail.alone", name=described[0].name))
            waiting.append(described)
            continue
        if waiting:
            yield _proof(record, next(addressees), waiting, next(numbers))
            waiting = []
        if role is MailRole.STATEMENT:
            waiting = [described]
        else:
            yield _item(record, described, next(numbers))
    if waiting:
        yield _proof(record, next(addressees), waiting, next(numbers))


def _item(record: MailRecord, described: Described, number: int) -> ArchiveUnit:
    file, item = described
    role = MailRole(file.role)
    named = role not in _MADE_HERE
    return ArchiveUnit(
        identifier=f"AU{number}",
        level=Level.ITEM,
        title=file.name if named else _messages(f"mail.{role.value}"),
        description=_messages(f"mail.{role.value}") if named else None,
        dates=Dates(sent=record.sent) if named and record.sent else Dates(created=record.at),
        groups=(group_of(item),),
    )


def _proof(record: MailRecord, addressee: Addressee, files: Sequence[Described], number: int) -> ArchiveUnit:
    return ArchiveUnit(
        identifier=f"AU{number}",
        level=Level.ITEM,
        title=_messages("mail.proof", name=addressee.name),
        description=addressee.outcome,
        dates=Dates(created=record.at),
        groups=tuple(group_of(item) for _, item in files),
    )
