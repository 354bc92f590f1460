"""A document at the end of its circuit: its docket, its print, and the package that is put under lock once."""

from __future__ import annotations

import io
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from sqlmodel import select

from archive.ingest.inspection import check_package
from archive.models import Record
from archive.places.places import fetch
from core import sandbox
from core.errors import NeedsOperator, UsageError
from core.principal import PLATFORM
from flows.document import archiving
from flows.engine.models import Dossier, DossierFile
from flows.engine.work import KeptFile, Work
from flows.parapheur.conclusion import perform
from schemas.seda.reader import read_manifest
from signing.docket.checking import check
from signing.docket.content import Docket, content_of
from signing.docket.printed import printed
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pades.seal import Pades
from signing.parapheur import actions, folders
from signing.parapheur.history import Said
from signing.parapheur.models import FolderDocument
from signing.pki import TestAuthority
from signing.trust import trust_store
from tests.conftest import Shape
from tests.databases import sqlite_at
from tests.office import Office, pdf
from tests.pades_documents import revised
from tests.town import Town


@pytest.fixture
def shape(tmp_path: Path) -> Shape:
    """One shape is enough: nothing here depends on it."""
    return Shape("embedded", sqlite_at(tmp_path / "tabellion.sqlite3"), "memory://")


@pytest.fixture
def office(town: Town) -> Office:
    return Office.opened(town.platform, town.organisation, town.played.authority)


def archived(office: Office, town: Town, title: str = "Réponse à M. le Préfet", *contents: bytes) -> str:
    with town.at_work():
        dossier = office.sends("complet", title, *contents)
        town.wait_for(dossier, "in_parapheur")
        office.approves("dgs", dossier, Said("Bon pour signature", "à signer vite"))
        office.signs("maire", dossier)
        town.wait_for(dossier, "archived")
    return dossier


def emptied(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b""))
    writer.update_container(page)


def test_a_document_signed_elsewhere_is_taken_unless_it_was_changed_since(office: Office, town: Town, tmp_path: Path) -> None:
    plain, signed = tmp_path / "plain.pdf", tmp_path / "signed.pdf"
    plain.write_bytes(pdf())
    authority = TestAuthority.create("Inconnue")
    stranger = Pkcs12Signer.load(authority.seal("Fournisseur", bits=2048).as_pkcs12("essai"), "essai")
    sign(Pades(), plain, signed, stranger)
    with town.at_work():
        taken = office.sends("visa", "Signé ailleurs", signed.read_bytes())
        changed = office.sends("visa", "Modifié depuis", revised(signed.read_bytes(), emptied))
        (problem,) = town.wait_for(changed, "rejected").problems
        (remark,) = town.wait_for(taken, "in_parapheur").facts["warnings"]
    assert (problem["rule"], problem["severity"], remark["rule"], remark["severity"]) == ("PDF", "error", "PDF", "warning")
    assert "modifié après signature" in problem["message"]


def docket_of(office: Office, dossier: str) -> Docket:
    folder = office.folder(dossier)
    with office.platform.database.reading(PLATFORM) as session:
        documents = folders.documents_of(session, folder.id)
        trust = trust_store(office.platform.settings.trust_dir)
        found = check(office.platform.objects, documents, trust, folder.since)
        return content_of(session, folder.id, found)


def work_on(office: Office, dossier: str, folder: Path, facts: dict[str, object] | None = None) -> Work:
    """The dossier in the hands of the archiving, once more."""
    folder.mkdir()
    with office.platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier)).all()
    files = tuple(KeptFile(one.role, one.name, one.media_type, one.sha256, one.size, one.created) for one in kept)
    notes: dict[str, object] = facts if facts is not None else {}
    return Work(
        office.platform, dossier, office.organisation.id, "", "validated", notes, files, folder, 1,
        lambda _, **told: notes.update(told),
    )  # fmt: skip


def test_the_package_holds_what_was_signed_its_docket_and_the_journal_that_led_there(
    office: Office, town: Town, tmp_path: Path
) -> None:
    dossier = archived(office, town, "Réponse à M. le Préfet", pdf("lettre"), pdf("annexe"))
    with town.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier)).one()
    assert record.rule == "APP-CORRESP-5ANS v1"
    path = tmp_path / "package.zip"
    fetch(town.platform, record, path)
    assert check_package(path) == []
    with zipfile.ZipFile(path) as zipped:
        manifest = read_manifest(Path(zipped.extract("manifest.xml", tmp_path)))
        journal = zipped.read("content/journal.jsonl").decode()
        (tmp_path / "docket.pdf").write_bytes(zipped.read("content/bordereau-de-signature.pdf"))
    titles = [unit.title for unit in manifest.units]
    assert titles[0] == "Réponse à M. le Préfet"
    assert sorted(titles[1:]) == [
        "Bordereau de signature", "Extrait du journal des événements", "document-1.pdf", "document-2.pdf",
    ]  # fmt: skip
    assert '"kind":"document.completed"' in journal.splitlines()[-1]
    assert '"kind":"folder.signed"' in journal
    said = subprocess.run(["pdftotext", "-raw", tmp_path / "docket.pdf", "-"], capture_output=True, text=True, check=True).stdout
    assert "Bon pour signature" in said
    assert "à signer vite" not in said
    assert "Claude Modèle" in said


def test_a_second_try_makes_the_same_package_and_finds_it_locked(office: Office, town: Town, tmp_path: Path) -> None:
    dossier = archived(office, town)
    with town.platform.database.reading(PLATFORM) as session:
        noted = session.get_one(Dossier, dossier).facts["package"]
    again = archiving.seal(work_on(office, dossier, tmp_path / "1", {"package": noted}))
    assert noted["sha256"] == again.journal["package"]
    assert town.platform.objects.sealed_versions(noted["key"]) == 1


def test_documents_that_are_not_those_that_left_the_circuit_are_not_archived(office: Office, town: Town, tmp_path: Path) -> None:
    dossier = archived(office, town)
    with town.platform.database.writing(PLATFORM) as session:
        document = session.exec(select(FolderDocument)).one()
        document.sha256 = document.source_sha256
        session.add(document)
    with pytest.raises(NeedsOperator, match="ne sont plus ceux"):
        archiving.seal(work_on(office, dossier, tmp_path / "1"))
    with town.platform.database.writing(PLATFORM) as session:
        session.delete(session.exec(select(FolderDocument)).one())
    with pytest.raises(NeedsOperator, match="ont été effacés"):
        archiving.seal(work_on(office, dossier, tmp_path / "2"))


def test_a_print_is_the_documents_then_the_docket_which_says_that_signatures_do_not_outlive_it(
    office: Office, town: Town
) -> None:
    dossier = archived(office, town, "Deux documents", pdf("un", pages=2), pdf("deux", pages=3))
    docket = docket_of(office, dossier)
    verdicts = [one.checked.verdict for one in docket.documents if one.checked]
    assert [len(verdict.signatures) for verdict in verdicts if verdict] == [1, 1]
    document = pypdfium2.PdfDocument(io.BytesIO(printed(town.platform.objects, docket)))
    texts = [page.get_textpage().get_text_range() for page in document]
    assert ["un – page 1" in texts[0], "deux – page 3" in texts[4]] == [True, True]
    assert "Claude Modèle" in texts[0]  # the stamp is part of the page
    rest = "".join("".join(texts[5:]).split())
    assert "Bordereaudesignature" in rest
    assert "lessignaturesélectroniquesn’ysontplusvérifiables" in rest
    document.close()


def test_a_print_of_what_cannot_be_printed_says_which_document(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = office.sends("visa", "Un dossier")
        town.wait_for(dossier, "in_parapheur")
    docket = docket_of(office, dossier)
    broken = town.platform.objects.put(io.BytesIO(b"%PDF-1.4 nothing"))
    hostile = replace(docket.documents[0], name="faux.pdf", sha256=broken.sha256)
    with pytest.raises(UsageError, match=r"faux\.pdf"):
        printed(town.platform.objects, replace(docket, documents=(hostile,)))
    other = replace(docket.documents[0], media_type="text/plain")
    only = pypdfium2.PdfDocument(io.BytesIO(printed(town.platform.objects, replace(docket, documents=(other,)))))
    assert "Bordereau" in only[0].get_textpage().get_text_range()
    heavy = replace(docket.documents[0], size=1 << 30)
    with pytest.raises(UsageError, match="256"):
        printed(town.platform.objects, replace(docket, documents=(heavy,)))


def test_what_the_sandbox_leaves_is_not_followed_elsewhere(
    office: Office, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")

    def taken_over(*_: object, folder: Path, **__: object) -> dict[str, int]:
        (folder / "print.pdf").symlink_to(secret)
        return {"pages": 1}

    with town.at_work():
        dossier = office.sends("visa", "Un dossier")
        town.wait_for(dossier, "in_parapheur")
    docket = docket_of(office, dossier)
    monkeypatch.setattr("signing.docket.printed.pdf", lambda *_, **__: b"%PDF-")
    monkeypatch.setattr(sandbox, "call", taken_over)
    with pytest.raises(sandbox.Died):
        printed(town.platform.objects, docket)


def test_the_docket_of_a_rejected_folder_gives_the_reason(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = office.sends("visa", "Un dossier")
        town.wait_for(dossier, "in_parapheur")
        (task,) = office.tasks(dossier, "dgs")
        who = office.principal("dgs")
        perform(office.platform, who, lambda session: actions.reject(session, who, task.id, Said("Montant faux")))
    docket = docket_of(office, dossier)
    assert (docket.events[-1].kind, docket.events[-1].note, docket.broken_at, docket.unborne) == (
        "rejected",
        "Montant faux",
        None,
        (),
    )
