"""Sending what people are to be told: notices whose time has come become letters, one for each person.

A notice is marked once its letter was handed over: after a crash in between, a letter may come twice; none is lost. What has been
dealt with meanwhile is not told any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Table, exists, or_, update
from sqlmodel import Session, col, select

from connectors.mail.client import Mailer, mailer
from connectors.mail.errors import AddressRefused, MailUnavailable, MessageRefused
from connectors.mail.settings import MailServer
from core import clock
from core.errors import Misconfigured
from core.messages import Catalogue, speaking
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM
from flows.notices import root_of
from flows.parapheur.letters import Reader, Told, letter
from signing.parapheur.models import Desk, Folder, FolderState, Notice, Task, TaskState, Visibility
from signing.parapheur.notices import Category, notify

_log = structlog.get_logger()
_messages = Catalogue("flows.parapheur")
_notice: Table = Notice.__table__  # type: ignore[attr-defined]
_MOST_PEOPLE, _MOST_NOTICES, _AT_ONCE = 500, 1000, 200
# An address that is refused may be mended, a full mailbox emptied: notices are not lost, and are not tried at every turn.
_REFUSED_FOR, _PUT_OFF_FOR = timedelta(days=1), timedelta(minutes=10)
_ASKING = {Category.TO_DO, Category.DELEGATED, Category.LATE}


def send_due(platform: Platform) -> int:
    """Send the notices that are due; return how many letters left. Without a mail server, notices stay for the pages.

    Raises:
        MailUnavailable, CertificateRefused, LoginRefused, MessageRefused: what has not left yet stays due. Where the server only
            refused the letters of some, all others have theirs, and these wait a little.
        Misconfigured: the server's address does not read, or there is no address to send from.
    """
    settings = platform.settings
    if not settings.smtp_url.get_secret_value():
        return 0
    server = MailServer.of(settings.smtp_url)
    if not settings.mail_from:
        raise Misconfigured(_messages("notice.sender"))
    people = _people(platform)
    if not people:
        return 0
    left, refused, trouble = 0, list[str](), None
    with mailer(server) as post:
        for person in people:
            try:
                left += _tell(platform, post, person)
            except (MessageRefused, MailUnavailable) as error:
                if not error.code:  # the server hung up
                    raise
                refused.append(person.id)
                trouble = error
    if trouble is None:
        return left
    if left:  # a server that takes letters took none for these; one that takes none is the operator's matter
        _put_off(platform, refused)
    raise trouble


def _people(platform: Platform) -> list[Person]:
    due = select(Notice.id).where(col(Notice.person_id) == Person.id, col(Notice.sent).is_(None), col(Notice.due) <= clock.now())
    wanted = select(Person).where(exists(due), col(Person.suspended).is_(None)).order_by(col(Person.id))
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(wanted.limit(_MOST_PEOPLE)))


def _tell(platform: Platform, post: Mailer, person: Person) -> bool:
    """Send a person's letter and mark its notices; tell whether one left."""
    with platform.database.reading(PLATFORM) as session:
        waiting = _waiting(session, person)
        told = list(_told(session, waiting))
    due = [notice.id for notice in waiting]
    if told:
        with speaking(person.language or "fr"):
            message = letter(Reader(person.name, person.email), told, platform.settings.mail_from, root_of(platform.settings))
        try:
            post.send(message)
        except AddressRefused as error:
            _log.warning("notices.address_refused", person=person.id, reason=type(error).__name__)
            _mark(platform, due, due=clock.now() + _REFUSED_FOR)
            return False
    _mark(platform, due, sent=clock.now())
    return bool(told)


def _waiting(session: Session, person: Person) -> list[Notice]:
    wanted = select(Notice).where(Notice.person_id == person.id, col(Notice.sent).is_(None), col(Notice.due) <= clock.now())
    return list(session.exec(wanted.order_by(col(Notice.created), col(Notice.id)).limit(_MOST_NOTICES)))


def _told(session: Session, waiting: Sequence[Notice]) -> Iterator[Told]:
    """Return what is still worth telling, once for each folder, desk and reason."""
    seen = set()
    for notice in waiting:
        category, key = Category(notice.category), (notice.folder_id, notice.desk_id, notice.category)
        folder, desk = session.get_one(Folder, notice.folder_id), session.get_one(Desk, notice.desk_id)
        asked = _asked(session, notice) if category in _ASKING else None
        if key in seen or folder.state == FolderState.ERASED.value or (category in _ASKING and asked is None):
            continue
        seen.add(key)
        public = folder.visibility == Visibility.PUBLIC.value
        yield Told(category, folder.id, folder.title if public else None, desk.name, asked.kind if asked else "", folder.due)


def _asked(session: Session, notice: Notice) -> Task | None:
    """Return what the desk still has to do; None when it was done meanwhile."""
    wanted = select(Task).where(
        Task.folder_id == notice.folder_id, Task.desk_id == notice.desk_id, Task.state == TaskState.OPEN.value
    )
    return session.exec(wanted).first()


def _mark(platform: Platform, notice_ids: Sequence[str], **values: datetime) -> None:
    with platform.database.writing(PLATFORM) as session:
        marked = update(_notice).where(_notice.c.id.in_(notice_ids), _notice.c.sent.is_(None)).values(**values)
        session.connection().execute(marked)


def _put_off(platform: Platform, people: Sequence[str]) -> None:
    now = clock.now()
    waiting = _notice.c.person_id.in_(people) & _notice.c.sent.is_(None) & (_notice.c.due <= now)
    with platform.database.writing(PLATFORM) as session:
        session.connection().execute(update(_notice).where(waiting).values(due=now + _PUT_OFF_FOR))


def late(platform: Platform) -> int:
    """Write a notice for each open task whose day has passed, once since it opened; return how many tasks there were."""
    count, last = 0, ""
    while found := _late_after(platform, last):
        for task_id in found:
            with platform.database.writing(PLATFORM) as session:
                task = session.exec(select(Task).where(Task.id == task_id).with_for_update()).first()
                if task is not None and task.state == TaskState.OPEN.value:
                    # A desk without anybody is told once somebody sits there.
                    if notify(session, session.get_one(Folder, task.folder_id), task.desk_id, Category.LATE):
                        task.alerted = clock.now()
                        session.add(task)
                    count += 1
        last = found[-1]
    return count


def _late_after(platform: Platform, last: str) -> Sequence[str]:
    # A task that was taken back opens again: what was said of it before is of another time.
    untold = or_(col(Task.alerted).is_(None), col(Task.alerted) < col(Task.opened))
    wanted = select(Task.id).where(
        Task.id > last,
        Task.state == TaskState.OPEN.value,
        col(Task.due) < clock.in_paris(clock.now()).date(),
        untold,
    )
    with platform.database.reading(PLATFORM) as session:
        return session.exec(wanted.order_by(col(Task.id)).limit(_AT_ONCE)).all()
