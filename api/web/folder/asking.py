"""Metadata that people are asked for when they act, and what they answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlmodel import Session

from signing.docket.content import Field
from signing.docket.page import in_words
from signing.parapheur import answers, metadata
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Folder, MetadataField

_PREFIX = "champ."


@dataclass(frozen=True, slots=True)
class Asked:
    """A metadata to be given.

    Attributes:
        kind: a ``MetadataKind``.
        value: what the folder bears so far.
        fixed: it is shown and not asked again: the kind of folder does not let it be changed in the circuit.
    """

    key: str
    name: str
    kind: str
    choices: tuple[str, ...]
    value: str
    fixed: bool


def asked_of(session: Session, folder: Folder, keys: Iterable[str]) -> list[Asked]:
    """Return the metadata of these keys as a folder bears them, in their order."""
    wanted = list(keys)
    fields = metadata.declared(session, folder.organisation_id, wanted) if wanted else {}
    fixed = answers.fixed(session, folder) if wanted else set()
    return [
        Asked(
            key,
            fields[key].name if key in fields else key,
            fields[key].kind if key in fields else MetadataKind.TEXT.value,
            tuple(fields[key].choices) if key in fields else (),
            folder.fields.get(key, ""),
            key in fixed,
        )
        for key in wanted
    ]


def given(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that a form gives, by key; an empty answer is none."""
    return {
        name.removeprefix(_PREFIX): value.strip() for name, value in fields.items() if name.startswith(_PREFIX) and value.strip()
    }


def shown(value: str, field: MetadataField | None) -> str:
    """Return a value as people read it, as the docket writes it."""
    if field is None:
        return value
    return in_words(Field(field.name, MetadataKind(field.kind), value))
