"""The stages of the generic document: its check. The parapheur's own stage and the archiving are in their rooms."""

from __future__ import annotations

from core.errors import Refused
from core.problems import Problem, Severity
from flows.document import archiving
from flows.engine.table import stage
from flows.engine.work import Advance, KeptFile, Work
from signing.examination import pdf_problems
from signing.trust import trust_store

_PDF = "application/pdf"
_FROM_OUTSIDE = {"document", "annex"}


@stage("cpu", "accepted", "refused")
def check(work: Work) -> Advance:
    """Open every PDF as a viewer would, and look at its signatures: what nobody can read, or was changed, nobody has to sign."""
    problems = [
        problem
        for kept in work.files
        if kept.role in _FROM_OUTSIDE and kept.media_type == _PDF
        for problem in _problems(work, kept)
    ]
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise Refused(problems)
    return Advance("accepted", facts={"warnings": [problem.as_json() for problem in problems]})


def _problems(work: Work, kept: KeptFile) -> list[Problem]:
    path = work.folder / kept.sha256
    if not path.exists():
        work.platform.objects.fetch(kept.sha256, path)
    return pdf_problems(path, kept.name, trust=trust_store(work.platform.settings.trust_dir))


@stage("archive", "sealed")
def archive(work: Work) -> Advance:
    """Build the package of the document, put it under lock, and write the record with the dossier's last state."""
    return archiving.seal(work)
