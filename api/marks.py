"""Files that must not be opened without care: what was found in them, so that every face says it before anybody does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.messages import Catalogue
from flows.engine.models import Dossier, DossierFile

_flow = Catalogue("flows.invoices")
_GRAVE = frozenset({"virus", "executable", "script", "program"})


@dataclass(frozen=True, slots=True)
class Danger:
    """Why a file must not be opened without care.

    Attributes:
        rule: as a code.
        words: a sentence that names the file.
        grave: it would do harm, as far as we know; otherwise nobody knows.
    """

    rule: str
    words: str
    grave: bool


def dangers_of(dossier: Dossier, files: Iterable[DossierFile]) -> dict[str, Danger]:
    """Return what was found in files of a dossier, by their identifiers; those in which nothing was are left out."""
    marks = dossier.facts.get("marks") or {}
    return {kept.id: _danger(str(marks[kept.sha256]), kept.name) for kept in files if kept.sha256 in marks}


def _danger(rule: str, name: str) -> Danger:
    key = f"mark.{rule}.message"
    return Danger(rule, _flow(key if key in _flow else "mark.other.message", name=name), rule in _GRAVE)
