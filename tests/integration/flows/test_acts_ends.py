"""How an act ends: before the court, with the messages that were sent kept beside it, and with letters that come too late."""

from __future__ import annotations

import tarfile
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, delete, select

from archive.models import Record
from archive.places.places import fetch
from core.configuration import configure
from core.errors import Conflict, UsageError
from core.identifiers import new_id
from core.journal import JournalEntry
from core.principal import PLATFORM
from flows.actes import following, litigation
from flows.actes.act import Act
from flows.actes.knowledge import classification_of
from flows.actes.legality import Phase
from flows.actes.models import LATE, ActesMessage
from flows.actes.settings import ROUTE, ActesRoute
from flows.actes.stages import sign
from flows.engine.models import DossierFile
from flows.engine.work import Advance, KeptFile, Work
from tests.acts import ActsTown, today
from tests.waiting import wait_until

pytestmark = pytest.mark.parametrize("shape", ["embedded"], indirect=True)
RESULT = "Déféré rejeté par jugement n° 2600123"


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """The mailbox is read often; no timestamping authority is needed here."""
    return {"poll_seconds": 0.2, "archive_lock_days": 1}


def test_an_act_before_the_court_is_archived_once_a_person_says_how_it_ended(acts: ActsTown, tmp_path: Path) -> None:
    with acts.at_work():
        dossier = acts.send(annexes=(acts.file("plan.pdf"),))
        acts.wait_for(dossier, "acknowledged")
        with pytest.raises(Conflict):
            litigation.settle(acts.platform, PLATFORM, dossier, today(), RESULT)
        acts.state.send_letter(acts.dossier(dossier).facts["id_acte"], "3-1", "Transmettez le plan.")
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2"])
        acts.state.send_letter(acts.dossier(dossier).facts["id_acte"], "5-1", "Excès de pouvoir")
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2", "5-1"])
        acts.wait_for(dossier, "acknowledged")
        _long_ago(acts, dossier)
        following.close_elapsed(acts.platform)
        assert acts.dossier(dossier).state == "acknowledged"
        for day, words in ((today(), " "), (today() + timedelta(days=1), RESULT), (today() - timedelta(days=1), RESULT)):
            with pytest.raises(UsageError):
                litigation.settle(acts.platform, PLATFORM, dossier, day, words)
        litigation.settle(acts.platform, PLATFORM, dossier, today(), f"  {RESULT}\n")
        with pytest.raises(Conflict):
            litigation.settle(acts.platform, PLATFORM, dossier, today(), "Tout autre chose")
        acts.wait_for(dossier, "archived")
    ended = acts.dossier(dossier)
    assert ended.facts["litigation"] == {"ended": today().isoformat(), "result": RESULT}
    told = following.legality_of(acts.messages(dossier), Act.from_facts(ended.facts), today(), settled=today())
    assert told is not None
    assert (told.phase, told.ends) == (Phase.SETTLED, today())
    entries = _entries(acts, dossier)
    (said,) = [entry for entry in entries if entry.kind == "actes.litigation_ended"]
    assert said.facts == {"day": today().isoformat()}
    package = _package(acts, dossier, tmp_path)
    assert RESULT in package.read("manifest.xml").decode()
    _is_kept_as_sent(acts, dossier, package, tmp_path)


def _is_kept_as_sent(acts: ActsTown, dossier: str, package: zipfile.ZipFile, folder: Path) -> None:
    """What left in each archive is kept beside it, and stands in the package below it."""
    kept = acts.files(dossier)
    answer = acts.message(dossier, "3-2").id
    packed = {package.read(name) for name in package.namelist()}
    for archive, message in (("archive", "message"), (f"archive.{answer}", f"message.{answer}")):
        for role in (archive, message):
            acts.platform.objects.fetch(kept[role].sha256, folder / role)
        with tarfile.open(folder / archive) as opened:
            _, said, *_ = opened.getmembers()
            assert said.name == kept[message].name
            stream = opened.extractfile(said)
            assert stream is not None
            assert stream.read() == (folder / message).read_bytes()
        assert (folder / message).read_bytes() in packed


def test_a_letter_that_comes_after_the_record_is_kept_beside_it_and_acknowledges_nothing(acts: ActsTown, tmp_path: Path) -> None:
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        with acts.platform.database.writing(PLATFORM) as session:  # as for acts that were packed before messages were kept
            session.connection().execute(delete(DossierFile).where(col(DossierFile.role) == "message"))
        _long_ago(acts, dossier)
        following.close_elapsed(acts.platform)
        acts.wait_for(dossier, "archived")
        acts.state.send_letter(acts.dossier(dossier).facts["id_acte"], "3-1", "Transmettez le plan.")
        wait_until(lambda: "3-1" in {row.code for row in acts.messages(dossier)})
    letter = acts.message(dossier, "3-1")
    assert letter.facts[LATE] is True
    assert [row.code for row in acts.messages(dossier)] == ["1-1", "1-2", "3-1"]
    assert not acts.message(dossier, "1-2").facts.get(LATE)
    role = f"3-1.{letter.id}"
    assert role in acts.files(dossier)
    entry = next(
        entry for entry in _entries(acts, dossier) if entry.kind == "actes.message_received" and entry.facts["code"] == "3-1"
    )
    assert entry.facts["sha256"] == letter.sha256
    names = _package(acts, dossier, tmp_path).namelist()
    assert not any("3-1" in name for name in names)


def test_an_annex_of_a_budget_is_a_deliberation_unless_told_otherwise(acts: ActsTown) -> None:
    with acts.at_work():
        wait_until(lambda: classification_of(acts.platform, acts.organisation.id) is not None)
        annexes = (acts.file("deliberation.pdf"), acts.file("rapport.pdf", type_="99_BU"))
        dossier = acts.send(nature=5, matieres=(7, 10), annexes=annexes)
        acts.wait_for(dossier, "acknowledged")
    kept = acts.files(dossier)
    assert [piece.type for piece in Act.from_facts(acts.dossier(dossier).facts).pieces] == [None, "70_DE", "99_BU"]
    (known,) = acts.state.acts()
    assert known.id_acte == acts.dossier(dossier).facts["id_acte"]
    with acts.platform.objects.reading(kept["message"].sha256) as stream:
        text = stream.read().decode("iso-8859-1")
    for name in ("99_BU-", "70_DE-"):
        assert name in text


def test_a_budget_in_pdf_is_signed_and_leaves_as_a_document_like_any_other(acts: ActsTown, tmp_path: Path) -> None:
    files = {"pdf": acts.file("budget.pdf"), "xml": acts.file("budget.xml", b"<DocumentBudgetaire/>")}
    budgets = {
        kind: acts.send(nature=5, matieres=(7, 1), document=document, annexes=(acts.file("deliberation.pdf"),))
        for kind, document in files.items()
    }
    with acts.at_work():
        assert acts.wait_for(budgets["pdf"], "acknowledged")
        assert "R27" in {problem["rule"] for problem in acts.wait_for(budgets["xml"], "rejected").problems}
    with acts.platform.database.writing(PLATFORM) as session:
        route = ActesRoute(subtype=new_id(), emitter=new_id())
        configure(session, acts.platform.secrets, acts.organisation.id, ROUTE, route)
    outcomes = {kind: _asked_to_sign(acts, budget, tmp_path) for kind, budget in budgets.items()}
    assert outcomes == {"pdf": "asked", "xml": "kept"}


def _asked_to_sign(acts: ActsTown, dossier_id: str, folder: Path) -> str:
    dossier = acts.dossier(dossier_id)
    kept = tuple(KeptFile(one.role, one.name, one.media_type, one.sha256, one.size) for one in acts.files(dossier_id).values())
    facts = (dossier.title, dossier.state, dossier.facts, kept, folder, 1)
    found = sign.perform(Work(acts.platform, dossier_id, dossier.organisation_id, *facts, lambda *_: None))
    assert isinstance(found, Advance)
    return found.outcome


def _long_ago(acts: ActsTown, dossier: str) -> None:
    with acts.platform.database.writing(PLATFORM) as session:
        received = session.get_one(ActesMessage, acts.message(dossier, "1-2").id)
        received.day = today() - timedelta(days=70)
        session.add(received)


def _entries(acts: ActsTown, dossier: str) -> list[JournalEntry]:
    with acts.platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(JournalEntry).where(JournalEntry.dossier_id == dossier)))


def _package(acts: ActsTown, dossier: str, folder: Path) -> zipfile.ZipFile:
    with acts.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier)).one()
    fetch(acts.platform, record, folder / "package.zip")
    return zipfile.ZipFile(folder / "package.zip")
