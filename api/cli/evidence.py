"""``archive prove`` and ``archive verify``: evidence, written by the platform, read by anyone.

Three kinds of files are verified, each recognised by itself: the evidence of a record, a proof of consistency between two heads
of the journal, an evidence record of RFC 4998, whose package is given beside it.
"""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from api.cli.output import NO, console, json_line
from api.cli.platform import at_work, operators_platform
from archive.proof.consistency import is_consistency, verify_consistency
from archive.proof.ers.verification import is_evidence_record, verify_with_package
from archive.proof.proving import write_evidence
from archive.proof.verification import EvidenceReport, EvidenceVerdict, verify_evidence
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from core.principal import PLATFORM
from signing.trust import TrustStore

_t = Catalogue("api.cli")
_MARKS = {"ok": "[green]✓[/]", "failed": "[red]✗[/]", "unknown": "[yellow]?[/]"}


def prove(record: str, output: Path, algorithm: str | None) -> None:
    """Write the evidence of a record, with its newest digest or that of a hash.

    Raises:
        NotFound: no such record.
        Unavailable: no timestamped head of the journal covers it yet.
    """
    write_evidence(at_work(operators_platform()), PLATFORM, record, output, algorithm)
    console.print(_t("archive.written", file=output))


def verify(file: Path, *, package: Path | None, trust: Path | None, as_json: bool) -> int:
    """Verify evidence offline; return 0 when all of it holds, 1 otherwise.

    Without trusted authorities the answer is never 0: anyone can run a timestamping authority.

    Raises:
        UnreadableInput: a file cannot be opened.
        UsageError: an evidence record without its package.
    """
    for one in (file, package):
        if one is not None and not one.is_file():
            raise UnreadableInput(_t("file.unreadable", reason=one))
    report = _verified(file, package, TrustStore.from_folder(trust) if trust else None)
    if as_json:
        json_line({"file": str(file), **report.as_json()})
    else:
        for check in report.checks:
            console.print(f"  {_MARKS[check.state.value]} {escape(check.message)}")
        console.print(f"[bold]{_t('belief.' + report.verdict.value)}[/]")
    return 0 if report.verdict is EvidenceVerdict.VALID else NO


def _verified(file: Path, package: Path | None, trust: TrustStore | None) -> EvidenceReport:
    if is_evidence_record(file):
        if package is None:
            raise UsageError(_t("archive.package.absent"))
        return verify_with_package(file, package, trust=trust)
    return verify_consistency(file, trust=trust) if is_consistency(file) else verify_evidence(file, trust=trust)
