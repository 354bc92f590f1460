"""An invoice is handed over to the finance software once for each cycle, by whichever way, and every answer of it counts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dramatiq
import pytest
from sqlmodel import select

from api.runtime import plan_schedules
from connectors.finance import webhook
from connectors.finance.settings import FolderPlace
from core import clock
from core.configuration import configure
from core.errors import Conflict, Forbidden, Misconfigured, NotFound, UsageError
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine import execution, transitions
from flows.invoices import acknowledging, deciding, delivering
from flows.invoices.flow import INVOICES
from flows.invoices.handing import HANDING, acknowledge, handover_of
from flows.invoices.models import ReceivedInvoice
from flows.invoices.settings import HANDOVER, RECEPTION, InvoiceHandover, InvoiceReception
from tests.books import PIVOT, Books
from tests.conftest import AUTRE_MAIRIE, on_one_shape
from tests.finance import Software, finance_software
from tests.waiting import wait_until


@pytest.fixture
def settings_changes(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "handovers").mkdir()
    return {
        "handover_dir": tmp_path / "handovers",
        "poll_seconds": 0.2,
        "public_url": "https://tabellion.valmorin.example",
    }


@pytest.fixture
def books(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Books:
    monkeypatch.setattr(execution, "_FIRST_BACK_OFF", 0.1)
    plan_schedules(platform)
    return Books(platform, broker, mairie, tmp_path / "handovers")


@pytest.fixture
def software() -> Iterator[Software]:
    with finance_software() as running:
        yield running


def clerk(books: Books, *rights: Right) -> Principal:
    return Principal("token:clerk", {books.organisation.id: frozenset(rights)})


def test_into_a_watched_folder_and_acknowledged_by_a_file(books: Books) -> None:
    books.into_folder()
    dossier_id = books.invoice("F/2026 n°1")
    with books.at_work():
        books.wait_for(dossier_id, "handed")
        handover = books.handover(dossier_id)
        assert handover.delivery.startswith("21400999500017_F-2026-n1_3")
        assert books.depot == [f"{handover.delivery}.json", f"{handover.delivery}.xml"]
        (books.depot_folder / f"{handover.delivery}.ok").write_text("P-2026-17\n")
        books.wait_for(dossier_id, "following")
    answered = books.handover(dossier_id)
    assert (answered.state, answered.software_reference) == ("taken", "P-2026-17")
    wait_until(lambda: f"{handover.delivery}.ok" not in books.depot)
    assert books.journal(dossier_id) == [
        "invoices.hand.intended", "invoices.hand.publishing", "invoices.hand.offered", "invoices.acknowledged", "invoices.taken",
    ]  # fmt: skip


@on_one_shape
def test_what_is_delivered_tells_of_dangers_before_anything_is_opened(books: Books) -> None:
    books.into_folder(forms=["pivot", "original", "pdf", "pieces"])
    dossier_id = books.invoice(marks={"../Lisez-moi.exe": "executable"})
    with books.at_work():
        books.wait_for(dossier_id, "handed")
    handover = books.handover(dossier_id)
    name = handover.delivery
    assert books.depot == sorted([f"{name}.json", f"{name}.pdf", f"{name}.xml", f"{name}_original.xml", f"{name}_pj01.pdf"])
    octets = (books.depot_folder / f"{name}.json").read_bytes()
    manifest = json.loads(octets)
    assert manifest["invoice"] | {"number": "F2026-0001", "gross": "251.88", "issued": "2026-11-02"} == manifest["invoice"]
    assert manifest["warnings"] == ["BR-FR-05"]
    assert [(file["role"], file["delivered_as"], file["mark"]) for file in manifest["files"]] == [
        ("pivot", f"{name}.xml", None),
        ("original", f"{name}_original.xml", None),
        ("readable", f"{name}.pdf", None),
        ("piece", f"{name}_pj01.pdf", None),
        ("piece", None, "executable"),
    ]
    assert manifest["href"] == f"https://tabellion.valmorin.example/v1/invoices/{dossier_id}"
    (proof,) = (kept for kept in books.files(dossier_id) if kept.role == "handover")
    assert (proof.sha256, proof.size) == (handover.sha256, len(octets))


@on_one_shape
def test_a_refusal_comes_back_to_people_and_what_they_send_again_has_a_name_of_its_own(books: Books) -> None:
    books.into_folder()
    books.configure(RECEPTION, InvoiceReception(since=date(2026, 1, 1)))
    dossier_id = books.invoice()
    with books.at_work():
        books.wait_for(dossier_id, "handed")
        first = books.handover(dossier_id)
        (books.depot_folder / f"{first.delivery}.ko").write_text("Fournisseur inconnu")
        books.wait_for(dossier_id, "objected")
        assert (books.handover(dossier_id).state, books.handover(dossier_id).reason) == ("refused", "Fournisseur inconnu")
        deciding.accept(books.platform, PLATFORM, dossier_id)
        books.wait_for(dossier_id, "handed")
        (again,) = books.handovers(dossier_id)
        assert (again.state, again.offer, again.delivery) == ("offered", 2, f"{first.delivery}_r2")
        (books.depot_folder / f"{first.delivery}.ok").write_bytes(b"")  # it took the first after all
        books.wait_for(dossier_id, "following")
    assert books.handover(dossier_id).offer == 2
    assert {f"{first.delivery}.xml", f"{again.delivery}.xml"} <= set(books.depot)


@on_one_shape
def test_the_refusal_of_an_offer_says_nothing_of_the_one_that_followed_it(books: Books) -> None:
    """A file that cannot be removed from the place of the answers is read at every turn."""
    books.configure(RECEPTION, InvoiceReception(since=date(2026, 1, 1)))
    dossier_id = books.invoice()
    with books.at_work():
        books.wait_for(dossier_id, "handed")
        first = books.handover(dossier_id).delivery
        refused: dict[str, Any] = {"taken": False, "reason": "Fournisseur inconnu", "delivery": first}
        acknowledge(books.platform, PLATFORM, dossier_id, **refused)
        books.wait_for(dossier_id, "objected")
        deciding.accept(books.platform, PLATFORM, dossier_id)
        books.wait_for(dossier_id, "handed")
        assert acknowledge(books.platform, PLATFORM, dossier_id, **refused).state == "offered"
        assert books.dossier(dossier_id).state == "handed"
        again = acknowledge(books.platform, PLATFORM, dossier_id, **refused | {"delivery": books.handover(dossier_id).delivery})
    assert (again.state, books.dossier(dossier_id).state) == ("refused", "objected")


@on_one_shape
def test_a_completed_invoice_is_handed_over_anew_and_late_answers_to_the_first_count(books: Books) -> None:
    books.into_folder()
    dossier_id = books.invoice()
    with books.at_work():
        books.wait_for(dossier_id, "handed")
        assert books.signal(dossier_id, "suspended")
        acknowledge(books.platform, PLATFORM, dossier_id, taken=True)
        assert books.dossier(dossier_id).state == "suspended"
        books.complete(dossier_id)
        books.wait_for(dossier_id, "handed")
    first, second = books.handovers(dossier_id)
    assert (first.state, second.state) == ("taken", "offered")
    assert second.delivery == f"{first.delivery}_c2"
    assert (books.depot_folder / f"{second.delivery}.xml").read_bytes() == b"<CPPFacturePivot>complet</CPPFacturePivot>"
    later = acknowledge(books.platform, PLATFORM, dossier_id, taken=True, delivery=first.delivery)
    assert (later.id, books.dossier(dossier_id).state) == (first.id, "handed")


@on_one_shape
def test_by_asking_nothing_leaves(books: Books) -> None:
    assert handover_of(books.platform, books.organisation.id) == InvoiceHandover()
    dossier_id = books.offered()
    handover = books.handover(dossier_id)
    assert (handover.channel, handover.state, handover.sha256) == ("pull", "offered", None)


@on_one_shape
def test_an_acknowledgement_said_twice_changes_nothing(books: Books) -> None:
    dossier_id = books.offered()
    first = acknowledge(books.platform, PLATFORM, dossier_id, taken=True, software_reference="P-1")
    books.wait_for(dossier_id, "following")
    told = books.journal(dossier_id)
    again = acknowledge(books.platform, PLATFORM, dossier_id, taken=True, software_reference="P-2")
    assert (again.id, again.answered, again.software_reference) == (first.id, first.answered, "P-1")
    assert books.journal(dossier_id) == told
    with pytest.raises(Conflict, match="ne peut plus la refuser"):
        acknowledge(books.platform, PLATFORM, dossier_id, taken=False, reason="Trop tard")


@on_one_shape
def test_of_many_who_acknowledge_at_once_one_is_written(books: Books) -> None:
    dossier_id = books.offered()
    start = threading.Barrier(4)

    def say() -> None:
        start.wait()
        acknowledge(books.platform, PLATFORM, dossier_id, taken=True)

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert books.journal(dossier_id).count("invoices.acknowledged") == 1
    assert books.dossier(dossier_id).state == "following"


@on_one_shape
def test_what_was_refused_may_still_be_taken_and_is_then_not_handed_over_again(books: Books) -> None:
    books.into_folder()
    books.configure(RECEPTION, InvoiceReception(since=date(2026, 1, 1)))
    dossier_id = books.invoice()
    with books.at_work():
        books.wait_for(dossier_id, "handed")
        acknowledge(books.platform, PLATFORM, dossier_id, taken=False, reason="Engagement à créer")
        books.wait_for(dossier_id, "objected")
        acknowledge(books.platform, PLATFORM, dossier_id, taken=True)
        assert books.dossier(dossier_id).state == "objected"
        before = books.depot
        deciding.accept(books.platform, PLATFORM, dossier_id)
        books.wait_for(dossier_id, "following")
    (handover,) = books.handovers(dossier_id)
    assert (handover.state, handover.offer) == ("taken", 1)
    assert books.depot == before


@on_one_shape
def test_who_may_acknowledge_what(books: Books) -> None:
    early = books.invoice("F2026-0002")
    with pytest.raises(Conflict, match="pas encore remise"):
        acknowledge(books.platform, PLATFORM, early, taken=True)
    dossier_id = books.offered()
    with pytest.raises(Forbidden):
        acknowledge(books.platform, clerk(books, Right.READ), dossier_id, taken=True)
    with pytest.raises(NotFound):
        acknowledge(books.platform, Principal("token:other", {}), dossier_id, taken=True)
    with pytest.raises(NotFound, match="sous ce nom"):
        acknowledge(books.platform, PLATFORM, dossier_id, taken=True, delivery="1_F_1")
    with pytest.raises(UsageError, match="motif"):
        acknowledge(books.platform, PLATFORM, dossier_id, taken=False, reason="  ")
    with pytest.raises(UsageError):
        acknowledge(books.platform, PLATFORM, dossier_id, taken=True, software_reference="x" * 101)
    acknowledge(books.platform, clerk(books, Right.DEPOSIT), dossier_id, taken=True)
    assert books.dossier(dossier_id).state == "following"


@on_one_shape
def test_a_webhook_is_called_until_it_answers_and_under_one_key(books: Books, software: Software) -> None:
    software.cut = 1
    software.answers = [(200, b'{"taken": true, "software_reference": "P-9"}')]
    books.hands_by("webhook", webhook=_revealed(software))
    dossier_id = books.invoice()
    with books.at_work():
        books.wait_for(dossier_id, "following")
    handover = books.handover(dossier_id)
    assert software.calls == [handover.delivery, handover.delivery]
    assert (handover.state, handover.software_reference) == ("taken", "P-9")
    (told,) = software.taken.values()
    assert told["invoice"]["supplier_name"] == "Papeterie du Lavoir"
    assert all(file["delivered_as"] is None and file["href"].startswith("https://") for file in told["files"])


@on_one_shape
def test_a_webhook_that_refuses_comes_back_to_people(books: Books, software: Software) -> None:
    software.usual = (200, b'{"taken": false, "reason": "Exercice clos"}')
    books.hands_by("webhook", webhook=_revealed(software))
    dossier_id = books.invoice()
    with books.at_work():
        books.wait_for(dossier_id, "objected")
    assert books.handover(dossier_id).reason == "Exercice clos"
    assert books.dossier(dossier_id).facts[HANDING] is None


@on_one_shape
def test_a_refusal_that_comes_before_the_hand_over_is_recorded_is_not_offered_again_by_itself(
    books: Books, software: Software, monkeypatch: pytest.MonkeyPatch
) -> None:
    software.usual = (200, b'{"taken": false, "reason": "Exercice clos"}')
    books.hands_by("webhook", webhook=_revealed(software))
    died: list[str] = []
    original = webhook.tell

    def tell(*arguments: Any) -> Any:
        if not died:  # the software answers, over the API, a worker that is dead by then
            died.append("once")
            original(*arguments)
            acknowledge(books.platform, PLATFORM, dossier_id, taken=False, reason="Exercice clos")
            raise RuntimeError("the worker dies")
        return original(*arguments)

    monkeypatch.setattr(webhook, "tell", tell)
    dossier_id = books.invoice()
    with books.at_work():
        books.wait_for(dossier_id, "objected")
    assert len(software.calls) == 1
    assert books.handover(dossier_id).offer == 1


@on_one_shape
def test_an_answer_that_is_not_understood_is_told_and_holds_up_no_other(books: Books) -> None:
    books.into_folder()
    first, second = books.invoice("F2026-0001"), books.invoice("F2026-0002")
    with books.at_work():
        books.wait_for(first, "handed")
        books.wait_for(second, "handed")
        names = [books.handover(one).delivery for one in (first, second)]
        (books.depot_folder / "autre_F_1.ok").write_bytes(b"")
        (books.depot_folder / f"{names[0]}.ack.json").write_text('{"taken": "peut-être"}')
        (books.depot_folder / f"{names[1]}.ack.json").write_text('{"taken": true}')
        books.wait_for(second, "following")
    with pytest.raises(Exception, match="n’est pas comprise"):
        acknowledging.collect(books.platform, books.organisation.id)
    assert {"autre_F_1.ok", f"{names[0]}.ack.json"} <= set(books.depot)
    assert f"{names[1]}.ack.json" not in books.depot
    assert books.dossier(first).state == "handed"


@on_one_shape
def test_answers_in_a_place_of_one_organisation_say_nothing_of_another(books: Books) -> None:
    books.into_folder()
    dossier_id = books.offered()
    other = _neighbour(books)
    theirs = books.folder / str(other.siren) / "depot"
    theirs.mkdir(parents=True)
    (theirs / f"{books.handover(dossier_id).delivery}.ok").write_bytes(b"")
    acknowledging.collect(books.platform, other.id)
    assert books.handover(dossier_id).state == "offered"


@on_one_shape
def test_no_collectivite_reaches_the_folder_of_another_and_the_platform_names_any(books: Books) -> None:
    books.into_folder()
    other = _neighbour(books)
    with pytest.raises(Misconfigured, match=f"{other.siren}/depot"):
        acknowledging.collect(books.platform, other.id)
    assert delivering.bounds_of(books.platform, books.organisation.id).folder == books.depot_folder.parent
    root = str(books.organisation.parent_id)
    with books.platform.database.writing(PLATFORM) as session:
        place = {"channel": "folder", "folder": {"directory": "commun"}}
        configure(session, books.platform.secrets, root, HANDOVER, InvoiceHandover.model_validate(place))
    assert delivering.bounds_of(books.platform, root).folder == books.folder
    assert delivering.bounds_of(books.platform, books.organisation.id).folder == books.depot_folder.parent


def _neighbour(books: Books) -> Organisation:
    """Another collectivité, which configured the same folder as the first."""
    with books.platform.database.writing(PLATFORM) as session:
        parent = session.get_one(Organisation, books.organisation.parent_id)
        other = add_organisation(
            session, "Syndicat des eaux du Lavoir", OrganisationKind.COLLECTIVITE, parent=parent, siret=AUTRE_MAIRIE
        )
        place = {"channel": "folder", "folder": {"directory": "depot", "settled_age": 0, "second_look_after": 0}}
        configure(session, books.platform.secrets, other.id, HANDOVER, InvoiceHandover.model_validate(place))
        return other


@on_one_shape
def test_the_file_of_somebody_else_stops_for_a_person_and_is_left_alone(books: Books) -> None:
    books.into_folder()
    dossier_id = books.invoice()
    with books.platform.database.reading(PLATFORM) as session:
        invoice = session.exec(select(ReceivedInvoice).where(ReceivedInvoice.dossier_id == dossier_id)).one()
    theirs = books.depot_folder / f"21400999500017_F2026-0001_{invoice.chorus_id}.xml"
    theirs.write_bytes(b"of somebody else")
    with books.at_work():
        assert theirs.name in books.parked(dossier_id)
        assert theirs.read_bytes() == b"of somebody else"
        theirs.unlink()
        transitions.resume(books.platform.database, INVOICES, dossier_id, "operator")
        books.wait_for(dossier_id, "handed")
    assert theirs.read_bytes() == PIVOT


@on_one_shape
def test_a_folder_that_is_not_there_is_the_operators_matter(books: Books) -> None:
    books.into_folder()
    (books.depot_folder).rmdir()
    dossier_id = books.invoice()
    with books.at_work():
        assert "TABELLION_HANDOVER_DIR" in books.parked(dossier_id)


@on_one_shape
def test_a_way_that_changes_meanwhile_is_the_new_one_under_the_same_name(books: Books, software: Software) -> None:
    books.into_folder()
    (books.depot_folder).rmdir()
    dossier_id = books.invoice()
    with books.at_work():
        books.parked(dossier_id)
        before = books.handover(dossier_id)
        books.hands_by("webhook", webhook=_revealed(software))
        transitions.resume(books.platform.database, INVOICES, dossier_id, "operator")
        books.wait_for(dossier_id, "handed")
    (after,) = books.handovers(dossier_id)
    assert (after.id, after.channel, after.delivery) == (before.id, "webhook", before.delivery)
    assert software.calls == [before.delivery]


@on_one_shape
@pytest.mark.parametrize("moved", [True, False], ids=["moved", "too long ago"])
def test_a_delivery_that_nobody_can_tell_of_is_asked_once_and_made_again_by_whoever_resumes_it(
    books: Books, monkeypatch: pytest.MonkeyPatch, *, moved: bool
) -> None:
    books.into_folder()
    dossier_id, elsewhere = books.invoice(), books.depot_folder.with_name("ailleurs")
    elsewhere.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivering, "_publish", Mock(side_effect=Misconfigured("stopped")))
        with books.at_work():
            assert books.parked(dossier_id) == "stopped"
            patch.undo()
            for left in books.depot_folder.iterdir():
                left.unlink()  # cleared by the software, or taken
            if moved:
                place = FolderPlace(directory="ailleurs", settled_age=0, second_look_after=0)
                books.hands_by("folder", folder=place.model_dump())
            else:
                monkeypatch.setattr(delivering, "_PROOF_HOLDS_FOR", timedelta(0))
            transitions.resume(books.platform.database, INVOICES, dossier_id, "operator")
            assert "nul ne peut dire" in books.parked(dossier_id)
            assert books.depot == [path.name for path in elsewhere.iterdir()] == []
            transitions.resume(books.platform.database, INVOICES, dossier_id, "operator")
            books.wait_for(dossier_id, "handed")
    assert {path.suffix for path in (elsewhere if moved else books.depot_folder).iterdir()} == {".json", ".xml"}


@pytest.mark.parametrize("channel", ["sftp", "folder", "webhook"])
def test_a_way_without_its_settings_is_refused(channel: str) -> None:
    with pytest.raises(ValueError, match=channel):
        InvoiceHandover.model_validate({"channel": channel})


def test_amounts_and_days_are_told_as_texts() -> None:
    invoice = ReceivedInvoice(
        dossier_id="1", organisation_id="1", account_id="1", environment="sandbox", chorus_id=7, kind="FACTURE", number="F",
        status="MANDATEE", gross=Decimal("120.5"), issued=date(2026, 11, 2), deposited=clock.from_iso("2026-11-03T08:00:00Z"),
    )  # fmt: skip
    told = delivering.described(invoice)
    assert (told["gross"], told["net"], told["issued"], told["deposited"]) == (
        "120.50",
        None,
        "2026-11-02",
        "2026-11-03T08:00:00Z",
    )
    json.dumps(told)


def _revealed(software: Software) -> dict[str, Any]:
    place = software.place()
    return place.model_dump(exclude={"secret"}) | {"secret": place.secret.get_secret_value()}
