"""What comes back to the return address: kept first, applied in the same transaction, moved out of the inbox last.

    it says                           what becomes of the notice, the recipient, the return
    delivered                         the notice did leave; an indication on the recipient
    relayed, expanded                 the notice did leave
    delayed                           the same; the recipient is DELAYED while nothing better is known
    failed                            the same; the recipient FAILED, unless they have withdrawn or have another address by now
    an automatic answer, a receipt    nothing: neither is an act of a person that counts
    anything else, or of nobody       it waits for a person (``unsettled``)

Whoever knows the opaque name in a return path can write to it: what comes back never withdraws, answers or ends anything.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from connectors.mailbox.client import OpenMailbox, mailbox
from connectors.mailbox.errors import MailMissing, MailTooLarge, MailUnreadable
from connectors.mailbox.mail import MailUid
from connectors.mailbox.settings import Mailbox, TlsProfile
from core import clock
from core.blobs import Blob
from core.database import ScopedSession
from core.errors import Conflict, Forbidden, Misconfigured, NotFound, TabellionError
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.settings import Settings
from flows.engine import schedule
from flows.mail import events, settling
from flows.mail.events import EventKind
from flows.mail.keeping import mail_of, recipient_of
from flows.mail.models import MailNotice, MailRecipient, MailReturn, NoticeState
from schemas.mail.report import Report, What, read_report

_log = structlog.get_logger()
_messages = Catalogue("flows.mail")
ACTOR, QUEUE = "mail.returns", "remote.mail"
_AT_ONCE = 500
_LONGEST_STATUS, _LONGEST_DIAGNOSTIC, _LONGEST_SERVER = 12, 1000, 200
_OPEN = frozenset({NoticeState.DUE.value, NoticeState.LEAVING.value})
_LEFT = frozenset({What.DELIVERED, What.RELAYED, What.EXPANDED, What.DELAYED, What.FAILED})
"""Reports that only a message which left can have."""
_WENT_ON = frozenset({What.DELIVERED, What.RELAYED})
_NOISE = frozenset({What.AUTOMATIC, What.RECEIPT})


def plan(platform: Platform, every: timedelta) -> None:
    """Plan to read the mailbox of returns, where the operator set one."""
    if platform.settings.mail_returns.get_secret_value():
        schedule.plan(platform.database, ACTOR, QUEUE, every, key="all")


def collect(platform: Platform, _key: str = "") -> None:
    """Keep and apply what came back; a message that makes trouble does not hold up the others.

    Raises:
        TabellionError: the mailbox does not answer, or one of the messages made trouble: the last trouble.
    """
    settings = platform.settings
    if not settings.mail_returns.get_secret_value():
        return
    address = _mailbox(settings)
    trouble: TabellionError | None = None
    with mailbox(address) as box:
        for listed in box.waiting(_AT_ONCE):
            try:
                _keep(platform, box, f"{address.user}@{address.host}/{address.inbox}", listed.uid)
            except MailMissing:
                _log.info("mail.return_gone", uid=listed.uid.number)
            except TabellionError as error:
                _log.warning("mail.return_troubled", uid=listed.uid.number, reason=type(error).__name__)
                trouble = error
    if trouble is not None:
        raise trouble


def _mailbox(settings: Settings) -> Mailbox:
    """Return where returns are read.

    Raises:
        Misconfigured: its address does not read, or what certifies its server.
    """
    found, file = Mailbox.of(settings.mail_returns), settings.mail_returns_authority
    if file is None:
        return found
    try:
        return found.model_copy(update={"tls": TlsProfile(authorities=file.read_text(encoding="ascii"))})
    except (OSError, ValueError) as error:
        raise Misconfigured(_messages("returns.authority", file=file)) from error


def _keep(platform: Platform, box: OpenMailbox, place: str, uid: MailUid) -> None:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        try:
            raw = box.fetch(uid, Path(folder)).raw
        except MailUnreadable as error:
            raw = error.raw
        except MailTooLarge:
            box.troubled(uid)  # where a person finds it; it was not read
            raise
        source = f"{place}/{uid.validity}/{uid.number}"[-200:]
        receive(platform, raw, source)
    box.done(uid)


def receive(platform: Platform, raw: Path, source: str) -> None:
    """Keep a message that came back, and apply it; one that was read before changes nothing.

    Args:
        platform: its parts.
        raw: the file of its octets.
        source: which mailbox, and under which number there.
    """
    with platform.database.reading(PLATFORM) as session:
        if session.exec(select(MailReturn.id).where(MailReturn.source == source)).first() is not None:
            return  # kept by a run that died before it could move it
    blob = platform.objects.put_file(raw)
    report = read_report(raw.read_bytes(), platform.settings.mail_return_address)
    try:
        with platform.database.writing(PLATFORM) as session:
            _apply(session, report, blob, source)
    except IntegrityError:
        _log.info("mail.return_known", sha256=blob.sha256)


def _apply(session: ScopedSession, report: Report, blob: Blob, source: str) -> None:
    recipient, notice = _about(session, report)
    owner = recipient.organisation_id if recipient else _root(session)
    known = MailReturn(
        organisation_id=owner,
        notice_id=notice.id if notice else None,
        recipient_id=recipient.id if recipient else None,
        dossier_id=recipient.dossier_id if recipient else None,
        what=report.what.value,
        status=report.status[:_LONGEST_STATUS],
        diagnostic=report.diagnostic[:_LONGEST_DIAGNOSTIC],
        source=source,
        sha256=blob.sha256,
        size=blob.size,
    )
    if report.what in _NOISE or (notice is not None and report.what in _LEFT):
        known.settled, known.settled_by = clock.now(), PLATFORM.actor
    session.add(known)
    session.flush()
    if recipient is None or notice is None or report.what not in _LEFT | {What.RECEIPT}:
        return
    if report.what in _LEFT and notice.state in _OPEN and notice.sha256:
        mail = mail_of(session, notice.dossier_id, hold=True)
        settling.reported(session, notice, recipient, mail, known.id, report.reporting[:_LONGEST_SERVER])
    _record(session, recipient, notice, known, report)
    _stand(session, recipient, notice, report)


def _about(session: Session, report: Report) -> tuple[MailRecipient, MailNotice] | tuple[None, None]:
    """Return the recipient and the notice that a message is about, both held."""
    names = dict.fromkeys(name for name in (*report.envelopes, report.original_envelope) if name)
    for name in names:
        found = session.exec(select(MailNotice).where(MailNotice.envelope == name[:40])).first()
        if found is not None:
            recipient = recipient_of(session, found.recipient_id, hold=True)
            again = select(MailNotice).where(MailNotice.id == found.id).with_for_update()
            return recipient, session.exec(again.execution_options(populate_existing=True)).one()
    return None, None


def _record(session: ScopedSession, recipient: MailRecipient, notice: MailNotice, known: MailReturn, report: Report) -> None:
    facts = {
        "notice": notice.id,
        "return": known.id,
        "what": report.what.value,
        "status": report.status,
        "diagnostic": known.diagnostic,
        "final_recipient": report.recipient,
        "reporting": report.reporting,
        "original_envelope": report.original_envelope,
        "sha256": known.sha256,
        "size": known.size,
    }
    events.record(session, recipient, EventKind.RETURNED, facts)
    if report.what is What.DELIVERED:
        events.record(session, recipient, EventKind.DELIVERED, {"notice": notice.id, "return": known.id})


def _stand(session: ScopedSession, recipient: MailRecipient, notice: MailNotice, report: Report) -> None:
    trouble = _messages("return.said", status=report.status or "?", diagnostic=report.diagnostic[:500])
    if report.what in _WENT_ON:
        settling.resume(session, notice, recipient)
        if report.what is What.DELIVERED and recipient.delivered is None:
            recipient.delivered = clock.now()
            session.add(recipient)
    elif report.what is What.DELAYED:
        settling.delay(session, notice, recipient, trouble)
    elif report.what is What.FAILED:
        settling.fail(session, notice, recipient, trouble)
        settling.bounced(session, recipient)


def _root(session: Session) -> str:
    wanted = select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM.value)
    found = session.exec(wanted.order_by(col(Organisation.id))).first()
    if found is None:
        raise NotFound(_messages("return.nowhere"))
    return found


def settle_return(platform: Platform, principal: Principal, return_id: str) -> None:
    """Say that a person has dealt with what came back and could not be applied.

    Raises:
        NotFound: there is none, or the principal does not see it.
        Forbidden: they do not send for its organisation, nor operate it where it is about no send that is known.
        Conflict: it was settled already.
    """
    with platform.database.writing(principal) as session:
        found = session.exec(select(MailReturn).where(MailReturn.id == return_id).with_for_update()).first()
        if found is None:
            raise NotFound(_messages("return.unknown"))
        operates = found.dossier_id is None and principal.may(Right.OPERATE, found.organisation_id)
        if not (operates or principal.may(Right.DEPOSIT, found.organisation_id)):
            raise Forbidden(_messages("return.forbidden"))
        if found.settled is not None:
            raise Conflict(_messages("return.settled"))
        found.settled, found.settled_by = clock.now(), principal.actor
        session.add(found)
