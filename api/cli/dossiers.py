"""``deposit``, ``show``, ``follow``: dossiers as an operator sees them, on this machine's platform."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.markup import escape
from sqlmodel import col, select

from api.cli.output import NO, console, json_line
from api.cli.platform import at_work, operators_platform
from api.words import label, told
from core.clock import in_paris, iso
from core.errors import NotFound, UnreadableInput, UsageError
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import organisation_of
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.engine.table import End
from flows.registry import DEPOSITS, FIELDS, FLOWS, flow_for_deposits

_t = Catalogue("api.cli")
_LOOK_EVERY = 0.5


def deposit(file: Path, *, flow: str, organisation: str, key: str | None, said: list[str], as_json: bool) -> None:
    """Deposit a file for an organisation.

    Raises:
        UsageError: no such flow, or something said that it does not read.
        UnreadableInput: the file cannot be opened.
        NotFound: no such organisation.
        Conflict: the document is known with another content.
    """
    platform = at_work(operators_platform())
    flow_for_deposits(flow)
    told = dict(one.partition("=")[::2] for one in said)
    if unknown := told.keys() - FIELDS[flow]:
        known = ", ".join(sorted(FIELDS[flow])) or "–"
        raise UsageError(_t("deposit.unknown", found=", ".join(sorted(unknown)), known=known))
    with platform.database.reading(PLATFORM) as session:
        owner = organisation_of(session, organisation)
    try:
        stream = file.open("rb")
    except OSError as error:
        raise UnreadableInput(_t("file.unreadable", reason=error.strerror or type(error).__name__)) from error
    with stream:
        received = DEPOSITS[flow](platform, PLATFORM, owner.id, stream, file.name, key, told)
    if as_json:
        json_line({"dossier": received.dossier.id, "created": received.created})
    else:
        console.print(_t("deposit.created" if received.created else "deposit.known", dossier=received.dossier.id))


def show(dossier_id: str, *, as_json: bool) -> None:
    """Print a dossier, its problems and its timeline.

    Raises:
        NotFound: no such dossier.
    """
    platform = operators_platform()
    dossier, entries = _read(platform, dossier_id)
    if as_json:
        json_line(_as_json(dossier, entries))
        return
    _tell_state(dossier)
    for problem in dossier.problems:
        console.print(f"  [red]{problem['rule']}[/] {escape(problem['message'])}")
        if problem.get("mend"):
            console.print(f"      {escape(problem['mend'])}")
    for entry in entries:
        _tell_entry(entry)


def follow(dossier_id: str, *, as_json: bool) -> int:
    """Print each new event until the dossier ends or is parked; return 0 for a good end, 1 otherwise.

    Raises:
        NotFound: no such dossier.
    """
    platform = operators_platform()
    shown = 0
    while True:
        dossier, entries = _read(platform, dossier_id)
        for entry in entries[shown:]:
            json_line(_entry_json(entry)) if as_json else _tell_entry(entry)
        shown = len(entries)
        row = FLOWS[dossier.flow].rows[dossier.state]
        if isinstance(row, End) or dossier.parked:
            if not as_json:
                _tell_state(dossier)
            return 0 if isinstance(row, End) and row.good else NO
        time.sleep(_LOOK_EVERY)


def _read(platform: Platform, dossier_id: str) -> tuple[Dossier, list[JournalEntry]]:
    with platform.database.reading(PLATFORM) as session:
        dossier = session.get(Dossier, dossier_id)
        if dossier is None:
            raise NotFound(_t("dossier.unknown", dossier=dossier_id[:40]))
        entries = session.exec(
            select(JournalEntry).where(JournalEntry.dossier_id == dossier_id).order_by(col(JournalEntry.number))
        ).all()
        return dossier, list(entries)


def _tell_state(dossier: Dossier) -> None:
    words = label(f"state.{dossier.state}")
    console.print(f"[bold]{escape(dossier.title)}[/] · {dossier.id} · [bold]{words}[/]")
    if dossier.parked:
        console.print(f"  [yellow]{escape(dossier.parked)}[/]")


def _tell_entry(entry: JournalEntry) -> None:
    console.print(f"  {in_paris(entry.at):%d/%m/%Y %H:%M:%S}  {told(entry.kind)}")


def _entry_json(entry: JournalEntry) -> dict[str, Any]:
    return {"at": iso(entry.at), "kind": entry.kind, "actor": entry.actor, "facts": entry.facts}


def _as_json(dossier: Dossier, entries: list[JournalEntry]) -> dict[str, Any]:
    return {
        "dossier": dossier.id,
        "flow": dossier.flow,
        "title": dossier.title,
        "state": dossier.state,
        "parked": dossier.parked,
        "facts": dossier.facts,
        "problems": dossier.problems,
        "timeline": [_entry_json(entry) for entry in entries],
    }
