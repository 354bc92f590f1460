"""Looking into files for their format: PRONOM signatures by fido, what a PDF claims of itself. Runs in the sandbox only.

fido's answer counts when it comes of a signature or of what stands in a container: by the end of a name it guesses. Of a file
that the disk does not give it says nothing, and the reader of PDF blames the document: each is read through first.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET  # versions.xml of an operator, not of a stranger

import pikepdf
from fido import CONFIG_DIR
from fido.fido import Fido

from archive.ingest.containers import PIECE
from archive.ingest.disk import ours

_SURE = frozenset({"signature", "container"})
_PDF = b"%PDF-"
_HEAD = 1024
_MOST = 20
_NO_SIGNATURES = (OSError, ET.ParseError, SystemExit)  # the last one is how fido ends over a file that it cannot parse


def look(asked: dict[str, Any]) -> list[dict[str, Any]] | str:
    """Return the fields of a ``formats.Found`` for each file; or why there are no signatures to know them by.

    Args:
        asked: ``names`` of files of the folder; ``signatures``, the folder in it that holds the operator's, or nothing.

    Raises:
        Unavailable: our disk does not give a file.
    """
    try:
        fido = _loaded(asked["signatures"])
    except _NO_SIGNATURES as error:
        return str(error) or type(error).__name__
    return [_found(fido, Path(name)) for name in asked["names"]]


@ours()
def _found(fido: Fido, path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        while stream.read(PIECE):
            pass
    return {"puids": _puids(fido, path.name), **_pdf(path)}


@cache
def _loaded(folder: str) -> Fido:
    place = Path(folder) if folder else Path(CONFIG_DIR)
    named = ET.parse(place / "versions.xml").getroot()  # noqa: S314  (see above)
    files = [str(named.findtext("pronomSignature")), str(named.findtext("fidoExtensionSignature"))]
    fido = Fido(quiet=True, conf_dir=str(place.resolve()), format_files=files)
    fido.containersignature_file = str(named.findtext("pronomContainerSignature"))
    return fido


def _puids(fido: Fido, name: str) -> list[str]:
    """Return what a file may be, nothing when no signature says it."""
    found: list[str] = []

    def handle(_name: str, matches: list[tuple[Any, Any]], _seconds: float, kind: str = "") -> None:
        if kind in _SURE:
            found.extend(dict.fromkeys(fido.get_puid(matched) for matched, _ in matches))

    fido.handle_matches = handle
    fido.identify_file(name, extension=False)
    return found[:_MOST]


def _pdf(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        if _PDF not in stream.read(_HEAD):
            return {}
    try:
        with pikepdf.open(path, suppress_warnings=True) as pdf:
            return {"pdf": True, "pdfa": str(pdf.open_metadata().pdfa_status)[:10], "encrypted": pdf.is_encrypted}
    except pikepdf.PasswordError:
        return {"pdf": True, "encrypted": True}
    except Exception:  # noqa: BLE001  (whatever qpdf or its reader of XMP cannot take, people cannot either)
        return {"pdf": True, "broken": True}


with suppress(*_NO_SIGNATURES):  # told by the call
    _loaded("")  # once for all: the child of each call has them
