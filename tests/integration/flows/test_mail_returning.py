"""What comes back of mails, through a real Postfix and a real mailbox: kept, applied, and never taken for an act of a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlmodel import col, select

from connectors.mail.handing import Handing
from connectors.mailbox.client import OpenMailbox
from core import clock
from core.errors import Conflict, Forbidden, TabellionError
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from flows.mail import returning
from flows.mail.book.models import Contact
from flows.mail.models import MailNotice, MailReturn
from flows.mail.reading import unsettled
from tests.databases import sqlite_at
from tests.postfix import PostOffice
from tests.sending import Sending, furnished
from tests.waiting import wait_until

KNOWN, UNKNOWN = "camille.aubert@elus.test", "personne@elus.test"


@pytest.fixture(scope="module")
def office() -> Iterator[PostOffice]:
    with PostOffice() as running:
        yield running


@pytest.fixture(scope="module")
def mairie(office: PostOffice, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sending]:
    folder = tmp_path_factory.mktemp("returning")
    told = {
        "mail_return_address": office.return_address,
        "mail_returns": office.returns_url,
        "mail_from": "secretariat@mairie.test",
    }
    platform = furnished(sqlite_at(folder / "db.sqlite3"), folder, s3, office.smtp_url, **told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", os.fspath(office.authority_file))
        yield Sending.opened(platform)
    platform.database.close()


def returned(mairie: Sending, office: PostOffice, *notices: MailNotice) -> None:
    """Wait until something came back for each of these messages, and collect."""
    wait_until(lambda: all(office.returned(one.envelope) for one in notices), seen=office.log)
    returning.collect(mairie.platform)


def whats(mairie: Sending, dossier_id: str) -> list[tuple[str, str]]:
    with mairie.platform.database.reading(PLATFORM) as session:
        wanted = select(MailReturn.what, MailReturn.status).where(MailReturn.dossier_id == dossier_id)
        return sorted(session.exec(wanted).all())


def test_a_delivery_is_an_indication_and_a_bounce_fails_its_recipient_alone(mairie: Sending, office: PostOffice) -> None:
    with mairie.platform.database.writing(PLATFORM) as session:
        contact = Contact(organisation_id=mairie.organisation.id, name="P", address=UNKNOWN, normal=UNKNOWN, sought="p")
        session.add(contact)
    dossier_id = mairie.sent(KNOWN, UNKNOWN, "x@nulle-part.test", "y@nulle-part.test")
    mairie.change(mairie.recipients(dossier_id)[3], state="withdrawn")  # a bounce that comes too late changes nothing
    assert mairie.states(dossier_id) == ["handed", "handed", "handed", "withdrawn"]
    returned(mairie, office, *mairie.notices(dossier_id))
    assert mairie.states(dossier_id) == ["handed", "failed", "failed", "withdrawn"]
    known, unknown, nowhere, _ = mairie.recipients(dossier_id)
    assert known.delivered is not None and "5.1.1" in unknown.trouble and "5.1.2" in nowhere.trouble
    assert whats(mairie, dossier_id) == [("delivered", "2.0.0"), ("failed", "5.1.1"), ("failed", "5.1.2"), ("failed", "5.1.2")]
    with mairie.platform.database.reading(PLATFORM) as session:
        assert session.get_one(Contact, contact.id).bounced is not None
        kept = session.exec(select(MailReturn).where(MailReturn.recipient_id == unknown.id)).one()
    with mairie.platform.objects.reading(kept.sha256) as stream:
        assert mairie.notice(dossier_id, rank=1).envelope.encode() in stream.read()
    told = [one.facts for one in mairie.events(dossier_id) if one.kind == "report_received" and one.recipient_id == unknown.id]
    assert [(one["what"], one["sha256"], one["final_recipient"]) for one in told] == [("failed", kept.sha256, UNKNOWN)]
    assert mairie.kinds(dossier_id).count("notification_delivered") == 1
    before = len(mairie.events(dossier_id))
    returning.collect(mairie.platform)
    assert len(mairie.events(dossier_id)) == before  # what is dealt with has left the inbox


def test_a_delay_is_shown_until_something_better_is_known(mairie: Sending, office: PostOffice) -> None:
    dossier_id = mairie.sent("quelquun@attente.test")
    returned(mairie, office, *mairie.notices(dossier_id))
    assert mairie.states(dossier_id) == ["delayed"] and mairie.recipients(dossier_id)[0].trouble


def test_a_report_settles_a_message_of_which_nobody_knew_whether_it_left(
    mairie: Sending, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier_id = mairie.checked(KNOWN)
    own = Handing.hand_over

    def lost(self: Handing, *told: object) -> object:
        own(self, *told)  # type: ignore[arg-type]
        raise KeyboardInterrupt  # the process ends between the server's answer and what it would have written

    monkeypatch.setattr(Handing, "hand_over", lost)
    with pytest.raises(KeyboardInterrupt):
        mairie.perform("send", dossier_id)
    monkeypatch.undo()
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(office.authority_file))
    (notice,) = mairie.notices(dossier_id)
    assert (notice.state, mairie.states(dossier_id)) == ("leaving", ["waiting"]) and notice.message
    returned(mairie, office, notice)
    (settled,) = mairie.notices(dossier_id)
    assert (settled.state, settled.accepted, settled.message) == ("accepted", notice.left, None)
    assert mairie.states(dossier_id) == ["handed"] and mairie.mail(dossier_id).sent == notice.left
    assert [(one["attempt"], one["host"]) for one in settled.evidence] == [(1, "mx.mairie.test")]
    assert mairie.kinds(dossier_id)[-3:] == ["relay_to_non_erds", "report_received", "notification_delivered"]
    mairie.post()
    assert len([one for one in office.mails_of(KNOWN) if notice.message_id.encode() in one]) == 1  # it is not sent again


def test_what_nobody_understands_waits_for_a_person_and_machines_are_not_heard(
    mairie: Sending, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier_id = mairie.sent(KNOWN)
    (notice,) = mairie.notices(dossier_id)
    returned(mairie, office, notice)
    about = f"retour+{notice.envelope}@mairie.test"
    for to, more in (
        (about, {"Auto-Submitted": "auto-replied"}),
        (about, {}),
        ("retour@mairie.test", {}),
        ("retour+zz@mairie.test", {}),
    ):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = KNOWN, to, "Re: courrier"
        for name, value in more.items():
            message[name] = value
        message.set_content("Je suis absent.")
        office.deliver(message.as_bytes(), to, KNOWN)
    wait_until(lambda: sum(b"Je suis absent" in one for one in office.mails_of(office.return_address)) == 4, seen=office.log)

    own = OpenMailbox.done
    monkeypatch.setattr(OpenMailbox, "done", lambda *_: (_ for _ in ()).throw(TabellionError("interrupted")))
    with pytest.raises(TabellionError, match="interrupted"):
        returning.collect(mairie.platform)  # kept, and still in the inbox
    monkeypatch.setattr(OpenMailbox, "done", own)
    wait_until(lambda: _collected(mairie) >= 3)
    assert mairie.states(dossier_id) == ["handed"]
    assert [what for what, _ in whats(mairie, dossier_id)] == ["automatic", "delivered", "unknown"]
    waiting = unsettled(mairie.platform.database, PLATFORM)
    assert {one.what for one in waiting} == {"unknown"} and len({one.sha256 for one in waiting}) == len(waiting) == 3
    mine = next(one for one in waiting if one.dossier_id == dossier_id)
    clerk = Principal("person:agent", {mairie.organisation.id: frozenset({Right.READ, Right.DEPOSIT})})
    reader = Principal("person:lecture", {mairie.organisation.id: frozenset({Right.READ})})
    assert [one.id for one in unsettled(mairie.platform.database, clerk)] == [mine.id]
    with pytest.raises(Forbidden):
        returning.settle_return(mairie.platform, reader, mine.id)
    returning.settle_return(mairie.platform, clerk, mine.id)
    with pytest.raises(Conflict):
        returning.settle_return(mairie.platform, clerk, mine.id)
    assert unsettled(mairie.platform.database, clerk) == []


def _collected(mairie: Sending) -> int:
    returning.collect(mairie.platform)
    return len(unsettled(mairie.platform.database, PLATFORM))


def test_a_bounce_of_a_former_address_does_not_fail_the_mended_one(mairie: Sending, tmp_path: Path) -> None:
    dossier_id = mairie.sent(KNOWN)
    (recipient,), (notice,) = mairie.recipients(dossier_id), mairie.notices(dossier_id)
    mairie.change(recipient, address="autre@elus.test", normal="autre@elus.test")
    report = (
        f"From: MAILER-DAEMON@mx.test\r\nTo: retour+{notice.envelope}@mairie.test\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\nNon.'
        "\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n"
        f"Final-Recipient: rfc822; {KNOWN}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    raw = tmp_path / "mail.eml"
    raw.write_bytes(report.encode())
    for _ in range(2):  # read twice: applied once
        returning.receive(mairie.platform, raw, "boite/1/1")
    assert mairie.states(dossier_id) == ["handed"] and whats(mairie, dossier_id) == [("failed", "5.1.1")]
    with mairie.platform.database.reading(PLATFORM) as session:
        found = session.exec(select(MailReturn).where(MailReturn.source == "boite/1/1").order_by(col(MailReturn.id))).one()
    assert found.settled is not None and found.settled <= clock.now()
