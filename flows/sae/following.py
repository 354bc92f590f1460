"""Following what was sent: the acknowledgement first, then the reply that accepts or refuses; each is kept before it is believed.

the dossier is       what is asked for                      it hears
sent                 the acknowledgement                    acknowledged; refused, when that is what it says
sent, acknowledged   the reply                              accepted, with the cote; refused, with the reasons
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import col, select

from connectors.sae.errors import AccessRefused, AnswerUnreadable, CertificateRefused
from core import clock
from core.errors import Misconfigured, NeedsOperator, TabellionError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem, Severity
from flows.engine import moves, schedule, transitions
from flows.engine.models import Dossier, Step
from flows.engine.work import Advance, KeptFile
from flows.sae import answers
from flows.sae.flow import SAE
from flows.sae.knowledge import accounts, require_same, settings_of
from flows.sae.models import SaeTransfer
from flows.sae.outside import Outside, open_outside
from flows.sae.settings import OutsideArchive, System
from flows.sae.stages import SENDING, TRIAL, refuse
from schemas.seda.codes import is_acceptance
from schemas.seda.replies import ReadReply

_log = structlog.get_logger()
_messages = Catalogue("flows.sae")
ACTOR, QUEUE = "sae.follow", "remote.sae"
ACKNOWLEDGEMENT, REPLY = "acknowledgement", "reply"
"""Roles of what comes back."""

_SENT, _ACKNOWLEDGED = "sent", "acknowledged"
_PAUSES = 10
"""An archivist decides in days: replies are asked for that many times less often than acknowledgements."""
_AT_ONCE = 200
_MOST_IN_A_ROW = 5
_LONGEST_PROBLEM, _MOST_PROBLEMS, _LONGEST_CODE = 1000, 50, 20
_ACKNOWLEDGEMENT = "Acknowledgement"
_DEADLINE = f"{SAE.name}.{moves.DEADLINE}"


@dataclass(frozen=True, slots=True)
class _Known:
    """A transfer as it stood when its turn came."""

    dossier: Dossier
    transfer: SaeTransfer


def plan(platform: Platform, every: timedelta) -> None:
    """Plan the look at what every account has sent."""
    with platform.database.reading(PLATFORM) as session:
        configured = accounts(session)
    for account in sorted(configured):
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=account)


def follow(platform: Platform, account: str) -> None:
    """Ask what became of what an account has sent; trouble with one does not hold up the others.

    One of which a person must judge is set aside, with what is the matter.

    Raises:
        TabellionError: the last trouble; a row of them, or one that every call would meet, ends the turn at once.
    """
    due = _due(platform, account)
    if not due:
        return
    settings = settings_of(platform, account)
    outside = open_outside(settings, platform.settings.permitted_networks)
    trouble: TabellionError | None = None
    in_a_row = 0
    for known in due:
        try:
            _look(platform, outside, settings, known)
        except (AccessRefused, CertificateRefused, Misconfigured):
            raise
        except NeedsOperator as error:
            _set_aside(platform, known, str(error))
        except TabellionError as error:
            _log.warning("sae.troubled", dossier=known.dossier.id, reason=str(error))
            trouble, in_a_row = error, in_a_row + 1
            if in_a_row >= _MOST_IN_A_ROW:
                raise
        else:
            in_a_row = 0
    if trouble is not None:
        raise trouble


def _due(platform: Platform, account: str) -> list[_Known]:
    """Return what is to be asked for, longest ago first."""
    pause = _PAUSES * timedelta(seconds=platform.settings.poll_seconds)
    at_leisure = (col(Dossier.state) == _ACKNOWLEDGED) & (col(SaeTransfer.looked) <= clock.now() - pause)
    rows = (
        select(Dossier, SaeTransfer)
        .join(SaeTransfer, col(SaeTransfer.dossier_id) == col(Dossier.id))
        .where(SaeTransfer.account == account, ~col(Dossier.overtaken), (col(Dossier.state) == _SENT) | at_leisure)
        .order_by(col(SaeTransfer.looked), col(SaeTransfer.dossier_id))
        .limit(_AT_ONCE)
    )
    with platform.database.reading(PLATFORM) as session:
        return [_Known(dossier, transfer) for dossier, transfer in session.exec(rows)]


def _look(platform: Platform, outside: Outside, settings: OutsideArchive, known: _Known) -> None:
    transfer = known.transfer
    _looked(platform, settings, known)
    require_same(transfer.system, settings)
    if known.dossier.state == _SENT:
        acknowledged = outside.acknowledgement(transfer.identifier, transfer.reference)
        if acknowledged is not None:
            _hear_acknowledgement(platform, settings, known, acknowledged)
            return
    reply = outside.reply(transfer.identifier, transfer.reference)
    if reply is not None:
        _hear_reply(platform, known, reply)


def _hear_acknowledgement(platform: Platform, settings: OutsideArchive, known: _Known, octets: bytes) -> None:
    """Vitam acknowledges by the state of its operation, which is JSON; others by a message of SEDA."""
    if settings.system is System.VITAM:
        _hear(platform, known, "acknowledged", _kept(platform, known, ACKNOWLEDGEMENT, octets, "json"))
        return
    read = answers.read(octets, known.transfer.identifier)
    kept = _kept(platform, known, ACKNOWLEDGEMENT, octets, "xml")
    refused = read.code is not None and not is_acceptance(read.code)
    _hear(platform, known, "refused" if refused else "acknowledged", kept, read)


def _hear_reply(platform: Platform, known: _Known, octets: bytes) -> None:
    identifier = known.transfer.identifier
    read = answers.read(octets, identifier)
    if read.kind == _ACKNOWLEDGEMENT:
        raise AnswerUnreadable(_messages("reply.other", identifier=identifier))
    if read.code is None and not read.accepted:
        raise AnswerUnreadable(_messages("reply.codeless", identifier=identifier))
    kept = _kept(platform, known, REPLY, octets, "xml")
    # Of what was handed over for a trial, nothing is kept there, whatever is said of it.
    tried = bool(known.dossier.facts.get(SENDING, {}).get(TRIAL))
    _hear(platform, known, "accepted" if read.accepted and not tried else "refused", kept, read)


def _hear(platform: Platform, known: _Known, event: str, kept: KeptFile, read: ReadReply | None = None) -> None:
    """Let the dossier hear what came, if it still stands where it stood, under the identifier that was asked for."""
    code = _code(read) if read else ""
    told: dict[str, Any] = {"identifier": known.transfer.identifier, **({"code": code} if code else {})}
    with platform.database.writing(PLATFORM) as session:
        transfer = session.exec(select(SaeTransfer).where(SaeTransfer.dossier_id == known.dossier.id).with_for_update()).one()
        if transfer.identifier != known.transfer.identifier:
            return
        if read is not None and event != "acknowledged":
            transfer.settled, transfer.code = clock.now(), code
            transfer.cote = (read.archive_identifier or "")[:255] if event == "accepted" else ""
            told |= {"cote": transfer.cote} if transfer.cote else {}
            refuse(session, known.dossier.id, _problems(read) if event == "refused" else [])
        session.add(transfer)
        session.flush()
        transitions.signal(session, SAE, known.dossier.id, event, Advance(event, files=(kept,), journal=told))


def _code(read: ReadReply) -> str:
    """Return the code of an answer; it enters the journal, and is no place for whatever a service writes there."""
    return (read.code or "")[:_LONGEST_CODE]


def _problems(read: ReadReply) -> list[Problem]:
    """Return why a transfer is refused, in the words of the service."""
    code, mend = _code(read), _messages("refused.mend")
    if read.accepted:
        return [Problem("SAE", Severity.ERROR, _messages("refused.trial"), found=code, mend=_messages("refused.trial.mend"))]
    told = [*read.comments, *read.details] or [_messages("refused.wordless", code=code or "-")]
    return [
        Problem("SAE", Severity.ERROR, " ".join(one.split())[:_LONGEST_PROBLEM], found=code or None, mend=mend)
        for one in told[:_MOST_PROBLEMS]
    ]


def _kept(platform: Platform, known: _Known, role: str, octets: bytes, suffix: str) -> KeptFile:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / role
        path.write_bytes(octets)
        blob = platform.objects.put_file(path)
    return KeptFile(role, f"{known.transfer.identifier}-{role}.{suffix}", f"application/{suffix}", blob.sha256, blob.size)


def _set_aside(platform: Platform, known: _Known, reason: str) -> None:
    """Set a transfer aside with a reason: its deadline is claimed here as a worker would; it is asked about all the same."""
    with platform.database.writing(PLATFORM) as session:
        step = session.get(Step, known.dossier.id, with_for_update=True)
        if step is None or step.lease is not None:
            return
        step.due = clock.now()
        session.add(step)
    lease = timedelta(seconds=platform.settings.lease_seconds)
    claimed = transitions.claim(platform.database, known.dossier.id, _DEADLINE, lease)
    if claimed is not None:
        transitions.park(platform.database, claimed, reason)


def _looked(platform: Platform, settings: OutsideArchive, known: _Known) -> None:
    """Write that the service is asked, and let the deadline be that of the settings."""
    state = known.dossier.state
    wait = timedelta(minutes=settings.acknowledgement_minutes) if state == _SENT else timedelta(days=settings.reply_days)
    with platform.database.writing(PLATFORM) as session:
        transfer = session.get_one(SaeTransfer, known.dossier.id)
        transfer.looked = clock.now()
        session.add(transfer)
        step = session.get(Step, known.dossier.id, with_for_update=True)
        due = known.dossier.since + wait
        if step is not None and step.stage == _DEADLINE and step.lease is None and step.due != due:
            step.due = due
            session.add(step)
