"""A send from its draft to the mail server: each recipient told once, with their own link, whatever the server does."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from connectors.mail.errors import MailUnavailable, MessageRefused
from connectors.mail.handing import Handing
from core import clock
from core.errors import Conflict, Forbidden, Misconfigured, UsageError
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from flows.engine.models import Dossier
from flows.mail import links, planning, posting, settling
from flows.mail.book.models import Contact
from flows.mail.intake import Addressed, abandon, change, compose, send
from flows.mail.keeping import recipients_of
from flows.mail.models import Place, RecipientState
from flows.mail.reading import Standing, Wanted, list_mails, seen
from flows.mail.rules import Unsendable
from tests.databases import empty
from tests.mail_sink import Sink
from tests.sending import RECIPIENTS_URL, Sending, furnished, links_in, mairie, sending, sink

__all__ = ["mairie", "sending", "sink"]

THREE = ("camille.aubert@elus.test", "dominique.marchal@elus.test", "sacha.perrin@elus.test")


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, s3: S3Server, sink: Sink, migrated_postgres: str) -> Iterator[Sending]:
    platform = furnished(migrated_postgres, tmp_path_factory.mktemp("sending"), s3, sink.url)
    yield Sending.opened(platform)
    platform.database.close()
    empty(migrated_postgres)


@pytest.fixture(params=["sending", "on_postgres"])
def anywhere(request: pytest.FixtureRequest, sink: Sink) -> Sending:
    sink.clear()
    opened: Sending = request.getfixturevalue(request.param)
    return opened


def test_each_recipient_is_told_once_with_a_link_of_their_own(mairie: Sending, sink: Sink) -> None:
    recipients = (
        Addressed(THREE[0], "Camille Aubert", password="trois lavoirs au bord"),
        Addressed(THREE[1], "", Place.CC),
        Addressed("Sacha.Perrin@Élus.test", "Sacha « Perrin »", Place.BCC),
    )
    draft = replace(mairie.draft(), recipients=recipients, reply_to="eaux@valmorin.test", sender="Service des eaux, Valmorin")
    dossier_id = compose(mairie.platform, PLATFORM, draft, "cle-1").dossier.id
    assert not compose(mairie.platform, PLATFORM, draft, "cle-1").created
    with pytest.raises(Conflict):
        compose(mairie.platform, PLATFORM, replace(draft, body="Autre chose."), "cle-1")
    send(mairie.platform, PLATFORM, dossier_id)
    mairie.perform("check", dossier_id)
    assert mairie.dossier(dossier_id).state == "ready"
    mairie.perform("send", dossier_id)
    mairie.post()

    assert (mairie.dossier(dossier_id).state, mairie.states(dossier_id)) == ("sent", ["handed"] * 3)
    kept = sink.kept()
    assert [to for _, to, _ in kept] == [THREE[0], THREE[1], "Sacha.Perrin@xn--lus-9la.test"]
    notices = mairie.notices(dossier_id)
    assert [sender for sender, _, _ in kept] == [f"retour+{one.envelope}@valmorin.test" for one in notices]
    tokens = [links_in(message.get_body(("plain",)).get_content()) for _, to, _ in kept for message in sink.to(to)]  # type: ignore[union-attr]
    assert all(len(one) == 1 for one in tokens)
    assert [{links.digest(token) for token in one} for one in tokens] == [{one.token} for one in notices]
    assert len({one.token for one in notices} | {one.envelope for one in notices}) == 6
    assert [hashlib.sha256(octets).hexdigest() for _, _, octets in kept] == [one.sha256 for one in notices]
    for notice, (_, to, octets) in zip(notices, kept, strict=True):
        assert notice.message is None and notice.evidence[0]["code"] == 250 and "queued as" in notice.evidence[0]["text"]
        (message,) = sink.to(to)
        assert octets.isascii() and [part.get_content_type() for part in message.walk()][1:] == ["text/plain", "text/html"]
        assert message["Message-ID"].strip("<>") == notice.message_id and message["Auto-Submitted"] == "auto-generated"
        assert message["Reply-To"].addresses[0].addr_spec == "eaux@valmorin.test"
        assert message["From"].addresses[0].addr_spec == "courrier@valmorin.test"
        said = "".join(part.get_content() for part in message.walk() if part.get_content_maintype() == "text")
        assert f"{RECIPIENTS_URL}/courrier/" in said and "<img" not in said and "avis.pdf" not in said
        assert draft.subject not in message["Subject"] + said and "ci-joint" not in said
        assert not re.search(r"recommand|\bLRE\b|registered", said, re.IGNORECASE)
    assert "mot de passe" in str(sink.to(THREE[0])[0].get_body(("plain",)).get_content())  # type: ignore[union-attr]

    mail = mairie.mail(dossier_id)
    assert mail.sent is not None and mail.withdraw_until is not None
    assert (mail.withdraw_until - clock.in_paris(mail.sent).date()).days == 15
    assert mail.terms["name"] == "secured"
    assert mairie.kinds(dossier_id) == ["submission_acceptance"] * 4 + ["relay_to_non_erds"] * 3
    handed = mairie.events(dossier_id)[4].facts
    assert handed["message_sha256"] == notices[0].sha256 and handed["hand_over"]["code"] == 250


def test_a_convocation_reveals_what_it_is_and_a_notification_what_the_law_asks(mairie: Sending, sink: Sink) -> None:
    consent = clock.in_paris(clock.now()).date()
    told = Addressed(THREE[1], "Dominique Marchal", consent=consent, consent_reference="formulaire 12")
    mairie.sent(kind="notification", recipients=(told,))
    text = sink.to(THREE[1])[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for stated in ("R.\u00a0112-17", "quinze jours", "Commune de Valmorin", "à votre disposition", "code à usage unique"):
        assert stated in text, stated
    written = mairie.written(THREE[0], kind="convocation", subject="Conseil municipal du jeudi 12")
    with pytest.raises(Unsendable, match="séance"):
        send(mairie.platform, PLATFORM, written)  # a convocation convenes to a meeting


def test_the_server_may_refuse_defer_or_lose_and_each_recipient_stands_alone(anywhere: Sending, sink: Sink) -> None:
    contact = Contact(organisation_id=anywhere.organisation.id, name="Parti", address="", normal="refused@elus.test", sought="")
    with anywhere.platform.database.writing(PLATFORM) as session:
        session.add(contact)
    (sink.folder / "later").write_text("1")
    own = anywhere.organisation.id.lower()
    odd = ("refused@elus.test", f"later.{own}@elus.test", f"lost.{own}@elus.test")
    dossier_id = anywhere.sent(*odd, THREE[0])
    assert anywhere.dossier(dossier_id).state == "sent"
    assert anywhere.states(dossier_id) == ["failed", "waiting", "waiting", "handed"]
    refused, later, lost, _ = (anywhere.notice(dossier_id, rank=rank) for rank in range(4))
    assert (refused.state, refused.evidence[0]["code"], refused.message) == ("refused", 550, None)
    assert "5.1.1" in refused.evidence[0]["text"] and anywhere.recipients(dossier_id)[0].trouble
    assert (later.state, later.evidence[0]["code"], later.attempts) == ("due", 451, 1) and later.not_before > clock.now()
    assert (lost.state, lost.evidence, lost.attempts) == ("leaving", [], 1)
    assert lost.not_before > clock.now() + posting.UNCERTAIN_FOR * 0.9
    first = anywhere.platform.secrets.decrypt(lost.message or b"")
    with anywhere.platform.database.reading(PLATFORM) as session:
        assert session.get_one(Contact, contact.id).bounced is not None

    posting.post_due(anywhere.platform)  # neither has come to its time
    assert len(sink.kept()) == 2
    anywhere.post()
    assert anywhere.states(dossier_id) == ["failed", "handed", "handed", "handed"]
    kept = [octets for _, to, octets in sink.kept() if to == odd[2]]
    assert kept == [first, first]  # the same octets: same Message-ID, same link
    again = anywhere.notice(dossier_id, rank=2)
    assert [one.get("unknown", one.get("code")) for one in again.evidence] == [True, 250]
    assert [one["attempt"] for one in again.evidence] == [1, 2]
    assert anywhere.kinds(dossier_id).count("relay_to_non_erds_failure") == 1


def test_two_workers_never_send_one_notice(anywhere: Sending, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    dossier_id = anywhere.checked(*(f"elu.{rank}@elus.test" for rank in range(6)))
    inside, both = Event(), Event()
    own = Handing.hand_over

    def held(self: Handing, *told: object) -> object:
        if not inside.is_set():
            inside.set()
            assert both.wait(30)
        return own(self, *told)  # type: ignore[arg-type]

    monkeypatch.setattr(Handing, "hand_over", held)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(anywhere.perform, "send", dossier_id)
        assert inside.wait(30)
        posting.post(anywhere.platform, dossier_id)  # finds the first one taken, sends the five others
        assert len(sink.kept()) == 5
        both.set()
        first.result()
    assert sorted(to for _, to, _ in sink.kept()) == [f"elu.{rank}@elus.test" for rank in range(6)]
    assert anywhere.states(dossier_id) == ["handed"] * 6


def test_a_server_that_refuses_us_costs_no_recipient(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.checked(*(f"unwanted.{rank}@elus.test" for rank in range(5)))
    mairie.perform("send", dossier_id)
    held = mairie.dossier(dossier_id)
    assert held.state == "ready" and "554" in (held.parked or "")
    states = [(one.state, one.attempts) for one in mairie.notices(dossier_id)]
    assert states == [("due", 1)] * 3 + [("due", 0)] * 2 and mairie.states(dossier_id) == ["waiting"] * 5
    with pytest.raises(MessageRefused):
        mairie.let_come()
        posting.post(mairie.platform, dossier_id)
    away = mairie.platform.settings.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:1")})
    with pytest.raises(MailUnavailable):
        posting.post(replace(mairie.platform, settings=away), dossier_id)
    none = mairie.platform.settings.model_copy(update={"smtp_url": SecretStr("")})
    mairie.let_come()
    with pytest.raises(Misconfigured):
        posting.post(replace(mairie.platform, settings=none), dossier_id)
    assert all(not one.accepted for one in mairie.notices(dossier_id)) and sink.kept() == []


def test_a_notice_that_no_server_takes_is_given_up_and_one_that_nobody_needs_is_dropped(mairie: Sending, sink: Sink) -> None:
    (sink.folder / "later").write_text("1000")
    dossier_id = mairie.sent("later.encore@elus.test", "later.pris@elus.test", THREE[0])
    old = {"attempt": 1, "at": clock.iso(clock.now() - settling.GIVEN_UP_AFTER * 1.01), "code": 451, "text": ""}
    with mairie.platform.database.writing(PLATFORM) as session:
        first = session.merge(mairie.notice(dossier_id))
        first.evidence = [old]
        session.add(first)
    mairie.change(mairie.recipients(dossier_id)[1], state=RecipientState.WITHDRAWN.value)
    mairie.post()
    assert mairie.states(dossier_id) == ["failed", "withdrawn", "handed"]
    assert [one.state for one in mairie.notices(dossier_id)] == ["refused", "dropped", "accepted"]
    assert "quarante-huit" in mairie.recipients(dossier_id)[0].trouble


def test_six_hundred_recipients_and_thirty_megabytes_leave_in_one_batch(mairie: Sending, sink: Sink) -> None:
    document = mairie.document(os.urandom(30 << 20), "dossier.pdf")
    addresses = [f"elu.{rank}@elus.test" for rank in range(600)]
    dossier_id = mairie.checked(*addresses, documents=(document,))
    mairie.perform("send", dossier_id)
    assert mairie.dossier(dossier_id).state == "sent"
    kept = sink.kept()
    assert sorted(to for _, to, _ in kept) == sorted(addresses)
    assert sink.connections() == 1
    assert sum(len(octets) for _, _, octets in kept) < 600 * 8192  # the documents stay here, once
    assert {one.state for one in mairie.notices(dossier_id)} == {"accepted"}
    assert len(seen(mairie.platform.database, PLATFORM, dossier_id).files) == 1


def test_a_signed_message_is_the_one_that_is_kept(mairie: Sending, sink: Sink, tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "dkim.pem").write_bytes(key)
    told = {"dkim_domain": "valmorin.test", "dkim_selector": "s1", "dkim_key_file": tmp_path / "dkim.pem"}
    signing = replace(mairie, platform=replace(mairie.platform, settings=mairie.platform.settings.model_copy(update=told)))
    dossier_id = mairie.checked(THREE[0])
    with mairie.platform.database.writing(PLATFORM) as session:
        planning.plan_all(session, recipients_of(session, dossier_id), "notice")
    assert posting.post(signing.platform, dossier_id)
    ((_, _, octets),) = sink.kept()
    assert octets.startswith(b"DKIM-Signature:") and hashlib.sha256(octets).hexdigest() == mairie.notice(dossier_id).sha256
    (evidence,) = mairie.notice(dossier_id).evidence
    named = {name: evidence["dkim"][name] for name in ("domain", "selector", "algorithm")}
    assert named == {"domain": "valmorin.test", "selector": "s1", "algorithm": "ed25519-sha256"}
    assert len(evidence["dkim"]["sha256"]) == 64


def test_a_draft_is_changed_whole_checked_and_refused_back_to_its_author(mairie: Sending) -> None:
    dossier_id = mairie.written(*THREE)
    before = {one.normal: one.id for one in mairie.recipients(dossier_id)}
    two = (Addressed(THREE[2], "Sacha", password="482915"), Addressed("nouvelle@elus.test"))
    change(mairie.platform, PLATFORM, dossier_id, replace(mairie.draft(), recipients=two, subject="Autre objet"))
    kept = mairie.recipients(dossier_id)
    assert [one.normal for one in kept] == [THREE[2], "nouvelle@elus.test"] and kept[0].id == before[THREE[2]]
    assert kept[0].password_hash and mairie.dossier(dossier_id).title == "Autre objet"
    program = mairie.document(b"MZ" + bytes(200), "facture.pdf")
    again = replace(mairie.draft(), recipients=(Addressed(THREE[2], "Sacha"), two[1]), documents=(program,))
    change(mairie.platform, PLATFORM, dossier_id, again)
    assert mairie.recipients(dossier_id)[0].password_hash == kept[0].password_hash  # one that is not given again is kept
    send(mairie.platform, PLATFORM, dossier_id)
    with pytest.raises(Conflict):
        change(mairie.platform, PLATFORM, dossier_id, again)
    mairie.perform("check", dossier_id)
    refused = mairie.dossier(dossier_id)
    assert refused.state == "draft" and [one["rule"] for one in refused.problems] == ["M03"]
    assert mairie.kinds(dossier_id) == ["submission_rejection"]
    change(mairie.platform, PLATFORM, dossier_id, replace(again, documents=(mairie.document(),)))
    send(mairie.platform, PLATFORM, dossier_id)
    assert mairie.dossier(dossier_id).problems == []
    mairie.perform("check", dossier_id)
    assert mairie.dossier(dossier_id).state == "ready"

    given_up = mairie.written(THREE[0])
    abandon(mairie.platform, PLATFORM, given_up)
    assert mairie.dossier(given_up).state == "abandoned"
    nobody = mairie.written()
    with pytest.raises(Unsendable) as found:
        send(mairie.platform, PLATFORM, nobody)
    assert [one.rule for one in found.value.problems] == ["M01"]
    with pytest.raises(UsageError, match="genre"):
        mairie.written(THREE[0], kind="lettre")


def test_nobody_sends_for_others_and_nobody_sees_what_is_not_theirs(mairie: Sending) -> None:
    dossier_id = mairie.written(THREE[0])
    reader = Principal("person:lecture", {mairie.organisation.id: frozenset({Right.READ})})
    stranger = Principal("person:ailleurs", {"ailleurs": frozenset(Right)})
    for act in (
        lambda who: send(mairie.platform, who, dossier_id),
        lambda who: compose(mairie.platform, who, mairie.draft(THREE[0])),
    ):
        with pytest.raises(Forbidden):
            act(reader)
    assert dossier_id in {line.dossier_id for line in list_mails(mairie.platform.database, reader, Wanted()).lines}
    assert list_mails(mairie.platform.database, stranger, Wanted()).lines == ()


_LEFT = list(Standing)[list(Standing).index(Standing.SENDING) :]


def test_the_list_says_where_each_send_stands_page_by_page(mairie: Sending) -> None:
    database = mairie.platform.database
    told = {
        Standing.DRAFT: mairie.written(THREE[0], subject="Liste 0"),
        Standing.READY: mairie.checked(THREE[0], subject="Liste 1"),
        **{one: mairie.sent(*THREE[:2], subject=f"Liste {rank}") for rank, one in enumerate(_LEFT, start=2)},
    }
    ended = {
        Standing.SENDING: ("waiting", "handed"),
        Standing.PARTLY: ("withdrawn", "handed"),
        Standing.TAKEN: ("withdrawn", "answered"),
        Standing.CLOSED: ("refused", "failed"),
    }
    for standing, states in ended.items():
        for recipient, state in zip(mairie.recipients(told[standing]), states, strict=True):
            mairie.change(recipient, state=state)
    mairie.change(mairie.mail(told[Standing.CANCELLED]), cancelled=clock.now())
    with database.writing(PLATFORM) as session:
        session.get_one(Dossier, told[Standing.ARCHIVED]).state = "archived"
    every = list_mails(database, PLATFORM, Wanted(text="Liste ")).lines
    assert {line.standing: line.dossier_id for line in every} == told
    for standing, dossier_id in told.items():
        (line,) = list_mails(database, PLATFORM, Wanted(text="liste", standing=standing)).lines
        assert line.dossier_id == dossier_id and seen(database, PLATFORM, dossier_id).standing is standing
    partly = next(line for line in every if line.standing is Standing.PARTLY)
    assert (partly.recipients, partly.taken, partly.failed) == (2, 1, 0)
    first = list_mails(database, PLATFORM, Wanted(text="Liste ", limit=4))
    second = list_mails(database, PLATFORM, Wanted(text="Liste ", limit=4, after=first.after))
    back = list_mails(database, PLATFORM, Wanted(text="Liste ", limit=4, before=second.before))
    assert [*first.lines, *second.lines] == list(every[:8]) and back.lines == first.lines
    assert first.before is None and second.after is not None
    assert {line.dossier_id for line in list_mails(database, PLATFORM, Wanted(text="dominique.MARCHAL")).lines} >= {
        partly.dossier_id
    }
