"""``archive audit``: look at what is kept, now: a portion, as on any day, or all of it; what is wrong becomes an incident."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape

from api.cli.output import NO, console, errors, json_line
from api.cli.platform import at_work, operators_platform
from archive.watch import audits
from archive.watch.audits import AuditKind, Duty
from archive.watch.incidents import words_of
from archive.watch.looking import Trouble, place_named
from archive.watch.models import AuditRun
from core.errors import Misconfigured, Unavailable, UsageError
from core.messages import Catalogue
from core.platform import Platform

_t = Catalogue("api.cli")
_watch = Catalogue("archive.watch")


def audit(*, place: str | None, kinds: Sequence[str], whole: bool, as_json: bool) -> int:
    """Audit; return 0 when nothing is wrong, 1 otherwise. A place that is silent does not keep the others from being audited.

    Args:
        place: the only place to look at; None for all of them, and for the journal, which is in none.
        kinds: of audit; all of them when there are none.
        whole: look at everything, where otherwise it is what was looked at least recently.
        as_json: print JSON Lines: one for each thing that is wrong, one for each audit.

    Raises:
        UsageError: there is no such place, or no such kind.
    """
    unknown = sorted(set(kinds) - set(AuditKind))
    if unknown:
        raise UsageError(_t("audit.kind.unknown", found=unknown[0][:40], known=", ".join(AuditKind)))
    platform = at_work(operators_platform())
    if place is not None:
        place_named(platform, place)
    wrong = 0
    for duty in audits.duties(platform, [AuditKind(kind) for kind in kinds] or list(AuditKind), place):
        run, troubles = _carried_out(platform, duty, whole=whole)
        for trouble in troubles:
            _tell(duty, trouble, as_json=as_json)
        _conclude(duty, run, len(troubles), as_json=as_json)
        wrong += len(troubles)
    if not as_json:
        console.print(f"[bold red]{_t('audit.wrong', count=wrong)}[/]" if wrong else f"[bold green]{_t('audit.right')}[/]")
    return NO if wrong else 0


def _carried_out(platform: Platform, duty: Duty, *, whole: bool) -> tuple[AuditRun | None, Sequence[Trouble]]:
    try:
        return audits.whole(platform, duty, _progress) if whole else audits.sample(platform, duty)
    except (Unavailable, Misconfigured) as error:
        errors.print(f"  [red]✗[/] {escape(_t('audit.line', what=_named(duty), where=error))}")
        return None, [audits.silent(platform, duty)]


def _progress(duty: Duty, run: AuditRun) -> None:
    if errors.is_terminal:
        errors.print(_t("audit.progress", audit=_named(duty), looked=run.looked, total=max(run.total, run.looked)), end="\r")


def _named(duty: Duty) -> str:
    name = _watch(f"audit.{duty.kind.value}")
    return f"{name} ({duty.place})" if duty.place else name


def _tell(duty: Duty, trouble: Trouble, *, as_json: bool) -> None:
    if as_json:
        told = {"place": trouble.place, "subject": trouble.subject, "facts": trouble.facts}
        json_line({"audit": duty.kind.value, "wrong": trouble.kind.value, **told})
        return
    where = f"{trouble.place} {trouble.subject}".strip()
    facts = " ".join(f"{name}={value}" for name, value in trouble.facts.items() if value is not None)
    line = _t("audit.line", what=words_of(trouble.kind).name, where=where)
    console.print(f"  [red]✗[/] {escape(line)} [dim]{escape(facts)}[/]")


def _conclude(duty: Duty, run: AuditRun | None, wrong: int, *, as_json: bool) -> None:
    if as_json:
        counted = {"looked": run.looked, "bytes": run.size} if run else {"looked": 0, "bytes": 0}
        json_line({"audit": duty.kind.value, "place": duty.place, **counted, "wrong": wrong, "ended": _is_whole(run)})
    elif run is not None:
        mark = "[red]✗[/]" if wrong else "[green]✓[/]"
        console.print(f"  {mark} {escape(_t('audit.done', audit=_named(duty), looked=run.looked, wrong=wrong))}")


def _is_whole(run: AuditRun | None) -> bool:
    return run is not None and run.ended is not None
