"""The format of a file against what its manifest declares and what its agreement takes; codes 204, 205 and 307 of the replies."""

from __future__ import annotations

from collections.abc import Iterator

from archive.ingest.formats import Found
from archive.ingest.models import ArchiveAgreement
from archive.ingest.wording import problem
from core.problems import Problem, Severity
from schemas.seda.reader import ManifestObject


def check_format(item: ManifestObject, found: Found, agreement: ArchiveAgreement | None) -> Iterator[Problem]:
    """Yield what is wrong with the format of a file.

    A format that no signature tells is not held against the file, unless its agreement takes some formats only: there the
    declared one counts, with a remark.
    """
    place = item.uri
    if found.encrypted:
        yield problem("204", "format.encrypted", path=place, line=item.line)
    if found.broken:
        yield problem("204", "format.broken", Severity.WARNING, path=place, line=item.line)
    if item.puid and found.puids and item.puid not in found.puids:
        strict = agreement is not None and agreement.declared_formats
        severity = Severity.ERROR if strict else Severity.WARNING
        yield problem("205", "format.differs", severity, path=place, line=item.line, found=_told(found), expected=item.puid)
    if agreement is None or not agreement.formats:
        return
    taken = set(agreement.formats)
    expected = ", ".join(agreement.formats)[:200]
    if not found.puids and item.puid in taken:
        yield problem("205", "format.unseen", Severity.WARNING, path=place, line=item.line, expected=item.puid)
    elif not found.puids:
        yield problem("204", "format.unknown", path=place, line=item.line, found=item.puid, expected=expected)
    elif not taken.intersection(found.puids):
        yield problem("307", "format.not_taken", path=place, line=item.line, found=_told(found), expected=expected)


def _told(found: Found) -> str:
    return ", ".join(found.puids)
