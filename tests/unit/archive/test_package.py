"""A package stands by itself: its files are those of its manifest, and the same record gives the same bytes."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from archive.ingest.inspection import Limits, check_package
from archive.kinds.pes import PesRole, pes_package, pes_transfer
from archive.package import Package, PackageFile, build_package
from archive.retention.rules import end_of
from core.errors import UsageError
from core.messages import speaking
from core.problems import Problem
from schemas.seda.reader import read_manifest
from tests.archive_samples import AT, RECORD

MANIFEST = b'<ArchiveTransfer xmlns="fr:gouv:culture:archivesdefrance:seda:v2.2"/>'


def test_a_package_says_what_it_holds_and_checks_clean(package: Package, files: list[PackageFile]):
    assert check_package(package.path) == []
    assert package.sha256 == hashlib.sha256(package.path.read_bytes()).hexdigest()
    assert package.size == package.path.stat().st_size
    with zipfile.ZipFile(package.path) as zipped:
        assert package.manifest_sha256 == hashlib.sha256(zipped.read("manifest.xml")).hexdigest()
        for stored, file in zip(package.files, files, strict=True):
            data = file.path.read_bytes()
            assert zipped.read(stored.name) == data
            assert (stored.sha256, stored.size) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_second_try_gives_the_same_bytes_whatever_the_language_of_the_caller(
    package: Package, files: list[PackageFile], tmp_path: Path
):
    with speaking("en"):
        again = pes_package(tmp_path / "again.zip", RECORD, files)
    assert again.sha256 == package.sha256


def test_names_in_the_package_are_plain_and_the_original_ones_are_kept_in_the_manifest(package: Package, tmp_path: Path):
    with zipfile.ZipFile(package.path) as zipped:
        assert all(name.isascii() for name in zipped.namelist())
        manifest = read_manifest(Path(zipped.extract("manifest.xml", tmp_path)))
    assert manifest.objects[0].filename == "Flux d’été n° 1.xml"
    assert manifest.objects[0].uri == "content/Flux_dete_n_1.xml"
    assert [item.puid for item in manifest.objects] == ["fmt/101", "fmt/101", "fmt/817", None]


def test_two_files_of_one_name_get_different_ones(files: list[PackageFile], tmp_path: Path):
    names = ["acquit.xml", "ACQUIT.xml", "..", "日本", "-x" * 200 + ".xml", "été.tar.gz"]
    many = [replace(files[1], name=name) for name in names]
    package = pes_package(tmp_path / "x.zip", RECORD, [*files, *many])
    assert check_package(package.path) == []
    assert [stored.name for stored in package.files[4:8]] == [
        "content/acquit-2.xml",
        "content/ACQUIT-3.xml",
        "content/fichier",
        "content/fichier-2",
    ]


def test_the_manifest_of_a_pes_says_what_an_archivist_needs(package: Package, tmp_path: Path):
    with zipfile.ZipFile(package.path) as zipped:
        text = zipped.read("manifest.xml").decode()
        manifest = read_manifest(Path(zipped.extract("manifest.xml", tmp_path)))
    levels = [(unit.level, unit.parent) for unit in manifest.units]
    assert levels == [("RecordGrp", None), ("File", "AU1"), ("Item", "AU2"), ("Item", "AU2"), ("Item", "AU2")]
    assert "PES_DepenseAller, PES_PJ du 20/02/2026" in (manifest.units[0].title or "")
    assert "BUDGET PRINCIPAL (12301)" in (manifest.units[0].title or "")
    assert "<Rule>APP-COMPTA-10ANS</Rule>" in text
    assert "<FinalAction>Destroy</FinalAction>" in text
    assert "<Rule>AR048</Rule>" in text
    assert text.count("<StartDate>2026-02-21</StartDate>") == 2
    assert "21/02/2036" in text
    assert "DAF/DPACI/RES/2008/008" in text
    assert "<KeywordReference>214009995</KeywordReference>" in text
    assert manifest.identifier == RECORD.transfer


@pytest.mark.parametrize(
    ("roles", "word"),
    [
        ([PesRole.ACQUIT, PesRole.JOURNAL], "PES_Aller"),
        ([PesRole.PES, PesRole.PES, PesRole.ACQUIT, PesRole.JOURNAL], "PES_Aller"),
        ([PesRole.PES, PesRole.ACQUIT], "journal"),
        ([PesRole.PES, PesRole.JOURNAL], "acquittement"),
        ([PesRole.PES, PesRole.ACQUIT, PesRole.JOURNAL, "invoice"], "invoice"),
    ],
)
def test_a_pes_record_without_its_obligatory_files_is_refused_and_nothing_is_left(
    roles: list[str], word: str, files: list[PackageFile], tmp_path: Path
):
    by_role = {file.role: file for file in files}
    chosen = [replace(by_role.get(role, files[0]), role=role) for role in roles]
    with pytest.raises(UsageError, match=word):
        pes_package(tmp_path / "x.zip", RECORD, chosen)
    assert not (tmp_path / "x.zip").exists()


def test_retention_ends_on_the_anniversary_and_never_early():
    assert RECORD.keep_until == date(2036, 2, 21)
    assert end_of(date(2028, 2, 29), 10) == date(2038, 3, 1)
    assert end_of(date(2028, 2, 29), 4) == date(2032, 2, 29)


def test_a_very_long_budget_name_still_gives_a_title(files: list[PackageFile], tmp_path: Path):
    package = pes_package(tmp_path / "x.zip", replace(RECORD, budget="é" * 50_000), files)
    assert check_package(package.path) == []


def repacked(package: Package, tmp_path: Path, changes: dict[str, bytes | None]) -> Path:
    """Write the package again with a usual ZIP program, some files changed, added or (None) removed."""
    target = tmp_path / "repacked.zip"
    with zipfile.ZipFile(package.path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as zipped:
        contents: dict[str, bytes | None] = {name: source.read(name) for name in source.namelist()}
        for name, data in (contents | changes).items():
            if data is not None:
                zipped.writestr(name, data)
    return target


def test_a_package_packed_again_by_another_program_still_checks_clean(package: Package, tmp_path: Path):
    assert check_package(repacked(package, tmp_path, {})) == []


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"content/ACQUIT.xml": b"<ACQUIX/>"}, ["SEDA-207"]),
        ({"content/ACQUIT.xml": b"<ACQUIT />"}, ["SEDA-207", "SEDA-207"]),
        ({"content/ACQUIT.xml": None}, ["SEDA-211"]),
        ({"content/ACQUIT.xml": None, "content/acquit.xml": b"<ACQUIT/>"}, ["SEDA-211", "SEDA-101"]),
        ({"content/more.xml": b""}, ["SEDA-101"]),
        ({"manifest.xml": None}, ["SEDA-101"]),
        ({"other_manifest.xml": b""}, ["SEDA-101"]),
        ({"manifest.xml": b"<a"}, ["XML"]),
    ],
)
def test_a_package_that_is_not_what_its_manifest_says_is_told(
    changes: dict[str, bytes | None], rules: list[str], package: Package, tmp_path: Path
):
    problems = check_package(repacked(package, tmp_path, changes))
    assert [problem.rule for problem in problems] == rules
    assert all(problem.message and problem.mend for problem in problems)


def told_of(path: Path) -> list[Problem]:
    """What is wrong with a package, its bare manifest aside."""
    return [problem for problem in check_package(path) if problem.rule != "XSD"]


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "C:/x", "a\\b", "a\x00b", "a\nb", "a//b", "./a"])
def test_a_dangerous_name_is_refused_before_anything_is_read(name: str, tmp_path: Path):
    path = tmp_path / "x.zip"
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = name
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("manifest.xml", MANIFEST)
        zipped.writestr(entry, b"")
    (problem,) = told_of(path)
    assert (problem.rule, problem.found) == ("SEDA-101", name)


def test_a_link_an_encrypted_entry_and_a_name_twice_are_refused(tmp_path: Path):
    link = zipfile.ZipInfo("content/link")
    link.external_attr = 0o120777 << 16
    twice = zipfile.ZipInfo("manifest.xml")
    for entry, word in ((link, "lien"), (twice, "même nom")):
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as zipped, pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_a, **_k: None)
            zipped.writestr("manifest.xml", MANIFEST)
            zipped.writestr(entry, b"/etc/passwd")
        (problem,) = told_of(path)
        assert word in problem.message
    data = bytearray((tmp_path / "x.zip").read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    problem, twice_too = told_of(tmp_path / "x.zip")
    assert "chiffré" in problem.message
    assert "même nom" in twice_too.message


def test_what_costs_too_much_to_read_is_refused(tmp_path: Path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("manifest.xml", MANIFEST)
        zipped.writestr("content/bomb", b"\0" * (3 << 20))
    tight = Limits(ratio_from=1 << 20)
    assert [problem.rule for problem in check_package(path, limits=tight)] == ["SEDA-101"]
    assert "taux de compression" in check_package(path, limits=tight)[0].message
    for limits in (Limits(entries=1), Limits(total=1 << 20), Limits(manifest=10), Limits(directory=10)):
        (problem,) = check_package(path, limits=limits)
        assert "dépasse" in problem.message


def test_an_entry_that_unpacks_to_more_than_it_announces_is_refused(package: Package, tmp_path: Path):
    path = repacked(package, tmp_path, {})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"content/ACQUIT.xml") - 46
    data[at + 24 : at + 28] = (4).to_bytes(4, "little")
    path.write_bytes(data)
    problems = check_package(path)
    assert problems
    assert {problem.rule for problem in problems} <= {"SEDA-101", "SEDA-207"}


def test_a_file_that_is_no_zip_is_told_and_not_raised(package: Package, tmp_path: Path):
    path = tmp_path / "x.zip"
    sound = package.path.read_bytes()
    for data in (b"", b"PK", b"not a zip at all" * 100, sound[:-30], sound[-200:]):
        path.write_bytes(data)
        assert [problem.rule for problem in check_package(path)] == ["SEDA-101"]


def test_no_damaged_package_makes_the_check_fall_over(package: Package, tmp_path: Path):
    path = tmp_path / "x.zip"
    sound = package.path.read_bytes()
    for position in range(0, len(sound), 7):
        changed = bytearray(sound)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        assert isinstance(check_package(path), list)


def test_every_text_of_the_room_exists_in_both_languages():
    from core.messages import Catalogue

    for room in ("archive", "schemas.seda"):
        catalogue = Catalogue(room)
        french, english = catalogue.texts("fr"), catalogue.texts("en")
        assert set(french) == set(english)
        assert all(french.values())
        assert all(english.values())


def test_a_file_that_vanishes_leaves_no_package(files: list[PackageFile], tmp_path: Path):
    gone = [*files[:-1], replace(files[-1], path=tmp_path / "gone")]
    with pytest.raises(FileNotFoundError):
        build_package(tmp_path / "x.zip", gone, lambda described: pes_transfer(RECORD, described), at=AT)
    assert not (tmp_path / "x.zip").exists()
