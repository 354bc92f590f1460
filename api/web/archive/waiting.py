"""What waits for a visitor in the archive, on the page on which their day begins; what waits for nobody is not told.

What lives here: how much there is, of what the visitor may open. What does not: what waits, which its own room knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.tenants import holding
from api.web.archive.watching import operates_all, watched
from api.web.visitor import Visitor
from api.words import number
from archive.correction import correcting
from archive.elimination import deciding
from archive.finding import requests
from archive.watch import audits, incidents
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.transfers import reading as transfers

_t = Catalogue("api.web.archive")
_MOST = 1000
_ELIMINATIONS = "/archives/eliminations?etat="


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that waits.

    Attributes:
        count: how much of it, as it is written.
        address: of the page on which one does something about it.
        late: nobody has it, or it should have been done.
    """

    count: str
    words: str
    address: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """All that waits, and what the row is called for whoever does not see it."""

    words: str
    waiting: tuple[Waiting, ...]


def for_archives(platform: Platform, visitor: Visitor) -> Row:
    """Return what waits for whoever manages, controls or operates archives."""
    decisions = (*_decisions(platform, visitor), *_agreements(platform, visitor))
    return Row(_t("waiting"), (*_incidents(platform, visitor), *decisions, *_audits(platform, visitor)))


def for_others(platform: Platform, visitor: Visitor) -> Row:
    """Return what waits for those whose day begins elsewhere: who operates, and who answers for a producer."""
    operating = (*_incidents(platform, visitor), *_audits(platform, visitor)) if visitor.where(Right.OPERATE) else ()
    return Row(_t("waiting"), (*operating, *_agreements(platform, visitor)))


def _incidents(platform: Platform, visitor: Visitor) -> Iterator[Waiting]:
    if not any(visitor.where(right) for right in incidents.WATCHES):
        return
    with watched(platform.database, visitor.principal) as session:
        found = incidents.standing(session, visitor.person_id)
    if found.total:
        words = _t.counted("waiting.incidents", found.total, free=number(found.free), mine=number(found.mine))
        count = number(found.total) if found.exact else f"{number(found.total)}+"
        yield Waiting(count, words, "/archives/incidents", late=found.free > 0)


def _decisions(platform: Platform, visitor: Visitor) -> Iterator[Waiting]:
    database, principal = platform.database, visitor.principal
    if not (visitor.where(Right.ARCHIVE) or visitor.where(Right.CONTROL)):
        return
    with database.reading(holding(principal, Right.ARCHIVE, Right.CONTROL)) as session:
        visas, orders = (count(session, principal, _MOST + 1) for count in (deciding.awaited, deciding.awaited_of_archivist))
        yield from _told("waiting.eliminations", visas, f"{_ELIMINATIONS}agreed")
        yield from _told("waiting.visas", orders, f"{_ELIMINATIONS}visa")
        corrections = correcting.awaited(session, principal, _MOST + 1)
        yield from _told("waiting.corrections", corrections, "/archives/corrections")
        yield from _told("waiting.requests", requests.awaited(session, _MOST + 1), "/archives/demandes")
    waiting = transfers.awaited(database, principal, _MOST + 1)
    yield from _told("waiting.transfers", waiting, "/archives/versements?etat=to_accept")


def _agreements(platform: Platform, visitor: Visitor) -> Iterator[Waiting]:
    with platform.database.reading(visitor.principal) as session:
        waiting = deciding.awaited_of_producer(session, visitor.principal, _MOST + 1)
    yield from _told("waiting.agreements", waiting, f"{_ELIMINATIONS}proposed")


def _audits(platform: Platform, visitor: Visitor) -> Iterator[Waiting]:
    if operates_all(platform, visitor):
        yield from _told("waiting.audits", len(audits.behind(platform)), "/archives/lieux", late=True)


def _told(key: str, count: int, address: str, *, late: bool = False) -> Iterator[Waiting]:
    if count:
        shown = f"{number(_MOST)}+" if count > _MOST else number(count)
        yield Waiting(shown, _t.counted(key, count), address, late)
