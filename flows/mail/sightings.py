"""That something asked for the page of a link: written down as an indication, and guessed whether it was a machine.

Gateways open links within seconds, some with a whole browser: nothing here counts for anything, and no state follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlmodel import col, select

from core import clock
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail import events
from flows.mail.events import EventKind
from flows.mail.models import MailEvent, MailNotice, MailRecipient

_MOST = 20
"""Indications kept of one recipient: a gateway that asks all day long fills no journal."""
_LOOKED_AT = 200
_AT_ONCE, _TOGETHER = timedelta(seconds=5), timedelta(minutes=1)
_MACHINE = re.compile(r"bot|crawl|spider|scan|preview|proofpoint|barracuda|headless|curl|wget|python|go-http", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """From where somebody acts; personal data, which stand in events and never in the journal.

    Attributes:
        ip: network address; ``agent`` and ``language`` as the browser names itself and what it prefers.
        tls: ``https`` or ``http``, as people reach the platform.
        method: of the request.
    """

    ip: str = ""
    agent: str = ""
    language: str = ""
    tls: str = ""
    method: str = ""


def look(platform: Platform, notice: MailNotice, circumstances: Circumstances) -> None:
    """Write down that something asked for the page, unless the like of it is written down already."""
    with platform.database.reading(PLATFORM) as session:
        seen = session.exec(
            select(MailEvent)
            .where(MailEvent.dossier_id == notice.dossier_id, MailEvent.kind == EventKind.OPENED.value)
            .order_by(col(MailEvent.id).desc())
            .limit(_LOOKED_AT)
        ).all()
    own = [event.facts for event in seen if event.recipient_id == notice.recipient_id]
    told = asdict(circumstances)
    if len(own) >= _MOST or any(told.items() <= facts.items() for facts in own):
        return
    automatic = is_automatic(notice, circumstances, seen)
    with platform.database.writing(PLATFORM) as session:
        recipient = session.get_one(MailRecipient, notice.recipient_id)
        if recipient.opened is None and not automatic:
            recipient.opened = clock.now()
            session.add(recipient)
        events.record(session, recipient, EventKind.OPENED, {**told, "notice": notice.id, "automatic": automatic})


def is_automatic(notice: MailNotice, circumstances: Circumstances, seen: Sequence[MailEvent]) -> bool:
    """Guess whether a machine asked: not for the page itself, at once after the message, or for several people at a time."""
    now = clock.now()
    others = (
        event.facts.get("ip") == circumstances.ip and event.at > now - _TOGETHER
        for event in seen
        if event.recipient_id != notice.recipient_id
    )
    return (
        circumstances.method == "HEAD"
        or (notice.accepted is not None and now - notice.accepted < _AT_ONCE)
        or not circumstances.agent.startswith("Mozilla/")
        or _MACHINE.search(circumstances.agent) is not None
        or any(others)
    )
