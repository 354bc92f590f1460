"""Where one can go from every page: what one may not do is not there."""

from __future__ import annotations

from dataclasses import dataclass

from api.web.visitor import Visitor
from core.principal import Right


@dataclass(frozen=True, slots=True)
class Entry:
    """A place of the header.

    Attributes:
        words: key of its name.
        address: where it leads.
        current: the page stands there or below.
    """

    words: str
    address: str
    current: bool


_PLACES = (
    ((Right.ACT, Right.DEPOSIT), "nav.parapheur", "/parapheur"),
    ((Right.DEPOSIT,), "nav.deposit", "/deposer"),
    ((Right.READ, Right.DEPOSIT), "nav.acts", "/actes"),
    ((Right.READ, Right.DEPOSIT), "nav.invoices", "/factures"),
    ((Right.READ, Right.DEPOSIT), "nav.mails", "/courriers"),
    ((Right.READ, Right.SURVEY), "nav.dossiers", "/dossiers"),
    ((Right.READ, Right.ARCHIVE, Right.CONTROL, Right.OPERATE), "nav.archives", "/archives"),
    ((Right.ADMINISTER,), "nav.administration", "/administration"),
)
_HOMES = (
    (Right.ACT, "/parapheur"),
    (Right.ARCHIVE, "/archives"),
    (Right.READ, "/dossiers"),
    (Right.DEPOSIT, "/deposer"),
    (Right.SURVEY, "/dossiers"),
    (Right.ADMINISTER, "/administration"),
    (Right.CONTROL, "/archives"),
)


def entries(visitor: Visitor | None, path: str) -> list[Entry]:
    """Return the places that a visitor may go to, in order."""
    if visitor is None:
        return []
    return [
        Entry(words, address, path == address or path.startswith(f"{address}/"))
        for rights, words, address in _PLACES
        if any(visitor.where(right) for right in rights)
    ]


def home_of(visitor: Visitor) -> str:
    """Return the page on which a visitor's day begins."""
    return next((address for right, address in _HOMES if visitor.where(right)), "/compte")
