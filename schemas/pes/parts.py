"""What a PES is made of, as it is told while it is read: one value for each thing that begins, ends, or stands there.

Values are as written where nothing has to be computed with them; how they are read is in ``contents.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from schemas.pes.attachments import Found
from schemas.pes.header import Header


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why the reading is less than whole.

    Attributes:
        code: ``doctype``, ``malformed``, ``root`` (not a PES), ``version`` (an old one), ``stray`` (an attachment outside
            PES_PJ), ``shortened`` (more values than are kept).
        line: from 1.
        found: what stands there, or what the parser says.
    """

    code: str
    line: int
    found: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """A part of the flow begins: ``depense``, ``recette``, ``facture``, ``marche``, ``pj``."""

    name: str


@dataclass(frozen=True, slots=True)
class Bordereau:
    """What a bordereau declares; values that cannot be read are None.

    Attributes:
        rank: in the file, from 1.
        domain: ``depense`` or ``recette``; None elsewhere.
        xml_id: the Id that a signature refers to.
        ht: declared total without tax, euros; ``tva`` tax; ``cumul`` running total of the year.
    """

    rank: int
    domain: str | None
    xml_id: str | None
    number: str | None
    exer: str | None
    kind: str | None
    issued: str | None
    nbr_pce: int | None
    ht: Decimal | None
    tva: Decimal | None
    cumul: Decimal | None


@dataclass(frozen=True, slots=True)
class Sums:
    """What was counted: numbers of pièces and lines, euros without tax and of tax."""

    pieces: int = 0
    lines: int = 0
    ht: Decimal = Decimal(0)
    tva: Decimal = Decimal(0)

    def plus(self, other: Sums) -> Sums:
        """Return both together."""
        return Sums(self.pieces + other.pieces, self.lines + other.lines, self.ht + other.ht, self.tva + other.tva)


@dataclass(frozen=True, slots=True)
class BordereauEnd:
    """A bordereau has been read: what was counted, and whether a ds:Signature stands directly in it."""

    rank: int
    signed: bool
    sums: Sums


@dataclass(frozen=True, slots=True)
class Piece:
    """A mandat or a titre.

    Attributes:
        rank: in the file, from 1; ``bordereau`` that of its bordereau, 0 outside of any.
        number: IdPce; ``kind`` TypPce; ``nature`` NatPce; ``subject`` Obj or ObjPce; ``due`` DteEch.
        more: its other values, as written, by their names in the protocol.
    """

    rank: int
    bordereau: int
    number: str | None
    kind: str | None
    nature: str | None
    subject: str | None
    due: str | None
    more: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PieceEnd:
    """A pièce has been read: what was counted in it."""

    rank: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class ThirdParty:
    """Who is paid or owes: values as written, by their names in the protocol, and those of each bank account."""

    values: Mapping[str, str]
    accounts: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a pièce.

    Attributes:
        rank: in the file, from 1; ``piece`` that of its pièce, 0 outside of any.
        number: IdLigne.
        ht: amount without tax, euros; ``tva`` tax. TVAIntraCom is a yes or no, and stands in ``values``.
        values: everything, as written, by the names of the protocol.
    """

    rank: int
    piece: int
    number: str | None
    ht: Decimal | None
    tva: Decimal | None
    values: Mapping[str, str]
    third_parties: tuple[ThirdParty, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A pièce or a line names a supporting document.

    Attributes:
        piece: rank of the pièce; ``line`` rank of the line, 0 for the pièce itself.
        support: 01 electronic, 02 paper, 03 disc.
    """

    piece: int
    line: int
    unique_id: str | None
    support: str | None
    name: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A supporting document of the flow.

    Attributes:
        rank: in the file, from 1.
        name: NomPJ, for display only, never a path.
        declared: its media type, as the flow says.
        start: offset of the first byte of its base64 text; ``end`` after the last.
        found: what its first octets say.
        targets: what it is attached to by itself (RefCompta), as written.
    """

    rank: int
    unique_id: str | None
    name: str | None
    kind: str | None
    description: str | None
    declared: str | None
    start: int
    end: int
    found: Found
    targets: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FlowEnd:
    """The whole flow has been read; ``signed`` when a ds:Signature stands directly under the root."""

    signed: bool


Event = Flaw | Header | Body | Bordereau | BordereauEnd | Piece | PieceEnd | Line | Reference | Attachment | FlowEnd
"""Whatever a reading tells."""
