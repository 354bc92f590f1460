"""After an elimination nothing of the documents is left in the dossiers either, but what somebody else keeps alike."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table
from sqlmodel import Session, SQLModel, col, select

from api.web.pes import taken
from archive.places.places import fetch
from core import clock, journal
from core.blobs import ObjectStore
from core.canonical import canonical_bytes
from core.derived import derived_files
from core.errors import Gone
from core.identifiers import new_id
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal
from core.s3 import ObjectMissing
from flows.emptying import running
from flows.engine import reading
from flows.engine.models import Dossier, DossierFile
from flows.helios.models import HeliosResponse
from flows.mail.models import Mail, MailRecipient
from flows.sae.models import SaeTransfer
from schemas.pes.sample import Sample, write_sample
from schemas.pes.shelf import shelved
from signing.parapheur.models import Desk, Folder, FolderDocument, FolderEvent, FolderSigning, Task
from signing.sittings.models import Sitting, SittingItem
from tests.ended_records import decided, elimination, ended, lines_of, people_of, record, run, run_until
from tests.mails import MailsMairie
from tests.waiting import wait_until

pytestmark = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
ACQUIT, NOTE = b"<ACQUIT/>", "Mme Secrète attend son virement"


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was put a moment ago counts as put long ago."""
    monkeypatch.setattr(running, "SETTLED", timedelta(seconds=-5))


def put(platform: Platform, octets: bytes) -> str:
    return platform.objects.put(io.BytesIO(octets)).sha256


def held(platform: Platform, sha256: str) -> bool:
    try:
        with platform.objects.reading(sha256):
            return True
    except ObjectMissing:
        return False


def add_file(session: Session, dossier: Dossier, role: str, sha256: str) -> DossierFile:
    kept = DossierFile(
        organisation_id=dossier.organisation_id,
        dossier_id=dossier.id,
        role=role,
        name=f"{role} de Mme Secrète.xml",
        media_type="application/xml",
        sha256=sha256,
        size=1,
    )
    session.add(kept)
    return kept


def add_pes(platform: Platform, organisation: Organisation, pes: bytes) -> Dossier:
    """Add an acknowledged PES as HELIOS would have left it."""
    flow, acquit = put(platform, pes), put(platform, ACQUIT)
    with platform.database.writing(PLATFORM) as session:
        facts = {"nom_fic": "SECRETE", "attachments": 1, "acquit": {"elements": []}}
        dossier = Dossier(
            organisation_id=organisation.id, flow="helios", title="Secrète", state="archived", reference=new_id(), facts=facts
        )
        session.add(dossier)
        session.flush()
        add_file(session, dossier, "pes", flow)
        add_file(session, dossier, "acquit", acquit)
        came = HeliosResponse(
            organisation_id=organisation.id,
            gateway_id=organisation.id,
            name=dossier.id,
            sha256=acquit,
            size=len(ACQUIT),
            kind="acquit",
            dossier_id=dossier.id,
        )
        session.add(came)
        journal.write(session, organisation_id=organisation.id, dossier_id=dossier.id, kind="helios.accepted", actor="platform")
    return dossier


def add_folder(platform: Platform, dossier: Dossier, signatory: Principal, octets: bytes) -> str:
    """Add the folder in which a dossier was signed, with the words that were said; return the digest of what was signed."""
    sha256, owner = put(platform, octets), dossier.organisation_id
    with platform.database.writing(PLATFORM) as session:
        desk = Desk(organisation_id=owner, name="Maire", short_name=new_id())
        session.add(desk)
        session.flush()
        folder = Folder(
            organisation_id=owner, dossier_id=dossier.id, title=NOTE, emitter_id=desk.id, author="platform", state="completed"
        )
        sitting = Sitting(organisation_id=owner, person="Claude Modèle", actor="platform", expires=dossier.created)
        session.add_all([folder, sitting])
        session.flush()
        task = Task(organisation_id=owner, folder_id=folder.id, rank=0, kind="signature", desk_id=desk.id)
        document = FolderDocument(
            organisation_id=owner,
            folder_id=folder.id,
            kind="main",
            name=NOTE,
            media_type="application/pdf",
            sha256=sha256,
            source_sha256=sha256,
            size=1,
        )
        session.add_all([task, document])
        session.flush()
        reference = f"{task.id}/{document.id}"
        session.add_all(
            [
                FolderEvent(
                    organisation_id=owner,
                    folder_id=folder.id,
                    number=1,
                    actor="platform",
                    kind="signed",
                    note=NOTE,
                    digest="0" * 64,
                ),
                FolderSigning(
                    organisation_id=owner,
                    sitting_id=sitting.id,
                    person_id=signatory.actor.removeprefix("person:"),
                    desk_id=desk.id,
                    task_ids=[task.id],
                    note=NOTE,
                ),
                SittingItem(
                    organisation_id=owner,
                    sitting_id=sitting.id,
                    rank=0,
                    title=NOTE,
                    media_type="application/pdf",
                    format="pades",
                    sha256=sha256,
                    size=1,
                    reference=reference,
                ),
            ]
        )
    return sha256


def everything_said(platform: Platform) -> str:
    """Return every row of the database as text."""
    with platform.database.reading(PLATFORM) as session:
        tables: list[Table] = SQLModel.metadata.sorted_tables
        rows = [row for table in tables for row in session.connection().execute(table.select()).all()]
    return "\n".join(map(repr, rows))


def entries(platform: Platform, dossier_id: str) -> list[JournalEntry]:
    with platform.database.reading(PLATFORM) as session:
        own = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)
        return list(session.exec(own.order_by(col(JournalEntry.number))))


@pytest.fixture
def pes(tmp_path: Path) -> bytes:
    path = tmp_path / "sample.xml"
    write_sample(Sample(nom_fic="SECRETE"), path)
    return path.read_bytes()


def test_the_documents_of_an_eliminated_pes_are_gone_and_what_another_dossier_keeps_alike_stays(
    platform: Platform, mairie: Organisation, pes: bytes, tmp_path: Path
) -> None:
    people, dossier, other = people_of(platform, mairie), add_pes(platform, mairie, pes), add_pes(platform, mairie, b"<PES/>")
    signed = add_folder(platform, dossier, people.mayor, b"%PDF-1.7 sign\xc3\xa9")
    sealed = ended(platform, mairie, tmp_path, dossier=dossier.id, pes=pes)
    with platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier.id, DossierFile.role == "pes")).one()
    wait_until(lambda: shelved(platform, kept.sha256).whole)
    looked_at = taken.as_kept(platform, kept, 1).sha256  # among the documents, where no row names it
    cache = derived_files(platform.settings)
    cache.get_or_make("page", "page", lambda: {"page": b"Mme Secr\xc3\xa8te"})
    before = entries(platform, dossier.id)
    digests = [kept.sha256, signed, looked_at]
    assert [held(platform, digest) for digest in digests] == [True] * 3

    identifier = decided(platform, people, mairie)
    run_until(platform, identifier)

    assert [held(platform, digest) for digest in digests] == [False] * 3
    assert not (platform.settings.state_dir / "cache" / "pes" / kept.sha256).exists()
    assert cache.get("page") is None
    with platform.database.reading(PLATFORM) as session:
        left = session.get_one(Dossier, dossier.id)
        assert (left.title, left.state, left.facts, left.reference) == (left.id, "archived", {}, dossier.reference)
        assert left.sought == left.id.casefold()
        assert {one.dossier_id for one in session.exec(select(DossierFile))} == {other.id}
        assert {one.dossier_id for one in session.exec(select(HeliosResponse))} == {other.id}
        for table in (Folder, FolderDocument, FolderEvent, Task, SittingItem):
            assert session.exec(select(table)).all() == []
    assert held(platform, hashlib.sha256(ACQUIT).hexdigest())  # the other dossier names it too
    assert NOTE not in everything_said(platform)
    *same, destroyed, emptied = entries(platform, dossier.id)
    assert [one.leaf() for one in same] == [one.leaf() for one in before]
    assert (destroyed.kind, emptied.kind) == ("record.eliminated", "dossier.emptied")
    assert emptied.facts == {"record": sealed.id, "elimination": identifier, "shared": 1}
    _the_certificate_tells_it(platform, identifier, sealed.id, tmp_path)


def _the_certificate_tells_it(platform: Platform, identifier: str, record_id: str, folder: Path) -> None:
    line = lines_of(platform, identifier)[record_id]
    assert line.contents == []
    assert line.emptied is not None
    fetch(platform, record(platform, elimination(platform, identifier).record_id or ""), folder / "certificate.zip")
    with zipfile.ZipFile(folder / "certificate.zip") as opened:
        (told,) = json.loads(opened.read("content/certificat.json"))["lines"]
    assert told["working_copies_destroyed"] == clock.iso(line.emptied)


def test_a_mail_is_emptied_of_its_words_and_addresses_and_a_death_anywhere_is_made_up_for(
    platform: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, mails = people_of(platform, mairie), MailsMairie(platform, mairie)
    dossier_id = mails.mail("archived", subject="Mme Secrète", body=NOTE, files=(("a.pdf", b"%PDF a"), ("b.pdf", b"%PDF b")))
    mails.answer(mails.recipient(dossier_id), NOTE)
    digests = [hashlib.sha256(octets).hexdigest() for octets in (b"%PDF a", b"%PDF b")]
    address = mails.recipient(dossier_id).address
    one = ended(platform, mairie, tmp_path, kind="mail", dossier=dossier_id)
    identifier = decided(platform, people, mairie)

    alive, dying = ObjectStore.destroy, set(digests)

    def dies(self: ObjectStore, sha256: str, settled: object) -> bool:
        if sha256 in dying:
            dying.clear()
            raise KeyboardInterrupt
        return alive(self, sha256, settled)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "destroy", dies)
    with pytest.raises(KeyboardInterrupt):
        run_until(platform, identifier)
    said = everything_said(platform)
    assert (NOTE in said, address in said, all(held(platform, digest) for digest in digests)) == (False, False, True)
    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patched:
        patched.setattr(running, "_write_down", _killed)
        run(platform)
    assert [held(platform, digest) for digest in digests] == [False, False]
    line = lines_of(platform, identifier)[one.id]
    assert (set(line.contents) >= set(digests), line.emptied) == (True, None)
    run(platform)
    assert lines_of(platform, identifier)[one.id].emptied is not None
    assert [entry.kind for entry in entries(platform, dossier_id)].count("dossier.emptied") == 1
    with platform.database.reading(PLATFORM) as session:
        assert session.exec(select(Mail)).all() == []
        assert session.exec(select(MailRecipient)).all() == []
    run_until(platform, identifier)  # and its certificate follows


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_nothing_is_given_out_from_the_elimination_on_even_before_the_dossier_is_emptied(
    platform: Platform, mairie: Organisation, pes: bytes
) -> None:
    dossier = add_pes(platform, mairie, pes)
    with platform.database.writing(PLATFORM) as session:
        facts = {"record": new_id(), "elimination": new_id()}
        told = {"organisation_id": mairie.id, "dossier_id": dossier.id, "actor": "platform", "facts": facts}
        journal.write(session, kind="record.eliminated", **told)  # type: ignore[arg-type]
        kept = session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier.id)).first()
    assert kept is not None
    with reading.opened(platform.database, PLATFORM) as session:
        for ask in (lambda: reading.file_of(session, dossier.id, kept.id), lambda: reading.seen(session, dossier.id)):
            with pytest.raises(Gone, match=rf"bordereau n°\u00a0{facts['elimination']}"):
                ask()
        left = reading.seen(session, dossier.id, although_eliminated=True)
    assert (left.title, left.files, left.dossier.facts) == (dossier.id, (), {})
    assert "Secrète" in everything_said(platform)


def test_what_was_put_lately_may_be_about_to_be_named_and_waits_with_the_certificate(
    platform: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    people, dossier = people_of(platform, mairie), add_pes(platform, mairie, b"<PES/>")
    one = ended(platform, mairie, tmp_path, dossier=dossier.id, pes=b"<PES/>")
    identifier = decided(platform, people, mairie)
    wait_until(lambda: run(platform) or lines_of(platform, identifier)[one.id].outcome == "destroyed")  # type: ignore[func-returns-value]
    run(platform)
    assert held(platform, hashlib.sha256(b"<PES/>").hexdigest())
    assert elimination(platform, identifier).state == "executing"
    monkeypatch.setattr(running, "SETTLED", timedelta(seconds=-5))
    with platform.database.writing(PLATFORM) as session:  # meanwhile somebody names it
        again = Dossier(organisation_id=mairie.id, flow="helios", title="Autre", state="received")
        session.add(again)
        session.flush()
        add_file(session, again, "pes", hashlib.sha256(b"<PES/>").hexdigest())
    run_until(platform, identifier)
    assert held(platform, hashlib.sha256(b"<PES/>").hexdigest())


def test_a_content_that_another_record_holds_stays_until_that_one_goes_and_its_dossier_abroad_is_emptied_too(
    platform: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    people, dossier = people_of(platform, mairie), add_pes(platform, mairie, b"<PES>alike</PES>")
    first = ended(platform, mairie, tmp_path, dossier=dossier.id, pes=b"<PES>alike</PES>")
    other = ended(platform, mairie, tmp_path, pes=b"<PES>alike</PES>")  # its own dossier is lost
    alike = hashlib.sha256(b"<PES>alike</PES>").hexdigest()
    with platform.database.writing(PLATFORM) as session:
        abroad = Dossier(organisation_id=mairie.id, flow="sae", title="Secrète", state="accepted", facts={"record": first.id})
        session.add(abroad)
        session.flush()
        session.add(SaeTransfer(dossier_id=abroad.id, organisation_id=mairie.id, record_id=first.id, cote="2026 W 7"))
        manifest = add_file(session, abroad, "bordereau", put(platform, canonical_bytes({"title": "Secrète"})))
    refused = decided(platform, people, mairie, refused=frozenset({other.id}))
    run_until(platform, refused)
    assert held(platform, alike)
    assert not held(platform, manifest.sha256)
    with platform.database.reading(PLATFORM) as session:
        assert session.get_one(Dossier, abroad.id).title == abroad.id
        assert session.get_one(SaeTransfer, abroad.id).cote == "2026 W 7"
    run_until(platform, decided(platform, replace(people), mairie))
    assert not held(platform, alike)
