"""Metadata that people give in the circuit: those that their step asks for and no other; what changes is told with both values.

One that its kind does not let change in the circuit is given once: by whoever sends the folder, or at the first step that asks
for it when it is still empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from core.errors import UsageError
from core.messages import Catalogue
from signing.parapheur import metadata, typology
from signing.parapheur.history import Said
from signing.parapheur.models import Folder

_messages = Catalogue("signing.parapheur")
_CHANGED = "fields"


def fixed(session: Session, folder: Folder) -> set[str]:
    """Return the keys of the metadata of a folder that nobody may change in its circuit any more."""
    uses = typology.kind_of(session, folder.subtype_id).options.fields if folder.subtype_id else ()
    return {use.key for use in uses if not use.editable and use.key in folder.fields}


def of_several(folder: Folder, said: Said) -> Said:
    """Return what is said to several folders at once as one of them takes it: what it bears already is not written over."""
    return replace(said, fields={key: value for key, value in said.fields.items() if key not in folder.fields})


def check(session: Session, folder: Folder, asked: Sequence[str], said: Said) -> dict[str, str]:
    """Return the metadata of a folder as they would be once what a step asks for is answered.

    Answers to what the step does not ask are those to another one: several folders are answered at once.

    Args:
        session: to read the declared metadata.
        folder: that is answered.
        asked: keys of the metadata that the step asks for; all are mandatory.
        said: the answers, among what else is said.

    Raises:
        UsageError: an answer is missing, does not read as its kind, or would change what is fixed; the message names them.
    """
    declared = metadata.declared(session, folder.organisation_id)
    given = {key: value for key, value in said.fields.items() if key in asked}
    found = metadata.checked(declared, given, asked, folder.fields)
    if changed := [key for key in fixed(session, folder) if found.get(key) != folder.fields[key]]:
        names = ", ".join(declared[key].name if key in declared else key for key in sorted(changed))
        raise UsageError(_messages("metadata.fixed", names=names))
    return found


def keep(session: Session, folder: Folder, asked: Sequence[str], said: Said) -> dict[str, Any]:
    """Keep the answers to a step, and return what its event tells of them: by key, what stood there and what stands there now.

    Raises:
        UsageError: see ``check``.
    """
    before, after = folder.fields, check(session, folder, asked, said)
    folder.fields = after
    session.add(folder)
    changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    return {_CHANGED: {key: {"before": before.get(key), "after": after.get(key)} for key in changed}} if changed else {}


def put_back(session: Session, folder: Folder, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Put the metadata back that an act has changed, as its event tells, and return what the event of its undoing tells."""
    changed = facts.get(_CHANGED, {})
    if not changed:
        return {}
    before = {key: values["before"] for key, values in changed.items() if values["before"] is not None}
    folder.fields = {key: value for key, value in folder.fields.items() if key not in changed} | before
    session.add(folder)
    return {_CHANGED: {key: {"before": values["after"], "after": values["before"]} for key, values in changed.items()}}
