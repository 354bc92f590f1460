"""The invoices of the demonstration: what Chorus Pro has for the commune, and whom they go to."""

from __future__ import annotations

from datetime import date, timedelta

from sqlmodel import Session

from api.simulators import VALMORIN, Simulators
from connectors.chorus.statuses import Status
from core import clock
from core.configuration import Configuration, configure
from core.platform import Platform
from flows.invoices.settings import ACCOUNT, OPERATOR, RECEPTION, VISA, InvoiceReception, InvoiceVisa, VisaRoute

_TECHNICAL, _SCHOOLS = 2, 3
_STATIONER = ("99000012700011", "Papeterie du Lavoir")
_MASON = ("99000013500014", "Maçonnerie Pierreclos")
_CATERER = ("99000014300018", "Cuisines de la Vallée")
# Supplier, number, service, engagement, net in cents, days since it came, shape, supporting pieces, and what became of it since.
_INVOICES: tuple[tuple[tuple[str, str], str, int, str, int, int, str, int, tuple[Status, ...]], ...] = (
    (_MASON, "2026-118", _TECHNICAL, "VOIRIE-2026-14", 482_000, 34, "whole", 1, ()),
    (_STATIONER, "F2026-0187", _SCHOOLS, "ECOLES-2026-03", 22_500, 24, "whole", 0, ()),
    (_CATERER, "CV/2026/0912", _SCHOOLS, "", 126_340, 12, "xml", 2, ()),
    (_MASON, "2026-131", _TECHNICAL, "VOIRIE-2026-17", 918_500, 5, "whole", 0, ()),
    (_STATIONER, "F2026-0203", _TECHNICAL, "", 8_990, 3, "pdf", 0, ()),
    (_CATERER, "CV/2026/0850", _SCHOOLS, "", 98_000, 20, "facturx", 1, (Status.SUSPENDED,)),
    (_STATIONER, "F2026-0144", _SCHOOLS, "ECOLES-2026-01", 41_200, 45, "whole", 0, (Status.MANDATED, Status.PAID)),
)


def reach(session: Session, platform: Platform, root: str, commune: str, played: Simulators) -> None:
    """Point the commune at the Chorus Pro that is running, and say what is fetched from it."""
    configure(session, platform.secrets, root, OPERATOR, played.chorus.operator())
    configure(session, platform.secrets, commune, ACCOUNT, played.chorus.account())
    if session.get(Configuration, (commune, RECEPTION)) is None:
        configure(session, platform.secrets, commune, RECEPTION, InvoiceReception(since=_today() - timedelta(days=60)))


def ask_for_visas(session: Session, platform: Platform, commune: str, subtype: str, emitter: str) -> None:
    """Let the invoices of the technical services go to those who say that the service was done."""
    route = VisaRoute(service="TECH", subtype=subtype, emitter=emitter)
    configure(session, platform.secrets, commune, VISA, InvoiceVisa(routes=(route,)))


def send(played: Simulators) -> None:
    """Let suppliers send their invoices."""
    now = clock.now()
    for (siret, name), number, desk, engagement, net, days, shape, pieces, since in _INVOICES:
        (known,) = played.chorus.emit(
            number=number,
            moment=now - timedelta(days=days),
            body=VALMORIN,
            desk=desk,
            supplier=siret,
            supplier_name=name,
            engagement=engagement,
            net=net,
            gross=net * 6 // 5,
            shape=shape,
            pieces=pieces,
        )
        for rank, status in enumerate(since, 1):
            comment = "Le bon de livraison manque." if status is Status.SUSPENDED else ""
            played.chorus.move(known, status, comment=comment, moment=now - timedelta(days=days - 2 * rank))


def _today() -> date:
    return clock.in_paris(clock.now()).date()
