"""The five laws of the engine, on each deployment shape: a flow of two stages and a wait stands for any flow."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import dramatiq
import pytest
from sqlmodel import select, update

from core import clock
from core.errors import Conflict, NeedsOperator, Refused, Unavailable
from core.identifiers import new_id
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem, Severity
from flows.engine import transitions
from flows.engine.brokers import waiting
from flows.engine.execution import Engine
from flows.engine.intake import Deposit, receive
from flows.engine.models import Dossier, Step
from flows.engine.relay import Relay
from flows.engine.table import End, Flow, On, Wait, stage
from flows.engine.transitions import LeaseLost
from flows.engine.work import Advance, KeptFile, Later, Work
from tests.waiting import wait_until

Perform = Callable[[Work], Advance | Later]


def flow_of(first: Perform, second: Perform, within: timedelta | None = None) -> Flow:
    """A flow whose two stages do what the test says."""
    weigh = stage("cpu", "accepted", "refused")(first)
    carry = stage("remote.toy", "sent")(second)
    object.__setattr__(weigh, "name", "weigh")
    object.__setattr__(carry, "name", "carry")
    return Flow(
        "toy",
        On("received", weigh, accepted="weighed", refused="rejected"),
        On("weighed", carry, sent="waiting"),
        Wait("waiting", waits_for="an answer", within=within, answered="done"),
        End("done", good=True),
        End("rejected"),
    )


def accept(_work: Work) -> Advance:
    return Advance("accepted")


def send(_work: Work) -> Advance:
    return Advance("sent")


def deposit(platform: Platform, flow: Flow, organisation: Organisation, name: str = "one") -> str:
    document = KeptFile("document", name, "text/plain", f"{abs(hash(name)):064x}"[:64], 3)
    return receive(platform.database, flow, PLATFORM, Deposit(organisation.id, name, document, reference=name)).dossier.id


@contextmanager
def running(platform: Platform, broker: dramatiq.Broker, flow: Flow) -> Iterator[Engine]:
    """The engine, its relay and a worker."""
    engine = Engine(platform, broker, [flow])
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=4)
    relay = Relay(platform, broker)
    worker.start()
    thread = relay.start()
    try:
        yield engine
    finally:
        relay.stop()
        thread.join()
        worker.stop()


def dossier_of(platform: Platform, dossier_id: str) -> Dossier:
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()


def kinds_of(platform: Platform, dossier_id: str) -> list[str]:
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(JournalEntry).where(JournalEntry.dossier_id == dossier_id).order_by(JournalEntry.number))
        return [entry.kind for entry in found]


def test_a_dossier_goes_from_its_deposit_to_its_end_and_its_journal_tells_it(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation
) -> None:
    flow = flow_of(accept, send)
    with running(platform, broker, flow):
        dossier = deposit(platform, flow, mairie)
        wait_until(lambda: dossier_of(platform, dossier).state == "waiting")
        with platform.database.writing(PLATFORM) as session:
            assert transitions.signal(session, flow, dossier, "answered", Advance("answered", facts={"answer": "yes"}))
    ended = dossier_of(platform, dossier)
    assert (ended.state, ended.facts) == ("done", {"answer": "yes"})
    assert kinds_of(platform, dossier) == ["dossier.received", "toy.weigh.accepted", "toy.carry.sent", "toy.answered"]


def test_a_doubled_message_performs_its_stage_once(platform: Platform, broker: dramatiq.Broker, mairie: Organisation) -> None:
    performed: Counter[str] = Counter()

    def count(work: Work) -> Advance:
        performed[work.dossier_id] += 1
        time.sleep(0.05)
        return Advance("accepted")

    flow = flow_of(count, send)
    with running(platform, broker, flow):
        dossiers = [deposit(platform, flow, mairie, f"d{rank}") for rank in range(5)]
        for _ in range(5):
            for dossier in dossiers:
                broker.get_actor("toy.weigh").send(dossier)
        wait_until(lambda: all(dossier_of(platform, dossier).state == "waiting" for dossier in dossiers))
    assert performed == Counter(dossiers)


def test_a_lost_message_is_announced_again(platform: Platform, broker: dramatiq.Broker, mairie: Organisation) -> None:
    flow = flow_of(accept, send)
    dossier = deposit(platform, flow, mairie)
    with platform.database.writing(PLATFORM) as session:  # announced, and then the broker lost it with everything else
        step = session.exec(select(Step).where(Step.dossier_id == dossier)).one()
        step.announced = clock.now() - timedelta(seconds=1)
    with running(platform, broker, flow):
        wait_until(lambda: dossier_of(platform, dossier).state == "waiting")


def test_what_a_worker_does_after_its_lease_was_lost_is_not_recorded(platform: Platform, mairie: Organisation) -> None:
    flow = flow_of(accept, send)
    dossier = deposit(platform, flow, mairie)
    slow = transitions.claim(platform.database, dossier, "toy.weigh", timedelta(seconds=-1))
    quick = transitions.claim(platform.database, dossier, "toy.weigh", timedelta(seconds=60))
    assert slow is not None
    assert quick is not None
    with pytest.raises(LeaseLost):
        transitions.note(platform.database, slow, "intended", {"name": "x"})
    transitions.advance(platform.database, flow, quick, Advance("accepted"))
    with pytest.raises(LeaseLost):
        transitions.advance(platform.database, flow, slow, Advance("accepted"))
    assert kinds_of(platform, dossier) == ["dossier.received", "toy.weigh.accepted"]


def test_claims_lost_with_their_worker_do_not_lengthen_the_wait_after_a_failure(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation
) -> None:
    def fail(_work: Work) -> Advance:
        raise Unavailable("the remote is away")

    dossier = deposit(platform, flow_of(fail, send), mairie)
    for _ in range(9):
        assert transitions.claim(platform.database, dossier, "toy.weigh", timedelta(seconds=-1)) is not None
    with running(platform, broker, flow_of(fail, send)):
        wait_until(lambda: "toy.weigh.postponed" in kinds_of(platform, dossier))
    with platform.database.reading(PLATFORM) as session:
        step = session.exec(select(Step).where(Step.dossier_id == dossier)).one()
    assert (step.attempts, step.failures) == (10, 1)
    assert step.due < clock.now() + timedelta(seconds=10)


def test_a_document_that_kills_every_worker_is_parked(platform: Platform, broker: dramatiq.Broker, mairie: Organisation) -> None:
    dossier = deposit(platform, flow_of(accept, send), mairie)
    for _ in range(10):
        assert transitions.claim(platform.database, dossier, "toy.weigh", timedelta(seconds=-1)) is not None
    with running(platform, broker, flow_of(accept, send)):
        wait_until(lambda: dossier_of(platform, dossier).parked is not None)
    assert kinds_of(platform, dossier)[-1] == "toy.weigh.parked"


def test_two_claims_of_one_dossier_give_one_lease(platform: Platform, mairie: Organisation) -> None:
    flow = flow_of(accept, send)
    dossier = deposit(platform, flow, mairie)
    together, claims = threading.Barrier(8), []

    def claim() -> None:
        together.wait()
        claims.append(transitions.claim(platform.database, dossier, "toy.weigh", timedelta(seconds=60)))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claimed is not None for claimed in claims) == 1


def test_a_stage_at_work_holds_no_database_connection(platform: Platform, broker: dramatiq.Broker, mairie: Organisation) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def linger(_work: Work) -> Advance:
        at_work.set()
        assert go_on.wait(20)
        return Advance("sent")

    flow = flow_of(accept, linger)
    Engine(platform, broker, [flow])
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=2)
    relay = Relay(platform, broker)
    worker.start()
    dossier = deposit(platform, flow, mairie)
    try:
        while not at_work.is_set():
            relay.announce()
            time.sleep(0.02)
        wait_until(lambda: platform.database.connections_in_use() == 0, seconds=2)
    finally:
        go_on.set()
        wait_until(lambda: dossier_of(platform, dossier).state == "waiting")
        worker.stop()


def test_a_refusal_ends_the_dossier_with_its_problems_and_frees_its_reference(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation
) -> None:
    def refuse(_work: Work) -> Advance:
        raise Refused([Problem("R08", Severity.ERROR, "NomFic absent", line=3)])

    flow = flow_of(refuse, send)
    with running(platform, broker, flow):
        dossier = deposit(platform, flow, mairie)
        wait_until(lambda: dossier_of(platform, dossier).state == "rejected")
    ended = dossier_of(platform, dossier)
    assert (ended.problems[0]["rule"], ended.problems[0]["line"], ended.reference) == ("R08", 3, None)


def test_an_unavailable_remote_is_tried_again(platform: Platform, broker: dramatiq.Broker, mairie: Organisation) -> None:
    tries: list[int] = []

    def fail_twice(work: Work) -> Advance:
        tries.append(work.attempt)
        if len(tries) < 2:
            raise Unavailable("la passerelle ne répond pas")
        return Advance("sent")

    flow = flow_of(accept, fail_twice)
    with running(platform, broker, flow):
        dossier = deposit(platform, flow, mairie)
        wait_until(lambda: dossier_of(platform, dossier).state == "waiting")
    assert tries == [1, 2]
    assert "toy.carry.postponed" in kinds_of(platform, dossier)


def test_a_parked_dossier_waits_for_an_operator_and_resumes_where_it_stood(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation
) -> None:
    settled = threading.Event()

    def ask(_work: Work) -> Advance:
        if not settled.is_set():
            raise NeedsOperator("La clé du serveur a changé.")
        return Advance("sent")

    flow = flow_of(accept, ask)
    with running(platform, broker, flow):
        dossier = deposit(platform, flow, mairie)
        wait_until(lambda: dossier_of(platform, dossier).parked is not None)
        assert dossier_of(platform, dossier).state == "weighed"
        settled.set()
        transitions.resume(platform.database, flow, dossier, "person:someone")
        wait_until(lambda: dossier_of(platform, dossier).state == "waiting")
    with pytest.raises(Conflict):
        transitions.resume(platform.database, flow, dossier, "person:someone")


def test_a_deadline_parks_the_dossier_and_a_late_answer_is_still_heard(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation
) -> None:
    flow = flow_of(accept, send, within=timedelta(milliseconds=200))
    with running(platform, broker, flow):
        dossier = deposit(platform, flow, mairie)
        wait_until(lambda: dossier_of(platform, dossier).parked is not None)
        assert "an answer" in (dossier_of(platform, dossier).parked or "")
        with platform.database.writing(PLATFORM) as session:
            assert transitions.signal(session, flow, dossier, "answered", Advance("answered"))
    ended = dossier_of(platform, dossier)
    assert (ended.state, ended.parked) == ("done", None)


def test_an_event_that_nothing_waits_for_changes_nothing(platform: Platform, mairie: Organisation) -> None:
    flow = flow_of(accept, send)
    dossier = deposit(platform, flow, mairie)
    with platform.database.writing(PLATFORM) as session:
        assert not transitions.signal(session, flow, dossier, "answered", Advance("answered"))
    assert dossier_of(platform, dossier).state == "received"


def test_one_dossier_of_a_small_organisation_is_not_kept_waiting_by_hundreds_of_a_large_one(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation
) -> None:
    flow = flow_of(accept, send)
    Engine(platform, broker, [flow])
    with platform.database.writing(PLATFORM) as session:
        small = add_organisation(session, "Syndicat des eaux", OrganisationKind.COLLECTIVITE)
    for rank in range(300):
        deposit(platform, flow, mairie, f"large-{rank}")
    mine = deposit(platform, flow, small, "small")
    hints = Relay(platform, broker)._choose()
    assert len(hints) == platform.settings.window
    assert [hint.argument for hint in hints].index(mine) <= 1


def test_a_broker_that_is_away_delays_the_hints_and_loses_none(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = flow_of(accept, send)
    Engine(platform, broker, [flow])
    relay = Relay(platform, broker)
    deposit(platform, flow, mairie)

    def away(*_: object, **__: object) -> None:
        raise dramatiq.errors.BrokerConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(broker, "enqueue", away)
        with pytest.raises(dramatiq.errors.BrokerConnectionError):
            relay.announce()
    assert relay.announce() == 1


def test_a_queue_that_nobody_serves_does_not_heap_up_in_the_broker(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation
) -> None:
    crowded = replace(platform, settings=platform.settings.model_copy(update={"window": 3, "redelivery_seconds": 1e-6}))
    queue = f"cpu-{new_id()}"  # nobody's: a virtual host is that of the whole run
    flow = flow_of(accept, send)
    Engine(platform, broker, [flow])
    for rank in range(5):
        deposit(platform, flow, mairie, f"waiting-{rank}")
    with platform.database.writing(PLATFORM) as session:
        session.connection().execute(update(Step).values(queue=queue))
    relay = Relay(crowded, broker)
    sent = [relay.announce() for _ in range(6)]
    assert sum(sent) == waiting(broker, queue) == 6
    assert sent[:2] == [3, 3]
    broker.flush(queue)  # the broker lost them
    assert relay.announce() == 3
