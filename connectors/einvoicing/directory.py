"""The directory of the reform: who receives invoices, at what addresses, and what they ask of them.

Answers are those of ``schemas.invoices.addressing``, below every connector. Chorus Pro stands behind this interface
(``connectors.chorus.directory``), as a *plateforme agréée* would, which keeps the same lines (XP Z12-013, directory service).
"""

from __future__ import annotations

from typing import Protocol

from core.identifiers import Siren, Siret
from schemas.invoices.addressing import Recipient, Service


class Directory(Protocol):
    """Looks recipients up. That somebody is not found is no error.

    Raises:
        Unavailable: it does not answer; worth trying again.
        NeedsOperator: it refuses, or answers what cannot be read.
        Misconfigured: our own settings are at fault.
    """

    def recipients(self, siren: Siren) -> tuple[Recipient, ...]:
        """Return who receives invoices for a legal unit; services and demands may be left out."""
        ...

    def recipient(self, siret: Siret) -> Recipient | None:
        """Return who receives invoices at an establishment, with its services and what it asks of invoices."""
        ...

    def service(self, siret: Siret, code: str) -> Service | None:
        """Return a service of an establishment by its *code service*, with what it asks of invoices."""
        ...
