"""A form is read forward, whatever the pieces it comes in; what is wrong with it is said before its document can be kept."""

from __future__ import annotations

import io

import pytest

from api.multipart import Files, Form, Multipart, Part
from api.problems import UnknownBody
from core.errors import UnreadableInput, UsageError

TYPE = "multipart/form-data; boundary=limite"
ALLOWED = frozenset({"flow", "organisation"})


def field(name: str, value: str) -> str:
    return f'--limite\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def file(content: str, name: str = "document", file_name: str = "a.xml") -> str:
    disposition = f'form-data; name="{name}"; filename="{file_name}"'
    return f"--limite\r\nContent-Disposition: {disposition}\r\nContent-Type: text/xml\r\n\r\n{content}\r\n"


class Dripping:
    """Gives its bytes a few at a time."""

    def __init__(self, data: bytes, drop: int) -> None:
        self._stream, self._drop = io.BytesIO(data), drop

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(self._drop if size < 0 else min(size, self._drop))


def read(body: str, drop: int = 7) -> tuple[Form, bytes]:
    form = Form(Dripping(body.encode(), drop), TYPE, ALLOWED)
    document = b""
    while piece := form.read(5):
        document += piece
    return form, document


@pytest.mark.parametrize("drop", [1, 2, 3, 7, 64, 100_000])
def test_fields_then_a_document_are_read_in_pieces_of_any_size(drop: int) -> None:
    content = "<a>\r\n--limit\r\n--Limite pas tout à fait\r</a>\r"
    form, document = read(field("flow", "helios") + field("organisation", " 214 ") + file(content) + "--limite--\r\n", drop)
    assert (form.values, form.file_name) == ({"flow": "helios", "organisation": "214"}, "a.xml")
    assert document.decode() == content
    assert form.read(10) == b""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("--limite--\r\n", "pas de document"),
        (field("flow", "helios") + "--limite--\r\n", "pas de document"),
        (file("", file_name="") + "--limite--\r\n", "pas de document"),
        (field("document", "as text") + "--limite--\r\n", "pas de document"),
        (file("x") + file("y") + "--limite--\r\n", "second fichier"),
        (file("x") + field("flow", "helios") + "--limite--\r\n", "suit le document"),
        (field("color", "red") + file("x") + "--limite--\r\n", "pas attendu"),
        (file("x", name="other") + "--limite--\r\n", "pas attendu"),
        (field("flow", "a") + field("flow", "b") + file("x") + "--limite--\r\n", "deux fois"),
        (field("flow", "a" * 2000) + file("x") + "--limite--\r\n", "trop long"),
        (field("flow", "a\x00b") + file("x") + "--limite--\r\n", "UTF-8"),
    ],
)
def test_a_form_that_is_not_one_document_after_its_fields_is_refused_with_what_to_do(body: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read(body)


@pytest.mark.parametrize("body", [field("flow", "a") + file("x") + "--limite--", file("a document of some length")])
def test_a_form_cut_anywhere_is_never_read_to_its_end(body: str) -> None:
    whole = body.encode()
    for length in range(len(whole) - 1):
        form_read_to_its_end = True
        try:
            form = Form(io.BytesIO(whole[:length]), TYPE, ALLOWED)
            while form.read(100):
                pass
        except UsageError:
            form_read_to_its_end = False
        assert not form_read_to_its_end, length


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", "application/x-www-form-urlencoded"])
def test_another_kind_of_body_is_told_what_is_expected(content_type: str) -> None:
    with pytest.raises(UnknownBody, match="multipart/form-data"):
        Form(io.BytesIO(b"{}"), content_type, ALLOWED)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "a" * 71]
)
def test_a_boundary_that_cannot_be_one_is_refused(content_type: str) -> None:
    with pytest.raises(UnreadableInput):
        Form(io.BytesIO(b"--\r\n"), content_type, ALLOWED)


@pytest.mark.parametrize(
    "body", ["nothing like a form", "--limite\r\nNo name here\r\n\r\n", "--limite\r\nA: b\r\n\r\nx\r\n--limite--\r\n"]
)
def test_what_is_no_form_is_refused(body: str) -> None:
    with pytest.raises(UsageError):
        read(body)


def test_headers_without_end_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(UnreadableInput):
        read("--limite\r\nContent-Disposition: " + "a" * 100_000, drop=4096)


def test_a_file_name_loses_its_control_characters() -> None:
    form, _ = read(file("x", file_name="a\x01é.xml") + "--limite--\r\n")
    assert form.file_name == "aé.xml"


@pytest.mark.parametrize("drop", [1, 7, 100_000])
def test_parts_come_in_their_order_past_what_was_not_read_of_them(drop: int) -> None:
    body = field("one", "abcdef") + file("ghi", name="two", file_name="é.bin") + field("three", "jkl") + "--limite--\r\nafter"
    parts = Multipart(Dripping(body.encode(), drop), TYPE)
    assert parts.read() == b""
    assert parts.following() == Part(b"one", None)
    assert parts.read(2)
    assert parts.following() == Part(b"two", "é.bin".encode())
    assert parts.following() == Part(b"three", None)
    assert parts.whole(3) == b"jkl"
    assert parts.read() == b""
    assert parts.following() is None


def test_a_part_above_its_limit_is_not_given() -> None:
    parts = Multipart(io.BytesIO((field("one", "abcd") + "--limite--\r\n").encode()), TYPE)
    parts.following()
    assert parts.whole(3) is None


def test_files_are_read_one_after_the_other_and_those_that_were_not_chosen_passed_over() -> None:
    body = (
        field("flow", "a") + file("", file_name="") + file("un", file_name="1") + file("deux", file_name="2") + "--limite--\r\n"
    )
    form = Files(io.BytesIO(body.encode()), TYPE, ALLOWED)
    found, name = {}, form.file_name
    while name:
        found[name] = b"".join(iter(lambda: form.read(3), b""))
        name = form.following()
    assert (form.values, found) == ({"flow": "a"}, {"1": b"un", "2": b"deux"})
    assert form.read() == b""
