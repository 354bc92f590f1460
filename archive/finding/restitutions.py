"""Restitutions that were asked for on a page: written by workers, a while at a time, into volumes that are taken from the page.

They stand in the object store, which every process reaches, and are taken away when their time is over.
"""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta

import structlog
from sqlmodel import Session, col, select

from archive.finding import volumes
from archive.finding.fonds import Progress
from archive.finding.models import Restitution, RestitutionState, RestitutionVolume
from core import clock, journal
from core.errors import Conflict, NotFound, TabellionError
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

ASKED = "archive.restitution_asked"
"""The journal entry of a demand."""
ACTOR, QUEUE, EVERY = "archive.restitute", "archive", timedelta(minutes=1)
_log = structlog.get_logger()
_messages = Catalogue("archive.finding")
KEPT = timedelta(days=30)
"""How long the volumes stay once a restitution is finished."""
_A_TURN = 60.0  # seconds: other runs of the queue wait meanwhile


def ask(platform: Platform, principal: Principal, organisation_id: str) -> str:
    """Ask for the restitution of a fonds and return its identifier.

    Raises:
        Forbidden: the principal manages no archives there.
        Conflict: one is under way.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    with platform.database.writing(PLATFORM) as session:
        under_way = select(Restitution.id).where(
            Restitution.organisation_id == organisation_id, col(Restitution.finished).is_(None)
        )
        existing = session.exec(under_way).first()
        if existing is not None:
            raise Conflict(_messages("restitution.under_way"), existing)
        asked = Restitution(organisation_id=organisation_id, asked_by=principal.actor)
        session.add(asked)
        session.flush()
        facts = {"restitution": asked.id}
        journal.write(session, organisation_id=organisation_id, kind=ASKED, actor=principal.actor, facts=facts)
    return asked.id


def listed(session: Session, before: str, most: int) -> list[Restitution]:
    """Return the newest restitutions that the session sees, before one when it is named."""
    wanted = select(Restitution)
    if before:
        wanted = wanted.where(col(Restitution.id) < before)
    return list(session.exec(wanted.order_by(col(Restitution.id).desc()).limit(most)))


def volumes_of(session: Session, restitutions: list[Restitution]) -> dict[str, list[RestitutionVolume]]:
    """Return the volumes of those that are ready to be taken, in order, by restitution."""
    ready = [one.id for one in restitutions if one.state is RestitutionState.READY]
    wanted = select(RestitutionVolume).where(col(RestitutionVolume.restitution_id).in_(ready))
    found: dict[str, list[RestitutionVolume]] = defaultdict(list)
    for volume in session.exec(wanted.order_by(col(RestitutionVolume.rank))):
        found[volume.restitution_id].append(volume)
    return found


def volume_of(platform: Platform, principal: Principal, restitution_id: str, rank: int) -> RestitutionVolume:
    """Return a volume of a restitution that is ready, for whoever manages the archives there and may read them.

    Raises:
        NotFound: there is none, it is not ready or was taken away, or the principal does not see it.
        Forbidden: the principal lacks a right.
    """
    with platform.database.reading(principal) as session:
        restitution = session.exec(select(Restitution).where(Restitution.id == restitution_id)).first()
        found = [] if restitution is None else volumes_of(session, [restitution])[restitution.id]
    volume = next((one for one in found if one.rank == rank), None)
    if volume is None:
        raise NotFound(_messages("restitution.unknown"))
    for right in (Right.ARCHIVE, Right.READ):
        principal.require(right, volume.organisation_id)
    return volume


def run(platform: Platform, _key: str) -> None:
    """Take away what is over, and go on with what is not finished."""
    sweep(platform)
    go_on(platform)


def sweep(platform: Platform) -> None:
    """Take the volumes of a restitution whose time is over out of the store; of several the one that was over first."""
    over = (
        select(Restitution)
        .join(RestitutionVolume, col(RestitutionVolume.restitution_id) == Restitution.id)
        .where(col(Restitution.expires) <= clock.now())
        .order_by(col(Restitution.expires))
    )
    with platform.database.reading(PLATFORM) as session:
        restitution = session.exec(over.limit(1)).first()
    if restitution is None:
        return
    platform.objects.let_go(volumes.folder_of(restitution.id))
    with platform.database.writing(PLATFORM) as session:
        for volume in volumes.volumes_of(session, restitution.id):
            session.delete(volume)


def go_on(platform: Platform) -> None:
    """Write the oldest restitution that is not finished for a while; what stops it is told on its page, and tried again."""
    with platform.database.reading(PLATFORM) as session:
        oldest = (
            select(Restitution)
            .where(col(Restitution.finished).is_(None))
            .order_by(col(Restitution.tried).nulls_first(), col(Restitution.id))
        )
        restitution = session.exec(oldest.limit(1)).first()
        if restitution is None:
            return
        organisation = session.get_one(Organisation, restitution.organisation_id)
    until, progress, trouble = time.monotonic() + _A_TURN, None, ""
    try:
        progress = volumes.write_on(platform, restitution, organisation, enough=lambda: time.monotonic() >= until, ending=_end)
    except (TabellionError, OSError) as error:
        _log.warning("restitution.stopped", restitution=restitution.id, error=type(error).__name__)
        trouble = str(error) if isinstance(error, TabellionError) else _messages("restitution.folder")
    _note(platform, restitution.id, progress, trouble)


def _end(restitution: Restitution) -> None:
    restitution.finished = clock.now()
    restitution.expires = restitution.finished + KEPT


def _note(platform: Platform, restitution_id: str, progress: Progress | None, trouble: str) -> None:
    with platform.database.writing(PLATFORM) as session:
        restitution = session.get_one(Restitution, restitution_id)
        restitution.tried = clock.now()
        restitution.trouble = trouble[:500]
        if progress is not None:
            restitution.total, restitution.waiting, restitution.lost = progress.total, progress.waiting, progress.lost
        session.add(restitution)
