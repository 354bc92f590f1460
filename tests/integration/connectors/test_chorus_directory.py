"""The directory as Chorus Pro tells it: recipients by SIRET, SIREN and code service, what they ask, where they are reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chorus_gateways import Side, opened

from connectors.chorus import services
from connectors.chorus.directory import ChorusDirectory
from connectors.chorus.errors import AccountRefused, ChorusRefused, ChorusUnavailable
from connectors.chorus.simulated_faults import Mishap
from connectors.chorus.simulated_oddities import Oddity
from connectors.chorus.simulated_world import CCAS, COMMUNE, DEMONSTRATION
from connectors.einvoicing.directory import Directory
from core.identifiers import Siren, Siret
from schemas.invoices.addressing import ADDRESSES, PUBLIC_INVOICES
from schemas.invoices.parties import Identifier

SIRET, SIREN = Siret("21400999500017"), Siren("214009995")
NOBODY = Siret("99000012700011")


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    with opened(tmp_path / "chorus") as both:
        yield both


@pytest.fixture
def directory(side: Side) -> Directory:
    return ChorusDirectory(side.client())


def test_a_recipient_is_told_with_what_it_asks_and_all_its_services(directory: Directory) -> None:
    found = directory.recipient(SIRET)
    assert found is not None
    assert (found.siret, found.name, found.active) == (SIRET, "Commune de Saint-Florent-le-Vieil", True)
    assert (found.service, found.engagement, found.either) == (True, False, False)
    assert found.address == Identifier("214009995_21400999500017", ADDRESSES)
    by_code = {one.code: one for one in found.services}
    assert len(by_code) == 25  # two pages of the original's default: none is lost
    assert by_code["TECH"].address == Identifier("214009995_21400999500017_TECH", ADDRESSES)
    assert (by_code["TECH"].active, by_code["CULTURE"].active, by_code[PUBLIC_INVOICES].active) == (True, False, True)
    assert by_code["TECH"].engagement is None
    other = directory.recipient(Siret("26400999400015"))
    assert other is not None
    assert (other.service, other.either) == (False, True)


def test_a_service_tells_what_it_asks_itself(side: Side, directory: Directory) -> None:
    plain, asking = directory.service(SIRET, "TECH"), directory.service(SIRET, "ANTENNE-01")
    assert plain is not None
    assert asking is not None
    assert (plain.name, plain.engagement) == ("Services techniques", False)
    assert (asking.engagement, asking.active) == (True, True)
    assert [one.service for one in side.evidence].count(services.STRUCTURE_SERVICE.path) == 2


def test_who_is_not_there_is_no_error(directory: Directory) -> None:
    assert directory.recipient(NOBODY) is None
    assert directory.service(NOBODY, "TECH") is None
    assert directory.service(SIRET, "VOIRIE") is None
    assert directory.recipients(NOBODY.siren) == ()


def test_the_structures_of_a_siren_come_without_what_they_ask(side: Side, directory: Directory) -> None:
    (found,) = directory.recipients(SIREN)
    assert (found.siret, found.active) == (SIRET, True)
    assert (found.service, found.engagement, found.services) == (None, None, ())
    assert [one.service for one in side.evidence] == [services.STRUCTURES.path]


def test_a_code_that_no_address_may_hold_is_told_all_the_same(side: Side, directory: Directory) -> None:
    commune = DEMONSTRATION.bodies[0]
    strange = replace(commune, desks=(replace(commune.desks[1], code="EAU/VOIRIE"),))
    side.simulator.portal.world = replace(DEMONSTRATION, bodies=(strange,))
    found = directory.recipient(SIRET)
    assert found is not None
    assert [(one.code, one.address) for one in found.services] == [("EAU/VOIRIE", None)]


@pytest.mark.parametrize("oddity", list(Oddity))
def test_irregular_answers_tell_the_same(oddity: Oddity, side: Side, directory: Directory) -> None:
    side.simulator.gateway.oddities = {oddity}
    found = directory.recipient(Siret("21990001600011"))
    assert found is not None
    assert [one.code for one in found.services] == [PUBLIC_INVOICES]


def test_refusals_and_silence_are_told_apart(side: Side, directory: Directory) -> None:
    side.simulator.gateway.faults.plan(Mishap.FAILED, services.STRUCTURES.path)
    with pytest.raises(ChorusUnavailable):
        directory.recipient(SIRET)
    with pytest.raises(ChorusRefused) as refused:
        side.client().service(COMMUNE, 999)
    assert refused.value.service == services.STRUCTURE_SERVICE.path
    account = DEMONSTRATION.accounts[0]
    denied = replace(account, denied=frozenset({services.STRUCTURES.path}), bodies=frozenset({COMMUNE, CCAS}))
    side.simulator.portal.world = replace(DEMONSTRATION, accounts=(denied,))
    with pytest.raises(AccountRefused):
        directory.recipient(SIRET)
