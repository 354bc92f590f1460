"""What happened to a folder, told as the legacy service tells it: statuses and annotations, word for word where they are known.

Pure: events, tasks and names in, lines out. Software reads the last line only, so that one must say where the folder stands.
Uncertain, since no document says it: what is said of a step that was bypassed, transferred, taken back, or asked for an opinion
(``NonLu``, which means nothing final to anybody), and of a signature on paper (``Signe``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.principal import PLATFORM
from signing.parapheur.circuits import Together
from signing.parapheur.models import Folder, FolderEvent, FolderState, StepKind, Task, TaskState

UNREAD, READ, ARCHIVABLE = "NonLu", "Lu", "Archive"
SIGNER_REJECTS = "RejetSignataire"
_CREATED, _ISSUED, _ENDED = "Création de dossier", "Emission du dossier", "Circuit terminé, dossier archivable"
_WAS_READ, _TAKEN_BACK, _AGAIN, _BYPASSED = "Dossier lu", "Dossier récupéré", "Dossier remis en préparation", "Etape passée"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a history; ``actor`` as the journal names actors."""

    moment: datetime
    actor: str
    status: str
    annotation: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the check has said of the documents of a folder that was sent before: nothing comes of it any more."""

    moment: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a kind of step: as it opens and what for, as it is done, as it is rejected."""

    opened: str
    purpose: str
    done: str
    rejected: str


WORDS = {
    StepKind.VISA: Words("EnCoursVisa", "pour Visa", "Vise", "RejetVisa"),
    StepKind.SIGNATURE: Words(UNREAD, "pour signature", "Signe", SIGNER_REJECTS),
    StepKind.SEAL: Words("PretCachet", "pour cachet serveur.", "CachetOK", "RejetCachet"),
    StepKind.EXTERNAL: Words(UNREAD, "pour signature externe", "Signe", SIGNER_REJECTS),
    StepKind.MAIL: Words("EnCoursMailSecPastell", "pour mail sécurisé", "EnCoursMailSecPastell", "RejetMailSecPastell"),
    StepKind.OPINION: Words(UNREAD, "pour avis", UNREAD, "RejetVisa"),
}
_DONE = {"approved", "signed", "signed_on_paper", "sealed", "mailed"}
# Of tasks that are gone: a rejected folder that was mended and sent again has new ones.
_FORMER = {
    "approved": "Vise",
    "signed": "Signe",
    "signed_on_paper": "Signe",
    "sealed": "CachetOK",
    "rejected": "RejetVisa",
    "withdrawn": "RejetVisa",
    "mailed": "EnCoursMailSecPastell",
}
_SAYING = {"annotated", "opinion_given"}


@dataclass(slots=True)
class _Story:
    """The circuit as far as it has been told."""

    tasks: Mapping[str, Task]
    desks: Mapping[str, str]
    given: Collection[tuple[int, str]]
    signer_rejects: bool
    done: set[str] = field(default_factory=set)
    rank: int = 0

    def lines(self, event: FolderEvent) -> Iterator[Line]:
        """Tell an event."""
        if event.kind == "created":
            yield _line(event, UNREAD, _CREATED)
        elif event.kind == "started":
            yield _line(event, UNREAD, _ISSUED)
            yield from self._opened(event, 0)
            yield _line(event, UNREAD, event.note)
        elif event.kind in _DONE:
            yield from self._acted(event)
        elif event.kind in {"rejected", "withdrawn"}:
            rejected = SIGNER_REJECTS if self.signer_rejects else self._word(event, "rejected")
            yield _line(event, rejected, event.note)
        elif event.kind == "taken_back":
            yield from self._taken_back(event)
        elif event.kind in {"recycled", "renewed"}:
            yield _line(event, UNREAD, _AGAIN)
        elif event.kind == "bypassed":
            yield _line(event, UNREAD, f"{_BYPASSED}\u00a0: {event.note}")
            yield from self._opened(event, self.rank + 1)
        elif event.kind in {"transferred", "opinion_asked"}:
            yield from self._handed(event)
        elif event.kind in _SAYING and event.note:
            yield _line(event, UNREAD, event.note)

    def _acted(self, event: FolderEvent) -> Iterator[Line]:
        yield _line(event, self._word(event, "done"), event.note)
        task = self.tasks.get(event.task_id or "")
        if task is None:
            return
        self.done.add(task.id)
        if task.together != Together.ALL.value or self._step(task.rank) <= self.done:
            yield from self._opened(event, task.rank + 1)

    def _taken_back(self, event: FolderEvent) -> Iterator[Line]:
        yield _line(event, UNREAD, _TAKEN_BACK)
        task = self.tasks.get(event.task_id or "")
        if task is not None:
            self.done.discard(task.id)
            yield from self._opened(event, task.rank)

    def _handed(self, event: FolderEvent) -> Iterator[Line]:
        if event.note:
            yield _line(event, UNREAD, event.note)
        task, asked = self.tasks.get(event.task_id or ""), event.kind == "opinion_asked"
        desk_id = str(event.facts.get("of" if asked else "to", ""))
        if task is not None:
            yield self._laid(event, StepKind.OPINION if asked else StepKind(task.kind), desk_id)

    def _opened(self, event: FolderEvent, rank: int) -> Iterator[Line]:
        self.rank = rank
        for task in self.tasks.values():
            came_later = task.kind == StepKind.OPINION.value or (rank, task.desk_id) in self.given
            if task.rank == rank and not came_later:
                yield self._laid(event, StepKind(task.kind), task.desk_id)

    def _laid(self, event: FolderEvent, kind: StepKind, desk_id: str) -> Line:
        words = WORDS[kind]
        return _line(event, words.opened, f"Dossier déposé sur le bureau {self.desks.get(desk_id, '')} {words.purpose}")

    def _step(self, rank: int) -> set[str]:
        aside = {StepKind.OPINION.value, TaskState.TRANSFERRED.value}
        return {task.id for task in self.tasks.values() if task.rank == rank and not {task.kind, task.state} & aside}

    def _word(self, event: FolderEvent, name: str) -> str:
        task = self.tasks.get(event.task_id or "")
        return str(getattr(WORDS[StepKind(task.kind)], name)) if task is not None else _FORMER[event.kind]


def chronicle(
    folder: Folder,
    events: Sequence[FolderEvent],
    tasks: Sequence[Task],
    desks: Mapping[str, str],
    readings: Sequence[tuple[datetime, str]] = (),
    *,
    signer_rejects: bool = False,
    refusal: Refusal | None = None,
) -> list[Line]:
    """Return the history of a folder, oldest first.

    Args:
        folder: as it stands.
        events: of the folder, in order.
        tasks: of the folder, in the order of its circuit.
        desks: names of desks, by identifier.
        readings: when somebody at a desk of the circuit opened the folder first, and who, as the journal names actors.
        signer_rejects: every rejection is told as that of a signature.
        refusal: of its documents, which is told as a rejection: the last word on it, whatever desks have decided.
    """
    given = {
        (task.rank, str(event.facts["to"]))
        for event in events
        if event.kind == "transferred"
        for task in tasks
        if task.id == event.task_id
    }
    story = _Story({task.id: task for task in tasks}, desks, given, signer_rejects)
    lines = [line for event in events for line in story.lines(event)]
    lines = _with_readings(lines, readings, last=folder.state != FolderState.PENDING.value)
    if refusal is not None:
        lines.append(Line(refusal.moment, PLATFORM.actor, _refused(signer_rejects=signer_rejects), refusal.reason))
    elif ended(folder) and lines:
        lines.append(Line(lines[-1].moment, lines[-1].actor, ARCHIVABLE, _ENDED))
    return lines


def ended(folder: Folder) -> bool:
    """Tell whether a folder has come to its end and nobody may take it back any more: before that, nothing of it is final."""
    return folder.state == FolderState.FINISHED.value and folder.last_desk_id is None


def _refused(*, signer_rejects: bool) -> str:
    return SIGNER_REJECTS if signer_rejects else WORDS[StepKind.VISA].rejected


def present(
    folder: Folder, tasks: Sequence[Task], *, was_read: bool, signer_rejects: bool = False, is_refused: bool = False
) -> str:
    """Return the status of a folder as a search tells it: of what it waits for, or of its end.

    Args:
        folder: as it stands.
        tasks: of the folder.
        was_read: somebody at a desk where it lies has opened it.
        signer_rejects: see ``chronicle``.
        is_refused: its documents were, see ``chronicle``.
    """
    if is_refused:
        return _refused(signer_rejects=signer_rejects)
    if ended(folder):
        return ARCHIVABLE
    if folder.state == FolderState.REJECTED.value:
        rejected = next((task for task in tasks if task.state == TaskState.REJECTED.value), None)
        kind = StepKind(rejected.kind) if rejected else StepKind.VISA
        return SIGNER_REJECTS if signer_rejects else WORDS[kind].rejected
    opened = next((task for task in tasks if task.state == TaskState.OPEN.value), None)
    if folder.state == FolderState.PENDING.value and opened is not None:
        return READ if was_read else WORDS[StepKind(opened.kind)].opened
    done = [task for task in tasks if task.state == TaskState.DONE.value and task.kind != StepKind.OPINION.value]
    return WORDS[StepKind(done[-1].kind)].done if folder.state == FolderState.FINISHED.value and done else UNREAD


def _with_readings(lines: list[Line], readings: Sequence[tuple[datetime, str]], *, last: bool) -> list[Line]:
    """Put readings in their places; one that comes after the last line of a folder that is through says nothing."""
    told = list(lines)
    for moment, actor in sorted(readings):
        place = next((rank for rank, line in enumerate(told) if line.moment > moment), len(told))
        if place < len(told) or not last:
            told.insert(place, Line(moment, actor, READ, _WAS_READ))
    return told


def _line(event: FolderEvent, status: str, annotation: str) -> Line:
    return Line(event.at, event.actor, status, annotation)
