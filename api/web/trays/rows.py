"""The lines of a tray as people read them: what it is, what is asked, from whom and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from babel.dates import format_date
from sqlmodel import Session

from api.web.trays.listing import Listing, folder_address
from api.words import euros, number
from core import clock
from core.messages import Catalogue, current_locale
from signing.parapheur import history, trays
from signing.parapheur.desks import Around
from signing.parapheur.models import FolderState, StepKind
from signing.parapheur.trays import Line, Tray

messages = Catalogue("api.web.trays")
_GRAVEST = (StepKind.SIGNATURE, *(kind for kind in StepKind if kind is not StepKind.SIGNATURE))
_SOON = 2  # days before the last one
_CHOSEN_TASKS = {Tray.TO_DO, Tray.LATE, Tray.DELEGATED}
_CHOSEN_FOLDERS = {Tray.RETRIEVABLE, Tray.FINISHED, Tray.REJECTED, Tray.DRAFTS, Tray.TRASH}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list.

    Attributes:
        choice: what a selection sends for it; empty when it cannot be selected.
        summary: what is known of its content.
        places: names of the desks to tell: where it comes from, or where it lies.
        due: tone and words of the last day: ``late``, ``soon`` or nothing; empty without one.
        reason: why it was rejected.
    """

    line: Line
    address: str
    choice: str
    summary: str
    places: str
    desk: str
    since: str
    due: tuple[str, str]
    reason: str


def rows(session: Session, around: Around, listing: Listing, found: tuple[Line, ...]) -> list[Row]:
    """Return the lines of a page of a list, with the names that they need."""
    folder_ids = [line.folder_id for line in found]
    lying = trays.at_present(session, folder_ids) if listing.tray in {Tray.SENT, Tray.UPCOMING, Tray.RETRIEVABLE} else {}
    rejections = history.last_of(session, folder_ids, "rejected") if listing.tray is Tray.REJECTED else {}
    lying |= {folder_id: [event.behalf_id or event.desk_id or ""] for folder_id, event in rejections.items()}
    told = {desk for line in found for desk in (line.desk_id, line.emitter_id, *lying.get(line.folder_id, ()))}
    names = trays.names(session, list(told))
    mine = len({*around.held, *around.supervised}) > 1 or listing.tray is Tray.DELEGATED
    return [
        Row(
            line,
            _address(line, listing),
            _choice(line, around, listing.tray),
            summary_of(line.summary),
            _places(line, names, lying),
            names.get(line.desk_id, "") if mine and not listing.wanted.desk_id else "",
            since(line.since),
            due(line.due, ended=line.state != FolderState.PENDING.value),
            rejections[line.folder_id].note if line.folder_id in rejections else "",
        )
        for line in found
    ]


def _address(line: Line, listing: Listing) -> str:
    if line.state == FolderState.DRAFT.value:
        return f"/parapheur/brouillons/{line.folder_id}"
    return folder_address(line.folder_id, listing, tache=line.task_id)


def _choice(line: Line, around: Around, tray: Tray) -> str:
    if tray in _CHOSEN_TASKS and line.task_id:
        acts = tray is Tray.DELEGATED or line.desk_id in around.held
        return line.task_id if acts else ""
    return line.folder_id if tray in _CHOSEN_FOLDERS and line.desk_id in around.held else ""


def _places(line: Line, names: Mapping[str, str], lying: Mapping[str, list[str]]) -> str:
    if line.folder_id in lying:
        return ", ".join(names.get(desk, "") for desk in lying[line.folder_id])
    return names.get(line.emitter_id, "")


def summary_of(summary: Mapping[str, Any]) -> str:
    """Return what a list tells of the content of a folder: ``18 mandats · 41 230,12 €``; empty when nothing is known."""
    if summary.get("document") != "pes":
        return ""
    told = [_counted(kind, int(summary.get(kind) or 0)) for kind in ("mandats", "titres") if summary.get(kind)]
    if summary.get("amount"):
        told.append(euros(str(summary["amount"])))
    return " · ".join(told)


def _counted(kind: str, count: int) -> str:
    return messages.counted(f"summary.{kind}", count, count=number(count))


def since(moment: datetime) -> str:
    """Return since when, as one says it: the hour of today, yesterday, or the day."""
    there, today = clock.in_paris(moment), clock.in_paris(clock.now()).date()
    if there.date() == today:
        return messages("since.today", hour=there.hour, minute=f"{there:%M}")
    if (today - there.date()).days == 1:
        return messages("since.yesterday")
    return messages("since.day", day=shown_day(there.date()))


def due(last: date | None, *, ended: bool = False) -> tuple[str, str]:
    """Return how pressing a last day is, and its words."""
    if last is None:
        return "", ""
    left = (last - clock.in_paris(clock.now()).date()).days
    if ended or left > _SOON:
        return "", shown_day(last)
    if left < 0:
        return "late", messages("due.late.one" if left == -1 else "due.late", days=-left)
    return "soon", messages("due.today") if not left else messages("due.tomorrow") if left == 1 else shown_day(last)


def shown_day(value: date) -> str:
    """Return a day; its year only when it is another one."""
    same = value.year == clock.in_paris(clock.now()).year
    shown = format_date(value, "d MMMM" if same else "d MMMM y", locale=current_locale())
    return "1er" + shown[1:] if current_locale() == "fr" and value.day == 1 else shown


def when(moment: datetime) -> str:
    """Return a moment on one line, as French clocks show it; its year only when it is another one."""
    there = clock.in_paris(moment)
    return messages("moment", day=shown_day(there.date()), hour=there.hour, minute=f"{there:%M}")


def sentence(kinds: Mapping[str, int], late: int, *, more: bool) -> str:
    """Return what waits, in one sentence.

    Args:
        kinds: how many of each kind of task.
        late: how many of them are late.
        more: there are more than were counted.
    """
    total = sum(kinds.values())
    if not total:
        return messages("sentence.none")
    shown = number(total) + ("+" if more else "")
    behind = messages("sentence.late", count=number(late)) if late else ""
    if len(kinds) == 1:
        (kind,) = kinds
        said = messages.counted(f"sentence.{kind}", total, count=shown)
    else:
        parts = [messages(f"sentence.part.{kind.value}", count=number(kinds[kind])) for kind in _GRAVEST if kinds.get(kind)]
        return messages("sentence.mixed", count=shown, late=behind, parts=", ".join(parts)) + "."
    return f"{said}{behind}."
