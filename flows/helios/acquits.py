"""Collecting what the gateway gives: fetched, kept, matched by NomFic and CodCol, applied once.

Every file is kept before anything is concluded from it. What matches no dossier stays in ``helios_response`` for a person;
what comes before its dossier is ready to hear it is applied at a later turn. Returns go their own way (``returns.py``).
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import or_
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core import journal
from core.blobs import Blob
from core.configuration import Configuration
from core.database import ScopedSession
from core.errors import Conflict, TabellionError, UnreadableInput
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import schedule, transitions
from flows.engine.models import Dossier
from flows.helios import returns
from flows.helios.delivery import is_publishing
from flows.helios.flow import HELIOS
from flows.helios.hearing import ACQUIT, acquit_of, tell
from flows.helios.knowledge import gateway_of, sessions
from flows.helios.models import HeliosResponse
from flows.helios.settings import GATEWAY
from schemas.pes.acquit import Acquit, read_acquit
from schemas.pes.encoding import read_bytes
from schemas.pes.header import read_header
from schemas.pes.rules import DEFAULT_LIMIT as LARGEST_PES
from schemas.pes.rules import MOST_TAGS

if TYPE_CHECKING:
    from connectors.helios.client import Session
    from connectors.helios.responses import ResponseFile

_log = structlog.get_logger()
_messages = Catalogue("flows.helios")
ACTOR, QUEUE = "helios.collect", "remote.helios"
_LONGEST_REFERENCE, _LONGEST_FLAW = 200, 1000


def plan(platform: Platform, every: timedelta) -> None:
    """Plan the collection of every gateway that is configured."""
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == GATEWAY)).all()
    for owner in owners:
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=owner)


def collect(platform: Platform, organisation_id: str) -> None:
    """Fetch what is new at an organisation's gateway, and apply it and what is still to be applied.

    A file that cannot be fetched or kept does not hold up the others.

    Raises:
        TabellionError: the gateway does not answer, or one of the files made trouble: the last trouble.
    """
    trouble: TabellionError | None = None
    with sessions.borrow(gateway_of(platform, organisation_id)) as session:
        listed = session.list_responses()
        known = _known(platform, organisation_id, listed)
        for response in listed:
            removed = session.gateway.removes_responses and response.size > 0  # an empty one may still be written
            if response in known and not removed:
                continue
            try:
                _keep(platform, organisation_id, session, response)
                if removed:
                    session.remove(response.name)
            except TabellionError as error:
                _log.warning("helios.response_troubled", name=response.name, reason=str(error))
                trouble = error
    apply_pending(platform, organisation_id)
    if trouble is not None:
        raise trouble


def _known(platform: Platform, organisation_id: str, listed: list[ResponseFile]) -> set[ResponseFile]:
    """Return the responses that were kept; one of another size, or of another time, has been written further, or again."""
    names = [response.name for response in listed]
    with platform.database.reading(PLATFORM) as session:
        kept = set(
            session.exec(
                select(HeliosResponse.name, HeliosResponse.size, HeliosResponse.modified).where(
                    HeliosResponse.gateway_id == organisation_id, col(HeliosResponse.name).in_(names)
                )
            )
        )
    return {response for response in listed if (response.name, response.size, response.modified) in kept}


def _keep(platform: Platform, organisation_id: str, session: Session, response: ResponseFile) -> None:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "response"
        session.fetch(response.name, path)
        blob = platform.objects.put_file(path)
        kind, reference, flaw = _read(path)
    _insert(platform, organisation_id, response, blob, kind, reference, flaw)


def _read(path: Path) -> tuple[str, str | None, str | None]:
    """Return kind, reference and flaw of a response (rules A03, A04)."""
    try:
        header = read_header(path)  # before any tree: a PES Retour may be of any size
        kind = header.kind
        if kind == returns.KIND:
            return kind, (header.id_coll or "")[:_LONGEST_REFERENCE], None
        if kind != ACQUIT:
            return kind, None, _messages("A04.kind", kind=kind)
        octets = read_bytes(path)
        if path.stat().st_size > LARGEST_PES or max(octets.tags, octets.attributes) > MOST_TAGS:
            return kind, None, _messages("A04.large")
        acquit = read_acquit(path)
    except UnreadableInput as error:
        return "unknown", None, _messages("A04.message", detail=str(error))
    if not acquit.header.nom_fic:
        return kind, None, _messages("A03.nameless")
    if acquit.answer is None:
        return kind, None, _messages("A06.mute")
    return kind, f"{acquit.header.nom_fic}|{acquit.header.cod_col or ''}"[:_LONGEST_REFERENCE], None


def _insert(
    platform: Platform, owner: str, response: ResponseFile, blob: Blob, kind: str, reference: str | None, flaw: str | None
) -> None:
    try:
        with platform.database.writing(PLATFORM) as session:
            session.add(
                HeliosResponse(
                    organisation_id=owner,
                    gateway_id=owner,
                    name=response.name,
                    sha256=blob.sha256,
                    size=blob.size,
                    modified=response.modified,
                    kind=kind,
                    reference=reference,
                    flaw=flaw and flaw[:_LONGEST_FLAW],
                )
            )
            session.flush()
            journal.write(
                session, organisation_id=owner, kind="helios.response_received", actor="platform", facts={"sha256": blob.sha256}
            )
    except IntegrityError:
        _know(platform, owner, response, blob)


def _know(platform: Platform, owner: str, response: ResponseFile, blob: Blob) -> None:
    """Note the time of a file that was kept already: by a run that died before it could say so, or before it was written anew."""
    own = (HeliosResponse.gateway_id == owner, HeliosResponse.name == response.name, HeliosResponse.sha256 == blob.sha256)
    with platform.database.writing(PLATFORM) as session:
        for kept in session.exec(select(HeliosResponse).where(*own)):
            kept.modified = response.modified
    _log.info("helios.response_known", name=response.name)


def apply_pending(platform: Platform, organisation_id: str) -> None:
    """Apply every response of a gateway that has not been applied and has no flaw; one that makes trouble holds up no other.

    A return whose owner was not found is asked again each time: it may have one since.

    Raises:
        TabellionError: one of them made trouble: the last trouble.
    """
    with platform.database.reading(PLATFORM) as session:
        pending = session.exec(
            select(HeliosResponse.id)
            .where(HeliosResponse.gateway_id == organisation_id, col(HeliosResponse.applied).is_(False))
            .where(or_(col(HeliosResponse.flaw).is_(None), col(HeliosResponse.kind) == returns.KIND))
            .order_by(col(HeliosResponse.received))
        ).all()
    trouble: TabellionError | None = None
    for response_id in pending:
        try:
            _apply(platform, response_id)
        except TabellionError as error:
            _log.warning("helios.response_not_applied", response=response_id, reason=str(error))
            trouble = error
    if trouble is not None:
        raise trouble


def _apply(platform: Platform, response_id: str) -> None:
    with platform.database.reading(PLATFORM) as session:
        response = session.get(HeliosResponse, response_id)
    if response is None:
        return
    if response.kind == returns.KIND:
        returns.hand_on(platform, response_id)
        return
    acquit = acquit_of(platform, response)
    with platform.database.writing(PLATFORM) as session:
        current = session.get(HeliosResponse, response_id, with_for_update=True)
        if current is None or current.applied:
            return
        dossier = _match(session, current.gateway_id, acquit)
        if dossier is None:
            current.flaw = _messages("A03.message", name=acquit.header.nom_fic or "?", code=acquit.header.cod_col or "?")
            return
        current.organisation_id, current.dossier_id = dossier.organisation_id, dossier.id
        current.applied = tell(session, dossier, current, acquit)
        doubted = (
            dossier.parked is not None and not dossier.overtaken and dossier.state == "signed" and is_publishing(dossier.facts)
        )
    if doubted:  # the operator's question has answered itself: it has left
        with suppress(Conflict):  # somebody was quicker
            transitions.resume(platform.database, HELIOS, dossier.id, "platform")


def _match(session: ScopedSession, gateway_id: str, acquit: Acquit) -> Dossier | None:
    """Return the dossier that an acquit answers: those that wait first, then the newest (rule A02).

    An acquit without CodCol is matched on NomFic alone, if that names one dossier only. Below one gateway, a code is that of
    several collectivités, each in the books of its own office: one that names neither the budget nor the office is of another
    flow, and so is one that could be of several collectivités.
    """
    owner = session.get(Organisation, gateway_id)
    if owner is None:
        return None
    own = select(Dossier).where(Dossier.flow == HELIOS.name, col(Dossier.organisation_id).in_(subtree(session, owner.path)))
    name, code = acquit.header.nom_fic or "", acquit.header.cod_col
    if code:
        found = list(session.exec(own.where(Dossier.reference == f"{name}|{code}")))
    else:
        found = [dossier for dossier in session.exec(own.where(Dossier.title == name[:200])) if dossier.reference]
        found = found if len(found) == 1 else []
    same_budget = [dossier for dossier in found if dossier.facts.get("id_coll") == acquit.header.id_coll]
    candidates = same_budget or [dossier for dossier in found if _is_of_the_office(dossier, acquit)]
    if len({dossier.organisation_id for dossier in candidates}) > 1:
        return None
    return max(candidates, key=lambda dossier: (dossier.state == "sent", dossier.created), default=None)


def _is_of_the_office(dossier: Dossier, acquit: Acquit) -> bool:
    """Tell whether an acquit that names another budget, or none, may be meant for a dossier: by its accounting office."""
    return acquit.header.id_post in (None, dossier.facts.get("id_post"))
