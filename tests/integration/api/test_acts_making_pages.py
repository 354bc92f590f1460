"""The form of an act, by its requests: what it refuses and why, what it keeps, whose files it takes."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest
from sqlmodel import select

from core import uploads
from core.configuration import configure
from core.identifiers import new_id
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM, Right
from flows.actes.settings import ROUTE
from flows.engine.models import DossierFile
from flows.parapheur.settings import ParapheurRoute
from tests.integration.api.acts_forms import NEW, act_of, csrf, faults, filled, pieces, send, somebody
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import Service
from tests.office import pdf


def test_an_act_is_made_of_what_the_form_says(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "del_2026", subject="Tarifs\n de la  cantine", paper="1")
    act = act_of(mairie, send(clerk, given, ("acte.pdf", pdf()), ("plan.pdf", pdf("plan"))))
    assert act.facts["act"] == {
        "number": "DEL_2026",
        "decision_date": today().isoformat(),
        "nature": 1,
        "matieres": [7, 10],
        "subject": "Tarifs de la cantine",
        "paper": True,
        "previous": None,
        "pieces": [["document", "99_DE", None], ["annex.1", "99_DE", None]],
    }
    assert act.facts["sign"] is False  # no circuit for acts here
    page = clerk.get(f"/actes/{act.id}?fait=depot").text
    assert "L’acte est déposé." in page
    assert "plan.pdf" in page


def test_everything_that_is_wrong_is_said_at_once_beside_its_field(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "2026-118", decision_date="", nature="", matiere="", subject=" ")
    answer = send(clerk, given)
    assert answer.status_code == 400
    assert set(faults(answer)) == {"number", "decision_date", "nature", "subject", "matiere", "document"}
    assert "2026_118" in faults(answer)["number"]
    assert "6 points à corriger" in answer.text


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"number": "É1"}, "number", "lettres sans accent"),
        ({"number": "_"}, "number", "15 au plus"),
        ({"decision_date": "2026-02-30"}, "decision_date", "n’existe pas"),
        ({"decision_date": "2999-01-01"}, "decision_date", "dans l’avenir"),
        ({"nature": "9"}, "nature", "Choisissez la nature"),
        ({"subject": "x" * 500}, "subject", "500 caractères"),
        ({"subject": "Décision ✈"}, "subject", "✈"),
        ({"matiere": "9.99"}, "matiere", "9.99"),
        ({"matiere": "7"}, "matiere", "deux niveaux"),
        ({"matiere": "", "matiere_said": "cantine"}, "matiere", "«\u00a0cantine\u00a0»"),
    ],
)
def test_a_field_that_cannot_be_sent_says_why(
    clerk: httpx.Client, mairie: ActsMairie, changes: dict[str, str], field: str, words: str
) -> None:
    answer = send(clerk, filled(mairie, "FAUTE") | changes, ("acte.pdf", pdf()))
    assert answer.status_code == 400
    assert set(faults(answer)) == {field}
    assert words in faults(answer)[field]


@pytest.mark.parametrize(
    ("changes", "files", "where", "words"),
    [
        ({}, [("acte.pdf", b"PK\x03\x04")], "piece", "n’est pas un vrai PDF"),
        ({}, [("acte.pdf", b"%PDF-1.4 rien")], "piece", "PDF"),
        ({}, [("acte.docx", b"PK")], "piece", "format admis"),
        ({}, [("acte.png", b"\x89PNG\r\n\x1a\n")], "piece", "n’est pas un PDF"),
        ({}, [("acte.pdf", pdf()), ("annexe.png", b"GIF89a")], "piece", "n’est pas un vrai PNG"),
        ({}, [("acte.xml", b"<a/>")], "piece", "réservé aux actes budgétaires"),
        ({"nature": "5", "matiere": "7.1"}, [("budget.pdf", pdf())], "document", "la délibération manque"),
        ({"nature": "5", "matiere": "7.1"}, [("budget.xml", b"<a/>"), ("plan.png", b"\x89PNG")], "piece", "annexe"),
        ({}, [("vide.pdf", b"")], "document", "vide"),
    ],
)
def test_a_file_that_cannot_be_sent_says_why(
    clerk: httpx.Client, mairie: ActsMairie, changes: dict[str, str], files: list[tuple[str, bytes]], where: str, words: str
) -> None:
    answer = send(clerk, filled(mairie, "FICHIER") | changes, *files)
    assert where in faults(answer), faults(answer)
    assert words in faults(answer)[where]
    assert not mairie.has("FICHIER")


def test_what_was_typed_and_sent_comes_back_and_the_files_serve_once_the_rest_is_mended(
    clerk: httpx.Client, mairie: ActsMairie
) -> None:
    given = filled(mairie, "RENDU", matiere="", matiere_said="cantine")
    answer = send(clerk, given, ("plan.pdf", pdf("plan")), ("acte.pdf", pdf("acte")))
    assert answer.status_code == 400
    assert 'value="RENDU"' in answer.text
    assert 'data-said value="cantine"' in answer.text
    first, second = pieces(answer)
    moved = send(clerk, {**given, "piece": [first, second], f"type.{first}": "21_RP", "do": "main.1"})
    assert pieces(moved) == [second, first]
    assert '<option value="21_RP" selected>' in moved.text
    mended = {**given, "matiere": "7.10", "piece": [second, first], f"type.{first}": "21_RP"}
    act = act_of(mairie, send(clerk, mended))
    assert act.facts["act"]["pieces"] == [["document", "99_DE", None], ["annex.1", "21_RP", None]]


def test_the_same_form_sent_twice_makes_one_act(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "DOUBLE")
    first = act_of(mairie, send(clerk, given, ("acte.pdf", pdf())))
    assert act_of(mairie, send(clerk, given, ("acte.pdf", pdf()))).id == first.id


def test_a_detached_signature_goes_with_the_file_that_it_signs(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = act_of(mairie, send(clerk, filled(mairie, "SIGNE"), ("acte.pdf", pdf()), ("acte.pdf.p7s", b"0\x03\x02\x01\x01")))
    assert act.facts["act"]["pieces"] == [["document", "99_DE", "document.signature"]]


@pytest.mark.parametrize(
    ("deed", "left"), [("up.1", [1, 0, 2]), ("down.1", [0, 2, 1]), ("delete.0", [1, 2]), ("up.0", [0, 1, 2])]
)
def test_files_are_put_in_order_and_taken_out_by_buttons(
    clerk: httpx.Client, mairie: ActsMairie, deed: str, left: list[int]
) -> None:
    given = filled(mairie, "ORDRE", do="look")
    there = pieces(send(clerk, given, *((f"{rank}.pdf", pdf(str(rank))) for rank in range(3))))
    after = clerk.post(f"{NEW}/pieces", data={**csrf(clerk), **given, "piece": there, "do": deed})
    assert pieces(after) == [there[rank] for rank in left]


def test_the_typologies_are_those_of_the_nature(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "NATURE", do="look", nature="")
    first = send(clerk, given, ("acte.pdf", pdf()))
    assert "une fois la nature connue" in first.text
    for nature, usual in (("2", "99_AR"), ("5", "99_BU")):
        shown = clerk.post(f"{NEW}/pieces", data={**csrf(clerk), **given, "piece": pieces(first), "nature": nature})
        assert f'<option value="{usual}" selected>' in shown.text


@pytest.mark.parametrize(
    ("number", "day", "words"),
    [
        ("", 0, "Écrivez le numéro"),
        ("2026/12", 0, "2026_12"),
        ("PRIS_1", 1, "déjà pris"),
        ("pris_1", 2, "a déjà servi"),
        ("LIBRE_1", 0, "est libre"),
    ],
)
def test_a_number_is_looked_at_at_once(clerk: httpx.Client, mairie: ActsMairie, number: str, day: int, words: str) -> None:
    if not mairie.has("PRIS_1"):
        mairie.acknowledged("PRIS_1")
    given = filled(mairie, number, decision_date=(today() - timedelta(days=day)).isoformat())
    assert words in clerk.post(f"{NEW}/numero", data={**csrf(clerk), **given}).text


def test_a_number_that_is_taken_is_refused_whoever_took_it_in_the_meantime(clerk: httpx.Client, mairie: ActsMairie) -> None:
    mairie.act("ENTRE_TEMPS", decision_date=today())
    answer = send(clerk, filled(mairie, "ENTRE_TEMPS"), ("acte.pdf", pdf()))
    assert "déjà pris" in faults(answer)["number"]


def test_an_act_that_was_refused_is_mended_with_its_own_files(clerk: httpx.Client, mairie: ActsMairie) -> None:
    refused = mairie.act("A_CORRIGER", matieres=(9, 99), decision_date=today(), annexes=(mairie.file("plan.pdf"),))
    mairie.stand(refused, "rejected", reference=None)
    page = clerk.get(f"/actes/{refused}").text
    assert f"/actes/nouveau?depuis={refused}" in page
    form = clerk.get(f"/actes/nouveau?depuis={refused}", follow_redirects=True)
    kept = pieces(form)
    assert len(kept) == 2
    assert "A_CORRIGER" in form.text
    act = act_of(mairie, send(clerk, filled(mairie, "A_CORRIGER", depuis=refused, piece=kept)))
    assert act.id != refused
    with mairie.platform.database.reading(PLATFORM) as session:
        digests = [
            session.exec(select(DossierFile.sha256).where(DossierFile.dossier_id == one).order_by(DossierFile.role)).all()
            for one in (refused, act.id)
        ]
    assert digests[0] == digests[1]


def test_files_of_others_are_not_to_be_had_by_their_names(acts_service: Service, clerk: httpx.Client, mairie: ActsMairie) -> None:
    theirs = send(clerk, filled(mairie, "A_MOI", do="look"), ("secret.pdf", pdf("secret")))
    stranger = ActsMairie(acts_service.platform, acts_service.syndicat.organisation)
    if "ailleurs" not in mairie.people:
        mairie.people["ailleurs"] = stranger.hire("ailleurs", {Right.READ, Right.DEPOSIT})
    own = mairie.act("SECRET")
    with somebody(acts_service, mairie.people["ailleurs"]) as other:
        given = {
            "organisation": acts_service.syndicat.organisation.id,
            "saisie": new_id(),
            "depuis": own,
            "piece": pieces(theirs),
        }
        shown = other.post(NEW, data={**csrf(other), **given, "do": "look"}, files={"document": ("", b"")})
        assert pieces(shown) == []
        assert "SECRET" not in other.get(f"{NEW}?depuis={own}", follow_redirects=True).text
        assert send(other, filled(mairie, "INTRUS"), ("a.pdf", pdf())).status_code == 404


def test_who_is_not_connected_is_told_what_is_lacking(acts_service: Service) -> None:
    with acts_service.platform.database.writing(PLATFORM) as session:
        above = session.get_one(Organisation, acts_service.syndicat.organisation.id)
        alone = add_organisation(session, "Régie des eaux", OrganisationKind.SERVICE, parent=above)
    address = ActsMairie(acts_service.platform, alone).hire("isole", {Right.READ, Right.DEPOSIT, Right.ADMINISTER})
    with somebody(acts_service, address) as client:
        page = client.get(NEW, follow_redirects=True).text
        assert "ne peut pas encore transmettre" in page
        assert 'href="/administration/actes"' in page
        assert 'name="number"' not in page


def test_without_a_classification_the_matiere_is_written_by_its_code(acts_service: Service, shelf: ActsMairie) -> None:
    with somebody(acts_service, shelf.hire("sans", {Right.READ, Right.DEPOSIT})) as client:
        form = client.get(NEW, params={"organisation": shelf.organisation.id}, follow_redirects=True).text
        assert "écrivez le code, par exemple 7.1" in form
        for wrong in ("-7.1", "7.1.1.1.1.1", "7.100"):
            assert set(faults(send(client, filled(shelf, "SANS_0", matiere=wrong), ("a.pdf", pdf())))) == {"matiere"}
        act = act_of(shelf, send(client, filled(shelf, "SANS_1", matiere="3.5.10"), ("acte.pdf", pdf())))
        assert act.facts["act"]["matieres"] == [3, 5, 10]
        assert "3.5.10" in client.get(f"/actes/{act.id}").text


def test_where_acts_have_a_circuit_the_form_asks_whether_to_sign(acts_service: Service, shelf: ActsMairie) -> None:
    with acts_service.platform.database.writing(PLATFORM) as session:
        route = ParapheurRoute(subtype=new_id(), emitter=new_id())
        configure(session, acts_service.platform.secrets, shelf.organisation.id, ROUTE, route)
    with somebody(acts_service, shelf.hire("signe", {Right.READ, Right.DEPOSIT})) as client:
        form = client.get(NEW, params={"organisation": shelf.organisation.id}, follow_redirects=True).text
        assert re.search(r'name="sign"[^>]+checked', form)
        for number, ticked in (("A_SIGNER", "1"), ("DEJA_SIGNE", "")):
            act = act_of(shelf, send(client, filled(shelf, number, sign=ticked), ("acte.pdf", pdf(number))))
            assert act.facts["sign"] is bool(ticked)


def test_an_upload_in_pieces_is_a_file_of_the_form(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = filled(mairie, "MORCEAUX", do="look")
    begun = clerk.post(
        "/v1/uploads",
        json={"name": "x.pdf", "size": 4, "organisation": mairie.organisation.id, "place": f"acte {given['saisie']}"},
        headers={"X-CSRF-Token": clerk.headers["X-Token"]},
    )
    assert begun.status_code == 201
    assert pieces(send(clerk, given)) == []  # not all of it has come
    with mairie.platform.database.writing(PLATFORM) as session:
        session.get_one(uploads.Upload, begun.json()["id"]).sha256 = "0" * 64
    assert pieces(send(clerk, given)) == [f"u{begun.json()['id']}"]
