"""The screen of a mail step and the docket, as people use them: on any screen, with or without scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from pydantic import SecretStr

from core.people import principal_of
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.parapheur import mailing
from signing.parapheur.history import Said
from signing.parapheur.mailing import dispatch_of
from signing.parapheur.models import Task
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_fits, assert_sound
from tests.acceptance.web.test_folder_journeys import _SMALL
from tests.acceptance.web.test_folder_journeys import enter as sign_in
from tests.integration.api import service as services
from tests.integration.api.test_docket_pages import annex, with_dockets
from tests.integration.api.test_mail_pages import add_mail, documents
from tests.integration.api.test_parapheur_pages import approve, task_of
from tests.pades_documents import paper, words
from tests.parapheur_office import Office, open_office

_offices: dict[str, Office] = {}
_ODD = "courrier.electronique.de.la.direction.des.collectivites@prefecture-de-departement.test"


@pytest.fixture(scope="module")
def office(site: Site) -> Office:
    return _offices[site.service.address]


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    posting = {"smtp_url": SecretStr("smtp://127.0.0.1:9"), "mail_from": "parapheur@valmorin.test"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "create_app", with_dockets)
        with services.web_service(s3, tmp_path_factory.mktemp("mail"), **posting) as service:
            office = open_office(service.platform, service.mairie.organisation)
            add_mail(office)
            _offices[service.address] = office
            yield Site(service, _furnished(office))


def _furnished(office: Office) -> dict[str, str]:
    plan = annex(office, "Plan de situation du lotissement des Tilleuls.pdf", paper(words("Plan")))
    new, back, gone = (office.folder(f"Arrêté {rank}", "mail", documents=(plan,)) for rank in (1, 2, 3))
    told = office.folder("Convention", "long", documents=(plan,), said=Said("Merci."))
    approve(office, told, "director", Said("Avis favorable."))
    for folder in (back, gone):
        task, own = task_of(office, folder), tuple(documents(office, folder))
        wanted = mailing.Mailing(to=(_ODD, "a@b.test"), subject="Arrêté", documents=own)
        with office.platform.database.writing(PLATFORM) as session:
            mayor = principal_of(session, office.people["mayor"])
            mailing.ask(session, mayor, task, wanted, 1 << 20)
            if folder == back:
                mailing.refused(session, task, ("a@b.test",), {_ODD: 550}, "Le serveur refuse.", {})
    return {
        "mail": f"/parapheur/taches/{task_of(office, new)}/envoyer",
        "mail, refused": f"/parapheur/taches/{task_of(office, back)}/envoyer",
        "folder, to send": f"/parapheur/dossiers/{new}",
        "folder, refused": f"/parapheur/dossiers/{back}",
        "folder, on its way": f"/parapheur/dossiers/{gone}",
        "docket": f"/parapheur/dossiers/{told}/bordereau",
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_neither_the_mail_nor_the_docket_has_a_fault_that_a_machine_can_see(
    visit: Opening, site: Site, office: Office, width: int
) -> None:
    page = sign_in(visit(width=width, signed_in=False), office)
    for where, address in site.pages.items():
        page.goto(address)
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        page.evaluate(_SPACED)
        assert_fits(page, where)
    page.goto(site.pages["mail"])
    page.get_by_label("À", exact=True).fill("pas une adresse")
    page.get_by_role("button", name="Envoyer", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("pas une adresse")
    assert_sound(page, "mail, wrong")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_person_sends_a_folder_by_mail(visit: Opening, office: Office, scripts: bool) -> None:
    folder = office.folder(f"Envoi {scripts}", "mail")
    task = task_of(office, folder)
    page = sign_in(visit(signed_in=False, java_script_enabled=scripts), office)
    page.goto(f"/parapheur/dossiers/{folder}")
    page.get_by_role("link", name="Envoyer par courriel").click()
    page.get_by_label("À", exact=True).fill("prefecture@exemple.test\nministere@exemple.test")
    page.get_by_label("Message").fill("Bonjour,")
    page.get_by_role("button", name="Envoyer", exact=True).click()
    done = f"Courriel confié à la plateforme, qui l’envoie : Envoi {scripts}"
    expect(page.get_by_role("status").filter(has_text=done)).to_be_visible()
    with office.platform.database.reading(PLATFORM) as session:
        kept = dispatch_of(session.get_one(Task, task))
    assert (kept.under_way, kept.asked.to) == (True, ("prefecture@exemple.test", "ministere@exemple.test"))
