"""``check`` and ``verify``: files, without a platform."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from rich.markup import escape

from api.cli.output import MISUSE, NO, console, errors, json_line
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from core.problems import Problem, Report, Severity, Verdict
from core.settings import load_settings
from schemas.pes.header import read_header
from schemas.pes.versions import SchemaSets, import_set
from signing.pes.examination import examine
from signing.pes.verifier import verify as verify_pes
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict

_t = Catalogue("api.cli")
KINDS = ("pes-aller", "pes-acquit", "pes-retour", "pes-acquit-retour")
_COLOURS = {Verdict.ACCEPTED: "green", Verdict.ACCEPTED_WITH_WARNINGS: "yellow", Verdict.REJECTED: "red"}
_BELIEFS = {"valid": "green", "invalid": "red", "indeterminate": "yellow", "unsigned": "yellow"}


def check(files: list[Path], *, kind: str | None, trust: Path | None, at: date | None, as_json: bool) -> int:
    """Check each file and print its report; return 0 when all are accepted, 1 when one is not, 2 when one cannot be read.

    Raises:
        UsageError: the kind is not one that is checked.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(_t("check.kind", found=kind, known=", ".join(KINDS)))
    settings = load_settings()
    sets, store = SchemaSets(settings.schemas_dir), _store(trust or settings.trust_dir)
    status = 0
    for file in files:
        try:
            _readable(file)
            _, report = examine(file, schemas=sets, trust=store, at=_moment(at), limit=settings.upload_limit)
            _require_kind(file, report, kind)
        except UsageError as error:
            errors.print(f"[red]✗[/] {escape(str(file))}: {escape(str(error))}")
            status = MISUSE
            continue
        if report.verdict is Verdict.REJECTED:
            status = max(status, NO)
        if as_json:
            json_line({"file": str(file), **report.as_json()})
        else:
            _tell(file, report)
    return status


def verify(files: list[Path], *, detached: Path | None, trust: Path | None, at: date | None, as_json: bool) -> int:
    """Verify each file and print its verdict; return 0 when all are valid, 1 when one is not, 2 when one cannot be read.

    Raises:
        UsageError: a detached signature, which no kind known here has.
    """
    if detached is not None:
        raise UsageError(_t("verify.no_detached"))
    store = _store(trust or load_settings().trust_dir)
    status = 0
    for file in files:
        try:
            _readable(file)
            if read_header(file).kind not in KINDS:
                raise UnreadableInput(_t("verify.kind", known=", ".join(KINDS)))
            verdict = verify_pes(file, trust=store, at=_moment(at))
        except UsageError as error:
            errors.print(f"[red]✗[/] {escape(str(file))}: {escape(str(error))}")
            status = MISUSE
            continue
        if verdict.verdict is not Belief.VALID:
            status = max(status, NO)
        if as_json:
            json_line({"file": str(file), **verdict.as_json()})
        else:
            _tell_signatures(file, verdict)
    return status


def import_schemas(source: Path) -> None:
    """Install an official set, and say which versions it held.

    Raises:
        UsageError: no folder of schemas is configured, or the source holds no set.
    """
    folder = load_settings().schemas_dir
    if folder is None:
        raise UsageError(_t("schemas.nowhere"))
    versions = import_set(source, folder)
    console.print(_t("schemas.installed", versions=", ".join(versions), folder=folder))


def _readable(file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise UnreadableInput(_t("file.unreadable", reason=error.strerror or type(error).__name__)) from error


def _require_kind(file: Path, report: Report, kind: str | None) -> None:
    if kind is not None and report.kind not in {kind, "unknown"}:
        raise UsageError(_t("check.other_kind", file=file.name, found=report.kind, expected=kind))


def _store(folder: Path | None) -> TrustStore | None:
    return TrustStore.from_folder(folder) if folder else None


def _moment(day: date | None) -> datetime | None:
    return datetime.combine(day, time(12), UTC) if day else None


def _tell(file: Path, report: Report) -> None:
    verdict = report.verdict
    console.print(f"[bold]{escape(str(file))}[/] · {report.kind} · [{_COLOURS[verdict]}]{_t(f'verdict.{verdict.value}')}[/]")
    for problem in report.problems:
        _tell_problem(problem)


def _tell_problem(problem: Problem) -> None:
    colour = "red" if problem.severity is Severity.ERROR else "yellow"
    place = f" {_t('problem.line', line=problem.line)}" if problem.line else ""
    console.print(f"  [{colour}]{problem.rule}[/]{place} {escape(problem.message)}")
    details: dict[str, Any] = {"path": problem.path, "found": problem.found, "expected": problem.expected, "mend": problem.mend}
    for name, value in details.items():
        if value:
            console.print(f"      [dim]{_t(f'problem.{name}')}[/] {escape(str(value))}")


def _tell_signatures(file: Path, verdict: FileVerdict) -> None:
    colour = _BELIEFS[verdict.verdict.value]
    console.print(f"[bold]{escape(str(file))}[/] · [{colour}]{_t(f'belief.{verdict.verdict.value}')}[/]")
    for reason in verdict.reasons:
        console.print(f"  {escape(reason)}")
    for signature in verdict.signatures:
        words = _t("belief." + signature.verdict.value)
        console.print(f"  {escape(signature.signer or '?')} · {escape(signature.covers)} · {words}")
        for reason in signature.reasons:
            console.print(f"      {escape(reason)}")
