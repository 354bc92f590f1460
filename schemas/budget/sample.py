"""A sample budget: balanced and sealed, of an authority that does not exist.

The demonstration, the tests and the simulators use it. It is written as a stream, so that one of 100 MB costs the memory of a
line; the same sample always gives the same bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import quoteattr

from schemas.budget.canonical import Fingerprints
from schemas.budget.seal import NAMESPACE, seal

_CENT = Decimal("0.01")
# Account, chapter: ordinary ones of M57 by nature.
_EXPENSES_F = (("60612", "011"), ("6156", "011"), ("64111", "012"), ("65748", "65"), ("66111", "66"))
_RECEIPTS_F = (("70632", "70"), ("73111", "731"), ("741121", "74"), ("752", "75"), ("75888", "75"))
_EXPENSES_I = (("2031", "20"), ("2128", "21"), ("2313", "23"), ("1641", "16"), ("2188", "21"))
_RECEIPTS_I = (("10222", "10"), ("1321", "13"), ("1641", "16"), ("1328", "13"), ("1068", "10"))
_FUNCTIONS = ("020", "11", "211", "311", "511", "845")


@dataclass(frozen=True, slots=True)
class SampleBudget:
    """What the document holds.

    Attributes:
        siret: of the authority; the default one does not exist: no département has the number 99.
        name: of the authority, at most 100 characters; ``budget`` name of the budget.
        year: fiscal year.
        decision: 01 budget primitif, 02 décision modificative, 03 budget supplémentaire, 09 compte administratif.
        lines: in each section and each sense, transfers between sections aside.
        annexes: entries of the annex on personnel, which has no names.
        decided: day of the decision.
        sealed: moment of sealing; None leaves the document unsealed.
        rematerialised: it names the State's tools; required for a seal.
        unbalanced_by: euros added to one expense of functioning.
    """

    siret: str = "21990001600011"
    name: str = "COMMUNE DE SAINT-EXEMPLE-LÈS-BAINS"
    budget: str = "BUDGET PRINCIPAL"
    year: int = 2026
    decision: str = "01"
    lines: int = 5
    annexes: int = 3
    decided: date = date(2026, 3, 30)
    sealed: datetime | None = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
    rematerialised: bool = True
    unbalanced_by: Decimal = Decimal(0)


def write_sample(sample: SampleBudget, path: Path) -> Fingerprints | None:
    """Write the document to a file, in ISO-8859-1, three spaces a level; return the fingerprints of its seal, if it has one.

    Raises:
        UsageError: to be sealed, but not rematerialised.
    """
    if sample.sealed is None:
        _write(sample, path)
        return None
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        unsealed = Path(folder) / "unsealed.xml"
        _write(sample, unsealed)
        return seal(unsealed, path, at=sample.sealed)


def _write(sample: SampleBudget, path: Path) -> None:
    with path.open("w", encoding="iso-8859-1", errors="xmlcharrefreplace", newline="\n") as out:
        out.write(f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<DocumentBudgetaire xmlns="{NAMESPACE}">\n')
        out.write('   <VersionSchema V="113"/>\n   <BlocEditeur>\n      <CodeEditeur V="TABELLION"/>\n   </BlocEditeur>\n')
        if sample.rematerialised:
            out.write('   <VersionOutil outil="DSC_COMMON" version="31"/>\n   <VersionOutil outil="REMAT" version="18"/>\n')
        _element(out, 1, "EnTeteDocBudgetaire", _header(sample))
        out.write("   <Budget>\n")
        _element(out, 2, "EnTeteBudget", _budget(sample))
        _element(out, 2, "BlocBudget", _decision(sample))
        out.write(
            '      <InformationsGenerales>\n         <Information Code="PopTot" V="1204"/>\n      </InformationsGenerales>\n'
        )
        for line in _lines(sample):
            _element(out, 2, "LigneBudget", line)
        _write_annexes(out, sample)
        out.write("   </Budget>\n</DocumentBudgetaire>\n")


def _element(out: TextIO, level: int, name: str, values: dict[str, str]) -> None:
    margin = "   " * level
    children = "".join(f"{margin}   <{child} V={quoteattr(value)}/>\n" for child, value in values.items())
    out.write(f"{margin}<{name}>\n{children}{margin}</{name}>\n")


def _header(sample: SampleBudget) -> dict[str, str]:
    return {
        "DteStr": sample.decided.isoformat(),
        "LibellePoste": "SGC EXEMPLE",
        "IdPost": "099012",
        "LibelleColl": sample.name,
        "IdColl": sample.siret,
        "NatCEPL": "Commune",
        "Departement": "099",
    }


def _budget(sample: SampleBudget) -> dict[str, str]:
    return {
        "LibelleEtab": sample.budget,
        "IdEtab": sample.siret,
        "CodColl": "123",
        "CodInseeColl": "99123",
        "CodBud": "00",
        "Nomenclature": "M57-M57_A",
    }


def _decision(sample: SampleBudget) -> dict[str, str]:
    return {
        "NatDec": sample.decision,
        **({"NumDec": "1"} if sample.decision == "02" else {}),
        "Exer": str(sample.year),
        "ProjetBudget": "false",
        "DteDec": sample.decided.isoformat(),
        "DteDecEx": sample.decided.isoformat(),
        "NatVote": "FcIc",
        "OpeEquip": "false",
        "VoteFormelChap": "false",
        "TypProv": "1",
        "BudgPrec": "1",
        "ReprRes": "1",
        "NatFonc": "1",
        "CodTypBud": "P",
    }


def _lines(sample: SampleBudget) -> Iterator[dict[str, str]]:
    """Yield lines so that each section balances: the transfer from functioning to investment is on both sides."""
    for expenses, receipts in ((_EXPENSES_F, _RECEIPTS_F), (_EXPENSES_I, _RECEIPTS_I)):
        for rank in range(sample.lines):
            amount = _CENT * (100_000 + 7_919 * (rank % 997))
            added = sample.unbalanced_by if rank == 0 and expenses is _EXPENSES_F else Decimal(0)
            yield _line(sample, rank, expenses[rank % len(expenses)], "D", amount + added)
            yield _line(sample, rank, receipts[rank % len(receipts)], "R", amount)
    transfer = Decimal("1500.50")
    for (account, chapter), sense in (
        (("6811", "042"), "D"),
        (("28188", "040"), "R"),
        (("777", "042"), "R"),
        (("13913", "040"), "D"),
    ):
        yield _line(sample, 0, (account, chapter), sense, transfer, order=True)


def _line(
    sample: SampleBudget, rank: int, account: tuple[str, str], sense: str, amount: Decimal, *, order: bool = False
) -> dict[str, str]:
    achieved = {"MtReal": str(amount)} if sample.decision == "09" else {}
    return {
        "Nature": account[0],
        "Fonction": _FUNCTIONS[rank % len(_FUNCTIONS)],
        "ContNat": account[1],
        "ArtSpe": "false",
        "CodRD": sense,
        "MtBudgPrec": str(amount),
        "MtPropNouv": str(amount),
        "MtPrev": str(amount),
        "CredOuv": str(amount),
        **achieved,
        "OpBudg": "1" if order else "0",
        **({"TypOpBudg": "2"} if order else {}),
    }


def _write_annexes(out: TextIO, sample: SampleBudget) -> None:
    out.write("      <Annexes>\n         <DATA_PERSONNEL>\n")
    for rank in range(sample.annexes):
        _element(out, 4, "PERSONNEL", {"CodTypAgent": "T", "LibEmploi": f"Emploi n° {rank + 1}", "EffectifBud": "1.00"})
    out.write("         </DATA_PERSONNEL>\n         <DATA_SOMMAIRE>\n")
    _element(out, 4, "SOMMAIRE", {"CodeAnnexe": "IV-C1", "Present": "true"})
    out.write("         </DATA_SOMMAIRE>\n      </Annexes>\n")
