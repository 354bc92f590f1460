"""Which format a file is of, by PRONOM's signatures, and what a PDF claims to be; each file is opened in the sandbox.

A claim is a claim: « déclare PDF/A-2b » says what the file says of itself, never that it is valid. What does not live here:
whether a format is wanted (`archive.ingest.agreements`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from archive.ingest.pdfa import Checked
from core import sandbox
from core.errors import Misconfigured, Unavailable, UnreadableInput
from core.messages import Catalogue
from schemas.xml import parse

_messages = Catalogue("archive.ingest")
_MEMORY = 768 << 20
_SECONDS, _SECONDS_EACH = 20.0, 2.0
_SIGNATURES = "signatures"
_VERSIONS = "versions.xml"
_NAMED = ("pronomSignature", "fidoExtensionSignature", "pronomContainerSignature")


class Found(BaseModel):
    """What was found in a file.

    Attributes:
        puids: its format by PRONOM's identifier (``fmt/18``); several when its signatures do not tell which; none when unknown.
        pdf: it begins as a PDF does.
        pdfa: the PDF/A that it claims to be (``2B``); empty when it claims nothing.
        encrypted: a PDF that is.
        broken: a PDF that cannot be opened; or a file that broke or outlasted its reader.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    puids: tuple[str, ...] = Field((), max_length=20)
    pdf: bool = False
    pdfa: str = Field("", max_length=10)
    encrypted: bool = False
    broken: bool = False

    @property
    def puid(self) -> str | None:
        """The format, when there is one and no other."""
        return self.puids[0] if len(self.puids) == 1 else None

    @property
    def claim(self) -> str:
        """What a PDF says of itself: ``PDF/A-2b``; empty when it says nothing."""
        return f"PDF/A-{self.pdfa[:1]}{self.pdfa[1:].lower()}" if self.pdfa else ""

    def claimed(self, checked: Checked | None) -> str:
        """What a PDF says of itself, for people, and what a checker found; empty when it says nothing."""
        if not self.claim:
            return ""
        key = _CHECKED[checked.conforms] if checked else "unchecked"
        return _messages(f"format.claim.{key}", level=self.claim, by=checked.by if checked else "")


_CHECKED = {True: "conforms", False: "broken", None: "unknown"}
_FOUND = TypeAdapter(list[Found])


def identify(folder: Path, names: Sequence[str], signatures: Path | None = None) -> dict[str, Found]:
    """Return what was found in files, by their names.

    Args:
        folder: which holds them and nothing else; the sandbox may write to it.
        names: plain ones.
        signatures: folder of PRONOM's signatures that an operator installed; None for those of the software.

    Raises:
        Misconfigured: the folder of signatures lacks a file, or the software its own.
        Unavailable: too many wait for the sandbox, or our disk fails.
    """
    told = _brought(signatures, folder) if signatures else ""
    return _looked(folder, names, told)


def _looked(folder: Path, names: Sequence[str], signatures: str) -> dict[str, Found]:
    if not names:
        return {}
    asked: sandbox.JsonValue = {"names": list(names), "signatures": signatures}
    seconds = _SECONDS + _SECONDS_EACH * len(names)
    try:
        answer = sandbox.call("archive.ingest.format_reader:look", asked, folder=folder, memory=_MEMORY, seconds=seconds)
        if isinstance(answer, str):
            raise Misconfigured(_messages("format.registry", reason=answer[:200]))
        return dict(zip(names, _FOUND.validate_python(answer), strict=True))
    except sandbox.Declined as error:  # its only reason is our disk
        raise Unavailable(str(error)) from error
    except (sandbox.SandboxError, ValidationError, ValueError):
        if len(names) == 1:
            return {names[0]: Found(broken=True)}
    # One of them broke its reader: each is looked at alone, so that the others are known all the same.
    return {name: found for one in names for name, found in _looked(folder, [one], signatures).items()}


def _brought(signatures: Path, folder: Path) -> str:
    """Copy the signatures to where the sandbox may read, and return the name of their folder there."""
    target = folder / _SIGNATURES
    if not target.exists():
        files = _signature_files(signatures)
        target.mkdir()
        for file in files:
            shutil.copyfile(file, target / file.name)
    return _SIGNATURES


def _signature_files(folder: Path) -> list[Path]:
    """Return the files of an operator's folder, which can be read: one that cannot would make every file one of no format."""
    try:
        versions = parse(folder / _VERSIONS).getroot()
        files = [folder / (versions.findtext(name) or "") for name in _NAMED]
        for file in files:
            parse(file)
    except (OSError, UnreadableInput) as error:
        raise Misconfigured(_messages("format.signatures", folder=folder, reason=error)) from error
    return [folder / _VERSIONS, *files]
