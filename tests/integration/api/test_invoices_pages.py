"""Received invoices in the browser, by their requests: found, read as on paper, decided; and who may do what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from core import clock
from flows.invoices import view
from schemas.invoices.sample import sample
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.invoices_mairie import InvoicesMairie, flawed, problem
from tests.integration.api.service import Service
from tests.office import pdf

NOBODYS = "0" * 26


@pytest.fixture
def clerk(invoices_service: Service, invoices_mairie: InvoicesMairie) -> Iterator[httpx.Client]:
    with somebody(invoices_service, invoices_mairie.people["clerc"]) as client:
        yield client


def decide(client: httpx.Client, invoice: str, deed: str, **fields: str) -> httpx.Response:
    return client.post(f"/factures/{invoice}/decision/{deed}", data={**csrf(client), **fields})


def test_invoices_of_others_are_not_there(
    invoices_service: Service, clerk: httpx.Client, invoices_mairie: InvoicesMairie, invoices_elsewhere: InvoicesMairie
) -> None:
    theirs, ours = invoices_elsewhere.invoice(number="PAS-A-VOUS"), invoices_mairie.invoice()
    assert f'href="/factures/{theirs}"' not in clerk.get("/factures", params={"q": "PAS-A-VOUS"}).text
    for path in ("", "/suivi", "/decision/rejet"):
        assert clerk.get(f"/factures/{theirs}{path}").status_code == 404
        assert clerk.get(f"/factures/{NOBODYS}{path}").status_code == 404
    assert decide(clerk, theirs, "service-fait").status_code == 404
    with somebody(invoices_service, invoices_mairie.people["lecteur"]) as reader:
        assert "/decision/" not in reader.get(f"/factures/{ours}").text
        assert reader.get(f"/factures/{ours}/decision/rejet").status_code == 403
        assert decide(reader, ours, "service-fait").status_code == 403
    assert invoices_mairie.targets(ours) == []


def test_the_invoice_reads_as_on_paper_with_each_remark_beside_what_it_concerns(
    clerk: httpx.Client, invoices_mairie: InvoicesMairie
) -> None:
    paper, problems = flawed()
    paper = replace(paper, seller=replace(paper.seller, name="Papeterie <b>du</b> Lavoir"))
    page = clerk.get(f"/factures/{invoices_mairie.invoice(paper=paper, problems=problems, supplier_name='A & B')}").text
    assert "Papeterie &lt;b&gt;du&lt;/b&gt; Lavoir" in page
    for words in ("Ramettes de papier A4", "251,88\u00a0€", "5 octobre 2026", "ENG2026-0457", "FR7630006000011234567890189"):
        assert words in page
    for what, begins, ends in (
        ("La ligne n’a pas de désignation.", 'id="ligne-2"', 'id="vat-title"'),
        ("La base de TVA n’est pas la somme", ">20\u00a0%<", ">5,5\u00a0%<"),
        ("Le total TTC n’est pas le total HT", ">Total TTC<", ">À payer<"),
        ("Le SIREN du vendeur manque.", ">Vendeur<", ">Acheteur<"),
        ("La mention sur l’escompte manque.", "Une remarque sur l’ensemble", "paper-kind"),
    ):
        assert page.count(what) == 1
        beside = page.partition(begins)[2] if begins != ">20\u00a0%<" else page.partition('id="vat-title"')[2]
        assert what in beside.partition(ends)[0], what


def test_a_long_invoice_is_read_page_by_page_and_remarks_on_other_pages_are_announced(
    clerk: httpx.Client, invoices_mairie: InvoicesMairie
) -> None:
    articles = [(f"Article {rank}.", Decimal(rank), Decimal("3.1415"), Decimal(20)) for rank in range(1, 121)]
    told = problem("EN16931:BR-25", "Sans désignation.", "/a/ram:IncludedSupplyChainTradeLineItem[120]")
    invoice = invoices_mairie.invoice(paper=sample(articles), problems=[told])
    first, last, beyond = (clerk.get(f"/factures/{invoice}?lignes={page}").text for page in (1, 3, 99))
    assert "Article 50." in first
    assert "Article 51." not in first
    assert f"/factures/{invoice}?lignes=3#ligne-120" in first
    assert "Sans désignation." not in first
    assert "Sans désignation." in last
    assert "3,1415\u00a0€" in last
    assert "Article 120." in beyond
    assert clerk.get(f"/factures/{invoice}?lignes=0").status_code == 422


def test_an_invoice_that_cannot_be_shown_says_so_and_the_page_is_there_all_the_same(
    clerk: httpx.Client, invoices_mairie: InvoicesMairie
) -> None:
    told = problem("XML", "Ce fichier n’est pas lisible.", None)
    assert "ne peut pas être lue comme des données" in clerk.get(f"/factures/{invoices_mairie.invoice(problems=[told])}").text
    assert "en cours de lecture" in clerk.get(f"/factures/{invoices_mairie.invoice('received')}").text
    lost = invoices_mairie.invoice(paper=replace(sample(), number="PERDUE"), problems=[told])
    kept = next(one for one in invoices_mairie.files(lost) if one.role == view.ROLE)
    invoices_mairie.lose(kept)
    page = clerk.get(f"/factures/{lost}").text
    assert "ne peut pas être montrée maintenant" in page
    assert "Ce fichier n’est pas lisible." in page


def test_a_dangerous_piece_is_marked_before_anybody_opens_it(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    pieces = [("bon.pdf", pdf("bon")), ("devis.exe", b"MZ"), ("sain.pdf", pdf("sain")), ("gros.pdf", pdf("gros"))]
    marks = {"bon.pdf": "script", "devis.exe": "executable", "gros.pdf": "unscanned"}
    invoice = invoices_mairie.invoice(pieces=pieces, marks=marks)
    page = clerk.get(f"/factures/{invoice}").text
    assert "2 pièces sont dangereuses" in page
    shown = {name: page.partition(f">{name}<")[2].partition("</li>")[0] for name, _ in pieces}
    assert [name for name in shown if "Télécharger quand même" in shown[name]] == ["bon.pdf", "devis.exe", "gros.pdf"]
    assert "Voir les pages en images" in shown["bon.pdf"]
    assert "Voir" not in shown["devis.exe"]
    assert "À ouvrir avec prudence" in shown["gros.pdf"]
    assert "Dangereu" not in shown["sain.pdf"]
    of_dossier = clerk.get(f"/dossiers/{invoice}").text
    assert of_dossier.count("Dangereux") == 2
    looked = re.search(r'href="([^"]+/apercu)"', shown["bon.pdf"])
    assert looked is not None
    assert "s’exécuterait à son ouverture" in clerk.get(looked[1]).text


def test_a_pdf_that_is_both_the_invoice_and_what_people_read_is_shown_once(
    clerk: httpx.Client, invoices_mairie: InvoicesMairie
) -> None:
    invoice = invoices_mairie.invoice(number="F-UNIQUE", more=12)
    invoices_mairie.file(invoice, "original", "facture.pdf", pdf("F-UNIQUE"))
    invoices_mairie.file(invoice, "report", "controle.json", b"{}")
    page = clerk.get(f"/factures/{invoice}").text
    assert "Facture en PDF" in page
    assert "Facture d’origine" not in page
    assert "Le contrôle a relevé 12 autres choses." in page
    report = re.search(r'href="([^"]+)">Télécharger tout le contrôle', page)
    assert report is not None
    assert clerk.get(report[1]).content == b"{}"


def test_pieces_of_an_earlier_cycle_are_no_longer_shown(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    invoice = invoices_mairie.invoice(pieces=[("ancien.pdf", pdf("ancien"))])
    invoices_mairie.file(invoice, "pivot", "pivot-2.xml", b"<CPPFacturePivot />")
    invoices_mairie.file(invoice, "piece", "nouveau.pdf", pdf("nouveau"))
    page = clerk.get(f"/factures/{invoice}").text
    assert "nouveau.pdf" in page
    assert "pivot-2.xml" in page
    assert "ancien.pdf" not in page


def test_the_page_tells_the_life_at_chorus_pro_and_the_hand_over(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    invoice = invoices_mairie.invoice("following", status="SERVICE_FAIT", mandate="2026-88")
    invoices_mairie.step(invoice, "SERVICE_FAIT", days=1, comment="Livré <hier>.")
    invoices_mairie.step(invoice, "STATUT_DE_DEMAIN")
    invoices_mairie.target(invoice, "MANDATEE", "refused", mandate="2026-88", trouble="GDP_MSG_11.033")
    invoices_mairie.handover(
        invoice, "taken", channel="sftp", sha256="ab" * 32, software_reference="FAC-77", answered=clock.now()
    )
    page = clerk.get(f"/factures/{invoice}").text
    for words in ("Mise à disposition", "Livré &lt;hier&gt;.", "STATUT_DE_DEMAIN", "GDP_MSG_11.033", "Refusé par Chorus Pro"):
        assert words in page
    for words in ("Déposée par SFTP le", "Prise par le logiciel", "FAC-77", "ab" * 32, "2026-88"):
        assert words in page
    assert page.index("Mise à disposition</p>") < page.index("Service fait</p>") < page.index("STATUT_DE_DEMAIN</p>")


def test_the_following_part_comes_only_when_something_changed(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    invoice = invoices_mairie.invoice("handed")
    version = re.search(r'name="version" value="(\w+)"', clerk.get(f"/factures/{invoice}").text)
    assert version is not None
    where = f"/factures/{invoice}/suivi?version={version[1]}"
    assert clerk.get(where).status_code == 204
    invoices_mairie.handover(invoice)
    assert clerk.get(where).status_code == 200
    invoices_mairie.stand(invoice, "following")
    assert clerk.get(where).status_code == 286


def test_a_clerk_certifies_the_service_then_records_the_mandate(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    invoice = invoices_mairie.invoice("following", pieces=())
    assert "Vous attestez" in clerk.get(f"/factures/{invoice}/decision/service-fait").text
    assert decide(clerk, invoice, "service-fait", csrf="faux").status_code == 403
    assert decide(clerk, invoice, "service-fait").headers["location"] == f"/factures/{invoice}?fait=service-fait"
    page = clerk.get(f"/factures/{invoice}?fait=service-fait").text
    assert "Le service fait est enregistré." in page
    assert "Clerc" in page
    assert "/decision/service-fait" not in page
    assert clerk.get(f"/factures/{invoice}/decision/service-fait").status_code == 303
    assert decide(clerk, invoice, "mandatement", mandate=" 2026-118 ").status_code == 303
    assert [(one.status, one.mandate) for one in invoices_mairie.targets(invoice)] == [
        ("SERVICE_FAIT", ""),
        ("MANDATEE", "2026-118"),
    ]
    assert invoices_mairie.kept(invoice).mandate == "2026-118"


def test_a_rejection_needs_words_and_what_was_typed_is_kept(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    invoice = invoices_mairie.invoice("handed")
    form = clerk.get(f"/factures/{invoice}/decision/rejet").text
    assert "Facture en double" in form
    refused = decide(clerk, invoice, "rejet", reason_code="DOUBLON")
    assert refused.status_code == 400
    assert 'value="DOUBLON" selected' in refused.text
    wrong = decide(clerk, invoice, "rejet", reason="Déjà reçue <ici>", reason_code="JUSTIF_ABS")
    assert wrong.status_code == 400
    assert "Déjà reçue &lt;ici&gt;" in wrong.text
    assert invoices_mairie.targets(invoice) == []
    assert decide(clerk, invoice, "rejet", reason="Déjà reçue", reason_code="DOUBLON").status_code == 303
    (target,) = invoices_mairie.targets(invoice)
    assert (target.status, target.reason, target.reason_code) == ("REJETEE", "Déjà reçue", "DOUBLON")
    assert "/decision/" not in clerk.get(f"/factures/{invoice}").text
    late = decide(clerk, invoice, "suspension", reason="Il manque le bon", reason_code="JUSTIF_ABS")
    assert late.status_code == 409
    assert "Il manque le bon" in late.text
    assert len(invoices_mairie.targets(invoice)) == 1


def test_what_somebody_objects_to_is_accepted_or_goes_its_way_again(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    accepted, again = invoices_mairie.invoice("objected"), invoices_mairie.invoice("objected")
    assert "Accepter quand même" in clerk.get(f"/factures/{accepted}").text
    assert decide(clerk, accepted, "acceptation").status_code == 303
    assert decide(clerk, again, "reprise").status_code == 303
    assert (invoices_mairie.dossier(accepted).state, invoices_mairie.dossier(again).state) == ("to_hand", "checked")
    assert decide(clerk, accepted, "acceptation").status_code == 409


def test_a_clerk_says_that_the_software_took_it_where_it_does_not_say_so_itself(
    clerk: httpx.Client, invoices_mairie: InvoicesMairie
) -> None:
    offered, late = invoices_mairie.invoice("handed"), invoices_mairie.invoice("handed", parked="Pas d’accusé de réception.")
    assert "/decision/prise" not in clerk.get(f"/factures/{offered}").text
    for invoice in (offered, late):
        invoices_mairie.handover(invoice)
        assert "/decision/prise" in clerk.get(f"/factures/{invoice}").text
        assert decide(clerk, invoice, "prise", reference="LIQ-7").status_code == 303
        assert invoices_mairie.dossier(invoice).state == "following"
        page = clerk.get(f"/factures/{invoice}?fait=prise").text
        assert "Référence du logiciel : LIQ-7" in page
        assert "/decision/prise" not in page


def test_nothing_is_decided_of_what_is_over_suspended_stopped_or_unheard_of(
    clerk: httpx.Client, invoices_mairie: InvoicesMairie
) -> None:
    for invoice in (
        invoices_mairie.invoice("archived", status="MISE_EN_PAIEMENT"),
        invoices_mairie.invoice("suspended", status="SUSPENDUE", due=None),
        invoices_mairie.invoice("objected", parked="À regarder"),
    ):
        assert "/decision/" not in clerk.get(f"/factures/{invoice}").text
        assert clerk.get(f"/factures/{invoice}/decision/rejet").status_code == 303
    assert clerk.get(f"/factures/{invoices_mairie.invoice()}/decision/autre").status_code == 404


def test_where_chorus_pro_is_told_nothing_a_rejection_ends_the_invoice_here(
    invoices_service: Service, invoices_elsewhere: InvoicesMairie
) -> None:
    invoice = invoices_elsewhere.invoice("following")
    with somebody(invoices_service, invoices_elsewhere.people["liste"]) as client:
        page = client.get(f"/factures/{invoice}").text
        assert "/decision/suspension" not in page
        assert "Chorus Pro n’en saura rien" in client.get(f"/factures/{invoice}/decision/rejet").text
        assert decide(client, invoice, "rejet", reason="Doublon", reason_code="DOUBLON").status_code == 303
    assert invoices_elsewhere.dossier(invoice).state == "closing"
    assert invoices_elsewhere.targets(invoice) == []


def test_a_view_of_an_invoice_is_bounded_whatever_the_supplier_wrote(tmp_path: Path) -> None:
    many = sample([("\U0001f5ce" * 5_000, Decimal(1), Decimal(1), Decimal(20))] * 8_000)
    target = tmp_path / "view.json"
    view.write(replace(many, notes=many.notes * 400), target)
    kept = view.read(target.read_bytes())
    assert target.stat().st_size <= view.MOST_OCTETS
    assert kept.lines == 8_000
    assert 0 < len(kept.invoice.lines) < view.MOST_LINES
    assert kept.invoice.totals == many.totals
    assert kept.invoice.issued == many.issued
