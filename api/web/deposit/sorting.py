"""What arrives decides where it goes: a PES to HELIOS, anything else into folders, detached signatures beside what they sign.

Names and the beginning of files are looked at here, nothing else; nothing is written.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from core.errors import UnreadableInput
from flows.document.intake import media_type_of
from schemas.pes.header import read_header
from signing.parapheur.folders import Joined
from signing.parapheur.models import DocumentKind

HEAD = 64 * 1024
_PES = "pes-aller"
_ROOT = re.compile(rb"\A[^\0]{0,2000}<(?:[\w.-]+:)?PES_Aller[\s>]")
DETACHED = ".p7s"
_SIGNATURES = {DETACHED: "application/pkcs7-signature", ".xml": "application/xml"}


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that is in the store."""

    name: str
    sha256: str
    size: int


def is_pes(head: bytes) -> bool:
    """Tell whether a file that begins so is a PES for Hélios."""
    with tempfile.NamedTemporaryFile(prefix="tabellion-") as file:
        file.write(head)
        file.flush()
        try:
            return read_header(Path(file.name)).kind == _PES
        except UnreadableInput:
            # A PES that is not well-formed is one all the same: its check says where it breaks.
            return _ROOT.search(head) is not None


def signatures_among(names: Sequence[str]) -> dict[int, int]:
    """Return which names are those of detached signatures, and of what: ranks by rank.

    ``x.pdf.p7s`` and ``x.pdf.xml`` sign ``x.pdf``; ``x.p7s`` signs the only other file called ``x``.
    """
    folded = [PurePath(name.casefold()) for name in names]
    found = {}
    for rank, name in enumerate(folded):
        if name.suffix not in _SIGNATURES:
            continue
        signed = [other for other, one in enumerate(folded) if one == PurePath(name.stem)]
        if not signed and name.suffix == DETACHED:
            signed = [other for other, one in enumerate(folded) if one.stem == name.stem and one.suffix != DETACHED]
        if len(signed) == 1:
            found[rank] = signed[0]
    return {rank: of for rank, of in found.items() if of not in found}


def folders_of(files: Sequence[Arrived], *, together: bool, main: int) -> list[list[Joined]]:
    """Share files out among folders.

    Args:
        files: in the order in which they came.
        together: one folder for all, rather than one for each; signatures stay beside what they sign either way.
        main: how many main documents a folder takes; the others are annexes. What came signed is a main document in any case.
    """
    signatures = signatures_among([file.name for file in files])
    plain = [rank for rank in range(len(files)) if rank not in signatures]
    if not together:
        return [_folder(files, [rank], {rank}, signatures) for rank in plain]
    signed = set(signatures.values())
    free = max(0, main - len(signed))
    mains = signed | set([rank for rank in plain if rank not in signed][:free])
    return [_folder(files, plain, mains or set(plain[:1]), signatures)] if plain else []


def _folder(files: Sequence[Arrived], plain: Sequence[int], mains: set[int], signatures: dict[int, int]) -> list[Joined]:
    names = _apart([file.name for file in files])
    joined = [_joined(files[rank], names[rank], DocumentKind.MAIN) for rank in plain if rank in mains]
    joined += [_joined(files[rank], names[rank], DocumentKind.ANNEX) for rank in plain if rank not in mains]
    for rank, of in signatures.items():
        if of in plain:
            joined.append(_joined(files[rank], names[rank], DocumentKind.SIGNATURE, names[of]))
    return joined


def _joined(file: Arrived, name: str, kind: DocumentKind, of: str | None = None) -> Joined:
    suffix = PurePath(name.casefold()).suffix
    media_type = _SIGNATURES[suffix] if of and suffix in _SIGNATURES else media_type_of(name)
    return Joined(kind, name, media_type, file.sha256, file.size, of)


def _apart(names: Sequence[str]) -> list[str]:
    """Return names of which none stands twice: the second ``x.pdf`` is ``x (2).pdf``."""
    given: list[str] = []
    for name in names:
        path, number, shown = PurePath(name), 1, name
        while shown in given:
            number += 1
            shown = f"{path.stem} ({number}){path.suffix}"
        given.append(shown)
    return given
