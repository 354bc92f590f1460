"""Proxies (*pouvoirs*): one member votes for another who is away, and who may take it back at any time (CGCT, L. 2121-20).

A member gives one and holds one at most; neither guests nor alternates do. That whoever holds one will be away themselves
is said, and keeps nobody from giving it: this is a forecast, the chair has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import Conflict, UsageError
from core.messages import Catalogue
from flows.mail.convening.meetings import Convocation, Seat
from flows.mail.convening.models import Presence

_t = Catalogue("flows.mail.convening")
AWAY = frozenset({Presence.ABSENT.value, Presence.PROXY.value})


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody to whom a proxy may be given."""

    recipient_id: str
    name: str


def givers(seats: Sequence[Seat], recipient_id: str) -> list[Seat]:
    """Return those whose proxy somebody holds: one at most."""
    return [seat for seat in seats if seat.convened.proxy_to == recipient_id]


def receiver_of(known: Convocation, giver: Seat, proxy_to: str | None) -> Seat:
    """Return to whom a proxy is given.

    Raises:
        UsageError: the assembly knows none, the giver is no member who votes, nor is the receiver, or both are the same.
        Conflict: the receiver holds another's already.
    """
    if not giver.votes:
        raise UsageError(_t("proxy.guest" if giver.member is None else "proxy.alternate"))
    if not known.assembly.proxies:
        raise UsageError(_t("proxy.none"))
    found = next((one for one in known.seats if one.recipient.id == proxy_to), None)
    if found is None or not found.votes:
        raise UsageError(_t("proxy.receiver"))
    if found.recipient.id == giver.recipient.id:
        raise UsageError(_t("proxy.self"))
    if not _is_free(known, giver, found):
        raise Conflict(_t("proxy.taken", name=found.name))
    return found


def receivers(known: Convocation, giver: Seat) -> Iterator[Receiver]:
    """Yield to whom somebody may give a proxy: whoever holds none yet and did not say that they will be away."""
    if not (known.assembly.proxies and giver.votes):
        return
    for other in known.seats:
        coming = giver.convened.proxy_to == other.recipient.id or other.convened.presence not in AWAY
        if other.votes and other.recipient.id != giver.recipient.id and coming and _is_free(known, giver, other):
            yield Receiver(other.recipient.id, other.name)


def _is_free(known: Convocation, giver: Seat, receiver: Seat) -> bool:
    return all(one.recipient.id == giver.recipient.id for one in givers(known.seats, receiver.recipient.id))
