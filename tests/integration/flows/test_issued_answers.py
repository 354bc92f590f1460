"""Invoices of ours that their recipients suspend: a person answers, once; and who may decide of an issued invoice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.chorus.errors import ChorusRefused, ChorusUnavailable
from connectors.chorus.simulated_faults import Mishap
from connectors.chorus.statuses import Status
from core.errors import Forbidden, NotFound, UsageError
from core.principal import PLATFORM, Principal, Right
from flows.invoices.issued import deciding, following
from tests.conftest import on_one_shape
from tests.sales import Shop, at_rest, piece


def test_a_suspension_waits_for_a_person_who_completes_it(shop: Shop) -> None:
    town = shop.town
    with town.at_work():
        dossier = shop.receive(shop.invoice())
        town.wait_for(dossier.id, "issued")
        (known,) = shop.at_chorus("V-2026-1")
        town.suspend(known)
        town.wait_for(dossier.id, "suspended")
        assert shop.kept(dossier.id).comment == "Il manque le bon de livraison."
        town.state.gateway.faults.plan(Mishap.LOST, "completer")
        deciding.complete(town.platform, PLATFORM, dossier.id, "Le voici.", [piece(town, "bon.pdf")])
        town.wait_for(dossier.id, "issued")
        town.suspend(known)
        town.wait_for(dossier.id, "suspended")
        deciding.complete(town.platform, PLATFORM, dossier.id, "Le voici encore.")
        town.wait_for(dossier.id, "issued")
        town.pay(known)
        town.wait_for(dossier.id, "archived")
    statuses = town.state.statuses(known)
    assert statuses.count(Status.COMPLETED) == 2
    assert len(town.state.calls("completer")) == 2
    assert [one.name for one in town.files(dossier.id, "answer")] == ["bon.pdf"]
    assert [one for one in shop.codes(dossier.id) if one == Status.SUSPENDED] == [Status.SUSPENDED] * 2


@on_one_shape
def test_what_was_completed_or_rejected_on_the_portal_is_heard(shop: Shop) -> None:
    town = shop.town
    with town.at_work():
        dossier = shop.receive(shop.invoice())
        town.wait_for(dossier.id, "issued")
        (known,) = shop.at_chorus("V-2026-1")
        town.suspend(known)
        town.wait_for(dossier.id, "suspended")
        town.complete(known)
        town.wait_for(dossier.id, "issued")
        town.move(known, Status.REJECTED, comment="Doublon")
        town.wait_for(dossier.id, "archived")
    assert shop.kept(dossier.id).status == Status.REJECTED
    assert shop.kept(dossier.id).comment == "Doublon"
    assert len(town.files(dossier.id, "answer")) == 0


@on_one_shape
@pytest.mark.parametrize(
    ("comment", "name", "size"),
    [
        ("", "bon.pdf", 10),
        ("x" * 2001, "bon.pdf", 10),
        ("Voici", "bon.exe", 10),
        ("Voici", "b" * 47 + ".pdf", 10),
        ("V", "a.pdf", 0),
    ],
    ids=["mute", "long", "program", "long name", "empty"],
)
def test_an_answer_that_chorus_would_not_take_is_refused_at_once(shop: Shop, comment: str, name: str, size: int) -> None:
    dossier = at_rest(shop.town.platform, shop.town.organisation, "suspended", Status.SUSPENDED)
    with pytest.raises(UsageError):
        deciding.complete(shop.town.platform, PLATFORM, dossier, comment, [piece(shop.town, name, size)])
    assert shop.town.dossier(dossier).state == "suspended"


@on_one_shape
def test_who_may_not_deposit_decides_nothing(shop: Shop) -> None:
    town = shop.town
    dossier = at_rest(town.platform, town.organisation, "uncertain")
    reader = Principal("person:1", {town.organisation.id: frozenset({Right.READ})})
    stranger = Principal("person:2", {town.add_ccas().id: frozenset({Right.DEPOSIT})})
    decisions: tuple[Callable[[Principal], object], ...] = (
        lambda who: deciding.send_again(town.platform, who, dossier),
        lambda who: deciding.give_up(town.platform, who, dossier),
        lambda who: deciding.recognise(town.platform, who, dossier, "CPP1"),
        lambda who: deciding.complete(town.platform, who, dossier, "Voici"),
    )
    for decide in decisions:
        with pytest.raises(Forbidden):
            decide(reader)
        with pytest.raises(NotFound):
            decide(stranger)
    with pytest.raises(Forbidden):
        shop.receive(shop.invoice(), principal=reader)
    assert town.dossier(dossier).state == "uncertain"


@on_one_shape
def test_an_uncertain_invoice_that_is_given_up_frees_its_number(shop: Shop) -> None:
    town = shop.town
    town.state.gateway.faults.plan(Mishap.FAILED, "deposer/flux")
    with town.at_work():
        dossier = shop.receive(shop.invoice())
        town.wait_for(dossier.id, "uncertain")
        deciding.give_up(town.platform, PLATFORM, dossier.id)
        again = shop.receive(shop.invoice())
        town.wait_for(again.id, "issued")
    assert town.dossier(dossier.id).state == "given_up"
    assert again.id != dossier.id


@on_one_shape
def test_what_chorus_refuses_to_tell_of_holds_back_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    town = shop.town
    refused = [at_rest(town.platform, town.organisation, "deposited", number=f"R-{n}", deposit=f"CPP-{n}") for n in range(6)]
    good = at_rest(town.platform, town.organisation, "uncertain", number="V-2026-2")
    before = {known: shop.kept(known).looked for known in (*refused, good)}
    with pytest.raises(ChorusRefused):
        following.follow(town.platform, town.organisation.id)
    after = {known: shop.kept(known).looked for known in before}
    assert all(after[known] > before[known] for known in before)
    monkeypatch.setattr(following, "_seek", unreachable)  # what fails otherwise does not stay first either
    with pytest.raises(ChorusUnavailable):
        following.follow(town.platform, town.organisation.id)
    assert shop.kept(good).looked > after[good]


def unreachable(*_: object) -> None:
    raise ChorusUnavailable("unreachable")
