"""What a trusted list says (ETSI TS 119 612): its services with the history of their status, its pointers to other lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509

from signing.trusted_lists.criteria import Criteria

BASE = "http://uri.etsi.org/TrstSvc/"
"""What the identifiers of kinds and statuses begin with."""


class Kind(StrEnum):
    """What a service issues."""

    CERTIFICATES = f"{BASE}Svctype/CA/QC"
    TIMESTAMPS = f"{BASE}Svctype/TSA/QTST"


@dataclass(frozen=True, slots=True)
class Qualifier:
    """What a list says of some certificates of a service, beyond what the certificates say themselves.

    Attributes:
        names: last parts of their identifiers: ``QCWithQSCD``, ``NotQualified`` …
        criteria: which certificates they concern.
    """

    names: frozenset[str]
    criteria: Criteria


@dataclass(frozen=True, slots=True)
class Period:
    """A time during which the status of a service did not change.

    Attributes:
        begin: when it began.
        end: when the next one began; None for the present one.
        granted: the service was granted, so qualified.
        uses: ``ForeSignatures``, ``ForeSeals``, ``ForWebSiteAuthentication``; empty when the list does not narrow it.
        qualifiers: what the list adds about some of its certificates.
    """

    begin: datetime
    end: datetime | None
    granted: bool
    uses: frozenset[str] = frozenset()
    qualifiers: tuple[Qualifier, ...] = ()

    def holds(self, at: datetime) -> bool:
        """Tell whether a moment lies in it."""
        return self.begin <= at and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Service:
    """A trust service.

    Attributes:
        kind: what it issues.
        name: as the list names it, in French when it does, else in the first language.
        territory: of the list, two letters.
        certificates: its digital identity: authorities, or the very units that make timestamps.
        periods: newest first.
    """

    kind: Kind
    name: str
    territory: str
    certificates: tuple[x509.Certificate, ...]
    periods: tuple[Period, ...]

    def granted(self, at: datetime) -> Period | None:
        """Return the period of a moment when the service was granted then, else None."""
        return next((period for period in self.periods if period.granted and period.holds(at)), None)

    def anchors(self, at: datetime) -> bool:
        """Tell whether it was granted for signatures, seals or timestamps: one for web sites alone vouches for nobody here."""
        period = self.granted(at)
        return period is not None and period.uses != {"ForWebSiteAuthentication"}


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where another list is, and who signs it.

    Attributes:
        territory: two letters; ``EU`` for the list of lists itself.
        location: address of the list.
        signers: the certificates that its signature may be made with.
    """

    territory: str
    location: str
    signers: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class TrustedList:
    """A trusted list, read.

    Attributes:
        territory: two letters; ``EU`` for the list of lists.
        of_lists: it is the list of lists.
        sequence: its number, which only grows.
        issued: when.
        next_update: when a newer one is due at the latest; None when the list is closed.
        services: those that issue certificates or timestamps, as far as they are understood.
        pointers: to other lists in XML.
        pivots: addresses of pivot lists that the list of lists names, oldest last.
        skipped: how many statuses grant nothing since a part of them is not understood.
    """

    territory: str
    of_lists: bool
    sequence: int
    issued: datetime
    next_update: datetime | None
    services: tuple[Service, ...]
    pointers: tuple[Pointer, ...]
    pivots: tuple[str, ...]
    skipped: int

    def stale(self, at: datetime) -> bool:
        """Tell whether a newer list should have come by that moment."""
        return self.next_update is None or at > self.next_update
