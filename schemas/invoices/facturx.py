"""The invoice that a PDF carries, and how it carries it: what Factur-X 1.0 and PDF/A-3 ask of the packaging.

Whether the pages are PDF/A is declared by the file, and not verified here: fonts and colours are not looked at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import sandbox
from core.problems import Problem, Severity
from schemas.invoices.pieces import EXECUTABLE, sniffed
from schemas.invoices.stylesheets import Profile
from schemas.invoices.syntax import INVOICE, kind_of_root
from schemas.invoices.wording import PACKAGING, problem
from schemas.xml import DoctypeRefused, root_of_file

NAMES = ("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml")
"""What the embedded invoice may be called, in any case."""

LARGEST_XML = 10 << 20
"""Octets that the embedded invoice may have."""

_MEMORY = 512 << 20
_SECONDS = 60.0
_HEAD = 2048
_PDFA_3 = "3"
_CONFORMANCES = {"A", "B", "U"}
_INVOICE, _VERSION = "INVOICE", "1.0"
_XML = {"text/xml", "application/xml"}
_RELATIONSHIPS = {"Data", "Alternative", "Source"}
_PROGRAMS = frozenset(
    (
        *(".apk", ".app", ".bat", ".cmd", ".com", ".cpl", ".dll", ".exe", ".hta", ".jar", ".js", ".jse", ".lnk", ".msc", ".msi"),
        *(".ps1", ".reg", ".scr", ".sh", ".vbe", ".vbs", ".wsf"),
    )
)


class Embedded(BaseModel):
    """A file that a PDF carries.

    Attributes:
        name: as the PDF calls it.
        relationship: to the PDF (``/AFRelationship``), without its slash; empty when it says none.
        declared: media type that the PDF gives it.
        stored: name of the file in the folder, when there is no flaw.
        size: octets.
        listed: in the name tree of embedded files; ``associated``: in the catalogue's ``/AF``.
        flaw: why it could not be taken out.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(max_length=300)
    relationship: str = Field(max_length=300)
    declared: str = Field(max_length=300)
    stored: str = Field(pattern=r"^\d{4}\.octets$")
    size: int = Field(ge=0)
    listed: bool
    associated: bool
    flaw: Literal["missing", "unreadable", "large"] | None = None


class Metadata(BaseModel):
    """What the XMP says; empty where it says nothing."""

    model_config = ConfigDict(frozen=True)

    part: str = Field("", max_length=300)
    conformance: str = Field("", max_length=300)
    level: str = Field("", max_length=300)
    file_name: str = Field("", max_length=300)
    document_type: str = Field("", max_length=300)
    version: str = Field("", max_length=300)


class Pdf(BaseModel):
    """What a PDF carries.

    Attributes:
        problem: why it cannot be looked into; None when it can.
        files: in the order of the PDF.
        xmp: None when there is none that can be read.
        active: what it would do by itself: ``script``, ``program``, ``media``; ``large`` when not all of it was looked at.
        encrypted: it is, and opens without a password.
        repaired: it is damaged, and was read all the same.
    """

    model_config = ConfigDict(frozen=True)

    problem: Literal["not_pdf", "password", "unreadable", "broken"] | None = None
    files: tuple[Embedded, ...] = ()
    xmp: Metadata | None = None
    active: tuple[Literal["script", "program", "media", "large"], ...] = ()
    encrypted: bool = False
    repaired: bool = False


def look(path: Path, folder: Path) -> Pdf:
    """Return what a PDF carries, looked into in the sandbox.

    Args:
        path: the PDF.
        folder: empty; the PDF goes there as ``document``, its files beside it.

    Raises:
        Unavailable: too many wait for the sandbox.
    """
    document = folder / "document"
    shutil.copyfile(path, document)
    try:
        asked: sandbox.JsonValue = {"name": document.name}
        found = sandbox.call("schemas.invoices.pdf_reading:look", asked, folder=folder, memory=_MEMORY, seconds=_SECONDS)
        return Pdf.model_validate(found)
    except (sandbox.SandboxError, ValidationError):
        return Pdf(problem="broken")


def invoices_in(pdf: Pdf, folder: Path) -> list[Embedded]:
    """Return the files of a PDF that are invoices by their name or by their root element, those with the right name first."""
    found = [file for file in pdf.files if file.name.lower() in NAMES or _is_invoice(file, folder)]
    return sorted(found, key=lambda file: file.name.lower() not in NAMES)


def octets_of(file: Embedded, folder: Path) -> Path | None:
    """Return where the content of a file is; None when it is not there: a child that was taken over may leave anything."""
    path = folder / file.stored
    return path if file.flaw is None and not path.is_symlink() and path.is_file() else None


def hostile(pdf: Pdf, folder: Path) -> list[str]:
    """Return why a PDF must be kept away from people: ``script``, ``program``, ``large`` (not all was seen), ``executable``."""
    marks = [mark for mark in ("script", "program", "large") if mark in pdf.active]
    return [*marks, *(["executable"] if any(_is_program(file, folder) for file in pdf.files) else [])]


def packaging_problems(pdf: Pdf, invoice: Embedded, profile: Profile | None, severity: Severity) -> Iterator[Problem]:
    """Tell what is wrong with how a PDF carries its invoice (Factur-X 1.0, chapter 6; ISO 19005-3, 6.8).

    Args:
        pdf: what was looked into.
        invoice: the file that is the invoice.
        profile: that the invoice claims; None when it claims none of Factur-X.
        severity: what a problem does to the verdict.
    """
    if invoice.name not in NAMES:
        expected = next((name for name in NAMES if name == invoice.name.lower()), NAMES[0])
        mild = Severity.WARNING if invoice.name.lower() in NAMES else severity  # written in capitals it is mostly found
        yield problem(PACKAGING, "name", mild, path=invoice.name, found=invoice.name, expected=expected)
    if not invoice.associated:
        yield problem(PACKAGING, "unassociated", severity, path=invoice.name)
    if not invoice.listed:
        yield problem(PACKAGING, "unlisted", severity, path=invoice.name)
    allowed = {"Data"} if profile is not None and not profile.whole else _RELATIONSHIPS
    if invoice.relationship not in allowed:
        expected = ", ".join(sorted(allowed))
        found = invoice.relationship or None
        mild = Severity.WARNING if invoice.relationship in _RELATIONSHIPS else severity
        yield problem(PACKAGING, "relationship", mild, path=invoice.name, found=found, expected=expected)
    if invoice.declared.lower() not in _XML:
        found = invoice.declared or None
        yield problem(PACKAGING, "media_type", Severity.WARNING, path=invoice.name, found=found, expected="text/xml")
    yield from _metadata_problems(pdf.xmp, invoice, profile, severity)
    if pdf.encrypted:
        yield problem(PACKAGING, "encrypted", severity)
    if pdf.repaired:
        yield problem(PACKAGING, "repaired", severity)
    if "media" in pdf.active:
        yield problem(PACKAGING, "media", Severity.WARNING)


def _metadata_problems(xmp: Metadata | None, invoice: Embedded, profile: Profile | None, severity: Severity) -> Iterator[Problem]:
    if xmp is None:
        yield problem(PACKAGING, "metadata", severity, path="XMP")
        return
    if xmp.part != _PDFA_3:
        yield problem(PACKAGING, "part", severity, path="XMP", found=xmp.part or None, expected=_PDFA_3)
    if xmp.conformance.upper() not in _CONFORMANCES:
        expected = ", ".join(sorted(_CONFORMANCES))
        yield problem(PACKAGING, "conformance", severity, path="XMP", found=xmp.conformance or None, expected=expected)
    if not xmp.level:
        yield problem(PACKAGING, "level_missing", severity, path="XMP", expected=profile.level if profile else None)
    elif profile is not None and xmp.level.upper().replace(" ", "") != profile.level.replace(" ", ""):
        yield problem(PACKAGING, "level", severity, path="XMP", found=xmp.level, expected=profile.level)
    if xmp.document_type.upper() != _INVOICE:
        yield problem(PACKAGING, "document_type", severity, path="XMP", found=xmp.document_type or None, expected=_INVOICE)
    if xmp.file_name.lower() != invoice.name.lower():
        found = xmp.file_name or None
        yield problem(PACKAGING, "file_name", Severity.WARNING, path="XMP", found=found, expected=invoice.name)
    if xmp.version != _VERSION:
        yield problem(PACKAGING, "version", Severity.WARNING, path="XMP", found=xmp.version or None, expected=_VERSION)


def _is_invoice(file: Embedded, folder: Path) -> bool:
    path = octets_of(file, folder)
    if path is None:
        return False
    try:
        return kind_of_root(root_of_file(path) or "") == INVOICE
    except DoctypeRefused:
        return False


def _is_program(file: Embedded, folder: Path) -> bool:
    if PurePosixPath(file.name.replace("\\", "/").rstrip(". ")).suffix.lower() in _PROGRAMS:
        return True
    path = octets_of(file, folder)
    if path is None:
        return False
    with path.open("rb") as stream:
        return sniffed(stream.read(_HEAD)) in EXECUTABLE
