"""The numbered rules that need the platform's knowledge: whose SIRET it is, what was posted before, whether it can leave.

The rules on the document alone are in ``schemas/pes/rules.py`` (R, B, P) and ``signing/pes/rules.py`` (S). R09 (NomFic and CodCol
never used) is held at the deposit by a unique key of the database, see ``intake.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from core.database import ScopedSession
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem, Severity, problem_in_words
from flows.engine.models import Dossier, DossierFile
from schemas.pes.pieces import year_of
from schemas.pes.reader import whole

_messages = Catalogue("flows.helios")
_problem = partial(problem_in_words, _messages, severity=Severity.WARNING)
# A document that stopped here may come again, to the byte.
_NEVER_SENT = ("rejected", "declined", "given_up")
# Hélios took these; of a flow that is on its way, only the sequence can be told.
_TAKEN = ("acquitted", "archived")
_NOT_TAKEN = (*_NEVER_SENT, "refused")
_DOMAINS = {"5": "depense", "6": "recette"}
_TOLD, _AT_A_TIME = 50, 100
_OLDEST = 2005
_SIREN = 9


def of_the_platform(
    platform: Platform, organisation_id: str, dossier_id: str, facts: Mapping[str, Any], sha256: str
) -> list[Problem]:
    """Return what the platform has to say against a PES.

    Args:
        platform: the platform.
        organisation_id: who deposits.
        dossier_id: the dossier of the deposit, which is not its own duplicate.
        facts: what was read of the document.
        sha256: hexadecimal digest of the file as deposited.
    """
    with platform.database.reading(PLATFORM) as session:
        organisation = session.get(Organisation, organisation_id)
        siren = organisation.siren if organisation else None
        earlier = session.execute(
            select(Dossier.id)  # type: ignore[call-overload]
            .join(DossierFile, DossierFile.dossier_id == Dossier.id)
            .where(Dossier.organisation_id == organisation_id, Dossier.flow == "helios", Dossier.id < dossier_id)
            .where(DossierFile.role == "pes", DossierFile.sha256 == sha256, col(Dossier.state).not_in(_NEVER_SENT))
        ).first()
        numbers = _numbers_of(facts)
        before = _before(session, organisation_id, dossier_id, facts["header"], numbers)
    return [
        *_r13_owner(siren, facts["header"].get("id_coll")),
        *_r10_known(earlier[0] if earlier else None),
        *islice(_b02_again(numbers, before), _TOLD),
        *_b02_sequence(numbers, before),
    ]


@dataclass(slots=True)
class _Series:
    """The numbers of bordereaux of one domain, year and kind, of one budget.

    Attributes:
        highest: of those that were sent.
        taken: those that Helios took, with the dossier of each.
    """

    highest: int = 0
    taken: dict[int, str] = field(default_factory=dict)


_Name = tuple[str, int, str]  # of a series: domain, year, kind of bordereau


def _numbers_of(facts: Mapping[str, Any]) -> dict[_Name, dict[int, int]]:
    """Return the numbers of the bordereaux of a flow, by their series, with the rank of each in its domain."""
    found: dict[_Name, dict[int, int]] = defaultdict(dict)
    ranks: dict[str, int] = defaultdict(int)
    for one in facts.get("bordereaux", ()):
        ranks[one["domain"]] += 1
        year, number = year_of(one["exer"]), whole(one["id_bord"])
        if year is not None and number is not None and one["typ_bord"]:
            found[one["domain"], year, one["typ_bord"]].setdefault(number, ranks[one["domain"]])
    return found


def _before(
    session: ScopedSession, organisation_id: str, dossier_id: str, header: Mapping[str, Any], wanted: Mapping[_Name, object]
) -> dict[_Name, _Series]:
    """Return what was sent before for the same budget, of the series that are wanted.

    No flow is sent earlier than the year before its own: dossiers are read from there, a few at a time.
    """
    found: dict[_Name, _Series] = defaultdict(_Series)
    if not wanted:
        return found
    first = datetime(max(_OLDEST, min(year for _, year, _ in wanted) - 1), 1, 1, tzinfo=UTC)
    rows = session.execute(
        select(Dossier.id, Dossier.state, Dossier.facts)  # type: ignore[call-overload]
        .where(Dossier.organisation_id == organisation_id, Dossier.flow == "helios", Dossier.id < dossier_id)
        .where(Dossier.created >= first, col(Dossier.state).not_in(_NOT_TAKEN))
        .execution_options(yield_per=_AT_A_TIME)
    )
    for earlier, state, facts in rows:
        if any(facts.get(name) != header.get(name) for name in ("cod_col", "cod_bud")):
            continue
        refused = _refused(facts) if state in _TAKEN else None
        for name, numbers in _numbers_of(facts).items():
            if name not in wanted:
                continue
            series = found[name]
            for number in numbers:
                if refused is None or (name[0], name[1], number) not in refused:
                    series.highest = max(series.highest, number)
                    if refused is not None:
                        series.taken.setdefault(number, earlier)
    return found


def _refused(facts: Mapping[str, Any]) -> set[tuple[str, int | None, int | None]]:
    """Return the bordereaux that an acquit refuses: domain, year, number."""
    return {
        (_DOMAINS[one["domain"]], year_of(one["exercice"]), whole(one["bordereau"]))
        for one in facts.get("acquit", {}).get("elements", ())
        if one["domain"] in _DOMAINS and not one["accepted"]
    }


def _b02_again(numbers: Mapping[_Name, Mapping[int, int]], before: Mapping[_Name, _Series]) -> Iterator[Problem]:
    """A number serves once by year and kind of bordereau of a budget."""
    for name, own in numbers.items():
        taken = before[name].taken if name in before else {}
        for number in sorted(own.keys() & taken.keys()):
            places = {"dossier": taken[number]}
            yield _problem("B02", path=_path(name, own[number]), found=str(number), scope="bordereau", places=places)


def _b02_sequence(numbers: Mapping[_Name, Mapping[int, int]], before: Mapping[_Name, _Series]) -> Iterator[Problem]:
    """Numbers follow each other: of each series the first hole is told, once something of it was sent here."""
    for name, own in numbers.items():
        highest = before[name].highest if name in before else 0
        for number in sorted(own) if highest else ():
            if number > highest + 1:
                expected = str(highest + 1)
                yield _problem("B02", "hole", path=_path(name, own[number]), found=str(number), expected=expected)
                break
            highest = max(highest, number)


def _path(name: _Name, rank: int) -> str:
    return f"/PES_Aller/PES_{name[0].capitalize()}Aller/Bordereau[{rank}]/BlocBordereau/IdBord"


def _r13_owner(siren: str | None, id_coll: str | None) -> list[Problem]:
    if siren is None or id_coll is None or id_coll[:_SIREN] == siren:
        return []
    return [
        Problem(
            "R13",
            Severity.ERROR,
            _messages("R13.message"),
            path="/PES_Aller/EnTetePES/IdColl",
            found=id_coll,
            expected=_messages("R13.expected", siren=siren),
            mend=_messages("R13.mend"),
        )
    ]


def _r10_known(earlier: str | None) -> list[Problem]:
    if earlier is None:
        return []
    message, mend = _messages("R10.message"), _messages("R10.mend", dossier=earlier)
    return [Problem("R10", Severity.ERROR, message, mend=mend, found=earlier)]
