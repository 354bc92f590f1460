"""The link in a mail, as machines and people ask for it: what changes nothing, what counts, what leads to nothing."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlmodel import col, select

from core import clock
from core.canonical import canonical_bytes
from core.database import Database
from core.identifiers import Siren
from core.journal import JournalEntry
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.mail import answering, opening
from flows.mail.door import Given
from flows.mail.models import Mail, MailEvent, MailNotice, MailVisit, RecipientState
from flows.mail.opening import Deed
from flows.mail.sightings import Circumstances
from tests.integration.api.courrier_mairie import (
    FILE,
    PASSWORD,
    PDF,
    PERSON,
    SUBJECT,
    answered,
    change,
    csrf,
    forget_tries,
    mails_of,
    page,
    press,
    rows,
    withdrawn,
)
from tests.integration.api.service import Service
from tests.mails import ADDRESSES, MailsMairie

SCANNERS = (
    ("HEAD", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"),
    ("GET", "Mozilla/5.0 (compatible; Barracuda Sentinel)"),
    ("GET", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0"),
    ("GET", "curl/8.5.0"),
    ("GET", ""),
)


@pytest.fixture(scope="module")
def sender(service: Service) -> MailsMairie:
    return mails_of(service, "Commune de Lien-sur-Lettre", "214099749")


@pytest.fixture
def person(service: Service) -> Iterator[httpx.Client]:
    with service.client(**{"User-Agent": PERSON}) as client:
        yield client


def test_whatever_asks_for_the_page_changes_nothing(service: Service, sender: MailsMairie) -> None:
    mail = sender.mail()
    token = sender.token(mail)
    for method, agent in SCANNERS:
        with service.client(**{"User-Agent": agent}) as machine:
            for below in ("", "/refus", "/erreur"):
                answer = machine.request(method, page(token, below))
                assert answer.status_code == 200
                assert (SUBJECT in answer.text, FILE in answer.text) == (False, False)
            # One that presses every button without having opened the page in the same browser.
            for below in ("", "/refus", "/erreur", "/code"):
                assert machine.post(page(token, below)).status_code in {303, 403}
    recipient = sender.recipient(mail)
    assert (recipient.state, recipient.withdrawn, recipient.opened) == (RecipientState.HANDED, None, None)
    seen = rows(sender, mail, "notification_access")
    assert [(one["method"], one["automatic"]) for one in seen] == [(method, True) for method, _ in SCANNERS]
    assert set(sender.events(mail)) == {"relay_to_non_erds", "notification_access"}
    with service.client(**{"User-Agent": PERSON}) as client:
        client.get(page(token))
        client.get(page(token))
    assert sender.recipient(mail).opened is not None
    assert [one["automatic"] for one in rows(sender, mail, "notification_access")][5:] == [False]
    change(sender, MailNotice, MailNotice.token == hashlib.sha256(token.encode()).hexdigest(), accepted=clock.now())
    with service.client(**{"User-Agent": f"{PERSON} again"}) as client:
        for _ in range(30):
            client.get(page(token), headers={"Accept-Language": f"fr;q=0.{_}"})
    seen = rows(sender, mail, "notification_access")
    assert len(seen) == 20
    assert seen[6]["automatic"]  # a second after the message


def test_withdrawing_is_a_deed_that_says_what_it_means_and_is_proved(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail(body="Bonjour,\nvoyez https://valmorin.test/eau.")
    token = sender.token(mail)
    before = person.get(page(token))
    said = re.search(r'id="statement">([^<]+)<', before.text)
    assert said is not None
    assert said[1].startswith("En retirant le document, vous reconnaissez l’avoir reçu le ")
    assert said[1].endswith("\u00a0; ce n’est pas une approbation.")
    assert "L’expéditeur verra la date et l’heure du retrait, votre adresse réseau" in before.text
    yesterday = press(person, page(token), statement=said[1].replace("reçu le ", "reçu avant le "))  # as a page left open has it
    assert (yesterday.status_code, said[1] in yesterday.text, "Le jour a changé" in yesterday.text) == (409, True, True)
    assert (sender.recipient(mail).state, rows(sender, mail, "content_handover")) == (RecipientState.HANDED, [])
    pressed = press(person, page(token))
    cookie = next(one for one in pressed.headers.get_list("set-cookie") if one.startswith("tabellion_courrier="))
    assert {"HttpOnly", "Path=/courrier", "SameSite=lax"} <= set(cookie.split("; "))
    shown = person.get(pressed.headers["location"]).text
    for told in (SUBJECT, FILE, "Retiré le", 'href="https://valmorin.test/eau" rel="nofollow noopener noreferrer"'):
        assert told in shown
    assert token not in shown
    recipient = sender.recipient(mail)
    assert (recipient.state, recipient.level) == (RecipientState.WITHDRAWN, 0)
    (told,) = rows(sender, mail, "content_handover")
    assert told["statement"] == said[1]
    assert told["statement_sha256"] == hashlib.sha256(said[1].encode()).hexdigest()
    assert (told["method"], told["agent"], told["ip"], told["tls"]) == ("POST", PERSON, "127.0.0.1", "http")
    assert [(one["name"], one["sha256"]) for one in told["documents"]] == [(FILE, hashlib.sha256(PDF).hexdigest())]
    with sender.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.dossier_id == mail)).all()
    entry = next(one for one in entries if one.kind == "mail.content_handover")
    assert (entry.actor, entry.facts["sha256"]) == (
        f"recipient:{recipient.id}",
        hashlib.sha256(canonical_bytes(told)).hexdigest(),
    )
    assert not any("127.0.0.1" in str(one.facts) or "Firefox" in str(one.facts) for one in entries)
    receipt = person.get("/courrier/preuve").text
    assert hashlib.sha256(receipt.splitlines()[-1].encode()).hexdigest() == entry.facts["sha256"]
    assert entry.facts["sha256"] in receipt


def test_going_back_and_pressing_again_is_a_consultation(sender: MailsMairie, person: httpx.Client, service: Service) -> None:
    mail = sender.mail()
    token = sender.token(mail)
    withdrawn(person, token)
    first = sender.recipient(mail).withdrawn
    assert "Vous avez déjà retiré ce document" in person.get(page(token)).text
    assert SUBJECT not in person.get(page(token)).text
    withdrawn(person, token)
    with service.client(**{"User-Agent": "Mozilla/5.0 (iPhone)"}) as telephone:  # another device of the same person
        assert SUBJECT in withdrawn(telephone, token).text
        assert SUBJECT in person.get("/courrier/lecture").text
        left = press(telephone, "/courrier/lecture").request.url  # no such button
        assert left.path == "/courrier/lecture"
        gone = telephone.post("/courrier/fin", data={"csrf": csrf(telephone, "/courrier/lecture")})
        assert "La lecture est terminée" in gone.text
        assert telephone.get("/courrier/lecture").status_code == 404
    assert person.get("/courrier/lecture").status_code == 200
    assert sender.recipient(mail).withdrawn == first
    assert sender.events(mail)[-3:] == ["content_handover", "content_consulted", "content_consulted"]


def counts(sender: MailsMairie, mail: str, kind: str) -> list[int]:
    """Return how often the like of each event came again."""
    with sender.platform.database.reading(PLATFORM) as session:
        wanted = select(MailEvent.again).where(MailEvent.dossier_id == mail, MailEvent.kind == kind)
        return list(session.exec(wanted.order_by(col(MailEvent.id))))


def leaves(sender: MailsMairie, mail: str) -> int:
    with sender.platform.database.reading(PLATFORM) as session:
        return len(session.exec(select(JournalEntry.id).where(JournalEntry.dossier_id == mail)).all())


def test_opening_again_and_again_is_written_once_a_day_and_counted(sender: MailsMairie, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = sender.mail(files=[(FILE, PDF)])
    platform, token = sender.platform, sender.token(mail)

    def reopen(agent: str = PERSON, times: int = 1) -> str:
        deed = Deed(Given(), Circumstances("192.0.2.7", agent), "Lire")
        return [opening.withdraw(platform, token, deed) for _ in range(times)][-1]

    reopen()
    before = leaves(sender, mail)
    reopen(times=4)
    assert (counts(sender, mail, "content_consulted"), leaves(sender, mail)) == ([3], before + 1)
    (told,) = rows(sender, mail, "content_consulted")
    assert [(one["name"], one["sha256"]) for one in told["documents"]] == [(FILE, hashlib.sha256(PDF).hexdigest())]
    reopen("Un autre appareil", 2)
    assert counts(sender, mail, "content_consulted") == [3, 1]
    monkeypatch.setattr("flows.mail.repeating.MOST", 3)
    for rank in range(4):
        reopen(f"Appareil {rank}")
    assert counts(sender, mail, "content_consulted") == [3, 1, 3]
    with platform.database.writing(PLATFORM) as session:
        sender._keep(session, mail, "addition", "annexe.pdf", PDF)
    reopen(times=2)
    assert counts(sender, mail, "content_consulted") == [3, 1, 3, 1], "what is shown is no longer the same"
    change(sender, MailEvent, MailEvent.dossier_id == mail, at=clock.now() - timedelta(hours=25))
    reopen(times=2)
    assert counts(sender, mail, "content_consulted") == [3, 1, 3, 1, 1]


def test_a_document_that_is_taken_in_visit_after_visit_fills_no_journal(
    sender: MailsMairie, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.mail.repeating.MOST", 3)
    mail = sender.mail(files=[(FILE, PDF)])
    where = Circumstances("192.0.2.7", PERSON)
    for _ in range(6):
        cookie = opening.withdraw(sender.platform, sender.token(mail), Deed(Given(), where, "Lire"))
        visited = opening.behind_visit(sender.platform, cookie)
        assert visited is not None
        (file,) = answering.read(sender.platform, visited.opened).files
        answering.downloaded(sender.platform, visited, file, where)
    assert counts(sender, mail, "document_downloaded") == [0, 0, 3]


def at_once(act: Callable[[], object], times: int = 2) -> None:
    barrier = threading.Barrier(times)

    def one(_: int) -> None:
        barrier.wait()
        act()

    with ThreadPoolExecutor(times) as pool:
        list(pool.map(one, range(times)))


def test_two_who_withdraw_at_once_make_one_withdrawal(service: Service, current_postgres_url: str) -> None:
    database = Database(current_postgres_url)
    try:
        with database.writing(PLATFORM) as session:
            town = add_organisation(session, "Commune de Vaux", OrganisationKind.COLLECTIVITE, siren=Siren("214099806"))
        there = MailsMairie(replace(service.platform, database=database), town)
        mail = there.mail()
        deed = Deed(Given(), Circumstances("192.0.2.7", PERSON), "Retirer")
        at_once(lambda: opening.withdraw(there.platform, there.token(mail), deed))
        assert sorted(there.events(mail)[1:]) == ["content_consulted", "content_handover"]
        with database.reading(PLATFORM) as session:
            assert session.get_one(Dossier, mail).state == "sent"  # an answer may still come
    finally:
        database.close()


def test_links_that_open_nothing_are_not_told_apart(service: Service, sender: MailsMairie, person: httpx.Client) -> None:
    past = sender.mail(sent=clock.now() - timedelta(days=63))
    revoked, elsewhere, over = sender.mail(), sender.mail(), sender.mail()
    change(sender, MailNotice, MailNotice.dossier_id == revoked, revoked=clock.now())
    assert press(person, page(sender.token(elsewhere), "/erreur")).headers["location"] == "/courrier/merci"
    assert "Merci de l’avoir signalé" in person.get("/courrier/merci").text
    withdrawn(person, sender.token(over))
    change(sender, MailVisit, MailVisit.recipient_id == sender.recipient(over).id, ends=clock.now())
    tokens = ["A" * 43, "é'\"<b>", "x" * 3000, *map(sender.token, (past, revoked, elsewhere))]
    with service.client() as client:
        answers = [client.get(page(token, below)) for token in tokens for below in ("", "/refus", "/erreur", "/rien")]
        answers += [
            client.post(page(token, below), data={"password": "x"})
            for token in tokens
            for below in ("", "/code", "/refus", "/erreur")
        ]
        answers += [client.get(path) for path in ("/courrier", "/courrier/lecture", "/courrier/preuve", "/courrier/documents/x")]
        answers += [client.post(f"/courrier/{path}") for path in ("reponse", "fin", "presence")]
        answers += [client.get("/courrier/lecture", headers={"Cookie": f"tabellion_courrier={'A' * 43}"})]
    answers += [person.get("/courrier/lecture")]  # the visit that is over
    assert {(one.status_code, one.content) for one in answers} == {(404, answers[0].content)}
    assert "Rien à ouvrir ici" in answers[0].text
    assert {frozenset(one.headers.keys()) - {"transfer-encoding"} for one in answers} == {frozenset(answers[0].headers.keys())}
    recipient = sender.recipient(elsewhere)
    assert (recipient.state, recipient.withdrawn) == (RecipientState.FAILED, None)
    assert "ne pas être le destinataire" in recipient.trouble
    assert sender.events(elsewhere)[-1] == "wrong_recipient"


def test_a_refusal_is_final_and_tells_what_it_means(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail(password=PASSWORD, recipients=ADDRESSES[:2])
    token = sender.token(mail)
    assert "ce choix est définitif" in person.get(page(token, "/refus")).text
    kept = press(person, page(token, "/refus"), password="faux", reason="Pas pour moi")
    assert (kept.status_code, "Pas pour moi</textarea>" in kept.text) == (401, True)
    assert press(person, page(token, "/refus"), password=PASSWORD, reason="Pas pour moi").headers["location"] == page(token)
    assert "Vous avez refusé ce document" in person.get(page(token)).text
    before = person.get(page(sender.token(mail, 1)))
    fields = {"csrf": before.text.partition('value="')[2].partition('"')[0], "password": PASSWORD}
    for below in ("", "/refus", "/erreur"):
        assert person.post(page(token, below), data=fields).headers["location"] == page(token)
    recipient = sender.recipient(mail)
    assert (recipient.state, recipient.withdrawn) == (RecipientState.REFUSED, None)
    (told,) = rows(sender, mail, "consignment_rejection")
    assert (told["reason"], told["level"]) == ("Pas pour moi", 1)
    assert sender.recipient(mail, 1).state == RecipientState.HANDED
    forget_tries(sender)


def test_what_is_withdrawn_late_is_read_and_told_apart(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail(sent=clock.now() - timedelta(days=20))
    token = sender.token(mail)
    before = person.get(page(token)).text
    assert "Le délai de retrait est passé" in before
    assert "/refus" not in before
    assert person.get(page(token, "/refus")).status_code == 303
    assert SUBJECT in withdrawn(person, token).text
    recipient = sender.recipient(mail)
    assert (recipient.state, recipient.withdrawn is None) == (RecipientState.EXPIRED, False)
    assert sender.events(mail)[1:4] == ["notification_access", "acceptance_rejection_expiry", "content_handover"]
    assert rows(sender, mail, "content_handover")[0]["late"]
    closed = sender.mail("archived")
    withdrawn(person, sender.token(closed))
    assert sender.recipient(closed).state == RecipientState.HANDED
    assert rows(sender, closed, "content_handover")[0]["late"]
    assert answered(person, "Trop tard").status_code == 409


def test_a_cancelled_send_says_so_and_gives_nothing_more(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail(recipients=ADDRESSES[:2])
    withdrawn(person, sender.token(mail))
    now = clock.now()
    change(sender, Mail, Mail.dossier_id == mail, cancelled=now, reason="Erreur")
    change(sender, MailNotice, MailNotice.dossier_id == mail, revoked=now)
    for rank in (0, 1):
        shown = person.get(page(sender.token(mail, rank)))
        assert "Cet envoi a été annulé" in shown.text
        assert "<form" not in shown.text
        answer = person.post(page(sender.token(mail, rank)), data={"csrf": person.cookies["tabellion_courrier_avant"]})
        assert answer.headers["location"] == page(sender.token(mail, rank))
    assert person.get("/courrier/lecture").status_code == 404
    assert sender.recipient(mail, 1).withdrawn is None
