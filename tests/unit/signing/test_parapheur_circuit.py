"""What desks do to a folder in its circuit: opinions, what is taken back, metadata, and what a flow has put into it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlmodel import select

from core.errors import Forbidden, UsageError
from core.journal import JournalEntry
from signing.parapheur import (
    actions,
    binding,
    circuits,
    consultation,
    desks,
    drafting,
    folders,
    metadata,
    recall,
    starting,
    trays,
    typology,
)
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step, Who
from signing.parapheur.desks import Hand
from signing.parapheur.drafting import Change
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.history import Said, events_of
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import DocumentKind, Folder, StepKind, Task, TaskState, Visibility
from signing.parapheur.progress import tasks_of
from signing.parapheur.trays import Tray, Wanted
from signing.parapheur.typology import FieldUse, Protocol, SignatureFormat, SubtypeOptions, TypeOptions
from tests.unit.signing.parapheur_desks import Mairie, database, mairie
from tests.unit.signing.test_parapheur_desks import delegated, holder

__all__ = ["database", "mairie"]
_numbers = itertools.count()
_PES = TypeOptions(format=SignatureFormat.PES, protocol=Protocol.HELIOS)


def at(mairie: Mairie, kind: StepKind, *shorts: str, **asked: Any) -> Step:
    return Step(kind=kind, places=tuple(Place(desk=mairie[short].id) for short in shorts), **asked)


def kind_of(mairie: Mairie, steps: tuple[Step, ...], signing: TypeOptions, *uses: FieldUse) -> str:
    key = f"circuit-{next(_numbers)}"
    circuits.draw_up(mairie.session, mairie.id, key, key, steps)
    of = typology.add_type(mairie.session, mairie.id, key, signing)
    return typology.add_subtype(mairie.session, of, key, SubtypeOptions(fields=uses), [Row(circuit=key)]).id


def paper(kind: DocumentKind, name: str) -> Joined:
    return Joined(kind, name, "application/pdf", name * 8, 1)


def made(
    mairie: Mairie,
    *steps: Step,
    uses: tuple[FieldUse, ...] = (),
    fields: dict[str, str] | None = None,
    bound: bool = False,
    signing: TypeOptions | None = None,
    starts: bool = True,
) -> Folder:
    """A folder that the Secrétariat sends."""
    new = NewFolder(
        f"dossier-{next(_numbers)}",
        mairie.id,
        "Marché de voirie",
        mairie["Secrétariat"].id,
        "platform" if bound else "person:01",
        (paper(DocumentKind.MAIN, "principal"), paper(DocumentKind.ANNEX, "annexe")),
        kind_of(mairie, steps, signing or TypeOptions(), *uses),
        fields or {},
        bound=bound,
    )
    folder = folders.create(mairie.session, new)
    if starts:
        starting.start(mairie.session, folder.id, "platform")
    return folder


def task(mairie: Mairie, folder: Folder, short: str, state: TaskState = TaskState.OPEN) -> Task:
    (found,) = [one for one in tasks_of(mairie.session, folder.id) if (one.desk_id, one.state) == (mairie[short].id, state.value)]
    return found


def states(mairie: Mairie, folder: Folder, short: str) -> list[str]:
    return [one.state for one in tasks_of(mairie.session, folder.id) if one.desk_id == mairie[short].id]


def test_an_opinion_that_is_transferred_goes_back_to_the_desk_that_asked_for_it(mairie: Mairie) -> None:
    mayor, director, deputy = (holder(mairie, short) for short in ("Maire", "DGS", "Adjoint"))
    folder = made(mairie, at(mairie, StepKind.VISA, "Maire"))
    consultation.ask_opinion(mairie.session, mayor, task(mairie, folder, "Maire").id, mairie["DGS"].id)
    consultation.transfer(mairie.session, director, task(mairie, folder, "DGS").id, mairie["Adjoint"].id)
    consultation.give_opinion(mairie.session, deputy, task(mairie, folder, "Adjoint").id, Said("Favorable"))
    assert actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id).state.value == "finished"


def test_where_one_desk_decides_the_one_that_awaits_an_opinion_has_nothing_left_and_has_it_again_once_taken_back(
    mairie: Mairie,
) -> None:
    mayor, director, deputy = (holder(mairie, short) for short in ("Maire", "DGS", "Adjoint"))
    folder = made(mairie, at(mairie, StepKind.VISA, "Maire", "DGS"), at(mairie, StepKind.SIGNATURE, "Maire"))
    asking = task(mairie, folder, "DGS")
    consultation.ask_opinion(mairie.session, director, asking.id, mairie["Adjoint"].id)
    actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id)
    assert (states(mairie, folder, "DGS"), states(mairie, folder, "Adjoint")) == (["withdrawn"], ["withdrawn"])
    recall.undo(mairie.session, mayor, folder.id)
    assert (states(mairie, folder, "DGS"), states(mairie, folder, "Adjoint")) == (["upcoming"], ["open"])
    consultation.give_opinion(mairie.session, deputy, task(mairie, folder, "Adjoint").id, Said("Favorable"))
    actions.approve(mairie.session, director, asking.id)
    assert folder.rank == 1


def test_a_desk_that_may_send_and_not_act_takes_back_what_it_has_sent(mairie: Mairie) -> None:
    desks.allow(mairie.session, mairie["Secrétariat"], may_create=True, may_act=False, may_chain=False)
    sender, other = holder(mairie, "Secrétariat"), holder(mairie, "DGS")
    folder = made(mairie, at(mairie, StepKind.VISA, "Maire"))
    assert [recall.may_undo(mairie.session, who, folder) for who in (sender, other)] == [True, False]
    recall.undo(mairie.session, sender, folder.id)
    assert folder.state == "draft"


def test_whoever_stands_in_finds_what_they_may_take_back_and_not_what_the_absent_desk_has_sent(mairie: Mairie) -> None:
    deputy = holder(mairie, "Adjoint")
    folder = made(mairie, at(mairie, StepKind.VISA, "Maire"), at(mairie, StepKind.SIGNATURE, "DGS"))
    made(mairie, at(mairie, StepKind.VISA, "DGS"))
    delegated(mairie, "Maire", "Adjoint", -1, None)
    delegated(mairie, "Secrétariat", "Adjoint", -1, None)
    actions.approve(mairie.session, deputy, task(mairie, folder, "Maire").id)
    around = desks.around(mairie.session, desks.person_of(deputy))
    found = trays.page(mairie.session, around, Tray.RETRIEVABLE, Wanted(), 25).lines
    assert [line.folder_id for line in found] == [folder.id]
    assert recall.may_undo(mairie.session, deputy, folder)


@pytest.mark.parametrize("option", [True, False], ids=["allowed by its subtype", "refused by it"])
@pytest.mark.parametrize("signing", [TypeOptions(), _PES], ids=["letter", "PES"])
def test_a_pes_is_never_signed_on_paper(mairie: Mairie, signing: TypeOptions, option: bool) -> None:
    mayor = holder(mairie, "Maire")
    folder = made(mairie, at(mairie, StepKind.SIGNATURE, "Maire"), signing=signing)
    subtype = typology.subtype_of(mairie.session, folder.subtype_id or "")
    subtype.options = {**subtype.options, "paper_signature": option}
    mairie.session.flush()
    if option and signing is not _PES:
        assert actions.sign_on_paper(mairie.session, mayor, task(mairie, folder, "Maire").id).state.value == "finished"
        return
    with pytest.raises(Forbidden, match="sur papier"):
        actions.sign_on_paper(mairie.session, mayor, task(mairie, folder, "Maire").id)


def declared(mairie: Mairie) -> None:
    for key in ("montant", "service"):
        metadata.declare(mairie.session, mairie.id, key, key.capitalize(), MetadataKind.TEXT)


@pytest.mark.parametrize("mandatory", [True, False], ids=["mandatory", "free"])
def test_what_its_kind_fixes_is_given_once_and_then_stays(mairie: Mairie, mandatory: bool) -> None:
    declared(mairie)
    mayor, use = holder(mairie, "Maire"), FieldUse(key="montant", mandatory=mandatory, editable=False)
    asking = at(mairie, StepKind.VISA, "Maire", approval_fields=("montant",), rejection_fields=("montant",))
    folder = made(mairie, asking, uses=(use,), fields={"montant": "100"})
    for act in (actions.approve, actions.reject):
        with pytest.raises(UsageError, match="Montant"):
            act(mairie.session, mayor, task(mairie, folder, "Maire").id, Said("Non.", fields={"montant": "999"}))
    actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id, Said(fields={"montant": "100"}))
    assert folder.fields == {"montant": "100"}
    if not mandatory:
        empty = made(mairie, asking, asking, uses=(use,))
        actions.approve(mairie.session, mayor, task(mairie, empty, "Maire").id, Said(fields={"montant": "7"}))
        with pytest.raises(UsageError, match="Montant"):
            actions.approve(mairie.session, mayor, task(mairie, empty, "Maire").id, Said(fields={"montant": "8"}))


def test_a_step_takes_what_it_asks_for_and_its_event_tells_both_values(mairie: Mairie) -> None:
    declared(mairie)
    mayor = holder(mairie, "Maire")
    asking = at(mairie, StepKind.VISA, "Maire", approval_fields=("montant",))
    folder = made(mairie, asking, uses=(FieldUse(key="montant"),), fields={"montant": "un loyer", "technique": "abc"})
    given = {"montant": "deux loyers", "technique": "zzz", "service": "Voirie", "inventee": "1"}
    actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id, Said(fields=given))
    assert folder.fields == {"montant": "deux loyers", "technique": "abc"}
    assert events_of(mairie.session, folder.id)[-1].facts == {
        "fields": {"montant": {"before": "un loyer", "after": "deux loyers"}}
    }
    leaves = mairie.session.exec(select(JournalEntry).where(JournalEntry.dossier_id == folder.dossier_id)).all()
    assert leaves
    assert "loyer" not in str([leaf.facts for leaf in leaves])


def sender(mairie: Mairie) -> Hand:
    return Hand("person:01", "01", mairie["Secrétariat"].id, None)


def main(mairie: Mairie, folder: Folder) -> str:
    return folders.main_documents(mairie.session, folder.id)[0].id


_ELSEWHERE: dict[str, Callable[[Mairie, Folder], object]] = {
    "another subtype": lambda m, f: drafting.change(
        m.session,
        f.id,
        sender(m),
        Change(subtype_id=kind_of(m, (Step(kind=StepKind.VISA, places=(Place(who=Who.EMITTER),)),), TypeOptions())),
    ),
    "another title": lambda m, f: drafting.change(m.session, f.id, sender(m), Change(title="Autre")),
    "another day": lambda m, f: drafting.change(m.session, f.id, sender(m), Change(due=date(2030, 1, 1))),
    "seen by all": lambda m, f: drafting.change(m.session, f.id, sender(m), Change(visibility=Visibility.PUBLIC)),
    "another metadata": lambda m, f: drafting.change(m.session, f.id, sender(m), Change(fields={"montant": "1"})),
    "one more metadata": lambda m, f: drafting.change(m.session, f.id, sender(m), Change(fields={"inventee": "1"})),
    "a metadata at the start": lambda m, f: starting.start(m.session, f.id, sender(m), Said(fields={"montant": "1"})),
    "a document less": lambda m, f: drafting.remove(m.session, f.id, main(m, f), sender(m)),
    "a document more": lambda m, f: folders.join(m.session, f, [paper(DocumentKind.ANNEX, "de plus")]),
    "another name": lambda m, f: drafting.name_document(m.session, f.id, main(m, f), sender(m), "autre.pdf"),
    "another order": lambda m, f: drafting.move(m.session, f.id, main(m, f), sender(m), 1),
    "an annex instead": lambda m, f: drafting.make(m.session, f.id, main(m, f), sender(m), DocumentKind.ANNEX),
}


@pytest.mark.parametrize("change", _ELSEWHERE.values(), ids=_ELSEWHERE.keys())
def test_what_a_flow_has_put_into_a_folder_is_not_its_desks_to_change(
    mairie: Mairie, change: Callable[[Mairie, Folder], object]
) -> None:
    declared(mairie)
    own, of_flow = (
        made(mairie, at(mairie, StepKind.VISA, "Maire"), fields={"montant": "100"}, bound=bound, starts=False)
        for bound in (False, True)
    )
    with pytest.raises(Forbidden, match="circuit que l’organisation a configuré"):
        change(mairie, of_flow)
    change(mairie, own)


def test_the_desk_of_a_flow_gives_the_metadata_that_are_missing_as_often_as_it_likes_and_its_words(mairie: Mairie) -> None:
    declared(mairie)
    uses = (FieldUse(key="montant", mandatory=True), FieldUse(key="service", mandatory=True))
    step = at(mairie, StepKind.VISA, "Maire")
    folder = made(mairie, step, uses=uses, fields={"montant": "100"}, bound=True, starts=False)
    for service in ("Voirie", "Écoles"):
        drafting.change(mairie.session, folder.id, sender(mairie), Change(title=folder.title, fields={"service": service}))
    with pytest.raises(Forbidden):
        drafting.change(mairie.session, folder.id, sender(mairie), Change(fields={"montant": "1"}))
    starting.start(mairie.session, folder.id, sender(mairie), Said("Merci."))
    assert folder.fields == {"montant": "100", "service": "Écoles"}


def test_a_folder_that_is_not_any_more_what_its_flow_made_is_told_apart(mairie: Mairie) -> None:
    def as_made(folder: Folder) -> bool:
        return binding.as_made(mairie.session, folder, folders.documents_of(mairie.session, folder.id))

    step = at(mairie, StepKind.VISA, "Maire")
    one, other = (made(mairie, step, bound=True) for _ in range(2))
    folders.join(mairie.session, one, [paper(DocumentKind.ANNEX, "du circuit")], added_at=0)
    assert (as_made(one), as_made(other)) == (True, True)
    one.subtype_id = other.subtype_id
    mairie.session.delete(folders.main_documents(mairie.session, other.id)[0])
    mairie.session.flush()
    assert (as_made(one), as_made(other)) == (False, False)


@pytest.mark.parametrize("kind", [StepKind.SIGNATURE, StepKind.SEAL, StepKind.EXTERNAL])
def test_a_pes_starts_only_in_a_circuit_that_signs_it(mairie: Mairie, kind: StepKind) -> None:
    visa = at(mairie, StepKind.VISA, "Maire")
    folder = made(mairie, visa, signing=_PES, bound=True, starts=False)
    with pytest.raises(UsageError, match="ne part pas sans signature, et le circuit «\u00a0circuit-"):
        starting.start(mairie.session, folder.id, "platform")
    assert (folder.state, tasks_of(mairie.session, folder.id)) == ("draft", [])
    assert made(mairie, visa, at(mairie, kind, "DGS"), signing=_PES, bound=True).state == "pending"
    assert made(mairie, visa, bound=True).state == "pending", "what leaves unsigned"
    assert made(mairie, visa, signing=_PES).state == "pending", "what no flow sends: it may have come signed"
