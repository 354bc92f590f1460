"""A folder sent by mail in the middle of its circuit: what the desk asks, and what came of it.

What is asked stays with the task, addresses included. Events, and the journal through them, tell counts and digests only. Who
sends the mail is decided above.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, select

from core import clock
from core.errors import NotFound, UsageError
from core.messages import Catalogue
from core.principal import Principal
from signing.parapheur import answers
from signing.parapheur.actions import check_ready, hold
from signing.parapheur.desks import Hand
from signing.parapheur.folders import documents_of, locked
from signing.parapheur.history import SILENT, Said, tell
from signing.parapheur.models import Folder, FolderDocument, StepKind, Task, TaskState
from signing.parapheur.notices import Category, notify
from signing.parapheur.progress import Standing, close_task, keep_mailing, mailing_kept, standing_of, step_done, step_of

_messages = Catalogue("signing.parapheur")
MOST_RECIPIENTS, LONGEST_SUBJECT, LONGEST_MESSAGE = 50, 255, 5_000
_LONGEST_ADDRESS, _SHOWN = 254, 5
# What travels through every server: letters beyond ASCII do not yet (RFC 6531).
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII | re.IGNORECASE)


class Mailing(BaseModel):
    """A mail that a desk asks for.

    Attributes:
        to: addresses, as ``cc``; those of ``bcc`` are told to nobody else.
        documents: identifiers of the documents to attach, in order.
        docket: attach the docket as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = ""
    message: str = ""
    documents: tuple[str, ...] = ()
    docket: bool = True

    @property
    def recipients(self) -> tuple[str, ...]:
        """All addresses, each once."""
        return tuple({one.casefold(): one for one in reversed((*self.to, *self.cc, *self.bcc))}.values())[::-1]


class Dispatch(BaseModel):
    """Where the mail of a task stands.

    Attributes:
        asked: the mail, as it was asked for the last time, at ``at``, by ``actor`` at desk ``desk_id``, for ``behalf_id``.
        turn: how often it was asked for.
        under_way: nothing has come of it yet.
        served: addresses that a server has answered for, this time or before.
        refused: addresses that it refuses for good, with its code.
        trouble: why it takes the message for nobody, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: Mailing = Mailing()
    at: datetime | None = None
    actor: str = ""
    desk_id: str = ""
    behalf_id: str | None = None
    turn: int = 0
    under_way: bool = False
    served: tuple[str, ...] = ()
    refused: dict[str, int] = {}
    trouble: str = ""

    @property
    def left(self) -> tuple[str, ...]:
        """Who is still to be served; nobody is served twice, even when the desk asks again."""
        done = {one.casefold() for one in (*self.served, *self.refused)}
        return tuple(one for one in self.asked.recipients if one.casefold() not in done)


def dispatch_of(task: Task) -> Dispatch:
    """Return where the mail of a task stands."""
    return Dispatch.model_validate(mailing_kept(task))


def ask(session: Session, principal: Principal, task_id: str, mailing: Mailing, limit: int, said: Said = SILENT) -> Standing:
    """Ask for the mail of a step: the platform sends it, and the desk can do nothing more until something has come of it.

    Asked again after refusals, it goes to those only who were not served.

    Args:
        session: open to write.
        principal: who asks.
        task_id: the task that they answer.
        mailing: what to send, to whom.
        limit: of the documents attached, in bytes.
        said: with which words.

    Raises:
        UsageError: an address, the subject, the message or the documents will not do; metadata or reading are missing.
        NotFound, Conflict, Forbidden: see ``actions.hold``.
    """
    held = hold(session, principal, task_id, StepKind.MAIL)
    check_ready(session, held, said)
    before = dispatch_of(held.task)
    attached = _checked(session, held.folder, mailing, before.served, limit)
    held.folder.last_desk_id = None
    session.add(held.folder)
    given = answers.keep(session, held.folder, step_of(held.task).approval_fields, said)
    facts = {"recipients": len(mailing.recipients), "sent": [one.sha256 for one in attached], **given}
    event = tell(session, held.folder, "mailing", held.hand, task_id=task_id, said=said, facts=facts)
    dispatch = Dispatch(
        asked=mailing,
        at=event.at,
        actor=held.hand.actor,
        desk_id=held.hand.desk_id,
        behalf_id=held.hand.behalf_id,
        turn=before.turn + 1,
        under_way=True,
        served=before.served,
    )
    keep_mailing(session, held.task, dispatch.model_dump(mode="json"))
    return standing_of(session, held.folder)


def _checked(session: Session, folder: Folder, mailing: Mailing, served: Sequence[str], limit: int) -> list[FolderDocument]:
    """Return the documents to attach, once the rest has been found sound."""
    check_addresses(mailing.recipients)
    if not mailing.recipients and not served:
        raise UsageError(_messages("mail.nobody"))
    if not 0 < len(mailing.subject.strip()) <= LONGEST_SUBJECT or not _is_text(mailing.subject, ""):
        raise UsageError(_messages("mail.subject", most=LONGEST_SUBJECT))
    if len(mailing.message) > LONGEST_MESSAGE or not _is_text(mailing.message, "\n\r\t"):
        raise UsageError(_messages("mail.message", most=LONGEST_MESSAGE))
    there = {one.id: one for one in documents_of(session, folder.id)}
    if not set(mailing.documents) <= there.keys():
        raise NotFound(_messages("document.unknown"))
    attached = [there[one] for one in dict.fromkeys(mailing.documents)]
    if not attached and not mailing.docket:
        raise UsageError(_messages("mail.empty"))
    if sum(one.size for one in attached) > limit:
        raise UsageError(_messages("mail.heavy", mebibytes=f"{limit / (1 << 20):.3g}"))
    return attached


def check_addresses(addresses: Sequence[str]) -> None:
    """Go on only if a mail can be sent to these addresses.

    Raises:
        UsageError: there are too many, or some are none; the message names the first ones.
    """
    wrong = [one[:80] for one in addresses if len(one) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(one)]
    if wrong:
        raise UsageError(_messages("mail.address", addresses=", ".join(wrong[:_SHOWN])))
    if len(addresses) > MOST_RECIPIENTS:
        raise UsageError(_messages("mail.many", most=MOST_RECIPIENTS, found=len(addresses)))


def _is_text(text: str, also: str) -> bool:
    return all(one.isprintable() or one in also or one in "\u00a0\u202f" for one in text)


def keep_answers(session: Session, task_id: str, served: Sequence[str], refused: Mapping[str, int]) -> None:
    """Keep what a server has answered for some recipients, while others still wait: no one of them is served again."""
    task, _ = _task(session, task_id)
    _keep(session, task, served, refused, under_way=True)


def mailed(session: Session, task_id: str, served: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Close a task whose mail has left, in the name of who asked for it.

    Gone past meanwhile by an administrator, the task stays as it is: that the mail has left is told all the same.
    """
    task, folder = _task(session, task_id)
    dispatch = _keep(session, task, served, {}, under_way=False)
    going_on = task.state == TaskState.OPEN.value
    if going_on:
        person = dispatch.actor.removeprefix("person:")
        close_task(session, task, Hand(dispatch.actor, person, dispatch.desk_id, dispatch.behalf_id), TaskState.DONE)
    told = {"recipients": len(dispatch.served), **facts}
    tell(session, folder, "mailed", "platform", task_id=task_id, facts=told)
    if going_on:
        step_done(session, folder, task)
        # A mail that has left cannot be taken back, and neither can the step.
        folder.last_desk_id = None
        session.add(folder)


def refused(
    session: Session, task_id: str, served: Sequence[str], by_server: Mapping[str, int], trouble: str, facts: Mapping[str, Any]
) -> None:
    """Give a task back to its desk: a server refuses some recipients, or the message; the others stay served."""
    task, folder = _task(session, task_id)
    dispatch = _keep(session, task, served, by_server, under_way=False, trouble=trouble)
    told = {"recipients": len(dispatch.served), "refused": len(dispatch.refused), **facts}
    tell(session, folder, "mail_refused", "platform", task_id=task_id, facts=told)
    if task.state == TaskState.OPEN.value:
        task.opened = clock.now()
        session.add(task)
        notify(session, folder, task.desk_id, Category.REJECTED)


def _task(session: Session, task_id: str) -> tuple[Task, Folder]:
    task = session.exec(select(Task).where(Task.id == task_id)).one()
    folder = locked(session, task.folder_id)
    session.refresh(task)
    return task, folder


def _keep(
    session: Session, task: Task, served: Sequence[str], by_server: Mapping[str, int], *, under_way: bool, trouble: str = ""
) -> Dispatch:
    before = dispatch_of(task)
    after = before.model_copy(
        update={
            "served": (*before.served, *served),
            "refused": {**before.refused, **by_server},
            "under_way": under_way,
            "trouble": trouble,
        }
    )
    keep_mailing(session, task, after.model_dump(mode="json"))
    return after
