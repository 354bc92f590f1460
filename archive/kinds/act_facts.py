"""What the record of an act is made of: its files by their roles, the messages exchanged about it, and its facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from archive.package import PackageFile
from archive.transfer import RecordFacts
from core import clock
from schemas.actes.codes import Direction, MessageCode
from schemas.seda.model import DataObject, Dates


class ActRole(StrEnum):
    """What a file is in the record of an act; in the order in which they stand there."""

    DOCUMENT = "document"
    SIGNATURE = "signature"
    ANNEX = "annex"
    ENVELOPE = "envelope"
    ACKNOWLEDGEMENT = "ar"
    MESSAGE = "message"
    SAID = "said"
    ATTACHMENT = "attachment"
    JOURNAL = "journal"


BELOW = {
    ActRole.SIGNATURE: frozenset({ActRole.DOCUMENT, ActRole.ANNEX}),
    ActRole.SAID: frozenset({ActRole.ENVELOPE, ActRole.MESSAGE}),
    ActRole.ATTACHMENT: frozenset({ActRole.MESSAGE}),
}
"""What stands below what it follows."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message about an act, as it left or came.

    Attributes:
        code: of the message; it tells the direction.
        at: when it left here, or came.
        day: of its legal effect, as the State says it: of a letter, of a receipt, of a referral.
        letter: date of the préfecture's letter that it answers or acknowledges.
        missing: attachments that it names and that never came.
        infected: attachments that are left out because an antivirus found something in them, with its name.
    """

    code: MessageCode
    at: datetime
    day: date | None = None
    letter: date | None = None
    missing: tuple[str, ...] = ()
    infected: tuple[str, ...] = ()

    @property
    def is_outgoing(self) -> bool:
        """Whether the collectivité sent it."""
        return self.code.direction is Direction.TO_STATE

    @property
    def days(self) -> Dates:
        """Its dates, each with the meaning that SEDA gives it; days are those of Paris."""
        day = clock.in_paris(self.at).date()
        return Dates(sent=day) if self.is_outgoing else Dates(transacted=self.day, received=day)


@dataclass(frozen=True, slots=True)
class ActFile(PackageFile):
    """A file of the record; its ``name`` is the one that it travelled under.

    Attributes:
        own_name: the name its owner gave it, when it travelled under another.
        exchange: for the envelope, the acknowledgement and each message.
    """

    own_name: str | None = None
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFacts(RecordFacts):
    """What every record about an act says of it.

    Attributes:
        number: the collectivité's own.
        subject: in plain words.
        nature_label: of the nature.
        matiere, matiere_label: codes joined by full stops (``7.1``), and its label when the classification is known.
        decided: the day of the decision: the retention runs from there.
        received: the day on which the State received it.
        id_acte: how the State knows it.
    """

    number: str
    subject: str
    nature_label: str
    matiere: str
    matiere_label: str | None = None
    decided: date
    received: date
    id_acte: str

    @property
    def title(self) -> str:
        """Number and subject."""
        return f"{self.number} – {self.subject}"

    @property
    def clock(self) -> date:
        """The day of the decision."""
        return self.decided

    @property
    def matiere_in_words(self) -> str:
        """The codes of its matière, and its label when it is known."""
        return f"{self.matiere} {self.matiere_label}" if self.matiere_label else self.matiere


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRecord(ActFacts):
    """The facts of an act; ``at`` is when its control was found to be over, or its transmission cancelled.

    Attributes:
        nature: 1 to 6.
        control_ended: the last day of the control of legality.
        cancelled: the day on which its transmission was cancelled.
        litigation_ended, litigation_result: the day on which the litigation about it was over, and how, as a person said it.
    """

    nature: int
    control_ended: date | None = None
    cancelled: date | None = None
    litigation_ended: date | None = None
    litigation_result: str = ""


ActDescribed = tuple[ActFile, DataObject]
