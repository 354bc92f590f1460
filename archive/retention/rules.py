"""How long a record is kept and hidden: what a rule is, and the dates that follow from it.

A rule bears a version, so that the dates on a package stay explainable after the rule has changed. What does not live here: the
rules that are built in (`archive.retention.defaults`), those of an organisation (`archive.retention.referential`), holds, and
elimination.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from core.messages import Catalogue
from schemas.seda.model import AccessRule, AppraisalRule, FinalAction, Management, Rule

_messages = Catalogue("archive")
FOREVER = 200
"""Years of a delay that never ends: those of AR062."""


class Category(StrEnum):
    """What a rule is about: each is an element of ``Management`` in SEDA 2.x."""

    APPRAISAL = "appraisal"
    ACCESS = "access"
    STORAGE = "storage"
    HOLD = "hold"


class Ends(StrEnum):
    """On which day a delay of years ends: that of the year in which it started, or the last of the year."""

    ANNIVERSARY = "anniversary"
    YEAR_END = "year_end"


class Delay(BaseModel):
    """A number of years, as the archive service knows it, and the text that sets it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identifier: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._-]+$", description="As the archive knows it.")
    version: str = Field("1", min_length=1, max_length=15, description="Changes with the rule.")
    years: int = Field(ge=0, le=FOREVER, description="How many.")
    ends: Ends = Field(Ends.ANNIVERSARY, description="On which day they are over.")
    label: str = Field(min_length=1, max_length=300, description="In French, for the archivist.")
    source: str = Field(min_length=1, max_length=300, description="The text or the decision that sets it.")

    def end_from(self, start: date) -> date:
        """Return the last day of the delay, when it starts on a day."""
        end = end_of(start, self.years)
        return end if self.ends is Ends.ANNIVERSARY else end.replace(month=12, day=31)


class RetentionRule(Delay):
    """How long the administration must keep a record (DUA), and what happens then; archivists may fix their own."""

    final_action: FinalAction = Field(FinalAction.KEEP, description="What happens then.")


class AccessDelay(Delay):
    """How long the public may not read a record, by its code in the list of SEDA 1.0; ``FOREVER`` stands for never."""

    def opens(self, start: date) -> date | None:
        """Return the day from which anyone may read, when the delay starts on a day; None when that day never comes."""
        if self.years == FOREVER:
            return None
        end = self.end_from(start)
        return end + timedelta(days=1) if self.ends is Ends.YEAR_END else end


def end_of(start: date, years: int) -> date:
    """Return the anniversary on which a delay ends; that of a 29 February falls on 1 March when the year has none.

    Rounding is towards keeping longer.
    """
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return start.replace(year=start.year + years, day=28) + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Started:
    """The day on which the clock of a rule starts, and what happened on it, in words."""

    day: date
    event: str


def management_of(retention: RetentionRule, kept: date, access: AccessDelay, hidden: date) -> Management:
    """Return the rules of a record as its transfer names them, each with the day on which its clock starts."""
    return Management(
        appraisal=AppraisalRule((Rule(retention.identifier, kept, retention.years),), retention.final_action),
        access=AccessRule((Rule(access.identifier, hidden),)),
    )


def explained(rule: Delay, started: Started) -> str:
    """Say why a rule applies and when it ends: SEDA has an element for the identifier of a rule only."""
    return _messages(
        "rule",
        identifier=rule.identifier,
        version=rule.version,
        label=rule.label,
        start=f"{started.day:%d/%m/%Y}",
        reason=started.event,
        end=f"{rule.end_from(started.day):%d/%m/%Y}",
        source=rule.source,
    )
