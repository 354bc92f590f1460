"""The ZIP of version 5: what is in it is found by its PREMIS, and what is not as it should be is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from connectors.iparapheur import premis
from connectors.iparapheur.errors import MessageUnreadable
from connectors.iparapheur.export import unpack

LIMIT = 1 << 20
FOLDER = premis.Folder("Dossier", "A", "B", parts=(premis.Part("acte.pdf", main=True), premis.Part("acte-2-bis.xml", main=True)))
FILES = {
    premis.NAME: premis.write(FOLDER),
    "Documents principaux/acte.pdf": b"%PDF acte",
    "Documents principaux/acte-0-signature_externe.p7s": b"externe",
    "Documents principaux/acte-1-Camille Aubry.p7s": b"un",
    "Documents principaux/acte-10-Dominique Vasseur-Morand.p7s": b"dix",
    "Documents principaux/acte-2-bis.xml": b"<acte/>",
    "Annexes/plan.pdf": b"%PDF plan",
    "Dossier_bordereau.pdf": b"%PDF bordereau",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def export(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_documents_signatures_annexes_and_bordereau_are_told_apart(tmp_path: Path, folder: Path) -> None:
    back = unpack(export(tmp_path / "a.zip", FILES), folder, LIMIT)
    assert [(one.name, one.media, one.path.read_bytes()) for one in back.documents] == [
        ("acte.pdf", "application/pdf", b"%PDF acte"),
        ("acte-2-bis.xml", "application/xml", b"<acte/>"),
    ]
    first, second = (one.signature for one in back.documents)
    assert first is not None
    assert (first.name, first.path.read_bytes()) == ("acte-10-Dominique Vasseur-Morand.p7s", b"dix")
    assert second is None
    assert [one.name for one in back.annexes] == ["plan.pdf"]
    assert back.bordereau is not None
    assert back.bordereau.path.read_bytes() == b"%PDF bordereau"


def test_a_name_that_leads_elsewhere_leads_nowhere(tmp_path: Path, folder: Path) -> None:
    back = unpack(export(tmp_path / "a.zip", {**FILES, "Annexes/../../../evil.pdf": b"x", "/etc/evil": b"x"}), folder, LIMIT)
    assert {one.name for one in back.annexes} == {"plan.pdf", "evil.pdf"}
    assert all(one.path.is_relative_to(folder) for one in back.annexes)
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "unpacked"}


@pytest.mark.parametrize(
    "change",
    [
        {premis.NAME: b""},
        {premis.NAME: b"<a/>"},
        {premis.NAME: b" " * (5 << 20)},
        {"Annexes/large": bytes(2 << 20)},
        {"Documents principaux/acte.pdf": None},
        {premis.NAME: None},
    ],
)
def test_an_export_that_is_not_whole_or_too_large_is_refused(
    tmp_path: Path, folder: Path, change: dict[str, bytes | None]
) -> None:
    files = {name: content for name, content in (FILES | change).items() if content is not None}
    with pytest.raises(MessageUnreadable):
        unpack(export(tmp_path / "a.zip", files), folder, LIMIT)
    assert list(folder.iterdir()) == []


def test_a_zip_that_is_cut_or_damaged_is_refused(tmp_path: Path, folder: Path) -> None:
    path = export(tmp_path / "a.zip", FILES)
    whole = path.read_bytes()
    damaged = whole.replace(b"plan.pdf", b"\xff\xff\xff\xff.pdf", 1)
    for octets in (whole[:-30], whole[:50], b"", b"PK", damaged, whole[:100] + bytes(20) + whole[120:]):
        path.write_bytes(octets)
        with pytest.raises(MessageUnreadable):
            unpack(path, folder, LIMIT)
        assert list(folder.iterdir()) == []
