"""``archive conformance``: do the configured stores keep what an archive asks of them? One line a check, with the mend."""

from __future__ import annotations

from rich.markup import escape

from api.cli.output import NO, console, json_line
from api.cli.platform import operators_platform
from archive.places.conformance import Check, examine
from archive.places.places import places_of
from archive.watch.looking import place_named
from core.messages import Catalogue

_t = Catalogue("api.cli")


def conformance(*, place: str | None, as_json: bool) -> int:
    """Try the places; return 0 when all keep what is asked, 1 otherwise.

    Args:
        place: the only place to try; None for all of them.
        as_json: print JSON Lines, one for each check.

    Raises:
        UsageError: there is no such place.
    """
    platform = operators_platform()
    wrong = 0
    for one in places_of(platform) if place is None else [place_named(platform, place)]:
        if not as_json:
            console.print(f"[bold]{escape(one.name)}[/] {escape(one.store.archive)}")
        for check in examine(one):
            wrong += not check.kept
            _tell(one.name, check, as_json=as_json)
    if not as_json:
        console.print(
            f"[bold red]{_t('conformance.wrong', count=wrong)}[/]" if wrong else f"[bold green]{_t('conformance.right')}[/]"
        )
    return NO if wrong else 0


def _tell(place: str, check: Check, *, as_json: bool) -> None:
    if as_json:
        json_line({"place": place, "check": check.code, "kept": check.kept, "seen": check.seen, "mend": check.mend})
        return
    mark = "[green]✓[/]" if check.kept else "[red]✗[/]"
    mend = f" → {escape(check.mend)}" if check.mend else ""
    console.print(f"  {mark} {escape(_t('conformance.line', what=check.words, seen=check.seen))}{mend}")
