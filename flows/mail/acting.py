"""What whoever sends may still do once a send has left: mend, tell again, add, revoke, cancel. Nothing is ever unsaid.

Each act is recorded with who did it; what a recipient holds already stays theirs, and stays proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core import clock, passwords
from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.engine import transitions
from flows.engine.keys import Keyed
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from flows.mail import checking, events, following, planning, rules, settling, validating
from flows.mail.book.models import Contact
from flows.mail.events import EventKind
from flows.mail.flow import MAIL
from flows.mail.keeping import (
    ADDITION,
    ANSWER,
    DOCUMENT,
    ENDED,
    TAKEN,
    dossier_of,
    files_of,
    mail_of,
    notices_of,
    recipient_of,
    recipients_of,
    require_sender,
    terms_of,
)
from flows.mail.models import Mail, MailAnswer, MailRecipient, NoticeState, RecipientState
from schemas.mail import addresses

_messages = Catalogue("flows.mail")
LONGEST_REASON = 1000
_LEFT = frozenset({"ready", "sent"})
_OVER = frozenset({"closing", "archived"})


def cancel(platform: Platform, principal: Principal, dossier_id: str, reason: str) -> None:
    """Cancel a send: its links open nothing but that it is cancelled, and whoever was told is told.

    One that waits for a visa is taken from the parapheur: nothing has left, and nobody is told.

    Raises:
        NotFound: there is no such send, or the principal does not see it.
        Forbidden: they may not send for its organisation.
        Conflict: it is a draft, is being checked or decided, is over, or is cancelled already.
        UsageError: no reason, or too long a one (M12).
    """
    said = reason.strip()
    if not said or len(said) > LONGEST_REASON:
        raise UsageError(_messages("M12.message", longest=LONGEST_REASON))
    with platform.database.writing(principal) as session:
        recipients = recipients_of(session, dossier_id, hold=True)
        mail = mail_of(session, dossier_id, hold=True)
        require_sender(principal, mail)
        waits = mail.cancelled is None and dossier_of(session, dossier_id).state in validating.VALIDATING
        if not waits:
            _require_left(session, principal, mail)
        mail.cancelled, mail.reason = clock.now(), said
        session.add(mail)
        events.record(session, mail, EventKind.CANCELLED, {"reason": said}, actor=principal.actor)
        for recipient in recipients:
            _call_off(session, recipient)
        session.flush()
        if waits:
            outcome = validating.take_back(session, mail, said)
            if not transitions.signal(session, MAIL, dossier_id, "cancelled", outcome, principal.actor):
                raise Conflict(_messages("act.visa"))
        following.settle(session, dossier_id)


def _call_off(session: ScopedSession, recipient: MailRecipient) -> None:
    known = notices_of(session, recipient.id)
    for notice in known:
        if notice.state == NoticeState.DUE.value:
            settling.drop(session, notice)
    # Whoever said that it is not for them, and whoever has the former address, need not hear of it any more.
    told = (notice for notice in known if notice.revoked is None and notice.address == recipient.address)
    if any(notice.accepted is not None or notice.state == NoticeState.LEAVING.value for notice in told):
        planning.plan(session, recipient, "cancellation", linked=False)
    if recipient.state not in ENDED:
        settling.stand(session, recipient, RecipientState.REVOKED)


def send_again(platform: Platform, principal: Principal, recipient_id: str) -> None:
    """Tell a recipient again, with a fresh link; the links before open on.

    Raises:
        NotFound, Forbidden: see ``cancel``.
        Conflict: the send has not left, is over or cancelled; the recipient has come to an end.
    """
    with _held(platform, principal, recipient_id) as (session, recipient, _):
        _require_open(recipient)
        _again(session, recipient, principal)


def mend_address(platform: Platform, principal: Principal, recipient_id: str, address: str) -> None:
    """Write to a recipient at another address; the links that went to the former one open nothing more.

    Raises:
        NotFound, Forbidden, Conflict: see ``send_again``.
        UsageError: it is no address, is theirs already, or that of another recipient (M01).
    """
    addresses.check(address)
    written, normal = address.strip(), addresses.normal(address)
    with _held(platform, principal, recipient_id) as (session, recipient, _):
        _require_open(recipient)
        same = select(MailRecipient.id).where(MailRecipient.dossier_id == recipient.dossier_id, MailRecipient.normal == normal)
        if session.exec(same).first() is not None:
            raise UsageError(_messages("M01.twice.message", found=written))
        former = recipient.address
        revoked = _revoke_links(session, recipient)
        recipient.address, recipient.normal, recipient.source = written, normal, "typed"
        recipient.delivered = recipient.opened = None
        settling.stand(session, recipient, RecipientState.WAITING)
        _confirm(session, recipient)
        facts = {"former": former, "address": written, "revoked": revoked}
        events.record(session, recipient, EventKind.ADDRESS, facts, actor=principal.actor)
        _again(session, recipient, principal)


def replace_password(platform: Platform, principal: Principal, recipient_id: str, password: str) -> None:
    """Put another secret in the place of a recipient's, and open their door again; it is not sent, and not shown again.

    Raises:
        NotFound, Forbidden, Conflict: see ``send_again``; somebody who has withdrawn may still need it.
        Unsendable: it is too weak (M04).
    """
    with platform.database.reading(principal) as session:
        recipient = recipient_of(session, recipient_id)
        mail = mail_of(session, recipient.dossier_id)
    require_sender(principal, recipient)
    if problem := rules.password_problem(password, recipient.name, recipient.address, mail.subject):
        raise rules.Unsendable([problem])
    kept = passwords.hashed(password)
    with _held(platform, principal, recipient_id) as (session, recipient, _):
        recipient.password_hash, recipient.failures = kept, 0
        recipient.locked_until, recipient.blocked = None, False
        session.add(recipient)
        events.record(session, recipient, EventKind.PASSWORD, actor=principal.actor)


def revoke(platform: Platform, principal: Principal, recipient_id: str) -> None:
    """Have the links of a recipient open nothing more: one that went to somebody else, for instance.

    Raises:
        NotFound, Forbidden: see ``cancel``.
        Conflict: the send has not left, or is over or cancelled.
    """
    with _held(platform, principal, recipient_id) as (session, recipient, _):
        if recipient.state not in ENDED:
            settling.stand(session, recipient, RecipientState.REVOKED)
        revoked = _revoke_links(session, recipient)
        events.record(session, recipient, EventKind.LINK_REVOKED, {"revoked": revoked}, actor=principal.actor)
        session.flush()
        following.settle(session, recipient.dossier_id)


def add_document(
    platform: Platform, principal: Principal, dossier_id: str, kept: KeptFile, tell: bool, key: str | None = None
) -> bool:
    """Add a document to a send that has left; what it was accepted with stays as it is. False: that was done under the key.

    Args:
        platform: its parts.
        principal: who adds it.
        dossier_id: of the send.
        kept: the document, in the object store already.
        tell: whoever can still open the send is written to.
        key: makes a repeat harmless.

    Raises:
        NotFound, Forbidden, Conflict: see ``cancel``; also when the key was used for another request.
        Unsendable: it is empty, too large, or a program (M03).
    """
    try:
        return _added(platform, principal, dossier_id, kept, tell, key)
    except IntegrityError:
        # The key came twice at the same moment, with another send: the other one has committed, so it is known now.
        return _added(platform, principal, dossier_id, kept, tell, key)


def _added(platform: Platform, principal: Principal, dossier_id: str, kept: KeptFile, tell: bool, key: str | None) -> bool:
    with platform.database.writing(principal) as session:
        recipients = recipients_of(session, dossier_id, hold=True)
        mail = mail_of(session, dossier_id, hold=True)
        require_sender(principal, mail)
        asked = {"addition": dossier_id, "name": kept.name, "sha256": kept.sha256, "tell": tell}
        keyed = Keyed.of(mail.organisation_id, key, asked) if key else None
        if keyed and keyed.named(session):
            return False
        _require_left(session, principal, mail)
        known = [_kept(one) for one in files_of(session, dossier_id, DOCUMENT, ADDITION)]
        rules.require(
            problem for problem in checking.of_sizes([*known, kept], terms_of(mail)) if problem.path in {None, kept.name}
        )
        added = DossierFile(
            id=new_id(),
            organisation_id=mail.organisation_id,
            dossier_id=dossier_id,
            role=ADDITION,
            name=kept.name,
            media_type=kept.media_type,
            sha256=kept.sha256,
            size=kept.size,
        )
        session.add(added)
        facts = {"file": added.id, "name": kept.name, "sha256": kept.sha256, "size": kept.size, "told": tell}
        events.record(session, mail, EventKind.ADDITION, facts, actor=principal.actor)
        reached = {RecipientState.HANDED, RecipientState.DELAYED} | TAKEN
        told = [recipient for recipient in recipients if tell and recipient.state in reached]
        planning.plan_all(session, told, f"addition-{added.id}")
        if keyed:
            keyed.keep(session, dossier_id)
        return True


def purge(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Take what was sent away once the proof of the send is sealed: its message, its documents, and what was answered.

    Events and digests stay, hence what is proved of them. The object store keeps octets by their digest, for whoever else has the
    same; nothing leads to them from here any more.

    Raises:
        NotFound, Forbidden: see ``cancel``.
        Conflict: it is not sealed, or was purged already.
    """
    with platform.database.writing(principal) as session:
        mail = mail_of(session, dossier_id, hold=True)
        require_sender(principal, mail)
        dossier = dossier_of(session, dossier_id, hold=True)
        if dossier.state != "archived" or mail.purged is not None:
            raise Conflict(_messages("act.purge"))
        files = files_of(session, dossier_id, DOCUMENT, ADDITION)
        gone = [{"name": one.name, "role": one.role, "sha256": one.sha256, "size": one.size} for one in files]
        for one in (*files, *files_of(session, dossier_id, ANSWER)):  # answers: their digests stand beside their moment
            session.delete(one)
        for answer in session.exec(select(MailAnswer).where(MailAnswer.dossier_id == dossier_id)):
            answer.text = ""
        mail.purged, mail.body = clock.now(), ""
        session.add(mail)
        events.record(session, mail, EventKind.PURGED, {"files": gone}, actor=principal.actor)


@contextmanager
def _held(platform: Platform, principal: Principal, recipient_id: str) -> Iterator[tuple[ScopedSession, MailRecipient, Mail]]:
    """Open a transaction that holds a recipient of a send that has left."""
    with platform.database.writing(principal) as session:
        recipient = recipient_of(session, recipient_id, hold=True)
        mail = mail_of(session, recipient.dossier_id)
        _require_left(session, principal, mail)
        yield session, recipient, mail


def _require_left(session: Session, principal: Principal, mail: Mail) -> None:
    require_sender(principal, mail)
    if mail.cancelled is not None:
        raise Conflict(_messages("act.cancelled"))
    state = dossier_of(session, mail.dossier_id).state
    if state not in _LEFT:
        raise Conflict(_messages("act.over" if state in _OVER else "act.not_sent" if state == "rejected" else "act.early"))


def _require_open(recipient: MailRecipient) -> None:
    if recipient.state in ENDED:
        raise Conflict(_messages(f"act.{recipient.state}"))


def _again(session: ScopedSession, recipient: MailRecipient, principal: Principal) -> None:
    notice = planning.waiting(session, recipient)
    if notice is None:
        notice = planning.plan(session, recipient, planning.next_occasion(session, recipient, "again"))
    facts = {"notice": notice.id, "occasion": notice.occasion, "address": notice.address}
    events.record(session, recipient, EventKind.AGAIN, facts, actor=principal.actor)


def _revoke_links(session: Session, recipient: MailRecipient) -> list[str]:
    """Close the links of a recipient, and leave unsent what was still to go there; return which messages bore them."""
    revoked = []
    for notice in notices_of(session, recipient.id):
        if notice.state == NoticeState.DUE.value:
            settling.drop(session, notice)
        if notice.linked and notice.revoked is None:
            notice.revoked = clock.now()
            session.add(notice)
            revoked.append(notice.id)
    return revoked


def _confirm(session: Session, recipient: MailRecipient) -> None:
    """Take a mended address as good until it shows otherwise."""
    wanted = select(Contact).where(
        Contact.organisation_id == recipient.organisation_id,
        Contact.normal == recipient.normal,
        col(Contact.bounced).is_not(None),
    )
    for contact in session.exec(wanted):
        contact.bounced = None
        session.add(contact)


def _kept(file: DossierFile) -> KeptFile:
    return KeptFile(file.role, file.name, file.media_type, file.sha256, file.size, file.created)
