"""Containers: what is written strictly, what is read tolerantly, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from lxml import etree

from core import clock
from core.errors import UnreadableInput, UsageError
from signing.asic.container import ASIC_E, ASIC_S, ContainerUnreadable, opened
from signing.asic.manifest import write_manifest
from signing.asic.seal import AsicE
from signing.asic.verifier import verify
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import NotSignable, Prepared, Signatory, SourceChanged, WrongValue, sign
from signing.timestamp.client import AuthoritySettings, AuthorityUnavailable, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict

FILES = {"délibération n° 12.pdf": b"%PDF-1.4 deliberation", "annexes/plan 100%.txt": b"plan " * 2000}
MANIFEST = "META-INF/ASiCManifest001.xml"
SIGNATURE = "META-INF/signature001.p7s"


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in files.items():
            archive.writestr(name, octets)
    return path


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return zipped(tmp_path / "dossier.zip", FILES)


@pytest.fixture
def container(source: Path, tmp_path: Path, signer: Pkcs12Signer) -> Path:
    path = tmp_path / "dossier.asice"
    sign(AsicE(), source, path, signer)
    return path


@pytest.fixture
def rebuilt(container: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make the container again with entries changed (None: taken out), in any order."""

    def build(changes: dict[str, bytes | None], *, first: tuple[str, ...] = ()) -> Path:
        files = entries(container) | changes
        ordered = {name: files[name] for name in (*first, *files)}
        return zipped(tmp_path / "rebuilt.asice", {name: octets for name, octets in ordered.items() if octets is not None})

    return build


def reasons(verdict: FileVerdict) -> str:
    return " ".join([*verdict.reasons, *(reason for signature in verdict.signatures for reason in signature.reasons)])


def test_a_container_is_written_as_the_standard_has_it(container: Path, trust: TrustStore) -> None:
    with zipfile.ZipFile(container) as archive:
        infos = archive.infolist()
    assert [info.filename for info in infos] == ["mimetype", *FILES, MANIFEST, SIGNATURE]
    octets = container.read_bytes()
    assert octets[30:38] == b"mimetype"
    assert octets[38 : 38 + len(ASIC_E)] == ASIC_E.encode()  # not compressed, and no extra field before it
    assert {name: octets for name, octets in entries(container).items() if name in FILES} == FILES
    verdict = verify(container, trust=trust)
    (signature,) = verdict.signatures
    assert verdict.verdict is Belief.VALID
    assert verdict.reasons == ()
    assert (signature.format, signature.level, signature.covers) == ("CAdES", "B", "document")


def test_its_manifest_names_each_file_once(container: Path) -> None:
    root = etree.fromstring(entries(container)[MANIFEST])
    asic = "{http://uri.etsi.org/02918/v1.2.1#}"
    assert root.tag == f"{asic}ASiCManifest"
    assert [child.tag for child in root] == [f"{asic}SigReference", *[f"{asic}DataObjectReference"] * 2]
    assert [child.get("URI") for child in root] == [
        SIGNATURE,
        "d%C3%A9lib%C3%A9ration%20n%C2%B0%2012.pdf",
        "annexes/plan%20100%25.txt",
    ]


def test_level_t_carries_a_timestamp(
    source: Path, tmp_path: Path, signer: Pkcs12Signer, stamps: TimestampClient, trust: TrustStore, tsa: TsaSimulator
) -> None:
    target = tmp_path / "stamped.asice"
    sign(AsicE(level="T"), source, target, signer, timestamps=stamps)
    both = TrustStore.of([*trust.anchors, tsa.anchor])
    verdict = verify(target, trust=both)
    assert verdict.verdict is Belief.VALID
    assert verdict.signatures[0].level == "T"


def prepare(source: Path, signer: Pkcs12Signer, how: AsicE) -> tuple[Prepared, dict[str, bytes]]:
    prepared = how.prepare(source, source, Signatory(signer.certificate, signer.chain), clock.now())
    prepared = Prepared.from_json(json.loads(json.dumps(prepared.as_json())))
    return prepared, {slot.identifier: signer.sign(slot.octets) for slot in prepared.slots}


def test_when_no_authority_answers_nothing_is_left(source: Path, tmp_path: Path, signer: Pkcs12Signer) -> None:
    prepared, values = prepare(source, signer, AsicE(level="T"))
    nobody = TimestampClient(AuthoritySettings(["http://127.0.0.1:9/"], connect_timeout=1), TrustStore(()))
    with pytest.raises(AuthorityUnavailable):
        AsicE.complete(prepared, source, source, values, tmp_path / "x.asice", nobody)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_another_source_or_another_value_is_refused(source: Path, tmp_path: Path, signer: Pkcs12Signer) -> None:
    prepared, values = prepare(source, signer, AsicE())
    with pytest.raises(WrongValue):
        AsicE.complete(prepared, source, source, {"signature": b"x"}, tmp_path / "x.asice")
    zipped(source, {**FILES, "annexes/plan 100%.txt": b"another plan"})
    with pytest.raises(SourceChanged):
        AsicE.complete(prepared, source, source, values, tmp_path / "x.asice")
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


@pytest.mark.parametrize("files", [{}, {"mimetype": b"x", "a": b"a"}, {"META-INF/manifest.xml": b"<m/>", "a": b"a"}])
def test_only_a_plain_zip_of_files_is_signed(tmp_path: Path, signer: Pkcs12Signer, files: dict[str, bytes]) -> None:
    with pytest.raises(NotSignable):
        sign(AsicE(), zipped(tmp_path / "x.zip", files), tmp_path / "x.asice", signer)


def test_what_is_no_zip_is_unreadable(tmp_path: Path, signer: Pkcs12Signer) -> None:
    path = tmp_path / "x.zip"
    for octets in (b"", b"hello", b"PK\x03\x04" + bytes(100)):
        path.write_bytes(octets)
        with pytest.raises(UnreadableInput):
            verify(path, trust=None)
        with pytest.raises(UnreadableInput):
            sign(AsicE(), path, tmp_path / "x.asice", signer)


def test_a_type_that_stands_elsewhere_or_nowhere_is_told_and_believed(rebuilt: Callable[..., Path], trust: TrustStore) -> None:
    late = verify(rebuilt({}, first=(MANIFEST,)), trust=trust)
    assert late.verdict is Belief.VALID
    assert "mimetype" in late.reasons[0]
    absent = verify(rebuilt({"mimetype": None}), trust=trust)
    assert absent.verdict is Belief.VALID
    assert "ASiC" in absent.reasons[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"annexes/plan 100%.txt": b"another plan"}, "modifié après la signature"),
        ({"annexes/plan 100%.txt": None}, "absent du conteneur"),
        ({"ajout.pdf": b"added"}, "aucune signature valable ne couvre"),
        ({"Meta-Inf/ajout.pdf": b"added"}, "aucune signature valable ne couvre"),
        ({SIGNATURE: b"rubbish"}, "ne peut pas être lu"),
        ({SIGNATURE: None, "META-INF/signature002.p7s": b"rubbish"}, "désigne une signature absente"),
        ({SIGNATURE: None}, "désigne une signature absente"),
        ({MANIFEST: b"<!DOCTYPE a><a/>"}, "ne peut pas être lu"),
        ({MANIFEST: b"<a/>"}, "manifeste ASiC lisible"),
        ({MANIFEST: None}, "Aucun manifeste"),
    ],
)
def test_what_was_changed_after_signing_is_seen(
    rebuilt: Callable[..., Path], trust: TrustStore, changes: dict[str, bytes | None], words: str
) -> None:
    verdict = verify(rebuilt(changes), trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert words in reasons(verdict)


def test_a_manifest_changed_to_fit_a_changed_file_breaks_the_signature(
    rebuilt: Callable[..., Path], tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore
) -> None:
    other = tmp_path / "other.asice"
    sign(AsicE(), zipped(tmp_path / "other.zip", {**FILES, "annexes/plan 100%.txt": b"another plan"}), other, signer)
    changes = {name: entries(other)[name] for name in (MANIFEST, "annexes/plan 100%.txt")}
    verdict = verify(rebuilt(changes), trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert not verdict.signatures[0].intact


def test_a_damaged_file_is_told_as_altered(container: Path, trust: TrustStore) -> None:
    octets = bytearray(container.read_bytes())
    with zipfile.ZipFile(container) as archive:
        place = archive.getinfo("annexes/plan 100%.txt").header_offset + 80
    octets[place] ^= 0xFF
    container.write_bytes(octets)
    verdict = verify(container, trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert "plan 100%" in reasons(verdict)


def test_the_only_file_may_be_signed_without_a_manifest(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    only = tmp_path / "a.txt"
    only.write_bytes(b"content")
    sign(Cades(), only, tmp_path / "a.p7s", signer)
    signature = (tmp_path / "a.p7s").read_bytes()
    simple = {"mimetype": ASIC_S.encode(), "a.txt": b"content", "META-INF/signature.p7s": signature}
    path = tmp_path / "a.asics"
    assert verify(zipped(path, simple), trust=trust).verdict is Belief.VALID
    assert verify(zipped(path, {**simple, "a.txt": b"other"}), trust=trust).verdict is Belief.INVALID
    several = verify(zipped(path, {**simple, "b.txt": b"other"}), trust=trust)
    assert several.verdict is Belief.INVALID
    assert "un seul fichier" in reasons(several)


def test_a_timestamp_alone_covers_and_beside_a_signature_does_not(
    container: Path, tmp_path: Path, tsa: TsaSimulator, stamps: TimestampClient, trust: TrustStore
) -> None:
    both = TrustStore.of([*trust.anchors, tsa.anchor])
    files = {"a.txt": b"content"}
    manifest = write_manifest(
        "META-INF/timestamp001.tst", {name: hashlib.sha256(octets).digest() for name, octets in files.items()}
    )
    token = stamps.stamp(hashlib.sha256(manifest).digest()).token
    stamped = {**files, "META-INF/ASiCManifest002.xml": manifest, "META-INF/timestamp001.tst": token}
    path = tmp_path / "stamped.asice"
    alone = verify(zipped(path, {"mimetype": ASIC_E.encode(), **stamped}), trust=both)
    assert (alone.verdict, alone.signatures[0].format) == (Belief.VALID, "RFC3161")
    beside = verify(zipped(path, {**entries(container), **stamped}), trust=both)
    assert beside.verdict is Belief.INVALID
    assert "a.txt" in beside.reasons[-1]
    wrong = verify(zipped(path, {"mimetype": ASIC_E.encode(), **stamped, "a.txt": b"other"}), trust=both)
    assert wrong.verdict is Belief.INVALID


def test_large_files_are_never_held(tmp_path: Path, signer: Pkcs12Signer) -> None:
    source, target = tmp_path / "x.zip", tmp_path / "x.asice"
    with zipfile.ZipFile(source, "w") as archive, archive.open("zeros", "w") as entry:
        for _ in range(80):
            entry.write(bytes(1 << 20))
    tracemalloc.start()
    sign(AsicE(), source, target, signer)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    assert verify(target, trust=None).signatures[0].intact


def test_a_zip_without_signatures_is_unsigned(source: Path) -> None:
    assert verify(source, trust=None).verdict is Belief.UNSIGNED


def test_what_is_not_examined_is_said(rebuilt: Callable[..., Path], trust: TrustStore) -> None:
    verdict = verify(rebuilt({"META-INF/evidencerecord001.ers": b"x"}), trust=trust)
    assert verdict.verdict is Belief.VALID
    assert "evidencerecord001.ers" in verdict.reasons[-1]


def test_no_detached_file_is_taken(container: Path, source: Path) -> None:
    with pytest.raises(UsageError):
        verify(container, detached=source, trust=None)


@pytest.mark.parametrize("name", ["../a.txt", "a/../../b", "/etc/passwd", "C:/a.txt", "a\\b", "./a.txt", "a\x01b"])
def test_a_dangerous_name_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "x.zip", {name: b"x"})
    with pytest.raises(UnreadableInput, match="dangereux"):
        verify(path, trust=None)


def test_a_name_that_hides_its_end_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"visible.txtXhidden": b"x"})
    path.write_bytes(path.read_bytes().replace(b"visible.txtX", b"visible.txt\x00"))
    with pytest.raises(UnreadableInput, match="dangereux"):
        verify(path, trust=None)


def test_a_name_twice_is_refused(container: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(container, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("annexes/plan 100%.txt", b"another plan")
    with pytest.raises(UnreadableInput, match="même nom"):
        verify(container, trust=None)


def test_a_flood_is_refused_before_it_is_read(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("a", "w") as entry:
        for _ in range(80):
            entry.write(bytes(1 << 20))
    with pytest.raises(UnreadableInput, match="trop"):
        verify(bomb, trust=None)
    many = tmp_path / "many.zip"
    with zipfile.ZipFile(many, "w") as archive:
        for rank in range(10_001):
            archive.writestr(str(rank), b"")
    with pytest.raises(UnreadableInput, match="trop"):
        verify(many, trust=None)


def test_a_container_cut_anywhere_is_unreadable(container: Path, tmp_path: Path) -> None:
    octets = container.read_bytes()
    cut = tmp_path / "cut.asice"
    for length in range(0, len(octets) - 22, 97):
        cut.write_bytes(octets[:length])
        with pytest.raises(UnreadableInput):
            verify(cut, trust=None)


def test_no_altered_octet_escapes_as_a_fault(container: Path, tmp_path: Path, trust: TrustStore) -> None:
    octets = container.read_bytes()
    copy = tmp_path / "copy.asice"
    shutil.copy(container, copy)
    for place in range(0, len(octets), 61):
        altered = bytearray(octets)
        altered[place] ^= 0x55
        copy.write_bytes(altered)
        try:
            verdict = verify(copy, trust=trust)
        except UnreadableInput:
            continue
        if verdict.verdict is Belief.VALID:
            assert {name: data for name, data in entries(copy).items() if name in FILES} == FILES


@pytest.mark.parametrize("where", ["before", "within"])
def test_files_that_the_directory_does_not_list_are_refused(container: Path, tmp_path: Path, where: str) -> None:
    octets, name = container.read_bytes(), next(iter(FILES))
    hidden = zipped(tmp_path / "hidden.zip", {name: b"FORGED"}).read_bytes()
    if where == "within":  # before the directory, whose place the end record tells
        place, end = octets.index(b"PK\x01\x02"), octets.rindex(b"PK\x05\x06")
        hidden = hidden[: hidden.index(b"PK\x01\x02")]
        offset = struct.pack("<L", place + len(hidden))
        octets = octets[:place] + hidden + octets[place : end + 16] + offset + octets[end + 20 :]
    else:
        octets = hidden + octets
    container.write_bytes(octets)
    with pytest.raises(ContainerUnreadable, match="aucun de ses fichiers"), opened(container):
        pass


GENUINE, HIDDEN = b"genuine " * 20, b"PK\x07\x08" + bytes(12)
STREAMED = 8


@pytest.mark.parametrize("told", ["nothing", "its own size", "that of the directory"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED], ids=["deflated", "stored"])
def test_a_file_hidden_behind_the_end_of_another_is_refused(tmp_path: Path, method: int, told: str) -> None:
    path = tmp_path / "a.asice"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.xml", GENUINE)
    octets = path.read_bytes()
    directory = octets.index(b"PK\x01\x02")
    hidden = HIDDEN + zipped(tmp_path / "hidden.zip", {"a.xml": b"FORGED"}).read_bytes()
    header, central, end = bytearray(octets[:directory]), bytearray(octets[directory:-22]), bytearray(octets[-22:])
    packed = struct.pack("<L", directory - len("a.xml") - 30 + len(hidden))
    central[20:24] = packed
    end[16:20] = struct.pack("<L", directory + len(hidden))
    if told == "nothing":
        header[6:8], header[14:26] = struct.pack("<H", STREAMED), bytes(12)
    elif told == "that of the directory":
        header[18:22] = packed
    path.write_bytes(header + hidden + central + end)
    assert entries(path) == {"a.xml": GENUINE}
    with pytest.raises(ContainerUnreadable, match="aucun de ses fichiers"), opened(path):
        pass


@pytest.mark.parametrize(
    ("method", "place", "told"),
    [
        (zipfile.ZIP_STORED, 18, struct.pack("<2L", 8, 8)),
        (zipfile.ZIP_DEFLATED, 6, struct.pack("<2H", STREAMED, zipfile.ZIP_STORED)),
    ],
    ids=["shorter", "of another method"],
)
def test_a_file_that_its_own_header_tells_otherwise_is_refused(tmp_path: Path, method: int, place: int, told: bytes) -> None:
    path = tmp_path / "a.asice"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.xml", GENUINE)
    octets = path.read_bytes()
    path.write_bytes(octets[:place] + told + octets[place + len(told) :])
    with pytest.raises(ContainerUnreadable, match="aucun de ses fichiers"), opened(path):
        pass


class _Pipe(io.RawIOBase):
    """What cannot be gone back in: sizes follow the files."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, octets: Any) -> int:
        return self._stream.write(octets)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("piped", [False, True])
def test_files_written_without_knowing_their_size_or_in_the_large_form_are_read(
    tmp_path: Path, *, large: bool, piped: bool
) -> None:
    path = tmp_path / "a.asice"
    with path.open("wb") as stream, zipfile.ZipFile(_Pipe(stream) if piped else stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in {"empty": b"", "zeros": bytes(1 << 18), "a.xml": GENUINE}.items():
            with archive.open(name, "w", force_zip64=large) as entry:
                entry.write(octets)
        archive.writestr("folder/", b"", zipfile.ZIP_STORED)
    with opened(path) as container:
        assert container.read("a.xml") == GENUINE


def test_a_directory_of_hundreds_of_thousands_of_entries_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "flood.asice"
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 200_000
    for count in (1, 0xFFFF):
        path.write_bytes(directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), 0, 0))
        with pytest.raises(ContainerUnreadable), opened(path):
            pass
