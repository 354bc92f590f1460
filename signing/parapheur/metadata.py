"""Metadata: what folders may bear beside their documents, each a text that reads as its kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from urllib.parse import urlsplit

from sqlmodel import Session, col, select

from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from signing.parapheur.models import Circuit, MetadataField, Subtype

_messages = Catalogue("signing.parapheur")
LONGEST_VALUE = 1000
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,59}")
_TRUE, _FALSE = {"true", "1", "oui", "vrai"}, {"false", "0", "non", "faux"}
Value = str | bool | Decimal | date


class MetadataKind(StrEnum):
    """How the text of a value reads."""

    TEXT = "text"
    DATE = "date"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    URL = "url"


def declare(
    session: Session, organisation_id: str, key: str, name: str, kind: MetadataKind, choices: Sequence[str] = ()
) -> MetadataField:
    """Declare a metadata of an organisation.

    Raises:
        UsageError: a malformed key or name, a choice that does not read as the kind.
        Conflict: the key is taken.
    """
    if not _KEY.fullmatch(key) or not 0 < len(name.strip()) <= 120:
        raise UsageError(_messages("metadata.key"))
    taken = select(MetadataField.id).where(MetadataField.organisation_id == organisation_id, MetadataField.key == key)
    if session.exec(taken).first():
        raise Conflict(_messages("metadata.taken", key=key))
    written = [written_as(choice, kind, name) for choice in choices]
    field = MetadataField(organisation_id=organisation_id, key=key, name=name.strip(), kind=kind.value, choices=written)
    session.add(field)
    session.flush()
    return field


def declared(session: Session, organisation_id: str, keys: Iterable[str] | None = None) -> dict[str, MetadataField]:
    """Return the metadata of an organisation by key, by name; or those that are named."""
    wanted = select(MetadataField).where(MetadataField.organisation_id == organisation_id).order_by(MetadataField.name)
    if keys is not None:
        wanted = wanted.where(col(MetadataField.key).in_(list(keys)))
    return {field.key: field for field in session.exec(wanted)}


def field_of(session: Session, field_id: str) -> MetadataField:
    """Return a metadata.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    found = session.exec(select(MetadataField).where(MetadataField.id == field_id)).first()
    if found is None:
        raise NotFound(_messages("metadata.absent"))
    return found


def change(session: Session, field: MetadataField, name: str, choices: Sequence[str]) -> None:
    """Give a metadata another name or other choices; its key and its kind stay, folders bear values of them.

    Raises:
        UsageError: a malformed name, a choice that does not read as the kind.
    """
    if not 0 < len(name.strip()) <= 120:
        raise UsageError(_messages("metadata.key"))
    field.choices = [written_as(choice, MetadataKind(field.kind), name) for choice in choices]
    field.name = name.strip()
    session.add(field)


def withdraw(session: Session, field: MetadataField) -> None:
    """Take a metadata away; folders keep the values that they bear.

    Raises:
        Conflict: subtypes or circuits use it; the message says which.
    """
    if users := users_of(session, field):
        raise Conflict(_messages("metadata.used", name=field.name, users=", ".join(users)))
    session.delete(field)
    session.flush()


def users_of(session: Session, field: MetadataField) -> list[str]:
    """Return the names of the subtypes and circuits in force that use a metadata."""
    kinds = select(Subtype).where(Subtype.organisation_id == field.organisation_id, col(Subtype.closed).is_(None))
    users = [_messages("metadata.used.subtype", name=kind.name) for kind in session.exec(kinds) if _asks(kind, field.key)]
    in_force = select(Circuit).where(Circuit.organisation_id == field.organisation_id, col(Circuit.current).is_(True))
    users += [
        _messages("metadata.used.circuit", name=circuit.name)
        for circuit in session.exec(in_force)
        if any(field.key in (*step["approval_fields"], *step["rejection_fields"]) for step in circuit.steps)
    ]
    return users


def _asks(kind: Subtype, key: str) -> bool:
    used = {use["key"] for use in kind.options.get("fields", [])}
    asked = {condition["field"] for row in kind.choice for condition in row["when"]}
    return key in used | asked


def read(text: str, kind: MetadataKind) -> Value:
    """Return what a text says; a decimal comma is a point, spaces of thousands are nothing.

    Raises:
        ValueError: it does not read as the kind.
    """
    text = text.strip()
    if kind is MetadataKind.DATE:
        return date.fromisoformat(text)
    if kind in {MetadataKind.INTEGER, MetadataKind.DECIMAL}:
        return _number(text, whole=kind is MetadataKind.INTEGER)
    if kind is MetadataKind.BOOLEAN:
        if text.casefold() not in _TRUE | _FALSE:
            raise ValueError(text)
        return text.casefold() in _TRUE
    if kind is MetadataKind.URL and urlsplit(text).scheme not in {"http", "https"}:
        raise ValueError(text)
    return text


def _number(text: str, *, whole: bool) -> Decimal:
    try:
        number = Decimal(re.sub(r"[\s\u00a0\u202f]", "", text).replace(",", "."))
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not number.is_finite() or (whole and number != number.to_integral_value()):
        raise ValueError(text)
    return number


def written_as(text: str, kind: MetadataKind, name: str, choices: Sequence[str] = ()) -> str:
    """Return a value as it is kept: one way to write each.

    Raises:
        UsageError: too long, does not read as the kind, not among the choices.
    """
    # No-break spaces come with numbers and words that people copy; Python does not call them printable.
    if len(text) > LONGEST_VALUE or not re.sub(r"[\n\u00a0\u202f]", " ", text).isprintable():
        raise UsageError(_messages("metadata.long", name=name, most=LONGEST_VALUE))
    try:
        value = read(text, kind)
    except ValueError as error:
        raise UsageError(_messages(f"metadata.kind.{kind.value}", name=name, found=text[:60])) from error
    kept = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    if choices and kept not in choices:
        raise UsageError(_messages("metadata.choice", name=name, found=text[:60], expected=", ".join(choices)))
    return kept


def checked(
    fields: Mapping[str, MetadataField], given: Mapping[str, str], mandatory: Iterable[str], kept: Mapping[str, str]
) -> dict[str, str]:
    """Return the values to keep once those given are put over those there; an empty one takes the value away.

    ``false`` is a value, not an absence. A key that is not declared is kept as text: software may add its own.

    Raises:
        UsageError: a value does not read as its kind, or a mandatory one is missing; the message names them.
    """
    merged = dict(kept)
    for key, text in given.items():
        if not text.strip():
            merged.pop(key, None)
        elif key in fields:
            field = fields[key]
            merged[key] = written_as(text, MetadataKind(field.kind), field.name, field.choices)
        elif _KEY.fullmatch(key):
            merged[key] = written_as(text, MetadataKind.TEXT, key)
        else:
            raise UsageError(_messages("metadata.key"))
    missing = [fields[key].name if key in fields else key for key in mandatory if key not in merged]
    if missing:
        raise UsageError(_messages("metadata.missing", names=", ".join(missing)))
    return merged
