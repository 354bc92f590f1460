"""Searches of received invoices: what is looked for, in the words of either service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.chorus import services
from connectors.chorus.answers import Kind
from connectors.chorus.services import Service

WORKS = {Kind.WORKS_MOE, Kind.WORKS_MOA}
"""Kinds that the service of works invoices finds."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which received invoices are looked for; what is None or empty is not a condition.

    Attributes:
        structure: its ``idStructureCPP``; all of the account's when None.
        service: its ``idService``.
        kinds: searches to make, in this order.
        moved_from, moved_to: days between which the status last changed, both included.
        deposited_from, deposited_to: days of deposit. Not asked of works invoices, nor are the conditions below.
        statuses: current ones.
        number: of the invoice, whole.
        downloaded: whether somebody of the structure downloaded it, on the portal too: it says nothing of us.
        gross_from, gross_to: amounts with tax.
    """

    structure: int | None = None
    service: int | None = None
    kinds: tuple[Kind, ...] = (Kind.INVOICE, Kind.WORKS_PAYMENT)
    moved_from: date | None = None
    moved_to: date | None = None
    deposited_from: date | None = None
    deposited_to: date | None = None
    statuses: tuple[str, ...] = ()
    number: str = ""
    downloaded: bool | None = None
    gross_from: Decimal | None = None
    gross_to: Decimal | None = None


def plain(search: Search, kind: Kind) -> tuple[Service, dict[str, Any], str, str]:
    """Return the service that finds invoices of a kind, what it is asked, and where it takes paging and gives its lines."""
    asked = _common(search) | {
        "typeDemandePaiement": kind.value,
        "periodeDateDepotDu": _first(search.deposited_from),
        "periodeDateDepotAu": _first(search.deposited_to),
        "statutCourant": list(search.statuses) or None,
        "numeroFacture": search.number or None,
        "factureTelechargeeParDestinataire": search.downloaded,
        "montantTTCMin": None if search.gross_from is None else float(search.gross_from),
        "montantTTCMax": None if search.gross_to is None else float(search.gross_to),
        "recupererTaille": True,
    }
    return services.RECEIVED, _said(asked), "paramRecherche", "listeFactures"


def works(search: Search, kind: Kind) -> tuple[Service, dict[str, Any], str, str]:
    """Return the same for works invoices, which have names of their own."""
    asked = _common(search) | {"roleUtilisateur": kind.value, "flagTelecharge": search.downloaded}
    return services.WORKS, _said(asked), "rechercheFactureTravaux", "listeFacturesTravaux"


def _common(search: Search) -> dict[str, Any]:
    return {
        "idDestinataire": search.structure,
        "idServiceExecutant": search.service,
        "periodeDateHeureEtatCourantDu": _first(search.moved_from),
        "periodeDateHeureEtatCourantAu": None if search.moved_to is None else f"{search.moved_to.isoformat()}T23:59:59",
    }


def _first(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _said(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def paging(number: int, size: int) -> dict[str, int]:
    """Return what asks for a page, from 1."""
    return {"nbResultatsParPage": size, "pageResultatDemandee": number}
