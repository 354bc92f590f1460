"""The last head of the journal by mail, once a day, to an address that the operator names, where it stands outside of here."""

from __future__ import annotations

import tempfile
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path

from archive.proof.evidence import stamped_in_words
from archive.proof.outside import name_of, newest_head, write_head
from connectors.mail.client import mailer
from core import clock
from core.messages import Catalogue
from core.platform import Platform
from flows.parapheur.mailing import server_of

_messages = Catalogue("archive.proof")


def send_last(platform: Platform) -> bool:
    """Send the newest head; tell whether there was one, and an address to send it to.

    Raises:
        Misconfigured: no mail server, or no address to send from.
        MailUnavailable, MessageRefused, AddressRefused: the server does not take it; the next day's holds all that this one does.
    """
    address = platform.settings.heads_mail
    row = newest_head(platform) if address else None
    if row is None:
        return False
    server = server_of(platform.settings)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / name_of(row.size)
        write_head(platform, row, target)
        content = target.read_bytes()
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = platform.settings.mail_from, address
    message["Subject"] = _messages("heads.subject", origin=platform.settings.journal_name, size=row.size)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid("head", domain=platform.settings.mail_from.rpartition("@")[2])
    message.set_content(_messages("heads.body", size=row.size, time=stamped_in_words(row.token), file=name_of(row.size)))
    message.add_attachment(content, maintype="application", subtype="zip", filename=name_of(row.size))
    with mailer(server) as post:
        post.send(message)
    return True
