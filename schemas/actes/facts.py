"""What was read of a message or an envelope, as JSON values: identifiers, dates, counts, names."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from schemas.actes.messages import (
    Acte,
    AnomalieActe,
    AnomalieEnveloppe,
    ARActe,
    Document,
    EnveloppeCLMISILL,
    EnveloppeMISILLCL,
    Message,
    RetourClassification,
)

# Fields of messages that are a fact as they stand; the name that the fact bears is the field's own.
_PLAIN = ("id_acte", "letter_date", "reception_date", "deposit_date", "anomaly_date", "classification_date")


def facts_of(document: Document) -> dict[str, Any]:
    """Return the facts of a message or an envelope."""
    if isinstance(document, EnveloppeCLMISILL):
        return {"direction": "to-state", **_sent(document)}
    if isinstance(document, EnveloppeMISILLCL):
        return {
            "direction": "from-state",
            "office": None if document.sender is None else str(document.sender),
            "recipient": document.recipient,
            "messages": [form.name for form in document.forms],
        }
    return {"code": document.code.value, "direction": document.code.direction.value} | _of_message(document)


def _of_message(message: Message) -> dict[str, Any]:
    facts = {name: _json(getattr(message, name)) for name in _PLAIN if hasattr(message, name)}
    if isinstance(message, Acte):
        facts |= _of_act(message)
    if isinstance(message, ARActe | AnomalieActe):
        facts["current_classification_date"] = _json(message.current_classification_date)
        facts["received"] = None if message.received is None else _of_act(message.received)
    if isinstance(message, AnomalieActe | AnomalieEnveloppe):
        facts |= {"nature": message.nature, "detail": message.detail}
    if isinstance(message, AnomalieEnveloppe):
        facts["received"] = None if message.received is None else _sent(message.received)
    if isinstance(message, RetourClassification):
        facts |= {
            "classification_date": _json(message.classification.version),
            "natures": len(message.classification.natures),
            "matieres": sum(1 for _ in message.classification.walk()),
        }
    if message.files:
        facts["documents"] = [file.name for file in message.files]
    return facts


def _of_act(act: Acte) -> dict[str, Any]:
    return {
        "decision_date": _json(act.decision_date),
        "number": act.number,
        "nature": act.nature,
        "matiere": act.matiere,
        "subject": act.subject.strip(),
        "classification_date": _json(act.classification_date),
        "annexes": len(act.annexes),
        "paper": act.paper,
        "previous": act.previous,
    }


def _sent(envelope: EnveloppeCLMISILL) -> dict[str, Any]:
    return {
        "sender": asdict(envelope.sender),
        "addresses": list(envelope.addresses),
        "messages": [form.name for form in envelope.forms],
    }


def _json(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
