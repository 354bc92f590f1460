"""What a password must be, and how long one waits after failures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from core import lockout, passwords
from core.errors import UsageError


@pytest.mark.parametrize("chosen", ["encre et papier", "x7Kq-22pL-mm9T", "cheval agrafe pile correcte", "ÉCRITURES À LA PLUME"])
def test_a_phrase_or_a_drawn_password_is_taken(chosen: str) -> None:
    passwords.check(chosen, "Agnès Lefèvre", "agnes.lefevre@valmorin.example")


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ("", "12"),
        ("onze signes", "12"),
        ("x" * 257, "256"),
        ("MotDePasse2026!", "courant"),
        ("Azertyuiop-1234", "courant"),
        ("123456789012", "courant"),
        ("aaaaaaaaaaaaaaaa", "courant"),
        ("papierpapierpapier", "courant"),
        ("je suis Agnès Lefèvre", "nom"),
        ("AGNES.LEFEVRE-2026", "nom"),
    ],
)
def test_a_short_usual_repeated_or_personal_password_is_refused_and_told_why(chosen: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        passwords.check(chosen, "Agnès Lefèvre", "agnes.lefevre@valmorin.example")


def test_a_name_of_three_letters_forbids_nothing() -> None:
    passwords.check("encre et papier", "Éva", "eva@valmorin.example")


def test_nobody_s_password_matches_nothing() -> None:
    assert not passwords.matches(None, "")
    assert not passwords.matches("", "encre et papier")
    assert passwords.matches(passwords.hashed("encre et papier"), "encre et papier")


def test_the_wait_doubles_and_stops_at_a_quarter_of_an_hour() -> None:
    waits = [lockout.wait_after(failures) for failures in range(7)]
    assert waits[:5] == [timedelta(seconds=seconds) for seconds in (30, 60, 120, 240, 480)]
    assert set(waits[5:]) == {timedelta(minutes=15)}
    assert lockout.wait_after(10**9) == timedelta(minutes=15)


def test_ipv6_counts_by_network_and_what_is_no_address_is_counted_too() -> None:
    assert lockout.network("2001:db8::1") == lockout.network("2001:db8::ffff:1")
    assert lockout.network("2001:db8:0:1::1") != lockout.network("2001:db8::1")
    assert lockout.network("192.0.2.1") != lockout.network("192.0.2.2")
    assert lockout.network("::ffff:192.0.2.1") == lockout.network("192.0.2.1")
    assert lockout.network("testclient").key != lockout.account("testclient").key


def test_an_unknown_address_costs_what_a_wrong_password_costs(own_hasher: PasswordHasher) -> None:
    assert not own_hasher.check_needs_rehash(passwords._NOBODY)
    assert not passwords.matches(None, "encre et papier")
