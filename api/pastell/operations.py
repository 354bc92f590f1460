"""The operations, by their names in the interface; both generations of addresses lead here."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response
from sqlmodel import col, select

from api import downloads
from api.pastell import acting, drafting, telling, words
from api.pastell.calls import Call, Refusal
from api.pastell.finding import document_of, documents_of
from api.pastell.numbers import numbers_of
from core.organisations import Organisation
from core.principal import PLATFORM, Right
from flows.engine.models import DossierFile

_MOST_SEVERAL = 100
_LARGEST_TEXT = 1 << 20
_DIGITS = 4


def version(_call: Call) -> dict[str, Any]:
    """Tell which interface this is."""
    return {
        "version": words.VERSION,
        "revision": "tabellion",
        "last_changed_date": "",
        "extensions_versions_accepted": [],
        "version_complete": f"Version {words.VERSION} - Tabellion",
    }


def hello(_call: Call) -> dict[str, str]:
    """Tell what the oldest address of all tells."""
    return {"produit": "Pastell", "version": words.VERSION}


def entities(call: Call) -> list[dict[str, Any]]:
    """List the organisations in which whoever asks reads or sends."""
    found = _reached(call)
    numbers = numbers_of(call.platform, {one.id: one.id for one in found})
    return [telling.entity(one, numbers[one.id], numbers.get(one.parent_id or "", 0)) for one in found]


def entity(call: Call, id_e: str) -> dict[str, Any]:
    """Show an entity, and those right below it."""
    call.entity(id_e, Right.READ, words.ENTITY_NOT_FOUND)
    known = entities(call)
    found = next(one for one in known if one["id_e"] == id_e.strip().lstrip("0"))
    return {**found, "entite_fille": [{"id_e": one["id_e"]} for one in known if one["entite_mere"] == found["id_e"]]}


def _reached(call: Call) -> list[Organisation]:
    held = [one for one in call.principal.organisations if {Right.READ, Right.DEPOSIT} & call.principal.grants[one]]
    with call.platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(Organisation).where(col(Organisation.id).in_(held)).order_by(Organisation.path)))


def types(_call: Call) -> dict[str, Any]:
    """List the types of documents: one is done here."""
    return {words.TYPE: {"type": words.GROUP, "nom": words.TYPE_LABEL}}


def fields(_call: Call, type: str) -> dict[str, Any]:  # noqa: A002 - its name in the interface
    """Show the fields of a type."""
    _require_type(type)
    return words.FIELDS


def actions(_call: Call, type: str) -> dict[str, Any]:  # noqa: A002 - its name in the interface
    """Show the states and actions of a type."""
    _require_type(type)
    return words.ACTIONS


def _require_type(name: str) -> None:
    if name != words.TYPE:
        raise Refusal(words.NO_TYPE.format(type=name[:60]), 404)


def listed(call: Call, id_e: str) -> Any:
    """List the documents of an entity, or show several that are named."""
    found = call.entity(id_e, Right.READ)
    if named := call.told.values.get("id_d[]"):
        return {one: telling.detail(call, document_of(call, found, one)) for one in named[:_MOST_SEVERAL]}
    if "id_d" in call.told.values:
        raise Refusal(words.NOT_MANY)
    kind = call.value("type")
    if kind not in {"", words.TYPE}:
        raise call.no_right(id_e[:20], kind, Right.READ)
    return [telling.line(one) for one in documents_of(call, found)]


def created(call: Call, id_e: str) -> dict[str, Any]:
    """Make an empty document of the type that is named."""
    found = call.entity(id_e, Right.DEPOSIT)
    kind = call.value("type")
    if kind != words.TYPE:
        raise call.no_right(id_e[:20], kind, Right.DEPOSIT)
    document = drafting.create(call, found)
    return {**telling.detail(call, document), "id_d": document.dossier.id}


def detailed(call: Call, id_e: str, id_d: str) -> dict[str, Any]:
    """Show a document."""
    return telling.detail(call, document_of(call, call.entity(id_e, Right.READ), id_d))


def modified(call: Call, id_e: str, id_d: str) -> dict[str, Any]:
    """Change fields of a document."""
    return telling.changed(call, drafting.modify(call, call.entity(id_e, Right.DEPOSIT), id_d))


def attached(call: Call, id_e: str, id_d: str, field: str, num: str = "0") -> dict[str, Any]:
    """Give a document a file."""
    found = call.entity(id_e, Right.DEPOSIT)
    rank = _rank(field, num)
    return telling.changed(call, drafting.attach(call, found, id_d, rank, call.value("file_name")))


def detached(call: Call, id_e: str, id_d: str, field: str, num: str = "0") -> dict[str, Any]:
    """Take a file away from a document."""
    return telling.detail(call, drafting.detach(call, call.entity(id_e, Right.DEPOSIT), id_d, _rank(field, num)))


def _rank(field: str, num: str) -> int:
    if field.casefold() != words.FILES:
        raise Refusal(words.NO_FIELD.format(field=field[:60]))
    plain = num.strip() or "0"
    if not (plain.isascii() and plain.isdigit() and len(plain) <= _DIGITS):
        raise Refusal(words.NOT_A_NUMBER.format(name="num", found=num[:20]))
    return int(plain)


def file(call: Call, id_e: str, id_d: str, field: str, num: str = "0") -> Any:
    """Give a file of a document; with ``receive``, a text as JSON."""
    if call.value("receive") not in {"", "0", "false"}:
        return text(call, id_e, id_d, field, num)
    return downloads.document(call.platform, _file(call, id_e, id_d, field, num))


def text(call: Call, id_e: str, id_d: str, field: str, num: str = "0") -> dict[str, str]:
    """Give a file that is a text as JSON."""
    kept = _file(call, id_e, id_d, field, num)
    if kept.size > _LARGEST_TEXT:
        raise Refusal(words.NOT_JSON)
    with call.platform.objects.reading(kept.sha256) as source:
        octets = b"".join(source.stream(_LARGEST_TEXT))
    try:
        return {"file_name": kept.name, "file_content": octets.decode("utf-8")}
    except UnicodeDecodeError as error:
        raise Refusal(words.NOT_JSON) from error


def _file(call: Call, id_e: str, id_d: str, field: str, num: str) -> DossierFile:
    document = document_of(call, call.entity(id_e, Right.READ), id_d)
    plain = num.strip() or "0"
    known = field.casefold() == words.FILES and plain.isascii() and plain.isdigit() and len(plain) <= _DIGITS
    found = document.numbered.get(int(plain)) if known else None
    if found is None:
        raise Refusal(words.NO_FILE, 404)
    return found


def acted(call: Call, id_e: str, id_d: str, action: str) -> dict[str, Any]:
    """Do an action on a document."""
    document = document_of(call, call.entity(id_e, Right.DEPOSIT), id_d)
    return {"result": True, "message": acting.act(call, document, action)}


def deleted(call: Call, id_e: str, id_d: str) -> Response:
    """Give a draft up."""
    acting.delete(call, document_of(call, call.entity(id_e, Right.DEPOSIT), id_d))
    return Response(status_code=204)
