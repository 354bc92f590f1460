"""The circuit of a folder as people read it: what is done, by whom and when; what is under way; what is to come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from api.web.folder.naming import Names, messages
from api.web.trays.rows import when
from signing.parapheur.access import Seen
from signing.parapheur.models import FolderEvent, FolderState, StepKind, Task, TaskState

_PAST = {
    TaskState.DONE.value,
    TaskState.REJECTED.value,
    TaskState.TRANSFERRED.value,
    TaskState.BYPASSED.value,
    TaskState.WITHDRAWN.value,
}


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked of one desk.

    Attributes:
        told: where it stands, in words.
        people: who holds the desk; empty once somebody has acted.
        aside: an opinion, asked in the middle of a step.
    """

    kind: str
    desk: str
    told: str
    people: str
    state: str
    aside: bool


@dataclass(frozen=True, slots=True)
class StepShown:
    """A step: ``done``, ``now``, ``failed`` or ``ahead``; ``together`` says how several desks decide."""

    number: int
    state: str
    together: str
    parts: tuple[Part, ...]


def steps(found: Seen, events: Iterable[FolderEvent], names: Names) -> list[StepShown]:
    """Return the steps of a folder, in order."""
    leads = {event.task_id: event for event in events if event.kind in {"transferred", "opinion_asked"}}
    shown = []
    for rank, group in groupby(found.tasks, key=lambda task: task.rank):
        tasks = list(group)
        asked = [task for task in tasks if task.kind != StepKind.OPINION.value]
        several = len([task for task in asked if task.state != TaskState.TRANSFERRED.value]) > 1
        parts = tuple(_part(task, leads.get(task.id), names) for task in tasks)
        together = messages(f"circuit.together.{tasks[0].together}") if several else ""
        shown.append(StepShown(rank + 1, _state(found, rank, tasks), together, parts))
    return shown


def _state(found: Seen, rank: int, tasks: list[Task]) -> str:
    if any(task.state == TaskState.REJECTED.value for task in tasks):
        return "failed"
    if found.folder.state == FolderState.PENDING.value and rank == found.folder.rank:
        return "now"
    over = all(task.state in _PAST for task in tasks)
    idle = all(task.state == TaskState.WITHDRAWN.value for task in tasks)
    return "done" if over and not idle else "ahead"


def _part(task: Task, lead: FolderEvent | None, names: Names) -> Part:
    waits = task.state in {TaskState.OPEN.value, TaskState.UPCOMING.value}
    return Part(
        task.kind,
        names.desk(task.desk_id),
        _told(task, lead, names),
        names.holders(task.desk_id) if waits else "",
        task.state,
        task.kind == StepKind.OPINION.value,
    )


def _told(task: Task, lead: FolderEvent | None, names: Names) -> str:
    if task.state == TaskState.OPEN.value:
        return messages("circuit.open", moment=when(task.opened)) if task.opened else messages("circuit.open.now")
    if task.state == TaskState.UPCOMING.value:
        asked = task.opened is not None and lead is not None
        return messages("circuit.opinion", desk=names.desk(lead.facts.get("of"))) if asked and lead else messages("circuit.ahead")
    if task.state == TaskState.WITHDRAWN.value or task.closed is None:
        return messages("circuit.withdrawn")
    who, closed = names.actor(task.actor), when(task.closed)
    told = {
        TaskState.REJECTED.value: messages("circuit.rejected", who=who, moment=closed),
        TaskState.BYPASSED.value: messages("circuit.bypassed", who=who, moment=closed),
        TaskState.TRANSFERRED.value: messages("circuit.transferred", desk=names.desk(lead.facts.get("to") if lead else None)),
    }.get(task.state) or messages("circuit.done", who=who, moment=closed)
    return f"{told} {messages('circuit.behalf', desk=names.desk(task.desk_id))}" if task.behalf_id else told
