"""What a recipient reads once they withdrew, and answers; what no page, no log and no other host gives away."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from sqlmodel import select

from api.app import create_app
from api.server import server_config
from core import clock
from core.blobs import ObjectMissing
from core.errors import Unavailable, UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier, DossierFile
from flows.mail import answering
from flows.mail.convening.models import Meeting
from flows.mail.models import Mail, MailAnswer, MailVisit, Place, RecipientState
from tests.clamd import MARK, Clamd
from tests.integration.api.courrier_mairie import (
    PDF,
    PERSON,
    answered,
    change,
    convened,
    csrf,
    mails_of,
    page,
    press,
    rows,
    withdrawn,
)
from tests.integration.api.service import Service
from tests.mails import ADDRESSES, MailsMairie
from tests.serving import served


@pytest.fixture(scope="module")
def sender(service: Service) -> MailsMairie:
    return mails_of(service, "Commune de Page-la-Lue", "214099756")


@pytest.fixture
def person(service: Service) -> Iterator[httpx.Client]:
    with service.client(**{"User-Agent": PERSON}) as client:
        yield client


def kept_there(sender: MailsMairie, octets: bytes) -> bool:
    """Tell whether the object store has these octets."""
    try:
        with sender.platform.objects.reading(hashlib.sha256(octets).hexdigest()):
            return True
    except ObjectMissing:
        return False


def test_an_answer_is_given_once_with_files_that_are_documents(
    sender: MailsMairie, person: httpx.Client, antivirus: Clamd, tmp_path: Path
) -> None:
    mail = sender.mail()
    withdrawn(person, sender.token(mail))
    for text, files, status, words in (
        ("", [], 400, "La réponse est vide"),
        ("Bon", [("a.html", b"<script>alert(1)</script>")], 400, "a.html n’est pas d’un format"),
        ("Bon", [("vide.pdf", b"")], 400, "vide.pdf est vide"),
        ("Bon", [("a.pdf", PDF)] * 11, 400, "plus de 10 fichiers"),
        *(
            ("Bon", [(name, octets)], 400, f"{name} ne porte pas l’extension de ce qu’il contient")
            for name, octets in (
                ("a.bat", b"del *.*"),
                ("a.js", b"alert(1)"),
                ("a.pdf.html", b"Bonjour"),
                ("a.msi", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
                ("a.jar", b"PK\x03\x04"),
                ("a.docm", b"PK\x03\x04"),
                ("a", PDF),
            )
        ),
        ("x" * 10_001, [], 400, "10000 caractères"),
        ("Bon", [("gros.pdf", PDF + bytes(20 << 20))], 413, "20"),
        ("Bon", [("gros.pdf", PDF + bytes(16 << 20))] * 4, 400, "dépassent ensemble"),
    ):
        refused = answered(person, text, *files)
        assert refused.status_code == status, words
        assert words in refused.text
        assert text[:3] in refused.text  # what was typed is not lost
    assert sender.recipient(mail).state == RecipientState.WITHDRAWN
    assert answered(person, "Bon", ("b.pdf", PDF + b"jamais"), ("vide.pdf", b"")).status_code == 400
    assert not kept_there(sender, PDF + b"jamais")  # one that is refused has none of its files kept
    done = answered(person, "D’accord.\r\n<b>Merci</b>", ("../accord signé.pdf", PDF + b"1"), ("Plan.PNG", b"\x89PNG\r\n\x1a\n"))
    assert done.headers["location"] == "/courrier/lecture?fait=reponse"
    shown = person.get(done.headers["location"]).text
    for words in ("Votre réponse est envoyée", "&lt;b&gt;Merci", "accord signé.pdf", "Plan.PNG"):
        assert words in shown
    assert answered(person, "Encore").status_code == 409
    with sender.platform.database.reading(PLATFORM) as session:
        kept = session.get_one(MailAnswer, sender.recipient(mail).id)
        given = session.exec(select(DossierFile).where(DossierFile.dossier_id == mail, DossierFile.role == "answer")).all()
        state = session.get_one(Dossier, mail).state
    assert kept.text == "D’accord.\n<b>Merci</b>"
    assert [(one.name, one.media_type) for one in given] == [("accord signé.pdf", "application/pdf"), ("Plan.PNG", "image/png")]
    assert [one["sha256"] for one in kept.files] == [one.sha256 for one in given]
    assert sender.recipient(mail).state == RecipientState.ANSWERED
    assert sender.events(mail)[-2:] == ["answer_received", "send_closed"]
    assert state == "closing"
    infected = tmp_path / "a.pdf"
    infected.write_bytes(PDF + MARK)
    looked_at = replace(sender.platform, settings=sender.platform.settings.model_copy(update={"antivirus": antivirus.unix}))
    with pytest.raises(UsageError, match="antivirus"):
        answering.look(looked_at, infected, "a.pdf")


def test_no_answer_is_taken_where_none_is_awaited(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail(answers=False)
    assert "Votre réponse" not in withdrawn(person, sender.token(mail)).text
    assert answered(person, "Bonjour", ("c.pdf", PDF + b"pour rien")).status_code == 409
    assert sender.recipient(mail).state == RecipientState.WITHDRAWN
    assert not kept_there(sender, PDF + b"pour rien")


def silent(_digest: str) -> AbstractContextManager[bytes]:
    raise Unavailable("the store does not answer")


def test_what_was_typed_is_given_back_when_its_page_is_over_or_was_that_of_another_mail(
    sender: MailsMairie, person: httpx.Client, service: Service
) -> None:
    mail, other = sender.mail(), sender.mail(subject="Un autre courrier")
    withdrawn(person, sender.token(mail))
    stale = csrf(person, "/courrier/lecture")
    files = {"csrf": (None, stale), "text": (None, "Ma longue <lettre>")}
    withdrawn(person, sender.token(other))
    for below in ("preuve", "seance.ics", "documents/x", "lecture"):
        assert person.get(f"/courrier/{below}", params={"envoi": mail}).status_code == 409, below
    unsent = person.post("/courrier/reponse", params={"envoi": mail}, files=files)
    assert (unsent.status_code, "Ma longue &lt;lettre&gt;</textarea>" in unsent.text) == (409, True)
    assert "Un autre courrier a été ouvert" in unsent.text
    withdrawn(person, sender.token(mail))  # the same one again: its page is stale, and takes the text once more
    again = person.post("/courrier/reponse", params={"envoi": mail}, files=files)
    assert (again.status_code, "Ma longue &lt;lettre&gt;</textarea>" in again.text) == (403, True)
    change(sender, MailVisit, MailVisit.recipient_id == sender.recipient(mail).id, ends=clock.now())
    unsent = person.post("/courrier/reponse", params={"envoi": mail}, files=files)
    assert (unsent.status_code, "Ma longue &lt;lettre&gt;</textarea>" in unsent.text) == (404, True)
    with service.client() as stranger:
        assert "Ma longue" not in stranger.post("/courrier/reponse", params={"envoi": mail}, files=files).text
    assert [sender.recipient(one).state for one in (mail, other)] == [RecipientState.WITHDRAWN] * 2


def test_a_visit_goes_on_while_something_is_asked_for(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail()
    withdrawn(person, sender.token(mail))
    of_it = MailVisit.recipient_id == sender.recipient(mail).id
    change(sender, MailVisit, of_it, ends=clock.now() + timedelta(minutes=5))
    assert person.get("/courrier/lecture").status_code == 200
    with sender.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(MailVisit.ends).where(of_it)).one() > clock.now() + timedelta(hours=1)


def test_each_document_that_is_given_is_written_down_with_its_digest(sender: MailsMairie, person: httpx.Client) -> None:
    files = (("arrêté.pdf", PDF), ("plan.pdf", PDF + b"2"))
    mail, other = sender.mail(files=files, recipients=ADDRESSES[:2]), sender.mail()
    with sender.platform.database.reading(PLATFORM) as session:
        kept = {one.name: one for one in session.exec(select(DossierFile).where(DossierFile.dossier_id == mail))}
        foreign = session.exec(select(DossierFile.id).where(DossierFile.dossier_id == other)).one()
    shown = withdrawn(person, sender.token(mail)).text
    assert shown.index("arrêté.pdf") < shown.index("plan.pdf")
    given = person.get(f"/courrier/documents/{kept['plan.pdf'].id}")
    assert given.content == PDF + b"2"
    assert given.headers["content-disposition"].startswith("attachment")
    assert (given.headers["content-security-policy"], given.headers["cache-control"]) == (
        "default-src 'none'; sandbox",
        "no-store",
    )
    (told,) = rows(sender, mail, "document_downloaded")
    assert (told["sha256"], told["name"], told["file"]) == (
        hashlib.sha256(PDF + b"2").hexdigest(),
        "plan.pdf",
        kept["plan.pdf"].id,
    )
    person.get(f"/courrier/documents/{kept['plan.pdf'].id}", headers={"User-Agent": "Autre"})
    assert len(rows(sender, mail, "document_downloaded")) == 1  # asked for again in the same visit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sender.platform.objects, "reading", silent)
        assert person.get(f"/courrier/documents/{kept['arrêté.pdf'].id}").status_code == 503
    assert len(rows(sender, mail, "document_downloaded")) == 1  # nothing was given
    withdrawn(person, sender.token(mail))
    person.get(f"/courrier/documents/{kept['plan.pdf'].id}")
    assert len(rows(sender, mail, "document_downloaded")) == 2
    assert person.head(f"/courrier/documents/{kept['plan.pdf'].id}").status_code == 405
    assert person.get(f"/courrier/documents/{foreign}").status_code == 404
    change(sender, Mail, Mail.dossier_id == mail, purged=clock.now())
    with sender.platform.database.writing(PLATFORM) as session:
        for one in kept.values():
            session.delete(session.get_one(DossierFile, one.id))
    shown = person.get("/courrier/lecture").text
    assert "Ces documents ont été détruits" in shown
    assert person.get(page(sender.token(mail, 1))).status_code == 404  # who did not take them in time acknowledges nothing
    assert kept["plan.pdf"].sha256 in shown
    assert "/courrier/documents/" not in shown
    assert person.get(f"/courrier/documents/{kept['plan.pdf'].id}").status_code == 410
    assert len(rows(sender, mail, "document_downloaded")) == 2


def test_whoever_is_convened_says_whether_they_come_until_the_meeting(sender: MailsMairie, person: httpx.Client) -> None:
    mail = convened(sender)
    shown = withdrawn(person, sender.token(mail)).text
    for told in ("Salle du conseil", "Dînez-vous sur place", "Dominique Marchal"):
        assert told in shown
    question = re.search(r'name="(question\.\w+)"', shown)
    assert question is not None
    fields = {"csrf": csrf(person, "/courrier/lecture"), question[1]: "yes"}
    for wrong in (
        {},
        {"presence": "proxy"},
        {"presence": "proxy", "proxy_to": sender.recipient(mail).id},
        {"presence": "remote"},
    ):
        refused = person.post("/courrier/presence", data=fields | wrong)
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True), wrong
    given = {"presence": "proxy", "proxy_to": sender.recipient(mail, 1).id}
    assert person.post("/courrier/presence", data=fields | given).headers["location"] == "/courrier/lecture?fait=presence"
    shown = person.get("/courrier/lecture?fait=presence").text
    assert re.search(r'value="proxy" required checked', shown)
    assert re.search(rf'value="{given["proxy_to"]}" selected', shown)
    assert "vous pouvez la changer" in shown
    assert sender.events(mail)[-2:] == ["presence_answered", "question_answered"]
    entry = person.get("/courrier/seance.ics")
    assert entry.headers["content-type"].startswith("text/calendar")
    assert b"LOCATION:Salle du conseil" in entry.content
    change(sender, Meeting, Meeting.dossier_id == mail, starts=clock.now())
    assert person.post("/courrier/presence", data=fields | {"presence": "present"}).status_code == 409
    assert 'name="presence"' not in person.get("/courrier/lecture").text


def test_whoever_has_a_blind_copy_is_seen_by_nobody(sender: MailsMairie, person: httpx.Client) -> None:
    mail = sender.mail(recipients=ADDRESSES)
    sender.change(sender.recipient(mail, 1), place=Place.CC.value)
    sender.change(sender.recipient(mail, 2), place=Place.BCC.value)
    for rank in (0, 1, 2):
        shown = withdrawn(person, sender.token(mail, rank)).text + person.get("/courrier/preuve").text * (rank < 2)
        assert "Dominique Marchal" in shown
        assert "Camille Aubert" in shown
        for hidden in ("Sacha", ADDRESSES[2]):
            assert hidden not in shown
    assert ADDRESSES[1] not in shown


def test_every_form_bears_a_token_of_its_browser(service: Service, sender: MailsMairie, person: httpx.Client) -> None:
    mail, other = sender.mail(kind="notification"), sender.mail()
    with service.client(**{"User-Agent": PERSON}) as attacker:
        foreign = csrf(attacker, page(sender.token(other)))
        withdrawn(attacker, sender.token(other))
        theirs = csrf(attacker, "/courrier/lecture")
    person.get(page(sender.token(mail)))
    for below in ("", "/refus", "/erreur", "/code"):
        for fields in ({}, {"csrf": foreign}, {"csrf": "é"}):
            refused = person.post(page(sender.token(mail), below), data=fields)
            assert refused.status_code == 403
            assert "Rien n’a été fait" in refused.text
    assert sender.events(mail) == ["relay_to_non_erds", "notification_access"]
    second = sender.mail()
    withdrawn(person, sender.token(second))
    for fields in ({}, {"csrf": theirs}):
        assert person.post("/courrier/fin", data=fields).status_code == 403
        assert person.post("/courrier/presence", data=fields).status_code == 403
    assert answered(person, "Non", token=theirs).status_code == 403
    assert person.post("/courrier/reponse", files={"text": (None, "Non")}).status_code == 403
    assert sender.recipient(second).state == RecipientState.WITHDRAWN


def test_no_answer_is_kept_indexed_or_told_elsewhere_and_no_log_names_a_link(
    sender: MailsMairie, person: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    mail = sender.mail()
    token = sender.token(mail)
    with structlog.testing.capture_logs() as lines, caplog.at_level(logging.DEBUG):
        answers = [person.get(page(token, below)) for below in ("", "/refus", "/erreur", "/rien/du/tout")]
        answers += [press(person, page(token)), person.get("/courrier/lecture"), person.get("/courrier/preuve")]
        answers += [person.get(f"/courrier/{token}%01"), person.post(page(token), content=b"x" * 300_000)]
        answers += [person.put(page(token)), person.get(page(token), params={"q": token})]
    assert [one.status_code for one in answers] == [200, 200, 200, 404, 303, 200, 200, 400, 413, 405, 200]
    for one in answers:
        told = (one.headers["referrer-policy"], one.headers["cache-control"], one.headers["x-robots-tag"])
        assert told == ("no-referrer", "no-store", "noindex, nofollow"), one.request
        assert "default-src" in one.headers["content-security-policy"]
    routes = {line["route"] for line in lines if line["event"] == "http.request"}
    assert {"/courrier/{token}", "/courrier/{token}/refus", "/courrier/lecture"} <= routes
    assert len([line for line in lines if line["event"] == "http.request"]) >= len(answers)
    # The server's own log, which would name addresses, is off; only pytest's handlers awake it here.
    assert not server_config(sender.platform).access_log
    said = [line.getMessage() for line in caplog.records if not line.name.startswith(("http", "urllib3", "uvicorn.access"))]
    ours = "\n".join([str(lines), *said])
    for secret in (token, hashlib.sha256(token.encode()).hexdigest(), person.cookies["tabellion_courrier"]):
        assert secret not in ours
    metrics = person.get("/metrics").text
    assert "/courrier/{token}" in metrics
    assert token not in metrics


@contextmanager
def hosted(platform: Platform, **settings: str) -> Iterator[Callable[[str], httpx.Response]]:
    """The application under other addresses; gives what a whole address answers."""
    with served(create_app(replace(platform, settings=platform.settings.model_copy(update=settings)))) as there:

        def get(address: str) -> httpx.Response:
            asked = httpx.URL(address)
            return httpx.get(f"{there}{asked.path}", headers={"Host": asked.netloc.decode()})

        yield get


def test_the_host_of_recipients_serves_their_pages_alone_and_no_other_does(sender: MailsMairie) -> None:
    link = page(sender.token(sender.mail()))
    with hosted(sender.platform, public_url="https://app.test", recipients_url="https://courrier.test:8443") as get:
        opened = get(f"http://courrier.test:8443{link}")
        assert opened.status_code == 200
        assert "Secure" in opened.headers["set-cookie"]
        assert get("http://courrier.test/static/courrier.css").status_code == 200
        for path in ("/", "/connexion", "/v1/openapi.json", "/publications", "/courriers", "/health/live", "/metrics"):
            closed = get(f"http://courrier.test{path}")
            assert (closed.status_code, "Rien à ouvrir ici" in closed.text) == (404, True), path
        for host in ("app.test", "127.0.0.1", "courrier.test.evil"):
            assert get(f"http://{host}{link}").status_code == 404
            assert get(f"http://{host}/connexion").status_code == 200
            assert get(f"http://{host}/static/courrier.css").status_code == 200
    with hosted(sender.platform, public_url="https://app.test", recipients_url="https://app.test/") as get:
        assert get(f"http://app.test{link}").status_code == 200
        assert get("http://app.test/connexion").status_code == 200


def test_the_pages_speak_the_language_of_the_browser_and_never_claim_to_be_what_they_are_not(
    sender: MailsMairie, person: httpx.Client
) -> None:
    mail = sender.mail(kind="notification", level=0)
    token = sender.token(mail)
    pages = [person.get(page(token, below), headers={"Accept-Language": "en"}).text for below in ("", "/refus", "/erreur")]
    assert "By taking the document, you acknowledge having received it" in pages[0]
    pages += [person.get(page(token, below)).text for below in ("", "/refus", "/erreur")]
    pages += [withdrawn(person, token, name="Camille").text, person.get("/courrier/preuve").text]
    assert not any(re.search("recommand|registered|LRE", text) for text in pages)
