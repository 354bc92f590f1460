"""``archive prove`` and ``archive verify``: evidence, written by the platform, read by anyone."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from api.cli.output import NO, console, json_line
from api.cli.platform import operators_platform
from archive.proof.proving import write_evidence
from archive.proof.verification import EvidenceVerdict, verify_evidence
from core.errors import UnreadableInput
from core.messages import Catalogue
from core.principal import PLATFORM
from signing.trust import TrustStore

_t = Catalogue("api.cli")
_MARKS = {"ok": "[green]✓[/]", "failed": "[red]✗[/]", "unknown": "[yellow]?[/]"}


def prove(record: str, output: Path) -> None:
    """Write the evidence of a record.

    Raises:
        NotFound: no such record.
        Unavailable: no timestamped head of the journal covers it yet.
    """
    write_evidence(operators_platform(), PLATFORM, record, output)
    console.print(_t("archive.written", file=output))


def verify(file: Path, *, trust: Path | None, as_json: bool) -> int:
    """Verify evidence offline; return 0 when all of it holds, 1 otherwise.

    Without trusted authorities the answer is never 0: anyone can run a timestamping authority.

    Raises:
        UnreadableInput: the file cannot be opened.
    """
    if not file.is_file():
        raise UnreadableInput(_t("file.unreadable", reason=file))
    report = verify_evidence(file, trust=TrustStore.from_folder(trust) if trust else None)
    if as_json:
        json_line({"file": str(file), **report.as_json()})
    else:
        for check in report.checks:
            console.print(f"  {_MARKS[check.state.value]} {escape(check.message)}")
        console.print(f"[bold]{_t('belief.' + report.verdict.value)}[/]")
    return 0 if report.verdict is EvidenceVerdict.VALID else NO
