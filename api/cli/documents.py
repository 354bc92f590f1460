"""``check`` and ``verify``: files, without a platform."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from cryptography import x509
from rich.markup import escape

from api.cli.output import MISUSE, NO, console, errors, json_line
from archive.examination import SIP, is_transfer
from archive.examination import examine as examine_transfer
from core import clock
from core.errors import Misconfigured, UnreadableInput, UsageError
from core.messages import Catalogue
from core.problems import Problem, Report, Severity, Verdict
from core.settings import load_settings
from schemas.invoices.installation import import_rules, rules_in
from schemas.pes.versions import SchemaSets, import_set
from signing.algorithms import CERTIFICATE_FLAWS
from signing.examination import KINDS, Rules, examine
from signing.report.content import Section, Tone, plain, section_of, tone_of, verdict_in_words
from signing.report.facts import Report as VerificationReport
from signing.report.writing import form_of, write
from signing.trust import TrustStore
from signing.trusted_lists.installing import install
from signing.verdicts import Belief, FileVerdict
from signing.verification import verify as verify_file

_t = Catalogue("api.cli")
_KINDS = (*KINDS, SIP)
_COLOURS = {Verdict.ACCEPTED: "green", Verdict.ACCEPTED_WITH_WARNINGS: "yellow", Verdict.REJECTED: "red"}
_TONES = {Tone.PLAIN: "default", Tone.GOOD: "green", Tone.DOUBT: "yellow", Tone.BAD: "red"}


def check(files: list[Path], *, kind: str | None, trust: Path | None, at: date | None, as_json: bool) -> int:
    """Check each file and print its report; return 0 when all are accepted, 1 when one is not, 2 when one cannot be read.

    Raises:
        UsageError: the kind is not one that is checked; a trust folder that is none.
    """
    if kind is not None and kind not in _KINDS:
        raise UsageError(_t("check.kind", found=kind, known=", ".join(_KINDS)))
    settings = load_settings()
    installed = settings.schemas_dir
    rules = Rules(SchemaSets(installed), _store(trust, settings.trust_dir), _moment(at), settings.upload_limit, installed)
    status = 0
    for file in files:
        try:
            _readable(file)
            report = _examined(file, rules, kind)
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


def verify(
    files: list[Path], *, detached: Path | None, trust: Path | None, at: date | None, report: Path | None, as_json: bool
) -> int:
    """Verify each file and print its verdict; return 0 when all are valid, 1 when one is not, 2 when one cannot be read.

    Args:
        files: to be verified.
        detached: the data that they are over, when they are detached signatures or timestamps.
        trust: folder of those who are believed; the platform's by default.
        at: the day for which they are verified; today by default.
        report: where the report is written, for one file only.
        as_json: print JSON Lines.

    Raises:
        UsageError: a report on several files, or of a form that is not known; a trust folder that is none.
    """
    if report is not None:
        form_of(report)
        if len(files) > 1:
            raise UsageError(_t("verify.one_report"))
    if detached is not None:
        _readable(detached)
    store = _store(trust, load_settings().trust_dir)
    status = 0
    for file in files:
        try:
            _readable(file)
            verdict = _verified(file, detached=detached, trust=store, at=_moment(at), report=report)
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
    """Install an official set, or the rules of invoices, and say which versions it held.

    Raises:
        UsageError: no folder of schemas is configured, or the source holds no set.
        Unavailable: the process that applies rules of invoices does not answer.
    """
    folder = load_settings().schemas_dir
    if folder is None:
        raise UsageError(_t("schemas.nowhere"))
    if (rules := rules_in(source)) is not None:
        console.print(_t("schemas.rules", file=import_rules(rules, folder)))
        return
    versions = import_set(source, folder)
    console.print(_t("schemas.installed", versions=", ".join(versions), folder=folder))


def install_list(source: Path, signers: list[Path]) -> None:
    """Install a trusted list, and say which it is and what the operator should know of it.

    Raises:
        UsageError: no trust folder is configured, or a signer is no certificate.
        ListRefused, ListUnreadable, ListOlder: the list is not taken; the one before stays.
        Misconfigured: the folder cannot be written to.
    """
    folder = load_settings().trust_dir
    if folder is None:
        raise UsageError(_t("trust.nowhere"))
    believed = [_certificate(path) for path in signers]
    try:
        installed = install(source, folder, believed)
    except OSError as error:
        where = error.filename or folder
        raise Misconfigured(_t("trust.unwritable", where=where, reason=error.strerror or type(error).__name__)) from error
    found = installed.kept.list
    until = _t("trust.never") if found.next_update is None else f"{found.next_update:%d/%m/%Y}"
    told = {"territory": found.territory, "sequence": found.sequence, "services": len(found.services), "date": until}
    console.print(_t("trust.installed", **told))
    for note in installed.notes:
        console.print(escape(note))


def _certificate(path: Path) -> x509.Certificate:
    try:
        data = path.read_bytes()
        return x509.load_pem_x509_certificate(data) if data.startswith(b"-----") else x509.load_der_x509_certificate(data)
    except (OSError, *CERTIFICATE_FLAWS) as error:
        raise UsageError(_t("trust.signer_unreadable", file=path.name)) from error


def _examined(file: Path, rules: Rules, kind: str | None) -> Report:
    if kind == SIP or (kind is None and is_transfer(file)):
        return examine_transfer(file, schemas=rules.installed, day=rules.day)
    return examine(file, rules, kind)


def _readable(file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise UnreadableInput(_t("file.unreadable", reason=error.strerror or type(error).__name__)) from error


def _require_kind(file: Path, report: Report, kind: str | None) -> None:
    if kind is not None and report.kind not in {kind, "unknown"}:
        raise UsageError(_t("check.other_kind", file=file.name, found=report.kind, expected=kind))


def _store(asked: Path | None, configured: Path | None) -> TrustStore | None:
    """Return who is believed; a folder that was named on the command line and cannot be read is wrong use, not a fault."""
    if asked is None:
        return TrustStore.from_folder(configured) if configured else None
    try:
        return TrustStore.from_folder(asked)
    except Misconfigured as error:
        raise UsageError(str(error)) from error


def _moment(day: date | None) -> datetime | None:
    """Return the end of a day in metropolitan France: what was signed on it was signed by then. None, which is now, for today."""
    if day is None or day == clock.in_paris(clock.now()).date():
        return None
    return clock.as_utc(datetime.combine(day, time(23, 59, 59), clock.PARIS))


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


def _verified(
    file: Path, *, detached: Path | None, trust: TrustStore | None, at: datetime | None, report: Path | None
) -> FileVerdict:
    if report is None:
        return verify_file(file, detached=detached, trust=trust, at=at)
    made = VerificationReport.of(file, detached=detached, trust=trust, at=at)
    write(made, report)
    return made.verdict


def _tell_signatures(file: Path, verdict: FileVerdict) -> None:
    colour = _TONES[tone_of(verdict.verdict)]
    console.print(f"[bold]{escape(plain(str(file)))}[/] · [{colour}]{escape(verdict_in_words(verdict.verdict))}[/]")
    for reason in verdict.reasons:
        console.print(f"  {escape(plain(reason))}")
    for rank, signature in enumerate(verdict.signatures, 1):
        _tell_section(section_of(signature, rank, len(verdict.signatures)))


def _tell_section(section: Section) -> None:
    console.print(f"  [bold]{escape(section.title)}[/]")
    width = max(len(row.label) for row in section.rows)
    for row in section.rows:
        for rank, line in enumerate(row.lines):
            label = "" if rank else row.label
            console.print(f"    [dim]{label:{width}}[/]  [{_TONES[row.tone]}]{escape(line)}[/]")
