"""The hand-over of a message to a real Postfix: what it leaves as evidence, and what is certain when it fails."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from mail_wire import Cut, Wire

from connectors.mail.errors import AddressRefused, CertificateRefused, MailUnavailable, MessageRefused
from connectors.mail.handing import Handing, HandOver, handing
from connectors.mail.paths import return_path
from connectors.mail.settings import MailServer
from core.clock import from_iso
from schemas.mail.report import What, read_report
from tests.postfix import RETURNS, PostOffice
from tests.waiting import wait_until

CAMILLE, SACHA, ELODIE = "camille.aubert@elus.test", "sacha.perrin@elus.test", "élodie.noël@elus.test"
_envelopes = (f"a{rank}" for rank in count())


@pytest.fixture
def wire(post_office: PostOffice) -> Iterator[Wire]:
    wire = Wire(MailServer.of(post_office.smtp_url).port)
    yield wire
    wire.close()


def message(subject: str = "Avis", body: str = "Bonjour") -> bytes:
    return f"From: courrier@mairie.test\r\nTo: x@elus.test\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


def hand(opened: Handing, recipient: str, octets: bytes | None = None, envelope: str | None = None) -> tuple[str, HandOver]:
    """Hand a message over; return its envelope and the evidence."""
    name = envelope or next(_envelopes)
    return name, opened.hand_over(octets or message(name), return_path(RETURNS, name), recipient, name)


def arrived(office: PostOffice, address: str, subject: str) -> bool:
    return any(f"Subject: {subject}\n".encode() in one for one in office.mails_of(address))


def test_a_message_arrives_octet_for_octet_with_its_evidence_and_is_reported(post_office: PostOffice) -> None:
    body = ".\r\n..deux points\r\n\r\n.trois\r\nÉté" + "x" * 900
    with handing(MailServer.of(post_office.smtp_url)) as opened:
        name, taken = hand(opened, CAMILLE, message("octets", body), "0c7e75")
    evidence = taken.as_json()
    assert evidence["text"].startswith("2.0.0 Ok: queued as")
    assert (evidence["host"], evidence["code"], evidence["dsn"]) == ("127.0.0.1", 250, True)
    assert (evidence["tls"], evidence["certificate"]) == ("", "")
    assert from_iso(json.loads(json.dumps(evidence))["at"]) == taken.at
    wait_until(lambda: arrived(post_office, CAMILLE, "octets"), seen=post_office.log)
    (kept,) = (one for one in post_office.mails_of(CAMILLE) if b"Subject: octets\n" in one)
    assert kept.endswith(body.encode().replace(b"\r\n", b"\n") + b"\n")
    assert b"Return-Path: <retour+0c7e75@mairie.test>" in kept
    wait_until(lambda: bool(post_office.returned(name)), seen=post_office.log)
    report = read_report(post_office.returned(name)[0], RETURNS)
    assert (report.what, report.original_envelope, report.recipient) == (What.DELIVERED, name, CAMILLE)


@pytest.mark.parametrize(
    ("recipient", "kind", "code", "words"),
    [
        ("inconnu@elus.test", AddressRefused, 550, "5.1.1"),
        ("later.rcpt@elus.test", MailUnavailable, 450, "Revenez plus tard"),
        ("relay.rcpt@elus.test", MessageRefused, 554, "Relay access denied"),
        ("later.end@elus.test", MailUnavailable, 451, "Plus de place"),
        ("never.end@elus.test", MessageRefused, 554, "Contenu refuse"),
    ],
)
def test_what_the_server_refuses_is_told_with_its_words_and_stops_nobody_else(
    post_office: PostOffice, recipient: str, kind: type[AddressRefused], code: int, words: str
) -> None:
    with handing(MailServer.of(post_office.strict_url)) as opened:
        with pytest.raises(kind) as refused:
            hand(opened, recipient)
        assert (refused.value.code, getattr(refused.value, "begun", False)) == (code, False)
        assert words in refused.value.text
        assert recipient not in str(refused.value)
        name, _ = hand(opened, SACHA)
    wait_until(lambda: arrived(post_office, SACHA, name), seen=post_office.log)


def test_letters_beyond_ascii_leave_where_the_server_takes_them(post_office: PostOffice) -> None:
    with handing(MailServer.of(post_office.smtp_url)) as opened:
        name, _ = hand(opened, ELODIE)
        other, _ = hand(opened, "marie@évreux.test")
    wait_until(lambda: bool(post_office.returned(name) and post_office.returned(other)), seen=post_office.log)
    assert read_report(post_office.returned(name)[0], RETURNS).recipient == ELODIE
    assert arrived(post_office, ELODIE, name)
    assert read_report(post_office.returned(other)[0], RETURNS).recipient == "marie@xn--vreux-9ra.test"
    with handing(MailServer.of(post_office.old_url)) as opened:
        with pytest.raises(AddressRefused, match="SMTPUTF8") as refused:
            hand(opened, ELODIE)
        assert refused.value.code == 0
        name, taken = hand(opened, SACHA)
        assert taken.dsn is False
    wait_until(lambda: arrived(post_office, SACHA, name), seen=post_office.log)


def test_the_evidence_names_the_certificate_that_was_shown(post_office: PostOffice) -> None:
    believing = ssl.create_default_context(cadata=post_office.authority.pem)
    with handing(MailServer.of(post_office.tls_url), believing) as opened:
        taken = hand(opened, SACHA)[1]
    assert taken.tls.startswith("TLSv1.3 TLS_")
    assert taken.certificate == post_office.fingerprint
    with pytest.raises(CertificateRefused, match="Rien n’a été envoyé"), handing(MailServer.of(post_office.tls_url)):
        pass


@pytest.mark.parametrize(
    ("cut", "begun", "arrives"),
    [
        (Cut.CONSENT, False, False),
        (Cut.MIDDLE, False, False),
        (Cut.LAST_OCTETS, True, False),
        (Cut.ANSWER, True, True),
        (Cut.SILENCE, True, True),
    ],
)
def test_a_cut_connection_says_whether_the_message_may_have_been_taken(
    post_office: PostOffice, wire: Wire, cut: Cut, begun: bool, arrives: bool
) -> None:
    wire.cut = cut
    name = next(_envelopes)
    octets = message(name, "MIDDLE\r\n" + ("x" * 998 + "\r\n") * 9_000 if cut is Cut.MIDDLE else "Bonjour")
    server = replace(MailServer.of(post_office.smtp_url), port=wire.port, last_timeout=0.3 if cut is Cut.SILENCE else 60)
    with handing(server) as opened:
        with pytest.raises(MailUnavailable) as lost:
            hand(opened, SACHA, octets, name)
        assert (lost.value.begun, lost.value.code) == (begun, 0)
        wire.cut = None
        later, _ = hand(opened, SACHA)  # by a connection made again
    wait_until(lambda: arrived(post_office, SACHA, later), seen=post_office.log)
    if arrives:
        wait_until(lambda: bool(post_office.returned(name)), seen=post_office.log)
    assert arrived(post_office, SACHA, name) is arrives


def test_a_connection_that_was_lost_between_two_messages_is_made_again(post_office: PostOffice, wire: Wire) -> None:
    with handing(replace(MailServer.of(post_office.smtp_url), port=wire.port)) as opened:
        hand(opened, SACHA)
        wire.hang_up()
        name, _ = hand(opened, SACHA)
    wait_until(lambda: arrived(post_office, SACHA, name), seen=post_office.log)


@pytest.mark.parametrize("octets", [b"From: a@b\nX: y\r\n\r\nz", b"From: a@b\r\n\r\nz\r\n.\rMAIL FROM:<x>\r\n"])
def test_a_message_whose_lines_end_otherwise_never_leaves(post_office: PostOffice, octets: bytes) -> None:
    with handing(MailServer.of(post_office.smtp_url)) as opened, pytest.raises(ValueError, match="CRLF"):
        hand(opened, SACHA, octets)
