"""Evidence convinces somebody who has neither the platform nor a reason to believe it, and no altered byte passes."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from archive.kinds.pes import pes_package
from archive.package import Package, PackageFile
from archive.proof.evidence import BrokenChain, prove, sums
from archive.proof.head import Head
from archive.proof.verification import CheckState, EvidenceReport, EvidenceVerdict, verify_evidence
from archive.stored_zip import stored_zip
from core import clock
from core.canonical import NotCanonical
from core.errors import UnreadableInput
from signing.pki import TestAuthority
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.archive_samples import AT, RECORD, Notary
from tests.pades_documents import stamping


@pytest.fixture
def sound(tmp_path: Path, notary: Notary, package: Package) -> Path:
    prove(notary.evidence(package), tmp_path / "evidence.zip")
    return tmp_path / "evidence.zip"


def failed(report: EvidenceReport) -> list[str]:
    return [check.name for check in report.checks if check.state is CheckState.FAILED]


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def forged(path: Path, members: dict[str, bytes], *, consistent: bool = True) -> Path:
    """Write an evidence file with other members; a careful forger also mends the list of digests."""
    with stored_zip(path, AT) as zipped:
        stored = [zipped.add(name, data) for name, data in members.items() if name != "SHA256SUMS"]
        zipped.add("SHA256SUMS", sums(stored) if consistent else members["SHA256SUMS"])
    return path


def test_sound_evidence_is_valid_when_its_authority_is_trusted(sound: Path, notary: Notary, package: Package):
    report = verify_evidence(sound, trust=notary.trust)
    assert [(check.name, check.state.value) for check in report.checks] == [
        (name, "ok") for name in ("container", "members", "package", "files", "inclusion", "timestamp", "authority")
    ]
    assert report.verdict is EvidenceVerdict.VALID
    assert report.facts["package_sha256"] == package.sha256
    assert (report.facts["leaf_index"], report.facts["tree_size"]) == (5, 11)
    assert report.facts["stamped"].endswith("Z")
    assert report.as_json()["verdict"] == "valid"


def test_without_trusted_authorities_the_verdict_is_indeterminate_and_says_what_to_do(sound: Path):
    report = verify_evidence(sound)
    assert report.verdict is EvidenceVerdict.INDETERMINATE
    assert report.checks[-1].name == "authority"
    assert report.checks[-1].state is CheckState.UNKNOWN
    assert "--trust" in report.checks[-1].message


def test_an_authority_that_leads_to_none_of_the_trusted_ones_leaves_it_indeterminate(sound: Path):
    for trust in (TrustStore.of([TestAuthority.create("DEMONSTRATION Autre racine").certificate]), TrustStore(())):
        report = verify_evidence(sound, trust=trust)
        assert report.verdict is EvidenceVerdict.INDETERMINATE
        assert "aucune des autorités" in report.checks[-1].message


def test_an_authority_that_lost_its_key_since_no_longer_proves_anything(tmp_path: Path, package: Package):
    with stamping(tmp_path / "tsa") as (tsa, _):
        prove(Notary(tsa).evidence(package), tmp_path / "evidence.zip")
    number = tsa._credential.certificate.serial_number
    for revoked, verdict in (({}, EvidenceVerdict.VALID), ({number: clock.now()}, EvidenceVerdict.INVALID)):
        listing = TestAuthority.open(tmp_path / "tsa").revocations(revoked)
        report = verify_evidence(tmp_path / "evidence.zip", trust=TrustStore.of([tsa.anchor], [listing]))
        assert (report.verdict, failed(report)) == (verdict, ["authority"] if revoked else [])


def test_the_same_evidence_gives_the_same_bytes(notary: Notary, package: Package, tmp_path: Path):
    evidence = notary.evidence(package)
    prove(evidence, tmp_path / "1.zip")
    prove(evidence, tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (1, 2), (6, 7), (0, 64), (63, 64), (64, 65), (99, 100)])
def test_any_place_in_the_journal_can_be_proved(index: int, size: int, notary: Notary, package: Package, tmp_path: Path):
    prove(notary.evidence(package, index=index, size=size), tmp_path / "e.zip")
    assert verify_evidence(tmp_path / "e.zip", trust=notary.trust).verdict is EvidenceVerdict.VALID


def test_no_flipped_byte_of_any_part_passes(sound: Path, notary: Notary, tmp_path: Path):
    data = sound.read_bytes()
    target = tmp_path / "altered.zip"
    for position in range(0, len(data), 17):
        altered = bytearray(data)
        altered[position] ^= 0x01
        target.write_bytes(altered)
        assert verify_evidence(target, trust=notary.trust).verdict is EvidenceVerdict.INVALID, position


def test_no_changed_part_passes_even_when_the_list_of_digests_is_mended(sound: Path, notary: Notary, tmp_path: Path):
    members = contents(sound)
    detected = {
        name: failed(verify_evidence(forged(tmp_path / "f.zip", members | {name: flipped(members[name])}), trust=notary.trust))
        for name in ("package.zip", "leaf.json", "proof.json", "head.json", "token.der")
    }
    assert all(detected.values()), detected
    assert "package" in detected["package.zip"]
    assert "inclusion" in detected["leaf.json"]
    assert "inclusion" in detected["proof.json"]
    assert "timestamp" in detected["head.json"]
    assert "timestamp" in detected["token.der"]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def test_no_byte_of_leaf_proof_or_head_can_change_even_when_the_list_of_digests_is_mended(
    sound: Path, notary: Notary, tmp_path: Path
):
    members = contents(sound)
    for name in ("leaf.json", "proof.json", "head.json"):
        for position in range(0, len(members[name]), 7):
            altered = bytearray(members[name])
            altered[position] ^= 0x01
            forged(tmp_path / "f.zip", members | {name: bytes(altered)})
            assert verify_evidence(tmp_path / "f.zip", trust=notary.trust).verdict is not EvidenceVerdict.VALID, name


def test_every_truncated_file_is_invalid(sound: Path, notary: Notary, tmp_path: Path):
    data = sound.read_bytes()
    target = tmp_path / "cut.zip"
    for length in [*range(0, len(data), 97), len(data) - 1]:
        target.write_bytes(data[:length])
        report = verify_evidence(target, trust=notary.trust)
        assert report.verdict is EvidenceVerdict.INVALID
        assert len(report.checks) == 7


def test_a_part_missing_added_or_out_of_place_is_invalid(sound: Path, notary: Notary, tmp_path: Path):
    members = contents(sound)
    target = tmp_path / "f.zip"
    for name in members.keys() - {"SHA256SUMS", "certificates/01.pem"}:
        forged(target, {key: data for key, data in members.items() if key != name})
        assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]
    forged(target, members | {"extra.txt": b""})
    assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]
    forged(target, dict(sorted(members.items())))
    assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]
    forged(target, {**members, "README.txt": b"Tout va bien."}, consistent=False)
    assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]


def test_parts_of_two_sound_proofs_do_not_make_a_third(sound: Path, notary: Notary, files: list[PackageFile], tmp_path: Path):
    other_package = pes_package(tmp_path / "other-aip.zip", replace(RECORD, nom_fic="AUTRE"), files)
    prove(notary.evidence(other_package, index=7, size=20), tmp_path / "other.zip")
    ours, theirs = contents(sound), contents(tmp_path / "other.zip")
    for name in ("package.zip", "leaf.json", "proof.json", "head.json", "token.der"):
        forged(tmp_path / "f.zip", ours | {name: theirs[name]})
        assert verify_evidence(tmp_path / "f.zip", trust=notary.trust).verdict is EvidenceVerdict.INVALID, name


def test_a_whole_forgery_is_found_out_by_the_trusted_authority_only(
    package: Package, notary: Notary, authority: Callable[[str], TsaSimulator], tmp_path: Path
):
    forger = Notary(authority("forger"))
    prove(forger.evidence(package), tmp_path / "f.zip")
    assert verify_evidence(tmp_path / "f.zip").verdict is EvidenceVerdict.INDETERMINATE
    report = verify_evidence(tmp_path / "f.zip", trust=notary.trust)
    assert failed(report) == ["authority"]  # it took the name of the trusted one, and could not take its key


def test_a_package_whose_files_do_not_match_its_manifest_is_no_evidence(package: Package, notary: Notary, tmp_path: Path):
    path = tmp_path / "bad-aip.zip"
    members = contents(package.path)
    with zipfile.ZipFile(path, "w") as zipped:
        for name, data in members.items():
            zipped.writestr(name, data + b" " if name == "content/ACQUIT.xml" else data)
    bad = replace(package, path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    prove(notary.evidence(bad), tmp_path / "e.zip")
    assert failed(verify_evidence(tmp_path / "e.zip", trust=notary.trust)) == ["files"]


def test_evidence_that_would_not_hold_is_not_handed_out(notary: Notary, package: Package, tmp_path: Path):
    evidence = notary.evidence(package)
    other = shutil.copy(package.path, tmp_path / "other.zip")
    with Path(other).open("ab") as stream:
        stream.write(b"\0")
    for broken in (
        replace(evidence, package=Path(other)),
        replace(evidence, leaf=b'{"facts":{}}'),
        replace(evidence, leaf=evidence.leaf + b" "),
        replace(evidence, index=6),
        replace(evidence, path=evidence.path[:-1]),
        replace(evidence, head=replace(evidence.head, origin="another")),
        replace(evidence, certificates=evidence.certificates * 17),
    ):
        with pytest.raises(BrokenChain):
            prove(broken, tmp_path / "e.zip")
        assert not (tmp_path / "e.zip").exists()
    with pytest.raises(UnreadableInput):
        prove(replace(evidence, token=b"x"), tmp_path / "e.zip")


def test_a_file_that_unpacks_to_much_is_refused_by_its_form(notary: Notary, sound: Path, tmp_path: Path):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("package.zip", b"\0" * (8 << 20))
    (tmp_path / "bomb.zip").write_bytes(bomb.getvalue())
    assert failed(verify_evidence(tmp_path / "bomb.zip", trust=notary.trust)) == ["container"]
    forged(tmp_path / "f.zip", contents(sound) | {"leaf.json": b" " * (2 << 20)})
    assert failed(verify_evidence(tmp_path / "f.zip", trust=notary.trust)) == ["members"]


def test_the_guide_for_the_expert_is_in_french_and_holds_the_values_expected(sound: Path, package: Package):
    guide = contents(sound)["README.txt"].decode()
    assert guide.startswith("FICHIER DE PREUVE")
    assert package.sha256 in guide
    assert "openssl ts -verify" in guide


def test_a_head_is_read_back_from_its_own_bytes_only(notary: Notary, package: Package):
    head = notary.evidence(package).head
    assert Head.read(head.canonical()) == head
    for old, new in (
        (b'"size":11', b'"size":-1'),
        (b'"size":11', b'"size":true'),
        (b"tree-head/1", b"tree-head/2"),
        (b"SHA-256", b"SHA-1"),
        (b"SHA-256", b"SHA-512"),
        (b'"root":"', b'"root":"z'),
        (b'"time":"2026', b'"time":"x'),
        (b'"origin":"journal.example"', b'"origin":1'),
    ):
        with pytest.raises(NotCanonical):
            Head.read(head.canonical().replace(old, new))
