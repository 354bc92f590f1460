"""What whoever holds a link must know besides: passwords and codes, and how guessing is made slow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from core import clock
from flows.mail.models import RecipientState
from tests.integration.api.courrier_mairie import (
    PASSWORD,
    PERSON,
    SUBJECT,
    borne,
    code_of,
    forget_tries,
    mails_of,
    page,
    press,
    rows,
    withdrawn,
)
from tests.integration.api.service import Service
from tests.mails import ADDRESSES, MailsMairie


@pytest.fixture(scope="module")
def sender(service: Service) -> MailsMairie:
    return mails_of(service, "Commune de Porte-Close", "214099764")


@pytest.fixture
def person(service: Service) -> Iterator[httpx.Client]:
    with service.client(**{"User-Agent": PERSON}) as client:
        yield client


def test_five_wrong_passwords_cost_a_quarter_of_an_hour_and_twenty_the_link(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail(password=PASSWORD)
    token = sender.token(mail)
    statement = {"statement": borne(person, page(token))["statement"]}
    for tries in range(1, 21):
        refused = press(person, page(token), password=f"faux {tries}")
        assert refused.status_code == 401, tries
        assert "Le mot de passe ne convient pas" in refused.text
        assert (SUBJECT in refused.text, f"faux {tries}" in refused.text) == (False, False)
        if tries % 5 == 0 and tries < 20:
            for word in (PASSWORD, "faux"):  # not judged, not counted
                shut = press(person, page(token), password=word)
                assert (shut.status_code, "Attendez 15 minutes" in shut.text) == (429, True)
                assert 800 < int(shut.headers["retry-after"]) <= 901
            assert sender.recipient(mail).failures == tries
            sender.change(sender.recipient(mail), locked_until=clock.now())
            forget_tries(sender)
    assert sender.events(mail).count("wrong_password") == 20
    assert sender.events(mail)[-1] == "access_locked"
    shut = person.get(page(token))
    assert "ce lien est bloqué" in shut.text
    assert 'name="password"' not in shut.text
    said = borne(person, page(token, "/erreur")) | statement
    blocked = person.post(page(token), data=said | {"password": PASSWORD})
    assert blocked.status_code == 403
    assert sender.recipient(mail).state == RecipientState.HANDED
    sender.change(sender.recipient(mail), blocked=False, failures=0, locked_until=None)
    forget_tries(sender)
    assert press(person, page(token), password="presque").status_code == 401
    assert SUBJECT in withdrawn(person, token, password=PASSWORD).text
    recipient = sender.recipient(mail)
    assert (recipient.level, recipient.failures) == (1, 0)


def test_many_wrong_passwords_at_once_are_judged_five_at_most(sender: MailsMairie, service: Service) -> None:
    mail = sender.mail(password=PASSWORD)
    forget_tries(sender)
    clients = [service.client(**{"User-Agent": PERSON}) for _ in range(8)]
    forms = [borne(client, page(sender.token(mail))) for client in clients]
    with ThreadPoolExecutor(8) as pool:
        posted = pool.map(
            lambda pair: pair[0].post(page(sender.token(mail)), data=pair[1] | {"password": "faux"}).status_code,
            zip(clients, forms, strict=True),
        )
        assert sorted(posted) == [401] * 5 + [429] * 3
    for client in clients:
        client.close()
    forget_tries(sender)


def test_a_notification_asks_for_a_name_and_a_code_that_serves_once(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail(kind="notification")
    token = sender.token(mail)
    first = person.get(page(token)).text
    assert "Recevoir un code" in first
    assert "Retirer le document</button>" not in first
    assert "c•••@elus.test" in first
    assert ADDRESSES[0] not in first
    assert press(person, page(token), name="Camille Aubert", code="").status_code == 409  # no code yet, hence no statement
    assert press(person, page(token, "/code")).headers["location"] == page(token)
    code = code_of(sender, mail, 1)
    assert re.fullmatch(r"\d{6}", code)
    kept = sender.recipient(mail)
    assert code not in kept.code_hash
    assert "Attendez une minute" in press(person, page(token, "/code")).text
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert press(person, page(token), name="Camille Aubert", code=wrong).status_code == 401
    unnamed = press(person, page(token), name=" ", code=code)
    assert (unnamed.status_code, "Écrivez votre nom" in unnamed.text) == (400, True)
    assert SUBJECT in withdrawn(person, token, name="  Camille Aubert ", code=f"{code[:3]} {code[3:]}").text
    assert sender.recipient(mail).level == 2
    (told,) = rows(sender, mail, "content_handover")
    assert (told["name"], told["level"]) == ("Camille Aubert", 2)
    assert press(person, page(token), code=code).status_code == 401  # it has served
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.mail.door._BETWEEN_CODES", timedelta())
        press(person, page(token, "/code"))
        second = code_of(sender, mail, 2)
        sender.change(sender.recipient(mail), code_until=clock.now())
        assert press(person, page(token), code=second).status_code == 401  # it is too old
        for _ in range(8):
            assert press(person, page(token, "/code")).status_code == 303
        assert press(person, page(token, "/code")).status_code == 409
    forget_tries(sender)
