"""What an act leaves behind it: the place of a visible signature serves once, and what is taken back is as it was before."""

from __future__ import annotations

from typing import Any

import pytest

from core.principal import Principal, Right
from signing.parapheur import actions, desks, drafting, folders, reading, recall, software, starting, typology
from signing.parapheur.actions import Result
from signing.parapheur.circuits import Together
from signing.parapheur.history import Said, events_of
from signing.parapheur.models import Folder, FolderDocument, StepKind
from signing.parapheur.typology import FieldUse
from tests.unit.signing.parapheur_desks import Mairie, database, mairie
from tests.unit.signing.test_parapheur_circuit import at, declared, made, task
from tests.unit.signing.test_parapheur_desks import holder

__all__ = ["database", "mairie"]
_PLACE: dict[str, Any] = {"page": 2, "x": 359.5, "y": 40.0, "width": 200.0, "height": 70.0}


def document(mairie: Mairie, folder: Folder) -> FolderDocument:
    return folders.main_documents(mairie.session, folder.id)[0]


def placed(mairie: Mairie, folder: Folder) -> None:
    drafting.stamp_at(mairie.session, folder.id, document(mairie, folder).id, _PLACE)


def signed(mairie: Mairie, folder: Folder, short: str, mark: str) -> None:
    """Somebody at a desk signs: the document is another one."""
    who, paper = holder(mairie, short), document(mairie, folder)
    held = actions.hold(mairie.session, who, task(mairie, folder, short).id)
    actions.complete(mairie.session, held, [Result(paper.id, paper.sha256, mark * 64, 2)])


@pytest.mark.parametrize("together", [Together.ANY, Together.ALL], ids=["in the next step", "in the same step"])
def test_the_place_that_a_signer_has_chosen_is_not_that_of_the_next_one(mairie: Mairie, together: Together) -> None:
    if together is Together.ALL:
        folder = made(mairie, at(mairie, StepKind.SIGNATURE, "Maire", "DGS", together=together))
    else:
        folder = made(mairie, at(mairie, StepKind.SIGNATURE, "Maire"), at(mairie, StepKind.SIGNATURE, "DGS"))
    placed(mairie, folder)
    signed(mairie, folder, "Maire", "a")
    assert document(mairie, folder).stamp is None
    placed(mairie, folder)
    assert document(mairie, folder).stamp == _PLACE, "the next one says their own"


def test_a_seal_that_is_set_by_itself_spends_the_place_too(mairie: Mairie) -> None:
    folder = made(mairie, at(mairie, StepKind.SEAL, "Maire", automatic=True), at(mairie, StepKind.SIGNATURE, "DGS"))
    placed(mairie, folder)
    paper = document(mairie, folder)
    result = Result(paper.id, paper.sha256, "b" * 64, 2)
    actions.complete_automatically(mairie.session, task(mairie, folder, "Maire").id, [result])
    assert document(mairie, folder).stamp is None


@pytest.mark.parametrize("how", ["on paper", "rejected", "bypassed"])
def test_a_place_that_did_not_serve_goes_with_its_signer(mairie: Mairie, how: str) -> None:
    mayor = holder(mairie, "Maire")
    folder = made(mairie, at(mairie, StepKind.SIGNATURE, "Maire"), at(mairie, StepKind.SIGNATURE, "DGS"))
    placed(mairie, folder)
    one = task(mairie, folder, "Maire").id
    if how == "on paper":
        actions.sign_on_paper(mairie.session, mayor, one)
    elif how == "rejected":
        actions.reject(mairie.session, mayor, one, Said("Non."))
    else:
        administrator = Principal("person:01", {mairie.id: frozenset({Right.ADMINISTER})})
        actions.bypass(mairie.session, administrator, folder.id, Said("Absente."))
    assert document(mairie, folder).stamp is None


def test_a_visa_leaves_the_place_where_it_is(mairie: Mairie) -> None:
    folder = made(mairie, at(mairie, StepKind.VISA, "Maire"), at(mairie, StepKind.SIGNATURE, "DGS"))
    placed(mairie, folder)
    actions.approve(mairie.session, holder(mairie, "Maire"), task(mairie, folder, "Maire").id)
    assert document(mairie, folder).stamp == _PLACE


def test_a_signature_taken_back_gives_the_document_and_its_place_back(mairie: Mairie) -> None:
    folder = made(mairie, at(mairie, StepKind.SIGNATURE, "Maire"), at(mairie, StepKind.SIGNATURE, "DGS"))
    placed(mairie, folder)
    before = document(mairie, folder).sha256
    signed(mairie, folder, "Maire", "c")
    recall.undo(mairie.session, holder(mairie, "Maire"), folder.id)
    assert (document(mairie, folder).sha256, document(mairie, folder).stamp) == (before, _PLACE)


@pytest.mark.parametrize("before", [{}, {"montant": "100"}], ids=["given first", "changed"])
def test_what_is_taken_back_takes_the_metadata_back_with_it(mairie: Mairie, before: dict[str, str]) -> None:
    declared(mairie)
    mayor = holder(mairie, "Maire")
    asking = at(mairie, StepKind.VISA, "Maire", approval_fields=("montant",))
    folder = made(mairie, asking, at(mairie, StepKind.VISA, "DGS"), fields={"service": "Voirie", **before})
    actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id, Said(fields={"montant": "999"}))
    recall.undo(mairie.session, mayor, folder.id)
    assert folder.fields == {"service": "Voirie", **before}
    assert events_of(mairie.session, folder.id)[-1].facts == {
        "fields": {"montant": {"before": "999", "after": before.get("montant")}}
    }


def test_only_the_last_act_is_taken_back_not_what_was_taken_back_before(mairie: Mairie) -> None:
    declared(mairie)
    mayor = holder(mairie, "Maire")
    asking = at(mairie, StepKind.VISA, "Maire", approval_fields=("montant",))
    folder = made(mairie, asking, at(mairie, StepKind.VISA, "DGS"), fields={"montant": "100"})
    for given in ("999", "100"):
        actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id, Said(fields={"montant": given}))
        recall.undo(mairie.session, mayor, folder.id)
        assert folder.fields == {"montant": "100"}
    assert events_of(mairie.session, folder.id)[-1].facts == {}


def test_what_its_kind_fixes_may_be_given_otherwise_once_it_was_taken_back(mairie: Mairie) -> None:
    declared(mairie)
    mayor = holder(mairie, "Maire")
    asking = at(mairie, StepKind.VISA, "Maire", approval_fields=("montant",))
    folder = made(mairie, asking, at(mairie, StepKind.VISA, "DGS"), uses=(FieldUse(key="montant", editable=False),))
    for given in ("7", "8"):
        actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id, Said(fields={"montant": given}))
        assert folder.fields == {"montant": given}
        if given == "7":
            recall.undo(mairie.session, mayor, folder.id)


def discreet(mairie: Mairie, folder: Folder) -> None:
    """Let a folder be taken back until it was opened, and no longer."""
    subtype = typology.subtype_of(mairie.session, folder.subtype_id or "")
    subtype.options = {**subtype.options, "recall_after_reading": False}
    mairie.session.flush()


def test_what_the_next_desk_has_opened_where_it_stands_is_taken_back_no_more_however_often_it_was_opened_before(
    mairie: Mairie,
) -> None:
    mayor, director = holder(mairie, "Maire"), holder(mairie, "DGS")
    folder = made(mairie, at(mairie, StepKind.VISA, "Maire"), at(mairie, StepKind.VISA, "DGS"))
    discreet(mairie, folder)
    reader = desks.person_of(director)
    reading.opened(mairie.session, folder, reader)
    actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id)
    assert not reading.has_opened(mairie.session, folder, reader)
    recall.undo(mairie.session, mayor, folder.id)
    actions.approve(mairie.session, mayor, task(mairie, folder, "Maire").id)
    assert recall.may_undo(mairie.session, mayor, folder)
    reading.opened(mairie.session, folder, reader)
    assert reading.has_opened(mairie.session, folder, reader)
    assert not recall.may_undo(mairie.session, mayor, folder)


def test_what_was_opened_before_it_was_sent_may_be_taken_back_until_it_is_opened_again(mairie: Mairie) -> None:
    folder = made(mairie, at(mairie, StepKind.VISA, "Maire"), starts=False)
    discreet(mairie, folder)
    mayor = desks.person_of(holder(mairie, "Maire"))
    reading.opened(mairie.session, folder, mayor)
    starting.start(mairie.session, folder.id, "platform")
    assert software.may_recall(mairie.session, folder)
    reading.opened(mairie.session, folder, mayor)
    assert not software.may_recall(mairie.session, folder)
