"""Restitutions that were asked for on a page: written by a worker, a while at a time, into a folder of its own.

The folder stands on the worker's disk, below ``state_dir``: a whole fonds is carried by whoever runs the platform, on a medium or
over a line of its own, not by a browser.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog
from sqlmodel import Session, col, select

from archive.finding.models import Restitution
from archive.finding.restitution import Progress, restitute
from core import clock, journal
from core.errors import Conflict, TabellionError
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

ASKED = "archive.restitution_asked"
"""The journal entry of a demand."""
ACTOR, QUEUE, EVERY = "archive.restitute", "archive", timedelta(minutes=1)
_log = structlog.get_logger()
_messages = Catalogue("archive.finding")
_A_TURN = 60.0  # seconds: other runs of the queue wait meanwhile
_MOST = 100


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


def listed(session: Session) -> list[Restitution]:
    """Return the restitutions that the session sees, newest first; a bounded number."""
    return list(session.exec(select(Restitution).order_by(col(Restitution.id).desc()).limit(_MOST)))


def folder_of(platform: Platform, restitution_id: str) -> Path:
    """Return the folder that a restitution is written to, on the worker's disk."""
    return platform.settings.state_dir / "restitutions" / restitution_id


def go_on(platform: Platform, _key: str) -> None:
    """Write the oldest restitution that is not finished for a while; what stops it is told on its page, and tried again."""
    with platform.database.reading(PLATFORM) as session:
        oldest = (
            select(Restitution).where(col(Restitution.finished).is_(None)).order_by(col(Restitution.tried), col(Restitution.id))
        )
        restitution = session.exec(oldest.limit(1)).first()
        if restitution is None:
            return
        organisation = session.get_one(Organisation, restitution.organisation_id)
    until, latest = time.monotonic() + _A_TURN, Progress()

    def told(progress: Progress) -> bool:
        nonlocal latest
        latest = replace(progress)
        return time.monotonic() < until

    trouble = ""
    folder = folder_of(platform, restitution.id)
    try:
        latest = restitute(platform, organisation, folder, actor=restitution.asked_by, told=told)
    except (TabellionError, OSError) as error:
        _log.warning("restitution.stopped", restitution=restitution.id, error=type(error).__name__)
        trouble = str(error) if isinstance(error, TabellionError) else _messages("restitution.folder", folder=folder.parent)
    _note(platform, restitution.id, latest, trouble)


def _note(platform: Platform, restitution_id: str, progress: Progress, trouble: str) -> None:
    with platform.database.writing(PLATFORM) as session:
        restitution = session.get_one(Restitution, restitution_id)
        restitution.tried = clock.now()
        restitution.trouble = trouble[:500]
        if progress.total:
            restitution.total, restitution.done, restitution.size = progress.total, progress.done, progress.size
            restitution.waiting = progress.waiting
        if progress.finished:
            restitution.finished = clock.now()
        session.add(restitution)
