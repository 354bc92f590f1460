"""The operator's mailbox, where the ministry answers for everybody: mails are kept first, applied next, moved last.

One mailbox serves all collectivités; what a mail is about is read in its XML (``parcel.py``). A mail that nobody here
understands stays in ``actes_mail`` for a person; nothing is ever deleted from the mailbox.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from connectors.actes.senders import judge
from connectors.actes.settings import ActesOperator
from connectors.mailbox.client import OpenMailbox, mailbox
from connectors.mailbox.errors import MailMissing, MailTooLarge, MailUnreadable
from connectors.mailbox.mail import Attachment, MailUid
from core import journal
from core.configuration import Configuration, configuration_of
from core.database import ScopedSession
from core.errors import NotFound, TabellionError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows import antivirus
from flows.actes.applying import apply
from flows.actes.matching import Ambiguous, NotYet, Unmatched
from flows.actes.models import ActesMail, MailState
from flows.actes.parcel import Parcel, parcel_of
from flows.actes.settings import OPERATOR
from flows.engine import schedule

_log = structlog.get_logger()
_messages = Catalogue("flows.actes")
ACTOR, QUEUE = "actes.collect", "remote.actes"
_AT_ONCE = 200


def plan(platform: Platform, every: timedelta) -> None:
    """Plan the reading of every mailbox that is configured."""
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == OPERATOR)).all()
    for owner in owners:
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=owner)


def collect(platform: Platform, owner_id: str) -> None:
    """Keep what arrived in a mailbox, then apply it and what is still to be applied.

    A mail that makes trouble does not hold up the others.

    Raises:
        TabellionError: the mailbox does not answer, or one of the mails made trouble: the last trouble.
    """
    with platform.database.reading(PLATFORM) as session:
        operator = configuration_of(session, platform.secrets, owner_id, OPERATOR, ActesOperator)
    trouble: TabellionError | None = None
    try:
        with mailbox(operator.mailbox) as box:
            trouble = _keep_all(platform, owner_id, box)
    except TabellionError as error:  # the mailbox is away: what was kept before can still be applied
        trouble = error
    apply_pending(platform, owner_id)
    if trouble is not None:
        raise trouble


def _keep_all(platform: Platform, owner_id: str, box: OpenMailbox) -> TabellionError | None:
    trouble: TabellionError | None = None
    for listed in box.waiting(_AT_ONCE):
        try:
            _keep(platform, owner_id, box, listed.uid)
        except MailMissing:
            _log.info("actes.mail_gone", uid=listed.uid.number)
        except TabellionError as error:
            _log.warning("actes.mail_troubled", uid=listed.uid.number, reason=str(error))
            trouble = error
    return trouble


def _keep(platform: Platform, owner_id: str, box: OpenMailbox, uid: MailUid) -> None:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        try:
            mail = box.fetch(uid, Path(folder))
        except MailTooLarge:
            box.troubled(uid)  # where a person finds it; it was not read
            raise
        except MailUnreadable as error:
            _insert(platform, owner_id, error.raw, (), MailState.UNMATCHED, str(error))
            box.troubled(uid)
            return
        _insert(platform, owner_id, mail.raw, mail.attachments, MailState.KEPT, None)
    box.done(uid)


def _insert(
    platform: Platform,
    owner_id: str,
    raw: Path,
    attachments: tuple[Attachment, ...],
    state: MailState,
    reason: str | None,
) -> None:
    blob = platform.objects.put_file(raw)
    parts = []
    for one in attachments:
        kept = platform.objects.put_file(one.path)
        parts.append({"name": one.name[:255], "media_type": one.media[:100], "sha256": kept.sha256, "size": kept.size})
    row = ActesMail(
        organisation_id=owner_id,
        mailbox_id=owner_id,
        sha256=blob.sha256,
        size=blob.size,
        state=state.value,
        reason=reason,
        parts=parts,
    )
    try:
        with platform.database.writing(PLATFORM) as session:
            session.add(row)
            session.flush()
            journal.write(
                session, organisation_id=owner_id, kind="actes.mail_received", actor="platform", facts={"sha256": blob.sha256}
            )
    except IntegrityError:
        _log.info("actes.mail_known", sha256=blob.sha256)  # kept by a run that died before it could move it


def apply_pending(platform: Platform, owner_id: str) -> None:
    """Apply every mail of a mailbox that was kept and not applied yet, oldest first; one that fails does not stop the others.

    Raises:
        Exception: one of them could not be applied, the last trouble; it is tried again at the next turn.
    """
    with platform.database.reading(PLATFORM) as session:
        pending = session.exec(
            select(ActesMail.id)
            .where(ActesMail.mailbox_id == owner_id, ActesMail.state == MailState.KEPT.value)
            .order_by(col(ActesMail.id))
        ).all()
    trouble: Exception | None = None
    for mail_id in pending:
        try:
            analyse(platform, mail_id)
        except Exception as error:  # noqa: BLE001  whatever it is, acts of others wait behind this mail
            _log.warning("actes.mail_not_applied", mail=mail_id, reason=str(error), exc_info=True)
            trouble = error
    if trouble is not None:
        raise trouble


def analyse(platform: Platform, mail_id: str, meant: str | None = None) -> None:
    """Apply one mail; also what a person asks for once the reason why it could not be applied is mended.

    Args:
        platform: where it is.
        mail_id: of the mail.
        meant: the dossier that a person says it is about, of those that ``acts`` of its parts name.

    Raises:
        Unavailable, NeedsOperator: an antivirus is to look at it first, and does not, or not at the whole.
    """
    with platform.database.reading(PLATFORM) as session:
        mail = session.get_one(ActesMail, mail_id)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        if distrust := _distrust(platform, mail, Path(folder)):
            _set_aside(platform, mail_id, distrust)
            return
        mail.parts = _scanned(platform, mail.parts, Path(folder))
        parcel = parcel_of(platform, mail, Path(folder))
        parcel.meant = meant
        with platform.database.writing(PLATFORM) as session:
            current = session.get_one(ActesMail, mail_id, with_for_update=True)
            if current.state in {MailState.APPLIED.value, MailState.NOISE.value}:
                return
            current.parts = mail.parts
            _settle(session, platform, current, parcel)


def _distrust(platform: Platform, mail: ActesMail, folder: Path) -> str | None:
    """Return why a mail is not believed to be of the ministry; None when it is, says nothing, or no sender is looked at."""
    if not mail.parts:
        return None
    with platform.database.reading(PLATFORM) as session:
        try:
            box = configuration_of(session, platform.secrets, mail.mailbox_id, OPERATOR, ActesOperator).mailbox
        except NotFound:
            return None
    if not box.senders:
        return None
    raw = folder / "mail.eml"
    platform.objects.fetch(mail.sha256, raw)
    sender, doubt = judge(raw, box)
    return _messages(f"mail.{doubt.value}", sender=sender, server=box.authenticated_by or "") if doubt else None


def _set_aside(platform: Platform, mail_id: str, reason: str) -> None:
    with platform.database.writing(PLATFORM) as session:
        current = session.get_one(ActesMail, mail_id, with_for_update=True)
        if current.state not in {MailState.APPLIED.value, MailState.NOISE.value}:
            current.state, current.reason = MailState.UNMATCHED.value, reason[:1000]
            session.add(current)


def _scanned(platform: Platform, parts: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Return the attachments of a mail with what the antivirus says of each today (rule R38); none was opened before."""
    if antivirus.scanner_of(platform) is None:
        return parts
    told = []
    for part in parts:
        path = folder / part["sha256"]
        platform.objects.fetch(part["sha256"], path)
        found = antivirus.infection_of(platform, path)
        told.append({**part, "infected": found.signature if found else None})
    return told


def _settle(session: ScopedSession, platform: Platform, mail: ActesMail, parcel: Parcel) -> None:
    if parcel.is_noise:
        mail.state, mail.reason = MailState.NOISE.value, None
        session.add(mail)
        return
    reasons = list(parcel.flaws)
    later, alike = False, dict[str, list[str]]()
    for found in parcel.messages:
        try:
            with session.begin_nested():
                dossier = apply(session, platform, mail, parcel, found)
        except Unmatched as error:
            reasons.append(str(error))
            if isinstance(error, Ambiguous):
                alike[found.part["sha256"]] = list(error.acts)
        except NotYet:
            later = True
        else:
            if dossier is not None:
                mail.dossier_id, mail.organisation_id = dossier.id, dossier.organisation_id
    if not parcel.messages and not reasons:
        reasons.append(_messages("mail.nothing"))
    reasons += parcel.notices.values()
    mail.reason = " ".join(reasons)[:1000] or None
    notices = parcel.notices if later else {}  # at the next turn they are not found again: what they are of is applied
    mail.parts = [_told(part, acts=alike.get(part["sha256"]), notice=notices.get(part["sha256"])) for part in mail.parts]
    if not later:  # what its act cannot hear yet is said again at the next turn, whatever else is wrong with the mail
        mail.state = (MailState.UNMATCHED if reasons else MailState.APPLIED).value
    session.add(mail)


def _told(part: dict[str, Any], **found: list[str] | str | None) -> dict[str, Any]:
    """Return an attachment with what this turn found of it, instead of what an earlier one did; with nothing that is settled."""
    kept = {name: value for name, value in part.items() if name not in found}
    return {**kept, **{name: value for name, value in found.items() if value}}
