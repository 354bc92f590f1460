"""The list of acts as a table for spreadsheets: all that the filters show, whatever its length, read page by page as it leaves.

As French spreadsheets expect it: UTF-8 with a byte order mark, semicolons, days before months.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from io import StringIO

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from api.web.acts.listing import Filters, Line, page_of
from api.web.visitor import Parts, SignedIn
from api.words import label
from core import clock
from core.messages import Catalogue, current_locale, speaking
from core.platform import Platform
from core.principal import Principal
from flows.actes.knowledge import classification_of, labels_of
from flows.engine import reading
from flows.engine.reading import Place
from schemas.actes.classification import Classification

router = APIRouter()
_t = Catalogue("api.web.acts")
_AT_ONCE = 500
_MARK = "\ufeff"
# What a spreadsheet takes for the beginning of a formula, whoever wrote it.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    "number",
    "subject",
    "nature",
    "matiere",
    "decided",
    "identifier",
    "state",
    "sent",
    "received",
    "control",
    "organisation",
)


@router.get("/actes.csv")
def exported(platform: Parts, visitor: SignedIn, filters: Filters) -> StreamingResponse:
    """Give the acts that the filters show, newest first."""
    name = f"actes-{clock.in_paris(clock.now()):%Y%m%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    pieces = _pieces(_Export(platform, visitor.principal, filters), current_locale())
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)


def _pieces(export: _Export, locale: str) -> Iterator[str]:
    yield _MARK + _written([[_t.texts(locale)[f"export.{name}"] for name in COLUMNS]])
    while not export.done:
        # Each turn may run in another thread: the language is set for its time only.
        with speaking(locale):
            piece = _written(export.page())
        yield piece


class _Export:
    """The pages of the list, one after the other; no connection is held while a page is on its way."""

    def __init__(self, platform: Platform, principal: Principal, filters: dict[str, str]) -> None:
        self.done = False
        self._platform, self._principal, self._filters = platform, principal, filters
        self._after: Place | None = None
        self._known: dict[tuple[str, str], Classification | None] = {}

    def page(self) -> list[list[str]]:
        """Return the cells of the next page."""
        today = clock.in_paris(clock.now()).date()
        with reading.opened(self._platform.database, self._principal) as session:
            page = page_of(session, self._filters, today, self._after, size=_AT_ONCE)
            names = {one.id: one.name for one in reading.organisations(session)}
        self._after, self.done = page.after, page.after is None
        return [self._cells(line, names.get(line.dossier.organisation_id, "")) for line in page.lines]

    def _cells(self, line: Line, organisation: str) -> list[str]:
        facts, act = line.dossier.facts, line.act
        nature, matiere = labels_of(act, self._classification(line))
        code = ".".join(map(str, act.matieres))
        received = facts.get("reception_date")
        return [
            act.number,
            act.subject,
            nature,
            f"{code} – {matiere}" if matiere else code,
            _day(act.decision_date),
            facts.get("id_acte_of_state") or facts.get("id_acte", ""),
            label(f"state.{line.dossier.state}", line.dossier.flow),
            _moment(clock.from_iso(facts["sent_at"])) if facts.get("sent_at") else "",
            _day(date.fromisoformat(received)) if received else "",
            _control(line),
            organisation,
        ]

    def _classification(self, line: Line) -> Classification | None:
        """Return the classification under which an act was sent, else the newest."""
        used = line.dossier.facts.get("classification_date") or ""
        key = (line.dossier.organisation_id, used)
        if key not in self._known:
            day = date.fromisoformat(used) if used else None
            self._known[key] = classification_of(self._platform, line.dossier.organisation_id, day)
        return self._known[key]


def _control(line: Line) -> str:
    if line.clock is None:
        return ""
    return _day(line.clock.ends) if line.clock.ends else _t(f"phase.{line.clock.phase}")


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _moment(moment: datetime) -> str:
    return f"{clock.in_paris(moment):%d/%m/%Y %H:%M}"


def _written(rows: list[list[str]]) -> str:
    text = StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows([cell_of(cell) for cell in row] for row in rows)
    return text.getvalue()


def cell_of(text: str) -> str:
    """Return a text as a cell that no spreadsheet reckons with: what looks like a formula begins with an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULAS) else text
