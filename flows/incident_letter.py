"""What people read of the incidents of the archive: what was found, where, since when, and the page on which to act.

Mail is read on the way: no title, no key of an object, nothing of what an archive holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from babel.dates import format_date

from archive.watch.incidents import words_of
from archive.watch.models import Incident
from core import clock
from core.messages import Catalogue, current_locale
from core.people import Person
from schemas.mail import addresses
from signing.report.content import plain

_t = Catalogue("archive.watch")
_MOST_LINES = 20


def letter(
    person: Person, incidents: Sequence[Incident], fresh: int, names: Mapping[str, str], sender: str, root: str
) -> EmailMessage:
    """Return the letter about incidents that nobody has taken up, in the current locale.

    Args:
        person: to whom.
        incidents: the newest first; all are counted, the first of them shown.
        fresh: how many the person was not told of before; none makes it a reminder.
        names: of organisations, by identifier.
        sender: address from which it is sent.
        root: address of the platform, to which links lead.
    """
    count = len(incidents)
    subject = _t("letter.new" if fresh else "letter.reminder", count=fresh or count)
    parts = [
        _t("letter.greeting", name=_line(person.name)),
        _t.counted("letter.lead", count, count=count),
        "\n".join(_lines(incidents[:_MOST_LINES], names, root)),
        _t("letter.more", count=count - _MOST_LINES, link=f"{root}/archives/incidents") if count > _MOST_LINES else "",
        _t("letter.advice"),
    ]
    footer = f"-- \n{_t('letter.footer')}\n{root}/parapheur/preferences\n"
    message = EmailMessage(policy=SMTP)
    message["From"] = addresses.display(_t("letter.from"), sender)
    message["To"] = addresses.display(_line(person.name), person.email)
    message["Subject"] = subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = current_locale()
    message.set_content("\n\n".join([*filter(None, parts), footer]))
    return message


def _lines(incidents: Sequence[Incident], names: Mapping[str, str], root: str) -> Iterator[str]:
    for one in incidents:
        day = format_date(clock.in_paris(one.opened).date(), "long", locale=current_locale())
        place = _t("letter.place", place=one.place) if one.place else _t("letter.database")
        name = _line(names[one.organisation_id])
        yield _t("letter.line", kind=words_of(one.kind).name, organisation=name, place=place, day=day)
        yield f"  {root}/archives/incidents/{one.id}"


def _line(text: str) -> str:
    """Return a text in one line, without what would steer a header or a screen."""
    return plain(" ".join(text.split()))
