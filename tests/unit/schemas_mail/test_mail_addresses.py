"""Addresses: compared as one, refused with what is wrong, shown without letting anything else in."""

from __future__ import annotations

from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import getaddresses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from schemas.mail.addresses import check, display, normal


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        (" Camille.Aubert@Elus.FR\n", "camille.aubert@elus.fr"),
        ("É.Noël@Mairie-Évreux.fr", "é.noël@xn--mairie-vreux-heb.fr"),
        ("a@faß.fr", "a@xn--fa-hia.fr"),
        ("a@ｅｌｕｓ.fr", "a@elus.fr"),
        ("e\u0301@elus.fr", "é@elus.fr"),
        ("pas une adresse", "pas une adresse"),
    ],
)
def test_one_person_is_one_address(written: str, compared: str) -> None:
    assert normal(written) == compared
    assert normal(compared) == compared


@pytest.mark.parametrize(
    "address",
    ["a@b.fr", "a.b+c_d-e'f@sous.domaine.fr", "élodie.noël@elus.fr", "a@évreux.fr", "a@xn--vreux-9ra.fr", f"{'x' * 64}@b.fr"],
)
def test_what_mail_reaches_is_let_through(address: str) -> None:
    check(address)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "nom@domaine.fr"),
        ("a", "nom@domaine.fr"),
        ("@b.fr", "nom@domaine.fr"),
        ("a@b", "il manque la fin du domaine"),
        ("a@b.fr.", "n’en est pas un"),
        ("a..b@c.fr", "deux points de suite"),
        (".a@c.fr", "un point au début"),
        ("a b@c.fr", "espace"),
        ("a\u200b@c.fr", "U\\+200B"),
        ('"a b"@c.fr', "n’est pas permis"),
        ("a@b@c.fr", r"\(@\)"),
        ("a,b@c.fr", r"\(,\)"),
        ("a@b.fr\r\nBcc: x@y.fr", r"\(@\)"),
        ("a@-b.fr", "n’en est pas un"),
        ("a@[192.0.2.1]", "n’en est pas un"),
        ("a@192.0.2.1", "n’en est pas un"),
        ("a@ex ample.fr", "n’en est pas un"),
        ("a@☃.fr", "n’en est pas un"),
        (f"a@{'b' * 64}.fr", "n’en est pas un"),
        (f"{'x' * 65}@b.fr", "au plus 64 octets"),
        (f"{'é' * 33}@b.fr", "au plus 64 octets"),
        (f"a@{'b.' * 126}fr", "254 en tout"),
    ],
)
def test_what_is_no_address_is_told(address: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check(address)


def sent(name: str, address: str, *, utf8: bool) -> list[tuple[str, str]]:
    """Return the addresses that a recipient's program reads in the header."""
    message = EmailMessage(policy=SMTPUTF8.clone(utf8=utf8))
    message["From"] = display(name, address)
    message["Subject"] = "x"
    head = message.as_bytes().decode().partition("\r\nSubject: x")[0].removeprefix("From:").replace("\r\n", "")
    return [(str(make_header(decode_header(told))), one) for told, one in getaddresses([head])]


WILD = st.text(st.sampled_from('aé’ ,;:<>@()[]"\\.\r\n\t\x00\x1b\u202e\u2028=?_'), max_size=120)
WORDS = st.lists(st.sampled_from(["élections,", "<x@y.fr>", "Mairie", '"de"', "=?utf-8?b?LCA8eEB5LmZyPiw=?=", "x" * 70]))


@settings(max_examples=300, deadline=None)
@given(st.one_of(WILD, WORDS.map(" ".join)))
@example("Mairie\r\nBcc: x@y.fr")
@example("Ville de Saint-Étienne-du-Rouvray, service des élections, guichet unique du centre-ville et des hameaux")
@example("Ville de Saint-Etienne-du-Rouvray, service des elections, guichet unique du centre-ville, hameaux")
@example("É, <x@y.fr>")
@example("=?utf-8?b?LCA8eEB5LmZyPiw=?=")
@example("==?x?=")
def test_a_name_stays_a_name_whatever_it_holds(name: str) -> None:
    shown = display(name, "élu@Évreux.fr")
    assert shown.isprintable()
    assert shown.endswith("élu@xn--vreux-9ra.fr>") or shown == "élu@xn--vreux-9ra.fr"
    for address, utf8 in (("a@b.fr", False), ("a@b.fr", True), ("élu@b.fr", True)):
        ((_, one),) = sent(name, address, utf8=utf8)
        assert one == address


LONG = "Ville de Saint-Étienne-du-Rouvray et de ses hameaux{}service des élections et de l’état civil"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Mairie de Valmorin", "Mairie de Valmorin"),
        ("Mairie d’Évreux « élections »", "Mairie d’Évreux « élections »"),
        (LONG.format(", "), LONG.format(" – ")),
        ("M. Aubert (adjoint)", "M. Aubert adjoint"),
        ("", ""),
    ],
)
def test_a_name_is_read_as_it_was_given_but_for_the_signs_of_a_header(name: str, read: str) -> None:
    assert sent(name, "a@b.fr", utf8=False) == [(read, "a@b.fr")]
