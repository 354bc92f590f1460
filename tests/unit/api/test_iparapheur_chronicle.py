"""The history of a folder as the legacy service tells it, from events and tasks alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from api.iparapheur.chronicle import Refusal, chronicle, present
from signing.parapheur.models import Folder, FolderEvent, FolderState, StepKind, Task, TaskState

START = datetime(2026, 11, 28, 9, tzinfo=UTC)
DESKS = {"G": "Guichet", "D": "Direction", "F": "Finances", "M": "Maire"}
OWNER = {"organisation_id": "ORG"}


def folder(state: FolderState, last_desk: str | None = None) -> Folder:
    return Folder(
        **OWNER,
        id="FOLDER",
        dossier_id="DOSSIER",
        title="T",
        emitter_id="G",
        author="token:1",
        state=state.value,
        last_desk_id=last_desk,
    )


def task(
    name: str, rank: int, desk: str, kind: StepKind = StepKind.VISA, state: TaskState = TaskState.DONE, together: str = "any"
) -> Task:
    return Task(
        **OWNER, id=name, folder_id="FOLDER", rank=rank, kind=kind.value, desk_id=desk, state=state.value, together=together
    )


def events(*told: tuple[str, str | None, str] | tuple[str, str | None, str, dict[str, Any]]) -> list[FolderEvent]:
    found = []
    for number, (kind, of, note, *facts) in enumerate(told, 1):
        at = START + timedelta(minutes=number)
        given = facts[0] if facts else {}
        found.append(
            FolderEvent(
                **OWNER,
                folder_id="FOLDER",
                number=number,
                at=at,
                actor="person:1",
                kind=kind,
                task_id=of,
                note=note,
                facts=given,
                digest="",
            )
        )
    return found


def told(where: Folder, happened: list[FolderEvent], tasks: list[Task], **more: Any) -> list[tuple[str, str]]:
    return [(line.status, line.annotation) for line in chronicle(where, happened, tasks, DESKS, **more)]


SENT = (("created", None, ""), ("started", None, "Bonjour"))


def test_a_visa_then_a_signature_read_word_for_word() -> None:
    tasks = [task("A", 0, "D"), task("B", 1, "M", StepKind.SIGNATURE)]
    happened = events(*SENT, ("approved", "A", "Vu"), ("signed", "B", ""))
    assert told(folder(FolderState.FINISHED), happened, tasks) == [
        ("NonLu", "Création de dossier"),
        ("NonLu", "Emission du dossier"),
        ("EnCoursVisa", "Dossier déposé sur le bureau Direction pour Visa"),
        ("NonLu", "Bonjour"),
        ("Vise", "Vu"),
        ("NonLu", "Dossier déposé sur le bureau Maire pour signature"),
        ("Signe", ""),
        ("Archive", "Circuit terminé, dossier archivable"),
    ]


def test_nothing_is_archivable_while_the_last_desk_may_take_it_back() -> None:
    happened = events(*SENT, ("approved", "A", "Vu"))
    assert told(folder(FolderState.FINISHED, "D"), happened, [task("A", 0, "D")])[-1] == ("Vise", "Vu")
    assert present(folder(FolderState.FINISHED, "D"), [task("A", 0, "D")], was_read=False) == "Vise"


def test_a_step_of_all_opens_the_next_one_when_the_last_has_acted() -> None:
    tasks = [task("A", 0, "D", together="all"), task("B", 0, "F", together="all"), task("C", 1, "M", state=TaskState.OPEN)]
    one = told(folder(FolderState.PENDING), events(*SENT, ("approved", "A", "1")), tasks)
    assert one[-1] == ("Vise", "1")
    both = told(folder(FolderState.PENDING), events(*SENT, ("approved", "A", "1"), ("approved", "B", "2")), tasks)
    assert both[-2:] == [("Vise", "2"), ("EnCoursVisa", "Dossier déposé sur le bureau Maire pour Visa")]


def test_a_rejection_is_told_by_its_step_or_as_a_signer_s_where_that_is_configured() -> None:
    for kind, status in ((StepKind.VISA, "RejetVisa"), (StepKind.SIGNATURE, "RejetSignataire"), (StepKind.SEAL, "RejetCachet")):
        rejected = [task("A", 0, "D", kind, TaskState.REJECTED)]
        happened = events(*SENT, ("rejected", "A", "Non"))
        assert told(folder(FolderState.REJECTED), happened, rejected)[-1] == (status, "Non")
        assert present(folder(FolderState.REJECTED), rejected, was_read=False) == status
        assert told(folder(FolderState.REJECTED), happened, rejected, signer_rejects=True)[-1] == ("RejetSignataire", "Non")
        assert present(folder(FolderState.REJECTED), rejected, was_read=True, signer_rejects=True) == "RejetSignataire"


def test_a_folder_that_was_mended_and_sent_again_no_longer_ends_on_its_rejection() -> None:
    happened = events(*SENT, ("rejected", "GONE", "Non"), ("recycled", None, ""), ("started", None, "Corrigé"))
    lines = told(folder(FolderState.PENDING), happened, [task("B", 0, "D", state=TaskState.OPEN)])
    assert ("RejetVisa", "Non") in lines
    assert lines[-2:] == [("EnCoursVisa", "Dossier déposé sur le bureau Direction pour Visa"), ("NonLu", "Corrigé")]


def test_a_folder_that_the_platform_took_from_its_desks_and_sent_once_more_is_told_as_one_that_was_rejected_and_mended() -> None:
    withdrawn = events(*SENT, ("withdrawn", None, "Facture suspendue"))
    assert told(folder(FolderState.REJECTED), withdrawn, [task("A", 0, "D", state=TaskState.WITHDRAWN)])[-1] == (
        "RejetVisa",
        "Facture suspendue",
    )
    again = events(*SENT, ("withdrawn", None, "Facture suspendue"), ("renewed", None, ""), ("started", None, ""))
    lines = told(folder(FolderState.PENDING), again, [task("B", 0, "D", state=TaskState.OPEN)])
    assert ("NonLu", "Dossier remis en préparation") in lines
    assert lines[-2] == ("EnCoursVisa", "Dossier déposé sur le bureau Direction pour Visa")


def test_what_was_taken_back_opens_its_step_again() -> None:
    tasks = [task("A", 0, "D", state=TaskState.OPEN), task("B", 1, "M", StepKind.SIGNATURE, TaskState.UPCOMING)]
    lines = told(folder(FolderState.PENDING), events(*SENT, ("approved", "A", "Vu"), ("taken_back", "A", "")), tasks)
    assert lines[-2:] == [("NonLu", "Dossier récupéré"), ("EnCoursVisa", "Dossier déposé sur le bureau Direction pour Visa")]


def test_a_desk_that_hands_a_folder_over_and_one_that_is_asked_for_its_opinion_are_named() -> None:
    tasks = [
        task("A", 0, "D", state=TaskState.TRANSFERRED),
        task("B", 0, "F", state=TaskState.OPEN),
        task("O", 0, "M", StepKind.OPINION),
    ]
    happened = events(
        *SENT, ("transferred", "A", "À vous", {"to": "F"}), ("opinion_asked", "B", "", {"of": "M"}), ("opinion_given", "O", "Oui")
    )
    lines = told(folder(FolderState.PENDING), happened, tasks)
    assert [line for line in lines if "déposé" in line[1]] == [
        ("EnCoursVisa", "Dossier déposé sur le bureau Direction pour Visa"),
        ("EnCoursVisa", "Dossier déposé sur le bureau Finances pour Visa"),
        ("NonLu", "Dossier déposé sur le bureau Maire pour avis"),
    ]
    assert lines[-1] == ("NonLu", "Oui")


def test_a_step_that_was_bypassed_is_no_signature() -> None:
    tasks = [task("A", 0, "M", StepKind.SIGNATURE, TaskState.BYPASSED), task("B", 1, "D", state=TaskState.OPEN)]
    lines = told(folder(FolderState.PENDING), events(*SENT, ("bypassed", None, "Absent")), tasks)
    assert "Signe" not in {status for status, _ in lines}
    assert lines[-1] == ("EnCoursVisa", "Dossier déposé sur le bureau Direction pour Visa")


def test_a_reading_stands_where_it_happened_and_never_after_the_end() -> None:
    tasks = [task("A", 0, "D")]
    happened = events(*SENT, ("approved", "A", "Vu"))
    early, late = (START + timedelta(minutes=2, seconds=30), "person:2"), (START + timedelta(hours=1), "person:3")
    lines = told(folder(FolderState.FINISHED), happened, tasks, readings=[late, early])
    assert lines[4:] == [("Lu", "Dossier lu"), ("Vise", "Vu"), ("Archive", "Circuit terminé, dossier archivable")]
    waiting = [task("A", 0, "D", state=TaskState.OPEN)]
    assert told(folder(FolderState.PENDING), happened[:2], waiting, readings=[late])[-1] == ("Lu", "Dossier lu")
    assert present(folder(FolderState.PENDING), waiting, was_read=True) == "Lu"


def test_what_the_check_has_refused_ends_on_a_rejection_whatever_desks_have_decided() -> None:
    refusal = Refusal(START + timedelta(days=1), "Signature rompue")
    happened = events(*SENT, ("approved", "A", "Vu"))
    for state, task_state in ((FolderState.PENDING, TaskState.OPEN), (FolderState.FINISHED, TaskState.DONE)):
        tasks = [task("A", 0, "D", state=task_state)]
        for signer_rejects, status in ((False, "RejetVisa"), (True, "RejetSignataire")):
            lines = told(folder(state), happened, tasks, refusal=refusal, signer_rejects=signer_rejects)
            assert lines[-1] == (status, "Signature rompue")
            assert "Archive" not in {word for word, _ in lines}
            found = present(folder(state), tasks, was_read=True, signer_rejects=signer_rejects, is_refused=True)
            assert found == status
