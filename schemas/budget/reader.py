"""Reading a budget or a compte financier unique: lenient, and in constant memory whatever its size."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from schemas.budget.events import Excessive, Listener, Name, Place, walk
from schemas.budget.lines import AMOUNT_ELEMENTS, MOST_ROWS, Lines
from schemas.budget.model import Annex, Budget, BudgetDocument, Header
from schemas.budget.seal import NAMESPACE, SEAL, SealListener

NAMESPACE_CFU = "http://www.minefi.gouv.fr/cp/demat/doccfu"
ROOTS = ((NAMESPACE, "DocumentBudgetaire"), (NAMESPACE_CFU, "CompteFinancierUnique"))

_ACCOUNTING = ("http://www.minefi.gouv.fr/cp/demat/doccomptable", "LigneComptable")
_SIGNATURE = ("http://www.w3.org/2000/09/xmldsig#", "Signature")
_BLOCKS = frozenset(
    {
        "BlocEditeur",
        "EnTeteDocBudgetaire",
        "EnTeteBudget",
        "BlocBudget",
        "InformationsGenerales",
        "LigneBudget",
        SEAL.local,  # nothing that hides there is read
    }
)
_OF_A_LINE = frozenset(
    {"Nature", "ContNat", "ContFon", "CodRD", "OpBudg", "TypOpBudg", *AMOUNT_ELEMENTS},
)
_LONGEST = 200
_MOST_LISTED = 2_000
_MOST_BUDGETS = 200


def read(path: Path) -> BudgetDocument:
    """Read a document, sealed or not, valid or not.

    Raises:
        DoctypeRefused, Excessive, Truncated, Malformed: as ``events.walk``.
    """
    reader, sealed = _Reader(), SealListener()
    walk(path, (reader, *sealed.listeners))
    return BudgetDocument(
        root=reader.root.local,
        recognised=(reader.root.uri, reader.root.local) in ROOTS,
        schema=reader.schema,
        editor=reader.blocks["BlocEditeur"].get("CodeEditeur"),
        header=_header(reader.blocks["EnTeteDocBudgetaire"]) if reader.has_header else None,
        budgets=tuple(reader.budgets),
        seal=sealed.status,
        signatures=reader.signatures,
        accounting_lines=reader.accounting_lines,
        size=path.stat().st_size,
    )


class _Reader(Listener):
    """Follows a document and keeps what is asked of it."""

    def __init__(self) -> None:
        self.root = Name("", "", "")
        self.schema: str | None = None
        self.blocks: dict[str, dict[str, str]] = {name: {} for name in _BLOCKS}
        self.has_header = False
        self.budgets: list[Budget] = []
        self.signatures = 0
        self.accounting_lines = 0
        self._block = ""
        self._lines = Lines(MOST_ROWS)
        self._line: tuple[str | None, int] = (None, 0)
        self._annexes = _Annexes()

    def start(self, name: Name, attributes: list[str], place: Place) -> None:
        """Take the value of an element where it means something."""
        if not self.root.local:
            self.root = name
        if self._annexes.depth:
            self._annexes.start(name, attributes)
        elif name.uri != NAMESPACE:
            self.signatures += name[:2] == _SIGNATURE
            self.accounting_lines += name[:2] == _ACCOUNTING
        elif self._block:
            self._value(name.local, attributes)
        else:
            self._open(name.local, attributes, place)

    def end(self, name: Name) -> None:
        """Close a line, a block or a budget."""
        if self._annexes.depth:
            self._annexes.end(name)
        elif name.uri != NAMESPACE:
            return
        elif name.local == self._block:
            self._block = ""
            if name.local == "LigneBudget":
                self._lines.add(self.blocks["LigneBudget"], *self._line)
        elif name.local == "Budget" and not self._block:
            self.budgets.append(_budget(self.blocks, self._lines, self._annexes))

    def _open(self, name: str, attributes: list[str], place: Place) -> None:
        if name in _BLOCKS:
            self._block = name
            self.blocks[name] = {}
            self.has_header = self.has_header or name == "EnTeteDocBudgetaire"
            if name == "LigneBudget":
                self._line = (_attribute(attributes, "calculated"), place.line)
        elif name == "Budget":
            if len(self.budgets) == _MOST_BUDGETS:
                raise Excessive("budgets", place.line, _MOST_BUDGETS)
            self._lines, self._annexes = Lines(self._lines.room), _Annexes()
            for block in ("EnTeteBudget", "BlocBudget", "InformationsGenerales"):
                self.blocks[block] = {}
        elif name == "Annexes":
            self._annexes.depth = 1
        elif name == "VersionSchema":
            self.schema = _attribute(attributes, "V")

    def _value(self, name: str, attributes: list[str]) -> None:
        if self._block == "LigneBudget":
            if name == "CaracSup" and _attribute(attributes, "Code") == "Section":
                name = "Section"
            elif name not in _OF_A_LINE:
                return
        elif name == "Information":
            name = _attribute(attributes, "Code") or name
        block = self.blocks[self._block]
        value = _attribute(attributes, "V")
        if value and (name in block or len(block) < _MOST_LISTED):
            block.setdefault(name, value)


class _Annexes:
    """Counts the annexes of one budget; their content, which names persons, is not kept."""

    def __init__(self) -> None:
        self.depth = 0
        self.entries: dict[str, int] = {}
        self.listed: dict[str, bool] = {}
        self._block = ""
        self._page: dict[str, str] = {}

    def start(self, name: Name, attributes: list[str]) -> None:
        """Note a block, an entry, or a page of the table of contents."""
        self.depth += 1
        if self.depth == 2:
            self._block = name.local[:_LONGEST]
            if len(self.entries) < _MOST_LISTED:
                self.entries.setdefault(self._block, 0)
        elif self.depth == 3 and self._block in self.entries:
            self.entries[self._block] += 1
            self._page = {}
        elif self.depth == 4 and self._block == "DATA_SOMMAIRE" and name.local in ("CodeAnnexe", "Present"):
            self._page[name.local] = _attribute(attributes, "V") or ""

    def end(self, _name: Name) -> None:
        """Close what was opened."""
        if self.depth == 3 and self._page.get("CodeAnnexe") and len(self.listed) < _MOST_LISTED:
            self.listed[self._page["CodeAnnexe"]] = self._page.get("Present") in ("true", "1")
        self.depth -= 1


def _attribute(attributes: list[str], name: str) -> str | None:
    for rank in range(0, len(attributes), 2):
        if attributes[rank] == name:
            return attributes[rank + 1][:_LONGEST].strip() or None
    return None


def _header(values: dict[str, str]) -> Header:
    return Header(
        issued=_day(values.get("DteStr")),
        office_name=values.get("LibellePoste"),
        office=values.get("IdPost"),
        name=values.get("LibelleColl"),
        siret=values.get("IdColl"),
        kind=values.get("NatCEPL"),
        department=values.get("Departement"),
    )


def _budget(blocks: dict[str, dict[str, str]], lines: Lines, annexes: _Annexes) -> Budget:
    head, decided = blocks["EnTeteBudget"], blocks["BlocBudget"]
    year = decided.get("Exer", "")
    return Budget(
        name=head.get("LibelleEtab"),
        siret=head.get("IdEtab"),
        insee=head.get("CodInseeColl"),
        code="-".join(_present(head, "CodColl", "CodBud")) or None,
        nomenclature=head.get("Nomenclature"),
        decision=decided.get("NatDec"),
        number=decided.get("NumDec"),
        year=int(year) if len(year) == 4 and year.isascii() and year.isdigit() else None,
        project=decided.get("ProjetBudget") in ("true", "1"),
        decided=_day(decided.get("DteDec")),
        enforceable=_day(decided.get("DteDecEx")),
        vote=decided.get("NatVote"),
        by=decided.get("NatFonc"),
        provisions=decided.get("TypProv"),
        compared_to=decided.get("BudgPrec"),
        result=decided.get("ReprRes"),
        type=decided.get("CodTypBud"),
        principal=decided.get("IdEtabPal"),
        principal_name=decided.get("LibelleEtabPal"),
        rows=lines.rows,
        lines=lines.counted,
        computed=lines.computed,
        rows_complete=lines.complete,
        annexes=tuple(Annex(name, entries) for name, entries in annexes.entries.items()),
        listed=annexes.listed,
        information=blocks["InformationsGenerales"],
        flaws=lines.flaws,
    )


def _present(values: dict[str, str], *names: str) -> Iterator[str]:
    return (values[name] for name in names if name in values)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
