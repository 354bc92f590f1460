"""Everything that can be said of a PES file without a platform: the rules on the document, then those on its signatures.

One tree serves both. The rules on the document are in ``schemas.pes.rules``, those on signatures in ``signing.pes.rules``.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from core.problems import Report
from schemas.pes.reader import PesDocument
from schemas.pes.rules import DEFAULT_LIMIT
from schemas.pes.rules import examine as examine_document
from schemas.pes.versions import SchemaSets
from signing.pes.bulk import Bulk
from signing.pes.rules import DEFAULT_RULES, SignatureRules, check_signatures
from signing.trust import TrustStore


def examine(
    path: Path,
    *,
    schemas: SchemaSets,
    trust: TrustStore | None,
    at: datetime | None = None,
    limit: int = DEFAULT_LIMIT,
    rules: SignatureRules = DEFAULT_RULES,
) -> tuple[PesDocument | None, Report]:
    """Examine a PES file, signatures included.

    Args:
        path: the file.
        schemas: the installed schemas.
        trust: who is believed; None means that authorities are not judged.
        at: the moment of the check, now by default.
        limit: the largest file taken, bytes.
        rules: what is decided about the rules on signatures.

    Returns:
        The document, None when it cannot be read at all, and the report: problems sorted by line.
    """
    document, report = examine_document(path, schemas=schemas, limit=limit)
    if document is not None:
        report.problems += check_signatures(document.tree, bulk=Bulk.of(path), trust=trust, at=at, rules=rules)
        report.problems.sort(key=lambda problem: (problem.line or 0, problem.rule))
    return document, report
