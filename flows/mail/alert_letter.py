"""What a sender reads of their own sends: whom they do not reach and why, until when that can be mended, what became of the rest.

Mail is read on the way: the subject of a send stays out, unless its notices say it anyway; no link of a recipient is ever in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path

from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core import clock
from core.messages import Catalogue, current_locale
from core.people import Person
from flows.mail.convening.wording import day_in_words
from flows.mail.keeping import terms_of
from flows.mail.models import Mail, MailRecipient
from schemas.mail import addresses
from signing.report.content import plain

_t = Catalogue("flows.mail")
_MOST_SENDS, _MOST_LINES, _LONGEST_TROUBLE = 50, 50, 300
_ADDRESS = re.compile(r"\S*://\S+|\S*/courrier/\S*")
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Unreached:
    """Recipients of a send who are not reached.

    Attributes:
        last_day: on which a convocation may leave; None for any other send.
    """

    mail: Mail
    recipients: tuple[MailRecipient, ...]
    last_day: date | None


@dataclass(frozen=True, slots=True)
class News:
    """How many recipients of a send did what since the sender was last told, by kind of event."""

    mail: Mail
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    link: str
    urgent: bool
    deadline: str
    lines: list[str]


def unreached(person: Person, sends: Sequence[Unreached], today: date, sender: str, root: str) -> EmailMessage:
    """Return the letter about recipients who are not reached, in the current locale.

    Args:
        person: who sent to them.
        sends: one or several.
        today: in Paris.
        sender: address from which it is sent.
        root: address of the platform, to which links lead.
    """
    days = [(one.last_day - today).days for one in sends if one.last_day is not None]
    when = next((word for day, word in ((0, "today"), (1, "tomorrow")) if day in days), "soon")
    count = sum(len(one.recipients) for one in sends)
    sections = [_of_unreached(one, today, root) for one in sends[:_MOST_SENDS]]
    closing = [_t("alert.advice"), *([_t("alert.advice.convocation")] if days else [])]
    return _letter(person, _t(f"alert.unreached.{when}", count=count), _t("alert.unreached"), sections, closing, sender, root)


def summary(person: Person, sends: Sequence[News], sender: str, root: str) -> EmailMessage:
    """Return the letter of the morning: what became of sends; see ``unreached``."""
    sections = [
        _Section(
            _title(one.mail),
            _link(root, one.mail),
            False,
            "",
            [_t(f"alert.news.{kind}", count=count) for kind, count in one.counts.items()],
        )
        for one in sends[:_MOST_SENDS]
    ]
    closing = [_t("alert.more", count=len(sends) - _MOST_SENDS, link=f"{root}/courriers")] if len(sends) > _MOST_SENDS else []
    return _letter(person, _t("alert.summary.subject", count=len(sends)), _t("alert.summary"), sections, closing, sender, root)


def _of_unreached(one: Unreached, today: date, root: str) -> _Section:
    lines = [_said(recipient) for recipient in one.recipients[:_MOST_LINES]]
    if len(one.recipients) > _MOST_LINES:
        lines.append(_t("alert.others", count=len(one.recipients) - _MOST_LINES))
    urgent, deadline = False, ""
    if one.last_day is not None:
        left = (one.last_day - today).days
        urgent = left in {0, 1}
        when = {0: "today", 1: "tomorrow"}.get(left, "later" if left > 0 else "over")
        deadline = _t(f"alert.last_day.{when}", day=day_in_words(one.last_day))
    return _Section(_title(one.mail), _link(root, one.mail), urgent, deadline, lines)


def _said(recipient: MailRecipient) -> str:
    address = _line(recipient.address)
    who = _t("alert.who", name=_line(recipient.name), address=address) if recipient.name else address
    trouble = _ADDRESS.sub("…", _line(recipient.trouble))[:_LONGEST_TROUBLE]
    return " ".join(filter(None, (_t(f"alert.state.{recipient.state}", who=who), trouble)))


def _title(mail: Mail) -> str:
    if terms_of(mail).reveals:
        return _line(mail.subject)
    day = format_date(clock.in_paris(mail.sent).date(), "long", locale=current_locale()) if mail.sent else ""
    kind = _t(f"proof.kind.{mail.kind}")
    return _t("alert.title", kind=kind, day=day) if day else _t("alert.title.leaving", kind=kind)


def _link(root: str, mail: Mail) -> str:
    return f"{root}/courriers/{mail.dossier_id}"


def _letter(
    person: Person, subject: str, lead: str, sections: list[_Section], closing: list[str], sender: str, root: str
) -> EmailMessage:
    words = {
        "language": current_locale(),
        "subject": subject,
        "greeting": _t("notice.greeting.named", name=_line(person.name)),
        "lead": lead,
        "sections": sections,
        "closing": closing,
        "footer": _t("alert.footer"),
        "preferences": f"{root}/parapheur/preferences",
    }
    message = EmailMessage(policy=SMTP)
    message["From"] = addresses.display(_t("alert.from"), sender)
    message["To"] = addresses.display(_line(person.name), person.email)
    message["Subject"] = subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = current_locale()
    message.set_content(_templates.get_template("alert.txt").render(words))
    message.add_alternative(_templates.get_template("alert.html").render(words), subtype="html")
    return message


def _line(text: str) -> str:
    """Return a text in one line, without what would steer a header or a screen."""
    return plain(" ".join(text.split()))
