"""Pages of acts, by their requests: what the form refuses, what it keeps, who may do what, what the letters and mails become."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlmodel import col, select

from api.app import create_app
from api.web.acts.standing import GROUPS
from api.words import of_page
from core import uploads
from core.configuration import configuration_of, configure
from core.errors import Unavailable
from core.identifiers import new_id
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.actes import classifying, following
from flows.actes.flow import ACTES
from flows.actes.legality import Happening
from flows.actes.models import ActesMail, MailState
from flows.actes.settings import COLLECTIVITE, ROUTE, ActesCollectivite
from flows.engine.models import Dossier, DossierFile
from flows.parapheur.settings import ParapheurRoute
from schemas.actes import messages as said
from schemas.actes.codes import MessageCode
from schemas.actes.messages import SignedFile
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import PASSWORD, Service, add_dossier, web_service
from tests.office import pdf

NEW = "/actes/nouveau"
NOBODYS = "0" * 26
ROLES: dict[str, set[Right]] = {
    "lecteur": {Right.READ},
    "clerc": {Right.READ, Right.DEPOSIT},
    "deposant": {Right.DEPOSIT},
    "signataire": {Right.ACT},
    "administrateur": {Right.READ, Right.ADMINISTER},
}


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with web_service(s3, tmp_path_factory.mktemp("acts")) as running:
        yield running


@pytest.fixture(scope="module")
def mairie(service: Service) -> ActsMairie:
    found = ActsMairie(service.platform, service.mairie.organisation)
    found.connect()
    for role, rights in ROLES.items():
        found.hire(role, rights)
    found.hire("exploitant", {Right.READ, Right.OPERATE}, above=True)
    return found


@pytest.fixture(scope="module")
def shelf(service: Service) -> ActsMairie:
    """A mairie of its own, whose list nobody else fills."""
    shelved = ActsMairie(service.platform, service.syndicat.organisation)
    shelved.connect(classified=False)
    shelved.hire("liste", {Right.READ})
    return shelved


@contextmanager
def somebody(service: Service, address: str) -> Iterator[httpx.Client]:
    """Somebody signed in; every form that they send bears their token."""
    with service.client() as client:
        client.post("/connexion", data={"csrf": token(client, "/connexion"), "email": address, "password": PASSWORD})
        client.headers["X-Token"] = token(client, "/compte")
        yield client


@pytest.fixture
def clerk(service: Service, mairie: ActsMairie) -> Iterator[httpx.Client]:
    with somebody(service, mairie.people["clerc"]) as client:
        yield client


def token(client: httpx.Client, page: str) -> str:
    return client.get(page).text.partition('name="csrf" value="')[2].partition('"')[0]


def csrf(client: httpx.Client) -> dict[str, str]:
    return {"csrf": client.headers["X-Token"]}


def filled(mairie: ActsMairie, number: str, **changes: Any) -> dict[str, Any]:
    return {
        "organisation": mairie.organisation.id,
        "saisie": new_id(),
        "number": number,
        "decision_date": today().isoformat(),
        "nature": "1",
        "matiere": "7.10",
        "subject": "Tarifs de la cantine",
        "sign": "1",
        "do": "send",
        **changes,
    }


def send(client: httpx.Client, fields: dict[str, Any], *files: tuple[str, bytes], to: str = NEW) -> httpx.Response:
    """Send a form as a browser without a script does."""
    return client.post(to, data={**csrf(client), **fields}, files=[("document", one) for one in files] or {"document": ("", b"")})


def faults(answer: httpx.Response) -> dict[str, str]:
    """What is said beside each field."""
    found = re.findall(r'<p class="fault-said" id="([\w.-]+)-fault">(.*?)</p>', answer.text, re.DOTALL)
    return {re.sub(r"^piece-.*", "piece", name): words for name, words in found}


def act_of(mairie: ActsMairie, answer: httpx.Response) -> Dossier:
    assert answer.status_code == 303, faults(answer)
    return mairie.dossier(answer.headers["location"].removeprefix("/actes/")[:26])


def pieces(answer: httpx.Response) -> list[str]:
    return re.findall(r'name="piece" value="(\w+)"', answer.text)


# The form


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
    assert not act_exists(mairie, "FICHIER")


def act_exists(mairie: ActsMairie, number: str) -> bool:
    with mairie.platform.database.reading(PLATFORM) as session:
        return bool(session.exec(select(Dossier.id).where(col(Dossier.title).startswith(f"{number} –"))).first())


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
    if not act_exists(mairie, "PRIS_1"):
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


def test_files_of_others_are_not_to_be_had_by_their_names(service: Service, clerk: httpx.Client, mairie: ActsMairie) -> None:
    theirs = send(clerk, filled(mairie, "A_MOI", do="look"), ("secret.pdf", pdf("secret")))
    stranger = ActsMairie(service.platform, service.syndicat.organisation)
    if "ailleurs" not in mairie.people:
        mairie.people["ailleurs"] = stranger.hire("ailleurs", {Right.READ, Right.DEPOSIT})
    own = mairie.act("SECRET")
    with somebody(service, mairie.people["ailleurs"]) as other:
        given = {"organisation": service.syndicat.organisation.id, "saisie": new_id(), "depuis": own, "piece": pieces(theirs)}
        shown = other.post(NEW, data={**csrf(other), **given, "do": "look"}, files={"document": ("", b"")})
        assert pieces(shown) == []
        assert "SECRET" not in other.get(f"{NEW}?depuis={own}", follow_redirects=True).text
        assert send(other, filled(mairie, "INTRUS"), ("a.pdf", pdf())).status_code == 404


def test_who_is_not_connected_is_told_what_is_lacking(service: Service) -> None:
    with service.platform.database.writing(PLATFORM) as session:
        above = session.get_one(Organisation, service.syndicat.organisation.id)
        alone = add_organisation(session, "Régie des eaux", OrganisationKind.SERVICE, parent=above)
    address = ActsMairie(service.platform, alone).hire("isole", {Right.READ, Right.DEPOSIT, Right.ADMINISTER})
    with somebody(service, address) as client:
        page = client.get(NEW, follow_redirects=True).text
        assert "ne peut pas encore transmettre" in page
        assert 'href="/administration/actes"' in page
        assert 'name="number"' not in page


def test_without_a_classification_the_matiere_is_written_by_its_code(service: Service, shelf: ActsMairie) -> None:
    with somebody(service, shelf.hire("sans", {Right.READ, Right.DEPOSIT})) as client:
        form = client.get(NEW, params={"organisation": shelf.organisation.id}, follow_redirects=True).text
        assert "écrivez le code, par exemple 7.1" in form
        for wrong in ("-7.1", "7.1.1.1.1.1", "7.100"):
            assert set(faults(send(client, filled(shelf, "SANS_0", matiere=wrong), ("a.pdf", pdf())))) == {"matiere"}
        act = act_of(shelf, send(client, filled(shelf, "SANS_1", matiere="3.5.10"), ("acte.pdf", pdf())))
        assert act.facts["act"]["matieres"] == [3, 5, 10]
        assert "3.5.10" in client.get(f"/actes/{act.id}").text


def test_where_acts_have_a_circuit_the_form_asks_whether_to_sign(service: Service, shelf: ActsMairie) -> None:
    with service.platform.database.writing(PLATFORM) as session:
        route = ParapheurRoute(subtype=new_id(), emitter=new_id())
        configure(session, service.platform.secrets, shelf.organisation.id, ROUTE, route)
    with somebody(service, shelf.hire("signe", {Right.READ, Right.DEPOSIT})) as client:
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


# The list


def test_every_state_of_the_flow_stands_in_one_group() -> None:
    told = [state for states in GROUPS.values() for state in states]
    assert sorted(told) == sorted(ACTES.states)
    words = of_page("web/acts/list.html")
    assert all(f"group.{group}" in words for group in GROUPS)


def test_every_message_and_turn_has_words() -> None:
    words = of_page("web/acts/list.html")
    assert all(f"answer.code.{code}" in words for codes in following.ANSWERS.values() for code in codes)
    assert all(f"turn.{kind}" in words for kind in Happening)


def test_the_list_is_narrowed_by_state_nature_year_and_words(service: Service, shelf: ActsMairie) -> None:
    one = shelf.act("ALPHA", subject="Voirie communale", nature=2, decision_date=date(2025, 3, 4))
    two = shelf.acknowledged("BETA", subject="Budget 100 %", decision_date=date(2026, 3, 4))
    shelf.letter(two, "4-1", "Incompétence")
    three = shelf.act("GAMMA_1", decision_date=date(2026, 1, 4))
    shelf.stand(three, "packed", parked="À regarder")

    def found(client: httpx.Client, **narrowed: str) -> set[str]:
        page = client.get("/actes", params=narrowed)
        assert page.status_code == 200
        return {one for one in (one, two, three) if f'href="/actes/{one}"' in page.text}

    with somebody(service, shelf.people["liste"]) as client:
        assert found(client) == {one, two, three}
        assert found(client, etat="recu") == {two}
        assert found(client, etat="arret") == {three}
        assert found(client, etat="rien") == set()
        assert found(client, nature="2") == {one}
        assert found(client, nature="x") == set()
        assert found(client, annee="2026") == {two, three}
        assert found(client, nature="²") == set()
        assert found(client, annee="-1") == set()
        assert found(client, q="voirie") == {one}
        assert found(client, q="100 %") == {two}
        assert found(client, q="GAMMA_1") == {three}
        assert found(client, q="GAMMA%1") == set()
        assert found(client, q=two) == {two}
        assert "1 courrier attend une réponse" in client.get("/actes?etat=recu").text
        assert client.get("/actes?apres=nimporte").status_code == 400


def test_pages_of_the_list_go_on_from_an_act(service: Service, shelf: ActsMairie) -> None:
    for rank in range(30):
        shelf.act(f"PAGE_{rank:02d}", subject="Pagination")
    with somebody(service, shelf.people["liste"]) as client:
        seen: list[str] = []
        address, previous = "/actes?q=Pagination", []
        while address:
            page = client.get(address).text
            seen += re.findall(r">(PAGE_\d\d) –", page)
            previous.append(re.search(r'href="([^"]+)" rel="prev"', page))
            onward = re.search(r'href="([^"]+)" rel="next"', page)
            address = onward[1].replace("&amp;", "&") if onward else ""
        assert seen == [f"PAGE_{rank:02d}" for rank in reversed(range(30))]
        assert previous[0] is None
        assert previous[-1] is not None
        back = client.get(previous[-1][1].replace("&amp;", "&")).text
        assert re.findall(r">(PAGE_\d\d) –", back) == seen[:25]


# The act


def test_the_page_tells_until_when_the_prefet_may_go_to_court_and_why(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged(received=date(2026, 10, 12))
    page = clerk.get(f"/actes/{act}").text
    assert "Le préfet peut saisir le tribunal jusqu’au 12 décembre 2026." in page or "ne peut plus saisir" in page
    assert "La préfecture a reçu l’acte." in page
    mairie.letter(act, "3-1", "Le plan & la coupe", date(2026, 11, 2))
    page = clerk.get(f"/actes/{act}").text
    assert "Le plan &amp; la coupe" in page
    assert "courrier-3-1.pdf" in page
    assert "2 janvier 2027" in page
    for code in ("Demande de pièces complémentaires", "Accusé de réception de la demande de pièces", "automatique"):
        assert code in page


def test_a_referral_and_a_cancellation_stop_the_clock(clerk: httpx.Client, mairie: ActsMairie) -> None:
    referred, cancelled = mairie.acknowledged(), mairie.acknowledged()
    mairie.letter(referred, "5-1", "Incompétence")
    mairie.cancelled(cancelled)
    assert "Le préfet a saisi le tribunal administratif." in clerk.get(f"/actes/{referred}").text
    page = clerk.get(f"/actes/{cancelled}").text
    assert "il n’y a plus de délai" in page
    assert "annulation" not in re.findall(rf'href="/actes/{cancelled}/(\w+)', page)


def test_a_letter_is_answered_once(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "4-1", "Cette décision excède votre compétence.")
    where = f"/actes/{act}/courriers/{letter.id}/reponse"
    page = clerk.get(where, follow_redirects=True).text
    assert "Cette décision excède votre compétence." in page
    sheet = {"saisie": new_id(), "do": "send"}
    empty = send(clerk, sheet, to=where)
    assert (empty.status_code, set(faults(empty))) == (400, {"code", "document"})
    several = send(clerk, {**sheet, "code": "4-4"}, ("a.pdf", pdf()), ("b.pdf", pdf("b")), to=where)
    assert "un seul document" in faults(several)["document"]
    assert 'value="4-4" checked' in several.text
    sent = send(clerk, {**sheet, "code": "4-4", "piece": pieces(several)[:1], "saisie": new_id()}, ("c.pdf", pdf("c")), to=where)
    assert sent.status_code == 303, faults(sent)
    assert mairie.message(act, "4-4").answers_id == letter.id
    assert send(clerk, {**sheet, "code": "4-3", "saisie": new_id()}, ("d.pdf", pdf("d")), to=where).status_code == 409
    assert where not in clerk.get(f"/actes/{act}").text


def test_the_stamped_copy_is_offered_once_the_prefecture_has_the_act(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    page = clerk.get(f"/actes/{act}").text
    (address,) = re.findall(rf"/actes/{act}/fichiers/[0-9A-Z]{{26}}/tampon", page)
    copy = clerk.get(address)
    assert (copy.status_code, copy.headers["content-type"]) == (200, "application/pdf")
    assert "-tampon.pdf" in copy.headers["content-disposition"]
    assert clerk.get(address, params={"publie": "1999-01-01"}).status_code == 400
    waiting = mairie.act()
    assert "/tampon" not in clerk.get(f"/actes/{waiting}").text
    assert clerk.get(address.replace(act, waiting)).status_code == 404


def test_a_plain_letter_is_answered_without_choosing_how(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "2-1")
    where = f"/actes/{act}/courriers/{letter.id}/reponse"
    wrong = send(clerk, {"saisie": new_id(), "do": "send"}, ("a.docx", b"PK"), to=where)
    assert "format admis" in faults(wrong)["piece"]
    assert send(clerk, {"saisie": new_id(), "do": "send"}, ("a.pdf", pdf()), to=where).status_code == 303
    assert mairie.codes(act) == ["1-1", "1-2", "2-1", "2-2"]


def test_only_a_letter_of_that_act_is_answered(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act, other = mairie.acknowledged(), mairie.acknowledged()
    letter = mairie.letter(other, "2-1")
    ours = mairie.message(act, "1-1").id
    for message in (letter.id, ours, NOBODYS, mairie.message(act, "1-2").id):
        where = f"/actes/{act}/courriers/{message}/reponse?saisie={NOBODYS}"
        assert clerk.get(where).status_code == 404


def test_a_transmission_is_cancelled_after_a_page_that_says_what_it_means(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    page = clerk.get(f"/actes/{act}/annulation").text
    assert "L’acte n’est ni retiré ni abrogé" in page
    assert clerk.post(f"/actes/{act}/annulation", data={"csrf": "faux"}).status_code == 403
    assert "6-1" not in mairie.codes(act)
    assert clerk.post(f"/actes/{act}/annulation", data=csrf(clerk)).status_code == 303
    assert clerk.post(f"/actes/{act}/annulation", data=csrf(clerk)).status_code == 409
    assert clerk.get(f"/actes/{act}/annulation").status_code == 303
    assert mairie.codes(act).count("6-1") == 1


def test_an_uncertain_sending_is_repeated_by_an_operator_only(service: Service, clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.act()
    mairie.stand(act, "uncertain")
    assert "renvoi" not in clerk.get(f"/actes/{act}").text
    assert clerk.get(f"/actes/{act}/renvoi").status_code == 403
    assert clerk.post(f"/actes/{act}/renvoi", data=csrf(clerk)).status_code == 403
    with somebody(service, mairie.people["exploitant"]) as operator:
        assert f"/actes/{act}/renvoi" in operator.get(f"/actes/{act}").text
        assert "refusera comme doublon" in operator.get(f"/actes/{act}/renvoi").text
        assert operator.post(f"/actes/{act}/renvoi", data=csrf(operator)).status_code == 303
        assert mairie.dossier(act).state == "packed"
        assert operator.post(f"/actes/{act}/renvoi", data=csrf(operator)).status_code == 409
        assert operator.get(f"/actes/{act}/renvoi").status_code == 303


def test_a_message_that_was_refused_is_sent_again_by_an_operator(service: Service, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    mairie.letter(act, "2-1")
    mairie.reply(act, mairie.message(act, "2-1"), MessageCode.REPONSE_COURRIER_SIMPLE)
    answer = mairie.message(act, "2-2")
    with mairie.platform.database.writing(PLATFORM) as session:
        row = session.get_one(type(answer), answer.id)
        row.state, row.facts = "refused", {**row.facts, "anomaly": {"nature": "100", "detail": "Illisible <b>"}}
    with somebody(service, mairie.people["exploitant"]) as operator:
        page = operator.get(f"/actes/{act}").text
        assert "Illisible &lt;b&gt;" in page
        assert f"/actes/{act}/renvoi?message={answer.id}" in page
        assert "refusé ce message" in operator.get(f"/actes/{act}/renvoi?message={answer.id}").text
        sent = operator.post(f"/actes/{act}/renvoi", data={**csrf(operator), "message": answer.id})
        assert sent.status_code == 303
    assert mairie.message(act, "2-2").state == "to_send"


def test_proofs_are_to_be_had(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    page = clerk.get(f"/actes/{act}").text
    address = re.search(r'href="([^"]+)">Accusé de réception \(XML\)', page)
    assert address is not None
    assert b"ARActe" in clerk.get(address[1]).content


def test_a_dossier_of_another_flow_is_no_act(service: Service, clerk: httpx.Client) -> None:
    other = add_dossier(service.platform, service.mairie.organisation, "PES", "sent")
    assert clerk.get(f"/actes/{other}").status_code == 404
    assert clerk.get(f"/actes/{NOBODYS}").status_code == 404


def test_the_following_part_is_sent_when_something_has_changed(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.act()
    page = clerk.get(f"/actes/{act}").text
    version = re.search(r'name="version" value="(\w+)"', page)
    assert version is not None
    assert clerk.get(f"/actes/{act}/suivi", params={"version": version[1]}).status_code == 204
    mairie.stand(act, "sent")
    assert "Transmis" in clerk.get(f"/actes/{act}/suivi", params={"version": version[1]}).text
    mairie.stand(act, "refused")
    assert clerk.get(f"/actes/{act}/suivi").status_code == 286


# The mails


def test_a_mail_that_nobody_understood_is_analysed_again_once_its_reason_is_gone(service: Service, mairie: ActsMairie) -> None:
    identifier = f"040-{mairie.organisation.siren}-{today() - timedelta(days=1):%Y%m%d}-TARDIF-DE"
    mail = mairie.state_says(said.CourrierSimple(identifier, today(), SignedFile("c.pdf")), {"c.pdf": pdf("c")})
    with somebody(service, mairie.people["exploitant"]) as operator:
        page = operator.get("/actes/courriels").text
        assert "acte inconnu ici" in page
        assert operator.get(f"/actes/courriels/{mail}/fichiers/3").content == pdf("c")
        assert operator.get(f"/actes/courriels/{mail}/fichiers/0").headers["content-type"] == "message/rfc822"
        assert operator.get(f"/actes/courriels/{mail}/fichiers/4").status_code == 404
        still = operator.post(f"/actes/courriels/{mail}/analyse", data=csrf(operator))
        assert still.headers["location"].endswith("fait=encore")
        act = mairie.acknowledged("TARDIF")
        done = operator.post(f"/actes/courriels/{mail}/analyse", data=csrf(operator))
        assert done.headers["location"].endswith("fait=applique")
        assert mairie.codes(act) == ["1-1", "1-2", "2-1"]
        assert f"/actes/{act}" in operator.get("/actes/courriels?etat=applied").text
    with mairie.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.kind == "actes.mail_analysed")).all()
    assert len(entries) == 2


def test_mails_are_shown_to_those_who_operate_their_mailbox(service: Service, mairie: ActsMairie) -> None:
    reason = "Une raison que personne d’autre ne lit"
    mail = mairie.mail(
        [{"name": "a.xml", "media_type": "application/xml", "sha256": "0" * 64, "size": 3}], MailState.UNMATCHED, reason
    )
    local = mairie.hire("local", {Right.READ, Right.OPERATE})  # of the mairie only: the mailbox is above
    with somebody(service, local) as client:
        assert reason not in client.get("/actes/courriels").text
        assert client.get(f"/actes/courriels/{mail}/fichiers/1").status_code == 404
        assert client.post(f"/actes/courriels/{mail}/analyse", data=csrf(client)).status_code == 404
    with somebody(service, mairie.people["exploitant"]) as operator:
        assert reason in operator.get("/actes/courriels").text
        assert operator.post(f"/actes/courriels/{mail}/analyse").status_code == 403


def test_mails_come_in_pages(service: Service, mairie: ActsMairie) -> None:
    for rank in range(27):
        mairie.mail([], MailState.NOISE, f"avis {rank}")
    with somebody(service, mairie.people["exploitant"]) as operator:
        page = operator.get("/actes/courriels?etat=noise").text
        onward = re.search(r'href="([^"]+)" rel="next"', page)
        assert onward is not None
        rest = operator.get(onward[1].replace("&amp;", "&")).text
    with mairie.platform.database.reading(PLATFORM) as session:
        noise = len(session.exec(select(ActesMail.id).where(ActesMail.state == "noise")).all())
    assert page.count("Reçu le") == 25
    assert rest.count("Reçu le") == noise - 25


# The connection


def test_an_administrator_connects_the_mairie(service: Service, mairie: ActsMairie) -> None:
    where = "/administration/actes"
    with somebody(service, mairie.people["administrateur"]) as client:
        page = client.get(where).text
        assert "Classification du 15 janvier 2026" in page
        assert "par l’opérateur TAB" in page
        given = {
            "department": "02a",
            "arrondissement": "2",
            "nature": "31",
            "addresses": "a@b.fr\nc@d.fr\na@b.fr",
            "referent": "Bureau",
        }
        changed = client.post(where, data={**csrf(client), **given})
        assert changed.status_code == 303
        with mairie.platform.database.reading(PLATFORM) as session:
            kept = configuration_of(session, mairie.platform.secrets, mairie.organisation.id, COLLECTIVITE, ActesCollectivite)
        assert kept == ActesCollectivite(
            department="02A", arrondissement="2", nature="31", referent="Bureau", addresses=("a@b.fr", "c@d.fr")
        )
        back = {"department": "040", "arrondissement": "1", "nature": "31"}
        assert client.post(where, data={**csrf(client), **back}).status_code == 303
        for wrong, words in (
            ({"department": "40"}, "trois caractères"),
            ({"arrondissement": "x"}, "un chiffre"),
            ({"nature": "3"}, "nature"),
            ({"addresses": "plus+signe@b.fr"}, "ni signe plus"),
        ):
            answer = client.post(where, data={**csrf(client), **back, **wrong})
            assert answer.status_code == 400
            assert words in answer.text


def test_the_classification_is_asked_for_and_a_ministry_that_is_away_is_said(
    service: Service, mairie: ActsMairie, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = "/administration/actes/classification"
    with somebody(service, mairie.people["administrateur"]) as client:
        away = client.post(where, data=csrf(client))
        assert away.status_code == 409
        assert "Rien n’a été enregistré." in away.text
        monkeypatch.setattr(classifying, "request", lambda _platform, _organisation: "EACT--214009995--20261128-1")
        asked = client.post(where, data=csrf(client))
        assert asked.headers["location"].endswith("fait=demandee")

        def trouble(_platform: object, _organisation: object) -> str:
            raise Unavailable("Le ministère ne répond pas <ici>.")

        monkeypatch.setattr(classifying, "request", trouble)
        assert "Le ministère ne répond pas &lt;ici&gt;." in client.post(where, data=csrf(client)).text


# Rights

_ASKED = (
    ("/actes/nouveau", Right.DEPOSIT),
    ("/actes/{act_id}/courriers", Right.DEPOSIT),
    ("/actes/{act_id}/annulation", Right.DEPOSIT),
    ("/actes/{act_id}/renvoi", Right.OPERATE),
    ("/actes/courriels", Right.OPERATE),
    ("/administration/actes", Right.ADMINISTER),
)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_without_the_right_no_route_gives_a_page_or_does_anything(service: Service, mairie: ActsMairie, role: str) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "2-1")
    before = mairie.codes(act)
    names = {"act_id": act, "message_id": letter.id, "mail_id": NOBODYS, "rank": "1"}
    with service.platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(DossierFile.id).where(DossierFile.dossier_id == act, DossierFile.role == "document")).one()
    names["act_file_id"] = kept
    walked = 0
    with somebody(service, mairie.people[role]) as client:
        for route in iter_route_contexts(create_app(service.platform).routes):
            template = route.path or ""
            if not template.startswith(("/actes", "/administration/actes")):
                continue
            right = next((asked for part, asked in _ASKED if template.startswith(part)), None)
            allowed = right in ROLES[role] if right else bool(ROLES[role] & {Right.READ, Right.DEPOSIT})
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                if allowed:
                    continue
                answer = client.request(method, template.format(**names), data=csrf(client) if method == "POST" else None)
                assert answer.status_code in {403, 404}, (role, method, template)
                walked += 1
        menu = client.get("/compte").text
        assert ('href="/actes"' in menu) == bool(ROLES[role] & {Right.READ, Right.DEPOSIT})
        if Right.READ in ROLES[role]:
            page = client.get(f"/actes/{act}").text
            listed = client.get("/actes").text
            assert (f"/actes/{act}/annulation" in page) == (Right.DEPOSIT in ROLES[role])
            assert ("/reponse" in page) == (Right.DEPOSIT in ROLES[role])
            assert ("/actes/nouveau" in listed) == (Right.DEPOSIT in ROLES[role])
            assert "/actes/courriels" not in listed
    assert walked
    assert mairie.codes(act) == before


def test_a_depositor_who_reads_nothing_is_told_that_the_act_is_deposited(service: Service, mairie: ActsMairie) -> None:
    with somebody(service, mairie.people["deposant"]) as client:
        answer = send(client, filled(mairie, "AVEUGLE"), ("acte.pdf", pdf()))
        assert answer.headers["location"] == "/actes/nouveau?fait=depot"
        assert "L’acte est déposé." in client.get(answer.headers["location"], follow_redirects=True).text
        assert client.get("/actes").status_code == 200


def test_no_form_is_taken_from_elsewhere(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "2-1")
    for address in (NEW, f"{NEW}/pieces", f"{NEW}/numero", f"/actes/{act}/courriers/{letter.id}/reponse"):
        answer = clerk.post(address, data=filled(mairie, "AILLEURS"), files={"document": ("a.pdf", pdf())})
        assert answer.status_code == 403
    assert not act_exists(mairie, "AILLEURS")
