"""What a notice says once it is a letter: which folder, at which desk, what is awaited; and nothing that is not for everybody.

Mail is read on the way, and by whoever looks over a shoulder: of a confidential folder even the title stays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, make_msgid
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core import clock
from core.messages import Catalogue, current_locale
from signing.docket.page import day_in_words
from signing.parapheur.notices import Category
from signing.report.content import plain

_t = Catalogue("flows.parapheur")
_kinds = Catalogue("signing.parapheur")
_MOST_LINES = 100
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Told:
    """Something to be told of a folder.

    Attributes:
        title: of the folder; None when it is confidential.
        desk: name of the desk that it concerns.
        kind: what is asked there (``StepKind``); empty when nothing is.
        due: the day by which it should be through.
    """

    category: Category
    folder_id: str
    title: str | None
    desk: str
    kind: str
    due: date | None


@dataclass(frozen=True, slots=True)
class Reader:
    """To whom it is told: name and address."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    link: str


def letter(reader: Reader, told: Sequence[Told], sender: str, root: str) -> EmailMessage:
    """Return one letter for all that is to be told to a person at a moment, in the current locale.

    Args:
        reader: the person.
        told: one thing or several; several are grouped by desk.
        sender: address from which it is sent.
        root: address of the platform, to which links lead.
    """
    shown = told[:_MOST_LINES]
    desks = {one.desk: [_Line(_said(other), _link(root, other)) for other in shown if other.desk == one.desk] for one in shown}
    words = {
        "language": current_locale(),
        "greeting": _t("notice.greeting", name=_line(reader.name)),
        "desks": {_line(desk): lines for desk, lines in desks.items()},
        "more": _t("notice.more", count=len(told) - len(shown)) if len(told) > len(shown) else "",
        "footer": _t("notice.footer"),
        "preferences": f"{root}/parapheur/preferences",
    }
    message = EmailMessage(policy=SMTP)
    message["From"] = formataddr((_t("notice.from"), sender))
    message["To"] = formataddr((_line(reader.name), reader.email))
    message["Subject"] = _subject(told)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = current_locale()
    message.set_content(_templates.get_template("letter.txt").render(words))
    message.add_alternative(_templates.get_template("letter.html").render(words), subtype="html")
    return message


def _subject(told: Sequence[Told]) -> str:
    if (count := len({one.folder_id for one in told})) > 1:
        return _t("notice.subject.several", count=count)
    one = told[-1]
    return _t(f"notice.subject.{one.category.value}", title=_line(one.title) if one.title else _t("notice.untitled"))


def _said(one: Told) -> str:
    title = _t("notice.titled", title=_line(one.title)) if one.title else _t("notice.untitled.first")
    kind = _kinds(f"kind.{one.kind}") if one.kind else ""
    said = _t(f"notice.{one.category.value}", title=title, kind=kind)
    return f"{said} {_t('notice.due', day=day_in_words(one.due))}" if one.due and one.kind else said


def _link(root: str, one: Told) -> str:
    return f"{root}/parapheur/dossiers/{one.folder_id}"


def _line(text: str) -> str:
    """Return a text in one line, without what would steer a header or a screen."""
    return plain(" ".join(text.split()))
