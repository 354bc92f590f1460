"""What mail systems and people say in words of their own, in English and French."""

from __future__ import annotations

from returned_mails import ABOUT, HEADERS, POSTFIX, Sample, dsn, head, plain

from schemas.mail.report import What

QMAIL = f"""Hi. This is the qmail-send program at mail.elus.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{ABOUT}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

{HEADERS}"""
EXIM = f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {ABOUT}
    host mx.elus.test [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<{ABOUT}>:
    550 5.1.1 <{ABOUT}>: Recipient address rejected: User unknown

------ This is a copy of the message, including all the headers. ------

{HEADERS}"""
EXIM_WARNING = f"""This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on relais.elus.test.

The address to which the message has not yet been delivered is:

  {ABOUT}
    Delay reason: 451 4.2.1 mailbox temporarily disabled

No action is required on your part. Delivery attempts will continue for
some time, and this warning may be repeated at intervals if the message
remains undelivered. Your message will be retried.
"""
ORANGE = f"""Bonjour,

Votre message n'a pas pu être distribué au destinataire suivant :

   {ABOUT} : 550 Adresse inconnue, OFR_416

Ce message est envoyé automatiquement, merci de ne pas y répondre.

----- Message d'origine -----

{HEADERS}"""
POSTE = f"""Ceci est un message automatique du système de messagerie.

Votre message n’a pas encore pu être remis à {ABOUT} : boîte saturée (452 4.2.2).
Notre serveur continuera à essayer pendant trois jours.
"""
TOO_LATE = f"""Votre message à <{ABOUT}> n'a pas été remis : 451 4.4.1 délai dépassé.
La remise a été retardée pendant cinq jours, elle est abandonnée après 40 tentatives.
"""
DOMINO = f"""Votre message

  Objet : Courrier

n'a pas pu être transmis à :

  {ABOUT}

pour la raison suivante :

  Utilisateur inconnu dans le carnet d'adresses (5.1.1)
"""
YAHOO = f"""Sorry, we were unable to deliver your message to the following address.

<{ABOUT}>:
554: 30: Sorry, your message to {ABOUT} cannot be delivered. This mailbox is disabled (554.30).

--- Below this line is a copy of the message.
{HEADERS}
We will keep trying: 451 4.4.1 next week.
"""
HTML_NOTICE = (
    head("Postmaster <postmaster@elus.test>", "Non remis : Courrier")
    + "MIME-Version: 1.0\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
    "<html><style>p { color: red }</style><p>Votre message n&#39;a pas atteint certains destinataires.</p>\n"
    f"<p>{ABOUT.replace('.', '=2E')}</p><p>550 5=2E7=2E1 refus=E9</p></html>\n"
)
COMPLAINT = (
    head("abuse@fai.test", "Abuse report", "Auto-Submitted: auto-generated\n")
    + 'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
    "--b\nContent-Type: text/plain\n\nSpam\n--b\nContent-Type: message/feedback-report\n\n"
    f"Feedback-Type: abuse\n\n--b\nContent-Type: message/rfc822\n\n{HEADERS}\nBonjour\n--b--\n"
)
FORWARDED_BY_A_PERSON = (
    head("Sacha Perrin <sacha.perrin@elus.test>", "TR: problème")
    + 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="c"\n\n--c\nContent-Type: text/plain\n\n'
    "Voyez ce que j'ai reçu\n--c\nContent-Type: message/rfc822\n\n"
    + dsn(POSTFIX.format(action="failed", status="5.1.1", said="550 5.1.1 unknown"))
    + "\n--c--\n"
)
ABSENCE = "Bonjour, je suis absente jusqu'au 7. Mon adresse précédente est inconnue : 550 5.1.1 User unknown."
ME = "Camille Aubert <camille.aubert@elus.test>"
F, D, A, U = What.FAILED, What.DELAYED, What.AUTOMATIC, What.UNKNOWN

SAMPLES = (
    Sample(
        "exim failed",
        plain(
            "Mail Delivery System <Mailer-Daemon@relais.test>",
            "Mail delivery failed: returning message to sender",
            EXIM,
            f"X-Failed-Recipients: {ABOUT}\nAuto-Submitted: auto-replied\n",
        ),
        F,
        "5.1.1",
        f"550 5.1.1 <{ABOUT}>: Recipient address rejected: User unknown",
        reporting="Mail Delivery System <Mailer-Daemon@relais.test>",
    ),
    Sample(
        "exim warns",
        plain(
            "Mail Delivery System <Mailer-Daemon@relais.test>",
            "Warning: message 1aBcD delayed 24 hours",
            EXIM_WARNING,
            "Auto-Submitted: auto-replied\n",
        ),
        D,
        "4.2.1",
        "Delay reason: 451 4.2.1 mailbox temporarily disabled",
        reporting="Mail Delivery System <Mailer-Daemon@relais.test>",
    ),
    Sample(
        "qmail",
        plain("MAILER-DAEMON@mail.elus.test", "failure notice", QMAIL),
        F,
        "5.1.1",
        "Sorry, no mailbox here by that name. (#5.1.1)",
        reporting="MAILER-DAEMON@mail.elus.test",
    ),
    Sample(
        "yahoo",
        plain("MAILER-DAEMON@yahoo.test", "Failure Notice", YAHOO),
        F,
        "5.0.0",
        "Failure Notice",
        reporting="MAILER-DAEMON@yahoo.test",
    ),
    Sample(
        "orange, in latin-1",
        plain("postmaster@orange.test", "Remise impossible", ORANGE, charset="iso-8859-1"),
        F,
        "5.0.0",
        f"{ABOUT} : 550 Adresse inconnue, OFR_416",
        reporting="postmaster@orange.test",
    ),
    Sample(
        "la poste keeps trying",
        plain("Mail Administrator <admin@poste.test>", "Avis de retard", POSTE),
        D,
        "4.2.2",
        f"Votre message n’a pas encore pu être remis à {ABOUT} : boîte saturée (452 4.2.2).",
        reporting="Mail Administrator <admin@poste.test>",
    ),
    Sample(
        "a delay that ended",
        plain("postmaster@fai.test", "Remise retardée puis abandonnée", TOO_LATE),
        F,
        "4.4.1",
        f"Votre message à <{ABOUT}> n'a pas été remis : 451 4.4.1 délai dépassé.",
        reporting="postmaster@fai.test",
    ),
    Sample(
        "domino",
        plain("Domino <noreply@elus.test>", "ÉCHEC DE LA DISTRIBUTION : Courrier", DOMINO),
        F,
        "5.1.1",
        "Utilisateur inconnu dans le carnet d'adresses (5.1.1)",
        reporting="Domino <noreply@elus.test>",
    ),
    Sample(
        "a notice in html", HTML_NOTICE, F, "5.7.1", f"{ABOUT} 550 5.7.1 refusé", reporting="Postmaster <postmaster@elus.test>"
    ),
    Sample(
        "absent, says a header",
        plain(ME, "Re: Courrier", ABSENCE, "Auto-Submitted: auto-replied (vacation)\n"),
        A,
        diagnostic="Re: Courrier",
    ),
    Sample("absent, says precedence", plain(ME, "Re: Courrier", ABSENCE, "Precedence: bulk\n"), A, diagnostic="Re: Courrier"),
    Sample("absent, says an old header", plain(ME, "Re: Courrier", ABSENCE, "X-Autoreply: yes\n"), A, diagnostic="Re: Courrier"),
    Sample(
        "absent, says outlook in french",
        plain(ME, "=?utf-8?q?R=C3=A9ponse_automatique=C2=A0=3A_Courrier?=", ABSENCE),
        A,
        diagnostic="Réponse automatique : Courrier",
    ),
    Sample(
        "a person answers",
        plain(ME, "Re: Courrier", "Merci, mais je ne comprends pas.", "Auto-Submitted: no\n"),
        U,
        diagnostic="Re: Courrier",
    ),
    Sample(
        "a gate asks who we are",
        plain(
            "Mailinblack <noreply@filtre.test>",
            "Votre message est en attente",
            "Merci de vous authentifier pour que votre message soit remis.",
            "Auto-Submitted: auto-replied\n",
        ),
        U,
        diagnostic="Votre message est en attente",
        recipient="noreply@filtre.test",
    ),
    Sample(
        "a list waits for its moderator",
        plain(
            "liste-owner@elus.test",
            "Your message to liste awaits moderator approval",
            "Is being held until the list moderator can review it.",
            "Precedence: bulk\nList-Id: <liste.elus.test>\n",
        ),
        U,
        diagnostic="Your message to liste awaits moderator approval",
        recipient="liste-owner@elus.test",
    ),
    Sample(
        "a daemon that nobody understands",
        plain("MAILER-DAEMON@x.test", "Notice", "Quelque chose."),
        U,
        diagnostic="Notice",
        recipient="MAILER-DAEMON@x.test",
    ),
    Sample("a complaint", COMPLAINT, U, diagnostic="Abuse report", recipient="abuse@fai.test"),
    Sample(
        "a report that a person forwards", FORWARDED_BY_A_PERSON, U, diagnostic="TR: problème", recipient="sacha.perrin@elus.test"
    ),
    Sample(
        "advertising",
        "From: pub@pub.test\nTo: retour@mairie.test\nSubject: Promo\n\nAchetez\n",
        U,
        diagnostic="Promo",
        recipient="pub@pub.test",
        envelopes=(),
    ),
    Sample("nothing", b"", U, recipient="", envelopes=()),
)
