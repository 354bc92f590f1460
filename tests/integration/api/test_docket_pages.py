"""The docket in the browser: for whoever sees the folder, as a page of the site and as files, made once for what it tells."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime

import httpx
import pypdfium2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api import dockets
from api.web.docket import page as docket_page
from api.web.folder.page import FOLDER
from core.messages import speaking
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.docket import forms
from signing.docket.content import Docket
from signing.parapheur import folders
from signing.parapheur.folders import Joined
from signing.parapheur.history import Said
from signing.parapheur.models import DocumentKind, Folder, Visibility
from tests.integration.api import service as services
from tests.integration.api.service import Service
from tests.integration.api.test_parapheur_pages import Enter, approve, enter, office, signed_in, text_of, with_book
from tests.pades_documents import paper, words
from tests.parapheur_office import Office

__all__ = ["enter", "office"]


def with_dockets(platform: Platform) -> FastAPI:
    """The application with the dockets, wherever their routes are gathered."""
    app = with_book(platform)
    if not any(route.path == f"{FOLDER}/bordereau" for route in iter_route_contexts(app.routes)):
        app.include_router(docket_page.router)
    return app


@pytest.fixture(scope="module")
def served(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "create_app", with_dockets)
        with services.web_service(s3, tmp_path_factory.mktemp("dockets")) as running:
            yield running


def here(folder: str, name: str = "bordereau") -> str:
    return f"/parapheur/dossiers/{folder}/{name}"


def annex(office: Office, name: str, content: bytes, media_type: str = "application/pdf") -> Joined:
    blob = office.platform.objects.put(io.BytesIO(content))
    return Joined(DocumentKind.ANNEX, name, media_type, blob.sha256, blob.size)


def pages_of(answer: httpx.Response) -> int:
    return len(pypdfium2.PdfDocument(answer.content))


def test_the_page_tells_who_did_what_in_the_site_and_without_private_words(office: Office, enter: Enter) -> None:
    folder = office.folder("Convention « cadre »", "long", due=None)
    approve(office, folder, "director", Said("Avis favorable.", "À voir entre nous."))
    page = enter("mayor").get(here(folder))
    told = text_of(page)
    for said in ("Convention « cadre »", "Avis favorable.", "Dominique Faure", "Visa donné", "Commune de Valmorin"):
        assert said in told
    assert "entre nous" not in page.text
    assert '<main id="main"' in page.text
    assert "style=" not in page.text
    assert [page.text.count(f'href="{here(folder, "bordereau.pdf")}"'), page.text.count(here(folder, "impression.pdf"))] == [1, 1]
    english = httpx.Headers({"Accept-Language": "en"})
    assert "Approved" in text_of(enter("mayor").get(here(folder), headers=english))


def test_the_file_is_a_tagged_pdf_that_the_browser_downloads_and_never_runs(office: Office, enter: Enter) -> None:
    folder = office.folder("À imprimer", "visa")
    given = enter("mayor").get(here(folder, "bordereau.pdf"))
    assert (given.status_code, given.headers["content-type"]) == (200, "application/pdf")
    assert given.headers["content-disposition"] == f'attachment; filename="bordereau-{folder}.pdf"'
    assert (given.headers["content-security-policy"], given.headers["x-content-type-options"]) == (
        "default-src 'none'; sandbox",
        "nosniff",
    )
    assert b"/StructTreeRoot" in given.content


def test_the_print_holds_the_documents_and_the_annexes_that_are_chosen(office: Office, enter: Enter) -> None:
    sheets, text = (
        annex(office, "plan.pdf", paper(words("Plan"), words("Coupe"))),
        annex(office, "notes.txt", b"notes", "text/plain"),
    )
    folder = office.folder("À imprimer en entier", "visa", documents=(sheets, text))
    mayor = enter("mayor")
    page = mayor.get(here(folder)).text
    with office.platform.database.reading(PLATFORM) as session:
        plan, notes = (one.id for one in folders.documents_of(session, folder) if one.kind == DocumentKind.ANNEX.value)
    assert (f'value="{plan}"' in page, f'value="{notes}"' in page) == (True, False)
    docket = pages_of(mayor.get(here(folder, "bordereau.pdf")))
    without, whole = mayor.get(here(folder, "impression.pdf")), mayor.get(here(folder, f"impression.pdf?annexe={plan}"))
    assert whole.headers["content-disposition"] == f'attachment; filename="dossier-{folder}.pdf"'
    assert pages_of(without) >= 2 + docket
    assert pages_of(whole) == pages_of(without) + 2
    assert pages_of(mayor.get(here(folder, "impression.pdf?annexe=ABSENT"))) == pages_of(without)
    assert mayor.get(here(folder, "impression.pdf"), params={"annexe": ["x"] * 201}).status_code == 422


def test_a_document_that_does_not_open_is_told_and_the_docket_is_still_to_be_had(office: Office, enter: Enter) -> None:
    folder = office.folder("Illisible", "visa", document=b"%PDF-1.7 rien")
    refused = enter("mayor").get(here(folder, "impression.pdf"))
    assert (refused.status_code, "ne peut pas être imprimé" in refused.text) == (400, True)
    assert enter("mayor").get(here(folder)).status_code == 200


@pytest.mark.parametrize("name", ["bordereau", "bordereau.pdf", "impression.pdf"])
def test_only_whoever_sees_the_folder_sees_its_docket(office: Office, served: Service, enter: Enter, name: str) -> None:
    folder = office.folder("Confidentiel", "visa")
    answers = {who: enter(who).get(here(folder, name)).status_code for who in ("secretary", "mayor", "watcher", "administrator")}
    assert set(answers.values()) == {200}, answers
    assert enter("stranger").get(here(folder, name)).status_code == 404
    public = office.folder("Public", "visa", visibility=Visibility.PUBLIC)
    assert enter("stranger").get(here(public, name)).status_code == 404
    with signed_in(served, served.mairie.email) as reader:
        assert [reader.get(here(one, name)).status_code for one in (public, folder)] == [200, 404]
    with served.client() as nobody:
        assert nobody.get(here(folder, name)).status_code in {303, 401}


def told_now(office: Office, folder: str) -> dockets.Told:
    return dockets.told_of(office.platform, PLATFORM, folder, lambda session: folders.folder_of(session, folder))


def test_what_was_made_is_kept_until_something_else_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = office.folder("À garder", "visa")
    made: list[datetime] = []
    compose = forms.pdf

    def composed(docket: Docket) -> bytes:
        made.append(docket.at)
        return compose(docket)

    monkeypatch.setattr(forms, "pdf", composed)
    first = dockets.pdf_of(office.platform, told_now(office, folder))
    assert dockets.pdf_of(office.platform, told_now(office, folder)) == first
    assert len(made) == 1
    approve(office, folder, "mayor")
    assert dockets.pdf_of(office.platform, told_now(office, folder)) != first
    with speaking("en"):
        dockets.pdf_of(office.platform, told_now(office, folder))
    assert len(made) == 3


def test_a_draft_that_is_renamed_without_an_event_is_told_anew(office: Office) -> None:
    folder = office.folder("Premier titre", "visa", starts=False)
    before = dockets.page_of(office.platform, told_now(office, folder))
    with office.platform.database.writing(PLATFORM) as session:
        session.get_one(Folder, folder).title = "Second titre"
    after = dockets.page_of(office.platform, told_now(office, folder))
    assert ("Premier titre" in before.title, "Second titre" in after.title) == (True, True)


def test_the_page_of_the_folder_leads_to_its_docket_and_its_print(office: Office, enter: Enter) -> None:
    folder = office.folder("Avec ses liens", "visa")
    page = enter("mayor").get(f"/parapheur/dossiers/{folder}").text
    for name in ("bordereau", "bordereau.pdf", "impression.pdf"):
        assert f'href="{here(folder, name)}"' in page
