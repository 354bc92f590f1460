"""The form of a draft: what was typed, held against the kind of folder, with what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session
from starlette.requests import Request

from core.errors import NotFound, UsageError
from core.messages import Catalogue
from signing.parapheur import binding, desks, folders, metadata, typology
from signing.parapheur.drafting import Change
from signing.parapheur.history import Said
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Desk, Folder, Visibility
from signing.parapheur.typology import FieldUse, Kind

_t = Catalogue("api.web.draft")
_MOST_FIELDS = 500
MOST_VARIABLES = 50


async def _given(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    return {name: value for name, value in form.items() if isinstance(value, str) and "\x00" not in value}


Given = Annotated[dict[str, str], Depends(_given)]


@dataclass(frozen=True, slots=True)
class Question:
    """A metadata as the form asks for it.

    Attributes:
        anchor: of its field in the page.
        kind: a ``MetadataKind``.
        choices: the values admitted, as kept; any when empty.
        value: as typed, or as kept.
    """

    anchor: str
    input: str
    name: str
    kind: str
    mandatory: bool
    choices: tuple[str, ...]
    value: str


@dataclass(slots=True)
class Typed:
    """A draft as it would be with what was typed.

    Attributes:
        values: of the form, by name of their fields.
        kind: of folder; None while nobody has chosen.
        bound: a flow gave what the folder holds: only words, desks and the metadata that are asked for here change.
        fields: metadata that read as their kind; ``cleared`` those of another kind of folder, which go.
        variables: desks chosen for the variable steps, in their order; empty where none is.
        problems: what is wrong, by anchor of the field, in the order of the page.
    """

    values: dict[str, str]
    bound: bool = False
    kind: Kind | None = None
    title: str = ""
    due: date | None = None
    visibility: Visibility = Visibility.CONFIDENTIAL
    fields: dict[str, str] = field(default_factory=dict)
    cleared: dict[str, str] = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)
    said: Said = field(default_factory=Said)
    questions: list[Question] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def try_to(self, anchor: str, act: Callable[[], None]) -> None:
        """Read one field; what is wrong with it is kept under its anchor."""
        try:
            act()
        except (UsageError, NotFound) as error:
            self.problems[anchor] = str(error)

    @property
    def answers(self) -> dict[str, str]:
        """Metadata by key, as they were typed; empty where nothing was, or where it goes."""
        return self.cleared | {question.input.removeprefix("f."): "" for question in self.questions} | self.fields

    @property
    def change(self) -> Change:
        """What to change of the draft."""
        return Change(
            title=self.title,
            subtype_id=self.kind.id if self.kind else None,
            fields=self.answers,
            variables=self.variables,
            due=self.due or "",
            visibility=self.visibility,
        )


def values_of(folder: Folder, said: Said) -> dict[str, str]:
    """Return a draft as the values of its form."""
    return {
        "title": folder.title,
        "subtype": folder.subtype_id or "",
        "due": folder.due.isoformat() if folder.due else "",
        "visibility": folder.visibility,
        "note": said.note,
        "private_note": said.private_note,
        **{f"f.{key}": value for key, value in folder.fields.items()},
        **{f"variable.{rank}": desk for rank, desk in enumerate(folder.variables)},
    }


def kinds_for(session: Session, folder: Folder) -> list[Kind]:
    """Return the kinds of folder that the desk of a draft may send."""
    return typology.creatable(typology.kinds(session, folder.organisation_id), [folder.emitter_id])


def read(session: Session, folder: Folder, emitter: Desk, values: Mapping[str, str], *, starting: bool) -> Typed:
    """Read a form; of a draft that was made for a flow, what its desk may not change is read from the folder.

    Args:
        session: to read kinds, metadata and desks.
        folder: the draft as it is kept.
        emitter: the desk that sends it.
        values: of the form.
        starting: whether what is mandatory must be there.
    """
    typed = Typed(_own_values(folder, values) if folder.bound else dict(values), folder.bound)
    typed.try_to("title", lambda: _read_title(typed))
    typed.try_to("subtype", lambda: _read_kind(session, folder, typed, starting=starting))
    if typed.kind is not None:
        asked = binding.to_give(session, folder) if folder.bound else {use.key for use in typed.kind.options.fields}
        _read_fields(session, folder, typed, [use for use in typed.kind.options.fields if use.key in asked], starting=starting)
    typed.try_to("due", lambda: _read_due(typed))
    typed.try_to("visibility", lambda: _read_visibility(typed))
    typed.try_to("circuit", lambda: _read_variables(session, emitter, typed))
    typed.try_to("note", lambda: _read_words(typed))
    return typed


def _own_values(folder: Folder, values: Mapping[str, str]) -> dict[str, str]:
    """Return a form of which nothing was typed over what a folder holds, but words, desks and metadata."""
    kept = values_of(folder, Said())
    return dict(values) | {name: kept[name] for name in ("title", "subtype", "due", "visibility")}


def _read_title(typed: Typed) -> None:
    typed.title = folders.titled(typed.values.get("title", ""))


def _read_kind(session: Session, folder: Folder, typed: Typed, *, starting: bool) -> None:
    wanted = typed.values.get("subtype", "")
    if not wanted:
        if starting:
            raise UsageError(_t("problem.kind"))
        return
    # A flow's kind is not the desk's to choose, hence not to find closed either.
    found = [typology.kind_of(session, wanted)] if typed.bound else kinds_for(session, folder)
    typed.kind = next((kind for kind in found if kind.id == wanted), None)
    if typed.kind is None:
        raise UsageError(_t("problem.kind_gone"))


def _read_fields(session: Session, folder: Folder, typed: Typed, uses: Sequence[FieldUse], *, starting: bool) -> None:
    declared = metadata.declared(session, folder.organisation_id, [use.key for use in uses])
    asked = typed.kind is not None and typed.values.get("asked", "") == typed.kind.id
    for use in (use for use in uses if use.key in declared):
        known, name = declared[use.key], f"f.{use.key}"
        # A field that was not on the page yet has not been emptied: it shows what is kept, or what the kind gives.
        value = typed.values.get(name, "") if asked or name in typed.values else folder.fields.get(use.key, use.default)
        question = Question(f"f-{use.key}", name, known.name, known.kind, use.mandatory, tuple(known.choices), value)
        typed.questions.append(question)
        typed.try_to(question.anchor, lambda use=use, question=question: _read_field(typed, use, question, starting=starting))  # type: ignore[misc]
    if folder.subtype_id and typed.kind is not None and folder.subtype_id != typed.kind.id:
        before = {use.key for use in typology.kind_of(session, folder.subtype_id).options.fields}
        typed.cleared = dict.fromkeys(before - {use.key for use in uses}, "")


def _read_field(typed: Typed, use: FieldUse, question: Question, *, starting: bool) -> None:
    if question.value.strip():
        typed.fields[use.key] = metadata.written_as(question.value, MetadataKind(question.kind), question.name, question.choices)
    elif use.mandatory and starting:
        raise UsageError(_t("problem.mandatory", name=question.name))


def _read_due(typed: Typed) -> None:
    text = typed.values.get("due", "").strip()
    try:
        typed.due = date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(_t("problem.due", found=text[:20])) from error


def _read_visibility(typed: Typed) -> None:
    try:
        typed.visibility = Visibility(typed.values.get("visibility") or Visibility.CONFIDENTIAL)
    except ValueError as error:
        raise UsageError(_t("problem.visibility")) from error


def _read_variables(session: Session, emitter: Desk, typed: Typed) -> None:
    chosen = [typed.values.get(f"variable.{rank}", "") for rank in range(MOST_VARIABLES)]
    while chosen and not chosen[-1]:
        chosen.pop()
    if set(chosen) - {""} - {desk.id for desk in desks.reachable(session, emitter)}:
        raise UsageError(_t("problem.desk"))
    typed.variables = chosen


def _read_words(typed: Typed) -> None:
    typed.said = Said(typed.values.get("note", ""), typed.values.get("private_note", ""))
