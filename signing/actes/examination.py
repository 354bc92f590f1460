"""Everything that can be said of an archive of ACTES without a platform: its own rules, then those on each of its files."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from core.problems import Problem, Report
from schemas.actes.archived import ArchivedMessage, examine_archive
from schemas.actes.codes import BUDGET_MATIERE, BUDGET_NATURE
from schemas.actes.contents import future_problems
from schemas.actes.messages import Acte, Message
from signing.actes.pieces import piece_problems
from signing.trust import TrustStore

_CONTRACTS, _PROCUREMENT = 4, (1, 1)


def examine(path: Path, *, trust: TrustStore | None, today: date, at: datetime | None = None) -> Report:
    """Examine an archive, the files in it included.

    Args:
        path: the archive.
        trust: who is believed; None means that authorities are not judged.
        today: after which nothing was decided yet.
        at: the moment for which signatures are judged; now when None.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        archive, report = examine_archive(path, folder=Path(folder))
        if archive is not None:
            misnamed = {problem.path for problem in report.problems if problem.rule == "R23"}
            for message in archive.messages:
                report.problems += future_problems(message.message, today)
                report.problems += _of_files(message, trust, at, misnamed)
    return report


def _of_files(
    message: ArchivedMessage, trust: TrustStore | None, at: datetime | None, misnamed: set[str | None]
) -> Iterator[Problem]:
    """Yield what is wrong with a message and its files, but those that are not what their names say."""
    over_it = _written(message.signature, message.path)
    yield from piece_problems(message.path, message.name, signature=over_it, trust=trust, at=at)
    signatures = {file.name: file.signature for file in message.message.files}
    budget = _budget(message.message)
    for file in message.documents:
        if file.name not in misnamed:
            yield from piece_problems(
                file.path,
                file.name,
                budget=file.name == budget,
                signature=_written(signatures.get(file.name), file.path),
                trust=trust,
                at=at,
                signer_must_be_known=not _is_tendered(message),
            )


def _written(signature: str | None, document: Path) -> Path | None:
    """Write the detached signature of a document beside it; what is no base 64 as it is, for its verifier to refuse."""
    if not signature:
        return None
    path = document.with_name(f"{document.name}.p7s")
    try:
        path.write_bytes(base64.b64decode("".join(signature.split()), validate=True))
    except (binascii.Error, ValueError):
        path.write_text(signature, encoding="utf-8")
    return path


def _budget(message: Message) -> str | None:
    """Return the name of the main document of a message when it is a budget in XML."""
    if not isinstance(message, Acte) or message.nature != BUDGET_NATURE or message.matieres[:2] != BUDGET_MATIERE:
        return None
    main = message.document
    return main.name if main is not None and main.name.casefold().endswith(".xml") else None


def _is_tendered(message: ArchivedMessage) -> bool:
    act = message.message
    return isinstance(act, Acte) and act.nature == _CONTRACTS and act.matieres[:2] == _PROCUREMENT
