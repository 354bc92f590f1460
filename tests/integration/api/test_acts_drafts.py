"""Drafts of acts: kept by each button, found again with their files, seen by their author alone, forgotten in the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import SQLModel, select

from core import clock, uploads
from core.errors import Conflict, Forbidden, NotFound
from core.identifiers import new_id
from core.people import Person, principal_of
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from flows.actes import drafts
from flows.actes.drafts import ActesDraft, DraftKind
from tests.integration.api.acts_forms import NEW, act_of, csrf, faults, filled, pieces, send, somebody
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.service import Service, web_service
from tests.office import pdf

AGENT = {Right.READ, Right.DEPOSIT}
_tables = SQLModel.metadata.tables


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with web_service(s3, tmp_path_factory.mktemp("drafts")) as running:
        yield running


@pytest.fixture(scope="module")
def mairie(service: Service) -> ActsMairie:
    found = ActsMairie(service.platform, service.mairie.organisation)
    found.connect()
    for name in ("clerc", "collegue"):
        found.hire(name, AGENT)
    return found


@pytest.fixture
def clerk(service: Service, mairie: ActsMairie) -> Iterator[httpx.Client]:
    with somebody(service, mairie.people["clerc"]) as client:
        yield client


def who(mairie: ActsMairie, name: str = "clerc") -> Principal:
    with mairie.platform.database.reading(PLATFORM) as session:
        person = session.exec(select(Person).where(Person.email == mairie.people[name])).one()
        return principal_of(session, person)


def kept(mairie: ActsMairie, sheet: str) -> ActesDraft | None:
    with mairie.platform.database.reading(PLATFORM) as session:
        return session.get(ActesDraft, sheet)


def listed(client: httpx.Client) -> list[str]:
    return re.findall(r'href="/actes/nouveau\?saisie=([0-9A-Z]{26})"', client.get("/actes").text)


def age(mairie: ActsMairie, table: str, days: int) -> None:
    """Let days go by for all that is kept."""
    with mairie.platform.database.writing(PLATFORM) as session:
        rows = _tables[table]
        for row in session.connection().execute(rows.select()).mappings().all():
            session.connection().execute(
                update(rows).where(rows.c.id == row["id"]).values(expires=clock.as_utc(row["expires"]) - timedelta(days=days))
            )


def test_a_draft_is_saved_by_its_button_and_found_again_whole(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "BROUILLON_1", do="look", matiere="", matiere_said="cantine", previous="AVANT", paper="1")
    there = send(clerk, given, ("plan.pdf", pdf("plan")), ("acte.pdf", pdf("acte")))
    first, second = pieces(there)
    saved = send(clerk, {**given, "do": "save", "piece": [second, first], f"type.{first}": "21_RP"})
    assert saved.status_code == 303
    assert saved.headers["location"] == f"{NEW}?saisie={given['saisie']}&fait=brouillon"
    page = clerk.get(saved.headers["location"]).text
    assert "Le brouillon est enregistré." in page
    for value in ('value="BROUILLON_1"', "Tarifs de la cantine", 'data-said value="cantine"', 'value="AVANT"'):
        assert value in page
    assert re.search(r'name="paper"[^>]+checked', page)
    assert re.findall(r'name="piece" value="(\w+)"', page) == [second, first]
    assert '<option value="21_RP" selected>' in page
    assert given["saisie"] in listed(clerk)
    assert "30 jours" in page


def test_what_reaches_the_server_is_kept_even_when_it_is_refused(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "", subject="Un refus gardé")
    assert send(clerk, given).status_code == 400
    assert given["saisie"] in listed(clerk)
    assert "Un refus gardé" in clerk.get(f"{NEW}?saisie={given['saisie']}").text


def test_a_file_that_has_just_come_keeps_what_was_typed_around_it(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "EN_ROUTE")
    clerk.post(f"{NEW}/pieces", data={**csrf(clerk), **given, "do": "look"})
    draft = kept(mairie, given["saisie"])
    assert draft is not None
    assert draft.title == "EN_ROUTE – Tarifs de la cantine"


def test_a_form_in_which_nothing_was_written_is_no_draft(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "", subject=" ", do="look")
    send(clerk, given)
    assert kept(mairie, given["saisie"]) is None


def test_an_act_that_is_sent_leaves_no_draft(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "PARTI", do="look")
    there = send(clerk, given, ("acte.pdf", pdf()))
    assert kept(mairie, given["saisie"]) is not None
    act_of(mairie, send(clerk, {**given, "do": "send", "piece": pieces(there)}))
    assert kept(mairie, given["saisie"]) is None
    assert given["saisie"] not in listed(clerk)


def test_a_draft_is_erased_with_its_files(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "EFFACE", do="look")
    (there,) = pieces(send(clerk, given, ("acte.pdf", pdf("efface"))))
    erased = clerk.post(f"/actes/brouillons/{given['saisie']}/suppression", data=csrf(clerk))
    assert erased.headers["location"] == "/actes?fait=brouillon#brouillons"
    assert "Le brouillon est effacé, avec ses fichiers." in clerk.get("/actes?fait=brouillon").text
    assert kept(mairie, given["saisie"]) is None
    with pytest.raises(NotFound):
        uploads.standing(mairie.platform, who(mairie), there[1:])
    again = clerk.post(f"/actes/brouillons/{given['saisie']}/suppression", data=csrf(clerk))
    assert again.status_code == 303
    assert clerk.post(f"/actes/brouillons/{given['saisie']}/suppression", data={"csrf": "faux"}).status_code == 403


def test_a_draft_is_its_authors_alone(service: Service, clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "A_MOI_SEUL", do="save")
    send(clerk, given, ("acte.pdf", pdf("à moi")))
    with somebody(service, mairie.people["collegue"]) as other:
        assert "A_MOI_SEUL" not in other.get("/actes").text
        assert "A_MOI_SEUL" not in other.get(f"{NEW}?saisie={given['saisie']}").text
        assert other.post(f"/actes/brouillons/{given['saisie']}/suppression", data=csrf(other)).status_code == 303
        assert kept(mairie, given["saisie"]) is not None
        assert send(other, {**given, "number": "PRIS", "do": "look"}).status_code == 404
    draft = kept(mairie, given["saisie"])
    assert draft is not None
    assert draft.title.startswith("A_MOI_SEUL")
    with pytest.raises(Forbidden):
        drafts.keep(mairie.platform, who(mairie), service.syndicat.organisation.id, new_id(), DraftKind.ACT, "x", [])


def test_files_last_as_long_as_their_draft_and_both_are_swept_away(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "LONGTEMPS", do="save")
    send(clerk, given, ("acte.pdf", pdf("longtemps")))
    alone = uploads.begin(mairie.platform, who(mairie), mairie.organisation.id, "seul.pdf", 3, "ailleurs")
    for table in ("upload", "actes_draft"):
        age(mairie, table, drafts.LASTS.days - 1)
    uploads.sweep(mairie.platform)
    drafts.sweep(mairie.platform)
    with pytest.raises(NotFound):
        uploads.standing(mairie.platform, who(mairie), alone.id)
    page = clerk.get(f"{NEW}?saisie={given['saisie']}").text
    assert "acte.pdf" in page
    assert 'value="LONGTEMPS"' in page
    for table in ("upload", "actes_draft"):
        age(mairie, table, 1)
    assert given["saisie"] not in listed(clerk)
    assert drafts.sweep(mairie.platform) >= 1
    assert uploads.sweep(mairie.platform) >= 1
    assert kept(mairie, given["saisie"]) is None
    assert "acte.pdf" not in clerk.get(f"{NEW}?saisie={given['saisie']}").text


def test_there_are_only_so_many_drafts_and_they_are_only_so_long(
    clerk: httpx.Client, mairie: ActsMairie, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "MOST", len(drafts.own(mairie.platform, who(mairie))))
    given = filled(mairie, "DE_TROP", do="save")
    answer = send(clerk, given, ("acte.pdf", pdf("trop")))
    assert answer.status_code == 200
    assert "n’est pas gardé comme brouillon" in answer.text
    assert 'value="DE_TROP"' in answer.text
    act_of(mairie, send(clerk, {**given, "do": "send", "piece": pieces(answer)}))
    monkeypatch.setattr(drafts, "_LARGEST", 10)
    monkeypatch.setattr(drafts, "MOST", 1000)
    assert "trop long pour être gardé" in send(clerk, filled(mairie, "TROP_LONG", do="save")).text


def test_files_of_drafts_do_not_count_against_those_of_the_day(
    clerk: httpx.Client, mairie: ActsMairie, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST", 2)
    age(mairie, "upload", 60)  # of the other tests
    uploads.sweep(mairie.platform)
    files = [(f"{rank}.pdf", pdf(f"jour {rank}")) for rank in range(2)]
    for number in ("JOUR_1", "JOUR_2"):
        assert len(pieces(send(clerk, filled(mairie, number, do="look"), *files))) == 2
    more = filled(mairie, "JOUR_3", do="look")
    assert len(pieces(send(clerk, more, *files))) == 2
    assert "attendent déjà" in faults(send(clerk, more, ("3.pdf", pdf("3"))))["document"]
    with pytest.raises(Conflict):
        for _ in range(3):
            uploads.begin(mairie.platform, who(mairie), mairie.organisation.id, "a.pdf", 1, "ailleurs")
