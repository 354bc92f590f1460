"""From the clerk who publishes an act to whoever reads it: by any hand, on any screen, with or without a script."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.runtime import timestamps
from archive.proof import heads
from archive.proof.verification import EvidenceVerdict, verify_evidence
from core.principal import Right
from core.s3_server import S3Server
from signing.trust import TrustStore
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_sound
from tests.acceptance.web.test_acts_journeys import _FITS, _SMALL, shot
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.publications_town import PublicTown, aside, public_town
from tests.integration.api.service import PASSWORD
from tests.office import pdf

_LONG = "Délibération relative aux tarifs de la restauration scolaire et périscolaire " * 4


@dataclass(frozen=True)
class Town:
    """The site, the people of the mairie, and the addresses of its pages by situation: those of the public, those of agents."""

    site: PublicTown
    mairie: ActsMairie
    public: dict[str, str]
    agents: dict[str, str]


@pytest.fixture(scope="module")
def town(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with public_town(s3, tmp_path_factory.mktemp("publication")) as site:
        mairie = ActsMairie(site.service.platform, site.service.mairie.organisation)
        mairie.connect(classified=False)
        mairie.hire("tout", set(Right), above=True)
        mairie.hire("clerc", {Right.READ, Right.DEPOSIT})
        yield Town(site, mairie, public_pages(site), agents_pages(site))


def public_pages(site: PublicTown) -> dict[str, str]:
    site.mairie.stand(site.row("cancelled").dossier_id, "cancelled", cancelled_on="2026-11-27")
    site.mairie.publish(number="2026_" + "LONGNUMBER", subject=_LONG.strip(), nature=5)
    return {
        "organisations": "/publications",
        "list": site.page,
        "list, narrowed": f"{site.page}?q=cantine&nature=1",
        "list, none": f"{site.page}?q=introuvable",
        "act": site.act("online"),
        "act, two documents": site.act("late"),
        "act, cancelled": site.act("cancelled"),
        "act, withdrawn": site.act("withdrawn"),
        "nowhere": f"{site.page}/nulle-part",
    }


def agents_pages(site: PublicTown) -> dict[str, str]:
    online, withdrawn = site.row("online").dossier_id, site.row("withdrawn").dossier_id
    individual = site.mairie.received(subject="Nomination", nature=3)
    return {
        "act, online": f"/actes/{online}",
        "act, to be published": f"/actes/{site.unpublished}",
        "act, taken off": f"/actes/{withdrawn}",
        "publishing": f"/actes/{site.unpublished}/publication",
        "publishing, individual": f"/actes/{individual}/publication",
        "withdrawing": f"/actes/{online}/publication/retrait",
        "administration": f"/administration/publication?organisation={site.service.mairie.organisation.id}",
        "form": f"/actes/nouveau?organisation={site.service.mairie.organisation.id}",
    }


@pytest.fixture(scope="module")
def site(town: Town) -> Site:
    return Site(town.site.service, {})


def enter(page: Page, town: Town, who: str = "clerc") -> Page:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(town.mairie.people[who])
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(lambda address: "/connexion" not in address)
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_no_public_page_has_a_fault_that_a_machine_can_see(visit: Opening, town: Town, width: int) -> None:
    page, titles = visit(width=width, signed_in=False), []
    for where, address in town.public.items():
        page.goto(address)
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        shot(page, f"public {where}", width)
        titles.append(page.title())
        page.evaluate(_SPACED)
        assert page.evaluate(_FITS), f"{where}, spaced out"
    page.goto(town.public["act"])
    page.locator("details summary").click()
    assert_sound(page, "act, with the commands")
    shot(page, "public act, with the commands", width)
    assert all("Actes rendus publics" in title for title in titles)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_of_the_agents_has_one_either(visit: Opening, town: Town, width: int) -> None:
    page = enter(visit(width=width, signed_in=False), town, "tout")
    for where, address in town.agents.items():
        page.goto(address)
        page.wait_for_load_state("networkidle")
        if where == "form":
            page.get_by_label("Publier dès la réception").check()
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        shot(page, f"agent {where}", width)
        page.evaluate(_SPACED)
        assert page.evaluate(_FITS), f"{where}, spaced out"


@pytest.mark.parametrize("scripted", [True, False], ids=["with a script", "without"])
def test_a_clerk_publishes_anybody_reads_and_verifies_until_it_is_withdrawn(
    visit: Opening, town: Town, tmp_path: Path, scripted: bool
) -> None:
    number = f"2026_{'A' if scripted else 'B'}"
    act = town.site.mairie.received(number=number, subject=f"Réfection du lavoir {number}")
    clerk = enter(visit(signed_in=False, java_script_enabled=scripted), town)
    clerk.goto(f"/actes/{act}")
    clerk.get_by_role("link", name="Publier…").click()
    expect(clerk.get_by_label("Document principal")).to_be_checked()
    expect(clerk.get_by_label("Annexe 1")).not_to_be_checked()
    clerk.get_by_label("Prénom").fill("")
    clerk.get_by_label("Annexe 1").check()
    clerk.get_by_role("button", name="Publier l’acte").click()
    expect(clerk.get_by_role("alert")).to_contain_text("Nommez l’auteur")
    expect(clerk.get_by_label("Annexe 1")).to_be_checked()
    clerk.get_by_label("Prénom").fill("Camille")
    clerk.get_by_label("Annexe 1").uncheck()
    clerk.get_by_role("button", name="Publier l’acte").click()
    expect(clerk.get_by_role("status").filter(has_text="L’acte est en ligne.")).to_be_visible()
    address = clerk.get_by_label("Adresse à communiquer").input_value()

    reader = visit(signed_in=False, java_script_enabled=scripted)
    reader.goto(town.site.page)
    reader.get_by_label("Mots de l’objet, numéro ou matière").fill(f"lavoir {number}")
    reader.get_by_role("button", name="Rechercher").click()
    reader.get_by_role("link", name=f"Réfection du lavoir {number}").click()
    expect(reader).to_have_url(address)
    expect(reader.get_by_role("heading", level=1)).to_have_text(f"Réfection du lavoir {number}")
    expect(reader.get_by_text("Camille Martin-Prévost")).to_be_visible()
    assert saved(reader, "Télécharger Délibération.pdf", tmp_path) in reader.locator(".paper-digest").inner_text()
    stamped = saved(reader, "Copie tamponnée de Délibération.pdf", tmp_path)
    assert stamped not in reader.locator(".paper-digest").inner_text()
    expect(reader.get_by_text("sera disponible dans quelques minutes")).to_be_visible()

    platform = town.site.service.platform
    aside(lambda: heads.cut(platform, timestamps(platform)))
    reader.reload()
    saved(reader, "Télécharger la preuve", tmp_path)
    proof = aside(lambda: verify_evidence(tmp_path / "saved", trust=TrustStore.from_folder(town.site.trust)))
    assert proof.verdict is EvidenceVerdict.VALID

    clerk.get_by_role("link", name="Retirer…").click()
    expect(clerk.get_by_text("Moins de deux mois en ligne")).to_be_visible()
    clerk.get_by_label("Motif du retrait").fill(" ")
    clerk.get_by_role("button", name="Retirer la publication").click()
    expect(clerk.get_by_role("alert")).to_contain_text("Dites pourquoi")
    clerk.get_by_label("Motif du retrait").fill("Coordonnées d’un administré")
    clerk.get_by_role("button", name="Retirer la publication").click()
    expect(clerk.get_by_role("status").filter(has_text="L’acte n’est plus en ligne.")).to_be_visible()
    expect(clerk.get_by_text("Coordonnées d’un administré")).to_be_visible()

    gone = reader.goto(address)
    assert gone is not None
    assert gone.status == 410
    expect(reader.get_by_role("heading", level=1)).to_have_text("Cet acte n’est plus en ligne")
    for told in ("lavoir", "Coordonnées", "Télécharger"):
        expect(reader.get_by_text(told)).to_have_count(0)
    reader.goto(f"{town.site.page}?q=lavoir+{number}")
    expect(reader.get_by_text("Aucun acte ne répond à cette recherche.")).to_be_visible()


def saved(page: Page, name: str, folder: Path) -> str:
    """Download what a link gives, as ``saved``; return its digest."""
    with page.expect_download() as downloading:
        page.get_by_role("link", name=name).click()
    downloading.value.save_as(folder / "saved")
    return hashlib.sha256((folder / "saved").read_bytes()).hexdigest()


def test_a_reader_goes_everywhere_with_the_keyboard(visit: Opening, town: Town) -> None:
    page = visit(signed_in=False)
    page.goto(town.site.page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Aller au contenu"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("cantine")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=cantine**")
    page.get_by_role("link", name="Tarifs de la cantine").focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.keyboard.press("Enter")
    page.wait_for_url("**/actes/**")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim().split('\\n')[0]"))
    for name in (
        "Commune de Valmorin",
        "Délibération.pdf",
        "Télécharger Délibération.pdf",
        "Vérifier la preuve",
        "Télécharger la preuve",
    ):
        assert name in reached, reached
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("sha256sum package.zip")).to_be_visible()


@pytest.mark.parametrize("scripted", [True, False], ids=["with a script", "without"])
def test_the_form_of_an_act_has_it_published_once_received(visit: Opening, town: Town, tmp_path: Path, scripted: bool) -> None:
    document = tmp_path / "acte.pdf"
    document.write_bytes(pdf("Acte"))
    page = enter(visit(signed_in=False, java_script_enabled=scripted), town)
    page.goto("/actes/nouveau")
    wanted = page.get_by_label("Publier dès la réception par la préfecture")
    expect(wanted).not_to_be_checked()
    expect(page.get_by_label("Prénom")).to_be_hidden()
    page.get_by_label("Nature de l’acte").select_option("3")
    expect(wanted).to_be_hidden()
    page.get_by_label("Nature de l’acte").select_option("1")
    page.get_by_label("Numéro de l’acte").fill(f"2026_{'C' if scripted else 'D'}")
    page.get_by_label("Date de la décision").fill(today().isoformat())
    page.get_by_label("Objet").fill("Tarifs du camping")
    page.locator("#matiere").fill("7.10") if scripted else page.locator("#matiere").select_option("7.10")
    wanted.check()
    page.get_by_label("Qualité").fill("")
    page.locator("#document").set_input_files(document)
    if scripted:
        expect(page.locator("#pieces li")).to_have_count(1)
    page.get_by_role("button", name="Déposer l’acte").click()
    expect(page.get_by_role("alert")).to_contain_text("Nommez l’auteur")
    page.get_by_label("Qualité").fill("Première adjointe")
    page.get_by_role("button", name="Déposer l’acte").click()
    page.wait_for_url("**/actes/*fait=depot")
    expect(page.locator("#publication")).to_contain_text("Sera publié dès sa réception par la préfecture.")
    expect(page.locator("#publication")).to_contain_text("Première adjointe")
    page.get_by_role("button", name="Ne plus publier").click()
    expect(page.get_by_text("L’acte ne sera pas publié de lui-même.")).to_be_visible()
    expect(page.locator("#publication")).to_have_count(0)


def test_an_administrator_opens_and_closes_the_public_page(visit: Opening, town: Town) -> None:
    page, reader = enter(visit(signed_in=False), town, "tout"), visit(signed_in=False)
    page.goto(town.agents["administration"])
    page.get_by_label("Ouvrir la page publique").uncheck()
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_text("La page publique est fermée.")).to_be_visible()
    closed = reader.goto(town.site.page)
    assert closed is not None
    assert closed.status == 404
    page.get_by_label("Ouvrir la page publique").check()
    page.get_by_label("Phrase affichée sous le nom").fill("Aussi affichés sous le préau.")
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_text("La page publique est ouverte.")).to_be_visible()
    page.get_by_role("link", name=town.site.page).click()
    expect(page.get_by_text("Aussi affichés sous le préau.")).to_be_visible()
