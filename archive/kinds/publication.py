"""What is said of the publication of an act in its archive transfer: what was put online, since when, and under whose name.

What lives here: the transfer of an act that was made public. What does not: the files themselves, the decision to publish, the
package (`archive.package`). It stands beside the record of the act (`archive.kinds.act`), which is made when its control is over,
and proves what the page of the collectivité showed.

One file per publication, and below it an item for each document as it was put online and for the State's acknowledgement (1-2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path

from archive.kinds.act_facts import ActFacts
from archive.kinds.act_units import act_described, file_unit
from archive.package import Described, Package, PackageFile, build_package, group_of
from archive.retention.defaults import FREE
from archive.retention.rules import AccessDelay
from archive.transfer import check_roles, transfer_of
from core import clock
from core.errors import UsageError
from core.messages import Catalogue, speaking
from schemas.actes.codes import MessageCode
from schemas.seda.model import ArchiveUnit, Dates, Event, Keyword, KeywordType, Level, Transfer, Version

_messages = Catalogue("archive")
_ONLINE = "actes.published"


class PublicationRole(StrEnum):
    """What a file is in a publication; in the order in which they stand there."""

    DOCUMENT = "document"
    ANNEX = "annex"
    ACKNOWLEDGEMENT = "ar"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationRecord(ActFacts):
    """The facts of a publication; ``at`` is the moment of going online, which the page of the act says.

    Attributes:
        first_name, last_name, capacity: of its author (CGCT, R. 2131-1, II).
    """

    first_name: str
    last_name: str
    capacity: str
    access: AccessDelay = FREE


def publication_package(
    target: Path, record: PublicationRecord, files: Sequence[PackageFile], *, version: Version = Version.V2_2
) -> Package:
    """Build the package of a publication; the same input gives the same bytes.

    Args:
        target: the package to write.
        record: its facts.
        files: what is put online, the main document first where it is; then the acknowledgement.
        version: of SEDA.

    Raises:
        UsageError: nothing is put online, the acknowledgement is missing, or a file is one too many.
    """
    return build_package(target, files, partial(publication_transfer, record), at=record.at, version=version)


def publication_transfer(record: PublicationRecord, files: Sequence[Described]) -> Transfer:
    """Return the transfer of a publication.

    Raises:
        UsageError: as ``publication_package``.
    """
    roles = check_roles("publication", PublicationRole, (PublicationRole.ACKNOWLEDGEMENT,), files)
    mains, annexes = roles[PublicationRole.DOCUMENT], roles[PublicationRole.ANNEX]
    if mains > 1 or not mains + annexes:
        raise UsageError(_messages("publication.none"))
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        return transfer_of(record, _publication(record, files), files, start=_messages("act.rule.start"))


def _publication(record: PublicationRecord, files: Sequence[Described]) -> ArchiveUnit:
    online = clock.in_paris(record.at).date()
    events = (Event(record.at, _ONLINE), *record.events)
    return file_unit(record, _description(record), _keywords(record), events, tuple(_items(record, files)), online)


def _description(record: PublicationRecord) -> str:
    moment = clock.in_paris(record.at)
    online = _messages(
        "publication.online",
        day=f"{moment:%d/%m/%Y}",
        time=f"{moment:%H:%M:%S}",
        author=f"{record.first_name} {record.last_name}",
        capacity=record.capacity,
    )
    return f"{act_described(record)} {online}"


def _keywords(record: PublicationRecord) -> tuple[Keyword, ...]:
    return (
        Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier),
        Keyword(f"{record.first_name} {record.last_name}", KeywordType.PERSON),
        Keyword(_messages("publication.keyword.subject"), KeywordType.SUBJECT),
        Keyword(record.matiere_in_words, KeywordType.SUBJECT, record.matiere),
        Keyword(_messages("act.keyword.identifier", identifier=record.id_acte), KeywordType.NAME, record.id_acte),
    )


def _items(record: PublicationRecord, files: Sequence[Described]) -> Iterator[ArchiveUnit]:
    ranks = count(1)
    for number, (file, item) in enumerate(files, start=2):
        role = PublicationRole(file.role)
        rank = {"rank": next(ranks)} if role is PublicationRole.ANNEX else {}
        told, proof = _messages(f"publication.{role.value}", **rank), role is PublicationRole.ACKNOWLEDGEMENT
        yield ArchiveUnit(
            identifier=f"AU{number}",
            level=Level.ITEM,
            title=told if proof else _messages("act.named", name=file.name),
            description=None if proof else told,
            document_type=MessageCode.AR_ACTE.root if proof else None,
            dates=Dates(received=record.received) if proof else Dates(transacted=record.decided),
            groups=(group_of(item),),
        )
