"""Elements of a PES that gather what stands below them while a flow is read, and the parts that each tells once it is whole.

How a flow is read is in ``contents.py``; what the parts are, in ``parts.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.pes.attachments import Found
from schemas.pes.parts import Attachment, Bordereau, Line, Piece, Reference, Sums, ThirdParty
from schemas.pes.reader import amount, whole

RECORDS = frozenset(
    {
        "Emetteur",
        "Recepteur",
        "EnTetePES",
        "Bordereau",
        "Piece",
        "LigneDePiece",
        "Tiers",
        "CpteBancaire",
        "PJRef",
        "PJ",
        "RefCompta",
    }
)
"""Names of these elements."""


@dataclass(slots=True)
class Record:
    """An element under way.

    Attributes:
        name: of the element; empty for the flow itself.
        values: below it, by their names; of a name the first.
        parts: elements below it that gather values of their own and tell nothing by themselves.
        rank: among those of its name, from 1; 0 where ranks are not counted.
        told: it was told of before its end.
        signed: a ds:Signature stands directly in it.
        sums: of what stands in it.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    parts: list[Record] = field(default_factory=list)
    rank: int = 0
    told: bool = False
    signed: bool = False
    sums: Sums = field(default_factory=Sums)


def bordereau_of(record: Record, domain: str | None) -> Bordereau:
    """Return what a bordereau declares."""
    values = record.values
    return Bordereau(
        record.rank,
        domain,
        record.attributes.get("Id"),
        values.get("IdBord"),
        values.get("Exer"),
        values.get("TypBord"),
        values.get("DteBordEm"),
        whole(values.get("NbrPce")),
        amount(values.get("MtBordHT", values.get("MtBordHt"))),
        amount(values.get("MtBordTVA")),
        amount(values.get("MtCumulAnnuel")),
    )


def piece_of(record: Record, bordereau: int) -> Piece:
    """Return a mandat or a titre; ``bordereau`` is the rank of the one that it stands in, 0 outside of any."""
    more = dict(record.values)
    number, kind, nature = more.pop("IdPce", None), more.pop("TypPce", None), more.pop("NatPce", None)
    subject = more.pop("Obj", None) or more.pop("ObjPce", None)
    return Piece(record.rank, bordereau, number, kind, nature, subject, more.pop("DteEch", None), more)


def line_of(record: Record, piece: int) -> Line:
    """Return a line; ``piece`` is the rank of the pièce that it stands in, 0 outside of any."""
    values = record.values
    return Line(
        record.rank,
        piece,
        values.get("IdLigne"),
        amount(values.get("MtHT")),
        amount(values.get("MtTVA")),
        values,
        tuple(_third_party(part) for part in record.parts if part.name == "Tiers"),
    )


def reference_of(record: Record, piece: int, line: int) -> Reference:
    """Return a reference to a document, by a pièce or a line of it."""
    values = record.values
    told = (values.get(name) for name in ("IdUnique", "Support", "NomPJ", "TypePJ"))
    return Reference(piece, line, *told)


def attachment_of(record: Record, stretch: tuple[int, int], found: Found) -> Attachment:
    """Return a document; ``stretch`` is where its text stands in the file."""
    values = record.values
    return Attachment(
        record.rank,
        values.get("IdUnique"),
        values.get("NomPJ"),
        values.get("TypePJ"),
        values.get("Description"),
        record.attributes.get("MIMEType"),
        *stretch,
        found,
        tuple(part.values for part in record.parts if part.name == "RefCompta"),
    )


def _third_party(record: Record) -> ThirdParty:
    return ThirdParty(record.values, tuple(part.values for part in record.parts if part.name == "CpteBancaire"))
