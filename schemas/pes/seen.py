"""What an index of a PES answers: the flow as people look at it, what is declared beside what was counted."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from schemas.pes.header import Header
from schemas.pes.parts import Flaw, Sums, ThirdParty
from schemas.pes.reader import amount

_REDUCTION = "02"
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Bordereau:
    """What a bordereau declares beside what was counted.

    Attributes:
        id: its rank in the file.
        whole: it was read to its end, so that sums may be compared.
        ht: declared, euros; ``tva`` tax; ``cumul`` running total of the year.
    """

    id: int
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
    whole: bool
    signed: bool
    sums: Sums

    @property
    def reduces(self) -> bool:
        """Its amounts are taken away (TypBord 02)."""
        return self.kind == _REDUCTION

    @property
    def ttc(self) -> Decimal:
        """What was counted, tax included."""
        return self.sums.ht + self.sums.tva

    @property
    def sign(self) -> int:
        """What its amounts are multiplied by in totals: they are written without a sign."""
        return -1 if self.reduces else 1

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is declared otherwise than counted: ``pieces``, ``ht``, ``tva`` (domain rules B01, B03)."""
        if not self.whole or (self.nbr_pce is None and self.ht is None):  # of a return nothing is declared
            return ()
        compared = (
            ("pieces", self.nbr_pce, self.sums.pieces),
            ("ht", self.ht, self.sums.ht),
            ("tva", self.tva or Decimal(0), self.sums.tva),
        )
        return tuple(name for name, declared, counted in compared if declared != counted)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a flow so far.

    Attributes:
        bodies: ``depense``, ``recette`` …, in the order of the file.
        bordereaux: the first thousand.
        read: bytes of the flow that were read; ``pieces`` and ``lines`` how many.
        attachments: how many supporting documents.
        signed: a signature stands over the whole flow.
    """

    header: Header | None
    bodies: tuple[str, ...]
    flaws: tuple[Flaw, ...]
    bordereaux: tuple[Bordereau, ...]
    bordereau_count: int
    read: int
    pieces: int
    lines: int
    attachments: int
    signed: bool

    @property
    def domains(self) -> tuple[str, ...]:
        """Those of its bordereaux, and those that it announces."""
        told = {*self.bodies, *(one.domain for one in self.bordereaux)}
        return tuple(name for name in ("depense", "recette") if name in told)

    def total(self, domain: str | None) -> Decimal:
        """Return the total of a domain, tax included, reductions taken away."""
        return sum((one.sign * one.ttc for one in self.bordereaux if one.domain == domain), Decimal(0))


@dataclass(frozen=True, slots=True)
class Piece:
    """A mandat or a titre.

    Attributes:
        id: its rank in the file.
        whole: it was read to its end.
        tiers: the first third party; ``others`` how many more there are, ``documents`` how many references.
        more: other values as written, by their names in the protocol.
    """

    id: int
    bordereau: int
    number: str | None
    kind: str | None
    nature: str | None
    subject: str | None
    due: str | None
    more: dict[str, str]
    whole: bool
    sums: Sums
    tiers: str | None
    others: int
    documents: int

    @property
    def ttc(self) -> Decimal:
        """Tax included."""
        return self.sums.ht + self.sums.tva


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a pièce: its values as written, and the amounts in them, euros."""

    id: int
    values: dict[str, str]
    third_parties: tuple[ThirdParty, ...]

    @property
    def ht(self) -> Decimal | None:
        """Without tax."""
        return amount(self.values.get("MtHT"))

    @property
    def tva(self) -> Decimal | None:
        """The tax; TVAIntraCom is a yes or no, never an amount."""
        return amount(self.values.get("MtTVA"))

    @property
    def ttc(self) -> Decimal | None:
        """Tax included."""
        return None if self.ht is None else self.ht + (self.tva or 0)


@dataclass(frozen=True, slots=True)
class Reference:
    """A pièce or a line names a supporting document; ``attachment`` is that of the flow, None when it holds none of that name."""

    piece: int
    line: int
    unique_id: str | None
    support: str | None
    name: str | None
    kind: str | None
    attachment: int | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A supporting document of the flow.

    Attributes:
        start: offset of its base64 in the flow; ``end`` after it.
        packing: ``gzip``, ``bare``, ``empty`` or ``broken``; ``media_type`` by its first octets.
        piece: the first pièce that names it; None when none does.
    """

    id: int
    unique_id: str | None
    name: str | None
    kind: str | None
    description: str | None
    declared: str | None
    start: int
    end: int
    packing: str
    media_type: str | None
    targets: tuple[dict[str, str], ...]
    piece: int | None

    @property
    def packed_size(self) -> int:
        """About how many bytes it takes in the flow once base64 is undone."""
        return (self.end - self.start) * 3 // 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pièces to list; what is left empty does not narrow.

    Attributes:
        bordereau: its rank.
        text: words, or their beginnings, of the pièce, its third parties or its lines.
        tiers: the same, of the third parties only.
        least: smallest amount with tax, euros; ``most`` largest.
    """

    bordereau: int | None = None
    text: str = ""
    tiers: str = ""
    least: Decimal | None = None
    most: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A page of a list, in the order of the file.

    Attributes:
        total: how many are wanted in all, counted up to the bound of all counts; ``exact`` False when there are more.
        after: where the next page starts; None on the last one.
        before: where the previous page ends; None on the first one.
    """

    rows: tuple[Row, ...]
    total: int
    exact: bool
    after: int | None
    before: int | None
