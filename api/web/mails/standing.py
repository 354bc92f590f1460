"""How a send and its recipients stand, in a clerk's eyes: colours, and what may be done now."""

from __future__ import annotations

from enum import StrEnum

from flows.mail.copying import STOPPED
from flows.mail.keeping import ENDED, TAKEN
from flows.mail.kinds import CONVOCATION
from flows.mail.models import MailRecipient, RecipientState
from flows.mail.reading import SeenMail
from flows.mail.standing import Standing

LEAVING = frozenset({Standing.CHECKING, Standing.READY, Standing.SENDING})
"""Standings that change within moments."""
MOVING = LEAVING | {Standing.VALIDATING, Standing.SENT, Standing.PARTLY}
"""Standings that may change while somebody looks on."""
_COLOURS = {
    Standing.VALIDATING: "amber",
    Standing.REJECTED: "red",
    Standing.TAKEN: "green",
    Standing.ARCHIVED: "green",
    Standing.CLOSED: "amber",
    Standing.CANCELLED: "amber",
}
_DECIDING = "in_parapheur"
_OF_STATES = {
    RecipientState.WITHDRAWN: "green",
    RecipientState.ANSWERED: "green",
    RecipientState.FAILED: "red",
    RecipientState.REFUSED: "red",
    RecipientState.DELAYED: "amber",
    RecipientState.EXPIRED: "amber",
    RecipientState.REVOKED: "amber",
}


class Deed(StrEnum):
    """What a clerk may do once a send is no draft any more; also the last part of the address of its page."""

    AGAIN = "renvoi"
    ADDRESS = "adresse"
    PASSWORD = "mot-de-passe"  # noqa: S105 - a part of an address
    REVOKE = "liens"
    CANCEL = "annulation"
    ADD = "ajout"
    PURGE = "destruction"
    COPY = "reprise"


OF_RECIPIENT = (Deed.AGAIN, Deed.ADDRESS, Deed.PASSWORD, Deed.REVOKE)
OF_SEND = (Deed.ADD, Deed.CANCEL, Deed.PURGE, Deed.COPY)


def colour(standing: Standing, *, failed: bool = False, parked: bool = False) -> str:
    """Return the colour of a send's tag."""
    return "amber" if parked else "red" if failed and standing in MOVING else _COLOURS.get(standing, "blue")


def state_colour(state: str) -> str:
    """Return the colour of a recipient's tag."""
    return _OF_STATES.get(RecipientState(state), "blue")


def is_open(seen: SeenMail) -> bool:
    """Tell whether the send has left, is not cancelled and not over: what it needs may still be mended."""
    return seen.dossier.state in {"ready", "sent"} and seen.mail.cancelled is None


def deeds_of_send(seen: SeenMail) -> tuple[Deed, ...]:
    """Return what may be done to a send now."""
    if is_open(seen):
        return (Deed.ADD, Deed.CANCEL)
    if seen.dossier.state == _DECIDING:
        return (Deed.CANCEL,)
    if seen.dossier.state in STOPPED and seen.mail.kind != CONVOCATION.name:  # a meeting is convened anew from its own page
        return (Deed.COPY,)
    return (Deed.PURGE,) if seen.dossier.state == "archived" and seen.mail.purged is None else ()


def deeds_of_recipient(seen: SeenMail, recipient: MailRecipient) -> tuple[Deed, ...]:
    """Return what may be done for a recipient now; what is most likely to be needed first."""
    if not is_open(seen):
        return ()
    secret = (Deed.PASSWORD,) if recipient.password_hash or recipient.blocked else ()
    if recipient.state in ENDED:
        return (*secret, Deed.REVOKE) if recipient.state in TAKEN else ()
    first = (Deed.ADDRESS, Deed.AGAIN) if recipient.state == RecipientState.FAILED else (Deed.AGAIN, Deed.ADDRESS)
    return (*first, *secret, Deed.REVOKE)
