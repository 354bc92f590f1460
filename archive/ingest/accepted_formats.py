"""The format of a file against what its manifest declares and what its agreement takes; codes 204, 205 and 307 of the replies."""

from __future__ import annotations

from collections.abc import Iterator

from archive.ingest.agreements import Pdfa
from archive.ingest.formats import Found
from archive.ingest.models import ArchiveAgreement
from archive.ingest.pdfa import Checked
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


def check_pdfa(
    item: ManifestObject, found: Found, checked: Checked | None, agreement: ArchiveAgreement | None
) -> Iterator[Problem]:
    """Yield what is wrong with a PDF as PDF/A; warnings only, unless its agreement asks for it.

    Args:
        item: as the manifest declares it.
        found: what was found in it.
        checked: what the operator's checker found; None when there is no checker.
        agreement: None when the transfer names none.
    """
    asked = Pdfa(agreement.pdfa) if agreement else Pdfa.ANY
    if asked and found.pdf and not found.pdfa:
        yield problem("307", "pdfa.none", path=item.uri, line=item.line, expected="PDF/A")
    if not found.pdfa:
        return
    if checked is None:
        if asked is Pdfa.VERIFIED:
            yield problem("204", "pdfa.nobody", Severity.WARNING, path=item.uri, line=item.line, found=found.claim)
    elif checked.conforms is None:
        yield problem("204", "pdfa.unknown", Severity.WARNING, path=item.uri, line=item.line, found=found.claim)
    elif not checked.conforms:
        severity = Severity.ERROR if asked is Pdfa.VERIFIED else Severity.WARNING
        broken = " ; ".join(checked.broken)
        yield problem("205", "pdfa.broken", severity, path=item.uri, line=item.line, found=broken, expected=found.claim)


def _told(found: Found) -> str:
    return ", ".join(found.puids)
