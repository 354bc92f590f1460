"""A meeting as a calendar file: what RFC 5545 asks of its lines, and nothing that a title could add."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from core.clock import PARIS
from schemas.mail.calendar import event

GIVEN: dict[str, Any] = {
    "uid": "01JD@mairie.test",
    "starts": datetime(2026, 10, 1, 18, 30, tzinfo=PARIS),
    "minutes": 90,
    "title": "Conseil municipal",
    "place": "Salle des fêtes",
    "description": "Ordre du jour",
    "organiser": "Mairie de Valmorin <mairie@valmorin.test>",
}


def lines(**changes: Any) -> list[str]:
    octets = event(**GIVEN | changes)
    assert octets.endswith(b"\r\n")
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", octets) is None
    assert max(len(line) for line in octets.split(b"\r\n")) <= 75
    return octets.replace(b"\r\n ", b"").decode().split("\r\n")


def test_a_meeting_is_said_whole() -> None:
    found = lines()
    assert [one for one in found if not one.startswith("DTSTAMP:")] == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tabellion//Courriers//FR",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        "UID:01JD@mairie.test",
        "SEQUENCE:0",
        "DTSTART:20261001T163000Z",
        "DTEND:20261001T180000Z",
        "SUMMARY:Conseil municipal",
        "LOCATION:Salle des fêtes",
        "DESCRIPTION:Ordre du jour",
        'ORGANIZER;CN="Mairie de Valmorin":mailto:mairie@valmorin.test',
        "STATUS:CONFIRMED",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    assert any(re.fullmatch(r"DTSTAMP:\d{8}T\d{6}Z", one) for one in found)


def test_the_hour_of_winter_is_another() -> None:
    assert "DTSTART:20261101T173000Z" in lines(starts=datetime(2026, 11, 1, 18, 30, tzinfo=PARIS))
    assert "DTSTART:20261101T183000Z" in lines(starts=datetime(2026, 11, 1, 18, 30, tzinfo=UTC))
    with pytest.raises(ValueError, match="zone"):
        event(**GIVEN | {"starts": datetime(2026, 11, 1, 18, 30)})  # noqa: DTZ001 - what is refused


def test_a_cancelled_meeting_leaves_the_calendar() -> None:
    found = lines(cancelled=True, sequence=2)
    assert {"METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:2", "UID:01JD@mairie.test"} <= set(found)


def test_texts_stay_texts() -> None:
    wild = 'a;b,c\\d\r\nBEGIN:VALARM\x00\x07 "é"'
    found = lines(title=wild, description=wild, place="", organiser='Mairie "X" de\nY;Z')
    assert 'SUMMARY:a\\;b\\,c\\\\d\\nBEGIN:VALARM "é"' in found
    assert not any(one.startswith(("BEGIN:VALARM", "LOCATION")) for one in found)
    assert "ORGANIZER;CN=\"Mairie ^'X^' de Y;Z\":invalid:nomail" in found


def test_long_lines_are_folded_between_characters() -> None:
    text = "é" * 500 + "𝄞" * 100
    assert f"DESCRIPTION:{text}" in lines(description=text)


def test_an_organiser_may_be_an_address_alone() -> None:
    assert "ORGANIZER:mailto:mairie@valmorin.test" in lines(organiser="mairie@valmorin.test")
