"""Reports with fields for machines, each as its kind writes it; all about a message of the return path ``retour+8f3a01``."""

from __future__ import annotations

import base64
from typing import NamedTuple

from schemas.mail.report import What

RETURN_ADDRESS = "retour@mairie.test"
VERP = "retour+8f3a01@mairie.test"
ABOUT = "camille.aubert@elus.test"
HEADERS = f"Return-Path: <{VERP}>\nFrom: Mairie de Valmorin <courrier@mairie.test>\nTo: {ABOUT}\nMessage-ID: <n1@mairie.test>\n"


class Sample(NamedTuple):
    """A message, and what is to be read in it."""

    name: str
    raw: str | bytes
    what: What
    status: str = ""
    diagnostic: str = ""
    recipient: str = ABOUT
    reporting: str = ""
    envelopes: tuple[str, ...] = ("8f3a01",)
    envid: str = ""


def head(sender: str, subject: str, more: str = "", to: str = VERP) -> str:
    return f"Return-Path: <>\nDelivered-To: {to}\nFrom: {sender}\nTo: {to}\nSubject: {subject}\n{more}"


def dsn(
    fields: str,
    *,
    sender: str = "MAILER-DAEMON@mx.test (Mail Delivery System)",
    subject: str = "Undelivered Mail Returned to Sender",
    said: str = "Bonjour",
    more: str = "Auto-Submitted: auto-replied\n",
    kind: str = "message/delivery-status",
    to: str = VERP,
    returned: str = HEADERS,
) -> str:
    return (
        head(sender, subject, more, to) + "MIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain; charset=utf-8\n\n{said}\n--b\nContent-Type: {kind}\n\n{fields}\n"
        f"--b\nContent-Type: text/rfc822-headers\n\n{returned}\n--b--\n"
    )


def plain(sender: str, subject: str, said: str, more: str = "", charset: str = "utf-8") -> bytes:
    start = head(sender, subject, f"{more}MIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n")
    return f"{start}Content-Transfer-Encoding: 8bit\n\n{said}\n".encode(charset)


POSTFIX = """Reporting-MTA: dns; mx.elus.test
Original-Envelope-Id: 8f3a01
X-Postfix-Queue-ID: 79C9820C641
X-Postfix-Sender: rfc822; retour+8f3a01@mairie.test
Arrival-Date: Sat, 28 Nov 2026 10:00:00 +0100 (CET)

Final-Recipient: rfc822; camille.aubert@elus.test
Original-Recipient: rfc822;camille.aubert@elus.test
Action: {action}
Status: {status}
Remote-MTA: dns; mx2.elus.test
Diagnostic-Code: smtp; {said}
"""
EXCHANGE = """Reporting-MTA: dns;PR1P264MB0001.FRAP264.PROD.OUTLOOK.COM
Received-From-MTA: dns;smtp.mairie.test
Arrival-Date: Sat, 28 Nov 2026 09:00:00 +0000

Original-Recipient: rfc822;camille.aubert@elus.test
Final-Recipient: rfc822;c.aubert@elus.onmicrosoft.test
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
X-Display-Name: Camille Aubert
"""
GMAIL = """Reporting-MTA: dns; googlemail.com
Arrival-Date: Sat, 28 Nov 2026 01:00:00 -0800 (PST)
X-Original-Message-ID: <n1@mairie.test>

Final-Recipient: rfc822; camille.aubert@elus.test
Action: {action}
Status: {status}
Remote-MTA: dns; gmail-smtp-in.l.google.com. (2a00:1450:400c:c0c::1a, the server for the domain elus.test.)
Diagnostic-Code: smtp; {said}
Last-Attempt-Date: Sat, 28 Nov 2026 01:00:01 -0800 (PST)
"""
GLOBAL = """Reporting-MTA: dns; mx.elus.test

Final-Recipient: utf-8; \\x{E9}lodie@elus.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 boîte inconnue
"""
MDN = (
    head("Camille Aubert <camille.aubert@elus.test>", "Lu : Courrier") + "MIME-Version: 1.0\n"
    'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\n\n'
    "--b\nContent-Type: text/plain\n\nVotre message a été lu.\n--b\nContent-Type: message/disposition-notification\n\n"
    "Reporting-UA: poste.elus.test; Thunderbird\nFinal-Recipient: rfc822;camille.aubert@elus.test\n"
    "Original-Message-ID: <n1@mairie.test>\nDisposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n"
)
LIST_MEMBER = """Reporting-MTA: dns; mx.ailleurs.test

Final-Recipient: rfc822; membre@ailleurs.test
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full
"""
ENCODED = base64.encodebytes(POSTFIX.format(action="failed", status="5.1.1", said="550 5.1.1 unknown").encode()).decode()
TWO = POSTFIX.format(action="delivered", status="2.0.0", said="250 ok") + (
    "\nFinal-Recipient: rfc822; dominique@elus.test\nAction: failed\nStatus: 5.2.1\nDiagnostic-Code: smtp; 550 disabled\n"
)
F, D = What.FAILED, What.DELAYED


def postfix(name: str, action: str, status: str, said: str, what: What) -> Sample:
    raw = dsn(POSTFIX.format(action=action, status=status, said=said))
    return Sample(name, raw, what, status, said, reporting="mx.elus.test", envid="8f3a01")


SAMPLES = (
    postfix("postfix failed", "failed", "5.1.1", "550 5.1.1 User unknown", F),
    postfix("postfix delivered", "delivered", "2.0.0", "250 2.0.0 Ok: queued as 1", What.DELIVERED),
    postfix("postfix relayed", "relayed", "2.0.0", "250 ok", What.RELAYED),
    postfix("postfix expanded", "expanded", "2.0.0", "250 ok", What.EXPANDED),
    postfix("postfix delayed", "delayed", "4.2.2", "452 4.2.2 Mailbox full", D),
    postfix("the queue gave up on a temporary error", "failed", "4.4.1", "451 timed out", F),
    Sample(
        "exchange online",
        dsn(
            EXCHANGE,
            sender="Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@elus.test>",
            subject="=?utf-8?q?Non_remis=C2=A0=3A_Courrier?=",
        ),
        F,
        "5.1.10",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        reporting="PR1P264MB0001.FRAP264.PROD.OUTLOOK.COM",
    ),
    Sample(
        "gmail failed",
        dsn(
            GMAIL.format(
                action="failed",
                status="5.1.1",
                said="550-5.1.1 The email account that you tried to reach does not exist.\n 550 5.1.1 Please try again",
            )
        ),
        F,
        "5.1.1",
        "550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 Please try again",
        reporting="googlemail.com",
    ),
    Sample(
        "gmail delayed",
        dsn(GMAIL.format(action="delayed", status="4.4.1", said="The recipient server did not accept our requests to connect.")),
        D,
        "4.4.1",
        "The recipient server did not accept our requests to connect.",
        reporting="googlemail.com",
    ),
    Sample(
        "fields of the international form",
        dsn(GLOBAL, kind="message/global-delivery-status"),
        F,
        "5.1.1",
        "550 5.1.1 boîte inconnue",
        "élodie@elus.test",
        "mx.elus.test",
    ),
    Sample(
        "fields in base64",
        dsn(ENCODED, kind="message/delivery-status\nContent-Transfer-Encoding: base64"),
        F,
        "5.1.1",
        "550 5.1.1 unknown",
        reporting="mx.elus.test",
        envid="8f3a01",
    ),
    Sample(
        "fields that a gateway made text of",
        plain("postmaster@elus.test", "Undeliverable", POSTFIX.format(action="failed", status="5.1.1", said="550 unknown")),
        F,
        "5.1.1",
        "550 unknown",
        reporting="mx.elus.test",
        envid="8f3a01",
    ),
    Sample(
        "two recipients, one of them failed",
        dsn(TWO),
        F,
        "5.2.1",
        "550 disabled",
        "dominique@elus.test",
        "mx.elus.test",
        envid="8f3a01",
    ),
    Sample(
        "no action, a status",
        dsn("Reporting-MTA: dns; a.test\n\nFinal-Recipient: rfc822; camille.aubert@elus.test\nStatus: 5.7.1\n"),
        F,
        "5.7.1",
        reporting="a.test",
    ),
    Sample(
        "an action alone",
        dsn("Reporting-MTA: dns; a.test\n\nFinal-Recipient: rfc822; camille.aubert@elus.test\nAction: Failed (bounce)\n"),
        F,
        "5.0.0",
        reporting="a.test",
    ),
    Sample("a report without any recipient", dsn("Reporting-MTA: dns; a.test\n"), What.UNKNOWN, recipient="", reporting="a.test"),
    Sample(
        "sent to the bare address, the path stands in what is given back",
        dsn(POSTFIX.format(action="failed", status="5.1.1", said="550 x"), to=RETURN_ADDRESS),
        F,
        "5.1.1",
        "550 x",
        reporting="mx.elus.test",
        envid="8f3a01",
    ),
    Sample(
        "nothing but the envelope's identifier",
        dsn(
            POSTFIX.format(action="failed", status="5.1.1", said="550 x").replace(VERP, "x@y.test"),
            to=RETURN_ADDRESS,
            returned="Subject: x\n",
        ),
        F,
        "5.1.1",
        "550 x",
        reporting="mx.elus.test",
        envelopes=(),
        envid="8f3a01",
    ),
    Sample(
        "through a forwarder that rewrote the path",
        dsn(
            POSTFIX.format(action="failed", status="5.1.1", said="550 x").replace(VERP, "x@y.test"),
            to="SRS0=HH=TT=mairie.test=Retour+8F3A01@forward.test",
            returned="Subject: x\n",
        ),
        F,
        "5.1.1",
        "550 x",
        reporting="mx.elus.test",
        envid="8f3a01",
    ),
    Sample(
        "a list that rewrote the sender",
        dsn(LIST_MEMBER, returned=HEADERS.replace("courrier@mairie.test", "liste@elus.test")),
        F,
        "5.2.2",
        "552 5.2.2 Mailbox full",
        "membre@ailleurs.test",
        "mx.ailleurs.test",
    ),
    Sample(
        "read, says a program",
        MDN,
        What.RECEIPT,
        diagnostic="manual-action/MDN-sent-manually; displayed",
        reporting="poste.elus.test; Thunderbird",
    ),
)
