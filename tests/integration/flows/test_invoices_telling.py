"""Chorus Pro is told every decision exactly once, and never backwards, whatever happens on the way."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from sqlmodel import col, select

from connectors.chorus import services
from connectors.chorus.client import Chorus
from connectors.chorus.errors import ChorusRefused, ChorusUnavailable, QuotaReached
from connectors.chorus.simulated_faults import Mishap
from connectors.chorus.simulated_oddities import Oddity
from connectors.chorus.simulated_portal import Told
from connectors.chorus.statuses import Status
from core import clock
from core.errors import NeedsOperator, TabellionError
from core.journal import JournalEntry
from core.principal import PLATFORM
from flows.invoices import deciding, life, telling
from flows.invoices.deciding import Asked
from flows.invoices.models import InvoiceTarget, TargetState
from tests.conftest import on_one_shape
from tests.invoices import InvoicesTown
from tests.waiting import wait_until

REASON = "Il manque le bon de livraison."
TREAT = services.TREAT.path
pytestmark = on_one_shape


def asked(invoices: InvoicesTown, *targets: Asked) -> tuple[int, str]:
    """An invoice that was handed over, with what is to be told of it."""
    (known,) = invoices.arrive(moment=clock.now())
    dossier_id = invoices.rest(known)
    deciding.ask(invoices.platform, PLATFORM, dossier_id, targets or (Asked(Status.SERVICE_DONE),))
    return known, dossier_id


def tell(invoices: InvoicesTown) -> str:
    """One turn; what troubled it, if anything."""
    try:
        telling.tell(invoices.platform, invoices.organisation.id)
    except TabellionError as error:
        return str(error)
    return ""


def at_once(invoices: InvoicesTown, dossier_id: str) -> None:
    """Let the pause after a trouble, or the hold of a worker that died, be over."""
    with invoices.platform.database.writing(PLATFORM) as session:
        for target in session.exec(select(InvoiceTarget).where(InvoiceTarget.dossier_id == dossier_id)):
            target.not_before = clock.now() - timedelta(seconds=1)
            session.add(target)


def states(invoices: InvoicesTown, dossier_id: str) -> list[str]:
    return [one.state for one in invoices.targets(dossier_id)]


def sent(invoices: InvoicesTown, known: int) -> list[str]:
    """The statuses that Chorus Pro was asked to set, however often."""
    return [call.request["nouveauStatut"] for call in invoices.state.calls(TREAT) if call.request["idFacture"] == known]


def told_of(invoices: InvoicesTown, dossier_id: str) -> list[str]:
    with invoices.platform.database.reading(PLATFORM) as session:
        wanted = select(JournalEntry.kind).where(JournalEntry.dossier_id == dossier_id)
        kinds = session.exec(wanted.order_by(col(JournalEntry.number))).all()
    return [one for one in kinds if one in {"invoices.asked", "invoices.told", "invoices.dropped", "invoices.denied"}]


def test_statuses_are_told_in_the_order_in_which_they_were_asked(invoices: InvoicesTown) -> None:
    known, dossier_id = asked(invoices, Asked(Status.SERVICE_DONE), Asked(Status.MANDATED, mandate="1204"))
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.TOLD, TargetState.TOLD]
    assert invoices.state.statuses(known)[-2:] == ["SERVICE_FAIT", "MANDATEE"]
    assert invoices.state.invoice(known).mandate == "1204"
    assert [step.code for step in invoices.steps(dossier_id)] == invoices.state.statuses(known)
    assert told_of(invoices, dossier_id) == ["invoices.asked", "invoices.asked", "invoices.told", "invoices.told"]
    assert tell(invoices) == ""
    assert sent(invoices, known) == ["SERVICE_FAIT", "MANDATEE"]


def test_nothing_is_told_of_an_invoice_of_another_environment(invoices: InvoicesTown) -> None:
    """Its identifier is that of an invoice that counts there."""
    _, dossier_id = asked(invoices)
    invoices.go_into_production()
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.DUE]
    assert not invoices.state.calls("consulter/historique") + invoices.state.calls(TREAT)
    with pytest.raises(NeedsOperator, match="environnement « sandbox »"):
        invoices.client(dossier_id)


def test_a_suspension_takes_the_dossier_to_its_supplier_with_the_reason(invoices: InvoicesTown) -> None:
    known, dossier_id = asked(invoices, Asked(Status.SUSPENDED, REASON, "JUSTIF_ABS"))
    assert tell(invoices) == ""
    assert invoices.dossier(dossier_id).state == "suspended"
    assert invoices.state.invoice(known).comment == REASON


@pytest.mark.parametrize("mishap", [Mishap.LOST, Mishap.HALF])
def test_a_status_whose_answer_was_lost_is_told_once(invoices: InvoicesTown, mishap: Mishap) -> None:
    known, dossier_id = asked(invoices, Asked(Status.SERVICE_DONE), Asked(Status.MANDATED))
    invoices.state.gateway.faults.plan(mishap, TREAT)
    assert tell(invoices) != ""
    first, second = invoices.targets(dossier_id)
    assert (first.state, second.state) == (TargetState.TELLING, TargetState.DUE)
    assert first.trouble
    at_once(invoices, dossier_id)
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.TOLD, TargetState.TOLD]
    assert sent(invoices, known) == ["SERVICE_FAIT", "MANDATEE"]


def test_a_status_whose_answer_was_lost_is_known_to_be_told_when_helios_has_moved_the_invoice_on(invoices: InvoicesTown) -> None:
    known, dossier_id = asked(invoices, Asked(Status.MANDATED, mandate="1204"))
    invoices.state.gateway.faults.plan(Mishap.LOST, TREAT)
    tell(invoices)
    invoices.move(known, Status.WITH_ACCOUNTANT)
    at_once(invoices, dossier_id)
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.TOLD]
    assert sent(invoices, known) == ["MANDATEE"]


@pytest.mark.parametrize("mishap", [Mishap.FAILED, Mishap.BUSY, Mishap.PAGE])
def test_a_status_that_did_not_arrive_is_told_at_a_later_turn(invoices: InvoicesTown, mishap: Mishap) -> None:
    known, dossier_id = asked(invoices)
    invoices.state.gateway.faults.plan(mishap, TREAT)
    assert tell(invoices) != ""
    assert invoices.state.invoice(known).status == Status.AVAILABLE
    assert tell(invoices) == ""  # not at once: it is left alone for a moment
    assert states(invoices, dossier_id) == [TargetState.TELLING]
    at_once(invoices, dossier_id)
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.TOLD]
    assert invoices.state.statuses(known).count("SERVICE_FAIT") == 1


def test_what_a_worker_that_died_had_in_hand_is_looked_at_before_it_is_told(invoices: InvoicesTown) -> None:
    known, dossier_id = asked(invoices)
    with invoices.platform.database.writing(PLATFORM) as session:
        target = session.exec(select(InvoiceTarget).where(InvoiceTarget.dossier_id == dossier_id)).one()
        target.state, target.telling = TargetState.TELLING.value, clock.now()
        target.not_before = clock.now() + timedelta(minutes=10)
        session.add(target)
    invoices.client(dossier_id).treat(known, Status.SERVICE_DONE)  # it had left
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.TELLING]  # it may still be alive
    at_once(invoices, dossier_id)
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.TOLD]
    assert sent(invoices, known) == ["SERVICE_FAIT"]


@pytest.mark.parametrize("reached", [Status.SERVICE_DONE, Status.WITH_ACCOUNTANT, Status.PAID, Status.REJECTED])
def test_what_the_invoice_has_passed_is_dropped_and_never_sent(invoices: InvoicesTown, reached: Status) -> None:
    known, dossier_id = asked(invoices)
    invoices.move(known, reached)
    assert tell(invoices) == ""
    (target,) = invoices.targets(dossier_id)
    assert target.state == TargetState.DROPPED
    assert target.trouble is not None
    assert "déjà" in target.trouble
    assert sent(invoices, known) == []
    assert invoices.state.invoice(known).status == reached


def test_what_chorus_does_not_offer_is_dropped_with_the_reason(invoices: InvoicesTown) -> None:
    known, dossier_id = asked(invoices, Asked(Status.REJECTED, REASON))
    invoices.move(known, Status.WITH_ACCOUNTANT)
    assert tell(invoices) == ""
    (target,) = invoices.targets(dossier_id)
    assert target.state == TargetState.DROPPED
    assert target.trouble is not None
    assert "ne laisse pas passer" in target.trouble
    assert sent(invoices, known) == []


def test_helios_that_moves_the_invoice_between_our_look_and_our_call_is_followed(
    invoices: InvoicesTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, dossier_id = asked(invoices)
    treat = Chorus.treat

    def late(self: Chorus, invoice: int, status: str, **more: str) -> object:
        invoices.move(known, Status.PAID)
        return treat(self, invoice, status, **more)

    monkeypatch.setattr(Chorus, "treat", late)
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.DROPPED]
    assert invoices.state.statuses(known)[-1] == Status.PAID
    assert sent(invoices, known) == ["SERVICE_FAIT"]


def test_what_chorus_refuses_twice_is_refused_in_words_and_blocks_nothing(
    invoices: InvoicesTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chorus Pro offers a status to one invoice, and takes it no more: its two services do not agree."""
    known, dossier_id = asked(invoices, Asked(Status.SERVICE_DONE), Asked(Status.MANDATED))
    other, other_id = asked(invoices)
    offered = {"listeStatutsPossiblesPourTraitement": [{"statutPossiblePourTraitement": "SERVICE_FAIT"}]}
    answerers = invoices.state.gateway._answerers
    monkeypatch.setitem(answerers, services.NEXT_STATUSES.path, lambda _: Told(offered))
    invoices.move(known, Status.SUSPENDED, comment=REASON)
    assert tell(invoices) == ""
    first, second = invoices.targets(dossier_id)
    assert (first.state, second.state) == (TargetState.REFUSED, TargetState.DROPPED)
    assert first.trouble is not None
    assert "refusé deux fois" in first.trouble
    assert "20002" in first.trouble
    assert sent(invoices, known) == ["SERVICE_FAIT", "SERVICE_FAIT"]
    assert told_of(invoices, dossier_id)[-2:] == ["invoices.denied", "invoices.dropped"]
    assert states(invoices, other_id) == [TargetState.TOLD]
    assert invoices.state.invoice(other).status == Status.SERVICE_DONE


def test_an_invoice_that_chorus_does_not_know_any_more_holds_up_no_other(invoices: InvoicesTown) -> None:
    known, dossier_id = asked(invoices)
    other, other_id = asked(invoices)
    with invoices.platform.database.writing(PLATFORM) as session:
        lost = invoices.invoice(dossier_id)
        lost.chorus_id = 1
        session.add(lost)
    assert "GDP_MSG_11.008" in tell(invoices)
    assert states(invoices, other_id) == [TargetState.TOLD]
    (target,) = invoices.targets(dossier_id)
    assert target.state == TargetState.DUE
    assert target.trouble is not None
    assert invoices.state.invoice(other).status == Status.SERVICE_DONE
    assert invoices.state.invoice(known).status == Status.AVAILABLE


def test_a_quota_that_is_reached_ends_the_turn_and_nothing_is_lost(invoices: InvoicesTown) -> None:
    invoices.state.gateway.faults.wait = 1
    found = [asked(invoices) for _ in range(2)]
    invoices.state.gateway.faults.plan(Mishap.QUOTA, TREAT)
    with pytest.raises(QuotaReached):
        telling.tell(invoices.platform, invoices.organisation.id)
    assert [sent(invoices, known) for known, _ in found] == [["SERVICE_FAIT"], []]
    invoices.state.gateway.faults.wait = 0

    def later() -> bool:
        """The way is closed for as long as Chorus Pro asked."""
        for _, dossier_id in found:
            at_once(invoices, dossier_id)
        return tell(invoices) == ""

    wait_until(later)
    assert [states(invoices, dossier_id) for _, dossier_id in found] == [[TargetState.TOLD], [TargetState.TOLD]]
    assert [invoices.state.statuses(known).count("SERVICE_FAIT") for known, _ in found] == [1, 1]


def test_chorus_that_is_down_is_not_asked_for_every_invoice(invoices: InvoicesTown) -> None:
    for _ in range(5):
        asked(invoices)
    before = len(invoices.state.calls())
    invoices.state.gateway.faults.plan(Mishap.BUSY, times=100)
    with pytest.raises(ChorusUnavailable):
        telling.tell(invoices.platform, invoices.organisation.id)
    assert len(invoices.state.calls()) - before == 3


def test_two_workers_that_tell_at_once_tell_once(invoices: InvoicesTown, monkeypatch: pytest.MonkeyPatch) -> None:
    known, dossier_id = asked(invoices, Asked(Status.SUSPENDED, REASON))
    both, looks = threading.Barrier(2, timeout=30), itertools.count()
    look = telling.targets_of

    def together(*given: str) -> list[InvoiceTarget]:
        """Both have seen the status before either takes it in hand."""
        found = look(*given)  # type: ignore[arg-type]
        if next(looks) < both.parties:
            both.wait()
        return found

    monkeypatch.setattr(telling, "targets_of", together)
    workers = [threading.Thread(target=tell, args=(invoices,)) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert states(invoices, dossier_id) == [TargetState.TOLD]
    assert sent(invoices, known) == ["SUSPENDUE"]


def test_a_status_that_nobody_knows_is_waited_for(invoices: InvoicesTown) -> None:
    known, dossier_id = asked(invoices)
    invoices.state.gateway.oddities = {Oddity.UNKNOWN}
    assert tell(invoices) == ""
    (target,) = invoices.targets(dossier_id)
    assert target.state == TargetState.DUE
    assert target.trouble is not None
    assert "pas encore" in target.trouble
    invoices.state.gateway.oddities = set()
    at_once(invoices, dossier_id)
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.TOLD]
    assert sent(invoices, known) == ["SERVICE_FAIT"]


def test_an_organisation_that_tells_nothing_any_more_keeps_what_it_had_to_tell(invoices: InvoicesTown) -> None:
    known, dossier_id = asked(invoices)
    invoices.prepare(tell=False)
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.DUE]
    assert sent(invoices, known) == []


def test_a_rejection_seen_before_its_answer_counts_as_told(invoices: InvoicesTown) -> None:
    """The search finds the rejection before the worker whose answer was lost comes back to it."""
    known, dossier_id = asked(invoices, Asked(Status.REJECTED, REASON))
    invoices.state.gateway.faults.plan(Mishap.LOST, TREAT)
    tell(invoices)
    life.observe(invoices.platform, dossier_id, invoices.client(dossier_id))
    assert invoices.dossier(dossier_id).state == "closing"
    at_once(invoices, dossier_id)
    assert tell(invoices) == ""
    assert states(invoices, dossier_id) == [TargetState.TOLD]
    assert sent(invoices, known) == ["REJETEE"]


def test_a_refusal_is_what_it_is_called(invoices: InvoicesTown) -> None:
    """The simulator refuses as the original does, so that the tests above mean something."""
    known, dossier_id = asked(invoices)
    invoices.move(known, Status.PAID)
    with pytest.raises(ChorusRefused):
        invoices.client(dossier_id).treat(known, Status.SERVICE_DONE)
