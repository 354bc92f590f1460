"""A meeting as a visitor may see it, and what the pages of meetings say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.web.pages import render
from api.web.visitor import Visitor
from core import clock
from core.errors import NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.problems import Problem, Severity
from flows.engine.models import Dossier, DossierFile
from flows.engine.work import KeptFile
from flows.mail import checking, reached
from flows.mail import rules as mail_rules
from flows.mail.convening import delays, meetings, reminding, rules
from flows.mail.convening.delays import Delay, Warned
from flows.mail.convening.forecast import Forecast, forecast_of
from flows.mail.convening.meetings import Convocation
from flows.mail.convening.models import AssemblyMember, Meeting
from flows.mail.convening.reminding import Alert
from flows.mail.convening.wording import day_in_words, delay_in_words, minute_in_words
from flows.mail.keeping import ADDITION, DOCUMENT, files_of
from flows.mail.kinds import kind_of
from flows.mail.models import Mail, RecipientState
from flows.mail.validating import VALIDATING

_t = Catalogue("api.web.convening")
words = Catalogue("flows.mail.convening")
_STANDINGS = {
    "validating": "amber",
    "convened": "green",
    "closed": "green",
    "held": "amber",
    "cancelled": "red",
    "rejected": "red",
}
_STATES = {
    RecipientState.WITHDRAWN: "green",
    RecipientState.ANSWERED: "green",
    RecipientState.FAILED: "red",
    RecipientState.REFUSED: "red",
    RecipientState.DELAYED: "amber",
    RecipientState.EXPIRED: "amber",
    RecipientState.REVOKED: "amber",
}
MEETINGS, ASSEMBLIES = "/courriers/seances", "/administration/assemblees"


@dataclass(frozen=True, slots=True)
class LastDay:
    """By when a convocation must leave.

    Attributes:
        days: from today to it; below zero once it is over.
    """

    day: date
    days: int
    delay: Delay
    warnings: tuple[Warned, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A meeting with all that its pages say.

    Attributes:
        told: when a mail server first answered for the convocation, by recipient.
        paper: members who are convened in writing.
        may_act: the visitor may send for the organisation.
    """

    dossier: Dossier
    organisation: Organisation
    known: Convocation
    forecast: Forecast
    files: tuple[DossierFile, ...]
    told: dict[str, datetime]
    alert: Alert | None
    paper: tuple[AssemblyMember, ...]
    last_day: LastDay
    note: str
    may_act: bool

    @property
    def is_draft(self) -> bool:
        """It has not left, and may be changed."""
        return self.dossier.state == "draft"

    @property
    def begun(self) -> bool:
        """The meeting has begun."""
        return meetings.begun(self.known.meeting)

    @property
    def standing(self) -> str:
        """In a word: ``draft``, ``checking``, ``validating``, ``rejected``, ``convened``, ``cancelled``, ``held``, ``closed``."""
        return standing_of(self.known.meeting, self.dossier, self.known.mail)


def standing_of(meeting: Meeting, dossier: Dossier, mail: Mail) -> str:
    """Return where a meeting stands; see ``Seen.standing``."""
    if dossier.state in {"draft", "rejected"}:
        return dossier.state
    if mail.cancelled is not None:
        return "cancelled"
    if meeting.held is not None:
        return "closed"
    if meetings.begun(meeting):
        return "held"
    if mail.sent is not None:
        return "convened"
    return "validating" if dossier.state in VALIDATING else "checking"


def seen(platform: Platform, visitor: Visitor, meeting_id: str) -> Seen:
    """Return a meeting.

    Raises:
        NotFound: there is none, or the visitor may not see it: the two are not told apart.
    """
    with platform.database.reading(visitor.principal) as session:
        meeting = meetings.meeting_of(session, meeting_id)
        rights = [visitor.principal.may(right, meeting.organisation_id) for right in (Right.READ, Right.DEPOSIT)]
        dossier = session.exec(select(Dossier).where(Dossier.id == meeting_id)).first()
        if not any(rights) or dossier is None or dossier.state == "abandoned":
            raise NotFound(_t("meeting.unknown"))
        known = meetings.convocation_of(session, meeting_id)
        return Seen(
            dossier,
            session.get_one(Organisation, meeting.organisation_id),
            known,
            forecast_of(session, known),
            tuple(files_of(session, meeting_id, DOCUMENT, ADDITION)),
            reached.first_accepted(session, meeting_id, reached.CONVENING),
            reminding.alert(session, known),
            tuple(one for one in meetings.members_of(session, known.assembly.id) if one.id in meeting.paper),
            last_day_of(known.assembly.rule, known.assembly.days, meeting.starts, meetings.case_of(meeting)),
            str(dossier.facts.get(rules.NOTE, "")),
            rights[1],
        )


def to_act(platform: Platform, visitor: Visitor, meeting_id: str) -> Seen:
    """Return a meeting of which the visitor may decide.

    Raises:
        NotFound: as ``seen``.
        Forbidden: they may not send for its organisation.
    """
    found = seen(platform, visitor, meeting_id)
    visitor.principal.require(Right.DEPOSIT, found.organisation.id)
    return found


def last_day_of(rule_name: str, days: int, starts: datetime, case: delays.Case) -> LastDay:
    """Return by when a convocation must leave.

    Raises:
        UsageError: there is no such rule.
    """
    rule = delays.rule_named(rule_name)
    last = delays.last_day(rule, days, starts, case)
    left = (last - today()).days
    return LastDay(last, left, delays.delay_of(rule, days, case), tuple(delays.warnings(rule, days, starts, case)))


def problems_of(platform: Platform, found: Seen) -> list[Problem]:
    """Return what keeps a draft from leaving, as far as it is known before its documents are opened."""
    mail, recipients = found.known.mail, [seat.recipient for seat in found.known.seats]
    with platform.database.reading(PLATFORM) as session:
        kind = kind_of(session, platform.secrets, mail.organisation_id, mail.kind)
        told = [*mail_rules.of_send(mail, recipients, kind, today()), *rules.problems(session, mail, recipients)]
    kept = [KeptFile(one.role, one.name, one.media_type, one.sha256, one.size) for one in found.files]
    return [one for one in (*told, *checking.of_sizes(kept, kind)) if one.severity is Severity.ERROR]


def shown(request: Request, template: str, visitor: Visitor, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page that says days and moments in full, and what the room of convocations has words for."""
    told: dict[str, Any] = {"w": words, "weekday": day_in_words, "full": minute_in_words, "delay_said": delay_in_words}
    told |= {"standing_colour": _standing_colour, "state_colour": _state_colour}
    return render(
        request, f"web/convening/{template}", visitor=visitor, status=status, **{"trouble": "", "done": ""} | told | context
    )


def _standing_colour(standing: str) -> str:
    return _STANDINGS.get(standing, "blue")


def _state_colour(state: str) -> str:
    return _STATES.get(RecipientState(state), "blue")


def today() -> date:
    """Return the day in Paris."""
    return clock.in_paris(clock.now()).date()
