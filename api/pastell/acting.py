"""Actions on a document: sending it, telling recipients again, giving a draft up."""

from __future__ import annotations

from collections.abc import Sequence

from api.pastell import words
from api.pastell.calls import Call, Refusal
from api.pastell.finding import Document
from api.pastell.numbers import numbers_of
from api.pastell.standing import EDITABLE
from api.pastell.telling import missing
from flows.mail import acting, intake
from flows.mail.keeping import ENDED
from flows.mail.models import MailRecipient

_ONE = ("id_de", "action_params[id_de]", "id_destinataire", "id_destinataire[]")


def act(call: Call, document: Document, action: str) -> str:
    """Do what an action means; return what is said of it.

    Raises:
        Refusal: there is no such action, or not now.
        TabellionError: rules that the document breaks, or somebody else acted in between.
    """
    if action == "envoi":
        return _send(call, document)
    if action == "renvoi":
        return _again(call, document)
    if action == "supression":
        delete(call, document)
        return words.DELETED
    if action == "non-recu":
        raise Refusal(words.NOT_DONE)
    if action not in words.ACTIONS:
        raise Refusal(words.NO_ACTION.format(action=action[:60]))
    raise Refusal(words.NOT_NOW.format(action=action, rule=words.NO_ROLE))


def _send(call: Call, document: Document) -> str:
    _require(document, "envoi", document.state in EDITABLE)
    if missing(document):
        raise Refusal(words.NOT_NOW.format(action="envoi", rule=words.INVALID))
    intake.send(call.platform, call.principal, document.dossier.id)
    return words.SENT


def _again(call: Call, document: Document) -> str:
    _require(document, "renvoi", document.dossier.state in {"ready", "sent"} and document.mail.cancelled is None)
    meant = _meant(call, document)
    if not meant:
        raise Refusal(words.NOBODY)
    for one in meant:
        acting.send_again(call.platform, call.principal, one.id)
    return words.AGAIN


def _meant(call: Call, document: Document) -> Sequence[MailRecipient]:
    """Return the recipient whom a call names, or all those who have not come to an end."""
    awaited = [one for one in document.recipients if one.state not in ENDED]
    named = call.value(*_ONE)
    if not named:
        return awaited
    numbers = numbers_of(call.platform, {one.id: one.organisation_id for one in document.recipients})
    return [one for one in awaited if str(numbers[one.id]) == named.strip()]


def delete(call: Call, document: Document) -> None:
    """Give a draft up; what has left is never taken back.

    Raises:
        Refusal: it has left.
    """
    _require(document, "supression", document.state in EDITABLE)
    intake.abandon(call.platform, call.principal, document.dossier.id)


def _require(document: Document, action: str, allowed: bool) -> None:
    if not allowed:
        raise Refusal(words.NOT_NOW.format(action=action, rule=words.LAST_STATE.format(state=document.state)))
