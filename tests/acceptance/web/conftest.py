"""A browser, and a site with a dossier in each situation that a person meets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from core.problems import Problem, Severity
from core.s3_server import S3Server
from tests.integration.api.service import PASSWORD, Service, add_dossier, add_record, web_service
from tests.waiting import PATIENCE

# A phone and a desk: what holds on the narrowest of phones holds on the others, which the style sheets do not tell apart.
WIDTHS = (320, 1280)
_FACTS = {
    "nom_fic": "PESALR2_21400999500017_20261123_118",
    "cod_col": "123",
    "id_coll": "21400999500017",
    "dte_str": "2026-11-23",
    "libelle_col_bud": "COMMUNE DE VALMORIN",
    "attachments": 4,
    "arrived_signed": False,
    "bordereaux": [
        {"domain": "depense", "id_bord": "118", "exer": "2026", "typ_bord": "01", "pieces": 18, "mt_bord_ht": "41230.12"}
    ],
}
_PROBLEMS = [
    Problem(
        "R08",
        Severity.ERROR,
        "Le nom du flux (NomFic) est absent de l’en-tête du document.",
        line=3,
        path="/PES_Aller/Enveloppe/Parametres/NomFic",
        expected="un nom de 1 à 100 caractères",
        mend="Renseignez NomFic dans le logiciel financier, puis exportez de nouveau le flux.",
    ),
    Problem("B12", Severity.WARNING, "Le total diffère de la somme des lignes.", line=1204, found="41 230,12"),
]

_ACQUIT = {
    "answer": "refused",
    "elements": [
        {
            "domain": "5",
            "accepted": False,
            "bordereau": "118",
            "anomalies": [],
            "pieces": [{"number": "12", "anomalies": [{"code": "ERREUR_METIER", "label": "1971 - tiers inconnu"}], "lines": []}],
        }
    ],
}


@dataclass(frozen=True)
class Site:
    """The running site and the addresses of its pages, by situation."""

    service: Service
    pages: dict[str, str]


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, furnished."""
    with web_service(s3, tmp_path_factory.mktemp("site")) as service:
        platform, owner = service.platform, service.mairie.organisation
        for rank in range(30):
            add_dossier(platform, owner, f"PESALR2_21400999500017_202610{rank + 1:02d}_{rank}", "sent", days=30 - rank)
        archived = add_dossier(platform, owner, "PESALR2_21400999500017_20261122_117", "archived", facts=_FACTS)
        unstamped = add_dossier(platform, owner, "PESALR2_21400999500017_20261122_116", "archived")
        rejected = add_dossier(
            platform, owner, "PESALR2_21400999500017_119", "rejected", problems=[problem.as_json() for problem in _PROBLEMS]
        )
        refused = add_dossier(platform, owner, "PESALR2_21400999500017_121", "refused", facts=_FACTS | {"acquit": _ACQUIT})
        parked = add_dossier(platform, owner, "PESALR2_21400999500017_120", "signed", parked="La passerelle est inconnue (R14).")
        told = "La base a été restaurée d’une sauvegarde, et le journal dit que ce flux est parti."
        gone = add_dossier(platform, owner, "PESALR2_21400999500017_122", "signed", parked=told, overtaken=True)
        sent = add_dossier(platform, owner, "PESALR2_21400999500017_118", "sent", facts=_FACTS)
        yield Site(
            service,
            {
                "list": "/dossiers",
                "list, filtered": "/dossiers?etat=sent",
                "list, empty": "/dossiers?q=introuvable",
                "dossier, under way": f"/dossiers/{sent}",
                "dossier, rejected": f"/dossiers/{rejected}",
                "dossier, refused": f"/dossiers/{refused}",
                "dossier, parked": f"/dossiers/{parked}",
                "dossier, overtaken": f"/dossiers/{gone}",
                "dossier, considered sent": f"/dossiers/{gone}/envoye",
                "dossier, archived": f"/dossiers/{archived}",
                "record": f"/archives/{add_record(platform, owner, archived, stamped=True)}",
                "record, waiting": f"/archives/{add_record(platform, owner, unstamped, stamped=False)}",
                "deposit": "/deposer",
                "not found": "/nulle-part",
                "API documentation": "/v1/docs",
            },
        )


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Browser:
    """The one browser of the process: a second would not start beside it."""
    return chromium


Opening = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Opening]:
    """Open a tab, signed in unless told otherwise; at the end, it must have met no error and left for nowhere else."""
    contexts, troubles = [], []

    def open_tab(*, width: int = 1280, signed_in: bool = True, **options: object) -> Page:
        context = browser.new_context(
            base_url=site.service.address, viewport={"width": width, "height": 844}, locale="fr-FR", **options
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("request", lambda asked: troubles.append(asked.url) if not asked.url.startswith(site.service.address) else None)
        if signed_in:
            sign_in(page, site)
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert troubles == []


def sign_in(page: Page, site: Site) -> None:
    """Pass the door as a person does."""
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(site.service.mairie.email)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url("**/dossiers")
