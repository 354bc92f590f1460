"""What a budget document says, as frozen values: the document, its budgets, and the amounts of each account.

Elements are named as in the State's schema of the document; amounts are euros. Names of persons are not read.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from enum import StrEnum

from schemas.budget.seal import SealStatus

_NOTHING = Decimal(0)


class Section(StrEnum):
    """The two halves of a budget, and the lines of which it cannot be told to which they belong."""

    FUNCTIONING = "F"
    INVESTMENT = "I"
    UNKNOWN = "?"


class Sense(StrEnum):
    """Whether money goes or comes (CodRD)."""

    EXPENSE = "D"
    RECEIPT = "R"
    UNKNOWN = "?"


class Operation(StrEnum):
    """Whether money moves at all (OpBudg, TypOpBudg)."""

    REAL = "real"
    ORDER_WITHIN = "order-within"
    ORDER_BETWEEN = "order-between"
    ORDER = "order"

    @property
    def is_order(self) -> bool:
        """A mere writing in the books."""
        return self is not Operation.REAL


@dataclass(frozen=True, slots=True)
class Amounts:
    """Sums of one or more lines, in euros.

    Attributes:
        previous: budget before (MtBudgPrec).
        carried_over: restes à réaliser of the year before (MtRARPrec).
        proposed: new proposals (MtPropNouv); ``voted`` what the assembly decided (MtPrev).
        opened: credits open on the account (CredOuv), which are those voted and those carried over.
        achieved: what was done (MtReal), in accounts; in a vote, a result brought forward.
        remaining: restes à réaliser at the end of the year (MtRAR3112).
    """

    previous: Decimal = _NOTHING
    carried_over: Decimal = _NOTHING
    proposed: Decimal = _NOTHING
    voted: Decimal = _NOTHING
    opened: Decimal = _NOTHING
    achieved: Decimal = _NOTHING
    remaining: Decimal = _NOTHING

    @property
    def total(self) -> Decimal:
        """What the section is held to: voted and carried over."""
        return self.voted + self.carried_over

    def __add__(self, other: Amounts) -> Amounts:
        """Return the sums of both."""
        return Amounts(*(getattr(self, name) + getattr(other, name) for name in AMOUNTS))

    def as_json(self) -> dict[str, str]:
        """Return every amount as a decimal text."""
        return {name: str(getattr(self, name)) for name in AMOUNTS}


AMOUNTS = tuple(field.name for field in fields(Amounts))


@dataclass(frozen=True, slots=True)
class Row:
    """All lines of one account that go together.

    Attributes:
        chapter: the level of the vote, by nature (ContNat) or else by function (ContFon); None when no line says it.
        account: account by nature; None when no line says it, or when there were too many to keep apart.
        lines: how many.
    """

    section: Section
    sense: Sense
    operation: Operation
    chapter: str | None
    account: str | None
    lines: int
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Annex:
    """One block of annexes: its name (``DATA_EMPRUNT``) and how many entries it holds."""

    name: str
    entries: int


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something of a line that cannot be read: the element, what it says, the line of the file, how many are alike."""

    name: str
    found: str
    line: int
    count: int


@dataclass(frozen=True, slots=True)
class Header:
    """Who the document is of (EnTeteDocBudgetaire): the accounting office, the authority; texts as written, None when absent."""

    issued: date | None
    office_name: str | None
    office: str | None
    name: str | None
    siret: str | None
    kind: str | None
    department: str | None


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget, principal or annex.

    Attributes:
        name: LibelleEtab; ``siret`` IdEtab; ``insee`` CodInseeColl; ``code`` CodColl and CodBud joined by a hyphen.
        nomenclature: accounting plan (``M57-M57_A``).
        decision: nature of the decision (NatDec); ``number`` of an amending one.
        year: fiscal year (Exer).
        project: a draft, not voted yet.
        decided: DteDec; ``enforceable`` DteDecEx.
        vote: level of the vote (NatVote); ``by`` nature or function (NatFonc); ``result`` ReprRes; ``provisions`` TypProv.
        compared_to: what MtBudgPrec stands for (BudgPrec).
        type: P principal, A annex; ``principal`` SIRET and ``principal_name`` of the principal one.
        rows: amounts by section, sense, operation, chapter and account, in the order of their first line.
        lines: how many were summed; ``computed`` how many are totals of the State's tool, which are left out.
        rows_complete: no account was merged with others for want of room.
        annexes: blocks present; ``listed`` code of each page of the table of contents, and whether it is there.
        information: general information, raw, by code.
        flaws: what could not be read of lines.
    """

    name: str | None
    siret: str | None
    insee: str | None
    code: str | None
    nomenclature: str | None
    decision: str | None
    number: str | None
    year: int | None
    project: bool
    decided: date | None
    enforceable: date | None
    vote: str | None
    by: str | None
    provisions: str | None
    compared_to: str | None
    result: str | None
    type: str | None
    principal: str | None
    principal_name: str | None
    rows: tuple[Row, ...]
    lines: int
    computed: int
    rows_complete: bool
    annexes: tuple[Annex, ...]
    listed: dict[str, bool]
    information: dict[str, str]
    flaws: tuple[Flaw, ...]

    def amounts(self, section: Section, sense: Sense, *operations: Operation) -> Amounts:
        """Return the sums of a section in one sense, of all operations or of those given."""
        rows = (row for row in self.rows if row.section is section and row.sense is sense)
        return sum((row.amounts for row in rows if not operations or row.operation in operations), Amounts())


@dataclass(frozen=True, slots=True)
class BudgetDocument:
    """A budget document or a compte financier unique.

    Attributes:
        root: local name of the root element: ``DocumentBudgetaire`` or ``CompteFinancierUnique``; another one is no budget.
        schema: VersionSchema.
        editor: software that made it (CodeEditeur).
        header: None when the document has none.
        seal: what is known of its seal.
        signatures: how many XML signatures it carries; they are not verified here.
        accounting_lines: how many lines the accountant's part of a CFU holds; they are not read.
        size: of the file, in octets.
    """

    root: str
    recognised: bool
    schema: str | None
    editor: str | None
    header: Header | None
    budgets: tuple[Budget, ...]
    seal: SealStatus
    signatures: int
    accounting_lines: int
    size: int

    @property
    def is_cfu(self) -> bool:
        """It is a compte financier unique."""
        return self.root == "CompteFinancierUnique"
