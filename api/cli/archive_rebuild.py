"""``archive rebuild``: the archive's part of a database that was lost, made anew from the places alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape

from api.cli.output import NO, console, json_line
from archive.rebuilding.catching_up import CaughtUp
from archive.rebuilding.rebuild import Rebuilt
from archive.rebuilding.rebuild import rebuild as make_anew
from core import presence
from core.messages import Catalogue
from core.migrations import upgrade
from core.platform import Platform, open_platform
from core.s3_server import s3_server
from core.settings import load_settings

_t = Catalogue("api.cli")
_TOLD_EVERY = 1000


def rebuild(*, as_json: bool) -> int:
    """Rebuild; return 0 when everything was found whole, 1 otherwise.

    Raises:
        Conflict: the database has a journal of its own, or people.
        Misconfigured: the embedded platform is running.
        SegmentAltered, ObjectMissing, ObjectAltered: the journal or a statement in the places does not hold.
    """
    with stopped_platform() as platform:
        done = make_anew(platform, Counting("rebuild", as_json=as_json))
    if as_json:
        json_line({name: getattr(done, name) for name in Rebuilt.__slots__})
    else:
        _tell(done)
    return NO if done.unreadable or done.unknown or done.evidence_lost else 0


@contextmanager
def stopped_platform() -> Iterator[Platform]:
    """Open the platform, its own S3 server started where it has one; nothing else of it may be at work meanwhile.

    Raises:
        Conflict: a part of it is at work on the database, though idle.
        Misconfigured: the embedded platform is running.
    """
    settings = load_settings()
    if settings.s3_endpoint:
        platform = open_platform(settings)
        with presence.alone(platform.database):
            upgrade(platform.database)
            yield platform
        return
    from api.embedded import alone

    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with alone(settings.state_dir / "lock"), s3_server(settings.state_dir / "s3") as server:
        store = server.store(
            settings.s3_bucket_prefix, lock_mode=settings.archive_lock_mode, lock_days=settings.archive_lock_days
        )
        platform = open_platform(settings, store)
        with presence.alone(platform.database):
            upgrade(platform.database)
            yield platform


class Counting:
    """Tells how much of something there is, whenever there is a good deal more than was last told."""

    def __init__(self, command: str, *, as_json: bool) -> None:
        self._command, self._as_json, self._told = command, as_json, dict[str, int]()

    def __call__(self, what: str, count: int) -> None:
        """Tell it, to people only."""
        if not self._as_json and count - self._told.get(what, 0) >= _TOLD_EVERY:
            self._told[what] = count
            console.print(f"  {_t(f'{self._command}.progress.{what}', count=count)}")


def _tell(done: Rebuilt) -> None:
    console.print(f"  [green]✓[/] {_t('rebuild.entries', count=done.entries)}")
    console.print(f"  [green]✓[/] {_t('rebuild.records', count=done.records, eliminated=done.eliminated, holds=done.holds)}")
    tell_troubles(done)
    console.print(_t("rebuild.beyond"))


def tell_troubles(done: Rebuilt | CaughtUp) -> None:
    """Print what a person must look at of what came back from the places."""
    if done.anew:
        console.print(f"  [yellow]![/] {_t('rebuild.anew', count=done.anew)}")
    if done.evidence_anew:
        console.print(f"  [yellow]![/] {_t('rebuild.evidence_anew', count=done.evidence_anew)}")
    if done.unreadable:
        console.print(f"  [red]✗[/] {_t('rebuild.unreadable', count=done.unreadable)}")
    if done.evidence_lost:
        console.print(f"  [red]✗[/] {_t('rebuild.evidence_lost', count=done.evidence_lost)}")
    for key in done.unknown:
        console.print(f"  [red]✗[/] {escape(_t('rebuild.unknown', key=key))}")
