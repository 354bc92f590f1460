"""``archive index``: records that the search does not know yet are indexed from their packages."""

from __future__ import annotations

from api.cli.output import console
from api.cli.platform import at_work, operators_platform
from archive.finding import index
from core.messages import Catalogue
from core.principal import PLATFORM

_t = Catalogue("api.cli")
_TOLD_EVERY = 1000


def fill(*, anew: bool) -> None:
    """Index what is not indexed; everything, when it is to be done anew.

    Raises:
        ObjectMissing, ObjectAltered: no place holds a package whole; those before it are indexed.
        Unavailable: no place that answers holds it whole.
    """
    platform = at_work(operators_platform())
    if anew:
        with platform.database.writing(PLATFORM) as session:
            index.clear(session)

    def told(done: int, missing: int) -> None:
        if done % _TOLD_EVERY == 0:
            console.print(f"  {_t('index.progress', done=done, total=missing)}")

    console.print(f"  [green]✓[/] {_t('index.done', count=index.rebuild(platform, told))}")
