"""The files of an act as they come over the wire: any order, any charset of names, bounded in all."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import cast

import pytest

from api.acts.form import Mixed
from api.acts.gathering import Gathered, Names, gather, media_type
from core.blobs import Blob, Readable, TooLarge
from core.errors import UnreadableInput, UsageError
from core.platform import Platform

TYPE = "multipart/form-data; boundary=x"
NAMES = Names(
    frozenset({"number"}),
    document="document",
    type="type",
    signature="signature",
    annexes="annexes[]",
    annexes_type="types[]",
    annexes_signature="signatures[]",
    repeated=frozenset({"mails[]"}),
)


class Store:
    """Objects kept in memory, under the order in which they came."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def put(self, source: Readable, limit: int) -> Blob:
        content = b"".join(iter(lambda: source.read(7), b""))
        if len(content) > limit:
            raise TooLarge(limit)
        self.kept.append(content)
        return Blob(str(len(self.kept)), len(content))


class Slowly:
    """A body that comes in pieces of a few octets."""

    def __init__(self, octets: bytes, size: int) -> None:
        self._stream, self._size = io.BytesIO(octets), size

    def read(self, _size: int = -1, /) -> bytes:
        return self._stream.read(self._size)


def part(name: str, content: bytes, file_name: bytes | None = None) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"'.encode()
    if file_name is not None:
        disposition += b'; filename="' + file_name + b'"'
    return b"--x\r\n" + disposition + b"\r\n\r\n" + content + b"\r\n"


def read(*parts: bytes, names: Names = NAMES, largest: int = 1000, piece: int = 4096, end: bytes = b"--x--\r\n") -> Gathered:
    store = SimpleNamespace(objects=Store(), settings=SimpleNamespace(upload_limit=500))
    return gather(cast("Platform", store), Slowly(b"".join(parts) + end, piece), TYPE, names, largest)


@pytest.mark.parametrize("piece", [1, 3, 16, 4096])
def test_fields_and_files_come_in_any_order_and_in_any_pieces(piece: int) -> None:
    found = read(
        part("types[]", b"21_RP"),
        part("annexes[]", b"%PDF-un", b"un.pdf"),
        part("type", b"99_DE"),
        part("document", b"%PDF-" + b"\r\n--" * 20, b"acte.pdf"),
        part("annexes[1]", b"%PDF-deux", b"deux.pdf"),
        part("number", " 2026_É ".encode()),
        part("signatures[0]", b"", b""),
        part("signatures[1]", b"0signature", b"deux.p7s"),
        piece=piece,
    )
    assert found.document is not None
    assert (found.document.name, found.document.type, found.document.size) == ("acte.pdf", "99_DE", 85)
    assert [(one.name, one.type) for one in found.annexes] == [("un.pdf", "21_RP"), ("deux.pdf", None)]
    assert [one.signature and one.signature.name for one in found.annexes] == [None, "deux.p7s"]
    assert found.values == {"number": "2026_É"}


def test_texts_and_names_of_older_software_are_read_in_its_charset() -> None:
    found = read(
        part("document", b"%PDF-", "délibération.pdf".encode("iso-8859-1")),
        part("number", "é à ç".encode("iso-8859-1")),
    )
    assert found.document is not None
    assert (found.document.name, found.values["number"]) == ("délibération.pdf", "é à ç")


def test_a_name_is_a_name_and_no_path() -> None:
    found = read(part("document", b"%PDF-", b"C:\\fichiers\\..\\acte.pdf"))
    assert found.document is not None
    assert found.document.name == "acte.pdf"


def test_a_rank_without_a_file_counts_and_gives_nothing() -> None:
    found = read(
        part("annexes[]", b"", b""),
        part("annexes[]", b"%PDF-", b"deux.pdf"),
        part("types[]", b"11_AA"),
        part("types[]", b"22_BB"),
    )
    assert [(one.name, one.type) for one in found.annexes] == [("deux.pdf", "22_BB")]


def test_repeated_fields_are_joined_and_unknown_ones_passed_over_only_where_that_is_wanted() -> None:
    mails = (part("mails[]", b"a@b.fr"), part("mails[]", b"c@d.fr"))
    assert read(*mails).values == {"mails[]": "a@b.fr,c@d.fr"}
    lenient = Names(frozenset(), annexes="annexes[]", annexes_type="types[]", ignores=True)
    assert read(part("surprise", b"1"), names=lenient).values == {}
    with pytest.raises(UsageError):
        read(part("surprise", b"1", b"surprise.pdf"), names=lenient)


@pytest.mark.parametrize(
    "parts",
    [
        (part("surprise", b"1"),),
        (part("number", b"1"), part("number", b"2")),
        (part("document", b"1", b"a"), part("document", b"2", b"b")),
        (part("document", b"", b"vide.pdf"),),
        (part("document", b"du texte"),),
        (part("number", b"1", b"fichier.pdf"),),
        (part("number", b"x" * 9000),),
        (part("number", b"\x00"),),
        (part("types[]", b"99_AU"),),
        (part("document", b"%PDF-", b"a.pdf"), part("type", b"99_a")),
    ],
    ids=["unknown", "doubled", "two documents", "empty", "text", "file", "long", "control", "type of nothing", "no type"],
)
def test_what_cannot_be_meant_is_refused(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(UsageError):
        read(*parts)


def test_files_are_bounded_one_by_one_and_in_all() -> None:
    three = [part("annexes[]", bytes(400), b"un.pdf")] * 3
    with pytest.raises(TooLarge) as refused:
        read(*three)
    assert refused.value.limit == 1000
    with pytest.raises(TooLarge) as refused:
        read(part("annexes[]", bytes(501), b"un.pdf"))
    assert refused.value.limit == 500
    assert len(read(*three, largest=1200).annexes) == 3


def test_a_form_that_was_cut_off_is_no_form() -> None:
    with pytest.raises(UnreadableInput):
        read(part("document", b"%PDF-", b"a.pdf"), end=b"")
    with pytest.raises(UnreadableInput):
        read(b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n")


def test_a_form_of_too_many_parts_is_refused() -> None:
    with pytest.raises(UsageError):
        read(*[part("mails[]", b"a")] * 3200)


def test_a_part_that_was_not_read_to_its_end_gives_no_more_than_its_own() -> None:
    form = Mixed(io.BytesIO(part("a", b"abcdef") + part("b", b"ghi") + b"--x--\r\n"), TYPE)
    read = {name: form.text(name) for name, _ in form.parts()}
    assert read == {"a": "abcdef", "b": "ghi"}
    assert form.read() == b""


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("acte.pdf", b"PK", "application/pdf"),
        ("acte", b"%PDF-1.7", "application/pdf"),
        ("photo", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("plan", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("budget.dat", b"<?xml version", "application/xml"),
        ("note.docx", b"PK\x03\x04", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_name_tells_else_what_its_beginning_tells(name: str, head: bytes, kind: str) -> None:
    assert media_type(name, head) == kind
