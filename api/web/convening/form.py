"""The form of a convocation as somebody fills it in, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

from core import clock
from core.errors import UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from flows.mail.book.written import named
from flows.mail.convening.delays import Case
from flows.mail.convening.intake import Convocation, Guest

_t = Catalogue("api.web.convening")
_HOUR = "18:30"
_LONGEST = 25_000


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form, as text.

    Attributes:
        key: names this form, so that it is taken once however often it is sent.
        guests, questions, agenda: one a line.
    """

    key: str = ""
    assembly: str = ""
    day: str = ""
    hour: str = _HOUR
    place: str = ""
    case: str = Case.USUAL.value
    urgency: str = ""
    agenda: str = ""
    message: str = ""
    sender: str = ""
    reply_to: str = ""
    guests: str = ""
    questions: str = ""

    @classmethod
    def fresh(cls, assembly: str = "", place: str = "") -> Typed:
        """Return an empty form."""
        return cls(key=new_id(), assembly=assembly, place=place)

    @classmethod
    def sent(cls, fields: Mapping[str, str]) -> Typed:
        """Return a form as it was sent."""
        told = {name: fields.get(name, "")[:_LONGEST].replace("\r\n", "\n").strip() for name in cls.__dataclass_fields__}
        return cls(**told)

    @classmethod
    def of(cls, written: Convocation) -> Typed:
        """Return the form of a convocation that was written."""
        starts = clock.in_paris(written.starts)
        return cls(
            new_id(),
            written.assembly_id,
            starts.date().isoformat(),
            starts.strftime("%H:%M"),
            written.place,
            written.case.value,
            written.urgency,
            written.agenda,
            written.message,
            written.sender,
            written.reply_to,
            "\n".join(f"{one.name} <{one.address}>" if one.name else one.address for one in written.guests),
            "\n".join(written.questions),
        )

    def starts(self) -> datetime:
        """Return when the meeting begins.

        Raises:
            UsageError: the day or the hour is none.
        """
        try:
            return datetime.combine(date.fromisoformat(self.day), time.fromisoformat(self.hour), clock.PARIS)
        except ValueError as error:
            raise UsageError(_t("wrong.moment")) from error

    def case_of(self) -> Case:
        """Return why the delay is what it is.

        Raises:
            UsageError: there is no such case.
        """
        try:
            return Case(self.case)
        except ValueError as error:
            raise UsageError(_t("wrong.case")) from error

    def wanted(self, kept: Convocation | None = None) -> Convocation:
        """Return the convocation that the form says.

        Args:
            kept: how it was written before: its documents stay.

        Raises:
            UsageError: something of it does not read.
        """
        return Convocation(
            self.assembly,
            self.starts(),
            self.agenda,
            self.place,
            self.case_of(),
            self.urgency if self.case == Case.URGENCY else "",
            self.message,
            self.sender,
            self.reply_to,
            tuple(_guests(self.guests)),
            tuple(_lines(self.questions)),
            kept.documents if kept else (),
            kept.note if kept else "",
        )


def _guests(text: str) -> Iterator[Guest]:
    for line in _lines(text):
        name, address = named(line)
        yield Guest(address, name)


def _lines(text: str) -> Iterator[str]:
    yield from (line.strip() for line in text.splitlines() if line.strip())
