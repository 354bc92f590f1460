"""Versions of the PES schemas: those of this folder, those of the DGFiP that an operator installs, and which one a file meets.

The protocol changes about twice a year and a file does not say which version it follows, so it is held against every set, newest
first. Sets are compiled once and shared by threads, one lock each. Only libxml2 validates: it takes megabytes where xmlschema
takes gigabytes. How a finding is worded is in ``violations.py``, how a set is installed in ``installation.py``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from core.messages import Catalogue
from core.problems import Problem, Severity
from schemas.flood import Finding, flood
from schemas.pes.compilation import compile_schema
from schemas.pes.installation import VERSION_NAME, import_set
from schemas.pes.roots import ROOTS, Root
from schemas.pes.violations import problem_of

__all__ = ["BUILT_IN", "SchemaSets", "import_set"]

BUILT_IN = "tabellion-5.17"
SHOWN = 200
"""Findings described at most; the others are counted."""

_DENSE = 20_000
_HERE = Path(__file__).parent
messages = Catalogue("schemas.pes")


@dataclass(frozen=True, slots=True)
class _Findings:
    """What one version says of a file.

    Attributes:
        first: at most SHOWN findings.
        total: how many there are; ``counted`` is False when counting was given up.
    """

    first: tuple[Finding, ...]
    total: int
    counted: bool = True


class _Schema:
    """One root of one set, compiled when first asked for."""

    def __init__(self, version: str, path: Path, inside: Path) -> None:
        self.version = version
        self._path = path
        self._inside = inside
        self._lock = threading.Lock()  # a compiled schema has one error log, whatever the number of threads
        self._compiled: etree.XMLSchema | None = None

    def findings(self, tree: etree._ElementTree, source: Path | None) -> _Findings:
        with self._lock:
            if self._compiled is None:
                self._compiled = compile_schema(self._path, self._inside)
            if source is not None and (flooded := flood(self._compiled, tree, lambda: source.open("rb"), SHOWN)):
                return _Findings(tuple(flooded[0]), flooded[1], counted=False)
            if self._compiled.validate(tree):
                return _Findings((), 0)
            log = self._compiled.error_log
            return _Findings(tuple(map(Finding.copied, log[:SHOWN])), len(log))


class SchemaSets:
    """All sets in force.

    Args:
        folder: where official sets are installed, one sub-folder a version; None when there is none. A set installed later is
            seen by a new instance.
    """

    def __init__(self, folder: Path | None = None) -> None:
        installed = [] if folder is None or not folder.is_dir() else [entry for entry in folder.iterdir() if entry.is_dir()]
        official = sorted((entry for entry in installed if VERSION_NAME.fullmatch(entry.name)), key=_rank, reverse=True)
        self.versions: tuple[str, ...] = (*(entry.name for entry in official), BUILT_IN)
        self._schemas = {root.tag: _schemas(root, official) for root in ROOTS}

    def validate(self, tree: etree._ElementTree, kind: str, source: Path | None = None) -> list[Problem]:
        """Hold a file against every version of its schema, newest first.

        Args:
            tree: the file.
            kind: what it is held to be: one of the kinds of ``roots.ROOTS``.
            source: the file that the tree was read from: with it, a large file with a flood of findings is given up early.

        Returns:
            Nothing when the newest version accepts it; one warning when only an older one does; else errors against the version
            that objects least, at most SHOWN and a line that counts the others.
        """
        schemas = self._schemas[_root(tree, kind).tag]
        dense = source if source is not None and tree.getroot().xpath("count(//*)") > _DENSE else None
        objections: list[_Findings] = []
        for rank, schema in enumerate(schemas):
            findings = schema.findings(tree, dense)
            if not findings.total:
                return [_only_older(schema.version, schemas[0].version)] if rank else []
            objections.append(findings)
        nearest = min(range(len(schemas)), key=lambda rank: objections[rank].total)  # the first of equals: the newest
        return _told(objections[nearest], schemas[nearest].version)


def _told(findings: _Findings, version: str) -> list[Problem]:
    problems = list(dict.fromkeys(problem_of(finding) for finding in findings.first))
    if findings.total > len(findings.first):
        more = findings.total - len(findings.first)
        problems.append(
            Problem(
                rule="R06",
                severity=Severity.ERROR,
                message=messages("R06.more.message" if findings.counted else "R06.flood.message", more=more, version=version),
                expected=messages("R06.more.expected", version=version),
                mend=messages("R06.more.mend"),
            )
        )
    return problems


def _only_older(version: str, newest: str) -> Problem:
    return Problem(
        rule="R06",
        severity=Severity.WARNING,
        message=messages("R06.older.message", version=version, newest=newest),
        found=version,
        expected=newest,
        mend=messages("R06.older.mend", newest=newest),
    )


def _root(tree: etree._ElementTree, kind: str) -> Root:
    roots = [root for root in ROOTS if root.kind == kind]
    return next((root for root in roots if root.tag == tree.getroot().tag), roots[0])


def _schemas(root: Root, official: list[Path]) -> list[_Schema]:
    """Return the official descriptions of a root, newest first; ours only when there is none."""
    found = [_Schema(folder.name, folder / root.official, folder) for folder in official if (folder / root.official).is_file()]
    return found or [_Schema(BUILT_IN, _HERE / root.own, _HERE)]


def _rank(folder: Path) -> tuple[int, ...]:
    return tuple(map(int, folder.name.split(".")))
