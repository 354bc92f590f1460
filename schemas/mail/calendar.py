"""A meeting as a calendar reads it (iCalendar, RFC 5545; how it is published and cancelled, RFC 5546)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parseaddr

from core import clock

_WIDEST = 75  # octets of a line, without its end (RFC 5545, 3.1)
_PRODUCT = "-//Tabellion//Courriers//FR"
_UNSAID = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_QUOTED = str.maketrans({"^": "^^", '"': "^'", "\n": " "})  # RFC 6868


def event(
    *,
    uid: str,
    starts: datetime,
    minutes: int,
    title: str,
    place: str,
    description: str,
    organiser: str,
    cancelled: bool = False,
    sequence: int = 0,
) -> bytes:
    """Return a calendar file of one event, ``text/calendar; charset=utf-8; method=PUBLISH`` or ``CANCEL``.

    Args:
        uid: the same for every version of the event, another for any other event.
        starts: aware; written in UTC, so that no rule of summer time is needed to read it.
        minutes: how long it lasts.
        title: shown in the calendar.
        place: where; may be empty.
        description: plain text; may be empty.
        organiser: ``Mairie de Valmorin <mairie@valmorin.fr>``, the address alone, or the name alone.
        cancelled: takes the event out of the calendar; its ``sequence`` is higher than that of the version before.
        sequence: how many versions there were before.

    Raises:
        ValueError: the time has no zone.
    """
    if starts.tzinfo is None:
        raise ValueError("an event begins at a moment with a zone")
    begin = clock.as_utc(starts)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{_PRODUCT}",
        f"METHOD:{'CANCEL' if cancelled else 'PUBLISH'}",
        "BEGIN:VEVENT",
        f"UID:{_text(uid)}",
        f"SEQUENCE:{sequence}",
        f"DTSTAMP:{_moment(clock.now())}",
        f"DTSTART:{_moment(begin)}",
        f"DTEND:{_moment(begin + timedelta(minutes=minutes))}",
        f"SUMMARY:{_text(title)}",
        *([f"LOCATION:{_text(place)}"] if place else []),
        *([f"DESCRIPTION:{_text(description)}"] if description else []),
        _organiser(organiser),
        f"STATUS:{'CANCELLED' if cancelled else 'CONFIRMED'}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(piece for line in lines for piece in _folded(line))


def _organiser(organiser: str) -> str:
    name, address = parseaddr(_clean(organiser).replace("\n", " "))
    if "@" not in address:  # RFC 5546 wants an organiser; calendars know this value for one that cannot be written to
        name, value = organiser, "invalid:nomail"
    else:
        value = f"mailto:{address}"
    shown = f';CN="{_clean(name).translate(_QUOTED).strip()}"' if name.strip() else ""
    return f"ORGANIZER{shown}:{value}"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    return _clean(text).translate(_ESCAPED)


def _clean(text: str) -> str:
    return _UNSAID.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _folded(line: str) -> Iterator[bytes]:
    """Fold a line between characters: those that follow begin with a blank, which counts."""
    piece = b""
    for character in line:
        octets = character.encode("utf-8", "replace")
        if len(piece) + len(octets) > _WIDEST:
            yield piece + b"\r\n"
            piece = b" "
        piece += octets
    yield piece + b"\r\n"
