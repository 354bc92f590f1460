"""Types and subtypes: how a kind of document is signed, and everything else that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session, col, select

from core import clock
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from signing.parapheur import circuits, desks, metadata
from signing.parapheur.choice import Condition, Operator, Row, Table
from signing.parapheur.models import Folder, FolderState, FolderType, Subtype

_messages = Catalogue("signing.parapheur")
COUNTED_UP_TO = 1000


class Protocol(StrEnum):
    """Where documents of a type go afterwards."""

    NONE = "none"
    ACTES = "actes"
    HELIOS = "helios"


class SignatureFormat(StrEnum):
    """How documents of a type are signed; ``auto`` goes by the document."""

    AUTO = "auto"
    PADES = "pades"
    CADES = "cades"
    XADES = "xades"
    PES = "pes"


ADMITTED = {
    Protocol.NONE: {SignatureFormat.AUTO, SignatureFormat.PADES, SignatureFormat.CADES, SignatureFormat.XADES},
    Protocol.ACTES: {SignatureFormat.PADES, SignatureFormat.CADES},
    Protocol.HELIOS: {SignatureFormat.PES},
}


class TypeOptions(BaseModel):
    """How documents of a type are signed.

    Attributes:
        visible: a stamp shows on the page.
        page: where the stamp goes when neither a person nor a tag says; ``x`` and ``y`` in points from the bottom left.
        city: place of signature; ``postal_code`` with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: SignatureFormat = SignatureFormat.AUTO
    protocol: Protocol = Protocol.NONE
    visible: bool = True
    page: int = Field(1, ge=1, le=10_000)
    x: float = Field(0, ge=0, le=15_000)
    y: float = Field(0, ge=0, le=15_000)
    city: str = Field("", max_length=100)
    postal_code: str = Field("", pattern=r"^(\d{5})?$")

    @model_validator(mode="after")
    def _admitted(self) -> Self:
        if self.format not in ADMITTED[self.protocol]:
            raise ValueError(_messages("type.format"))
        return self


class FieldUse(BaseModel):
    """What a subtype does with a metadata.

    Attributes:
        mandatory: must be given when a folder starts.
        editable: may be changed in the circuit.
        default: given when nothing is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(max_length=60)
    mandatory: bool = False
    editable: bool = True
    default: str = Field("", max_length=metadata.LONGEST_VALUE)


class SubtypeOptions(BaseModel):
    """What a subtype asks for.

    Attributes:
        main_documents: how many main documents a folder may hold.
        annexes: annexes may be joined.
        annexes_printed: they are printed and sent with the folder.
        reading_mandatory: every main document must be read before it is approved or signed.
        paper_signature: a folder may be signed on paper.
        creation_circuit: key of a circuit that runs before the one that is chosen.
        recall_minutes: how long a finished folder waits before it leaves, so that the last desk may take it back.
        recall_after_reading: a folder may still be taken back once the next desk has opened it.
        fields: the metadata that it uses, in the order of the form.
        creation_desks: the only desks that may send one; all that may create when empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    main_documents: int = Field(1, ge=1, le=100)
    annexes: bool = True
    annexes_printed: bool = False
    reading_mandatory: bool = False
    paper_signature: bool = True
    creation_circuit: str | None = Field(None, max_length=128)
    recall_minutes: int = Field(0, ge=0, le=7 * 24 * 60)
    recall_after_reading: bool = True
    fields: tuple[FieldUse, ...] = Field((), max_length=100)
    creation_desks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A subtype with its type, read."""

    id: str
    type_id: str
    name: str
    type_name: str
    description: str
    signing: TypeOptions
    options: SubtypeOptions
    rows: tuple[Row, ...]

    @property
    def on_paper(self) -> bool:
        """Whether its folders may be signed on paper; never a PES: it leaves with its bordereaux signed, or not at all."""
        return self.options.paper_signature and self.signing.protocol is not Protocol.HELIOS

    @property
    def full_name(self) -> str:
        """Both names, the type first."""
        return f"{self.type_name} – {self.name}"


def add_type(session: Session, organisation_id: str, name: str, options: TypeOptions) -> FolderType:
    """Add a type.

    Raises:
        UsageError: no name, or too long.
        Conflict: the name is taken.
    """
    added = FolderType(organisation_id=organisation_id, name="")
    change_type(session, added, name, options)
    return added


def change_type(session: Session, found: FolderType, name: str, options: TypeOptions) -> None:
    """Change a type; folders already signed are not touched.

    Raises:
        UsageError: no name, or too long.
        Conflict: the name is taken.
    """
    shown = _named(name)
    taken = select(FolderType.id).where(
        FolderType.organisation_id == found.organisation_id, FolderType.name == shown, FolderType.id != found.id
    )
    if session.exec(taken).first():
        raise Conflict(_messages("type.taken", name=shown))
    found.name, found.signing = shown, options.model_dump(mode="json")
    session.add(found)
    session.flush()


def add_subtype(
    session: Session, of: FolderType, name: str, options: SubtypeOptions, rows: Sequence[Row], description: str = ""
) -> Subtype:
    """Add a subtype to a type.

    Raises:
        UsageError: no name, a circuit or a metadata that is not there, a table without a last row that always holds.
        Conflict: the name is taken in the type.
    """
    added = Subtype(organisation_id=of.organisation_id, type_id=of.id, name="")
    change_subtype(session, added, name, options, rows, description)
    return added


def change_subtype(
    session: Session, found: Subtype, name: str, options: SubtypeOptions, rows: Sequence[Row], description: str = ""
) -> None:
    """Change a subtype; folders under way keep the circuit that they started with.

    Raises:
        UsageError: see ``add_subtype``.
        Conflict: the name is taken in the type.
    """
    shown = _named(name)
    taken = select(Subtype.id).where(Subtype.type_id == found.type_id, Subtype.name == shown, Subtype.id != found.id)
    if session.exec(taken).first():
        raise Conflict(_messages("type.taken", name=shown))
    _check_rows(session, found.organisation_id, options, rows)
    desks.require_open(session, found.organisation_id, options.creation_desks)
    used = {use.key for use in options.fields}
    if absent := used - metadata.declared(session, found.organisation_id, used).keys():
        raise UsageError(_messages("metadata.unknown", names=", ".join(sorted(absent))))
    found.name, found.description = shown, description.strip()[:300]
    found.options = options.model_dump(mode="json")
    found.choice = [row.model_dump(mode="json") for row in Table(rows=tuple(rows)).rows]
    session.add(found)
    session.flush()


def _check_rows(session: Session, organisation_id: str, options: SubtypeOptions, rows: Sequence[Row]) -> None:
    """Go on only with a table whose circuits are there, and whose rows name all the desks of their variable steps, or none."""
    if not rows or rows[-1].when:
        raise UsageError(_messages("choice.default"))
    desks.require_open(session, organisation_id, {desk for row in rows for desk in row.variables})
    _check_values(session, organisation_id, [condition for row in rows for condition in row.when])
    before = _variables(session, organisation_id, options.creation_circuit) if options.creation_circuit else 0
    for row in rows:
        wanted = before + _variables(session, organisation_id, row.circuit)
        if row.variables and len(row.variables) != wanted:
            raise UsageError(_messages("choice.variables", circuit=row.circuit, wanted=wanted, found=len(row.variables)))


def _check_values(session: Session, organisation_id: str, conditions: Sequence[Condition]) -> None:
    """Go on only with values that read as the metadata that they are compared to: another comparison would never hold."""
    fields = metadata.declared(session, organisation_id, {condition.field for condition in conditions})
    for condition in conditions:
        field = fields.get(condition.field)
        if field is None or condition.operator in {Operator.PRESENT, Operator.CONTAINS}:
            continue
        values = condition.value.split(";") if condition.operator is Operator.AMONG else [condition.value]
        for value in values:
            metadata.written_as(value, metadata.MetadataKind(field.kind), field.name)


def _variables(session: Session, organisation_id: str, key: str) -> int:
    try:
        return circuits.variable_count(circuits.steps_of(circuits.current(session, organisation_id, key)))
    except NotFound as error:
        raise UsageError(str(error)) from error


def _named(name: str) -> str:
    shown = " ".join(name.split())
    if not 0 < len(shown) <= 120:
        raise UsageError(_messages("type.name"))
    return shown


def close(session: Session, found: Subtype | FolderType) -> None:
    """Let no folder start in it any more; those under way go on."""
    found.closed = clock.now()
    session.add(found)


def reopen(session: Session, found: Subtype | FolderType) -> None:
    """Let folders start in it again."""
    found.closed = None
    session.add(found)


def types(session: Session, organisation_id: str) -> list[FolderType]:
    """Return every type of an organisation by name, those that are closed included."""
    return list(session.exec(select(FolderType).where(FolderType.organisation_id == organisation_id).order_by(FolderType.name)))


def type_of(session: Session, type_id: str) -> FolderType:
    """Return a type.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    found = session.exec(select(FolderType).where(FolderType.id == type_id)).first()
    if found is None:
        raise NotFound(_messages("type.unknown"))
    return found


def subtype_of(session: Session, subtype_id: str) -> Subtype:
    """Return a subtype as it is kept.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    found = session.exec(select(Subtype).where(Subtype.id == subtype_id)).first()
    if found is None:
        raise NotFound(_messages("type.unknown"))
    return found


def kind_of(session: Session, subtype_id: str) -> Kind:
    """Return a subtype with its type.

    Raises:
        NotFound: there is none, or it is not seen.
    """
    found = session.exec(select(Subtype, FolderType).join(FolderType).where(Subtype.id == subtype_id)).first()
    if found is None:
        raise NotFound(_messages("type.unknown"))
    return _read(*found)


def kinds(session: Session, organisation_id: str, *, closed: bool = False) -> list[Kind]:
    """Return the subtypes of an organisation, by name of their type, then by their own."""
    wanted = select(Subtype, FolderType).join(FolderType).where(Subtype.organisation_id == organisation_id)
    if not closed:
        wanted = wanted.where(col(Subtype.closed).is_(None), col(FolderType.closed).is_(None))
    return [_read(*row) for row in session.exec(wanted.order_by(FolderType.name, Subtype.name))]


def require_protocol(session: Session, organisation_id: str, subtype_id: str, protocol: Protocol) -> Kind:
    """Return a subtype in force whose documents go where a protocol says.

    Raises:
        UsageError: there is none in the organisation, or it is of another protocol.
    """
    for kind in kinds(session, organisation_id):
        if kind.id == subtype_id and kind.signing.protocol is protocol:
            return kind
    raise UsageError(_messages("type.protocol", protocol=protocol.value.upper()))


def kind_named(session: Session, organisation_id: str, type_name: str, name: str) -> Kind:
    """Return the subtype of two names, in force.

    Raises:
        NotFound: there is none.
    """
    for kind in kinds(session, organisation_id):
        if (kind.type_name, kind.name) == (type_name, name):
            return kind
    raise NotFound(_messages("type.unknown"))


def creatable(found: Sequence[Kind], desk_ids: Sequence[str]) -> list[Kind]:
    """Return the kinds of folder that one of these desks may send."""
    return [kind for kind in found if not kind.options.creation_desks or set(kind.options.creation_desks) & set(desk_ids)]


def _read(subtype: Subtype, of: FolderType) -> Kind:
    return Kind(
        subtype.id,
        of.id,
        subtype.name,
        of.name,
        subtype.description,
        TypeOptions.model_validate(of.signing),
        SubtypeOptions.model_validate(subtype.options),
        tuple(Row.model_validate(row) for row in subtype.choice),
    )


def pending_count(session: Session, subtype_id: str, most: int = COUNTED_UP_TO) -> int:
    """Return how many folders of a subtype are under way, ``most`` when there are more."""
    under_way = select(Folder.id).where(Folder.subtype_id == subtype_id, Folder.state == FolderState.PENDING.value)
    return len(session.exec(under_way.limit(most)).all())
