"""What comes back, through a real Postfix and a real IMAP server: each report finds its message, nothing else passes for one."""

from __future__ import annotations

import pytest

from connectors.mail.handing import handing
from connectors.mail.paths import return_path
from connectors.mail.settings import MailServer
from connectors.mailbox.client import mailbox
from schemas.mail.report import Report, What, read_report
from tests.postfix import DEFERRED, RETURNS, PostOffice
from tests.waiting import wait_until

MESSAGE = (
    b"From: Mairie <courrier@mairie.test>\r\nTo: x@elus.test\r\nSubject: Avis\r\nMessage-ID: <n@mairie.test>\r\n\r\nBonjour\r\n"
)
CAMILLE = "camille.aubert@elus.test"
SENT = {
    "b0de11": (CAMILLE, What.DELIVERED, "2.0.0"),
    "b0fa11": ("inconnue@elus.test", What.FAILED, "5.1.1"),
    "b0d0ma": ("marie@nulle-part.test", What.FAILED, "5.1.2"),
    "b0de1a": (f"paul@{DEFERRED}", What.DELAYED, "4.2.2"),
}
REPORT = (
    'MIME-Version: 1.0\nContent-Type: multipart/report; report-type={kind}; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
)
LIST_BOUNCE = (
    "From: Mairie via Liste <liste-bounces@elus.test>\nSubject: Undelivered Mail Returned to Sender\n"
    + REPORT.format(kind="delivery-status")
    + "Non remis\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.ailleurs.test\n\n"
    "Final-Recipient: rfc822; membre@ailleurs.test\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 full\n\n"
    "--b\nContent-Type: text/rfc822-headers\n\nFrom: Mairie via Liste <liste@elus.test>\n\n--b--\n"
)
READ = (
    f"From: {CAMILLE}\nSubject: Lu : Avis\n"
    + REPORT.format(kind="disposition-notification")
    + f"Lu\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;{CAMILLE}\n"
    "Disposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n"
)
COME = {
    "b0abce": (
        f"From: {CAMILLE}\nSubject: Absence\nAuto-Submitted: auto-replied (vacation)\n\n550 5.1.1 inconnue\n",
        What.AUTOMATIC,
    ),
    "b0115e": (LIST_BOUNCE, What.FAILED),
    "b0bead": (READ, What.RECEIPT),
    "b0beef": ("From: x@y.test\nContent-Type: multipart/mixed; boundary=\n\n\x01\x02--\n" * 40, What.UNKNOWN),
}


@pytest.fixture(scope="module")
def raw(post_office: PostOffice, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Every return, fetched and put away as the platform does."""
    with handing(MailServer.of(post_office.smtp_url)) as opened:
        for envelope, (address, _, _) in SENT.items():
            opened.hand_over(MESSAGE, return_path(RETURNS, envelope), address, envelope)
    for envelope, (octets, _) in COME.items():
        post_office.deliver(octets.encode(), return_path(RETURNS, envelope))
    post_office.deliver(b"From: pub@pub.test\nSubject: Promo\n\nAchetez\n", RETURNS, sender="pub@pub.test")
    wait_until(lambda: all(post_office.returned(one) for one in (*SENT, *COME)), seen=post_office.log)
    wait_until(lambda: any(b"Subject: Promo" in one for one in post_office.mails_of(RETURNS)), seen=post_office.log)
    with mailbox(post_office.returns()) as box:
        waiting = [one.uid for one in box.waiting()]
        found = [box.fetch(one, tmp_path_factory.mktemp("fetched")).raw.read_bytes() for one in waiting]
        for one in waiting:
            box.done(one)
        assert {one.uid for one in box.waiting()}.isdisjoint(waiting)
    return found


@pytest.fixture(scope="module")
def returned(raw: list[bytes]) -> dict[str, Report]:
    """What is read in each, by its envelope."""
    reports = [read_report(one, RETURNS) for one in raw]
    return {"".join(one.envelopes): one for one in reports}


@pytest.mark.parametrize("envelope", SENT)
def test_a_report_finds_its_message_by_the_path_and_by_the_envelope(returned: dict[str, Report], envelope: str) -> None:
    address, what, status = SENT[envelope]
    report = returned[envelope]
    assert (report.what, report.status, report.recipient) == (what, status, address)
    assert report.original_envelope == envelope
    assert report.reporting == "mx.mairie.test"
    assert report.diagnostic


@pytest.mark.parametrize("envelope", COME)
def test_what_strangers_send_to_the_path_is_taken_for_no_more_than_it_is(returned: dict[str, Report], envelope: str) -> None:
    assert returned[envelope].what is COME[envelope][1]


def test_a_bounce_behind_a_list_that_rewrote_the_sender_finds_the_message_all_the_same(returned: dict[str, Report]) -> None:
    report = returned["b0115e"]
    assert (report.status, report.recipient, report.original_envelope) == ("5.2.2", "membre@ailleurs.test", "")


def test_no_report_gives_back_what_the_message_said(raw: list[bytes]) -> None:
    assert any(b"Subject: Undelivered" in one for one in raw)
    assert not any(b"Bonjour" in one for one in raw)


def test_a_mail_without_a_path_is_about_nothing(returned: dict[str, Report]) -> None:
    assert (returned[""].what, returned[""].recipient) == (What.UNKNOWN, "pub@pub.test")
