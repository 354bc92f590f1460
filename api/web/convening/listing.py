"""“Séances”: the meetings to come with what presses, then those that were held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.web.convening import seen
from api.web.convening.seen import MEETINGS, standing_of
from api.web.visitor import Parts, SignedIn
from core import clock
from core.errors import UsageError
from core.messages import Catalogue
from core.principal import Right
from flows.engine.models import Dossier
from flows.mail.convening import assemblies
from flows.mail.convening.models import Assembly, Convened, Meeting, Presence
from flows.mail.models import Mail, MailRecipient, RecipientState
from flows.mail.validating import VALIDATING

router = APIRouter()
_t = Catalogue("api.web.convening")
_MOST_COMING, _PAGE = 200, 25
_SHOWN = ("draft", "received", *sorted(VALIDATING), "ready", "sent", "closing", "archived", "rejected", "cancelled")


@dataclass(frozen=True, slots=True)
class Line:
    """A meeting of the list.

    Attributes:
        standing: as ``seen.Seen.standing``.
        convened, answered, failed: people by mail.
    """

    meeting: Meeting
    assembly: str
    standing: str
    convened: int
    answered: int
    failed: int


@router.get(MEETINGS)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    avant: Annotated[str, Query(max_length=70)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show the meetings; ``avant`` is where a page of the past begins, ``fait`` what the visitor has just done."""
    organisations = sorted({*visitor.where(Right.READ), *visitor.where(Right.DEPOSIT)})
    now, after = clock.now(), _place(avant)
    with platform.database.reading(visitor.principal) as session:
        base = _base(organisations)
        coming = [] if avant else session.exec(
            base.where(col(Meeting.starts) > now).order_by(col(Meeting.starts), col(Meeting.dossier_id)).limit(_MOST_COMING)
        ).all()  # fmt: skip
        past = base.where(col(Meeting.starts) <= now)
        if after is not None:
            moment, identifier = after
            earlier = col(Meeting.starts) < moment
            past = past.where(earlier | ((col(Meeting.starts) == moment) & (col(Meeting.dossier_id) < identifier)))
        ordered = past.order_by(col(Meeting.starts).desc(), col(Meeting.dossier_id).desc())
        held = session.exec(ordered.limit(_PAGE + 1)).all()
        shown: dict[str, Any] = {
            "coming": _lines(session, coming),
            "held": _lines(session, held[:_PAGE]),
            "assemblies": [one for identifier in organisations for one in assemblies.assemblies_of(session, identifier)],
        }
    last = held[_PAGE - 1][0] if len(held) > _PAGE else None
    more = urlencode({"avant": f"{clock.iso(last.starts)}~{last.dossier_id}"}) if last else ""
    shown |= {"more": more, "further": bool(avant), "done": fait if f"done.{fait}" in _t else ""}
    shown["may_set_up"] = bool(visitor.where(Right.ADMINISTER) or visitor.where(Right.DEPOSIT))
    return seen.shown(request, "list.html", visitor, **shown)


def _base(organisations: Sequence[str]) -> Any:
    return (
        select(Meeting, Assembly, Dossier, Mail)
        .join(Assembly, col(Assembly.id) == col(Meeting.assembly_id))
        .join(Dossier, col(Dossier.id) == col(Meeting.dossier_id))
        .join(Mail, col(Mail.dossier_id) == col(Meeting.dossier_id))
        .where(col(Meeting.organisation_id).in_(organisations), col(Dossier.state).in_(_SHOWN))
    )


def _lines(session: Session, found: Sequence[tuple[Meeting, Assembly, Dossier, Mail]]) -> list[Line]:
    wanted = [meeting.dossier_id for meeting, *_ in found]
    counts = _counts(session, wanted)
    return [
        Line(meeting, assembly.name, standing_of(meeting, dossier, mail), *counts.get(meeting.dossier_id, (0, 0, 0)))
        for meeting, assembly, dossier, mail in found
    ]


def _counts(session: Session, dossier_ids: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Return how many are convened, how many of them answered, and how many nothing reaches, by dossier."""
    unknown, failed = Presence.UNKNOWN.value, RecipientState.FAILED.value
    asked = (
        select(
            Convened.dossier_id,
            func.count(),
            func.count().filter(col(Convened.presence) != unknown),
            func.count().filter(col(MailRecipient.state) == failed),
        )
        .join(MailRecipient, col(MailRecipient.id) == col(Convened.recipient_id))
        .where(col(Convened.dossier_id).in_(dossier_ids))
        .group_by(col(Convened.dossier_id))
    )
    return {one: (every, answered, lost) for one, every, answered, lost in session.exec(asked)} if dossier_ids else {}


def _place(told: str) -> tuple[datetime, str] | None:
    """Return where a page of the past begins.

    Raises:
        UsageError: the address was altered.
    """
    if not told:
        return None
    moment, _, identifier = told.partition("~")
    try:
        return clock.from_iso(moment), identifier
    except ValueError as error:
        raise UsageError(_t("wrong.page")) from error
