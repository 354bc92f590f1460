"""Courriers by their requests, as a browser without a script makes them: form, sending, follow-up, acts, book."""

from __future__ import annotations

import io
import re
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlmodel import select

from api.web.mails.sending import version_of
from api.web.mails.sheet import Kept
from api.web.mails.standing import OF_RECIPIENT, OF_SEND
from api.words import of_page
from core import clock
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine.models import Dossier
from flows.mail import events
from flows.mail.book import contacts, templates
from flows.mail.book.models import Contact, ContactGroup, MailTemplate
from flows.mail.events import EventKind
from flows.mail.keeping import dossier_of, files_of, mail_of, recipients_of
from flows.mail.kinds import BUILT_IN
from flows.mail.models import Mail, MailRecipient, MailReturn, Place, RecipientState
from flows.mail.standing import Standing
from schemas.mail.report import What
from tests.integration.api.acts_forms import csrf, faults, somebody
from tests.integration.api.mails_office import MailsOffice, base, filled, lines, mails_office, pieces, send, sent_id
from tests.mails import ADDRESSES


@pytest.fixture(scope="module")
def office(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailsOffice]:
    with mails_office(s3, tmp_path_factory.mktemp("mails")) as opened:
        yield opened


@pytest.fixture(scope="module")
def clerk(office: MailsOffice) -> Iterator[httpx.Client]:
    with somebody(office.service, office.people["clerc"]) as client:
        yield client


def post(client: httpx.Client, to: str, /, **fields: str) -> httpx.Response:
    return client.post(to, data={**csrf(client), **fields})


def subjects(page: httpx.Response) -> list[str]:
    return re.findall(r'<a href="/courriers/[0-9A-Z]{26}">([^<]+)</a>', page.text)


def recipients(office: MailsOffice, send_id: str) -> list[tuple[str, str, str]]:
    return [(one.place, one.name, one.address) for one in office.mairie.recipients(send_id)]


def test_everything_that_a_page_may_say_has_words() -> None:
    words = of_page("web/mails/list.html")
    wanted = [f"{what}.{one}" for one in Standing for what in ("standing", "sentence")]
    wanted += [f"state.{one}{more}" for one in RecipientState for more in ("", ".about")]
    wanted += [f"event.{one}" for one in EventKind] + [f"return.{one}" for one in What] + [f"kind.{one}" for one in BUILT_IN]
    wanted += [f"{what}.{deed}{more}" for deed in (*OF_RECIPIENT, *OF_SEND) for what, more in (("deed", ""), ("done", ""))]
    wanted += [f"means.{deed}.{rank}" for deed in (*OF_RECIPIENT, *OF_SEND) for rank in (1, 2)]
    wanted += [f"deed.do.{deed}" for deed in (*OF_RECIPIENT, *OF_SEND)] + [f"place.{one}" for one in Place]
    assert [key for key in wanted if key not in words] == []


def test_what_happened_is_shown_page_by_page_from_the_latest(office: MailsOffice, clerk: httpx.Client) -> None:
    mairie = office.mairie
    mail = mairie.mail(subject="Historique long")
    one = mairie.recipient(mail)
    with mairie.platform.database.writing(PLATFORM) as session:
        of_all = session.get_one(Mail, mail)
        written = [events.record(session, one, EventKind.PRESENCE, {"reason": f"Fois {rank:03d}"}) for rank in range(130)]
        for rank in range(101):
            events.record(session, of_all, EventKind.ADDITION, {"name": f"Pièce {rank:03d}"})
        written[-1].again, written[-1].again_at = 12, datetime(2026, 3, 4, 9, 5, tzinfo=UTC)
    for address, name, last in ((f"/courriers/{mail}/destinataires/{one.id}", "Fois", 129), (f"/courriers/{mail}", "Pièce", 100)):

        def shown(page: httpx.Response, name: str = name) -> list[int]:
            return [int(found) for found in re.findall(rf"{name} (\d{{3}})<", page.text)]

        latest = clerk.get(address)
        assert shown(latest) == list(range(last - 99, last + 1))
        earlier = re.search(r'href="(\?avant=[0-9A-Z]{26})#', latest.text)
        assert earlier is not None
        first = clerk.get(address + earlier[1])
        assert shown(first) == list(range(last - 99))
        assert ("avant=" in first.text, "Revenir au plus récent" in first.text) == (False, True)
        assert ("Encore 12 fois, la dernière le 4 mars 2026" in latest.text) == (name == "Fois")


def test_the_list_says_who_took_what_and_goes_on_from_a_send(office: MailsOffice) -> None:
    mairie = office.mairie
    partly = mairie.mail(recipients=ADDRESSES, subject="LISTE partie")
    first, second, _ = mairie.recipients(partly)
    mairie.change(first, state="withdrawn", withdrawn=clock.now())
    mairie.change(second, state="failed")
    mairie.mail("draft", subject="LISTE brouillon", kind="notification")
    mairie.mail(subject="LISTE passée", sent=clock.now() - timedelta(days=20))
    with somebody(office.service, office.people["lecteur"]) as reader:

        def found(**narrowed: str) -> list[str]:
            return subjects(reader.get("/courriers", params={"q": "LISTE", **narrowed}))

        assert sorted(found()) == ["LISTE brouillon", "LISTE partie", "LISTE passée"]
        assert found(etat="partly") == found(q="sacha.perrin@") == ["LISTE partie"]
        assert found(etat="draft") == found(type="notification") == ["LISTE brouillon"]
        assert found(etat="rien") == found(q="%") == found(organisation="0" * 26) == []
        page = reader.get("/courriers?q=LISTE").text
        assert "1 sur 3" in page
        assert "1 non remis" in page
        assert "Délai passé" in page
        assert "Écrire un courrier" not in page
        wanted = [f"PAGE {rank:02d}" for rank in range(27)]
        with mairie.platform.database.writing(PLATFORM) as session:
            for subject in wanted:
                dossier = Dossier(organisation_id=mairie.organisation.id, flow="mail", title=subject, state="sent")
                mail = Mail(dossier_id=dossier.id, organisation_id=mairie.organisation.id, kind="secured", subject=subject)
                session.add(dossier)
                session.flush()
                session.add(mail)
        one = reader.get("/courriers?q=PAGE")
        onward = re.search(r'href="([^"]+)" rel="next"', one.text)
        assert onward is not None
        two = reader.get(onward[1].replace("&amp;", "&"))
        assert sorted(subjects(one) + subjects(two)) == wanted
        back = re.search(r'href="([^"]+)" rel="prev"', two.text)
        assert back is not None
        assert subjects(reader.get(back[1].replace("&amp;", "&"))) == subjects(one)
    with somebody(office.service, office.people["ailleurs"]) as stranger:
        assert subjects(stranger.get("/courriers?q=LISTE")) == []
        assert stranger.get(f"/courriers/{partly}").status_code == 404


def test_a_group_and_contacts_join_the_recipients_of_a_form_each_once(office: MailsOffice, clerk: httpx.Client) -> None:
    fields = filled(office, to="Sacha Perrin <SACHA@elus.test>", group=office.group, group_place="to", do="group")
    page = send(clerk, fields)
    assert lines(page, "to") == ["Sacha Perrin <SACHA@elus.test>", "Élodie Roy <elodie@elus.test>", "Lou Marchal <lou@elus.test>"]
    assert "2 personnes ajoutées" in page.text
    fields |= {"to": "", "seek": "MARCHAL", "do": "seek"}
    found = re.findall(r'name="contact" type="checkbox" value="(\w+)"', send(clerk, fields).text)
    assert found == [office.council[2].id]
    fields |= {"contact": found, "seek_place": "bcc", "do": "add"}
    assert lines(send(clerk, fields), "bcc") == ["Lou Marchal <lou@elus.test>"]
    stranger = contacts.add(
        office.mairie.platform, PLATFORM, office.service.syndicat.organisation.id, contacts.Told("lou.marchal@ailleurs.test")
    )
    assert lines(send(clerk, fields | {"contact": [stranger.id]}), "bcc") == []


def test_everything_wrong_is_said_at_once_and_neither_words_nor_documents_are_lost(
    office: MailsOffice, clerk: httpx.Client
) -> None:
    wrong = "max@elus.test\npersonne\nMax <MAX@elus.test>\nlou@"
    fields = filled(office, to=wrong, cc="a b@elus.test", reply_to="nulle part", subject="Objet gardé")
    page = send(clerk, fields, ("avis.pdf", b"%PDF-1.7\n%%EOF\n"))
    assert page.status_code == 400
    assert set(faults(page)) == {"to", "cc"}
    told = re.findall(r"<li>Ligne (\d+)", page.text)
    assert told == ["2", "3", "4", "1"]
    assert lines(page, "to") == wrong.splitlines()
    (kept,) = pieces(page)
    page = send(clerk, fields | {"to": "max@elus.test", "cc": "", "piece": kept})
    assert set(faults(page)) == {"reply_to"}
    draft = sent_id(send(clerk, fields | {"to": "max@elus.test", "cc": "", "piece": kept, "reply_to": ""}))
    page = clerk.get(f"/courriers/{draft}/brouillon")
    assert "Objet gardé" in page.text
    assert [key[0] for key in pieces(page)] == ["f"]
    with_more = send(clerk, fields | {"to": "lou@elus.test", "cc": "", "reply_to": ""}, ("deux.pdf", b"%PDF-2"))
    assert sent_id(with_more) == draft  # the same form again is the same draft
    assert len(pieces(clerk.get(f"/courriers/{draft}/brouillon"))) == 2
    assert recipients(office, draft) == [("to", "Lou Marchal", "lou@elus.test")]  # named by the book


def test_a_mail_is_written_reviewed_with_its_notice_and_sent(office: MailsOffice, clerk: httpx.Client) -> None:
    platform, owner = office.mairie.platform, office.mairie.organisation.id
    told = templates.Told("Passage", "secured", "Passage de {service}", "Bonjour {nom},\n{collectivite}, le {date}.")
    template = templates.keep(platform, PLATFORM, owner, told).id
    page = send(clerk, filled(office, template=template, do="template", to="Élodie <elodie@elus.test>"))
    assert 'value="Passage de {service}"' in page.text
    fields = filled(
        office, subject=told.subject, body=told.body, sender="Service des eaux", password="eau-de-source-2026", do="review"
    )
    draft = sent_id(send(clerk, fields, ("a.pdf", b"%PDF-a"), ("b.pdf", b"%PDF-b")))
    edit = f"/courriers/{draft}/brouillon"
    page = clerk.get(edit)
    assert "eau-de-source" not in page.text
    assert "Un mot de passe est enregistré" in page.text
    two = lines(page, "to")
    assert two == ["Max Petit <max@elus.test>"]
    assert "Bonjour Max Petit" in page.text
    fields |= {
        "to": "\n".join([*two, "lou@elus.test"]),
        "password": "",
        "subject": "Passage du service",
    }
    known = {"base": base(page), "piece": pieces(page)[::-1]}
    many = send(clerk, fields | known | {"body": "Bonjour {nom}"}, to=edit)
    assert many.status_code == 303  # kept, and told on the way to the sending
    assert "M08" not in clerk.get(many.headers["location"]).headers.get("location", "")
    stopped = clerk.get(clerk.get(many.headers["location"]).headers["location"])
    assert set(faults(stopped)) == {"body"}
    # From the page before, which does not know what the draft holds by now: its documents stay.
    left = send(clerk, fields | known | {"body": "Bonjour"}, to=edit)
    assert left.headers["location"] == f"/courriers/{draft}/envoi"
    review = clerk.get(f"/courriers/{draft}/envoi?destinataire=1")
    assert "Lou Marchal &lt;lou@elus.test&gt;" in review.text
    assert "Demandé à 1 sur 2" in review.text
    assert review.text.index("b.pdf") < review.text.index("a.pdf")
    assert "Passage du service" not in review.text.partition('class="card letter-preview"')[2].partition("</section>")[0]
    version = re.search(r'name="version" value="(\w+)"', review.text)
    assert version is not None
    send(clerk, fields | {"body": "Bonsoir", "do": "save"}, to=edit)
    changed = post(clerk, f"/courriers/{draft}/envoi", version=version[1])
    assert changed.headers["location"].endswith("fait=change")
    version = re.search(r'name="version" value="(\w+)"', clerk.get(f"/courriers/{draft}/envoi").text)
    assert version is not None
    assert post(clerk, f"/courriers/{draft}/envoi", version=version[1]).headers["location"] == f"/courriers/{draft}?fait=envoi"
    assert "En contrôle" in clerk.get(f"/courriers/{draft}").text
    office.leave(draft)
    page = clerk.get(f"/courriers/{draft}")
    assert "Retraits\u00a0: 0 sur 2" in page.text
    assert [len(office.sink.to(address)) for address in ("max@elus.test", "lou@elus.test")] == [1, 1]
    assert clerk.get(edit).headers["location"] == f"/courriers/{draft}"
    assert send(clerk, fields, to=edit).headers["location"] == f"/courriers/{draft}?fait=parti"
    version = re.search(r'id="version"[^>]*value="(\w+)"', page.text)
    assert version is not None
    followed = clerk.get(f"/courriers/{draft}/suivi", params={"version": version[1]})
    assert followed.status_code == 204


def test_a_password_goes_from_a_draft_and_a_draft_is_given_up(office: MailsOffice, clerk: httpx.Client) -> None:
    fields = filled(office, **{"secret.max@elus.test": "un secret bien à lui"}, to="max@elus.test\nlou@elus.test")
    draft = sent_id(send(clerk, fields))
    edit = f"/courriers/{draft}/brouillon"
    assert [bool(one.password_hash) for one in office.mairie.recipients(draft)] == [True, False]
    weak = send(clerk, fields | {"password": "123456", "do": "save"}, to=edit)
    assert "password" in faults(weak) or any(name.startswith("r") for name in faults(weak))
    assert sent_id(send(clerk, fields | {"do": "clear", "secret.max@elus.test": ""}, to=edit)) == draft
    assert [bool(one.password_hash) for one in office.mairie.recipients(draft)] == [False, False]
    assert post(clerk, f"{edit}/abandon").headers["location"] == "/courriers?fait=abandon"
    assert draft not in clerk.get("/courriers").text


def _version(office: MailsOffice, draft: str) -> str:
    """What the page that sends says of a draft, for one that shows no such page."""
    with office.mairie.platform.database.reading(PLATFORM) as session:
        mail, dossier = mail_of(session, draft), dossier_of(session, draft)
        return version_of(Kept(mail, dossier, tuple(recipients_of(session, draft)), tuple(files_of(session, draft, "document"))))


def test_a_notification_asks_for_each_consent_and_nothing_leaves_for_an_address_that_bounced(
    office: MailsOffice, clerk: httpx.Client
) -> None:
    bounced = contacts.add(
        office.mairie.platform, PLATFORM, office.mairie.organisation.id, contacts.Told("revenu@elus.test", "Revenu")
    )
    with office.mairie.platform.database.writing(PLATFORM) as session:
        session.get_one(Contact, bounced.id).bounced = clock.now()
    fields = filled(office, kind="notification", to="max@elus.test\nrevenu@elus.test", do="review")
    draft = sent_id(send(clerk, fields))
    stopped = clerk.get(clerk.get(f"/courriers/{draft}/envoi").headers["location"])
    said = faults(stopped)
    assert set(said) == {"r0", "r1"}
    assert "L.\u00a0112-15" in said["r0"]
    assert "revenu@elus.test reviennent" in said["r1"]
    plain = sent_id(send(clerk, filled(office, to="revenu@elus.test", do="review")))
    for stopped in (
        clerk.get(f"/courriers/{plain}/envoi"),
        post(clerk, f"/courriers/{plain}/envoi", version=_version(office, plain)),
    ):
        assert stopped.headers["location"].endswith("/brouillon?relire=1")
    fields |= {"to": "max@elus.test", "consent.max@elus.test": "31/12/2025"}
    assert "n’est pas une date" in faults(send(clerk, fields, to=f"/courriers/{draft}/brouillon"))["r0"]
    fields |= {"consent.max@elus.test": "2025-12-31", "reference.max@elus.test": "Formulaire 12"}
    assert send(clerk, fields, to=f"/courriers/{draft}/brouillon").headers["location"].endswith("/envoi")
    (kept,) = office.mairie.recipients(draft)
    assert (str(kept.consent), kept.consent_reference) == ("2025-12-31", "Formulaire 12")
    assert "Un code est envoyé à part" in clerk.get(f"/courriers/{draft}/envoi").text


def test_thirty_megabytes_pass_in_pieces(office: MailsOffice, clerk: httpx.Client) -> None:
    large = [io.BytesIO(bytes([rank]) * (15 * 1024 * 1024)) for rank in (1, 2)]
    tracemalloc.start()
    try:
        draft = sent_id(send(clerk, filled(office), ("un.bin", large[0]), ("deux.bin", large[1])))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "Documents joints\u00a0: 2, 30\u00a0Mio" in clerk.get(f"/courriers/{draft}/brouillon").text
    assert peak < 15 * 1024 * 1024  # less than one of them


def test_whoever_sends_mends_tells_again_adds_revokes_and_cancels(office: MailsOffice, clerk: httpx.Client) -> None:
    mairie = office.mairie
    send_id = mairie.mail(recipients=ADDRESSES, password="vieux secret à changer", subject="À mener")
    one, two, three = mairie.recipients(send_id)
    mairie.change(one, state="failed", trouble="550 5.1.1 inconnu")
    of_one, of_two = (f"/courriers/{send_id}/destinataires/{who.id}" for who in (one, two))
    page = clerk.get(f"/courriers/{send_id}").text
    assert "Un destinataire n’est pas atteint" in page
    assert "550 5.1.1 inconnu" in page
    assert "Les liens envoyés à l’ancienne adresse" in clerk.get(f"{of_one}/adresse").text
    wrong = post(clerk, f"{of_one}/adresse", address=two.address)
    assert (wrong.status_code, "Rien n’a été fait" in wrong.text) == (400, True)
    assert post(clerk, f"{of_one}/adresse", address="camille@elus.test").headers["location"] == f"{of_one}?fait=adresse"
    assert post(clerk, f"{of_two}/renvoi").status_code == 303
    assert post(clerk, f"{of_two}/mot-de-passe", password="court").status_code == 400
    assert post(clerk, f"{of_two}/mot-de-passe", password="un secret tout neuf").status_code == 303
    assert "Ajouter les documents" in clerk.get(f"/courriers/{send_id}/acte/ajout").text
    added = send(clerk, {"tell": "1"}, ("plan.pdf", b"%PDF-plan"), to=f"/courriers/{send_id}/acte/ajout")
    assert added.headers["location"] == f"/courriers/{send_id}?fait=ajout"
    assert send(clerk, {}, to=f"/courriers/{send_id}/acte/ajout").status_code == 400
    assert post(clerk, f"/courriers/{send_id}/destinataires/{three.id}/liens").status_code == 303
    told = clerk.get(of_one).text
    for words in ("Adresse corrigée", "camille.aubert@elus.test remplacée par camille@elus.test", "Avis renvoyé"):
        assert words in told
    for deed in ("annulation", "destruction"):  # an act of the whole is none of a recipient
        assert post(clerk, f"{of_one}/{deed}").status_code == 400
    assert clerk.get(f"{of_one}/annulation").headers["location"] == of_one
    page = clerk.get(f"/courriers/{send_id}").text
    document = re.search(rf'href="(/courriers/{send_id}/fichiers/\w+)">Télécharger<span class="unseen"> plan.pdf', page)
    assert document is not None
    assert clerk.get(document[1]).content == b"%PDF-plan"
    assert post(clerk, f"/courriers/{send_id}/acte/annulation").status_code == 400
    assert post(clerk, f"/courriers/{send_id}/acte/annulation", reason="Erreur de date").status_code == 303
    page = clerk.get(f"/courriers/{send_id}").text
    assert "Erreur de date" in page
    assert "/acte/" not in page
    assert post(clerk, f"{of_two}/renvoi").status_code == 409
    over = mairie.mail("archived", subject="À détruire")
    file = re.search(rf"/courriers/{over}/fichiers/\w+", clerk.get(f"/courriers/{over}").text)
    assert file is not None
    assert post(clerk, f"/courriers/{over}/acte/destruction").headers["location"] == f"/courriers/{over}?fait=destruction"
    assert clerk.get(file[0]).status_code == 404
    assert "Le contenu a été détruit" in clerk.get(f"/courriers/{over}").text
    with somebody(office.service, office.people["lecteur"]) as reader:
        other = mairie.mail(subject="À lire seulement")
        assert "/acte/" not in reader.get(f"/courriers/{other}").text
        assert post(reader, f"/courriers/{other}/acte/annulation", reason="Non").status_code == 403
        assert reader.get("/courriers/nouveau").status_code == 403


def test_answers_and_indications_are_told_apart_and_proofs_given(office: MailsOffice, clerk: httpx.Client) -> None:
    mairie = office.mairie
    send_id = mairie.mail(recipients=ADDRESSES, subject="À prouver")
    one, two, _ = mairie.recipients(send_id)
    mairie.answer(one, "Bien reçu.\n<script>")
    mairie.change(two, delivered=clock.now(), opened=clock.now(), blocked=True)
    page = clerk.get(f"/courriers/{send_id}").text
    assert "Bien reçu.\n&lt;script&gt;" in page
    for words in ("Retraits\u00a0: 1 sur 3", "avis délivré", "page ouverte", "accès bloqué", "Retiré par une partie"):
        assert words in page
    assert "Courrier retiré" in clerk.get(f"/courriers/{send_id}/destinataires/{one.id}").text
    attestation = clerk.get(f"/courriers/{send_id}/destinataires/{one.id}/attestation")
    assert attestation.content.startswith(b"%PDF")
    assert clerk.get(f"/courriers/{send_id}/attestation").content.startswith(b"%PDF")
    proof = clerk.get(f"/courriers/{send_id}/preuve")
    assert proof.status_code in {200, 503}, proof.text
    if proof.status_code == 200:
        assert "LISEZ-MOI.txt" in zipfile.ZipFile(io.BytesIO(proof.content)).namelist()
    draft = mairie.mail("draft")
    assert clerk.get(f"/courriers/{draft}/attestation").status_code == 404


def test_what_came_back_is_read_without_its_links_and_settled(office: MailsOffice, clerk: httpx.Client) -> None:
    secret = "Zx8_" * 11
    raw = f"From: postmaster@x.test\r\nSubject: =?utf-8?q?Non_remis?=\r\n\r\nVoir https://x/courrier/{secret}\r\n".encode()
    blob = office.mairie.platform.objects.put(io.BytesIO(raw))
    with office.mairie.platform.database.writing(PLATFORM) as session:
        known = MailReturn(
            organisation_id=office.mairie.organisation.id, what="unknown", source="x/1/1", sha256=blob.sha256, size=blob.size
        )
        session.add(known)
        session.flush()
        address = f"/courriers/retours/{known.id}"
    assert "Un courriel revenu attend" in clerk.get("/courriers").text
    assert address in clerk.get("/courriers/retours").text
    page = clerk.get(address).text
    assert "Non remis" in page
    assert "https://x/courrier/…" in page
    assert secret not in page
    with somebody(office.service, office.people["ailleurs"]) as stranger:
        assert stranger.get(address).status_code == post(stranger, address).status_code == 404
    assert post(clerk, address).headers["location"] == "/courriers/retours?fait=regle"
    assert clerk.get(address).status_code == 404


def test_the_book_is_kept_searched_imported_and_grouped(office: MailsOffice, clerk: httpx.Client) -> None:
    database = office.mairie.platform.database

    def one(table: type[Contact | ContactGroup], name: str) -> str:
        with database.reading(PLATFORM) as session:
            return session.exec(select(table.id).where(table.name == name)).one()

    assert post(clerk, "/carnet/contacts", name="Ana Noël", address="ana@elus.test").headers["location"] == "/carnet?fait=ajoute"
    again = post(clerk, "/carnet/contacts", name="Ana", address="ANA@elus.test", note="gardée")
    assert (again.status_code, 'value="gardée"' in again.text) == (409, True)
    assert "Ana Noël" in clerk.get("/carnet?q=noel").text
    contact = one(Contact, "Ana Noël")
    assert post(clerk, "/carnet/groupes", name="Presse", shared="1").status_code == 303
    group = f"/carnet/groupes/{one(ContactGroup, 'Presse')}"
    assert contact in clerk.get(f"{group}?q=ana").text
    assert post(clerk, group, do="put", contact=contact).headers["location"] == f"{group}?fait=ajoutes"
    refused = post(clerk, f"/carnet/contacts/{contact}", do="delete")
    assert (refused.status_code, "(Presse)" in refused.text) == (409, True)
    assert post(clerk, group, do=f"out.{contact}").headers["location"] == f"{group}?fait=retire"
    assert post(clerk, f"/carnet/contacts/{contact}", do="change", name="Ana", address="ana@elus.test").status_code == 303
    assert post(clerk, f"/carnet/contacts/{contact}", do="delete").headers["location"] == "/carnet?fait=supprime"
    table = "\n".join(f"t{rank}@elus.test;Table {rank};Presse" if rank % 7 else f"t{rank};x" for rank in range(1, 22))
    wrong = clerk.post("/carnet/import", data=csrf(clerk), files={"table": ("a.csv", table.encode())})
    assert re.findall(r"<li>Ligne (\d+)", wrong.text) == ["7", "14", "21"]
    taken = clerk.post("/carnet/import", data=csrf(clerk), files={"table": ("a.csv", b"t1@elus.test;Table 1;Presse")})
    assert "Ajoutés\u00a0: 1." in taken.text
    exported = clerk.get("/carnet/export.csv")
    assert exported.headers["content-type"].startswith("text/csv")
    assert "t1@elus.test;Table 1;Presse;" in exported.text
    with somebody(office.service, office.people["ailleurs"]) as stranger:
        assert stranger.get(group).status_code == post(stranger, group, do="delete").status_code == 404
        assert "elus.test" not in stranger.get("/carnet/export.csv").text
        assert stranger.get("/carnet", params={"organisation": office.mairie.organisation.id}).status_code == 404
    with somebody(office.service, office.people["lecteur"]) as reader:
        assert "Ajouter le contact" not in reader.get("/carnet").text
        assert post(reader, "/carnet/contacts", address="b@elus.test").status_code == 403
    assert post(clerk, group, do="delete").headers["location"] == "/carnet?fait=supprime"


def test_a_template_is_made_changed_and_deleted(office: MailsOffice, clerk: httpx.Client) -> None:
    told = {"name": "Fermeture", "kind": "secured", "subject": "Fermeture", "body": "Bonjour {prenom}"}
    wrong = post(clerk, "/courriers/modeles", **told)
    assert (wrong.status_code, "{prenom}" in wrong.text) == (400, True)
    assert post(clerk, "/courriers/modeles", **told | {"body": "Bonjour {nom}"}).status_code == 303
    with office.mairie.platform.database.reading(PLATFORM) as session:
        address = f"/courriers/modeles/{session.exec(select(MailTemplate.id).where(MailTemplate.name == 'Fermeture')).one()}"
    assert post(clerk, address, **told | {"name": "Fermé", "body": ""}).status_code == 303
    assert "Fermé" in clerk.get("/courriers/modeles").text
    with somebody(office.service, office.people["ailleurs"]) as stranger:
        assert stranger.get(address).status_code == 404
    assert post(clerk, address, do="delete").headers["location"] == "/courriers/modeles?fait=efface"
    assert clerk.get(address).status_code == 404


def test_whoever_may_only_send_writes_and_sends_without_reading(office: MailsOffice) -> None:
    with somebody(office.service, office.people["deposant"]) as depositor:
        draft = sent_id(send(depositor, filled(office, do="review")))
        page = depositor.get(f"/courriers/{draft}/envoi")
        version = re.search(r'name="version" value="(\w+)"', page.text)
        assert version is not None
        sent = post(depositor, f"/courriers/{draft}/envoi", version=version[1])
        assert sent.headers["location"] == "/courriers/nouveau?fait=envoi"
        assert depositor.get(f"/courriers/{draft}").status_code == 404
    with office.mairie.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(MailRecipient.state).where(MailRecipient.dossier_id == draft)).all() == ["waiting"]
