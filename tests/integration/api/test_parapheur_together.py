"""Several folders at once: nothing that one bears is written over, and what went on without a session is told apart."""

from __future__ import annotations

import re

import httpx
import pytest
from sqlmodel import select

from core.platform import Platform
from core.principal import PLATFORM
from flows.parapheur.signing import settle
from signing.parapheur import circuits, desks, signatures, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step
from signing.parapheur.models import Capacity, StepKind, Subtype
from signing.parapheur.typology import SubtypeOptions
from signing.sittings.models import ItemState, Sitting, SittingItem, SittingState
from tests.integration.api.test_parapheur_gestures import choose
from tests.integration.api.test_parapheur_pages import (
    Enter,
    enter,
    folder_of,
    kinds_of_events,
    office,
    post,
    served,
    task_of,
    text_of,
)
from tests.parapheur_office import Office

__all__ = ["enter", "office", "served"]


def signed(office: Office, page: str, *folders: str, over: bool = True) -> None:
    """The key signs the documents of these folders in a session, whatever became of them; then the session ends."""
    sitting_id = page.rpartition("/")[2]
    with office.platform.database.writing(PLATFORM) as session:
        titles = tuple(folder_of(office, folder).title for folder in folders)
        for item in session.exec(select(SittingItem).where(SittingItem.sitting_id == sitting_id)):
            if item.title.startswith(titles):
                item.state, item.result_sha256, item.result_size = ItemState.SIGNED.value, item.sha256, item.size
                session.add(item)
        if over:
            sitting = session.get_one(Sitting, sitting_id)
            sitting.state = SittingState.CLOSED.value
            session.add(sitting)


def opened(client: httpx.Client, office: Office, *folders: str, **said: str) -> str:
    answer = post(client, "/parapheur/seances", tache=[task_of(office, folder) for folder in folders], **said)
    assert answer.status_code == 303, text_of(answer)
    return answer.headers["Location"]


def resumed(page: httpx.Response) -> dict[str, list[str]]:
    """The form that goes on with what is left."""
    form = re.search(r'<form method="post" action="/parapheur/seances">(.*?)</form>', page.text, re.DOTALL)
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form[1] if form else ""):
        found.setdefault(name, []).append(value)
    return found


def test_what_is_given_to_several_completes_those_that_lack_it_and_the_page_says_which_keep_theirs(
    office: Office, enter: Enter
) -> None:
    mayor = enter("mayor")
    empty, other = office.folder("Sans prix", "asking"), office.folder("Avec prix", "asking", fields={"montant": "1250.50"})
    chosen = [task_of(office, folder) for folder in (empty, other)]
    review = choose(mayor, "viser", *chosen)
    assert review.text.count('name="champ.montant"') == 1
    assert "Ne complète que les dossiers où « Montant » manque. Ceux-ci gardent leur valeur : Avec prix – 1 250,50" in text_of(
        review
    )
    post(mayor, "/parapheur/selection/viser", choix=chosen, **{"champ.montant": "99"})
    assert [folder_of(office, folder).fields["montant"] for folder in (empty, other)] == ["99", "1250.50"]
    assert [kinds_of_events(office, folder).count("approved") for folder in (empty, other)] == [1, 1]


@pytest.fixture
def priced(office: Office) -> str:
    """A kind of folder whose signature asks for an amount."""
    if "priced" not in office.kinds:
        with office.platform.database.writing(PLATFORM) as session:
            mayor = Place(desk=office.desks["mayor"].id)
            step = Step(kind=StepKind.SIGNATURE, places=(mayor,), approval_fields=("montant",))
            circuits.draw_up(session, office.organisation.id, "priced", "Chiffré", [step])
            letters = next(of for of in typology.types(session, office.organisation.id) if of.name == "Courrier")
            kind = typology.add_subtype(session, letters, "Chiffré", SubtypeOptions(), [Row(circuit="priced")])
            office.kinds["priced"] = kind.id
    return "priced"


def test_a_session_over_several_completes_those_that_lack_it_also_when_it_is_resumed(
    office: Office, enter: Enter, priced: str
) -> None:
    mayor = enter("mayor")
    empty, late = office.folder("Prix donné", priced), office.folder("Prix gardé", priced, fields={"montant": "7"})
    assert "Prix gardé – 7" in text_of(choose(mayor, "signer", *(task_of(office, one) for one in (empty, late))))
    page = opened(mayor, office, empty, late, **{"champ.montant": "99"})
    signed(office, page, empty)
    form = resumed(mayor.get(page))
    assert (form["tache"], "champ.montant" in form) == ([task_of(office, late)], False)
    again = post(mayor, "/parapheur/seances", tache=form["tache"]).headers["Location"]
    signed(office, again, late)
    mayor.get(again)
    assert [folder_of(office, folder).fields["montant"] for folder in (empty, late)] == ["99", "7"]
    assert [folder_of(office, folder).state for folder in (empty, late)] == ["finished", "finished"]


def test_one_folder_signed_alone_takes_the_value_that_is_typed_for_it(office: Office, enter: Enter, priced: str) -> None:
    mayor, folder = enter("mayor"), office.folder("Prix corrigé", priced, fields={"montant": "7"})
    page = opened(mayor, office, folder, **{"champ.montant": "8"})
    signed(office, page)
    form = resumed(mayor.get(page))
    assert form["champ.montant"] == ["8"]
    again = post(mayor, "/parapheur/seances", tache=form["tache"], **{"champ.montant": "8"}).headers["Location"]
    signed(office, again, folder)
    assert "Signé : 1 sur 1" in text_of(mayor.get(again))
    assert folder_of(office, folder).fields == {"montant": "8"}


def test_a_folder_that_went_on_without_the_session_is_said_not_to_be_taken_and_the_others_are_resumed(
    office: Office, enter: Enter
) -> None:
    mayor = enter("mayor")
    taken, raced, left = (office.folder(f"Course {one}") for one in ("prise", "perdue", "restante"))
    page = opened(mayor, office, taken, raced, left)
    with office.platform.database.writing(PLATFORM) as session:
        task = task_of(office, raced)
        desk = office.desks["mayor"]
        desks.seat(session, desk, office.people["deputy"].id)
    paper = post(enter("deputy"), f"/parapheur/taches/{task}/papier")
    with office.platform.database.writing(PLATFORM) as session:
        desks.unseat(session, desk, office.people["deputy"].id, Capacity.HOLDER)
    assert paper.status_code == 303
    signed(office, page, taken, raced)
    shown = mayor.get(page)
    told = text_of(shown)
    assert re.search(r"Course perdue N’a pas été pris : Ce dossier vient d’être traité par Alix Roy le [^.]+\. .*?non pris", told)
    assert re.search(r"Course prise signé Course perdue", told)
    assert "1 signés sur 3" in told
    assert resumed(shown)["tache"] == [task_of(office, left)]
    assert kinds_of_events(office, raced).count("signed") == 0


def test_a_folder_that_the_same_session_closes_in_another_process_is_signed_and_not_missed(
    office: Office, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    mayor = enter("mayor")
    folders = [office.folder(f"Ensemble {rank}") for rank in range(2)]
    page = opened(mayor, office, *folders)
    signed(office, page, *folders)
    found = signatures.ready

    def ready(platform: Platform, sitting_id: str) -> list[str]:
        waiting = found(platform, sitting_id)
        if waiting:
            monkeypatch.setattr(signatures, "ready", found)
            assert settle(platform, sitting_id) == []  # the agent's last call, while the page has just looked
        return waiting

    monkeypatch.setattr(signatures, "ready", ready)
    told = text_of(mayor.get(page))
    assert "Signé : 2 sur 2" in told
    assert "N’a pas été pris" not in told


def test_what_was_signed_and_taken_back_is_not_signed_again_by_the_session_that_has_signed_it(
    office: Office, enter: Enter
) -> None:
    mayor = enter("mayor")
    with office.platform.database.writing(PLATFORM) as session:
        subtype = session.get_one(Subtype, office.kinds["signature"])
        subtype.options = {**subtype.options, "recall_minutes": 30}
        session.add(subtype)
    folder, other = office.folder("Repris", fields={"montant": "1"}), office.folder("Autre repris")
    page = opened(mayor, office, folder, other)
    signed(office, page, folder, over=False)
    assert "Repris signé" in text_of(mayor.get(page))
    assert post(mayor, f"/parapheur/dossiers/{folder}/recuperer").status_code == 303
    signed(office, page, folder)
    shown = mayor.get(page)
    assert folder_of(office, folder).state == "pending"
    assert "Repris N’a pas été pris : le dossier a été récupéré après sa signature" in text_of(shown)
    assert resumed(shown)["tache"] == [task_of(office, one) for one in (folder, other)]
    with office.platform.database.writing(PLATFORM) as session:
        subtype = session.get_one(Subtype, office.kinds["signature"])
        subtype.options = {**subtype.options, "recall_minutes": 0}
        session.add(subtype)


def test_a_session_that_is_resumed_from_a_page_grown_old_takes_what_still_waits_and_says_what_does_not(
    office: Office, enter: Enter
) -> None:
    mayor = enter("mayor")
    gone, still = office.folder("Parti"), office.folder("Encore là")
    chosen = [task_of(office, folder) for folder in (gone, still)]
    post(mayor, f"/parapheur/taches/{chosen[0]}/papier")
    answer = post(mayor, "/parapheur/seances", tache=chosen)
    assert answer.status_code == 303
    told = text_of(mayor.get(answer.headers["Location"]))
    assert "Parti N’a pas été pris : Ce dossier vient d’être traité par Camille Aubert" in told
    assert "Encore là à signer" in told
    with office.platform.database.reading(PLATFORM) as session:
        items = session.exec(select(SittingItem.title).where(SittingItem.reference.startswith(chosen[1]))).all()  # type: ignore[union-attr]
    assert len(items) == 1
    assert post(mayor, "/parapheur/seances", tache=chosen[0]).status_code == 409


def test_a_folder_that_was_sent_again_while_it_was_signed_is_said_to_be_another(office: Office, enter: Enter) -> None:
    mayor, secretary = enter("mayor"), enter("secretary")
    folder, beside = office.folder("Renvoyé"), office.folder("À côté")
    page = opened(mayor, office, folder, beside)
    post(secretary, "/parapheur/selection/recuperer", choix=[folder])
    assert "Renvoyé N’a pas été pris : Cette étape n’est plus demandée à ce bureau" in text_of(mayor.get(page))
    post(secretary, "/parapheur/selection/demarrer", choix=[folder])
    signed(office, page, folder, beside)
    shown = mayor.get(page)
    assert "le dossier a été renvoyé dans un circuit depuis" in text_of(shown)
    assert resumed(shown) == {}
    assert (folder_of(office, folder).state, folder_of(office, beside).state) == ("pending", "finished")
