"""The message of a notice: who has something for whom, and a link of their own; what it is, when the kind reveals it.

No attachment, no image, no address but the link's. What it says is in the catalogue, by the kind of occasion and of send; what is
said of a convocation only, in ``convening``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path

from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel import Session

from connectors.mail.settings import MailServer
from connectors.mail.signature import DkimKey, signed
from core import clock
from core.errors import Misconfigured
from core.messages import Catalogue, current_locale, speaking
from core.platform import Platform
from core.settings import Settings
from flows.mail import links, reached
from flows.mail.convening import telling
from flows.mail.keeping import terms_of
from flows.mail.models import Mail, MailNotice, MailRecipient
from flows.mail.settling import stem
from schemas.mail import addresses
from signing.report.content import plain

_t = Catalogue("flows.mail")
_LANGUAGE = "fr"
_OTHER = "other"
# Seven bits a sign: no server on the way has a reason to write the body otherwise, which would break its signature.
_POLICY = SMTP.clone(cte_type="7bit")
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def server_of(settings: Settings) -> MailServer:
    """Return the server that messages leave by.

    Raises:
        Misconfigured: there is none, its address does not read, or there is no address to send from.
    """
    if not settings.smtp_url.get_secret_value() or not settings.mail_from:
        raise Misconfigured(_t("post.none"))
    return MailServer.of(settings.smtp_url)


def compose(platform: Platform, session: Session, notice: MailNotice, recipient: MailRecipient, mail: Mail) -> None:
    """Make the message of a notice, once: its secret exists in clear in these octets only, which are kept encrypted.

    Args:
        platform: its parts.
        session: that holds the notice.
        notice: gets ``message``, ``sha256``, ``message_id``, and ``token`` when it is linked. A code that it is to tell stands in
            ``message``, encrypted.
        recipient: to whom it goes.
        mail: what it is about.

    Raises:
        Misconfigured: the key that signs for the domain cannot be read.
    """
    settings = platform.settings
    code = platform.secrets.decrypt(notice.message).decode() if notice.message else ""
    token = links.new_token() if notice.linked else ""
    with speaking(_LANGUAGE):
        message = letter(session, settings, notice, recipient, mail, links.address(settings, token) if token else "", code)
    octets = message.as_bytes(policy=_POLICY.clone(utf8=not notice.address.rpartition("@")[0].isascii()))
    if settings.dkim_domain and settings.dkim_key_file is not None:
        octets = signed(octets, _key(settings.dkim_domain, settings.dkim_selector, settings.dkim_key_file))
    notice.token = links.digest(token) if token else None
    notice.message_id = str(message["Message-ID"]).strip("<>")
    notice.sha256, notice.message = hashlib.sha256(octets).hexdigest(), platform.secrets.encrypt(octets)
    session.add(notice)


@lru_cache(maxsize=4)
def _key(domain: str, selector: str, path: Path) -> DkimKey:
    return DkimKey.load(domain, selector, path)


def letter(
    session: Session, settings: Settings, notice: MailNotice, recipient: MailRecipient, mail: Mail, link: str, code: str = ""
) -> EmailMessage:
    """Return the message of a notice in the current locale.

    Args:
        session: that sees the send.
        settings: from where it is sent.
        notice: which occasion, under which identifier.
        recipient: to whom it goes.
        mail: what it is about.
        link: the whole address of their page; none when empty.
        code: what it tells, on the occasion of a code.
    """
    subject, paragraphs = _said(session, notice, recipient, mail, code)
    words = {
        "language": current_locale(),
        "subject": subject,
        "greeting": _t("notice.greeting.named", name=_line(recipient.name)) if recipient.name else _t("notice.greeting"),
        "paragraphs": paragraphs,
        "link": link,
        "button": _t("notice.button"),
        "advice": list(_advice(recipient, mail, link)),
        "footer": list(_footer(settings, mail)),
    }
    message = EmailMessage(policy=_POLICY)
    message["From"] = addresses.display(_t("notice.from", sender=_line(mail.sender)), settings.mail_from)
    message["To"] = addresses.display(_line(recipient.name), notice.address)
    if mail.reply_to:
        message["Reply-To"] = addresses.display(_line(mail.sender), mail.reply_to)
    message["Subject"] = subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{notice.id.lower()}@{settings.mail_from.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = current_locale()
    message.set_content(_templates.get_template("letter.txt").render(words))
    message.add_alternative(_templates.get_template("letter.html").render(words), subtype="html")
    return message


def _said(session: Session, notice: MailNotice, recipient: MailRecipient, mail: Mail, code: str) -> tuple[str, list[str]]:
    """Return the subject and the paragraphs of an occasion."""
    kind = terms_of(mail)
    told = reached.told_on(session, mail.dossier_id).get(recipient.id)
    places = _places(mail, told, code)
    said = _said_as(notice, told)
    own = telling.words_of(session, recipient, notice.occasion)
    if own is not None:
        subject, paragraphs = own.subject, own.text.split("\n\n")
    else:
        subject, paragraphs = _worded(said, mail.kind, "subject", places), []
        paragraphs = _worded(said, mail.kind, "text", places).split("\n\n")
    if kind.reveals and stem(notice.occasion) != "code":
        subject = _t("notice.revealed", said=subject, subject=mail.subject) if own is None else subject
        if stem(notice.occasion) in {"notice", "again"}:
            paragraphs += [mail.subject, *mail.body.split("\n\n")]
        elif stem(notice.occasion) == "cancellation" and mail.reason:
            paragraphs.append(_t("notice.reason", reason=mail.reason))
    return _line(subject), [paragraph.strip() for paragraph in paragraphs if paragraph.strip()]


def _worded(occasion: str, kind: str, what: str, places: dict[str, str]) -> str:
    keys = (f"notice.{kind}.{occasion}.{what}", f"notice.{occasion}.{what}", f"notice.{_OTHER}.{what}")
    return _t(next(key for key in keys if key in _t), **places)


def _said_as(notice: MailNotice, told: date | None) -> str:
    """Return under which occasion a message speaks: whoever was never told is told, not told again."""
    kind = stem(notice.occasion)
    return "notice" if kind == "again" and told is None else kind


def _places(mail: Mail, told: date | None, code: str) -> dict[str, str]:
    """Return what a message says of its recipient's own days: who was never told is told today."""
    today = clock.in_paris(clock.now()).date()
    since = told or today
    until = reached.last_day(mail, since) or since + timedelta(days=terms_of(mail).withdraw_days)
    return {"sender": _line(mail.sender), "since": _day(since), "until": _day(until), "code": code}


def _advice(recipient: MailRecipient, mail: Mail, link: str) -> Iterator[str]:
    """Yield what whoever opens the link needs to know before."""
    if not link:
        return
    yield _t("notice.own")
    if recipient.password_hash:
        yield _t("notice.password", sender=_line(mail.sender))
    if terms_of(mail).level > 1:
        yield _t("notice.code")


def _footer(settings: Settings, mail: Mail) -> Iterator[str]:
    yield _t("notice.replied", address=mail.reply_to) if mail.reply_to else _t("notice.unread")
    yield _t("notice.number", number=mail.dossier_id, platform=settings.mail_from.rpartition("@")[2])


def _day(day: date) -> str:
    return format_date(day, "long", locale=current_locale())


def _line(text: str) -> str:
    """Return a text in one line, without what would steer a header or a screen."""
    return plain(" ".join(text.split()))
