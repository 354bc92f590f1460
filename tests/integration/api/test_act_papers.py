"""What is composed of an act, by every face: docket, budget as people read it, the whole in one ZIP, the list as a table."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pypdfium2
import pytest

from api.acts import bundle, papers
from api.web.acts import export
from flows.actes import knowledge
from schemas.budget.sample import SampleBudget, write_sample
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.acts_software import Software
from tests.integration.api.service import Service, add_dossier
from tests.integration.api.test_tenancy import signed_in
from tests.office import pdf
from tests.pades_documents import encrypted, paper

PDF, ZIP = "application/pdf", "application/zip"
MODULE = "/modules/actes"


@dataclass(frozen=True)
class Desk:
    """A mairie with its software; one client is both its software and its clerk."""

    service: Service
    mairie: ActsMairie
    client: httpx.Client

    def sent(self, act: str) -> str:
        """Have an act leave and the State acknowledge it, by the flow's own stages."""
        Software(self.service, self.mairie, {}).acknowledged(act)
        return act

    def budget(self, content: bytes, number: str) -> str:
        values = {"nature": 5, "matieres": (7, 1), "document": self.mairie.file("budget.xml", content)}
        return self.mairie.acknowledged(number, annexes=(self.mairie.file("deliberation.pdf"),), **values)


@pytest.fixture(scope="module")
def desk(service: Service) -> Iterator[Desk]:
    mairie = ActsMairie(service.platform, service.mairie.organisation)
    mairie.connect(classified=knowledge.classification_of(service.platform, mairie.organisation.id) is None)
    with signed_in(service, service.mairie) as client:
        yield Desk(service, mairie, client)


@pytest.fixture(scope="module")
def stranger(service: Service) -> Iterator[httpx.Client]:
    with signed_in(service, service.syndicat) as client:
        yield client


def words(answer: httpx.Response) -> str:
    """The text of a PDF, its spaces squeezed."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, PDF), answer.text
    read = pypdfium2.PdfDocument(answer.content)
    return " ".join(" ".join(page.get_textpage().get_text_bounded() for page in read).split())


def number_of(desk: Desk, act: str) -> str:
    """The number by which software that spoke to S2LOW knows an act."""
    number = desk.mairie.dossier(act).facts["act"]["number"]
    listed = desk.client.get(f"{MODULE}/api/list_actes.php", params={"status_id": 4, "limit": 500}).json()["transactions"]
    return str(next(one["id"] for one in listed if one["number"] == number))


def sample(folder: Path, **changes: object) -> bytes:
    write_sample(SampleBudget(lines=3, **changes), folder / "sample.xml")  # type: ignore[arg-type]
    return (folder / "sample.xml").read_bytes()


# The docket


def test_the_docket_is_the_same_by_every_face_and_tells_what_was_sent(desk: Desk) -> None:
    act = desk.sent(desk.mairie.act("BORDEREAU_1", subject="Tarifs de l’eau", annexes=(desk.mairie.file("plan.pdf"),)))
    desk.mairie.letter(act, "2-1")
    page = desk.client.get(f"/actes/{act}/bordereau.pdf")
    interface = desk.client.get(f"/v1/acts/{act}/acknowledgement.pdf")
    legacy = desk.client.get(f"{MODULE}/actes_create_pdf.php", params={"trans_id": number_of(desk, act)})
    assert page.content == interface.content == legacy.content
    facts, told = desk.mairie.dossier(act).facts, words(page)
    files = desk.client.get(f"/v1/acts/{act}/files").json()["files"]
    digests = [one["sha256"] for one in files if one["role"] in {"document", "annex.1", "ar", "archive"}]
    assert len(digests) == 4
    for said in ("BORDEREAU_1", "Tarifs de l’eau", facts["id_acte"], "Commune de Valmorin", "Courrier simple (2-1)", "plan.pdf"):
        assert said in told, said
    assert all(digest in told.replace(" ", "") for digest in digests)
    assert f'filename="bordereau-{facts["id_acte"]}.pdf"' in page.headers["content-disposition"]
    assert f"/actes/{act}/bordereau.pdf" in desk.client.get(f"/actes/{act}").text
    assert desk.client.get(f"/v1/acts/{act}").json()["links"]["docket"] == f"/v1/acts/{act}/acknowledgement.pdf"


def test_the_docket_bears_the_words_of_the_classification_that_the_act_was_sent_under(desk: Desk) -> None:
    act = desk.sent(desk.mairie.act("BORDEREAU_2"))
    known = knowledge.classification_of(desk.service.platform, desk.mairie.organisation.id)
    assert known is not None
    found = known.find((7, 10))
    assert found is not None
    told = words(desk.client.get(f"/actes/{act}/bordereau.pdf"))
    assert f"7.10 – {' / '.join(found.labels)}" in told
    assert "logiciel" not in told
    assert "La plateforme" in told


def test_there_is_no_docket_before_the_state_has_acknowledged_the_act(desk: Desk) -> None:
    act = desk.mairie.act("BORDEREAU_3")
    for address in (f"/actes/{act}/bordereau.pdf", f"/v1/acts/{act}/acknowledgement.pdf", f"/actes/{act}/dossier.zip"):
        assert desk.client.get(address).status_code == 409, address
    refused = desk.client.get(f"/v1/acts/{act}/acknowledgement.pdf").json()
    assert "pas encore accusé réception" in refused["detail"]
    assert "bordereau.pdf" not in desk.client.get(f"/actes/{act}").text
    assert "docket" not in desk.client.get(f"/v1/acts/{act}").json()["links"]
    waiting = desk.client.get(f"{MODULE}/api/list_actes.php", params={"status_id": 1, "limit": 500}).json()["transactions"]
    number = next(one["id"] for one in waiting if one["number"] == "BORDEREAU_3")
    legacy = desk.client.get(f"{MODULE}/actes_create_pdf.php", params={"trans_id": number})
    assert (legacy.status_code, legacy.text.splitlines()[0]) == (409, "KO")
    assert desk.client.get(f"{MODULE}/actes_create_pdf.php", params={"trans_id": "x"}).status_code == 404


def test_a_cancelled_transmission_keeps_its_docket_which_says_so(desk: Desk) -> None:
    act = desk.mairie.acknowledged("BORDEREAU_4")
    before = desk.client.get(f"/actes/{act}/bordereau.pdf").content
    desk.mairie.cancelled(act)
    after = desk.client.get(f"/actes/{act}/bordereau.pdf")
    assert after.content != before
    assert "Transmission annulée le" in words(after)


def test_others_have_nothing_of_it(desk: Desk, stranger: httpx.Client, tmp_path: Path) -> None:
    act = desk.budget(sample(tmp_path), "BORDEREAU_5")
    for name in ("bordereau.pdf", "budget.pdf", "dossier.zip"):
        assert stranger.get(f"/actes/{act}/{name}").status_code == 404
    for name in ("acknowledgement.pdf", "budget", "budget.pdf"):
        assert stranger.get(f"/v1/acts/{act}/{name}").status_code == 404
    dossier = add_dossier(desk.service.platform, desk.mairie.organisation, "PES", "sent")
    for address in (f"/actes/{dossier}/bordereau.pdf", f"/actes/{dossier}/dossier.zip", f"/v1/acts/{dossier}/budget"):
        assert desk.client.get(address).status_code == 404


# The budget


def test_a_budget_is_shown_on_the_page_of_its_act_and_to_be_had_as_figures_and_to_print(desk: Desk, tmp_path: Path) -> None:
    act = desk.budget(sample(tmp_path), "BUDGET_1")
    page = desk.client.get(f"/actes/{act}").text
    for said in ("Budget en équilibre", "Section de fonctionnement", "Scellé le 1er avril 2026", f"/actes/{act}/budget.pdf"):
        assert said in page
    figures = desk.client.get(f"/v1/acts/{act}/budget").json()
    (budget,) = figures["budgets"]
    functioning = budget["sections"]["functioning"]
    assert (functioning["total_expenses"], functioning["balance"], functioning["balanced"]) == ("4738.07", "0.00", True)
    assert (figures["seal"]["form"], budget["decision_label"], budget["gaps"]) == ("as-is", "Budget primitif", [])
    expenses = [one for one in budget["chapters"] if (one["section"], one["sense"]) == ("F", "D")]
    assert sum(float(one["voted"]) for one in expenses) == 4738.07
    assert {one["label"] for one in expenses} >= {"Charges à caractère général"}
    printed = desk.client.get(f"/actes/{act}/budget.pdf")
    assert printed.content == desk.client.get(f"/v1/acts/{act}/budget.pdf").content
    assert "4 738,07" in words(printed)
    english = desk.client.get(f"/v1/acts/{act}/budget", headers={"Accept-Language": "en"}).json()
    assert english["budgets"][0]["chapters"][0]["label"] == "General expenses"
    links = desk.client.get(f"/v1/acts/{act}").json()["links"]
    assert (links["budget"], links["presentation"]) == (f"/v1/acts/{act}/budget", f"/v1/acts/{act}/budget.pdf")


def test_an_act_that_is_no_budget_has_none(desk: Desk) -> None:
    act = desk.mairie.acknowledged("BUDGET_2")
    assert 'id="budget"' not in desk.client.get(f"/actes/{act}").text
    for address in (f"/actes/{act}/budget.pdf", f"/v1/acts/{act}/budget", f"/v1/acts/{act}/budget.pdf"):
        assert desk.client.get(address).status_code == 404
    assert "budget" not in desk.client.get(f"/v1/acts/{act}").json()["links"]


def test_a_budget_that_cannot_be_read_says_why_and_hides_nothing_else(desk: Desk) -> None:
    act = desk.budget(b"<!DOCTYPE a><budget/>", "BUDGET_3")
    page = desk.client.get(f"/actes/{act}")
    assert page.status_code == 200
    assert "Le budget de cet acte ne peut pas être lu." in page.text
    refused = desk.client.get(f"/v1/acts/{act}/budget")
    assert refused.status_code == 409
    assert "DOCTYPE" in refused.json()["detail"]
    assert desk.client.get(f"/actes/{act}/budget.pdf").status_code == 409


def test_a_large_budget_is_not_read_while_its_page_waits(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "AT_ONCE", 100)
    act = desk.budget(sample(tmp_path, budget="BUDGET EAU"), "BUDGET_4")
    before = desk.client.get(f"/actes/{act}").text
    assert "Ce budget est volumineux." in before
    assert "Budget en équilibre" not in before
    assert "BUDGET EAU" in words(desk.client.get(f"/actes/{act}/budget.pdf"))
    assert "Budget en équilibre" in desk.client.get(f"/actes/{act}").text


# The whole in one ZIP


def contents(answer: httpx.Response) -> dict[str, bytes]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, ZIP), answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        assert zipped.testzip() is None
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_the_whole_of_an_act_holds_originals_stamped_copies_exchanges_and_proofs(desk: Desk) -> None:
    act = desk.mairie.acknowledged("DOSSIER_1", document=desk.mairie.file("Délibération n° 1.pdf", pdf("un")))
    desk.mairie.letter(act, "2-1")
    answer = desk.client.get(f"/actes/{act}/dossier.zip")
    held = contents(answer)
    identifier = desk.mairie.dossier(act).facts["id_acte"]
    assert f'filename="dossier-{identifier}.zip"' in answer.headers["content-disposition"]
    assert held["originaux/1-Délibération n° 1.pdf"] == pdf("un")
    assert held["copies tamponnées/1-Délibération n° 1-tampon.pdf"].startswith(pdf("un"))
    assert held[f"bordereau-{identifier}.pdf"] == desk.client.get(f"/actes/{act}/bordereau.pdf").content
    assert held["message.xml"] == desk.client.get(desk.client.get(f"/v1/acts/{act}").json()["links"]["acknowledgement"]).content
    assert any(name.startswith("échanges/01-2-1/") and name.endswith("courrier-2-1.pdf") for name in held)
    assert "copie tamponnée de" not in held["LISEZ-MOI.txt"].decode("utf-8-sig")
    assert desk.client.get(f"/actes/{act}/dossier.zip").content == answer.content


def test_what_cannot_be_stamped_is_there_as_it_was_sent_and_the_note_says_why(desk: Desk) -> None:
    closed = encrypted(paper(), "x")
    act = desk.mairie.acknowledged("DOSSIER_2", annexes=(desk.mairie.file("../fermé.pdf", closed),))
    held = contents(desk.client.get(f"/actes/{act}/dossier.zip"))
    assert held["originaux/2-fermé.pdf"] == closed
    assert [name for name in held if name.startswith("copies tamponnées/")] == ["copies tamponnées/1-deliberation-tampon.pdf"]
    note = held["LISEZ-MOI.txt"].decode("utf-8-sig")
    assert "Pas de copie tamponnée de «\u00a0../fermé.pdf\u00a0»" in note
    desk.mairie.cancelled(act)
    cancelled = contents(desk.client.get(f"/actes/{act}/dossier.zip"))
    assert not any(name.startswith("copies tamponnées/") for name in cancelled)
    assert cancelled["LISEZ-MOI.txt"].decode("utf-8-sig").count("Pas de copie tamponnée") == 2


def test_an_act_beyond_what_one_zip_may_hold_is_refused_in_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_MOST", 1000)
    act = desk.mairie.acknowledged("DOSSIER_3")
    refused = desk.client.get(f"/actes/{act}/dossier.zip")
    assert refused.status_code == 400
    assert "téléchargez-les un à un" in refused.text


# The list as a table


@pytest.fixture(scope="module")
def shelf(service: Service) -> ActsMairie:
    """Acts of the other collectivité, which nobody else of this file touches."""
    shelved = ActsMairie(service.platform, service.syndicat.organisation)
    shelved.connect(classified=knowledge.classification_of(service.platform, shelved.organisation.id) is None)
    return shelved


def table(answer: httpx.Response) -> list[dict[str, str]]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in answer.content
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))


def test_the_table_holds_all_that_the_filters_show_page_after_page(
    stranger: httpx.Client, shelf: ActsMairie, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_AT_ONCE", 2)
    for rank in range(5):
        shelf.act(f"TABLE_{rank}", subject=f'Objet ; "{rank}"', nature=1 + rank % 2)
    done = shelf.acknowledged("TABLE_5", subject="=HYPERLINK(1)", received=today() - timedelta(days=1))
    rows = {row["Numéro"]: row for row in table(stranger.get("/actes.csv", params={"q": "TABLE_"}))}
    assert list(rows) == [f"TABLE_{rank}" for rank in (5, 4, 3, 2, 1, 0)]
    assert rows["TABLE_0"]["Objet"] == 'Objet ; "0"'
    assert (rows["TABLE_0"]["Transmis le"], rows["TABLE_0"]["Fin du contrôle de légalité"]) == ("", "")
    told = rows["TABLE_5"]
    assert told["Objet"] == "'=HYPERLINK(1)"
    assert told["Reçu par la préfecture le"] == f"{today() - timedelta(days=1):%d/%m/%Y}"
    assert (told["État"], told["Identifiant unique"]) == ("Reçu par la préfecture", shelf.dossier(done).facts["id_acte"])
    assert told["Matière"].startswith("7.10 – ")
    assert told["Fin du contrôle de légalité"]
    assert told["Collectivité"] == shelf.organisation.name
    some = table(stranger.get("/actes.csv", params={"q": "TABLE_", "nature": "2"}))
    assert [row["Numéro"] for row in some] == ["TABLE_3", "TABLE_1"]


def test_the_page_offers_the_table_of_what_it_shows(stranger: httpx.Client, shelf: ActsMairie) -> None:
    shelf.act("OFFRE_1")
    assert 'href="/actes.csv?q=OFFRE_&amp;etat=preparation"' in stranger.get("/actes?q=OFFRE_&etat=preparation").text
    assert "actes.csv" not in stranger.get("/actes?q=introuvable").text


def test_the_table_holds_nothing_of_others(desk: Desk, shelf: ActsMairie) -> None:
    shelf.act("AILLEURS_1")
    assert table(desk.client.get("/actes.csv", params={"q": "AILLEURS_1"})) == []
    assert table(desk.client.get("/actes.csv", params={"organisation": shelf.organisation.id})) == []


@pytest.mark.parametrize("text", ["=1+1", "+33", "-1", "@SOMME", "\tx", "\r=1", "'", "TOTAL", ""], ids=ascii)
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    cell = export.cell_of(text)
    assert cell.removeprefix("'") == text.removeprefix("'")
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
