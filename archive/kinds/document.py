"""What is said of a generic document in its archive transfer: what people approved or signed, with its proofs.

What lives here: the transfer of a folder that has come to the end of its circuit. What does not: the files themselves, the
decision to archive, the package (`archive.package`), how long it is kept (`archive.retention.rules`).

One file per folder, and below it an item for each document: a main one bears the detached signatures that are over it.
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
from archive.retention.defaults import CORRESPONDENCE
from archive.retention.rules import RetentionRule
from archive.transfer import RecordFacts, check_roles, transfer_of
from core.errors import UsageError
from core.messages import Catalogue, speaking
from schemas.seda.model import (
    ArchiveUnit,
    Dates,
    Keyword,
    KeywordType,
    Level,
    Transfer,
    Version,
)

_messages = Catalogue("archive")


class DocumentRole(StrEnum):
    """What a file is in the record of a document; in the order in which they stand there."""

    DOCUMENT = "document"
    SIGNATURE = "signature"
    ANNEX = "annex"
    PROOF = "proof"
    DOCKET = "docket"
    JOURNAL = "journal"


_OBLIGATORY_ONCE = (DocumentRole.DOCKET, DocumentRole.JOURNAL)
_MADE_HERE = frozenset({DocumentRole.DOCKET, DocumentRole.JOURNAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRecord(RecordFacts):
    """The facts of a folder that has come to the end of its circuit, which was at ``at``.

    Attributes:
        title: of the folder.
        external_id: what software outside knows it by.
        type_name: how it is classified; ``subtype_name`` more closely.
        emitter: name of the desk that sent it.
        started: the day on which it was made.
        finished: the day on which its circuit came to its end: the clock of every rule starts there.
        fields: its metadata: names and values, as people read them.
    """

    title: str
    type_name: str
    subtype_name: str
    emitter: str
    started: date
    finished: date
    external_id: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
    retention: RetentionRule = CORRESPONDENCE

    @property
    def clock(self) -> date:
        """The day on which the circuit came to its end."""
        return self.finished


def document_package(
    target: Path, record: DocumentRecord, files: Sequence[PackageFile], *, version: Version = Version.V2_2
) -> Package:
    """Build the package of a document.

    Args:
        target: the package to write.
        record: its facts.
        files: main documents as they left the circuit, each followed by the detached signatures that are over it; annexes and
            proofs; one docket; one journal extract.
        version: of SEDA.

    Raises:
        UsageError: a file is missing, or there is one too many.
    """
    return build_package(target, files, partial(document_transfer, record), at=record.at, version=version)


def document_transfer(record: DocumentRecord, files: Sequence[Described]) -> Transfer:
    """Return the transfer of a document.

    Raises:
        UsageError: a file is missing, one too many, of a role that a document has not, or a signature over nothing.
    """
    if not check_roles("document", DocumentRole, _OBLIGATORY_ONCE, files)[DocumentRole.DOCUMENT]:
        raise UsageError(_messages("document.none"))
    _refuse_signature_alone(files)
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        return transfer_of(record, _folder(record, files), files, start=_messages("document.rule.start"))


def _refuse_signature_alone(files: Sequence[Described]) -> None:
    over = None
    for file, _ in files:
        if file.role == DocumentRole.SIGNATURE and over not in {DocumentRole.DOCUMENT, DocumentRole.SIGNATURE}:
            raise UsageError(_messages("document.signature_alone", name=file.name))
        over = file.role


def _folder(record: DocumentRecord, files: Sequence[Described]) -> ArchiveUnit:
    return ArchiveUnit(
        identifier="AU1",
        level=Level.FILE,
        title=record.title,
        document_type=f"{record.type_name} – {record.subtype_name}",
        originating_identifier=record.external_id,
        transferring_identifier=record.dossier,
        language="fra",
        keywords=_keywords(record),
        originating_agency=record.producer,
        submission_agency=record.transferring_agency,
        dates=Dates(start=min(record.started, record.finished), end=record.finished),
        events=record.events,
        units=tuple(_items(record, files)),
    )


def _keywords(record: DocumentRecord) -> tuple[Keyword, ...]:
    return (
        Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier),
        Keyword(record.emitter, KeywordType.CORPORATE_NAME),
        Keyword(record.type_name, KeywordType.GENRE),
        Keyword(record.subtype_name, KeywordType.SUBJECT),
        *(
            Keyword(_messages("document.keyword.field", name=name, value=value), KeywordType.NAME)
            for name, value in record.fields
        ),
    )


def _items(record: DocumentRecord, files: Sequence[Described]) -> Iterator[ArchiveUnit]:
    """Return an item for each file; a signature stands below the document that it follows."""
    numbers = count(2)
    waiting: list[Described] = []
    for described in files:
        if waiting and described[0].role != DocumentRole.SIGNATURE:
            yield _item(record, waiting, numbers)
            waiting = []
        waiting.append(described)
    yield _item(record, waiting, numbers)


def _item(record: DocumentRecord, described: Sequence[Described], numbers: Iterator[int]) -> ArchiveUnit:
    (file, item), *over = described
    role, made = DocumentRole(file.role), Dates(created=record.at)
    return ArchiveUnit(
        identifier=f"AU{next(numbers)}",
        level=Level.ITEM,
        title=_messages(f"document.{role.value}") if role in _MADE_HERE else _messages("document.named", name=file.name),
        description=None if role in _MADE_HERE else _messages(f"document.{role.value}"),
        dates=made if role in _MADE_HERE else Dates(transacted=record.finished),
        units=tuple(_item(record, (one,), numbers) for one in over),
        groups=(group_of(item),),
    )
