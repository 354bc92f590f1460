"""What recipients do over and over once they have withdrawn: written down where it proves something more, counted elsewhere.

Whoever holds a link can open it again, and take a document again, as often as they like; each event is a leaf of the journal for
ever. The first of a day proves that it was opened, from there, as it stood: the like of it is counted at that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from core import clock
from core.database import ScopedSession
from flows.mail import door, events
from flows.mail.events import EventKind
from flows.mail.models import MailEvent, MailRecipient

SAME_FOR = timedelta(days=1)
"""For how long the like of an event is counted at it."""
MOST = 20
"""How many events about the same thing are written in that time, wherever they come from."""


def record(
    session: ScopedSession,
    recipient: MailRecipient,
    kind: EventKind,
    facts: Mapping[str, Any],
    *,
    about: Mapping[str, Any],
    like: Mapping[str, Any],
) -> None:
    """Write an event, or count it at one that was written lately.

    Args:
        session: one that may write; it holds the recipient, so that of two at once one comes second.
        recipient: of whom.
        kind: what they did again.
        facts: what proves it.
        about: facts by which it is about the same thing.
        like: those by which it is the same altogether.
    """
    now = clock.now()
    lately = select(MailEvent).where(
        MailEvent.recipient_id == recipient.id, MailEvent.kind == kind.value, col(MailEvent.at) > now - SAME_FOR
    )
    known = [one for one in session.exec(lately.order_by(col(MailEvent.id).desc())) if about.items() <= one.facts.items()]
    same = next((one for one in known if like.items() <= one.facts.items()), known[0] if len(known) >= MOST else None)
    if same is None:
        events.record(session, recipient, kind, facts, actor=door.actor(recipient))
    else:
        same.again, same.again_at = same.again + 1, now
        session.add(same)
