"""What a page shows of a PES, whoever may see it: this knows the document and where its pages stand, and nothing of rights.

Each function returns the context of the partials of this folder: ``pes`` is what is shown, ``said`` the words (a page of another
folder that includes them has a ``t`` of its own), ``dated`` and ``timed`` how days and moments are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from api.web.pes.answers import Answers
from api.web.pes.rows import (
    Around,
    bordereau_row,
    document_row,
    line_row,
    named,
    piece_row,
    reference_row,
    signatures_over,
)
from api.words import day, moment, of_page
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from schemas.pes import lookup
from schemas.pes.reader import amount
from schemas.pes.seen import Page, Summary, Wanted
from schemas.pes.shelf import Shelved, shelved

__all__ = ["Around", "Shown", "documents", "overview", "piece", "progress"]

messages = Catalogue("api.web.pes")
PIECES, LINES, DOCUMENTS = 25, 50, 50
_REFERENCES = 200
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """What every page of a PES has.

    Attributes:
        state: how far its reading has come; ``percent`` in hundredths of the document.
        summary: None while nothing is there.
        rows: of the list on the page; ``next`` and ``previous`` its neighbours.
    """

    around: Around
    state: Shelved
    size: int
    summary: Summary | None = None
    rows: tuple[Any, ...] = ()
    found: Page[Any] | None = None
    next: str | None = None
    previous: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def percent(self) -> int:
        """How much of the document was read."""
        return min(99, self.summary.read * 100 // max(1, self.size)) if self.summary else 0


def overview(platform: Platform, kept: DossierFile | KeptFile, query: Mapping[str, str], around: Around) -> dict[str, Any]:
    """Return what the first page shows: header, totals, bordereaux, and a page of pièces narrowed by the query.

    Args:
        platform: where the document is.
        kept: the document.
        query: ``bordereau``, ``q``, ``tiers``, ``min``, ``max``, and ``apres`` or ``avant``.
        around: what else is known.
    """
    state = shelved(platform, kept.sha256)
    if state.path is None:
        return _context(Shown(around, state, kept.size))
    filters = {name: query.get(name, "").strip()[:_LONGEST] for name in ("bordereau", "q", "tiers", "min", "max")}
    wanted, faults = _wanted(filters)
    answers = Answers(around.acquit)
    with lookup.opened(state.path) as database:
        summary = lookup.summary(database)
        page = lookup.pieces(database, wanted, PIECES, _rank(query.get("apres")), _rank(query.get("avant")))
        known = {one.id: one for one in summary.bordereaux}
        owners = {rank: known.get(rank) or lookup.bordereau(database, rank) for rank in {one.bordereau for one in page.rows}}
        loose, missing = lookup.loose_ends(database)
    return _context(
        Shown(
            around,
            state,
            kept.size,
            summary,
            tuple(piece_row(one, owners[one.bordereau], answers) for one in page.rows),
            page,
            _address(around.base, filters, apres=page.after),
            _address(around.base, filters, avant=page.before),
            filters,
            faults,
            {
                "bordereaux": tuple(bordereau_row(one, answers, around) for one in summary.bordereaux),
                "loose": loose,
                "missing": missing,
                "flow_signatures": signatures_over(around, "document"),
            },
        )
    )


def progress(kept: DossierFile | KeptFile, state: Shelved, around: Around) -> dict[str, Any]:
    """Return what the part that follows the reading shows."""
    if state.path is None:
        return _context(Shown(around, state, kept.size))
    with lookup.opened(state.path) as database:
        return _context(Shown(around, state, kept.size, lookup.summary(database)))


def piece(
    platform: Platform, kept: DossierFile | KeptFile, rank: int, query: Mapping[str, str], around: Around
) -> dict[str, Any]:
    """Return what the page of a pièce shows: itself, a page of its lines narrowed by ``q``, its supporting documents.

    Raises:
        NotFound: there is no pièce of that rank, or not yet.
    """
    state = shelved(platform, kept.sha256)
    if state.path is None:
        raise NotFound(state.trouble or messages("pes.not_yet"))
    filters = {"q": query.get("q", "").strip()[:_LONGEST]}
    answers = Answers(around.acquit)
    with lookup.opened(state.path) as database:
        found = lookup.piece(database, rank)
        if found is None:
            raise NotFound(messages("piece.absent"))
        summary = lookup.summary(database)
        owner = lookup.bordereau(database, found.bordereau)
        lines = lookup.lines(database, rank, filters["q"], LINES, _rank(query.get("apres")), _rank(query.get("avant")))
        references = lookup.references(database, rank, _REFERENCES)
        held = {one.attachment: lookup.attachment(database, one.attachment) for one in references if one.attachment}
    address = f"{around.base}/pieces/{rank}"
    return _context(
        Shown(
            around,
            state,
            kept.size,
            summary,
            tuple(line_row(one, found, owner, answers, around) for one in lines.rows),
            lines,
            _address(address, filters, apres=lines.after),
            _address(address, filters, avant=lines.before),
            filters,
            {},
            {
                "row": piece_row(found, owner, answers),
                "others": named(found.more, owner.domain if owner else None),
                "references": tuple(reference_row(one, held.get(one.attachment or 0), answers) for one in references),
            },
        )
    )


def documents(platform: Platform, kept: DossierFile | KeptFile, query: Mapping[str, str], around: Around) -> dict[str, Any]:
    """Return what the page of supporting documents shows: a page of them, and the references that lead to none.

    Args:
        platform: where the document is.
        kept: the document.
        query: ``apres``; ``seules`` narrows to those that nothing names.
        around: what else is known.
    """
    state = shelved(platform, kept.sha256)
    if state.path is None:
        return _context(Shown(around, state, kept.size))
    filters = {"seules": "1" if query.get("seules") else ""}
    answers = Answers(around.acquit)
    with lookup.opened(state.path) as database:
        summary = lookup.summary(database)
        rows = lookup.attachments(database, DOCUMENTS + 1, _rank(query.get("apres")) or 0, loose=bool(filters["seules"]))
        missing = lookup.unresolved(database, DOCUMENTS)
        loose, missing_count = lookup.loose_ends(database)
    after = rows[DOCUMENTS - 1].id if len(rows) > DOCUMENTS else None
    return _context(
        Shown(
            around,
            state,
            kept.size,
            summary,
            tuple(document_row(one, answers) for one in rows[:DOCUMENTS]),
            None,
            _address(f"{around.base}/pj", filters, apres=after),
            None,
            filters,
            {},
            {
                "loose": loose,
                "missing_count": missing_count,
                "missing": tuple(reference_row(one, None, answers) for one in missing),
            },
        )
    )


def _context(shown: Shown) -> dict[str, Any]:
    return {"pes": shown, "said": of_page("web/pes/pes.html"), "dated": _dated, "timed": _timed}


def _dated(text: str) -> str:
    """Return a day in words; one that no calendar has, as it was written."""
    try:
        return day(date.fromisoformat(text[:10]))
    except ValueError:
        return text


def _timed(text: str) -> str:
    """Return a moment in words, from how a report writes it."""
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return text


def _wanted(filters: Mapping[str, str]) -> tuple[Wanted, dict[str, str]]:
    """Read the filters; an amount that cannot be read narrows nothing, and is said."""
    amounts = {name: amount(_plain(filters[name])) for name in ("min", "max")}
    faults = {name: messages("filter.amount") for name, value in amounts.items() if filters[name] and value is None}
    wanted = Wanted(_rank(filters["bordereau"]), filters["q"], filters["tiers"], amounts["min"], amounts["max"])
    return wanted, faults


def _plain(typed: str) -> str:
    """Return an amount as files write it, from how people do."""
    return "".join(typed.replace("€", "").split()).replace(",", ".")


def _rank(text: str | None) -> int | None:
    """Return a rank that stands in an address, None when there is none, or nothing that could be one."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < len("1000000000") else None


def _address(base: str, filters: Mapping[str, str], **place: int | None) -> str | None:
    if not any(place.values()):
        return None
    return f"{base}?{urlencode({name: value for name, value in {**filters, **place}.items() if value})}"
