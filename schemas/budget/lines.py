"""Lines of a budget gathered as they come: what each is, and sums by account, in memory that does not grow with the lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from schemas.budget.model import Amounts, Flaw, Operation, Row, Section, Sense

AMOUNT_ELEMENTS = ("MtBudgPrec", "MtRARPrec", "MtPropNouv", "MtPrev", "CredOuv", "MtReal", "MtRAR3112")
"""In the order of the fields of ``Amounts``."""

MOST_ROWS = 50_000
"""Most accounts kept apart in a document: a budget by nature and chapter has some hundreds."""

_AMOUNT = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{0,4})?|\.\d{1,4})", re.ASCII).fullmatch
_TRUE = frozenset({"true", "1"})
_ZERO = Decimal(0)

# The chapters and result lines that begin with 0 tell the section by themselves (accounting plans M14, M4, M52, M57, M61, M71).
_INVESTMENT = frozenset({"001", "010", "018", "020", "021", "024", "040", "041"})
_FUNCTIONING = frozenset({"002", "011", "012", "013", "014", "015", "016", "017", "022", "023", "042", "043"})
# Accounts of classes 1 to 5 are of the balance sheet, 6 and 7 of the result; chapters by function: the same plans.
_BY_FUNCTION = {"90": Section.INVESTMENT, "91": Section.INVESTMENT, "93": Section.FUNCTIONING, "94": Section.FUNCTIONING}
_OPERATIONS = {"1": Operation.ORDER_WITHIN, "2": Operation.ORDER_BETWEEN}

Key = tuple[Section, Sense, Operation, str | None, str | None]


class Lines:
    """The lines of one budget; ``room`` is how many accounts are kept apart."""

    def __init__(self, room: int = MOST_ROWS) -> None:
        self.room = room
        self.counted = 0
        self.computed = 0
        self.complete = True
        self._rows: dict[Key, list[Decimal]] = {}
        self._counts: dict[Key, int] = {}
        self._flaws: dict[str, Flaw] = {}

    @property
    def rows(self) -> tuple[Row, ...]:
        """Sums by account, in the order of their first line."""
        return tuple(Row(*key, self._counts[key], Amounts(*sums)) for key, sums in self._rows.items())

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """What could not be read, at most one of each element."""
        return tuple(self._flaws.values())

    def add(self, values: Mapping[str, str], calculated: str | None, line: int) -> None:
        """Add one line: the V of its elements by name, its attribute ``calculated``, and where it stands in the file.

        Totals that the State's tool wrote (``calculated``, OpBudg T) repeat other lines and are only counted.
        """
        if calculated in _TRUE or values.get("OpBudg") == "T":
            self.computed += 1
            return
        self.counted += 1
        key = self._key(values, line)
        sums = self._rows.get(key)
        if sums is None:
            sums = self._rows[key] = [_ZERO] * len(AMOUNT_ELEMENTS)
            self._counts[key] = 0
            self.room -= 1
        self._counts[key] += 1
        for rank, name in enumerate(AMOUNT_ELEMENTS):
            if (text := values.get(name)) is not None:
                if _AMOUNT(text):
                    sums[rank] += Decimal(text)
                else:
                    self._flaw(name, text, line)

    def _key(self, values: Mapping[str, str], line: int) -> Key:
        section, sense = section_of(values), _sense(values.get("CodRD"))
        if section is Section.UNKNOWN:
            self._flaw("Nature", values.get("Nature", ""), line)
        if sense is Sense.UNKNOWN:
            self._flaw("CodRD", values.get("CodRD", ""), line)
        key = (section, sense, _operation(values), values.get("ContNat") or values.get("ContFon"), values.get("Nature"))
        if key not in self._rows and self.room <= 0:
            self.complete = False
            return (*key[:3], None, None)
        return key

    def _flaw(self, name: str, found: str, line: int) -> None:
        first = self._flaws.get(name)
        self._flaws[name] = (
            Flaw(name, found[:50], line, 1) if first is None else Flaw(name, first.found, first.line, first.count + 1)
        )


def section_of(values: Mapping[str, str]) -> Section:
    """Return the section of a line: the one it says (CaracSup of code Section), else that of its account or chapter."""
    said = values.get("Section")
    if said in (Section.FUNCTIONING, Section.INVESTMENT):
        return Section(said)
    for name in ("Nature", "ContNat"):
        if (told := _by_account(values.get(name, ""))) is not Section.UNKNOWN:
            return told
    return _BY_FUNCTION.get(values.get("ContFon", "")[:2], Section.UNKNOWN)


def _by_account(account: str) -> Section:
    if account in _INVESTMENT or account[:1] in set("12345"):
        return Section.INVESTMENT
    if account in _FUNCTIONING or account[:1] in set("67"):
        return Section.FUNCTIONING
    return Section.UNKNOWN


def _sense(text: str | None) -> Sense:
    return Sense(text) if text in (Sense.EXPENSE, Sense.RECEIPT) else Sense.UNKNOWN


def _operation(values: Mapping[str, str]) -> Operation:
    if values.get("OpBudg") != "1":
        return Operation.REAL  # or mixed: the schema has one code for both
    return _OPERATIONS.get(values.get("TypOpBudg", ""), Operation.ORDER)
