"""What flows have in common before they open a file: an antivirus has looked at it, where the operator set one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from connectors.antivirus.client import Infected, scan
from connectors.antivirus.settings import Scanner
from core.messages import Catalogue
from core.platform import Platform
from core.problems import Problem, Severity

_messages = Catalogue("flows.engine")


def scanner_of(platform: Platform) -> Scanner | None:
    """Return the antivirus that the operator set (``TABELLION_ANTIVIRUS``); None without one.

    Raises:
        Misconfigured: its address cannot be read.
    """
    address = platform.settings.antivirus
    return Scanner.of(address) if address else None


def infection_of(platform: Platform, path: Path) -> Infected | None:
    """Return what the antivirus found in a file; None when it found nothing, or when there is no antivirus.

    Raises:
        Unavailable: it does not answer: no file passes meanwhile.
        NeedsOperator: the file is beyond its limits.
    """
    scanner = scanner_of(platform)
    if scanner is None:
        return None
    with path.open("rb") as stream:
        return scan(scanner, stream)


def infected(platform: Platform, rule: str, files: Iterable[tuple[str, Path]]) -> list[Problem]:
    """Return a problem for each file in which the antivirus found something.

    Args:
        platform: whose antivirus.
        rule: by which number the flow's own document knows the matter.
        files: each under the name by which people know it.

    Raises:
        Unavailable, NeedsOperator: as ``infection_of``.
    """
    found = ((name, infection_of(platform, path)) for name, path in files)
    return [_problem(rule, name, one.signature) for name, one in found if one is not None]


def _problem(rule: str, name: str, signature: str) -> Problem:
    return Problem(
        rule,
        Severity.ERROR,
        _messages("antivirus.message", name=name, signature=signature),
        path=name,
        found=signature,
        expected=_messages("antivirus.expected"),
        mend=_messages("antivirus.mend"),
    )
