"""The nouns of a SEDA 2.x transfer, as we write it.

What lives here: what every version from 2.1 to 2.3 has in common, in the group form (each object inside a
``DataObjectGroup``). What does not: how it becomes XML (`schemas.seda.writer`), what others wrote (`schemas.seda.reader`),
the durations behind a rule's identifier, which live in the referential of the archive service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Version(StrEnum):
    """A version of SEDA whose transfers we write."""

    V2_1 = "2.1"
    V2_2 = "2.2"
    V2_3 = "2.3"

    @property
    def namespace(self) -> str:
        """The XML namespace of the version."""
        return f"fr:gouv:culture:archivesdefrance:seda:v{self.value}"


class Level(StrEnum):
    """``DescriptionLevel``: how far down the description stands (ISAD(G) 3.1.4)."""

    RECORD_GROUP = "RecordGrp"
    FILE = "File"
    ITEM = "Item"


class KeywordType(StrEnum):
    """``KeywordType``: what a keyword names."""

    CORPORATE_NAME = "corpname"
    PERSON = "persname"
    PLACE = "geogname"
    NAME = "name"
    SUBJECT = "subject"
    GENRE = "genreform"
    FUNCTION = "function"


class DigestAlgorithm(StrEnum):
    """The digests that a transfer of ours may carry; the XSD does not enumerate them, the code list does."""

    SHA_256 = "SHA-256"
    SHA_512 = "SHA-512"

    @property
    def hex_length(self) -> int:
        """How many hexadecimal digits the digest has."""
        return 64 if self is DigestAlgorithm.SHA_256 else 128


class FinalAction(StrEnum):
    """What happens to a record when its appraisal rule has run out (``FinalAction`` of ``AppraisalRule``)."""

    KEEP = "Keep"
    DESTROY = "Destroy"


class StorageAction(StrEnum):
    """What happens to a record when its storage rule has run out (``FinalAction`` of ``StorageRule``)."""

    RESTRICT_ACCESS = "RestrictAccess"
    TRANSFER = "Transfer"
    COPY = "Copy"


@dataclass(frozen=True, slots=True)
class Agency:
    """An organisation, by its identifier and the scheme that the identifier belongs to (``SIREN``, ``SIRET``)."""

    identifier: str
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class Keyword:
    """An index term; ``reference`` is its identifier in a list (a SIREN for an organisation)."""

    content: str
    type: KeywordType
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to what a unit describes.

    Attributes:
        identifier: of the journal entry that tells it.
        type: what happened, in the words of a reader.
        outcome: ``OK``, ``KO``, ``WARNING`` or a code of the business.
    """

    at: datetime
    type: str
    identifier: str | None = None
    detail: str | None = None
    outcome: str | None = None
    outcome_message: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A management rule by the identifier that it has in the referential, and the day its clock starts.

    Attributes:
        years: how long it lasts: SEDA 1.0 says it in the manifest, 2.x leaves it to the referential.
    """

    identifier: str
    start: date | None = None
    years: int | None = None


@dataclass(frozen=True, slots=True)
class StorageRule:
    """How long the record is in current use (DUC)."""

    rules: tuple[Rule, ...]
    final_action: StorageAction


@dataclass(frozen=True, slots=True)
class AppraisalRule:
    """How long the administration must keep the record (DUA), and what happens then."""

    rules: tuple[Rule, ...]
    final_action: FinalAction


@dataclass(frozen=True, slots=True)
class AccessRule:
    """How long the public may not read the record (Code du patrimoine, L.213-1 and L.213-2)."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class HoldRule:
    """Why nothing may be eliminated for now, whatever the other rules say (*gel*; SEDA 2.2 and later).

    Attributes:
        owner: who asked for it.
        reason: in words.
        end: the last day, when it is known.
        reassess: the day on which it is to be looked at again.
    """

    rule: Rule
    owner: str | None = None
    reason: str | None = None
    end: date | None = None
    reassess: date | None = None


@dataclass(frozen=True, slots=True)
class Management:
    """The rules that apply to a unit and, by inheritance, to all below it."""

    storage: StorageRule | None = None
    appraisal: AppraisalRule | None = None
    access: AccessRule | None = None
    hold: HoldRule | None = None


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates of a unit, each with the meaning that SEDA gives it."""

    created: date | datetime | None = None
    transacted: date | datetime | None = None
    acquired: date | datetime | None = None
    sent: date | datetime | None = None
    received: date | datetime | None = None
    registered: date | datetime | None = None
    start: date | datetime | None = None
    end: date | datetime | None = None


@dataclass(frozen=True, slots=True)
class ArchiveUnit:
    """A node of the description, with the groups of objects that it describes.

    Attributes:
        identifier: XML identifier, unique in the transfer.
        groups: identifiers of the groups that the unit describes.
        archival_identifier: what the archives call it, once they hold it (*cote*).
        originating_identifier: what the producer calls it (``NomFic`` of a PES).
        transferring_identifier: what the sender calls it (our record).
    """

    identifier: str
    level: Level
    title: str
    description: str | None = None
    archival_identifier: str | None = None
    originating_identifier: str | None = None
    transferring_identifier: str | None = None
    document_type: str | None = None
    language: str | None = None
    keywords: tuple[Keyword, ...] = ()
    originating_agency: Agency | None = None
    submission_agency: Agency | None = None
    dates: Dates = Dates()
    events: tuple[Event, ...] = ()
    management: Management | None = None
    units: tuple[ArchiveUnit, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataObject:
    """One file of the package.

    Attributes:
        identifier: XML identifier, unique in the transfer.
        uri: path in the package, plain ASCII.
        digest: lower-case hexadecimal.
        size: in bytes; an empty file has no ``Size`` in the manifest, where only positive numbers are legal.
        filename: the name its owner gave it, accents kept.
        puid: PRONOM identifier (``fmt/101``), when the format was identified.
        usage: ``DataObjectVersion``: which use of the content the file serves.
    """

    identifier: str
    uri: str
    digest: str
    size: int
    filename: str
    media_type: str | None = None
    puid: str | None = None
    modified: datetime | None = None
    algorithm: DigestAlgorithm = DigestAlgorithm.SHA_256
    usage: str = "BinaryMaster_1"


@dataclass(frozen=True, slots=True)
class DataObjectGroup:
    """The files that are one content under several uses; most often a single one."""

    identifier: str
    objects: tuple[DataObject, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """An ``ArchiveTransfer``.

    Attributes:
        identifier: ``MessageIdentifier``: the same one for every try of the same transfer.
        at: when the transfer was decided; written in UTC.
        comments: for the archivist: here also the legal source of each rule, for which SEDA has no place.
        management: the rules of every unit that has none of its own.
        rules_version: version of the referential that the rule identifiers come from.
    """

    identifier: str
    at: datetime
    archival_agency: Agency
    transferring_agency: Agency
    originating_agency: Agency
    units: tuple[ArchiveUnit, ...]
    groups: tuple[DataObjectGroup, ...] = ()
    management: Management = Management()
    agreement: str | None = None
    profile: str | None = None
    comments: tuple[str, ...] = ()
    rules_version: str = "1"
