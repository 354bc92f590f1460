"""The mail of a step: made of what the desk asked for, handed over to the operator's server, and told to the folder.

    what the server says                    what becomes of the task
    yes to everybody                        it is done
    no, for good, to some or to all         it is back at its desk, with the reason; the others stay served
    later, or nothing at all                the stage is tried again, for those only who are not served

A server may have taken a message without our knowing: a crash between its answer and our record sends the message again, to the
same recipients. Its ``Message-ID`` is made of the task and of how often the desk has asked, hence the same, by which mailboxes
recognise the second copy; it is written down before anything leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from functools import partial
from typing import Any

from sqlmodel import Session

from connectors.mail.client import mailer
from connectors.mail.errors import MailUnavailable, MessageRefused
from connectors.mail.settings import MailServer
from core import clock
from core.errors import Misconfigured, NeedsOperator
from core.messages import Catalogue
from core.organisations import Organisation
from core.principal import PLATFORM
from core.settings import Settings
from flows.engine.work import Advance, Work
from signing.docket.checking import check
from signing.docket.content import content_of
from signing.docket.forms import pdf
from signing.parapheur import mailing
from signing.parapheur.folders import documents_of
from signing.parapheur.mailing import Dispatch, dispatch_of
from signing.parapheur.models import Desk, Folder, FolderDocument, Task
from signing.report.content import plain
from signing.trust import trust_store

_messages = Catalogue("flows.parapheur")
# Kinds whose content a mail may not carry as octets (RFC 2046, 5.1 and 5.2).
_NOT_AS_OCTETS = {"message", "multipart", ""}
_OCTETS = ("application", "octet-stream")


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a mail: its name, its media type, its octets."""

    name: str
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def server_of(settings: Settings) -> MailServer:
    """Return the server that mail leaves by.

    Raises:
        Misconfigured: there is none, its address does not read, or there is no address to send from.
    """
    if not settings.smtp_url.get_secret_value() or not settings.mail_from:
        raise Misconfigured(_messages("mail.none"))
    return MailServer.of(settings.smtp_url)


def send(work: Work, folder: Folder, task: Task, onward: str) -> Advance:
    """Send the mail that a desk has asked for.

    Args:
        work: the dossier of the folder.
        folder: whose documents are sent.
        task: that of the desk.
        onward: outcome once everybody is served.

    Raises:
        MailUnavailable: not everybody is served yet; those who are stay so.
        Misconfigured, CertificateRefused, LoginRefused: the operator has something to mend; nothing has left.
        Unavailable, ObjectMissing, SandboxError: a document or the docket cannot be had.
    """
    dispatch = dispatch_of(task)
    if not dispatch.left:  # the desk goes on without those whom the server had refused
        return Advance(onward, apply=partial(mailing.mailed, task_id=task.id, served=(), facts={}))
    server, attached = server_of(work.platform.settings), _attached(work, folder, dispatch)
    message = _letter(work, folder, task, dispatch, attached)
    identifier = str(message["Message-ID"])
    if work.facts.get("mailing") != (noted := {"task": task.id, "message": identifier}):
        work.note("mailing", mailing=noted)
    facts = {"message": identifier, "sent": [one.sha256 for one in attached]}
    try:
        with mailer(server) as post:
            taken = post.send_to(message, dispatch.left)
    except MessageRefused as error:
        return _back(task, facts, trouble=str(error))
    if taken.later:
        with work.platform.database.writing(PLATFORM) as session:
            mailing.keep_answers(session, task.id, taken.served, taken.refused)
        raise MailUnavailable(_messages("mail.later", count=len(taken.later)))
    if taken.refused or dispatch.refused:
        return _back(task, facts, served=taken.served, by_server=taken.refused)
    return Advance(onward, apply=partial(mailing.mailed, task_id=task.id, served=taken.served, facts=facts))


def _back(task: Task, facts: dict[str, Any], *, trouble: str = "", **answers: Any) -> Advance:
    told = {"served": (), "by_server": {}, **answers}
    return Advance("waiting", apply=partial(mailing.refused, task_id=task.id, trouble=trouble, facts=facts, **told))


def _attached(work: Work, folder: Folder, dispatch: Dispatch) -> list[Attached]:
    with work.platform.database.reading(PLATFORM) as session:
        documents = documents_of(session, folder.id)
    by_id = {one.id: one for one in documents}
    if not set(dispatch.asked.documents) <= by_id.keys():
        raise NeedsOperator(_messages("mail.document"))
    files = [_file(work, by_id[one]) for one in dispatch.asked.documents]
    if dispatch.asked.docket:
        printed = _docket(work, folder, documents, dispatch.at or clock.now())
        files.append(Attached(_messages("mail.docket"), "application/pdf", printed))
    return files


def _file(work: Work, document: FolderDocument) -> Attached:
    path = work.folder / document.id
    if not path.exists():
        work.platform.objects.fetch(document.sha256, path)
    return Attached(_line(document.name), document.media_type, path.read_bytes())


def _docket(work: Work, folder: Folder, documents: Sequence[FolderDocument], at: datetime) -> bytes:
    """Return the docket as it stood when the desk asked: a second try attaches the same."""
    platform = work.platform
    checked = check(platform.objects, documents, trust_store(platform.settings.trust_dir), at)
    with platform.database.reading(PLATFORM) as session:
        return pdf(content_of(session, folder.id, checked, until=at))


def _letter(work: Work, folder: Folder, task: Task, dispatch: Dispatch, attached: Sequence[Attached]) -> EmailMessage:
    sender, asked = work.platform.settings.mail_from, dispatch.asked
    with work.platform.database.reading(PLATFORM) as session:
        organisation, desk = _names(session, folder, task)
    token = hashlib.sha256(f"{task.id}/{dispatch.turn}".encode()).hexdigest()[:40]
    message = EmailMessage(policy=SMTP)
    message["From"] = formataddr((organisation, sender))
    for name, addresses in (("To", asked.to), ("Cc", asked.cc)):
        if addresses:
            message[name] = ", ".join(addresses)
    message["Subject"] = _line(asked.subject)
    message["Date"] = format_datetime(dispatch.at or clock.now())
    message["Message-ID"] = f"<{token}@{sender.rpartition('@')[2]}>"
    names = "".join(f"\n– {one.name}" for one in attached)
    footer = _messages("mail.footer", desk=desk, organisation=organisation, documents=names)
    message.set_content(f"{asked.message.strip()}\n\n-- \n{footer}\n".lstrip())
    for one in attached:
        main, _, sub = one.media_type.partition("/")
        kind = (main, sub) if sub and main not in _NOT_AS_OCTETS else _OCTETS
        message.add_attachment(one.content, maintype=kind[0], subtype=kind[1], filename=one.name)
    message.set_boundary(f"=_{token}")
    return message


def _names(session: Session, folder: Folder, task: Task) -> tuple[str, str]:
    organisation = session.get_one(Organisation, folder.organisation_id)
    return _line(organisation.name), _line(session.get_one(Desk, task.desk_id).name)


def _line(text: str) -> str:
    """Return a text in one line, without what would steer a header or a screen."""
    return plain(" ".join(text.split()))
