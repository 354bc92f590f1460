"""Dockets of the visa of invoices are those of every flow: see ``flows.parapheur.dockets``."""

from __future__ import annotations

from flows.parapheur.dockets import DOCKET, docket_of

__all__ = ["DOCKET", "docket_of"]
