"""Folders that a flow made for its dossier: what the flow put there is not the sending desk's to change.

An administrator configured which way they take. Whoever sends one that came back as a draft says words, chooses the desks of its
variable steps, and gives the metadata that its kind asks for and its flow left empty: nothing that would change what is approved,
or by whom. What a folder was made with stands in its history, so that a flow can hold to it what comes out of the circuit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from core.errors import Conflict, Forbidden, UsageError
from core.messages import Catalogue
from signing.parapheur import typology
from signing.parapheur.circuits import Step
from signing.parapheur.models import Circuit, Folder, FolderDocument, FolderEvent, StepKind, Task

_messages = Catalogue("signing.parapheur")
_MADE = ("created", "renewed")
_GIVEN, _DEPOSITED = "given", "deposited"
SIGNS = frozenset({StepKind.SIGNATURE.value, StepKind.SEAL.value, StepKind.EXTERNAL.value})
"""Kinds of step that leave the documents signed."""


def made_with(folder: Folder, documents: Sequence[FolderDocument]) -> dict[str, Any]:
    """Return what the event that makes a folder tells of it: its subtype, keys of metadata, digests of documents."""
    return {"subtype": folder.subtype_id, _GIVEN: sorted(folder.fields), _DEPOSITED: _digests(documents)}


def refuse_other_content(folder: Folder) -> None:
    """Go on only if what a folder holds is its desk's to change.

    Raises:
        Forbidden: its flow gave it.
    """
    if folder.bound:
        raise Forbidden(_messages("folder.bound"))


def refuse_other_fields(session: Session, folder: Folder, wanted: Mapping[str, str]) -> None:
    """Go on only if these metadata are those of a folder, or differ from them where its desk has to give them.

    Raises:
        Forbidden: its flow gave them, or its kind does not ask for them.
    """
    changed = {key for key in {*wanted, *folder.fields} if wanted.get(key) != folder.fields.get(key)}
    if folder.bound and changed - to_give(session, folder):
        raise Forbidden(_messages("folder.bound"))


def to_give(session: Session, folder: Folder) -> set[str]:
    """Return the keys of the metadata that the kind of a bound folder asks for, and that its flow did not give."""
    uses = typology.kind_of(session, folder.subtype_id).options.fields if folder.subtype_id else ()
    given = _made(session, folder).get(_GIVEN, folder.fields)
    return {use.key for use in uses if use.mandatory} - set(given)


def refuse_unsigned(session: Session, folder: Folder, passed: Sequence[Task]) -> None:
    """Go past tasks only if the folder may do without them: a PES leaves with its bordereaux signed, or not at all.

    Raises:
        Conflict: one of them signs a PES.
    """
    kind = typology.kind_of(session, folder.subtype_id) if folder.subtype_id else None
    is_pes = kind is not None and kind.signing.protocol is typology.Protocol.HELIOS
    if is_pes and any(task.kind in SIGNS for task in passed):
        raise Conflict(_messages("bypass.pes"))


def refuse_no_signature(folder: Folder, kind: typology.Kind, circuit: Circuit, steps: Iterable[Step]) -> None:
    """Start only in a circuit at whose end the folder can leave: what a flow asks to be signed is asked of somebody in it.

    A PES that its software has signed is not asked about, and goes its way.

    Raises:
        UsageError: it is a PES, and no step of the circuit signs.
    """
    is_pes = folder.bound and kind.signing.protocol is typology.Protocol.HELIOS
    if is_pes and not signs(steps):
        raise UsageError(_messages("circuit.pes", circuit=circuit.name, kind=kind.full_name))


def signs(steps: Iterable[Step]) -> bool:
    """Tell whether a step among these leaves the documents signed."""
    return any(step.kind.value in SIGNS for step in steps)


def as_made(session: Session, folder: Folder, documents: Sequence[FolderDocument]) -> bool:
    """Tell whether a folder is still of the subtype, and still holds the documents, with which its flow made it.

    One that was made before this was written down is taken as it is.
    """
    made = _made(session, folder)
    if not folder.bound or _DEPOSITED not in made:
        return True
    return bool((made["subtype"], made[_DEPOSITED]) == (folder.subtype_id, _digests(documents)))


def _made(session: Session, folder: Folder) -> dict[str, Any]:
    """Return what the event that made a folder tells, of its last round when there were several."""
    wanted = select(FolderEvent.facts).where(FolderEvent.folder_id == folder.id, col(FolderEvent.kind).in_(_MADE))
    return dict(session.exec(wanted.order_by(col(FolderEvent.number).desc())).first() or {})


def _digests(documents: Sequence[FolderDocument]) -> list[str]:
    """Return the digests, as deposited, of the documents that came with a folder."""
    return sorted(one.source_sha256 for one in documents if one.added_at is None)
