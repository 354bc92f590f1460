"""The administrator's page of the terms of tracked mails: set, refused, inherited, given back, journaled."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import pytest
from sqlmodel import col, select

from archive.retention.models import RuleChoice
from archive.retention.rules import RetentionRule
from core.journal import JournalEntry
from core.organisations import Organisation
from core.principal import PLATFORM
from flows.mail.kinds import BUILT_IN, CONFIGURED, NOTIFICATION, SECURED, Kind, kind_of
from schemas.seda.model import FinalAction
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.mails_office import MailsOffice
from tests.referential import choose

_PATH = "/administration/courriers"
_BOXES = ("asks_name", "answers")


@pytest.fixture(scope="module")
def office(software_office: MailsOffice) -> MailsOffice:
    return software_office


@pytest.fixture(scope="module")
def administrator(office: MailsOffice) -> Iterator[httpx.Client]:
    with somebody(office.service, office.people["tout"]) as client:
        yield client


@pytest.fixture(scope="module")
def syndicat(office: MailsOffice) -> str:
    return office.service.syndicat.organisation.id


def see(client: httpx.Client, organisation_id: str) -> str:
    return html.unescape(client.get(_PATH, params={"organisation": organisation_id}).text)


def save(client: httpx.Client, organisation_id: str, kind: str, **changes: str | bool) -> httpx.Response:
    """Send the form of a kind as it stands, changed."""
    built = BUILT_IN.get(kind, SECURED)
    told: dict[str, str | bool] = {
        "withdraw_days": str(built.withdraw_days),
        "readable_days": str(built.readable_days),
        "reminders": ", ".join(map(str, built.reminders)),
        "level": str(built.level),
        **{box: getattr(built, box) for box in _BOXES},
        **changes,
    }
    fields = {f"{kind}.{name}": "1" if value is True else str(value) for name, value in told.items() if value is not False}
    return client.post(_PATH, params={"organisation": organisation_id}, data={**csrf(client), "kind": kind, **fields})


def give_back(client: httpx.Client, organisation_id: str, kind: str) -> httpx.Response:
    return client.post(_PATH, params={"organisation": organisation_id}, data={**csrf(client), "kind": kind, "do": "back"})


def in_force(office: MailsOffice, organisation_id: str, kind: str) -> Kind:
    with office.service.platform.database.reading(PLATFORM) as session:
        return kind_of(session, office.service.platform.secrets, organisation_id, kind)


def journaled(office: MailsOffice, organisation_id: str) -> list[tuple[str, str]]:
    with office.service.platform.database.reading(PLATFORM) as session:
        wanted = select(JournalEntry).where(JournalEntry.organisation_id == organisation_id).order_by(col(JournalEntry.number))
        return [(one.kind, one.facts["configuration"]) for one in session.exec(wanted) if CONFIGURED in str(one.facts)]


def test_who_administers_sees_every_kind_and_what_the_archive_keeps_and_nobody_else_does(
    office: MailsOffice, administrator: httpx.Client, syndicat: str
) -> None:
    platform = office.service.platform
    with somebody(office.service, office.people["clerc"]) as clerk:
        assert clerk.get(_PATH).status_code == 403
        assert save(clerk, syndicat, "secured", withdraw_days="9").status_code == 403
    page = see(administrator, syndicat)
    assert 'href="/administration/courriers' in page
    for kind in BUILT_IN.values():
        assert f'name="{kind.name}.withdraw_days" type="text" value="{kind.withdraw_days}"' in page
    assert 'value="back"' not in page
    assert "APP-COURRIER-SUIVI-5ANS" in page
    assert "<dd>5 " in page
    rule = RetentionRule(identifier="SYN-1", years=1, final_action=FinalAction.DESTROY, label="courriers", source="accord")
    with platform.database.writing(PLATFORM) as session:
        choose(session, session.get_one(Organisation, syndicat), "mail", rule)
    page = see(administrator, syndicat)
    assert "1 an</dd>" in page
    assert "destruction soumise à visa" in page
    with platform.database.writing(PLATFORM) as session:
        session.delete(session.get_one(RuleChoice, (syndicat, "mail", "appraisal")))


def test_terms_are_kept_journaled_once_and_given_back(office: MailsOffice, administrator: httpx.Client, syndicat: str) -> None:
    before = len(journaled(office, syndicat))
    told: dict[str, str | bool] = {"withdraw_days": "30", "reminders": "12, 3;3", "asks_name": False, "answers": True}
    for _ in range(2):
        assert save(administrator, syndicat, "notification", **told).status_code == 303
    changes = {"withdraw_days": 30, "reminders": (3, 12), "asks_name": False, "answers": True}
    assert in_force(office, syndicat, "notification") == NOTIFICATION.model_copy(update=changes)
    assert in_force(office, office.mairie.organisation.id, "notification") == NOTIFICATION
    page = see(administrator, syndicat)
    assert page.count("Valeurs propres à cette collectivité") == 1
    assert "D’origine\N{NO-BREAK SPACE}: 15." in page
    assert give_back(administrator, syndicat, "notification").status_code == 303
    assert give_back(administrator, syndicat, "notification").status_code == 303  # nothing is left to take away
    assert in_force(office, syndicat, "notification") == NOTIFICATION
    name = f"{CONFIGURED}notification"
    assert journaled(office, syndicat)[before:] == [("configuration.changed", name), ("configuration.withdrawn", name)]


def test_terms_from_above_are_told_apart_and_come_back(office: MailsOffice, administrator: httpx.Client, syndicat: str) -> None:
    with office.service.platform.database.reading(PLATFORM) as session:
        above = session.get_one(Organisation, syndicat).parent_id or ""
    assert save(administrator, above, "secured", withdraw_days="20").status_code == 303
    page = see(administrator, syndicat)
    assert page.count("Valeurs d’une collectivité au-dessus") == 1
    assert 'name="secured.withdraw_days" type="text" value="20"' in page
    assert save(administrator, syndicat, "secured", withdraw_days="25").status_code == 303
    page = see(administrator, syndicat)
    assert "D’origine\N{NO-BREAK SPACE}: 15. Au-dessus\N{NO-BREAK SPACE}: 20." in page
    assert "Revenir aux valeurs de la collectivité au-dessus" in page
    give_back(administrator, syndicat, "secured")
    assert in_force(office, syndicat, "secured").withdraw_days == 20
    give_back(administrator, above, "secured")
    assert in_force(office, syndicat, "secured") == BUILT_IN["secured"]


def test_what_breaks_a_bound_or_the_regime_is_refused_with_its_reason_and_stays_written(
    office: MailsOffice, administrator: httpx.Client, syndicat: str
) -> None:
    before = journaled(office, syndicat)
    refused: tuple[tuple[str, dict[str, str | bool], str], ...] = (
        ("notification", {"withdraw_days": "12"}, "R.\N{NO-BREAK SPACE}112-20). Il faut\N{NO-BREAK SPACE}: 15 jours au moins"),
        ("notification", {"withdraw_days": "12"}, "avant le jour 12"),
        ("notification", {"level": "1"}, "R.\N{NO-BREAK SPACE}112-17). Il faut"),
        ("secured", {"withdraw_days": "400"}, "de 1 à 365 jours"),
        ("secured", {"withdraw_days": "quinze"}, "n’est pas un nombre entier"),
        ("secured", {"readable_days": "14"}, "15 jours au moins"),
        ("secured", {"reminders": "3, 15"}, "avant le jour 15"),
        ("secured", {"reminders": "1,2,3,4,5,6"}, "cinq rappels au plus"),
        ("secured", {"reminders": "3, demain"}, "«\N{NO-BREAK SPACE}demain\N{NO-BREAK SPACE}» n’est pas"),
        ("secured", {"level": ""}, "choisissez l’identité"),
        ("convocation", {"level": "1"}, "de niveau 1"),
        ("lettre", {}, "secured, notification, convocation"),
    )
    for kind, changes, why in refused:
        answer = save(administrator, syndicat, kind, **changes)
        page = html.unescape(answer.text)
        alert = re.search(r'role="alert".*?</div>', page, re.DOTALL)
        assert answer.status_code == 400, (kind, changes)
        assert alert is not None
        assert why in alert[0], (kind, changes)
        for name, value in changes.items():
            assert name == "level" or f'name="{kind}.{name}" type="text" value="{value}"' in page
    assert journaled(office, syndicat) == before
