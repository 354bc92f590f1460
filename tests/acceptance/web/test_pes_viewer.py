"""A PES in a browser, as an elected signatory checks it: on a phone and on a desk, with a keyboard, without JavaScript."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.web.pes import page
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine.models import DossierFile
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_fits, assert_sound
from tests.integration.api import service as services
from tests.integration.api.service import Service, add_dossier
from tests.pades_documents import paper

_ACQUIT = {
    "answer": "partial",
    "elements": [
        {
            "domain": "5",
            "accepted": False,
            "bordereau": "101",
            "exercice": "2026",
            "id_unique": None,
            "anomalies": [],
            "pieces": [
                {
                    "number": "1002",
                    "anomalies": [{"code": "ERREUR_METIER", "label": "1971 - tiers inconnu"}],
                    "lines": [{"number": "1", "anomalies": [{"code": None, "label": "2559 - imputation"}]}],
                }
            ],
        }
    ],
}
_REPORT = {
    "verdict": "valid",
    "signatures": [
        {
            "format": "XAdES",
            "signer": "Camille AUBRAC",
            "signing_time": "2026-03-02T09:15:00Z",
            "covers": "bordereau BRD101",
            "verdict": "valid",
            "reasons": [],
        }
    ],
    "reasons": [],
}


def document() -> bytes:
    """Return a flow of expenses and revenue with a gap, a reduction, people, and documents in every state."""

    def line(number: int, amount: str, people: str) -> str:
        return (
            f'<LigneDePiece><BlocLignePiece><InfoLignePce><IdLigne V="{number}"/><Nature V="60632"/><Fonction V="020"/>'
            f'<Facture V="F-2026-{number}"/><LibVir1 V="FOURNITURES SCOLAIRES"/><ModRegl V="03"/><TVAIntraCom V="0"/>'
            f'<MtHT V="{amount}"/><MtTVA V="20.00"/></InfoLignePce><LiensIdent><IdMarche V="2026-M-12"/></LiensIdent>'
            f"</BlocLignePiece>{people}</LigneDePiece>"
        )

    company = (
        '<Tiers><InfoTiers><IdTiers V="99900000500017"/><NatIdTiers V="01"/><RefTiers V="F1"/><CatTiers V="60"/><NatJur V="03"/>'
        '<Nom V="PAPETERIE DU LAVOIR"/></InfoTiers><Adresse><TypAdr V="1"/><Adr2 V="12 RUE DE LA FICTION"/><CP V="99001"/>'
        '<Ville V="SAINT-EXEMPLE"/><CodRes V="0"/></Adresse><CpteBancaire><IBAN V="FR7699999000010000000000197"/>'
        '<LibBanc V="BANQUE FICTIVE"/><TitCpte V="PAPETERIE DU LAVOIR"/></CpteBancaire></Tiers>'
    )

    def piece(number: int, subject: str, lines: str, references: str = "") -> str:
        return (
            f'<Piece><BlocPiece><InfoPce><IdPce V="{number}"/><TypPce V="01"/><NatPce V="01"/><Obj V="{subject}"/>'
            f'<DteEch V="2026-04-01"/>{references}</InfoPce></BlocPiece>{lines}</Piece>'
        )

    def bordereau(number: int, kind: str, declared: str, pieces: str, signed: str = "") -> str:
        return (
            f'<Bordereau Id="BRD{number}"><BlocBordereau><Exer V="2026"/><IdBord V="{number}"/><DteBordEm V="2026-03-02"/>'
            f'<TypBord V="{kind}"/><NbrPce V="2"/><MtBordHT V="{declared}"/><MtBordTVA V="40.00"/></BlocBordereau>'
            f"{pieces}{signed}</Bordereau>"
        )

    def held(name: str, content: str, unique: str) -> str:
        return (
            f'<PJ><Contenu><Fichier MIMEType="application/pdf">{content}</Fichier></Contenu><IdUnique V="{unique}"/>'
            f'<NomPJ V="{name}"/><TypePJ V="003"/><Description V="Facture"/></PJ>'
        )

    def reference(unique: str, support: str = "01") -> str:
        return f'<PJRef><Support V="{support}"/><IdUnique V="{unique}"/><NomPJ V="facture.pdf"/><TypePJ V="003"/></PJRef>'

    ordinary = piece(1001, "Fournitures d’été", line(1, "100.00", company), reference("PJ1") + reference("ABSENTE"))
    ordinary += piece(1002, "Entretien du véhicule communal", line(1, "150.50", company), reference("PAPIER", "02"))
    reductions = piece(1003, "Annulation", line(1, "100.00", company)) + piece(1004, "Réduction", line(1, "1.00", company))
    invoice = base64.b64encode(gzip.compress(paper())).decode()
    signature = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
        '<n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">'
        '<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR1"/><NomFic V="PESALR1_21990001600011_2026_118"/></Parametres>'
        '<Emetteur><Sigle V="ÉDITEUR"/><Adresse V="Logiciel 1"/></Emetteur></Enveloppe>'
        '<EnTetePES><DteStr V="2026-03-02"/><IdPost V="099012"/><LibellePoste V="SGC DE VALMORIN"/><IdColl V="21990001600011"/>'
        '<CodCol V="123"/><CodBud V="00"/><LibelleColBud V="COMMUNE DE VALMORIN"/></EnTetePES>'
        '<PES_DepenseAller><EnTeteDepense><IdVer V="2"/><InfoDematerialisee V="1"/></EnTeteDepense>'
        + bordereau(101, "01", "310.00", ordinary, signature)
        + bordereau(102, "02", "101.00", reductions)
        + "</PES_DepenseAller><PES_PJ>"
        + held("facture.pdf", invoice, "PJ1")
        + held("une-piece-au-nom-particulierement-long-pour-un-telephone-etroit.pdf", invoice, "SEULE")
        + held("vide.pdf", "", "VIDE")
        + "</PES_PJ></n:PES_Aller>"
    ).encode("iso-8859-1", "xmlcharrefreplace")


def add_file(service: Service, dossier: str, role: str, name: str, content: bytes) -> None:
    blob = service.platform.objects.put(io.BytesIO(content))
    owner = service.mairie.organisation.id
    with service.platform.database.writing(PLATFORM) as session:
        facts: dict[str, Any] = {"role": role, "name": name, "media_type": "application/xml"}
        session.add(DossierFile(organisation_id=owner, dossier_id=dossier, sha256=blob.sha256, size=blob.size, **facts))


def with_pages(platform: Platform) -> FastAPI:
    app = create_app(platform)
    if not any(getattr(route, "path", "") == "/dossiers/{dossier_id}/pes" for route in app.routes):
        app.include_router(page.router)
    return app


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site with the pages of a PES, and a dossier whose flow holds a little of everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "create_app", with_pages)
        with services.web_service(s3, tmp_path_factory.mktemp("pes")) as service:
            owner = service.mairie.organisation
            dossier = add_dossier(service.platform, owner, "PESALR1_2026_118", "refused", facts={"acquit": _ACQUIT})
            add_file(service, dossier, "signed", "pes.xml", document())
            add_file(service, dossier, "report", "signatures.json", json.dumps(_REPORT).encode())
            broken = add_dossier(service.platform, owner, "PESALR1_2026_119", "rejected")
            add_file(service, broken, "signed", "pes.xml", document()[:3000])
            base = f"/dossiers/{dossier}/pes"
            yield Site(
                service,
                {
                    "overview": base,
                    "overview, narrowed to nothing": f"{base}?q=introuvable&min=douze",
                    "overview, cut short": f"/dossiers/{broken}/pes",
                    "pièce": f"{base}/pieces/1",
                    "pièce, objected to": f"{base}/pieces/2",
                    "documents": f"{base}/pj",
                    "document": f"{base}/pj/1/apercu",
                },
            )


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_of_a_pes_has_a_fault_that_a_machine_can_see(visit: Opening, site: Site, width: int) -> None:
    page_ = visit(width=width)
    for where, address in site.pages.items():
        page_.goto(address)
        for folded in page_.locator(".more summary").all():
            folded.click()
        assert_sound(page_, where)
        if width == WIDTHS[0]:
            page_.evaluate(_SPACED)
            assert_fits(page_, f"{where}, spaced out")


def test_a_signatory_sees_the_gap_finds_a_mandat_and_opens_its_invoice(visit: Opening, site: Site) -> None:
    page_ = visit(java_script_enabled=False)
    page_.goto(site.pages["overview"])
    page_.get_by_role("heading", name="Des montants ou des nombres déclarés").wait_for()
    assert page_.get_by_text("Bordereau 101 : 310,00 € HT déclarés, la somme des lignes est 250,50 €.").is_visible()
    page_.get_by_label("Mots, numéro, facture, objet").fill("ete scolaires")
    page_.get_by_role("button", name="Filtrer").click()
    assert page_.get_by_text("1 pièce correspond.").is_visible()
    page_.get_by_role("link", name="Mandat 1001").click()
    page_.get_by_role("heading", level=1, name="Mandat 1001").wait_for()
    page_.get_by_role("link", name="Ouvrir facture.pdf").click()
    assert page_.get_by_role("img").first.is_visible()


def test_a_table_stays_a_table_on_a_phone(visit: Opening, site: Site) -> None:
    page_ = visit(width=320)
    page_.goto(site.pages["overview"])
    table = page_.get_by_role("table", name="Bordereaux du flux, avec leurs totaux recalculés")
    assert table.get_by_role("row").count() == 3
    assert table.get_by_role("rowheader", name="Bordereau 101 de 2026").is_visible()
    assert table.get_by_role("cell", name="TTC 290,50").is_visible()
