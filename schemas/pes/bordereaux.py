"""The numbered rules on bordereaux that a flow alone can break (domain rules B01 to B20), and how all are asked.

Hélios refuses a bordereau for them, not the flow: each is a warning, of the scope of a bordereau; those that are a remark
only (B02 of a roll, B03, B17, B18, B20) are of that of the flow. Of each rule the first findings are told. The tree is gone
through once, and no more than a line is held, however many rules there are; those on pièces and lines are in
`schemas.pes.mandats`, those on whom they pay or charge in `schemas.pes.parties`.

Not here: what needs earlier flows (the other half of B02, with the flow), the annexes of the DGFiP that were not published
(triplets of B06, CatTiers and NatJur of B10), or the nomenclature of the accounts, of which a flow tells only whether it is a
hospital's (B18). What B12 says of zero, B16 and the characters of B19 are the schema's to tell (R06).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from core.problems import Problem
from schemas.pes import mandats, parties
from schemas.pes.findings import at
from schemas.pes.pieces import DEPENSE, RECETTE, Flow, Line, ThirdParty, parts_of, year_of
from schemas.pes.reader import Bordereau, Domain, PesDocument, amount, whole

_TOLD = 50
_ROLL = "06"  # ORMC: orders of recette of several creditors
_OF_RETURNS = ("04", "05")
_NOTHING = Decimal(0)
About = TypeVar("About")


def check_bordereaux(document: PesDocument) -> list[Problem]:
    """Return what Hélios will refuse bordereaux for, or remark on."""
    flow = Flow.of(document)
    of_pieces, of_lines, of_parties = _Asked(mandats.OF_PIECES), _Asked(mandats.OF_LINES), _Asked(parties.RULES)
    of_bordereaux = _Asked(_RULES)
    known: set[tuple[object, ...]] = set()
    for domain in document.domains:
        for bordereau in domain.bordereaux:
            counted = _Counted(domain, bordereau, again=_is_known(bordereau, known))
            for part in parts_of(flow, bordereau):
                if isinstance(part, ThirdParty):
                    of_parties.ask(part)
                elif isinstance(part, Line):
                    counted.add(part)
                    of_lines.ask(part)
                else:
                    of_pieces.ask(part)
            of_bordereaux.ask(counted)
    return [*of_bordereaux.found, *of_pieces.found, *of_lines.found, *of_parties.found]


class _Asked(Generic[About]):
    """Rules that are asked again and again; one that has found enough is asked no more, for naming a place takes long."""

    def __init__(self, rules: tuple[Callable[[About], Iterator[Problem]], ...]) -> None:
        self.found: list[Problem] = []
        self._rules = rules
        self._left = dict.fromkeys(rules, _TOLD)

    def ask(self, about: About) -> None:
        """Keep what the rules find."""
        for rule in self._rules:
            for problem in rule(about):
                self.found.append(problem)
                self._left[rule] -= 1
                if not self._left[rule]:
                    self._rules = tuple(one for one in self._rules if one is not rule)
                    break


@dataclass(slots=True)
class _Counted:
    """A bordereau and the sums of its lines, once all were read.

    Attributes:
        again: a bordereau before it in the flow is the same.
        ht: without tax, euros; ``tva`` the tax.
        whole: every amount of a line could be read: only then are the sums worth telling.
    """

    domain: Domain
    bordereau: Bordereau
    again: bool
    ht: Decimal = _NOTHING
    tva: Decimal = _NOTHING
    whole: bool = True

    def add(self, line: Line) -> None:
        """Count a line; what is no amount is the schema's to tell."""
        ht, tva = line.values.get("MtHT"), line.values.get("MtTVA")
        without_tax, tax = amount(ht), amount(tva)
        self.ht += without_tax or _NOTHING
        self.tva += tax or _NOTHING
        self.whole = self.whole and without_tax is not None and (tax is not None or tva is None)

    def problem(self, name: str, rule: str, variant: str = "", *, found: str | None, expected: str | None = None) -> Problem:
        """Return what a rule says of a value of the bordereau, or of its absence."""
        element = self.bordereau.element.find(f"BlocBordereau/{name}")
        return at(self.bordereau.element if element is None else element, rule, variant, found=found, expected=expected)


def _is_known(bordereau: Bordereau, known: set[tuple[object, ...]]) -> bool:
    number = whole(bordereau.id_bord)
    if number is None:
        return False
    name = (bordereau.domain, bordereau.exer, bordereau.typ_bord, number)
    again = name in known
    known.add(name)
    return again


def _b01_count(counted: _Counted) -> Iterator[Problem]:
    """NbrPce is the number of pièces, one at least."""
    bordereau = counted.bordereau
    if bordereau.nbr_pce is not None and (bordereau.nbr_pce != bordereau.pieces or bordereau.pieces < 1):
        yield counted.problem("NbrPce", "B01", found=str(bordereau.nbr_pce), expected=str(bordereau.pieces))


def _b02_again(counted: _Counted) -> Iterator[Problem]:
    """A number serves once by year and kind of bordereau (and of roll, which no flow tells): here, in the flow itself."""
    if counted.again:
        variant = "roll" if counted.bordereau.typ_bord == _ROLL else ""
        yield counted.problem("IdBord", "B02", variant, found=counted.bordereau.id_bord)


def _b03_sums(counted: _Counted) -> Iterator[Problem]:
    """The totals are those of the lines."""
    if not counted.whole:
        return
    bordereau = counted.bordereau
    name = "MtBordHT" if counted.domain.name == DEPENSE else "MtBordHt"
    if bordereau.mt_bord_ht is not None and bordereau.mt_bord_ht != counted.ht:
        yield counted.problem(name, "B03", found=str(bordereau.mt_bord_ht), expected=str(counted.ht))
    if (declared := bordereau.mt_bord_tva or _NOTHING) != counted.tva:
        yield counted.problem("MtBordTVA", "B03", found=str(declared), expected=str(counted.tva))


def _b04_tax(counted: _Counted) -> Iterator[Problem]:
    """Tax on a line if and only if there is some on the bordereau."""
    declared = counted.bordereau.mt_bord_tva or 0
    if counted.whole and (counted.tva > 0) is not (declared > 0):
        yield counted.problem("MtBordTVA", "B04", found=str(declared))


def _b05_cumul(counted: _Counted) -> Iterator[Problem]:
    """The running total of the year, where the flow is dematerialised."""
    domain, bordereau = counted.domain, counted.bordereau
    wanted = domain.dematerialised and not (domain.name == RECETTE and bordereau.typ_bord == _ROLL)
    if wanted and not (bordereau.mt_cumul_annuel or 0) > 0:
        yield counted.problem("MtCumulAnnuel", "B05", found=str(bordereau.mt_cumul_annuel or ""))


def _b06_kind(counted: _Counted) -> Iterator[Problem]:
    """A kind of bordereau that the schema lists for returns only; the triplets themselves are in an annex."""
    if counted.bordereau.typ_bord in _OF_RETURNS:
        yield counted.problem("TypBord", "B06", found=counted.bordereau.typ_bord)


def _b17_year(counted: _Counted) -> Iterator[Problem]:
    """A bordereau is issued in its year, or in the one beside it: accounts stay open for a while, and open early."""
    bordereau = counted.bordereau
    year, issued = year_of(bordereau.exer), year_of(bordereau.dte_bord_em)
    if year is not None and issued is not None and abs(issued - year) > 1:
        yield counted.problem("DteBordEm", "B17", "year", found=bordereau.dte_bord_em, expected=bordereau.exer)


_RULES = (_b01_count, _b02_again, _b03_sums, _b04_tax, _b05_cumul, _b06_kind, _b17_year)
