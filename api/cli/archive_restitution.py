"""``archive restitution``: a whole fonds in a folder, readable by anybody; stopped, it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from api.cli.output import NO, console, json_line
from api.cli.platform import at_work, operators_platform
from archive.finding.fonds import Progress
from archive.finding.restitution import restitute
from core.messages import Catalogue
from core.organisations import organisation_of
from core.principal import PLATFORM

_t = Catalogue("api.cli")
_TOLD_EVERY = 100


def restitution(number: str, output: Path, *, as_json: bool) -> int:
    """Write the fonds of an organisation, by SIREN or SIRET; return 0 when all of it is there with its proof, 1 otherwise.

    Raises:
        NotFound: no such organisation here.
        ObjectAltered: the folder did not keep a package as it was given.
        Unavailable: no place that answers holds a package whole.
    """
    platform = at_work(operators_platform())
    with platform.database.reading(PLATFORM) as session:
        organisation = organisation_of(session, number)

    def told(progress: Progress) -> bool:
        if not as_json and progress.done % _TOLD_EVERY == 0:
            console.print(f"  {_t('restitution.progress', done=progress.done, total=progress.total)}")
        return True

    done = restitute(platform, organisation, output, actor="platform", told=told)
    if as_json:
        json_line({name: getattr(done, name) for name in Progress.__slots__})
    else:
        console.print(f"  [green]✓[/] {escape(_t('restitution.done', count=done.done, folder=output))}")
        if done.eliminated:
            console.print(f"  {_t('restitution.eliminated', count=done.eliminated)}")
        if done.waiting:
            console.print(f"  [yellow]![/] {_t('restitution.waiting', count=done.waiting)}")
        if done.lost:
            console.print(f"  [red]✗[/] {escape(_t.counted('restitution.lost', done.lost, count=done.lost))}")
    return NO if done.waiting or done.lost else 0
