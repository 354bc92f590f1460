"""What comes back from a parapheur outside: looked for again and again, kept first, told to the dossier next, closed last.

    what the parapheur says          what becomes of the dossier
    signed, approved                 its documents are kept, event ``completed``; then the parapheur lets go of it
    rejected, at any step            the bordereau is kept, event ``declined`` with the reason; then the same
    under way                        it waits on, for as many days as the account says
    taken back, failed, unknown      it is set aside for a person, and looked for on

A crash between two of these repeats the later one: fetching again is harmless, an event is heard once, and what was closed is
unknown over there, which counts as closed.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlmodel import Session, col, select

from connectors.iparapheur.client import ParapheurConnector, open_connector
from connectors.iparapheur.dossiers import Attachment, Returned, State, Status
from connectors.iparapheur.errors import AnswerUnreadable, DossierMissing
from connectors.iparapheur.settings import ParapheurSettings
from core import clock, journal
from core.configuration import Configuration
from core.errors import NotFound, TabellionError, Unavailable
from core.journal import JournalEntry
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import moves, schedule, transitions
from flows.engine.models import Dossier, DossierFile, Step
from flows.engine.work import Advance, KeptFile
from flows.parapheur.external import EXTERNAL, settings_of
from flows.registry import flow_named

_log = structlog.get_logger()
_messages = Catalogue("flows.parapheur")
ACTOR, QUEUE = "parapheur.collect", "remote.parapheur"
CLOSING_ACTOR, CLOSING_EVERY = "parapheur.close", timedelta(hours=1)
WAITING = "in_parapheur"
_EVENTS = {State.SIGNED: "completed", State.APPROVED: "completed", State.REJECTED: "declined"}
_DUE, _CLOSED = "due", "parapheur.closed"
# The flow's own deadline rings behind ours, for the case that nobody looks any more.
_BEHIND = timedelta(days=1)
# A parapheur that is down is not asked for each of its dossiers.
_SILENCES = 3
_MEDIA = re.compile(r"[A-Za-z0-9][\w.+-]{0,40}/[\w.+-]{1,58}", re.ASCII)
_LONGEST_NAME, _LONGEST_REASON = 255, 1000


@dataclass(frozen=True, slots=True)
class _Account:
    """A parapheur, as one account reaches it."""

    platform: Platform
    settings: ParapheurSettings
    parapheur: ParapheurConnector


def plan(platform: Platform, every: timedelta) -> None:
    """Plan to look into every parapheur outside that is configured, and to close there what is still to be closed."""
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == EXTERNAL)).all()
    for owner in owners:
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=owner)
    schedule.plan(platform.database, CLOSING_ACTOR, QUEUE, CLOSING_EVERY)


def collect(platform: Platform, account: str) -> None:
    """Look where the dossiers stand that left by an account, and bring back those that have come to their end.

    One that makes trouble does not hold up the others.

    Raises:
        TabellionError: the parapheur does not answer, or one of the dossiers made trouble: the last trouble.
    """
    waiting = _waiting(platform, account)
    if not waiting:
        return
    opened, silent = _opened(platform, account), 0
    trouble: TabellionError | None = None
    for dossier in waiting:
        try:
            _look(opened, dossier)
            silent = 0
        except TabellionError as error:
            _log.warning("parapheur.dossier_troubled", dossier=dossier.id, reason=str(error))
            trouble, silent = error, silent + isinstance(error, Unavailable)
        if silent == _SILENCES:
            break
    if trouble is not None:
        raise trouble


def _opened(platform: Platform, account: str) -> _Account:
    settings = settings_of(platform, account)
    return _Account(platform, settings, open_connector(settings, platform.settings.permitted_networks))


def _waiting(platform: Platform, account: str) -> list[Dossier]:
    mine = col(Dossier.facts)[("parapheur", "account")].as_string() == account
    with platform.database.reading(PLATFORM) as session:
        waiting = select(Dossier).where(Dossier.state == WAITING, ~col(Dossier.overtaken), mine)
        found = session.exec(waiting.order_by(col(Dossier.since), col(Dossier.id)))
        return list(found)


def _look(account: _Account, dossier: Dossier) -> None:
    try:
        status = account.parapheur.status(dossier.facts["parapheur"]["id"])
    except DossierMissing as error:
        _set_aside(account.platform, dossier, str(error))
        return
    if status.state in _EVENTS:
        _bring_back(account, dossier, status)
    elif status.state is State.PENDING:
        _wait_on(account, dossier)
    else:
        address = dossier.facts["parapheur"]["external"]
        _set_aside(account.platform, dossier, _messages(f"external.{status.state.value}", address=address))


def _bring_back(account: _Account, dossier: Dossier, status: Status) -> None:
    """Keep what has come back, and tell the dossier in one transaction; closing, which may erase it there, comes after."""
    event, told = _EVENTS[status.state], dossier.facts["parapheur"]
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        returned = account.parapheur.fetch(told["id"], Path(folder))
        files = _kept(account.platform, dossier, returned, signed=event == "completed")
    facts = {**told, "state": status.state.value, "reason": status.reason[:_LONGEST_REASON], "closing": _DUE}
    outcome = Advance(event, facts={"parapheur": facts}, files=files, journal={"external": told["id"]})
    flow = flow_named(dossier.flow)
    with account.platform.database.writing(PLATFORM) as session:
        heard = transitions.signal(session, flow, dossier.id, event, outcome, frees_reference=event == "declined")
    if not heard:
        return
    try:
        _close(account, dossier.id)
    except TabellionError as error:
        _log.warning("parapheur.not_closed", dossier=dossier.id, reason=str(error))  # tried again by ``close_due``


def _kept(platform: Platform, dossier: Dossier, returned: Returned, *, signed: bool) -> tuple[KeptFile, ...]:
    """Put what came back into the object store; of a rejected dossier, what was sent is here already."""
    kept = [_file(platform, "annex", one) for one in returned.annexes]
    if returned.bordereau is not None:
        kept.append(_file(platform, "docket", returned.bordereau))
    if signed:
        if not returned.documents:
            raise AnswerUnreadable(_messages("external.empty", address=dossier.facts["parapheur"]["external"]))
        kept += _signed(platform, dossier, returned.documents)
    return tuple(kept)


def _signed(platform: Platform, dossier: Dossier, documents: Iterable[Attachment]) -> list[KeptFile]:
    """Keep the main documents; the first bears the name and the type under which it was sent."""
    kept = [_file(platform, "signed", one) for one in documents]
    role = dossier.facts["submission"]["role"]
    with platform.database.reading(PLATFORM) as session:
        wanted = select(DossierFile).where(DossierFile.dossier_id == dossier.id, DossierFile.role == role)
        sent = session.exec(wanted.order_by(col(DossierFile.created).desc(), col(DossierFile.id).desc())).first()
    if sent is None:
        raise NotFound(_messages("external.unsent"))
    signatures = [_file(platform, "signature", one.signature) for one in documents if one.signature]
    first = KeptFile("signed", sent.name, sent.media_type, kept[0].sha256, kept[0].size)
    return [*kept[1:], *signatures, first]


def _file(platform: Platform, role: str, given: Attachment) -> KeptFile:
    blob = platform.objects.put_file(given.path)
    name = given.name.replace("\\", "/").rpartition("/")[2][:_LONGEST_NAME] or role
    media = given.media if _MEDIA.fullmatch(given.media) else "application/octet-stream"
    return KeptFile(role, name, media, blob.sha256, blob.size)


def _wait_on(account: _Account, dossier: Dossier) -> None:
    """Let a dossier wait for as long as its account says; the deadline of the flow's table follows it."""
    end = dossier.since + timedelta(days=account.settings.max_days)
    if clock.now() >= end:
        address = dossier.facts["parapheur"]["external"]
        _set_aside(account.platform, dossier, _messages("external.overdue", address=address, days=account.settings.max_days))
    else:
        _postpone(account.platform, dossier, end + _BEHIND)


def _postpone(platform: Platform, dossier: Dossier, due: datetime) -> bool:
    """Move the deadline of a waiting dossier; False when it has none that could be moved: it is set aside, or has gone on."""
    with platform.database.writing(PLATFORM) as session:
        step = session.get(Step, dossier.id, with_for_update=True)
        if step is None or step.stage != _deadline(dossier) or step.lease is not None:
            return False
        if step.due != due:
            step.due = due
            session.add(step)
        return True


def _set_aside(platform: Platform, dossier: Dossier, reason: str) -> None:
    """Set a waiting dossier aside with a reason: its deadline has come, and is claimed here as a worker would."""
    if dossier.parked is not None or not _postpone(platform, dossier, clock.now()):
        return
    lease = timedelta(seconds=platform.settings.lease_seconds)
    claimed = transitions.claim(platform.database, dossier.id, _deadline(dossier), lease)
    if claimed is not None:
        transitions.park(platform.database, claimed, reason)


def _deadline(dossier: Dossier) -> str:
    return f"{dossier.flow}.{moves.DEADLINE}"


def close_due(platform: Platform, _key: str = "") -> None:
    """Close over there what has come back and could not be closed; one that cannot yet does not hold up the others.

    Raises:
        TabellionError: something could not be closed: the last trouble.
    """
    due = col(Dossier.facts)[("parapheur", "closing")].as_string() == _DUE
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(Dossier).where(due).order_by(col(Dossier.since), col(Dossier.id))).all()
    opened: dict[str, _Account] = {}
    trouble = None
    for dossier in found:
        account = dossier.facts["parapheur"]["account"]
        try:
            opened[account] = opened.get(account) or _opened(platform, account)
            _close(opened[account], dossier.id)
        except TabellionError as error:
            _log.warning("parapheur.not_closed", dossier=dossier.id, reason=str(error))
            trouble = error
    if trouble is not None:
        raise trouble


def _close(account: _Account, dossier_id: str) -> None:
    """Let the parapheur go of a dossier, once.

    That it did is told by the journal: a stage at work on the dossier writes the facts as it found them, hence may say again
    that this is due.
    """
    with account.platform.database.reading(PLATFORM) as session:
        told = session.get_one(Dossier, dossier_id).facts["parapheur"]
        closed = _closed(session, dossier_id)
    if not closed:
        account.parapheur.close(told["id"], account.settings.archive_action)
    with account.platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, dossier_id, with_for_update=True)
        dossier.facts = {**dossier.facts, "parapheur": {key: told[key] for key in told if key != "closing"}}
        session.add(dossier)
        if _closed(session, dossier_id):
            return
        journal.write(
            session,
            organisation_id=dossier.organisation_id,
            dossier_id=dossier_id,
            kind=_CLOSED,
            actor="platform",
            facts={"external": told["id"], "action": account.settings.archive_action.value},
        )


def _closed(session: Session, dossier_id: str) -> bool:
    wanted = select(JournalEntry.id).where(JournalEntry.dossier_id == dossier_id, JournalEntry.kind == _CLOSED)
    return session.exec(wanted).first() is not None
