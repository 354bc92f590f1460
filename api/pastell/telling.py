"""What software reads of entities and documents, in the keys of the interface: numbers as texts, moments in local time."""

from __future__ import annotations

from typing import Any

from api.pastell import words
from api.pastell.calls import Call, moment
from api.pastell.finding import Document
from api.pastell.numbers import numbers_of
from api.pastell.standing import EDITABLE, RESENT
from core.organisations import Organisation
from flows.mail.keeping import ENDED, TAKEN
from flows.mail.models import MailRecipient, NoticeState, Place, RecipientState

_MESSAGES = {"creation": words.CREATED, "modification": words.MODIFIED}


def entity(organisation: Organisation, number: int, parent: int) -> dict[str, Any]:
    """Return an entity; one above which nothing is seen stands at the root."""
    return {
        "id_e": str(number),
        "denomination": organisation.name,
        "siren": organisation.siren or "",
        "type": "collectivite",
        "centre_de_gestion": "0",
        "entite_mere": str(parent),
        "is_active": True,
    }


def line(document: Document) -> dict[str, Any]:
    """Return a document as lists show it."""
    state = document.state
    return {
        "id_d": document.dossier.id,
        "id_e": str(document.id_e),
        "role": "editeur",
        "last_action": state,
        "last_action_date": since(document),
        "last_type": words.TYPE,
        "type": words.TYPE,
        "titre": document.mail.subject,
        "creation": moment(document.dossier.created),
        "modification": _modified(document),
        **{name: value for name, value in entity(document.entity, document.id_e, 0).items() if name not in {"id_e", "type"}},
        "date_inscription": moment(document.entity.created),
        "entite_base": document.entity.name,
        "entite": [],
        "last_action_display": words.ACTIONS[state]["name"],
    }


def detail(call: Call, document: Document) -> dict[str, Any]:
    """Return a document in full."""
    state = document.state
    possible = _possible(call, document)
    told = {
        "info": {
            "id_d": document.dossier.id,
            "type": words.TYPE,
            "titre": document.mail.subject,
            "creation": moment(document.dossier.created),
            "modification": _modified(document),
        },
        "data": _data(document) or [],
        "action_possible": possible,
        "action-possible": possible,
        "last_action": {"action": state, "message": _message(document, state), "date": since(document)},
    }
    return told if state in EDITABLE else told | {"email_info": _recipients(call, document)}


def missing(document: Document) -> str:
    """Return what keeps a document from being sent, by its fields alone; nothing when its form is complete."""
    row = document.row
    if row is not None and row.password_hash and not row.confirmed:
        return words.PASSWORDS_DIFFER
    needed = (("to", document.recipients), ("objet", document.mail.subject), ("message", document.mail.body.strip()))
    absent = next((words.FIELDS[name]["name"] for name, value in needed if not value), None)
    return "" if absent is None else words.INCOMPLETE.format(label=absent)


def changed(call: Call, document: Document) -> dict[str, Any]:
    """Return what a change of a document is answered."""
    wrong = missing(document)
    return {"content": detail(call, document), "result": "ok", "formulaire_ok": int(not wrong), "message": wrong}


def addressed(one: MailRecipient) -> str:
    """Return a recipient as a field has them."""
    return f'"{one.name}" <{one.address}>' if one.name else one.address


def _data(document: Document) -> dict[str, Any]:
    places = {place.value: [addressed(one) for one in document.recipients if one.place == place] for place in Place}
    asked = any(one.password_hash for one in document.recipients) or bool(document.row and document.row.password_hash)
    told: dict[str, Any] = {place: ", ".join(found) for place, found in places.items()}
    told |= {"password": words.MASKED, "password2": words.MASKED} if asked else {}
    told |= {"objet": document.mail.subject, "message": document.mail.body}
    told["document_attache"] = [one.name for one in document.files]
    if document.state not in EDITABLE:
        told |= {"sent_mail_number": str(len(document.recipients)), "sent_mail_read": str(document.taken)}
    return {name: value for name, value in told.items() if value}


def _possible(call: Call, document: Document) -> list[str]:
    if not call.may_edit(document.entity):
        return []
    state = document.state
    if state in EDITABLE:
        return ["modification", "supression", *(() if missing(document) else ("envoi",))]
    awaited = any(one.state not in ENDED for one in document.recipients)
    return ["renvoi"] if state in RESENT and awaited and document.dossier.state in {"ready", "sent"} else []


def _message(document: Document, state: str) -> str:
    if state == "send-mailsec-error":
        return " ".join(str(problem["message"]) for problem in document.dossier.problems)
    return _MESSAGES.get(state, str(words.ACTIONS[state]["name"]))


def _modified(document: Document) -> str:
    row = document.row
    return moment(row.modified if row is not None and row.modified is not None else document.dossier.created)


def since(document: Document) -> str:
    """Return when a document entered its state; for what recipients did, when the last did it: as ``standing.in_sql``."""
    state = document.state
    if state in EDITABLE - {"send-mailsec-error"}:
        return _modified(document)
    taken = [one.withdrawn for one in document.recipients if one.withdrawn is not None]
    return moment(max(taken) if taken and state.startswith("reception") else document.dossier.since)


def _recipients(call: Call, document: Document) -> list[dict[str, Any]]:
    numbers = numbers_of(call.platform, {one.id: one.organisation_id for one in document.recipients})
    return [_recipient(document, one, numbers[one.id]) for one in document.recipients]


def _recipient(document: Document, one: MailRecipient, number: int) -> dict[str, Any]:
    accepted = [
        notice for notice in document.notices if notice.recipient_id == one.id and notice.state == NoticeState.ACCEPTED.value
    ]
    again = [notice.accepted for notice in accepted if notice.occasion.startswith("again") and notice.accepted is not None]
    first = next((notice.accepted for notice in accepted if notice.accepted is not None), None) or document.dossier.since
    answer = next((found.text for found in document.answers if found.recipient_id == one.id), "")
    return {
        "id_de": number,
        "id_d": document.dossier.id,
        "email": addressed(one),
        "lu": int(one.state in TAKEN),
        "date_envoie": moment(first),
        "date_lecture": moment(one.withdrawn) if one.withdrawn is not None else words.NEVER,
        "type_destinataire": one.place,
        "date_renvoi": moment(again[-1] if again else first),
        "nb_renvoi": len(again),
        "reponse": answer,
        "has_error": int(one.state == RecipientState.FAILED.value),
        "last_error": one.trouble,
        "non_recu": int(one.state in {RecipientState.EXPIRED, RecipientState.REFUSED, RecipientState.REVOKED}),
    }
