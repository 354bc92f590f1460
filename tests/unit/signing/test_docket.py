"""The docket of a folder: all that happened and nothing that was said in private; one content, two forms."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copyfile, which

import pytest
from sqlmodel import Session

from core.database import Database
from core.errors import NotFound
from core.messages import speaking
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.people import add_person
from core.principal import PLATFORM, Principal, Right
from signing.docket.checking import Checked
from signing.docket.content import Docket, Field, Who, content_of
from signing.docket.forms import html, pdf
from signing.docket.page import in_words, page_of
from signing.parapheur import actions, circuits, consultation, desks, emitting, folders, metadata, starting, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.history import Said
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Desk, DocumentKind, FolderEvent, FolderState, StepKind, Task, TaskState
from signing.parapheur.progress import tasks_of
from signing.parapheur.typology import SubtypeOptions, TypeOptions
from signing.report.content import Page, Tone
from signing.trust import TrustState
from signing.verdicts import Belief, FileVerdict, SignatureVerdict

NOON = datetime(2026, 11, 28, 11, 0, tzinfo=UTC)
HOSTILE = '#read("/etc/passwd") $x$ \\ *gras* <script>alert(1)</script> {{ 7 * 7 }}'


@dataclass
class Hall:
    """A mairie in a database alone: a visa, then a signature, and a desk that may be asked."""

    session: Session
    organisation_id: str
    desks: dict[str, Desk]
    people: dict[str, Principal]
    subtype_id: str

    def folder(self, title: str = "Arrêté 2026-118", **values: object) -> str:
        new = NewFolder(
            dossier_id="01DOSSIER00000000000000001",
            organisation_id=self.organisation_id,
            title=title,
            emitter_id=self.desks["secretariat"].id,
            author=self.people["secretariat"].actor,
            documents=[Joined(DocumentKind.MAIN, "arrêté.pdf", "application/pdf", "a" * 64, 12_345)],
            subtype_id=self.subtype_id,
            **values,  # type: ignore[arg-type]
        )
        return folders.create(self.session, new).id

    def started(self, **values: object) -> str:
        folder_id = self.folder(**values)  # type: ignore[arg-type]
        starting.start(self.session, folder_id, "platform")
        return folder_id

    def open_task(self, folder_id: str) -> Task:
        (task,) = [task for task in tasks_of(self.session, folder_id) if task.state == TaskState.OPEN.value]
        return task


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Hall]:
    """A database with the mairie in it, to be copied."""
    path = tmp_path_factory.mktemp("hall") / "db.sqlite3"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    with database.writing(PLATFORM) as session:
        town = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE)
        people, places = {}, {}
        for short, desk, name in (
            ("secretariat", "Secrétariat général", "Camille Essai"),
            ("dgs", "Direction générale", "Dominique Exemple"),
            ("maire", "Maire", "Claude Modèle"),
            ("adjoint", "Adjointe aux finances", "Andrée Specimen"),
        ):
            person = add_person(session, f"{short}@valmorin.test", name, "encre et papier")
            people[short] = Principal(f"person:{person.id}", {town.id: frozenset({Right.ACT, Right.DEPOSIT})}, name=name)
            places[short] = desks.add_desk(session, town.id, desk, short)
            desks.seat(session, places[short], person.id)
        metadata.declare(session, town.id, "montant", "Montant", MetadataKind.DECIMAL)
        steps = [
            Step(kind=StepKind.VISA, places=(Place(desk=places["dgs"].id),)),
            Step(kind=StepKind.SIGNATURE, places=(Place(desk=places["maire"].id),)),
        ]
        circuits.draw_up(session, town.id, "complet", "Visa puis signature", steps)
        letters = typology.add_type(session, town.id, "Courrier", TypeOptions())
        subtype = typology.add_subtype(session, letters, "Arrêté", SubtypeOptions(), (Row(circuit="complet"),))
        hall = Hall(session, town.id, places, people, subtype.id)
    database.close()
    return path, hall


@pytest.fixture
def hall(furnished: tuple[Path, Hall], tmp_path: Path) -> Iterator[Hall]:
    path, hall = furnished
    database = Database(f"sqlite:///{copyfile(path, tmp_path / 'db.sqlite3')}")
    with database.writing(PLATFORM) as session:
        yield replace(hall, session=session)
    database.close()


def lines_of(page: Page) -> str:
    rows = [row for section in page.sections for row in section.rows]
    return "\n".join((page.title, page.meaning, *page.reasons, *(line for row in rows for line in (row.label, *row.lines))))


def signature(**changes: object) -> SignatureVerdict:
    usual: dict[str, object] = {
        "format": "PAdES", "level": "B-B", "signer": "Claude Modèle", "signing_time": NOON, "intact": True,
        "covers": "document", "trust": TrustState.TRUSTED, "timestamps": (), "verdict": Belief.INDETERMINATE, "reasons": (),
    }  # fmt: skip
    return SignatureVerdict(**{**usual, **changes})  # type: ignore[arg-type]


def test_a_docket_tells_who_did_what_at_which_desk(hall: Hall) -> None:
    folder_id = hall.started(due=date(2026, 12, 15), fields={"montant": "1234,5"})
    actions.approve(hall.session, hall.people["dgs"], hall.open_task(folder_id).id, Said("Bon pour signature", "ne pas tarder"))
    docket = content_of(hall.session, folder_id)
    assert [(one.kind, one.who.person, one.who.desk) for one in docket.events] == [
        ("created", "Camille Essai", None),
        ("started", None, None),
        ("approved", "Dominique Exemple", "Direction générale"),
    ]
    assert [(one.rank, one.desk, one.state, one.who and one.who.person) for one in docket.asked] == [
        (1, "Direction générale", TaskState.DONE, "Dominique Exemple"),
        (2, "Maire", TaskState.OPEN, None),
    ]
    said = lines_of(page_of(docket))
    for words in (
        "Bon pour signature",
        "Montant\n1\u202f234,5",
        "15 décembre 2026",
        "12\u202f345 octets",
        "a" * 64,
        "Dominique Exemple (Direction générale)",
        "Courrier – Arrêté",
    ):
        assert words in said


def test_what_was_said_in_private_is_in_no_form(hall: Hall) -> None:
    folder_id = hall.started()
    actions.approve(hall.session, hall.people["dgs"], hall.open_task(folder_id).id, Said("public", "SECRETMOTIF"))
    docket = content_of(hall.session, folder_id)
    assert "SECRETMOTIF" not in repr(docket)
    assert "SECRETMOTIF" not in html(docket)


def test_whoever_stood_in_is_told_with_the_desk_that_was_absent(hall: Hall) -> None:
    folder_id = hall.started()
    desks.delegate(hall.session, "platform", hall.desks["dgs"], hall.desks["adjoint"], datetime(2020, 1, 1, tzinfo=UTC), None)
    actions.approve(hall.session, hall.people["adjoint"], hall.open_task(folder_id).id)
    docket = content_of(hall.session, folder_id)
    stood_in = Who("Andrée Specimen", "person", "Adjointe aux finances", "Direction générale")
    assert docket.events[-1].who == stood_in
    assert docket.asked[0].who == stood_in
    assert "Andrée Specimen (Adjointe aux finances), en l’absence de Direction générale" in lines_of(page_of(docket))


def test_a_transfer_and_an_opinion_name_the_desk_they_went_to(hall: Hall) -> None:
    folder_id = hall.started()
    task = hall.open_task(folder_id)
    consultation.ask_opinion(hall.session, hall.people["dgs"], task.id, hall.desks["adjoint"].id, Said("Qu’en pensez-vous ?"))
    opinion = hall.open_task(folder_id)
    consultation.give_opinion(hall.session, hall.people["adjoint"], opinion.id, Said("Rien à redire"))
    consultation.transfer(hall.session, hall.people["dgs"], task.id, hall.desks["maire"].id)
    said = lines_of(page_of(content_of(hall.session, folder_id)))
    assert "Avis demandé à Adjointe aux finances" in said
    assert "Rien à redire" in said
    assert "Étape confiée à Maire" in said


def test_a_rejection_shows_its_reason_first(hall: Hall) -> None:
    folder_id = hall.started()
    actions.reject(hall.session, hall.people["dgs"], hall.open_task(folder_id).id, Said("Imputation fausse"))
    page = page_of(content_of(hall.session, folder_id))
    assert (page.verdict, page.tone) == ("Rejeté", Tone.BAD)
    assert any("Imputation fausse" in reason for reason in page.reasons)


def test_a_history_that_was_altered_is_denounced(hall: Hall) -> None:
    folder_id = hall.started()
    sound = content_of(hall.session, folder_id)
    assert (sound.broken_at, sound.unborne) == (None, ())
    assert sound.entry is not None
    event = hall.session.get_one(FolderEvent, _event_id(hall, folder_id, 1))
    event.note = "jamais dit"
    hall.session.add(event)
    hall.session.flush()
    altered = content_of(hall.session, folder_id)
    assert altered.broken_at == 1
    page = page_of(altered)
    assert any("altérée à l’évènement 1" in reason for reason in page.reasons)
    assert next(row for section in page.sections for row in section.rows if "intacte" in row.label).tone is Tone.BAD


def test_a_history_written_again_from_end_to_end_is_not_that_of_the_journal(hall: Hall) -> None:
    from signing.parapheur.history import digest_of, events_of

    folder_id = hall.started()
    previous = ""
    for event in events_of(hall.session, folder_id):
        event.note, event.previous = "récrit", previous
        event.digest = previous = digest_of(event)
        hall.session.add(event)
    hall.session.flush()
    docket = content_of(hall.session, folder_id)
    assert (docket.broken_at, docket.unborne) == (None, (1, 2))
    assert any("journal" in reason for reason in page_of(docket).reasons)


def _event_id(hall: Hall, folder_id: str, number: int) -> str:
    from signing.parapheur.history import events_of

    return next(event.id for event in events_of(hall.session, folder_id) if event.number == number)


def test_what_happens_after_a_moment_does_not_change_the_docket_of_that_moment(hall: Hall) -> None:
    folder_id = hall.started()
    who = hall.people["dgs"]
    actions.reject(hall.session, who, hall.open_task(folder_id).id, Said("Imputation fausse"))
    until = content_of(hall.session, folder_id).at
    emitting.recycle(hall.session, hall.people["secretariat"], folder_id)
    assert content_of(hall.session, folder_id, until=until).events[-1].kind == "rejected"
    assert content_of(hall.session, folder_id).events[-1].kind == "recycled"


def test_a_folder_that_is_not_there_has_no_docket(hall: Hall) -> None:
    with pytest.raises(NotFound):
        content_of(hall.session, "01NOWHERE00000000000000000")


@pytest.fixture
def docket(hall: Hall) -> Docket:
    folder_id = hall.started()
    actions.approve(hall.session, hall.people["dgs"], hall.open_task(folder_id).id, Said("Bon pour signature"))
    document = folders.main_documents(hall.session, folder_id)[0]
    verdict = FileVerdict(Belief.INDETERMINATE, (signature(),))
    found = content_of(hall.session, folder_id, {document.id: Checked(verdict)})
    # Moments and identifiers are those of the run; the rest of the test wants none of them to matter.
    return replace(found, at=NOON, state=FolderState.FINISHED)


def test_the_answers_about_a_signature_are_told_apart(docket: Docket) -> None:
    said = lines_of(page_of(docket))
    for words in (
        "Claude Modèle",
        "Intacte\u00a0? Oui",
        "reconnu\u00a0? Oui",
        "selon le signataire",
        "Date non prouvée",
        "PAdES B-B",
    ):
        assert words in said


def test_what_no_signature_covers_is_told_before_the_signatures_that_hold(docket: Docket) -> None:
    held = signature(verdict=Belief.VALID, covers="bordereau BRD101")
    verdict = FileVerdict(Belief.INVALID, (held,), ("Le bordereau 102 n’est pas signé alors que d’autres le sont.",))
    told = replace(docket.documents[0], checked=Checked(verdict))
    (section,) = (one for one in page_of(replace(docket, documents=(told,))).sections if one.title.startswith("Signatures de"))
    whole, one = section.rows
    assert (whole.tone, whole.lines[0]) == (Tone.BAD, "Invalide")
    assert "102" in whole.lines[1]
    assert one.tone is Tone.GOOD


def test_a_document_without_signature_says_so(docket: Docket) -> None:
    bare = replace(docket.documents[0], checked=Checked(FileVerdict(Belief.UNSIGNED)))
    assert "Aucune signature électronique dans ce fichier" in lines_of(page_of(replace(docket, documents=(bare,))))
    broken = replace(docket.documents[0], checked=Checked(None, "il est illisible"))
    assert "il est illisible" in lines_of(page_of(replace(docket, documents=(broken,))))


@pytest.mark.skipif(which("pdftotext") is None, reason="pdftotext is not installed")
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_document_and_page_say_the_same_words(docket: Docket, tmp_path: Path, locale: str) -> None:
    with speaking(locale):
        page, shown = page_of(docket), html(docket)
        (tmp_path / "docket.pdf").write_bytes(pdf(docket))
    read = subprocess.run(["pdftotext", "-raw", tmp_path / "docket.pdf", "-"], capture_output=True, text=True, check=True).stdout
    for words in (page.title, page.verdict, page.meaning, *lines_of(page).split("\n"), *page.notes):
        assert "".join(words.split()) in "".join(read.split())
        assert "".join(words.split()) in "".join(shown.split()).replace("&#39;", "'")
    assert f'<html lang="{locale}">' in shown


@pytest.mark.skipif(which("pdfinfo") is None, reason="pdfinfo is not installed")
def test_the_document_is_tagged_in_a4_and_the_same_each_time(docket: Docket, tmp_path: Path) -> None:
    octets = pdf(docket)
    assert octets == pdf(docket)
    (tmp_path / "docket.pdf").write_bytes(octets)
    told = subprocess.run(["pdfinfo", tmp_path / "docket.pdf"], capture_output=True, text=True, check=True).stdout
    assert "Tagged:          yes" in told
    assert "(A4)" in told
    assert "Sat Nov 28 11:00:00 2026 UTC" in told
    tree = subprocess.run(["pdfinfo", "-struct", tmp_path / "docket.pdf"], capture_output=True, check=True).stdout
    assert [tree.count(kind) for kind in (b"H1 ", b"H2 ")] == [1, 6]


@pytest.mark.parametrize("text", [HOSTILE, "x" * 10_000, "日本語 \u202e évil \x1b[2J", "l’été\u00a0: «\u00a0œuvre\u00a0»"])
def test_nothing_that_a_stranger_wrote_is_markup_or_steers(docket: Docket, text: str) -> None:
    said = replace(docket.events[-1], note=text, kind=text[:30], who=Who(text, "person", text, text))
    named = replace(docket.documents[0], name=text, checked=Checked(FileVerdict(Belief.INVALID, (signature(signer=text),))))
    hostile = replace(
        docket, title=text, events=(said,), documents=(named,), emitter=text, external_id=text, kind=(text, text),
        fields=(Field(text, MetadataKind.TEXT, text), Field("n", MetadataKind.DATE, text)),
    )  # fmt: skip
    assert pdf(hostile).startswith(b"%PDF-1.7")
    shown = html(hostile)
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown


def test_metadata_read_as_people_write_them() -> None:
    told = [
        Field("a", MetadataKind.DATE, "2026-12-01"),
        Field("b", MetadataKind.BOOLEAN, "false"),
        Field("c", MetadataKind.DECIMAL, "10000.50"),
        Field("d", MetadataKind.INTEGER, "5000"),
        Field("e", MetadataKind.DATE, "un jour"),
    ]
    assert [in_words(field) for field in told] == ["1er décembre 2026", "non", "10\u202f000,50", "5\u202f000", "un jour"]
    with speaking("en"):
        assert [in_words(field) for field in told[1:3]] == ["no", "10,000.50"]


def test_moments_are_those_of_paris(docket: Docket) -> None:
    assert "28 novembre 2026 à 12 h 00" in page_of(docket).meaning
    summer = replace(docket, at=NOON - timedelta(days=150))
    assert "à 13 h 00" in page_of(summer).meaning
