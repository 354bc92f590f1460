"""The screen of a mail step: what it asks, what it says when it cannot be sent, what becomes of the folder's page meanwhile."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.parapheur.mailing import server_of as mailing_server
from signing.parapheur import circuits, folders, mailing, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step
from signing.parapheur.folders import Joined
from signing.parapheur.mailing import Dispatch, dispatch_of
from signing.parapheur.models import DocumentKind, StepKind, Task
from signing.parapheur.typology import FieldUse, SubtypeOptions, TypeOptions
from tests.integration.api import service as services
from tests.integration.api.service import Service
from tests.integration.api.test_parapheur_pages import Enter, enter, kinds_of_events, post, task_of, text_of, with_book
from tests.parapheur_office import Office, open_office

__all__ = ["enter"]
PREFECT, MINISTER = "courrier@prefecture.test", "cabinet@ministere.test"
_LIMIT = 100_000


@pytest.fixture(scope="module")
def served(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    posting = {"smtp_url": SecretStr("smtp://127.0.0.1:9"), "mail_from": "parapheur@valmorin.test", "mail_limit": _LIMIT}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "create_app", with_book)
        with services.web_service(s3, tmp_path_factory.mktemp("mail"), **posting) as running:
            yield running


@pytest.fixture(scope="module")
def office(served: Service) -> Office:
    made = open_office(served.platform, served.mairie.organisation)
    add_mail(made)
    return made


def add_mail(office: Office) -> None:
    """A kind of folder that the mayor sends by mail, and one that asks for an amount besides."""
    owner = office.organisation.id
    with office.platform.database.writing(PLATFORM) as session:
        of = typology.add_type(session, owner, "Envoi", TypeOptions(city="Valmorin", postal_code="99000"))
        at = (Place(desk=office.desks["mayor"].id),)
        mail, visa = Step(kind=StepKind.MAIL, places=at), Step(kind=StepKind.VISA, places=at)
        asking = Step(kind=StepKind.MAIL, places=at, approval_fields=("montant",))
        for key, steps in {"mail": [mail, visa], "mail-asking": [asking]}.items():
            circuits.draw_up(session, owner, key, key, steps)
            options = SubtypeOptions(fields=(FieldUse(key="montant"),))
            office.kinds[key] = typology.add_subtype(session, of, key, options, [Row(circuit=key)]).id


def address(task: str) -> str:
    return f"/parapheur/taches/{task}/envoyer"


def dispatch(office: Office, task: str) -> Dispatch:
    with office.platform.database.reading(PLATFORM) as session:
        return dispatch_of(session.get_one(Task, task))


def documents(office: Office, folder: str) -> list[str]:
    with office.platform.database.reading(PLATFORM) as session:
        return [one.id for one in folders.documents_of(session, folder)]


def test_the_page_of_the_folder_leads_to_the_screen_which_proposes_everything(office: Office, enter: Enter) -> None:
    folder, mayor = office.folder("Arrêté « 118 »", "mail"), enter("mayor")
    task = task_of(office, folder)
    page = mayor.get(f"/parapheur/dossiers/{folder}")
    assert re.search(rf'<a class="button primary" href="{address(task)}\?[^"]*"[^>]*>Envoyer par courriel</a>', page.text)
    shown = mayor.get(address(task))
    assert 'value="Arrêté « 118 »"' in html.unescape(shown.text)
    ticked = re.findall(r'type="checkbox"[^>]* name="(\w+)" value="(\w+)" checked', shown.text)
    assert ticked == [("document", documents(office, folder)[0]), ("bordereau", "1")]
    assert "97,7 Kio au plus" in text_of(shown)


def test_what_is_asked_is_kept_and_the_page_then_waits_for_the_platform(office: Office, enter: Enter) -> None:
    folder, mayor = office.folder("À envoyer", "mail"), enter("mayor")
    task = task_of(office, folder)
    given: dict[str, str | list[str]] = {
        "a": f"Préfecture <{PREFECT}>\r\n{MINISTER} ; a@b.test", "cc": "", "cci": "archives@valmorin.test",
        "objet": " Arrêté ", "message": "Bonjour,\r\n", "document": documents(office, folder), "bordereau": "1",
        "note": "Parti ce jour.", "depuis": "a-traiter",
    }  # fmt: skip
    done = post(mayor, address(task), **given)
    assert done.status_code == 303, text_of(done)
    assert "Courriel confié à la plateforme, qui l’envoie : À envoyer" in text_of(mayor.get(done.headers["location"]))
    kept = dispatch(office, task)
    assert (kept.asked.to, kept.asked.bcc) == ((PREFECT, MINISTER, "a@b.test"), ("archives@valmorin.test",))
    assert (kept.asked.subject, kept.asked.message, kept.asked.docket, kept.under_way) == ("Arrêté", "Bonjour,\n", True, True)
    page = mayor.get(f"/parapheur/dossiers/{folder}")
    assert "Le courriel est en route." in text_of(page)
    assert ("/rejeter" in page.text, "/transferer" in page.text, address(task) in page.text) == (False, False, False)
    assert mayor.get(address(task)).status_code == 303
    assert post(mayor, address(task), **given).status_code == 409
    assert kinds_of_events(office, folder).count("mailing") == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"a": "pas une adresse"}, "Ces adresses ne se lisent pas : pas une adresse."),
        ({"a": ""}, "Indiquez au moins un destinataire."),
        ({"objet": ""}, "Donnez un objet"),
        ({"message": "x" * 5001}, "plus de 5000 caractères"),
        ({"document": "01" + "A" * 24}, "Ce document n’est pas dans le dossier."),
        ({"note": "x" * 513}, "512"),
    ],
)
def test_what_cannot_be_sent_comes_back_with_what_was_typed(
    office: Office, enter: Enter, wrong: dict[str, str], said: str
) -> None:
    folder = office.folder("Mal rempli", "mail")
    task = task_of(office, folder)
    given = {"a": PREFECT, "objet": "Objet tapé", "message": "Message <tapé>", "document": documents(office, folder)[0], **wrong}
    back = post(enter("mayor"), address(task), **given)
    assert back.status_code in {400, 404}
    assert 'role="alert"' in back.text
    assert said in text_of(back)
    if "message" not in wrong:
        assert "Message &lt;tapé&gt;</textarea>" in back.text
    assert 'value="1" checked' not in back.text, "the docket was not ticked"
    assert not dispatch(office, task).turn


def test_documents_that_are_too_heavy_are_told_before_and_refused(office: Office, enter: Enter) -> None:
    blob = office.platform.objects.put(io.BytesIO(b"x" * _LIMIT))
    heavy = Joined(DocumentKind.ANNEX, "plan.bin", "application/octet-stream", blob.sha256, blob.size)
    folder = office.folder("Trop lourd", "mail", documents=(heavy,))
    task = task_of(office, folder)
    assert "choisissez ce qui part, 97,7 Kio au plus" in text_of(enter("mayor").get(address(task)))
    own, plan = documents(office, folder)
    refused = post(enter("mayor"), address(task), a=PREFECT, objet="Plan", document=[own, plan])
    assert (refused.status_code, "dépassent" in refused.text) == (400, True)
    assert post(enter("mayor"), address(task), a=PREFECT, objet="Plan", document=[own]).status_code == 303


def test_metadata_that_the_step_asks_for_are_given_with_the_mail(office: Office, enter: Enter) -> None:
    folder, mayor = office.folder("Avec montant", "mail-asking"), enter("mayor")
    task, own = task_of(office, folder), documents(office, folder)
    assert 'name="champ.montant"' in mayor.get(address(task)).text
    assert post(mayor, address(task), a=PREFECT, objet="x", document=own).status_code == 400
    assert post(mayor, address(task), a=PREFECT, objet="x", document=own, **{"champ.montant": "12,50"}).status_code == 303


def test_after_a_refusal_the_screen_says_who_was_served_and_what_to_mend(office: Office, enter: Enter) -> None:
    folder, mayor = office.folder("Refusé", "mail"), enter("mayor")
    task = task_of(office, folder)
    post(mayor, address(task), a=f"{PREFECT}\n{MINISTER}", objet="Objet", message="Texte", document=documents(office, folder))
    with office.platform.database.writing(PLATFORM) as session:
        mailing.refused(session, task, (PREFECT,), {MINISTER: 550}, "", {})
    assert f"{MINISTER} : adresse refusée (550)" in text_of(mayor.get(f"/parapheur/dossiers/{folder}"))
    shown = mayor.get(address(task))
    assert f"Déjà envoyé, et qui ne le sera pas de nouveau : {PREFECT}." in text_of(shown)
    field = re.search(r'<textarea id="a"[^>]*>([^<]*)</textarea>', shown.text)
    assert field is not None
    assert field[1] == MINISTER
    assert "Texte</textarea>" in shown.text


def test_without_a_server_the_screen_says_so_before_and_nothing_is_asked(
    office: Office, served: Service, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mayor = office.folder("Sans serveur", "mail"), enter("mayor")
    task = task_of(office, folder)
    without = served.platform.settings.model_copy(update={"smtp_url": SecretStr("")})
    monkeypatch.setattr("api.web.folder.mailing.server_of", lambda _, of=mailing_server: of(without))
    assert "Aucun courriel ne part de cette plateforme" in text_of(mayor.get(address(task)))
    answer = post(mayor, address(task), a=PREFECT, objet="x", document=documents(office, folder))
    assert (answer.status_code, dispatch(office, task).turn) == (503, 0)


def test_only_the_desk_that_is_asked_sends_and_only_from_our_form(office: Office, enter: Enter) -> None:
    folder = office.folder("À nous", "mail")
    task, own = task_of(office, folder), documents(office, folder)
    given: dict[str, str | list[str]] = {"a": PREFECT, "objet": "x", "document": own}
    assert enter("watcher").get(address(task)).status_code == 303
    assert post(enter("watcher"), address(task), **given).status_code == 403
    assert post(enter("stranger"), address(task), **given).status_code == 404
    forged = enter("mayor").post(address(task), data={**given, "csrf": "x"})
    assert (forged.status_code, dispatch(office, task).turn) == (403, 0)
    visa = office.folder("Un visa", "visa")
    other = task_of(office, visa)
    assert enter("mayor").get(address(other)).status_code == 303
    assert post(enter("mayor"), address(other), **given).status_code == 400
