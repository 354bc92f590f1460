"""What the transfer of every kind of record says alike: whose it is, how long it is kept, which files it must hold.

What lives here: the facts that all kinds share, and the transfer around the units of one. What does not: the units themselves
(`archive.kinds.pes`, `archive.kinds.document`), the package (`archive.package`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from archive.package import Described, group_of
from archive.retention.defaults import PRIVATE_LIFE
from archive.retention.rules import AccessDelay, RetentionRule, Started, explained, management_of
from core.errors import UsageError
from core.messages import Catalogue
from schemas.seda.model import Agency, ArchiveUnit, DataObjectGroup, Event, Transfer

_messages = Catalogue("archive")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFacts(ABC):
    """The facts that a record of any kind has.

    Attributes:
        transfer: identifier of the transfer: given once, the same for every try.
        dossier: our own identifier of the dossier.
        at: when the record was complete: the same for every try.
        archival_agency: who keeps it.
        transferring_agency: who hands it over.
        producer: who made it, by SIREN or SIRET.
        producer_name: in words.
        retention: how long it is kept, and by which text.
        access: when anyone may read it.
        events: what happened to it, for a reader.
    """

    transfer: str
    dossier: str
    at: datetime
    archival_agency: Agency
    transferring_agency: Agency
    producer: Agency
    producer_name: str
    retention: RetentionRule
    access: AccessDelay = PRIVATE_LIFE
    events: tuple[Event, ...] = ()
    agreement: str | None = None
    profile: str | None = None

    @property
    @abstractmethod
    def clock(self) -> date:
        """The day from which the retention counts; each kind of record has its own."""

    @property
    def keep_until(self) -> date:
        """The end of the retention."""
        return self.retention.end_from(self.clock)


def transfer_of(
    record: RecordFacts, unit: ArchiveUnit, files: Sequence[Described], *, start: str, hidden: Started | None = None
) -> Transfer:
    """Return the transfer of a record.

    Args:
        record: its facts.
        unit: its one tree of units.
        files: every file that the units name.
        start: the event from which the rules count, in words.
        hidden: from when access counts, where it does not count from there too.
    """
    kept = Started(record.clock, start)
    hidden = hidden or kept
    return Transfer(
        identifier=record.transfer,
        at=record.at,
        archival_agency=record.archival_agency,
        transferring_agency=record.transferring_agency,
        originating_agency=record.producer,
        units=(unit,),
        groups=tuple(DataObjectGroup(group_of(item), (item,)) for _, item in files),
        management=management_of(record.retention, kept.day, record.access, hidden.day),
        agreement=record.agreement,
        profile=record.profile,
        comments=(explained(record.retention, kept), explained(record.access, hidden)),
        rules_version=record.retention.version,
    )


def check_roles(kind: str, known: type[StrEnum], once: Iterable[StrEnum], files: Sequence[Described]) -> Counter[str]:
    """Return how many files there are of each role.

    Args:
        kind: of record, as the catalogue names it (``pes``, ``document``).
        known: the roles that a record of this kind has.
        once: those that must be there exactly once.
        files: those of the record.

    Raises:
        UsageError: a role that is not known, or one that is not there exactly once.
    """
    roles = Counter(file.role for file, _ in files)
    unknown = sorted(set(roles) - {role.value for role in known})
    if unknown:
        raise UsageError(_messages(f"{kind}.unknown_role", roles=", ".join(unknown)))
    for role in once:
        if roles[role] != 1:
            raise UsageError(_messages(f"{kind}.one_of", role=_messages(f"{kind}.{role.value}"), count=roles[role]))
    return roles
