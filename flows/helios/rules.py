"""The numbered rules that need the platform's knowledge: whose SIRET it is, what was posted before, whether it can leave.

The rules on the document alone are in ``schemas/pes/rules.py`` (R) and ``signing/pes/rules.py`` (S). R09 (NomFic and CodCol
never used) is held at the deposit by a unique key of the database, see ``intake.py``.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import col

from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem, Severity
from flows.engine.models import Dossier, DossierFile

_messages = Catalogue("flows.helios")
# A document that stopped here may come again, to the byte.
_NEVER_SENT = ("rejected", "declined", "given_up")
_SIREN = 9


def of_the_platform(platform: Platform, organisation_id: str, dossier_id: str, id_coll: str | None, sha256: str) -> list[Problem]:
    """Return what the platform has to say against a PES.

    Args:
        platform: the platform.
        organisation_id: who deposits.
        dossier_id: the dossier of the deposit, which is not its own duplicate.
        id_coll: SIRET of the budget, from the header.
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
    return [*_r13_owner(siren, id_coll), *_r10_known(earlier[0] if earlier else None)]


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
