"""The numbered rules that need the platform's knowledge: whose SIRET it is, what was posted before, whether it can leave.

The rules on the document alone are in ``schemas/pes/rules.py`` (R, B, P) and ``signing/pes/rules.py`` (S). R09 (NomFic and CodCol
never used) is held at the deposit by a unique key of the database, see ``intake.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem, Severity, problem_in_words
from flows.engine.models import Dossier, DossierFile
from flows.helios import history
from flows.helios.history import ROLL, Before, Name, Numbers, Series, numbers_of

_messages = Catalogue("flows.helios")
_problem = partial(problem_in_words, _messages, severity=Severity.WARNING)
# A document that stopped here may come again, to the byte.
_NEVER_SENT = ("rejected", "declined", "given_up")
_TOLD = 50
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
        numbers = numbers_of(facts.get("bordereaux", ()))
        before = history.before(session, organisation_id, dossier_id, facts["header"], numbers)
    return [
        *_r13_owner(siren, facts["header"].get("id_coll")),
        *_r10_known(earlier[0] if earlier else None),
        *islice(_b02_again(numbers, before), _TOLD),
        *_b02_sequence(numbers, before),
    ]


def of_the_deposit(known: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Problem]:
    """Return what keeps a PES from being known by its name: no acquit would find a dossier whose deposit did not read its header.

    Args:
        known: what the deposit read of it.
        facts: what was read of the whole document.
    """
    name = facts["header"].get("nom_fic")
    if name is None or known.get("nom_fic", name):
        return []
    return [_problem("R08", severity=Severity.ERROR, path="/PES_Aller/Enveloppe/Parametres/NomFic", found=name)]


def _b02_again(numbers: Numbers, before: Before) -> Iterator[Problem]:
    """A number serves once by year and kind of bordereau of a budget; one of a roll once by kind of roll, which no flow tells."""
    for name, own in numbers.items():
        series = before.series.get(name, Series())
        known = series.doubted | series.taken
        for number in sorted(own.keys() & known.keys()):
            variant = "roll" if name[2] == ROLL else "" if number in series.taken else "doubt"
            scope, places = "flow" if variant else "bordereau", {"dossier": known[number]}
            yield _problem("B02", variant, path=_path(name, own[number]), found=str(number), scope=scope, places=places)


def _b02_sequence(numbers: Numbers, before: Before) -> Iterator[Problem]:
    """Numbers follow each other: of each series the first hole is told, once something of it was sent here."""
    for name, own in numbers.items():
        highest = before.series.get(name, Series()).highest
        for number in sorted(own) if highest and before.whole and name[2] != ROLL else ():
            if number > highest + 1:
                expected = str(highest + 1)
                yield _problem("B02", "hole", path=_path(name, own[number]), found=str(number), expected=expected)
                break
            highest = max(highest, number)


def _path(name: Name, rank: int) -> str:
    return f"/PES_Aller/PES_{name[0].capitalize()}Aller/Bordereau[{rank}]/BlocBordereau/IdBord"


def _r13_owner(siren: str | None, id_coll: str | None) -> list[Problem]:
    if siren is None or id_coll is None or id_coll[:_SIREN] == siren:
        return []
    path = "/PES_Aller/EnTetePES/IdColl"
    return [_problem("R13", severity=Severity.ERROR, path=path, found=id_coll, places={"siren": siren})]


def _r10_known(earlier: str | None) -> list[Problem]:
    return [] if earlier is None else [_problem("R10", severity=Severity.ERROR, found=earlier, places={"dossier": earlier})]
