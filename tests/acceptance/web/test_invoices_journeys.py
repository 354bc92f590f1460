"""Received invoices in a browser: what presses, the invoice as on paper, decisions; by any hand, on any screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from core.principal import Right
from core.s3_server import S3Server
from schemas.invoices.sample import sample
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_fits, assert_sound
from tests.acceptance.web.test_acts_journeys import _SMALL, shot
from tests.integration.api.invoices_mairie import InvoicesMairie, flawed, problem
from tests.integration.api.service import PASSWORD, web_service
from tests.office import pdf
from tests.sales import at_rest

# WCAG 2.4.11: the centre of what has the focus must not lie below the bar of decisions.
_HIDDEN = """
[...document.querySelectorAll('main a, main button')].filter(element => {
  if (!element.offsetParent || element.closest('.deed-bar, .bill-panel')) return false;
  element.focus();
  const box = element.getBoundingClientRect();
  const above = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return Boolean(above && above.closest('.deed-bar'));
}).map(element => element.outerHTML)
"""


@dataclass(frozen=True)
class Counter:
    """The mairie, and the addresses of its pages by situation."""

    mairie: InvoicesMairie
    objected: str
    pages: dict[str, str]


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with web_service(s3, tmp_path_factory.mktemp("invoices")) as service:
        yield Site(service, {})


@pytest.fixture(scope="module")
def counter(site: Site) -> Counter:
    mairie = InvoicesMairie(site.service.platform, site.service.mairie.organisation)
    mairie.connect()
    mairie.hire("tout", set(Right), above=True)
    mairie.hire("clerc", {Right.READ, Right.DEPOSIT})
    paper, problems = flawed()
    objected = mairie.invoice(
        "objected",
        due=4,
        number="F-CONTESTEE",
        paper=paper,
        problems=problems,
        pieces=[("bon-de-livraison-du-mois-de-novembre-2026.pdf", pdf("bon")), ("devis.exe", b"MZ")],
        marks={"devis.exe": "executable"},
    )
    mairie.target(objected, "SERVICE_FAIT", "refused", trouble="GDP_MSG_11.033")
    mairie.handover(objected, "refused", reason="Tiers inconnu du logiciel.")
    articles = [(f"Article {rank}", Decimal(rank), Decimal("3.1415"), Decimal(20)) for rank in range(1, 61)]
    told = problem("EN16931:BR-25", "Sans désignation.", "/a/ram:IncludedSupplyChainTradeLineItem[60]")
    long = mairie.invoice("following", due=-3, paper=sample(articles, type_code="381"), problems=[told], mandate="2026-118")
    mairie.invoice("suspended", due=None, status="SUSPENDUE", number="F-SUSPENDUE", parked="À regarder")
    for rank in range(26):
        mairie.invoice("handed", due=rank - 2, supplier_name="Établissements Martin-Lefebvre et associés du Val de Marne")
    setup = f"?organisation={mairie.organisation.id}"
    suspended = at_rest(mairie.platform, mairie.organisation, "suspended", "SUSPENDUE", comment="Il manque le bon.")
    uncertain = at_rest(
        mairie.platform, mairie.organisation, "uncertain", number="V-2", file_name="219900016_V-2_4dc8694ed835e242.xml"
    )
    pages = {
        "list of invoices": "/factures",
        "invoices due": "/factures?vue=echeance&etat=logiciel",
        "no invoice": "/factures?q=introuvable",
        "invoice, objected": f"/factures/{objected}",
        "invoice, long": f"/factures/{long}?lignes=2",
        "rejecting": f"/factures/{objected}/decision/rejet",
        "issuing an invoice": "/deposer/facture",
        "completing an invoice": f"/emissions/{suspended}",
        "uncertain deposit": f"/emissions/{uncertain}",
        "suspended issued invoice": f"/dossiers/{suspended}",
        "account": f"/administration/factures{setup}",
        "finance software": f"/administration/factures/logiciel{setup}",
    }
    return Counter(mairie, objected, pages)


def enter(page: Page, counter: Counter, who: str) -> Page:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(counter.mairie.people[who])
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(lambda address: "/connexion" not in address)
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_has_a_fault_that_a_machine_can_see(visit: Opening, counter: Counter, width: int) -> None:
    page, titles = enter(visit(width=width, signed_in=False), counter, "tout"), []
    for where, address in counter.pages.items():
        page.goto(address)
        titles.append(page.title())
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        assert page.evaluate(_HIDDEN) == [], where
        shot(page, where, width)
        page.evaluate(_SPACED)
        assert_fits(page, f"{where}, spaced out")
    assert sorted({*titles}) == sorted(titles[:2] + titles[3:])  # the list that is empty is the list, narrowed


def test_a_clerk_finds_what_presses_and_rejects_it_by_the_keyboard(visit: Opening, counter: Counter) -> None:
    invoice = counter.mairie.invoice("handed", due=-9, number="F-DOUBLE", paper=sample())
    page = enter(visit(width=390, signed_in=False), counter, "clerc")
    page.goto("/factures")
    page.get_by_role("link", name="en retard", exact=False).first.press("Enter")
    page.wait_for_url("**/factures?vue=echeance")
    first = page.get_by_role("rowheader").first.get_by_role("link")
    assert first.inner_text().startswith("F-DOUBLE")
    first.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Facture F-DOUBLE")
    expect(page.get_by_text("Délai de paiement dépassé de 9 jours")).to_be_visible()
    page.get_by_role("link", name="Autres décisions").press("Enter")
    page.get_by_role("link", name="Rejeter…").press("Enter")
    page.get_by_label("Motif").focus()
    page.keyboard.type("Facture en double")
    page.keyboard.press("Tab")
    page.keyboard.type("Déjà reçue sous le numéro F-DOUBLE le 3 novembre.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("Le rejet est enregistré.")
    (target,) = counter.mairie.targets(invoice)
    assert (target.status, target.reason_code) == ("REJETEE", "DOUBLON")


def test_an_invoice_is_found_read_and_accepted_without_javascript(visit: Opening, counter: Counter) -> None:
    page = enter(visit(width=320, signed_in=False, java_script_enabled=False), counter, "clerc")
    page.goto("/factures")
    page.get_by_label("Rechercher").fill("f-contestee")
    page.get_by_role("button", name="Filtrer").click()
    page.get_by_role("link", name="F-CONTESTEE – Papeterie du Lavoir").click()
    line = page.get_by_role("row").filter(has_text="Livres pour l’école").locator("xpath=following-sibling::tr[1]")
    assert "La ligne n’a pas de désignation." in line.inner_text()
    assert "est un programme" in page.get_by_role("listitem").filter(has_text="devis.exe").inner_text()
    page.locator(".deed-bar").get_by_role("link", name="Accepter quand même").click()
    assert "remise au logiciel financier malgré l’opposition" in page.locator("main").inner_text()
    page.get_by_role("button", name="Accepter la facture").click()
    assert page.get_by_role("status").first.inner_text().startswith("La facture est acceptée")
    assert counter.mairie.dossier(counter.objected).state == "to_hand"


def test_the_page_of_an_invoice_follows_the_work(visit: Opening, counter: Counter) -> None:
    mairie = counter.mairie
    invoice = mairie.invoice("handed", number="F-SUIVIE", paper=sample())
    page = enter(visit(signed_in=False), counter, "clerc")
    page.goto(f"/factures/{invoice}")
    expect(page.get_by_role("heading", name="Remise au logiciel financier")).to_be_visible()
    mairie.handover(invoice, "taken", software_reference="FAC-77")
    mairie.stand(invoice, "following")
    expect(page.get_by_role("heading", name="Suivie jusqu’au paiement")).to_be_visible()
    expect(page.locator("#announcement")).to_contain_text("Suivie jusqu’au paiement.")
    expect(page.get_by_text("FAC-77")).to_be_visible()
