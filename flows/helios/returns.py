"""PES Retour: what the accountant did with bordereaux, given to those whose budget it is of (domain rule A07).

A return answers no flow: it tells of the bordereaux of a budget, sent in one flow or in many, as often as the accountant set. So
each is a dossier of its own, found among the others, which waits until finance software says that it has taken it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlalchemy import or_
from sqlmodel import col, select

from core.database import ScopedSession
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.intake import Deposit, receive
from flows.engine.models import Dossier
from flows.engine.table import End, Flow, Wait
from flows.engine.work import KeptFile
from flows.helios.flow import HELIOS
from flows.helios.models import HeliosResponse
from schemas.pes.header import Header, read_header

RETURNS = Flow(
    "pes_retour",
    #    in this state    waits for                               leads to
    Wait("available", waits_for="le logiciel financier",          taken="taken"),
    End("taken", good=True),
)  # fmt: skip
KIND, ROLE = "pes-retour", "pes"
_messages = Catalogue("flows.helios")
_SIREN, _LONGEST = 9, 200
_LEFT = ("sent", "acquitted", "archived", "refused")
_FACTS = ("nom_fic", "typ_fic", "dte_str", "id_post", "id_coll", "cod_col", "cod_bud", "libelle_col_bud")


def hand_on(platform: Platform, response_id: str) -> None:
    """Make a dossier of a return for the one whose budget it is of; else keep it, and say why.

    It is asked again at every collection: what is of a SIRET that nobody has yet finds its owner once somebody has it.

    Raises:
        ObjectMissing, ObjectAltered, Unavailable: the store does not give the return.
        UnreadableInput: its header cannot be read any more.
    """
    with platform.database.reading(PLATFORM) as session:
        response = session.get(HeliosResponse, response_id)
    if response is None or response.applied:
        return
    header = None
    siret = response.reference
    if siret is None:  # kept by a version that did not route returns
        header = _header(platform, response)
        siret = (header.id_coll or "")[:_LONGEST]
    with platform.database.reading(PLATFORM) as session:
        owner = owner_of(session, response.gateway_id, siret)
    if owner is None:
        _note(platform, response_id, siret=siret, flaw=_messages("A07.message", siret=siret or "–"))
        return
    header = header or _header(platform, response)
    document = KeptFile(ROLE, response.name, "application/xml", response.sha256, response.size)
    told = header.as_json()
    facts = {name: told[name] for name in _FACTS}
    # Known by its octets: a name may come again with a later situation, the same file changes nothing (A01).
    deposit = Deposit(owner, header.nom_fic or response.name, document, response.sha256, facts=facts)
    received = receive(platform.database, RETURNS, PLATFORM, deposit)
    _note(platform, response_id, siret=siret, owner=owner, dossier=received.dossier.id)


def owner_of(session: ScopedSession, gateway_id: str, siret: str) -> str | None:
    """Return the organisation below a gateway whose budget a SIRET is; None where none can be told, or several alike.

    Of those that have the SIREN: the only one; the only one that sent flows of this very budget; the one of this SIRET; the one
    above all others, whose people read what is below it.
    """
    known = _of_the_siren(session, gateway_id, siret[:_SIREN])
    if len(known) < 2:
        return known[0].id if known else None
    senders = session.exec(
        select(Dossier.organisation_id)
        .where(Dossier.flow == HELIOS.name, col(Dossier.organisation_id).in_([one.id for one in known]))
        .where(col(Dossier.state).in_(_LEFT), col(Dossier.facts)["id_coll"].as_string() == siret)
        .distinct()
    ).all()
    establishments = [one.id for one in known if one.siret == siret]
    above = [one.id for one in known if all(other.path.startswith(one.path) for other in known)]
    return next((found[0] for found in (senders, establishments, above) if len(found) == 1), None)


def _of_the_siren(session: ScopedSession, gateway_id: str, siren: str) -> list[Organisation]:
    """Return the organisations at and below a gateway that have a SIREN, or whose nearest above that has one has this."""
    gateway = session.get(Organisation, gateway_id)
    if gateway is None or len(siren) < _SIREN:
        return []
    above, below = gateway.path.strip("/").split("/"), col(Organisation.path).startswith(gateway.path)
    nearest: dict[str | None, str | None] = {}
    found = []
    for one in session.exec(select(Organisation).where(or_(col(Organisation.id).in_(above), below)).order_by(Organisation.path)):
        nearest[one.id] = one.siren or nearest.get(one.parent_id)
        if nearest[one.id] == siren and one.path.startswith(gateway.path):
            found.append(one)
    return found


def _header(platform: Platform, response: HeliosResponse) -> Header:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "response"
        platform.objects.fetch(response.sha256, path)
        return read_header(path)


def _note(
    platform: Platform, response_id: str, *, siret: str, flaw: str | None = None, owner: str = "", dossier: str | None = None
) -> None:
    """Write down where a return is, or why it is nowhere; what is written already is not written again."""
    with platform.database.writing(PLATFORM) as session:
        kept = session.get(HeliosResponse, response_id, with_for_update=True)
        if kept is None or kept.applied or (dossier is None and (kept.reference, kept.flaw) == (siret, flaw)):
            return
        kept.reference, kept.flaw = siret, flaw
        if dossier is not None:
            kept.organisation_id, kept.dossier_id, kept.applied = owner, dossier, True
        session.add(kept)
