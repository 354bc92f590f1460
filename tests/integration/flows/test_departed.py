"""What left before a backup was restored is considered sent when a person says so, on evidence; it never leaves again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import dramatiq
import pytest
from sqlalchemy import delete

from api.runtime import plan_schedules
from connectors.asalae.simulator import AsalaeSimulator
from core.canonical import canonical_bytes
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes import following, incoming
from flows.actes.following import Reply
from flows.actes.knowledge import classification_of
from flows.actes.models import ActesMessage
from flows.engine import departed
from flows.engine.models import Dossier, Step
from flows.helios import acquits, stages
from flows.invoices.handing import acknowledge
from flows.invoices.issued import following as sales
from flows.invoices.models import Handover
from flows.registry import FLOWS
from flows.sae.models import SaeTransfer
from schemas.actes.codes import MessageCode
from tests.acts import ActsTown
from tests.books import Books
from tests.conftest import on_one_shape
from tests.forgotten import ByHand, dossier, entries, files, forget
from tests.sae import Office, outside
from tests.sales import Shop
from tests.town import Town
from tests.waiting import wait_until

pytestmark = on_one_shape
WHY, WHERE = "accusé vu au portail", "ACQ-2026-17"


@pytest.fixture
def settings_changes(settings_changes: dict[str, object], tmp_path: Path) -> dict[str, object]:
    (tmp_path / "handovers").mkdir()
    return {**settings_changes, "handover_dir": tmp_path / "handovers"}


@pytest.fixture
def books(platform: Platform, broker: dramatiq.Broker, mairie: Organisation, tmp_path: Path) -> Books:
    plan_schedules(platform)
    return Books(platform, broker, mairie, tmp_path / "handovers")


@pytest.fixture
def hand(platform: Platform) -> Iterator[ByHand]:
    with ByHand.at_work(platform) as hand:
        yield hand


def decide(platform: Platform, dossier_id: str, principal: Principal = PLATFORM, reason: str = WHY) -> bool:
    return departed.decide(platform, FLOWS, principal, dossier_id, reason, WHERE)


def kinds(platform: Platform, dossier_id: str) -> list[str]:
    return [entry.kind for entry in entries(platform, dossier_id)]


def _answered(town: Town, dossier_id: str) -> None:
    """Collect what the gateway answers until the acquit of a flow is there."""

    def collected() -> bool:
        acquits.collect(town.platform, town.organisation.id)
        return dossier(town.platform, dossier_id).state == "acquitted"

    wait_until(collected)


def test_a_flow_that_stood_at_its_sending_waits_for_its_acknowledgement_and_is_archived(town: Town, hand: ByHand) -> None:
    gone = town.push("PES_PARTI")
    before = hand.run(gone, until="signed")
    assert hand.run(gone).state == "sent"
    forget(town.platform, gone, "signed", before.facts, {"pes", "signed", "report"})
    operator = Principal("person:01EXPLOITANT", {town.organisation.id: frozenset({Right.OPERATE})})

    assert decide(town.platform, gone, operator)

    now, told = dossier(town.platform, gone), entries(town.platform, gone)[-1]
    assert (now.state, now.parked, now.overtaken) == ("sent", None, False)
    said = {name: now.facts[departed.FACT][name] for name in ("by", "at", "reason", "reference")}
    assert (said["by"], said["reason"], said["reference"]) == (operator.actor, WHY, WHERE)
    assert (told.kind, told.actor, told.facts["from"], told.facts["state"]) == (
        "dossier.departed",
        operator.actor,
        "signed",
        "sent",
    )
    assert told.facts["statement"] == hashlib.sha256(canonical_bytes(said)).hexdigest()
    assert WHY not in json.dumps(told.facts)  # the journal is for ever: it has the digest of the words
    assert now.facts["sending"]["remote_name"] == told.facts["remote_name"]
    assert not decide(town.platform, gone, operator, "autre raison")
    assert entries(town.platform, gone)[-1].id == told.id  # said twice, written once

    _answered(town, gone)
    assert hand.run(gone).state == "archived"
    assert len(town.played.gateway.received()) == 1


def test_a_flow_that_was_not_ready_is_prepared_again_passes_over_its_sending_and_keeps_what_left(
    town: Town, hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = town.push("PES_PARTI_PLUS_TARD")
    received = dossier(town.platform, gone).facts
    hand.run(gone)
    left = files(town.platform, gone)
    forget(town.platform, gone, "received", received, {"pes"})

    assert decide(town.platform, gone)
    waiting = dossier(town.platform, gone)
    assert (waiting.state, waiting.parked, waiting.facts[departed.FACT]["due"]) == ("received", None, True)
    assert not decide(town.platform, gone)

    another = town.played.seal()
    monkeypatch.setattr(stages, "seal_of", lambda *_: another)  # what is made again is not what left
    assert hand.run(gone).state == "sent"
    assert kinds(town.platform, gone).count("helios.transmit.sent") == 1  # as it was: nothing is told of a second one
    assert kinds(town.platform, gone)[-1] == departed.PASSED
    (delivered,) = town.played.gateway.received()
    kept = files(town.platform, gone)
    assert delivered.sha256 == left["signed"].sha256 == kept["signed"].sha256
    assert kept["report"].sha256 == left["report"].sha256
    assert not dossier(town.platform, gone).facts[departed.FACT]["due"]
    _answered(town, gone)
    assert hand.run(gone).state == "archived"


def test_who_may_say_it_of_what_and_how(town: Town, hand: ByHand) -> None:
    gone, platform = town.push("PES_DROITS"), town.platform
    before = hand.run(gone, until="signed")
    with pytest.raises(Conflict, match="restauration"):
        decide(platform, gone)
    hand.run(gone)
    forget(platform, gone, "signed", before.facts, {"pes", "signed", "report"})
    reader = Principal("person:01LECTEUR", {town.organisation.id: frozenset(set(Right) - {Right.OPERATE})})
    wrong: list[tuple[Principal, str, str, type[Exception]]] = [
        (reader, gone, WHY, Forbidden),
        (Principal("person:01AILLEURS", {"0" * 26: frozenset(Right)}), gone, WHY, NotFound),
        (PLATFORM, gone, " \n", UsageError),
        (PLATFORM, gone, "x" * (departed.LONGEST_REASON + 1), UsageError),
        (PLATFORM, "0" * 26, WHY, NotFound),
    ]
    for principal, dossier_id, reason, error in wrong:
        with pytest.raises(error):
            decide(platform, dossier_id, principal, reason)
    for flow, state in (("helios", "sent"), ("document", "received"), ("mail", "ready"), ("actes", "acknowledged")):
        with platform.database.writing(PLATFORM) as session:
            other = Dossier(organisation_id=town.organisation.id, flow=flow, title="x", state=state, overtaken=True)
            session.add(other)
        assert not departed.may_be_said(other, FLOWS[flow])
        with pytest.raises(Conflict, match="rien à envoyer"):
            decide(platform, other.id)
    with platform.database.reading(PLATFORM) as session:
        assert session.get(Step, gone) is None
    assert dossier(platform, gone).overtaken and "dossier.departed" not in kinds(platform, gone)


def _heard(acts: ActsTown, there: Callable[[], bool]) -> None:
    """Read the mails of the ministry until one says what is waited for."""

    def read() -> bool:
        incoming.collect(acts.platform, acts.organisation.id)
        return there()

    wait_until(read)


@pytest.fixture
def act(acts: ActsTown) -> str:
    """An act that was just deposited, under a classification that is known."""
    _heard(acts, lambda: classification_of(acts.platform, acts.organisation.id) is not None)
    return acts.send()


def test_an_act_that_left_hears_its_acknowledgement_and_leaves_once(acts: ActsTown, act: str, hand: ByHand) -> None:
    gone = act
    before = hand.run(gone, until="packed")
    known = set(files(acts.platform, gone))
    assert hand.run(gone).state == "sent"
    forget(acts.platform, gone, "packed", before.facts, known)
    with acts.platform.database.writing(PLATFORM) as session:
        for row in (session.get_one(ActesMessage, acts.message(gone, "1-1").id), *acts.envelopes(gone)):
            row.state = "packed"
            session.add(row)

    assert decide(acts.platform, gone)
    assert dossier(acts.platform, gone).state == "sent"
    assert (acts.message(gone, "1-1").state, [one.state for one in acts.envelopes(gone)]) == ("sent", ["sent"])
    _heard(acts, lambda: dossier(acts.platform, gone).state == "acknowledged")
    assert acts.delivered(gone) == 1


def test_an_act_that_is_packed_once_more_bears_the_envelope_that_left(acts: ActsTown, act: str, hand: ByHand) -> None:
    gone = act
    received, known = dossier(acts.platform, gone).facts, set(files(acts.platform, gone))
    assert hand.run(gone).state == "sent"
    left, (envelope,) = files(acts.platform, gone), acts.envelopes(gone)
    forget(acts.platform, gone, "received", received, known)
    with acts.platform.database.writing(PLATFORM) as session:
        session.get_one(ActesMessage, acts.message(gone, "1-1").id).state = "to_send"
        session.delete(session.get_one(type(envelope), envelope.id))

    assert decide(acts.platform, gone)
    assert hand.run(gone).state == "sent"
    (now,) = acts.envelopes(gone)
    assert (now.name, now.sha256, now.state) == (envelope.name, envelope.sha256, "sent")
    assert {role: files(acts.platform, gone)[role].sha256 for role in ("archive", "message")} == {
        role: left[role].sha256 for role in ("archive", "message")
    }
    assert acts.delivered(gone) == 1


def test_an_answer_that_left_is_not_sent_again(acts: ActsTown, act: str, hand: ByHand) -> None:
    gone = act
    hand.run(gone)
    _heard(acts, lambda: dossier(acts.platform, gone).state == "acknowledged")
    acts.state.send_letter(acts.message(gone, "1-1").id_acte, "2-1", "Pour information")
    _heard(acts, lambda: any(one.code == "2-1" for one in acts.messages(gone)))
    letter = acts.message(gone, "2-1")
    reply = Reply(letter.id, MessageCode.REPONSE_COURRIER_SIMPLE, (acts.file("reponse.pdf"),))
    following.reply(acts.platform, PLATFORM, gone, reply)
    before, known = dossier(acts.platform, gone), set(files(acts.platform, gone))
    assert (before.state, hand.run(gone).state) == ("answering", "acknowledged")
    delivered, left = acts.delivered(gone), files(acts.platform, gone)
    forget(acts.platform, gone, "answering", before.facts, known)
    answer = acts.message(gone, "2-2")
    with acts.platform.database.writing(PLATFORM) as session:
        session.get_one(ActesMessage, answer.id).state = "to_send"
        for one in acts.envelopes(gone):
            if one.message_id == answer.id:
                session.delete(session.get_one(type(one), one.id))

    assert decide(acts.platform, gone)
    assert (hand.run(gone).state, acts.message(gone, "2-2").state) == ("acknowledged", "sent")
    role = f"archive.{answer.id}"
    assert files(acts.platform, gone)[role].sha256 == left[role].sha256
    assert (acts.delivered(gone), len(acts.envelopes(gone))) == (delivered, 2)


@pytest.mark.parametrize("told", [True, False], ids=["told", "lost"])
def test_an_invoice_of_ours_that_was_deposited_is_followed_by_its_number_or_looked_for(
    shop: Shop, hand: ByHand, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = shop.town.platform
    gone = shop.receive(shop.invoice()).id
    before = hand.run(gone, until="checked")
    known = set(files(platform, gone))
    assert hand.run(gone).state == "deposited"
    forget(platform, gone, "checked", before.facts, known)
    with platform.database.writing(PLATFORM) as session:
        row = session.get_one(type(shop.kept(gone)), gone)
        row.deposit = ""
    if not told:  # the end of the journal is lost with the database
        monkeypatch.setattr(departed, "_told", lambda _session, _dossier: ())

    assert decide(platform, gone)
    assert dossier(platform, gone).state == ("deposited" if told else "uncertain")
    sales.follow(platform, shop.town.organisation.id)
    assert dossier(platform, gone).state == "issued"
    assert len(shop.deposits()) == 1


def test_an_invoice_that_was_handed_over_waits_for_the_software(books: Books, hand: ByHand) -> None:
    books.into_folder()
    gone = books.invoice()
    before, known = books.dossier(gone).facts, set(files(books.platform, gone))
    assert hand.run(gone).state == "handed"
    delivered = books.depot
    forget(books.platform, gone, "to_hand", before, known)
    with books.platform.database.writing(PLATFORM) as session:
        session.connection().execute(delete(Handover))

    assert decide(books.platform, gone)
    assert (dossier(books.platform, gone).state, books.depot) == ("handed", delivered)
    acknowledge(books.platform, PLATFORM, gone, taken=True)
    assert dossier(books.platform, gone).state == "following"


def test_an_invoice_of_which_no_hand_over_is_known_stays_aside(books: Books) -> None:
    books.into_folder()
    gone = books.invoice()
    forget(books.platform, gone, "to_hand", books.dossier(gone).facts, set(files(books.platform, gone)))
    with pytest.raises(Conflict, match="logiciel"):
        decide(books.platform, gone)
    assert dossier(books.platform, gone).overtaken


@pytest.fixture
def asalae(tmp_path: Path) -> Iterator[AsalaeSimulator]:
    with AsalaeSimulator(tmp_path / "asalae") as running:
        yield running


@pytest.mark.parametrize("told", [True, False], ids=["told", "lost"])
def test_a_transfer_that_left_is_asked_about_under_the_identifier_that_the_journal_tells(
    platform: Platform, mairie: Organisation, asalae: AsalaeSimulator, tmp_path: Path, told: bool
) -> None:
    with Office.opened(platform, mairie, tmp_path) as office:
        office.configure(outside(asalae=asalae.settings()))
        office.seal()
        gone = office.gather()
        before = office.dossier(gone).facts
        if told:
            assert office.run(gone).state == "sent"
        identifier = office.transfer(gone).identifier
        forget(platform, gone, "ready", before, set())
        with platform.database.writing(PLATFORM) as session:
            session.get_one(SaeTransfer, gone).identifier = ""
        if not told:
            with pytest.raises(Conflict, match="identifiant"):
                decide(platform, gone)
            return
        assert decide(platform, gone)
        assert office.transfer(gone).identifier == identifier
        assert office.follow(gone).state == "acknowledged"
        assert office.follow(gone).state == "accepted"
        assert asalae.received == 1
