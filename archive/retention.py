"""How long a record is kept and hidden: rules with their legal source, and the dates that follow from them.

These are defaults of a referential: a service of archives may decide otherwise in its agreement. A rule bears a version, so
that the dates on a package stay explainable after the rule has changed. What does not live here: holds, and elimination.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from schemas.seda.model import FinalAction


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long the administration must keep a record (DUA), and what happens then.

    Attributes:
        identifier: as the archive service knows it.
        label: in French, for the archivist.
        source: the text that sets it.
    """

    identifier: str
    version: str
    years: int
    final_action: FinalAction
    label: str
    source: str


@dataclass(frozen=True, slots=True)
class AccessDelay:
    """How long the public may not read a record, by its code in the list of SEDA 1.0."""

    identifier: str
    version: str
    years: int
    label: str
    source: str


ACCOUNTING = RetentionRule(
    identifier="APP-COMPTA-10ANS",
    version="1",
    years=10,
    final_action=FinalAction.DESTROY,
    label="mandats, titres et bordereaux : conservation 10 ans, puis destruction soumise à visa",
    source="instructions DAF/DPACI/RES/2008/008 du 5 mai 2008 et DAF/DPACI/RES/2009/018 du 28 août 2009",
)

PRIVATE_LIFE = AccessDelay(
    identifier="AR048",
    version="1",
    years=50,
    label="documents dont la communication porterait atteinte à la protection de la vie privée : 50 ans",
    source="Code du patrimoine, articles L. 213-1 et L. 213-2 (3°)",
)


def end_of(start: date, years: int) -> date:
    """Return the anniversary on which a delay ends; that of a 29 February falls on 1 March when the year has none.

    Rounding is towards keeping longer.
    """
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return start.replace(year=start.year + years, day=28) + timedelta(days=1)
