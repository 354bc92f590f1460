"""What makes the answers of the original irregular, on demand: every one of these was met."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from core.clock import PARIS


class Oddity(StrEnum):
    """A way in which answers are irregular.

    ``SINGLE``: a list of one comes as the object alone. ``ABSENT``: optional members are absent. ``DATES``: dates come in all
    shapes in turn. ``EXTRA``: members that nobody knows. ``UNKNOWN``: a status that nobody knows.
    """

    SINGLE = "single"
    ABSENT = "absent"
    DATES = "dates"
    EXTRA = "extra"
    UNKNOWN = "unknown"


_OPTIONAL = {
    "codeServiceExecutant",
    "nomServiceExecutant",
    "typeFacture",
    "dateFacture",
    "dateDepot",
    "montantHT",
    "commentaireEtatCourant",
    "numeroMarche",
    "devise",
    "derniereAction",
    "histoStatutCommentaire",
    "designationFournisseur",
}
_DATES = {"dateDepot", "dateHeureEtatCourant", "histoStatutDatePassage", "dateTraitement", "dateFacture", "dateDepotFlux"}
_STATUSES = {"statut", "statutFactureTravaux", "statutCourantCode"}
_NOVEL = "TRANSMISE_A_LA_PLATEFORME"
_SHAPES: tuple[Callable[[datetime], str], ...] = (
    lambda moment: moment.strftime("%Y-%m-%d"),
    lambda moment: moment.strftime("%Y-%m-%d %H:%M"),
    lambda moment: moment.isoformat(timespec="milliseconds"),
    lambda moment: moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
)


def distort(answer: dict[str, Any], oddities: Collection[Oddity]) -> dict[str, Any]:
    """Return an answer as irregular as is asked for."""
    if not oddities:
        return answer
    told: dict[str, Any] = _distorted(answer, oddities, itertools.cycle(_SHAPES))
    return told


def _distorted(value: Any, oddities: Collection[Oddity], shapes: Iterator[Callable[[datetime], str]]) -> Any:
    if isinstance(value, list):
        found = [_distorted(one, oddities, shapes) for one in value]
        return found[0] if len(found) == 1 and Oddity.SINGLE in oddities else found
    if not isinstance(value, dict):
        return value
    made = {
        name: _member(name, _distorted(one, oddities, shapes), oddities, shapes)
        for name, one in value.items()
        if not (name in _OPTIONAL and Oddity.ABSENT in oddities)
    }
    if Oddity.EXTRA in oddities:
        made["membreInconnu"] = {"valeurs": [1, None, "é"]}
    return made


def _member(name: str, value: Any, oddities: Collection[Oddity], shapes: Iterator[Callable[[datetime], str]]) -> Any:
    if name in _STATUSES and Oddity.UNKNOWN in oddities:
        return _NOVEL
    if name in _DATES and Oddity.DATES in oddities:
        read = datetime.fromisoformat(value)
        return next(shapes)(read.replace(tzinfo=PARIS) if read.tzinfo is None else read.astimezone(PARIS))
    return value
