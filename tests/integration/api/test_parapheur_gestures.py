"""What else is done with folders in the browser: several at once, other desks, files that come back, the end of the road."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import httpx
import pytest
from lxml import etree
from pydantic import SecretStr
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field
from sqlalchemy import event, text
from sqlmodel import Session, select

from core import clock
from core.configuration import configure
from core.database import Database
from core.organisations import OrganisationKind, add_organisation
from core.people import Person, add_person, grant_role, principal_of
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from core.secrets import SecretBox
from core.settings import Settings
from flows.parapheur.signing import settle
from schemas.pes.sample import Sample, write_sample
from signing.cades.seal import Cades
from signing.legs import sign
from signing.parapheur import desks, signatures, trays
from signing.parapheur.desks import around
from signing.parapheur.folders import documents_of
from signing.parapheur.models import Capacity, FolderDocument, Subtype, Task
from signing.parapheur.sealing import SEAL, ServerSeal
from signing.parapheur.signatories import declare, known_to
from signing.parapheur.trays import Place, Tray, Wanted
from signing.pes.envelope import SealContext
from signing.pes.seal import seal as seal_pes
from signing.pki import TestAuthority
from signing.sittings.models import ItemState, SittingItem
from signing.xades.seal import XadesDetached
from tests.integration.api.test_parapheur_pages import (
    Enter,
    approve,
    enter,
    folder_of,
    kinds_of_events,
    office,
    post,
    served,
    task_of,
    text_of,
    token_of,
)
from tests.pades_documents import paper, revised, signed_elsewhere, signer_of, words
from tests.parapheur_office import Office, multiply, open_office

__all__ = ["enter", "office", "served"]


def documents(office: Office, folder_id: str) -> list[FolderDocument]:
    with office.platform.database.reading(PLATFORM) as session:
        return documents_of(session, folder_id)


def choose(client: httpx.Client, gesture: str, *chosen: str) -> httpx.Response:
    return client.get("/parapheur/selection", params={"geste": gesture, "choix": list(chosen), "depuis": "a-traiter"})


def test_a_mixed_selection_is_split_and_says_why_folders_are_left_out(office: Office, enter: Enter) -> None:
    mayor = enter("mayor")
    visa, signature, reading, opinion = (
        office.folder(f"Choix {kind}", kind) for kind in ("visa", "signature", "reading", "seal")
    )
    chosen = [task_of(office, folder) for folder in (visa, signature, reading, opinion)]
    review = choose(mayor, "viser", *chosen)
    told = text_of(review)
    assert "Viser 1 dossier" in told
    assert "3 dossiers laissés de côté" in told
    assert "Choix signature Demande une signature." in told
    assert "Choix reading Lecture obligatoire" in told
    assert "Choix seal Demande un cachet" in told
    assert f'<input type="hidden" name="choix" value="{chosen[0]}">' in review.text
    assert review.text.count(f'value="{chosen[1]}"') == 1, "offered to be signed instead"
    signing = choose(mayor, "signer", *chosen)
    assert 'action="/parapheur/seances"' in signing.text
    assert re.findall(r'name="tache" value="(\w+)"', signing.text) == [chosen[1]]


def test_what_came_of_each_folder_is_told_on_the_page_that_follows(office: Office, enter: Enter) -> None:
    mayor = enter("mayor")
    folders = [office.folder(f"Lot {rank}", "visa") for rank in (1, 2, 3)]
    chosen = [task_of(office, folder) for folder in folders]
    approve(office, folders[1], "mayor")
    done = post(mayor, "/parapheur/selection/viser", choix=chosen, note="En lot.", depuis="a-traiter")
    assert done.status_code == 303
    told = text_of(mayor.get(done.headers["location"]))
    assert "Visa : 2 faits, 1 en échec." in told
    assert re.search(r"Lot 2 : Ce dossier vient d’être traité par Camille Aubert", told)
    assert [kinds_of_events(office, folder).count("approved") for folder in folders] == [1, 1, 1]
    forged = mayor.get("/parapheur/a-traiter?bilan=gAAAAABforged")
    assert (forged.status_code, "en échec" in forged.text) == (200, False)


def test_metadata_are_asked_once_for_all_the_folders_that_want_them(office: Office, enter: Enter) -> None:
    mayor = enter("mayor")
    folders = [office.folder(f"Commande {rank}", "asking") for rank in (1, 2)] + [office.folder("Sans montant", "visa")]
    chosen = [task_of(office, folder) for folder in folders]
    assert choose(mayor, "viser", *chosen).text.count('name="champ.montant"') == 1
    post(mayor, "/parapheur/selection/viser", choix=chosen, **{"champ.montant": "99"})
    assert [folder_of(office, folder).fields.get("montant") for folder in folders] == ["99", "99", None]


def test_several_are_rejected_taken_back_started_erased_and_put_away(office: Office, enter: Enter) -> None:
    mayor, secretary = enter("mayor"), enter("secretary")
    rejected = [office.folder(f"Rejet {rank}", "visa") for rank in (1, 2)]
    chosen = [task_of(office, folder) for folder in rejected]
    assert post(mayor, "/parapheur/selection/rejeter", choix=chosen).status_code == 400
    post(mayor, "/parapheur/selection/rejeter", choix=chosen, note="Doublon.")
    assert [folder_of(office, folder).state for folder in rejected] == ["rejected", "rejected"]
    post(secretary, "/parapheur/selection/effacer", choix=rejected)
    assert [(folder_of(office, folder).state, documents(office, folder)) for folder in rejected] == [("erased", [])] * 2
    drafts = [office.folder(f"Départ {rank}", "visa", starts=False) for rank in (1, 2)]
    post(secretary, "/parapheur/selection/demarrer", choix=drafts)
    assert [folder_of(office, folder).state for folder in drafts] == ["pending", "pending"]
    post(secretary, "/parapheur/selection/recuperer", choix=drafts)
    assert [folder_of(office, folder).state for folder in drafts] == ["draft", "draft"]
    ended = office.folder("Fini", "asking", fields={"montant": "1"})
    post(mayor, "/parapheur/selection/corbeille", choix=[ended])
    assert folder_of(office, ended).state == "pending", "only the sending desk puts away"
    post(mayor, f"/parapheur/taches/{task_of(office, ended)}/viser")
    post(secretary, "/parapheur/selection/corbeille", choix=[ended])
    assert folder_of(office, ended).state == "trashed"


def test_whoever_may_not_deposit_sends_and_gives_up_nothing_from_a_desk_that_they_hold(office: Office, enter: Enter) -> None:
    desk, signer = office.desks["secretary"], office.people["director"].id
    draft, refused = office.folder("Sans dépôt", "visa", starts=False), office.folder("Refusé", "visa")
    post(enter("mayor"), f"/parapheur/taches/{task_of(office, refused)}/rejeter", note="Non.")
    sent, ended = office.folder("Parti", "visa"), office.folder("Terminé", "asking", fields={"montant": "1"})
    post(enter("mayor"), f"/parapheur/taches/{task_of(office, ended)}/viser")
    with office.platform.database.writing(PLATFORM) as session:
        desks.seat(session, desk, signer)
    director, before = enter("director"), ["draft", "rejected", "pending", "finished"]
    try:
        assert "1 dossier laissé de côté" in text_of(choose(director, "demarrer", draft))
        for gesture in ("demarrer", "effacer", "corbeille", "recuperer"):
            done = post(director, f"/parapheur/selection/{gesture}", choix=[draft, refused, sent, ended])
            assert "4 en échec" in text_of(director.get(done.headers["location"]))
        for folder in (draft, refused, ended):
            shown = director.get(f"/parapheur/dossiers/{folder}")
            assert (shown.status_code, "/effacer" in shown.text, "/corbeille" in shown.text) == (200, False, False)
            assert post(director, f"/parapheur/dossiers/{folder}/effacer").status_code == 403
        assert post(director, f"/parapheur/dossiers/{ended}/corbeille").status_code == 403
        assert director.get(f"/parapheur/brouillons/{draft}").status_code == 403
    finally:
        with office.platform.database.writing(PLATFORM) as session:
            desks.unseat(session, desk, signer, Capacity.HOLDER)
    assert [folder_of(office, folder).state for folder in (draft, refused, sent, ended)] == before


def test_an_opinion_is_asked_given_and_comes_back_and_a_transfer_moves_the_task(office: Office, enter: Enter) -> None:
    folder = office.folder("Avis", "visa")
    mayor, deputy, task = enter("mayor"), enter("deputy"), task_of(office, folder)
    screen = mayor.get(f"/parapheur/taches/{task}/demander-avis")
    assert "Première adjointe" in screen.text
    assert f'value="{office.desks["mayor"].id}"' not in screen.text
    assert post(mayor, f"/parapheur/taches/{task}/demander-avis", bureau="").status_code == 400
    asked = post(mayor, f"/parapheur/taches/{task}/demander-avis", bureau=office.desks["deputy"].id, note="Votre avis ?")
    assert asked.status_code == 303
    assert "avis demandé à Première adjointe" in text_of(mayor.get(f"/parapheur/dossiers/{folder}"))
    opinion = task_of(office, folder, "deputy")
    assert "Votre avis est demandé." in text_of(deputy.get(f"/parapheur/dossiers/{folder}"))
    assert post(deputy, f"/parapheur/taches/{opinion}/avis").status_code == 400
    assert post(deputy, f"/parapheur/taches/{opinion}/avis", note="Favorable.").status_code == 303
    moved = post(mayor, f"/parapheur/taches/{task_of(office, folder)}/transferer", bureau=office.desks["deputy"].id)
    assert moved.status_code == 303
    told = text_of(mayor.get(f"/parapheur/dossiers/{folder}"))
    assert "transféré à Première adjointe" in told
    assert "Favorable." in told
    assert post(deputy, f"/parapheur/taches/{task_of(office, folder, 'deputy')}/viser").status_code == 303


def test_a_note_and_a_paper_signature_leave_their_words(office: Office, enter: Enter) -> None:
    folder = office.folder("Papier")
    mayor, task = enter("mayor"), task_of(office, folder)
    assert post(mayor, f"/parapheur/taches/{task}/annoter").status_code == 400
    noted = post(mayor, f"/parapheur/taches/{task}/annoter", note="Vu ce jour.")
    assert f"/parapheur/dossiers/{folder}" in noted.headers["location"]
    assert post(mayor, f"/parapheur/taches/{task}/papier", note="Signé en mairie.").status_code == 303
    told = text_of(mayor.get(f"/parapheur/dossiers/{folder}"))
    assert "Vu ce jour." in told
    assert "Signé sur papier" in told
    long_note = post(mayor, f"/parapheur/taches/{task}/annoter", note="x" * 513)
    assert long_note.status_code == 400


def test_an_annex_is_joined_by_whoever_has_the_folder_and_taken_out_in_the_same_step_only(office: Office, enter: Enter) -> None:
    folder = office.folder("Annexé", "long")
    director, mayor = enter("director"), enter("mayor")
    address = f"/parapheur/dossiers/{folder}/annexes"
    files = [("annexe", ("plan.pdf", paper(), "text/html")), ("annexe", ("notes/../note.txt", b"Bonjour", "text/plain"))]
    assert director.post(address, data={"csrf": token_of(director)}, files=files).status_code == 303
    annexes = [one for one in documents(office, folder) if one.kind == "annex"]
    assert [(one.name, one.media_type) for one in annexes] == [("plan.pdf", "application/pdf"), ("note.txt", "text/plain")]
    assert mayor.post(address, data={"csrf": token_of(mayor)}, files=files).status_code == 403
    assert director.post(address, data={"csrf": token_of(director)}).status_code == 400
    assert post(director, f"{address}/{annexes[0].id}/retirer").status_code == 303
    approve(office, folder, "director")
    shown = mayor.get(f"/parapheur/dossiers/{folder}")
    assert f"{annexes[1].id}/retirer" not in shown.text
    assert post(mayor, f"{address}/{annexes[1].id}/retirer").status_code == 403
    given = mayor.get(f"/parapheur/dossiers/{folder}/documents/{annexes[1].id}")
    assert given.headers["content-disposition"].startswith("attachment")
    assert kinds_of_events(office, folder) == ["created", "started", "annexed", "annex_removed", "approved"]
    sealed = office.folder("Sans annexe", "seal")
    refused = mayor.post(f"/parapheur/dossiers/{sealed}/annexes", data={"csrf": token_of(mayor)}, files=files)
    assert refused.status_code == 403


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority.create()


def give_back(client: httpx.Client, task: str, document: str, octets: bytes, name: str = "rendu.pdf") -> httpx.Response:
    files = {f"fichier.{document}": (name, octets)}
    return client.post(f"/parapheur/taches/{task}/importer", data={"csrf": token_of(client)}, files=files)


def test_a_pdf_signed_elsewhere_is_taken_only_if_it_is_the_same_with_a_signature_that_holds(
    office: Office, enter: Enter, authority: TestAuthority
) -> None:
    original = paper(words("Contrat"))
    folder = office.folder("Contrat", "external", document=original)
    mayor, task = enter("mayor"), task_of(office, folder)
    document = documents(office, folder)[0].id
    assert "Enregistrer la signature externe" in mayor.get(f"/parapheur/dossiers/{folder}").text
    key = authority.seal("Prestataire", bits=2048)
    signed = signed_elsewhere(original, key)
    broken = signed[:200] + bytes([signed[200] ^ 1]) + signed[201:]
    for octets, why in (
        (original, "sans nouvelle signature"),
        (signed_elsewhere(paper(words("Autre")), key), "son contenu a changé"),
        (broken, "son contenu a changé"),
        (b"PK\x03\x04\0", "ne porte pas de signature"),
        (b"Bonjour", "ne peut pas être lu"),
    ):
        refused = give_back(mayor, task, document, octets)
        assert (refused.status_code, why in text_of(refused)) == (400, True), (why, text_of(refused))
    assert post(mayor, f"/parapheur/taches/{task}/importer").status_code == 400
    assert give_back(mayor, task, document, signed).status_code == 303
    kept = documents(office, folder)[0]
    assert kept.sha256 != kept.source_sha256
    assert kinds_of_events(office, folder)[-1] == "signed"
    assert mayor.get(f"/parapheur/dossiers/{folder}/documents/{document}").content == signed


@pytest.mark.parametrize("form", ["pdf", "p7s", "xml"])
def test_whoever_signs_elsewhere_signs_with_a_certificate_of_their_own(
    office: Office, enter: Enter, authority: TestAuthority, tmp_path: Path, form: str
) -> None:
    original = signed_elsewhere(paper(words("Convention")), authority.seal("Prestataire", bits=2048))
    (tmp_path / "convention.pdf").write_bytes(original)

    def signed(name: str) -> bytes:
        if form == "pdf":
            return signed_elsewhere(original, authority.seal(name, bits=2048), field="Maire")
        how = Cades() if form == "p7s" else XadesDetached()
        sign(how, tmp_path / "convention.pdf", tmp_path / "signature", signer_of(authority, name=name))
        return (tmp_path / "signature").read_bytes()

    folder = office.folder(f"Convention {form}", document=original, name="convention.pdf")
    mayor, task = enter("mayor"), task_of(office, folder)
    document = documents(office, folder)[0].id
    refused = give_back(mayor, task, document, signed("Quidam Inconnu"))
    assert (refused.status_code, "Quidam Inconnu, pas celui de Camille Aubert" in text_of(refused)) == (403, True)
    assert folder_of(office, folder).state == "pending"
    assert give_back(mayor, task, document, signed("AUBERT Camille")).status_code == 303
    with office.platform.database.reading(PLATFORM) as session:
        assert "AUBERT Camille" in [one.subject for one in known_to(session, office.people["mayor"].id)]


def test_a_certificate_that_was_declared_for_somebody_is_theirs_whatever_name_it_bears(
    office: Office, enter: Enter, authority: TestAuthority
) -> None:
    original, key = paper(words("Bail")), authority.seal("SIGNATAIRE 4521", bits=2048)
    folder = office.folder("Bail", document=original)
    mayor, task, document = enter("mayor"), task_of(office, folder), documents(office, folder)[0].id
    signed = signed_elsewhere(original, key)
    assert give_back(mayor, task, document, signed).status_code == 403
    with office.platform.database.writing(PLATFORM) as session:
        declare(session, office.people["mayor"].id, key.certificate)
    assert give_back(mayor, task, document, signed).status_code == 303


def test_a_detached_signature_made_elsewhere_is_kept_beside_the_document_it_signs(
    office: Office, enter: Enter, authority: TestAuthority, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_bytes(b"Texte du contrat.")
    (tmp_path / "autre.txt").write_bytes(b"Un autre texte.")
    signer = signer_of(authority, name="Prestataire Exemple")
    for name in ("note", "autre"):
        sign(Cades(), tmp_path / f"{name}.txt", tmp_path / f"{name}.p7s", signer)
    folder = office.folder("Texte", "external", document=b"Texte du contrat.", name="contrat.txt", media_type="text/plain")
    mayor, task, document = enter("mayor"), task_of(office, folder), documents(office, folder)[0].id
    assert give_back(mayor, task, document, (tmp_path / "autre.p7s").read_bytes()).status_code == 400
    assert give_back(mayor, task, document, (tmp_path / "note.p7s").read_bytes()).status_code == 303
    main, detached = documents(office, folder)
    assert (main.sha256, detached.signature_of) == (main.source_sha256, main.id)
    assert detached.name == "contrat-1-Prestataire Exemple.p7s"


def test_the_four_answers_about_a_signature_stand_apart(office: Office, enter: Enter, authority: TestAuthority) -> None:
    signed = signed_elsewhere(paper(words("Déjà signé")), authority.seal("Camille Exemple", bits=2048))
    folder = office.folder("Déjà signé", document=signed)
    mayor = enter("mayor")
    page = mayor.get(f"/parapheur/dossiers/{folder}")
    assert f'hx-get="/parapheur/dossiers/{folder}/signatures"' in page.text
    assert mayor.get(f"/parapheur/dossiers/{folder}/signatures").status_code == 303
    told = text_of(mayor.get(f"/parapheur/dossiers/{folder}"))
    for answer in ("Camille Exemple", "Signature intacte", "Certificat non vérifié", "Signataire non reconnu", "Date déclarée"):
        assert answer in told
    partial = mayor.get(f"/parapheur/dossiers/{folder}/signatures", headers={"HX-Request": "true"})
    assert "Signature intacte" in partial.text
    assert "<html" not in partial.text


def test_what_spoils_a_signature_or_stands_beside_it_is_told_before_what_holds(
    office: Office, enter: Enter, authority: TestAuthority, tmp_path: Path
) -> None:
    def covers(writer: IncrementalPdfFileWriter) -> None:
        append_signature_field(writer, SigFieldSpec("Plus tard", box=(0, 0, 500, 800)))

    key = authority.seal("Camille Exemple", bits=2048)
    changed = office.folder("Recouvert", document=revised(signed_elsewhere(paper(words("Signé")), key), covers))
    source, sealed = tmp_path / "source.xml", tmp_path / "sealed.xml"
    write_sample(Sample("FLUX", bordereaux=2), source)
    seal_pes(source, sealed, signer_of(authority), SealContext(role="Maire", city="X", postal_code="1"))
    tree = etree.parse(sealed)
    bordereau = tree.getroot().findall(".//Bordereau")[1]
    bordereau.remove(bordereau.find("{*}Signature"))
    partly = office.folder("Flux", document=etree.tostring(tree), name="flux.xml", media_type="application/xml")
    mayor = enter("mayor")
    for folder, first, why in (
        (changed, "Signature invalide", "modifié après signature"),
        (partly, "Le bordereau 102 n’est pas signé", "Signature intacte"),
    ):
        told = text_of(mayor.get(f"/parapheur/dossiers/{folder}/signatures", headers={"HX-Request": "true"}))
        assert first in told
        assert why in told
        assert told.index(first) < told.index("Signature intacte")
        assert ("Signature invalide" in told) is (folder == changed)


def test_the_seal_is_set_once_configured_and_says_so_before(office: Office, enter: Enter, authority: TestAuthority) -> None:
    folder = office.folder("À cacheter", "seal")
    mayor, task = enter("mayor"), task_of(office, folder)
    refused = post(mayor, f"/parapheur/taches/{task}/cacheter", note="Pour affichage.")
    assert (refused.status_code, "Aucun cachet serveur" in refused.text) == (503, True)
    assert ">Pour affichage.</textarea>" in refused.text
    pkcs12 = authority.seal("Commune de Valmorin", bits=2048).as_pkcs12("secret")
    seal = ServerSeal(pkcs12=SecretStr(base64.b64encode(pkcs12).decode()), password=SecretStr("secret"), quality="Commune")
    with office.platform.database.writing(PLATFORM) as session:
        configure(session, office.platform.secrets, office.organisation.id, SEAL, seal)
    done = post(mayor, f"/parapheur/taches/{task}/cacheter")
    assert done.status_code == 303
    assert "Cachet apposé : À cacheter" in text_of(mayor.get(done.headers["location"]))
    kept = documents(office, folder)[0]
    assert kept.sha256 != kept.source_sha256
    assert kinds_of_events(office, folder)[-1] == "sealed"


def test_an_administrator_goes_past_a_step_and_says_why(office: Office, enter: Enter) -> None:
    folder = office.folder("Bloqué", "long")
    administrator = enter("administrator")
    assert "Passer l’étape d’office" in administrator.get(f"/parapheur/dossiers/{folder}").text
    assert "forcer" not in enter("secretary").get(f"/parapheur/dossiers/{folder}").text
    assert post(enter("secretary"), f"/parapheur/dossiers/{folder}/forcer", note="Pressé.").status_code == 403
    assert post(administrator, f"/parapheur/dossiers/{folder}/forcer").status_code == 400
    assert post(administrator, f"/parapheur/dossiers/{folder}/forcer", note="Bureau vacant.").status_code == 303
    assert folder_of(office, folder).rank == 1
    assert "passé d’office par Ange Valette" in text_of(administrator.get(f"/parapheur/dossiers/{folder}"))


def test_a_desk_that_awaits_an_opinion_that_never_comes_is_gone_past(office: Office, enter: Enter) -> None:
    folder = office.folder("Avis sans retour", "visa")
    post(enter("mayor"), f"/parapheur/taches/{task_of(office, folder)}/demander-avis", bureau=office.desks["deputy"].id)
    with office.platform.database.writing(PLATFORM) as session:
        session.delete(session.get_one(Task, task_of(office, folder, "deputy")))
    administrator = enter("administrator")
    assert f"/parapheur/dossiers/{folder}/forcer" in administrator.get(f"/parapheur/dossiers/{folder}").text
    assert post(administrator, f"/parapheur/dossiers/{folder}/forcer", note="Avis perdu.").status_code == 303
    assert folder_of(office, folder).rank == 1


def test_the_signature_of_a_pes_is_not_gone_past_what_comes_before_it_is(office: Office, enter: Enter) -> None:
    folder = office.folder("PES d’office", "pes", document=b"<x/>", name="p.xml", media_type="application/xml")
    administrator, address = enter("administrator"), f"/parapheur/dossiers/{folder}/forcer"
    assert post(administrator, address, note="Bureau vacant.").status_code == 303
    refused = post(administrator, address, note="Bureau vacant.")
    assert (refused.status_code, "Un PES ne part pas sans signature" in text_of(refused)) == (409, True)
    assert folder_of(office, folder).state == "pending"
    assert kinds_of_events(office, folder)[-1] == "bypassed"


def test_a_pes_is_not_offered_to_be_signed_on_paper_and_cannot_be(office: Office, enter: Enter) -> None:
    folder = office.folder("PES sur papier", "pes", document=b"<x/>", name="p.xml", media_type="application/xml")
    approve(office, folder, "mayor")
    mayor, task = enter("mayor"), task_of(office, folder)
    assert f"/parapheur/taches/{task}/papier" not in mayor.get(f"/parapheur/dossiers/{folder}").text
    assert post(mayor, f"/parapheur/taches/{task}/papier").status_code == 403
    assert folder_of(office, folder).state == "pending"


@pytest.mark.parametrize("lost", ["account", "role", "desk"])
def test_whoever_loses_the_right_to_sign_while_they_sign_has_signed_nothing(office: Office, lost: str) -> None:
    folder, platform = office.folder(f"Perdu {lost}"), office.platform
    with platform.database.writing(PLATFORM) as session:
        person = add_person(session, f"{lost}@valmorin.test", "Maxence Sortant", None)
        role = grant_role(session, person, office.organisation, "signataire")
        desks.seat(session, office.desks["mayor"], person.id)
        who = principal_of(session, person)
    passed = signatures.open_signing(platform, who, [task_of(office, folder)])
    with platform.database.writing(PLATFORM) as session:
        for item in session.exec(select(SittingItem).where(SittingItem.sitting_id == passed.sitting_id)):
            item.state, item.result_sha256, item.result_size = ItemState.SIGNED.value, item.sha256, item.size
            session.add(item)
        held = session.get_one(Person, person.id)
        if lost == "account":
            held.suspended = clock.now()
            session.add(held)
        elif lost == "role":
            session.delete(session.merge(role))
        else:
            desks.unseat(session, office.desks["mayor"], person.id, Capacity.HOLDER)
    (failure,) = settle(platform, passed.sitting_id)
    assert failure.reason
    assert (folder_of(office, folder).state, kinds_of_events(office, folder)) == ("pending", ["created", "started"])
    with platform.database.writing(PLATFORM) as session:
        desks.unseat(session, office.desks["mayor"], person.id, Capacity.HOLDER)


def test_a_metadata_that_its_kind_fixes_is_shown_and_a_change_of_another_stands_in_the_history(
    office: Office, enter: Enter
) -> None:
    folder, mayor = office.folder("Montant changé", "asking", fields={"montant": "100"}), enter("mayor")
    assert post(mayor, f"/parapheur/taches/{task_of(office, folder)}/viser", **{"champ.montant": "250"}).status_code == 303
    assert "Montant : 100 → 250" in text_of(mayor.get(f"/parapheur/dossiers/{folder}"))
    with office.platform.database.writing(PLATFORM) as session:
        subtype = session.get_one(Subtype, office.kinds["asking"])
        kept = subtype.options
        subtype.options = {**kept, "fields": [{"key": "montant", "editable": False}]}
        session.add(subtype)
    fixed = office.folder("Montant fixé", "asking", fields={"montant": "100"})
    assert 'name="champ.montant"' not in mayor.get(f"/parapheur/dossiers/{fixed}").text
    task = task_of(office, fixed)
    refused = post(mayor, f"/parapheur/taches/{task}/viser", **{"champ.montant": "250"})
    assert (refused.status_code, "ne laisse pas modifier" in text_of(refused)) == (400, True)
    assert post(mayor, f"/parapheur/taches/{task}/viser").status_code == 303
    with office.platform.database.writing(PLATFORM) as session:
        subtype = session.get_one(Subtype, office.kinds["asking"])
        subtype.options = kept
        session.add(subtype)


def test_the_stamp_is_placed_by_whoever_signs(office: Office, enter: Enter) -> None:
    folder = office.folder("À placer")
    document = documents(office, folder)[0].id
    address = f"/parapheur/dossiers/{folder}/documents/{document}/emplacement"
    assert address in enter("mayor").get(f"/parapheur/dossiers/{folder}?emplacement=1").text
    assert address not in enter("watcher").get(f"/parapheur/dossiers/{folder}?emplacement=1").text
    assert post(enter("watcher"), address, page="1", preset="bas-droite").status_code == 403
    assert post(enter("mayor"), address, page="9", preset="bas-droite").status_code == 400
    assert post(enter("mayor"), address, page="1", preset="bas-droite").status_code == 303
    assert (documents(office, folder)[0].stamp or {})["x"] == 359
    post(enter("mayor"), address, page="1", preset="repere")
    assert documents(office, folder)[0].stamp is None


def test_lists_are_narrowed_in_the_address_and_turned_page_by_page(office: Office, enter: Enter) -> None:
    folders = [office.folder(f"Page {rank:02d}", "visa") for rank in range(27)]
    mayor = enter("mayor")
    first = mayor.get("/parapheur/a-traiter", params={"q": "Page "})
    assert first.text.count('name="choix"') == 25
    following = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert following is not None
    second = mayor.get(unescape_link(following[1]))
    assert ["Page 25" in second.text, "Page 26" in second.text, second.text.count('name="choix"')] == [True, True, 2]
    back = re.search(r'href="([^"]+)" rel="prev"', second.text)
    assert back is not None
    assert mayor.get(unescape_link(back[1])).text.count('name="choix"') == 25
    only = mayor.get("/parapheur", params={"q": "Page ", "demande": "signature"})
    assert "Aucun dossier ne correspond" in only.text
    assert "27 sur 27" in text_of(mayor.get(f"/parapheur/dossiers/{folders[-1]}", params={"depuis": "a-traiter?q=Page "}))
    assert mayor.get("/parapheur/a-traiter", params={"apres": "x"}).status_code == 400
    assert mayor.get("/parapheur", params={"bureau": "'; drop table folder"}).status_code == 200
    counters = mayor.get("/parapheur/compteurs", params={"ici": "en-retard"})
    assert 'aria-current="page"' in counters.text
    assert "<html" not in counters.text


def unescape_link(address: str) -> str:
    return address.replace("&amp;", "&")


@pytest.mark.parametrize("who", ["stranger", "newcomer", "mayor", "secretary"])
def test_every_tray_has_its_page_and_words_of_its_own_when_it_is_empty(enter: Enter, who: str) -> None:
    pages = [enter(who).get(f"/parapheur/{tray.value}") for tray in Tray]
    assert {page.status_code for page in pages} == {200}
    empty = {"stranger": "Rien à traiter.", "newcomer": "Vous ne tenez aucun bureau."}
    assert empty.get(who, "") in text_of(pages[0])
    titles = [re.findall("<title>(.+)</title>", page.text)[0] for page in pages]
    assert len(set(titles)) == len(titles)


@pytest.fixture
def thousands(database: Database, tmp_path: Path, s3: S3Server) -> Office:
    """A desk with two thousand folders, in a database that holds thirty thousand of others, and has counted them."""
    settings, box = Settings(state_dir=tmp_path), SecretBox.created_at(tmp_path / "secret.key")
    platform = Platform(settings, database, s3.store("tplan"), box)
    platform.objects.prepare()
    with database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme", OrganisationKind.PLATFORM)
        here = add_organisation(session, "Mairie", OrganisationKind.COLLECTIVITE, parent=root)
        there = add_organisation(session, "Ailleurs", OrganisationKind.COLLECTIVITE, parent=root)
    own, others = open_office(platform, here, "ici.test"), open_office(platform, there, "ailleurs.test")
    for place, times in ((own, 2_000), (others, 30_000)):
        first = place.folder("Premier")
        with database.writing(PLATFORM) as session:
            multiply(session, first, times)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return own


def test_no_list_reads_a_whole_table(thousands: Office) -> None:
    database, asked = thousands.platform.database, []
    with database.writing(PLATFORM) as session:
        desks.delegate(session, "platform", thousands.desks["deputy"], thousands.desks["mayor"], clock.now(), None)
    with database.reading(PLATFORM) as session:
        own = around(session, thousands.people["mayor"].id)
        event.listen(database.engine, "before_cursor_execute", note := lambda *said: asked.append((said[2], said[3])))
        page = trays.page(session, own, Tray.TO_DO, Wanted(), 25)
        place = Place(page.lines[-1].since, page.lines[-1].task_id or "")
        trays.page(session, own, Tray.TO_DO, Wanted(), 25, place)
        trays.page(session, own, Tray.SENT, Wanted(), 25)
        trays.page(session, own, Tray.RETRIEVABLE, Wanted(), 25)
        trays.count(session, own, Tray.TO_DO)
        trays.kinds(session, own, Tray.TO_DO, Wanted())
        trays.counts(session, own)
        trays.neighbours(session, own, Tray.TO_DO, Wanted(), page.lines[10].task_id or "")
        event.remove(database.engine, "before_cursor_execute", note)
        plans = [plan_of(session, database, statement, given) for statement, given in asked]
    assert len(asked) >= 9
    whole = re.compile(r"Seq Scan on folder(_task)?\b|SCAN folder(_task)?(?! USING)\b")
    assert [plan for plan in plans if whole.search(plan)] == []


def plan_of(session: Session, database: Database, statement: str, given: object) -> str:
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    cursor = session.connection().exec_driver_sql(explain + statement, given)
    return "\n".join(" ".join(map(str, row)) for row in cursor)
