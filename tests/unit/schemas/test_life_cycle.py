"""The life of an invoice in the words of the reform: the lists of the published rules, the statuses of Chorus Pro both ways."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from connectors.chorus.statuses import FINAL, REASONED, REFUSAL_REASONS, SUSPENSION_REASONS, Status
from core.errors import UsageError
from core.identifiers import Siren, Siret
from core.messages import LOCALES, speaking
from schemas.invoices import life_cycle
from schemas.invoices.addressing import ADDRESSES, Place
from schemas.invoices.life_cycle import (
    BUYER,
    OTHER,
    PLATFORM,
    PUBLIC_REFUSAL,
    STATUSES,
    TRANSMISSION,
    TREATMENT,
    of_chorus,
    public_reason,
    to_chorus,
)
from schemas.invoices.parties import Identifier
from schemas.invoices.stylesheets import life_cycle_rules

SIREN, SIRET = Siren("219900016"), Siret("21990001600011")


@pytest.fixture(scope="module")
def published() -> etree._ElementTree:
    return etree.parse(life_cycle_rules().stylesheet)


def listed(published: etree._ElementTree, name: str) -> set[str]:
    """A list of codes that the published rules hold."""
    (found,) = published.findall(f".//{{*}}variable[@name='custom:{name}']")
    return set((found.get("select") or "").strip("'").split())


def taken(published: etree._ElementTree, rule: str) -> set[str]:
    """The reasons that a published rule takes, by the test that it makes."""
    tests = [
        one.get("test") or ""
        for one in published.iter("{http://purl.oclc.org/dsdl/svrl}failed-assert")
        if any("".join(attribute.itertext()) == rule for attribute in one.iter("{*}attribute"))
    ]
    return {code for test in tests for code in re.findall(r"\(\.\) = '([A-Z_0-9]+)'", test)} - set(STATUSES)


def test_statuses_and_reasons_are_those_of_the_published_rules(published: etree._ElementTree) -> None:
    assert set(STATUSES) == listed(published, "invoice-status-codes")
    known = {reason for status in STATUSES.values() for reason in status.reasons}
    assert known | set(PUBLIC_REFUSAL) == listed(published, "status-reason-codes")
    assert set(life_cycle.ACTIONS) == listed(published, "invoice-action-codes")


@pytest.mark.parametrize("code", [code for code, status in STATUSES.items() if status.reasons])
def test_the_reasons_of_a_status_are_those_that_its_rule_takes(code: str, published: etree._ElementTree) -> None:
    assert set(STATUSES[code].reasons) == taken(published, f"BR-FR-CDV-CL-09_MDT-113_{code}")


def test_reasons_of_public_bodies_are_written_only_where_their_rule_takes_them(published: etree._ElementTree) -> None:
    by_rule = taken(published, "BR-FR-CDV-CL-09_MDT-113_210B2G")
    assert {public_reason("210", reason) for reason in PUBLIC_REFUSAL} == by_rule
    assert (public_reason("210", "CONTACT_ACHTR"), public_reason("210", ""), public_reason("210", "REJ_ADR")) == (OTHER,) * 3
    assert (public_reason("208", "JUSTIF_ABS"), public_reason("208", ""), public_reason("208", OTHER)) == ("JUSTIF_ABS", "", "")
    assert public_reason("999", "JUSTIF_ABS") == ""


def test_phases_follow_from_who_speaks() -> None:
    assert {code for code in STATUSES if STATUSES[code].phase == TRANSMISSION} >= {"200", "201", "202", "203", "213", "501"}
    assert {code for code in STATUSES if STATUSES[code].phase == TREATMENT} >= {"204", "205", "208", "209", "210", "211", "212"}
    assert (STATUSES["210"].role, STATUSES["203"].role) == (BUYER, PLATFORM)
    assert {code for code, status in STATUSES.items() if status.reasoned} == {"206", "207", "208", "210", "213", "501"}


def test_statuses_of_chorus_go_both_ways() -> None:
    spoken = {status for status in Status if of_chorus(status)}
    assert set(Status) - spoken == {Status.TO_RECYCLE, Status.ABANDONED, Status.DELETED}
    for status in spoken:
        code = of_chorus(status)
        assert code is not None
        assert of_chorus(to_chorus(code) or "") == code
    assert (to_chorus("205"), to_chorus("210")) == (Status.SERVICE_DONE, Status.REJECTED)
    assert {of_chorus(status) for status in FINAL & spoken} == {"210", "211"}
    assert {of_chorus(status) for status in REASONED} == {code for code in ("208", "210") if STATUSES[code].reasoned}
    assert (of_chorus("A_VALIDER_MOE"), to_chorus("212"), to_chorus("999")) == (None, None, None)


def test_what_people_choose_from_is_the_list_of_the_reform() -> None:
    assert REFUSAL_REASONS == PUBLIC_REFUSAL
    assert STATUSES["208"].reasons == SUSPENSION_REASONS


@pytest.mark.parametrize("locale", LOCALES)
def test_everything_has_words(locale: str) -> None:
    with speaking(locale):
        assert [code for code in STATUSES if life_cycle.word(code) == code] == []
        reasons = {reason for status in STATUSES.values() for reason in status.reasons} | set(PUBLIC_REFUSAL)
        assert [reason for reason in reasons if life_cycle.reason_word(reason) == reason] == []
        assert [role for role in life_cycle.ROLES if life_cycle.role_word(role) == role] == []
        assert [phase for phase in (TREATMENT, TRANSMISSION) if life_cycle.phase_word(phase) == phase] == []
        assert [action for action in life_cycle.ACTIONS if life_cycle.action_word(action) == action] == []
        assert (life_cycle.word("999"), life_cycle.reason_word("NOUVEAU")) == ("999", "NOUVEAU")
    assert life_cycle.word("210") == "Refusée"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("219900016", Place(SIREN)),
        ("219900016_21990001600011", Place(SIREN, SIRET)),
        ("219900016_21990001600011_SERVICE_TECH", Place(SIREN, SIRET, "SERVICE_TECH")),
        ("219900016_ACHATS", Place(SIREN, suffix="ACHATS")),
        ("219900016_99000012700011", Place(SIREN, suffix="99000012700011")),
    ],
)
def test_an_address_says_whom_it_names(address: str, place: Place) -> None:
    assert Place.of(address) == place
    assert place.address == Identifier(address, ADDRESSES)


@pytest.mark.parametrize("address", ["", "21990001", "219900017", "219900016_", "219900016_a b", "219900016_" + "9" * 116])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        Place.of(address)


def test_a_code_that_no_address_may_hold_has_none() -> None:
    assert Place(SIREN, SIRET, "VOIRIE/EAU").address is None
    assert Place(SIREN, SIRET, "É").address is None
