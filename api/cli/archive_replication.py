"""``archive replicate`` and ``archive restore-place``: a place gets what it never had, or has again what it lost."""

from __future__ import annotations

from rich.markup import escape

from api.cli.output import NO, console, json_line
from api.cli.platform import at_work, operators_platform
from archive.places.places import places_of
from archive.replication import copies, rounds
from archive.replication.models import Replication, Task
from archive.replication.turns import Turn
from archive.watch.looking import place_named
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform

_t = Catalogue("api.cli")
_TOLD_EVERY = 1000


def replicate(*, place: str | None, as_json: bool) -> int:
    """Bring to every place what it lacks; return 0 when each has all of it then, 1 otherwise.

    Args:
        place: the only one to fill; None for all of them.
        as_json: print JSON Lines: one for each object that cannot be copied, one for each place.

    Raises:
        UsageError: there is no such place, or there is one place only.
        Unavailable, Misconfigured: a place does not answer, or refuses us; what was copied stays.
    """
    platform = at_work(operators_platform())
    known = places_of(platform)
    if len(known) == 1:
        raise UsageError(_t("replicate.alone"))
    failed = 0
    for one in known if place is None else [place_named(platform, place)]:
        shown = _Shown(platform, as_json=as_json)
        shown.left(one.name)
        failed += shown.conclude(rounds.fill(platform, one, shown.told))
    return NO if failed else 0


def restore_place(name: str, *, source: str | None, anew: bool, as_json: bool) -> int:
    """Write again what a place has lost; return 0 when everything could be, 1 otherwise.

    Args:
        name: of the place.
        source: the only place to take packages from; the first that gives each whole when None.
        anew: begin again, where otherwise a restoration that was interrupted is gone on with.
        as_json: print JSON Lines: one for each object that cannot be written again, one at the end.

    Raises:
        UsageError: there is no such place, no other one, or both are the same.
        Unavailable, Misconfigured: a place does not answer, or refuses us; what was written stays.
    """
    platform = at_work(operators_platform())
    place = place_named(platform, name)
    others = [one.name for one in places_of(platform) if one.name != name]
    if not others:
        raise UsageError(_t("replicate.alone"))
    if source is not None and place_named(platform, source).name == name:
        raise UsageError(_t("restore_place.same", known=", ".join(others)))
    shown = _Shown(platform, as_json=as_json)
    before = None if anew else rounds.interrupted(platform, place)
    if not as_json:
        console.print(_t("restore_place.begins", place=name, held=copies.held(platform, name)))
        if before is not None:
            console.print(_t("restore_place.goes_on", copied=before.copied))
    return NO if shown.conclude(rounds.restore(platform, place, source, shown.told, anew=anew)) else 0


class _Shown:
    """What is printed of a round while it goes on."""

    def __init__(self, platform: Platform, *, as_json: bool) -> None:
        self._platform = platform
        self._as_json = as_json
        self._last = 0

    def left(self, place: str) -> None:
        """Print how much a place lacks."""
        if not self._as_json:
            console.print(_t("replicate.left", place=place, left=copies.lacking(self._platform, place)))

    def told(self, run: Replication, turn: Turn) -> None:
        """Print what could not be copied, and every now and then how far it is."""
        for failure in turn.failures:
            if self._as_json:
                json_line({"place": run.place, "key": failure.key, "reason": failure.reason})
            else:
                line = _t("replicate.failed", key=failure.key, reason=failure.reason)
                console.print(f"  [red]✗[/] {escape(line)}")
        if not self._as_json and run.copied - self._last >= _TOLD_EVERY:
            self._last = run.copied
            console.print(f"  {_t('replicate.progress', place=run.place, copied=run.copied)}")
            if run.task == Task.FILL.value:
                self.left(run.place)

    def conclude(self, run: Replication) -> int:
        """Print the end of a round, and return how many objects could not be copied."""
        if self._as_json:
            json_line({"place": run.place, "copied": run.copied, "failed": run.failed})
        else:
            mark = "[red]✗[/]" if run.failed else "[green]✓[/]"
            console.print(f"  {mark} {_t('replicate.done', place=run.place, copied=run.copied, failed=run.failed)}")
        return run.failed
