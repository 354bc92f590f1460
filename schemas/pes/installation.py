"""Installing a set of schemas as the DGFiP publishes it, from a folder or a zip archive, into the folder of official sets.

Nothing is trusted: names, sizes and types of files are checked, every root is compiled from a copy, and only then does the copy
take its place, by one rename. Which set is used when is decided in ``versions.py``.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from core.errors import Misconfigured, UnreadableInput
from core.messages import Catalogue
from schemas.pes.compilation import compile_schema
from schemas.pes.roots import ROOTS

VERSION_NAME = re.compile(r"\d+(\.\d+)+")
"""How the folder of an installed set is named."""

_TREE = ROOTS[0].official
_VERSION = re.compile(r"(?:^|[^0-9A-Za-z])v(\d+(?:\.\d+)+)", re.IGNORECASE)
_VERSION_FILE = re.compile(r"v\d+(\.\d+)+\.txt", re.IGNORECASE)
_MOST_FILES = 5_000
_MOST_BYTES = 200 << 20
_MOST_BYTES_A_FILE = 20 << 20
messages = Catalogue("schemas.pes")


class SchemaSetRefused(UnreadableInput):
    """What was handed over is no set of PES schemas that can be installed."""


def import_set(source: Path, schemas_dir: Path) -> list[str]:
    """Install every set found in a folder or a zip archive; a version installed before is replaced.

    Args:
        source: folder or archive that holds, at any depth, trees with ``PES_V2/Rev0/PES_Aller.xsd``. The version is told by the
            name of a folder above (``schemas_pes_v5.17``), of the archive, or of a file ``v5.17.txt``.
        schemas_dir: where sets are installed, one sub-folder a version; created when absent.

    Returns:
        The versions installed, oldest first.

    Raises:
        SchemaSetRefused: no set there, no version, an unsafe or oversized archive, or a schema that does not compile. Nothing has
            been installed then.
    """
    schemas_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=schemas_dir) as name:
        staging = Path(name)
        copy = staging / "copy"
        copy.mkdir()
        if source.is_dir():
            _copy_folder(source, copy / source.resolve().name)
        else:
            _unzip(source, copy / source.stem)
        found = {_version(tree, copy): tree for tree in _trees(copy)}
        if not found:
            raise SchemaSetRefused(messages("versions.nothing", name=source.name, tree=_TREE))
        for tree in found.values():
            _compile_all(tree)
        for version, tree in found.items():
            _put(tree, schemas_dir / version, staging / f"old-{version}")
    return sorted(found, key=lambda version: tuple(map(int, version.split("."))))


def _wanted(name: str) -> bool:
    return name.lower().endswith(".xsd") or _VERSION_FILE.fullmatch(name) is not None


def _copy_folder(source: Path, target: Path) -> None:
    budget = _Budget()
    for path in sorted(source.rglob("*")):
        if path.is_symlink() or not path.is_file() or not _wanted(path.name):
            continue
        budget.take(path.stat().st_size)
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _unzip(source: Path, target: Path) -> None:
    try:
        budget = _Budget()
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                name = PurePosixPath(entry.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts or ":" in entry.filename:
                    raise SchemaSetRefused(messages("versions.unsafe", name=entry.filename[:100]))
                if entry.is_dir() or not _wanted(name.name):
                    continue
                place = target / name
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as content:  # what the entry says of its size is not believed
                    data = content.read(_MOST_BYTES_A_FILE + 1)
                budget.take(len(data))
                place.write_bytes(data)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise SchemaSetRefused(messages("versions.not_a_zip", name=source.name, reason=str(error)[:200])) from error


class _Budget:
    """How much may still be copied."""

    def __init__(self) -> None:
        self._files = _MOST_FILES
        self._bytes = _MOST_BYTES

    def take(self, size: int) -> None:
        """Count one file of this many bytes, refusing one too many."""
        self._files -= 1
        self._bytes -= size
        if self._files < 0 or self._bytes < 0 or size > _MOST_BYTES_A_FILE:
            raise SchemaSetRefused(messages("versions.too_large", files=_MOST_FILES, megabytes=_MOST_BYTES >> 20))


def _trees(copy: Path) -> list[Path]:
    depth = len(PurePosixPath(_TREE).parts)
    return [path.parents[depth - 1] for path in sorted(copy.rglob(PurePosixPath(_TREE).name)) if path.match(_TREE)]


def _version(tree: Path, copy: Path) -> str:
    names = [tree.name, *(path.stem for path in sorted(tree.rglob("*.txt")))]
    names += [parent.name for parent in tree.parents if parent.is_relative_to(copy) and parent != copy]
    for name in names:
        if match := _VERSION.search(name):
            return match.group(1)
    raise SchemaSetRefused(messages("versions.unnamed", name=str(tree.relative_to(copy))))


def _compile_all(tree: Path) -> None:
    for root in ROOTS:
        if (path := tree / root.official).is_file():
            try:
                compile_schema(path, tree)
            except Misconfigured as error:
                raise SchemaSetRefused(str(error)) from error


def _put(tree: Path, place: Path, aside: Path) -> None:
    if place.exists():
        place.rename(aside)
    tree.rename(place)
