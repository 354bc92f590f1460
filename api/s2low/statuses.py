"""Where transactions stand, in the numbers of S2LOW: of acts by the states of the flow, of the others by their messages."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from flows.actes.models import ActesMessage, MessageState
from schemas.actes.codes import MessageCode


class Status(IntEnum):
    """The statuses that are told here."""

    ERROR = -1
    CANCELLED = 0
    POSTED = 1
    WAITING = 2
    SENT = 3
    ACKNOWLEDGED = 4
    VALIDATED = 5
    DOCUMENT_RECEIVED = 7
    ACKNOWLEDGEMENT_SENT = 8
    ARCHIVED = 13
    TO_BE_SIGNED = 18
    DOCUMENT_WITHOUT_ACKNOWLEDGEMENT = 21


LABELS = {
    -1: "Erreur",
    0: "Annulé",
    1: "Posté",
    2: "En attente de transmission",
    3: "Transmis",
    4: "Acquittement reçu",
    5: "Validé",
    6: "Refusé",
    7: "Document reçu",
    8: "Acquittement envoyé",
    11: "Acquittement reçu pour la réponse",
    12: "Envoyé au SAE",
    13: "Archivé par le SAE",
    14: "Erreur lors de l'archivage",
    16: "Détruite",
    17: "En attente d'être postée",
    18: "En attente d'être signée",
    19: "En attente de transmission au SAE",
    20: "Erreur lors de l'envoi au SAE",
    21: "Document reçu (pas d'AR)",
    22: "Erreur SAE, documents indisponibles",
}
"""All statuses, in the words of the interface: French whatever language is asked for."""

_OF_STATE = {
    "received": Status.POSTED,
    "checked": Status.POSTED,
    "proceeding": Status.TO_BE_SIGNED,
    "in_parapheur": Status.TO_BE_SIGNED,
    "validated": Status.POSTED,
    "ready": Status.POSTED,
    "packed": Status.WAITING,
    # Nobody knows that it left: software that waits goes on waiting.
    "uncertain": Status.WAITING,
    "sent": Status.SENT,
    "acknowledged": Status.ACKNOWLEDGED,
    "answering": Status.ACKNOWLEDGED,
    "elapsed": Status.VALIDATED,
    "archived": Status.ARCHIVED,
    "withdrawn": Status.CANCELLED,
    "cancelled": Status.CANCELLED,
    "rejected": Status.ERROR,
    "refused": Status.ERROR,
    "declined": Status.ERROR,
    "given_up": Status.ERROR,
}
_OF_OUTGOING = {
    MessageState.TO_SEND.value: Status.POSTED,
    MessageState.PACKED.value: Status.WAITING,
    MessageState.UNCERTAIN.value: Status.WAITING,
    MessageState.SENT.value: Status.SENT,
    MessageState.REFUSED.value: Status.ERROR,
}
LETTERS = (
    MessageCode.COURRIER_SIMPLE.value,
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE.value,
    MessageCode.LETTRE_OBSERVATIONS.value,
    MessageCode.DEFERE_TA.value,
)
"""What the préfecture sends that is a transaction of its own."""

_ACKNOWLEDGED_HERE = {
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE.value: MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE.value,
    MessageCode.LETTRE_OBSERVATIONS.value: MessageCode.AR_LETTRE_OBSERVATIONS.value,
}


def of_state(state: str) -> Status:
    """Return the status of an act, by its state."""
    return _OF_STATE[state]


def states_of(status: int) -> tuple[str, ...]:
    """Return the states of acts that are told by a status; none for a status that acts do not have here."""
    return tuple(state for state, told in _OF_STATE.items() if told == status)


def of_message(message: ActesMessage, messages: Sequence[ActesMessage]) -> Status:
    """Return the status of a letter, an answer or a cancellation.

    Args:
        message: which one.
        messages: all those of its act.
    """
    if not message.outgoing:
        expected = _ACKNOWLEDGED_HERE.get(message.code)
        if expected is None:
            return Status.DOCUMENT_WITHOUT_ACKNOWLEDGEMENT
        sent = any(
            one.code == expected and one.answers_id == message.id and one.state == MessageState.SENT.value for one in messages
        )
        return Status.ACKNOWLEDGEMENT_SENT if sent else Status.DOCUMENT_RECEIVED
    return Status.ACKNOWLEDGED if receipt_of(message, messages) else _OF_OUTGOING[message.state]


def receipt_of(message: ActesMessage, messages: Sequence[ActesMessage]) -> ActesMessage | None:
    """Return the State's acknowledgement of an answer or of a cancellation; None before it came."""
    return next((one for one in messages if not one.outgoing and one.answers_id == message.id), None)
