"""Forms and addresses as older software writes them."""

from __future__ import annotations

import base64
import io

import pytest

from api.acts.form import decoded, text_of, urlencoded
from api.addresses import plain
from api.basic import credentials
from api.uploads import whole
from core.blobs import TooLarge
from core.errors import UsageError


class Slowly:
    """A body that comes in pieces of a few octets."""

    def __init__(self, octets: bytes) -> None:
        self._stream = io.BytesIO(octets)

    def read(self, _size: int = -1, /) -> bytes:
        return self._stream.read(3)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("l’été – 5 €".encode(), "l’été – 5 €"),
        ("l’été – 5 €".encode("cp1252"), "l’été – 5 €"),
        ("été".encode("iso-8859-1"), "été"),
        (b"a\x81\x92", "a\x81’"),
        ("l’été – 5 €".encode("cp1252").decode("iso-8859-1").encode(), "l’été – 5 €"),
    ],
    ids=["utf-8", "windows-1252", "iso-8859-1", "unassigned", "utf8_encode"],
)
def test_texts_are_read_in_the_charset_of_whoever_sends_them(octets: bytes, text: str) -> None:
    assert decoded(octets) == text


def test_a_form_is_read_to_its_end_and_no_further_than_it_may_go() -> None:
    assert urlencoded(whole(Slowly(b"api=1&id=1000&a%5B%5D=%E9+x&=z"), 30)) == [
        ("api", b"1"),
        ("id", b"1000"),
        ("a[]", b"\xe9 x"),
    ]
    with pytest.raises(TooLarge):
        whole(Slowly(bytes(31)), 30)


def test_a_text_with_a_control_character_is_none() -> None:
    assert text_of("objet", b"a\r\n\tb") == "a\r\n\tb"
    with pytest.raises(UsageError):
        text_of("objet", b"a\x00b")


@pytest.mark.parametrize(
    ("octets", "found"),
    [("éa:b:c".encode(), ("éa", "b:c")), (b"l\xe9a:b", ("léa", "b")), (b"nothing", None)],
    ids=["utf-8", "iso-8859-1", "no colon"],
)
def test_a_user_name_is_in_either_charset(octets: bytes, found: tuple[str, str] | None) -> None:
    assert credentials(f"basic {base64.b64encode(octets).decode()}") == found


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/api//v2/version", "/api/v2/version"),
        ("//api/v2//entite/1//document", "/api/v2/entite/1//document"),
        ("/api/v2/Version", "/api/v2/version"),
        ("/api/v2/VERSION", "/api/v2/vERSION"),
        ("/api/v2/entite/1/document/", "/api/v2/entite/1/document"),
        ("/api/v2/", "/api/v2/"),
        ("//modules//actes//api/list_actes.php", "/modules/actes/api/list_actes.php"),
        ("/apis//v2/Version", "/apis//v2/Version"),
        ("/api", "/api"),
    ],
)
def test_an_address_is_found_however_its_base_ends(written: str, path: str) -> None:
    assert plain(written) == path
