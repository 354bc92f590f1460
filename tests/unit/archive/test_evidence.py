"""Evidence convinces somebody who has neither the platform nor a reason to believe it, and no altered byte passes."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from archive.ingest.inspection import check_package
from archive.kinds.pes import pes_package
from archive.package import Package, PackageFile
from archive.proof import verification
from archive.proof.evidence import BrokenChain, Evidence, prove, sums
from archive.proof.head import Head
from archive.proof.verification import CheckState, EvidenceReport, EvidenceVerdict, verify_evidence
from archive.stored_zip import Stored, stored_zip
from core import clock
from core.canonical import NotCanonical
from core.errors import UnreadableInput
from schemas.seda import rules
from signing.pki import TestAuthority
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.archive_samples import AT, RECORD, Notary
from tests.pades_documents import stamping
from tests.trust_samples import Holder


@pytest.fixture
def sound(tmp_path: Path, notary: Notary, package: Package) -> Path:
    prove(notary.evidence(package), tmp_path / "evidence.zip")
    return tmp_path / "evidence.zip"


def failed(report: EvidenceReport) -> list[str]:
    return [check.name for check in report.checks if check.state is CheckState.FAILED]


def told(report: EvidenceReport, name: str) -> str:
    (message,) = [check.message for check in report.checks if check.name == name]
    return message


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
        (name, "ok") for name in ("container", "members", "package", "files", "inclusion", "timestamp", "authority", "validity")
    ]
    assert report.verdict is EvidenceVerdict.VALID
    assert report.facts["package_sha256"] == package.sha256
    assert (report.facts["leaf_index"], report.facts["tree_size"]) == (5, 11)
    assert report.facts["stamped"].endswith("Z")
    assert report.as_json()["verdict"] == "valid"


def test_without_trusted_authorities_the_verdict_is_indeterminate_and_says_what_to_do(sound: Path):
    report = verify_evidence(sound)
    assert report.verdict is EvidenceVerdict.INDETERMINATE
    assert [check.name for check in report.checks if check.state is CheckState.UNKNOWN] == ["authority"]
    assert "--trust" in told(report, "authority")


def test_an_authority_that_leads_to_none_of_the_trusted_ones_leaves_it_indeterminate(sound: Path):
    for trust in (TrustStore.of([TestAuthority.create("DEMONSTRATION Autre racine").certificate]), TrustStore(())):
        report = verify_evidence(sound, trust=trust)
        assert report.verdict is EvidenceVerdict.INDETERMINATE
        assert "aucune des autorités" in told(report, "authority")


def test_an_authority_that_lost_its_key_since_no_longer_proves_anything(tmp_path: Path, package: Package):
    with stamping(tmp_path / "tsa") as (tsa, _):
        prove(Notary(tsa).evidence(package), tmp_path / "evidence.zip")
    number = tsa._credential.certificate.serial_number
    for revoked, verdict in (({}, EvidenceVerdict.VALID), ({number: clock.now()}, EvidenceVerdict.INVALID)):
        listing = TestAuthority.open(tmp_path / "tsa").revocations(revoked)
        report = verify_evidence(tmp_path / "evidence.zip", trust=TrustStore.of([tsa.anchor], [listing]))
        assert (report.verdict, failed(report)) == (verdict, ["authority"] if revoked else [])
        assert "ni liste de révocation" not in told(report, "authority")


def test_a_trusted_authority_of_which_no_list_speaks_is_said_to_be_such(sound: Path, notary: Notary):
    assert "ni liste de révocation" in told(verify_evidence(sound, trust=notary.trust), "authority")


@pytest.fixture
def spoken_of(tmp_path: Path, package: Package) -> tuple[Evidence, TrustStore]:
    """Evidence with a list and an answer about its authority, neither of which revokes it."""
    with stamping(tmp_path / "tsa") as (tsa, _):
        evidence = Notary(tsa).evidence(package)
    issuer = TestAuthority.open(tmp_path / "tsa")
    listing = issuer.revocations({}).public_bytes(Encoding.DER)
    answer = Holder(issuer.key, issuer.certificate).answer(tsa._credential.certificate, issuer.certificate)
    return replace(evidence, lists=(listing,), answers=(answer,)), TrustStore.of([tsa.anchor])


def test_lists_and_answers_that_came_with_the_evidence_are_used_to_verify_it(
    spoken_of: tuple[Evidence, TrustStore], tmp_path: Path
):
    evidence, trust = spoken_of
    for told_by in (evidence, replace(evidence, lists=())):
        prove(told_by, tmp_path / "e.zip")
        report = verify_evidence(tmp_path / "e.zip", trust=trust)
        assert report.verdict is EvidenceVerdict.VALID
        assert "ni liste de révocation" not in told(report, "authority")
    prove(evidence, tmp_path / "e.zip")
    members = contents(tmp_path / "e.zip")
    assert [name for name in members if name.startswith("revocations/")] == ["revocations/01.crl", "revocations/02.ors"]
    with zipfile.ZipFile(tmp_path / "e.zip") as zipped:
        zipped.extractall(tmp_path / "by_hand")
    commands = re.findall(r"^    (openssl .*revocations.*)$", members["README.txt"].decode(), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        subprocess.run(["bash", "-ec", command], check=True, capture_output=True, cwd=tmp_path / "by_hand")


def test_lists_and_answers_out_of_their_places_or_that_are_none_make_no_evidence(
    spoken_of: tuple[Evidence, TrustStore], tmp_path: Path
):
    evidence, trust = spoken_of
    prove(evidence, tmp_path / "e.zip")
    members = contents(tmp_path / "e.zip")
    kept = {name: data for name, data in members.items() if not name.startswith("revocations/")}
    for names in (("revocations/01.ors", "revocations/02.crl"), ("revocations/02.crl",), ("revocations/01.txt",)):
        forged(tmp_path / "f.zip", kept | dict.fromkeys(names, members["revocations/01.crl"]))
        assert failed(verify_evidence(tmp_path / "f.zip", trust=trust)) == ["members"], names
    forged(tmp_path / "f.zip", members | {"revocations/01.crl": b"x"})
    assert failed(verify_evidence(tmp_path / "f.zip", trust=trust)) == ["authority", "validity"]
    with pytest.raises(BrokenChain):
        prove(replace(evidence, lists=evidence.lists * 16), tmp_path / "g.zip")


def test_a_token_that_outlived_its_certificate_no_longer_proves_by_itself(
    sound: Path, notary: Notary, monkeypatch: pytest.MonkeyPatch
):
    ends = notary.tsa._credential.certificate.not_valid_after_utc
    for day, verdict, state in (
        (ends, EvidenceVerdict.VALID, CheckState.OK),
        (ends + timedelta(seconds=1), EvidenceVerdict.INDETERMINATE, CheckState.UNKNOWN),
        (ends + timedelta(days=7000), EvidenceVerdict.INDETERMINATE, CheckState.UNKNOWN),
    ):
        monkeypatch.setattr(verification, "now", lambda day=day: day)
        report = verify_evidence(sound, trust=notary.trust)
        assert (report.verdict, report.checks[-1].name, report.checks[-1].state) == (verdict, "validity", state)
        assert report.facts["holds_until"] == clock.iso(ends)
    assert "enregistrement de preuve" in report.checks[-1].message


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
        assert len(report.checks) == 8


def test_a_part_missing_added_or_out_of_place_is_invalid(sound: Path, notary: Notary, tmp_path: Path):
    members = contents(sound)
    target = tmp_path / "f.zip"
    for name in members.keys() - {"SHA256SUMS", "certificates/01.pem"}:
        forged(target, {key: data for key, data in members.items() if key != name})
        assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]
    first = {"extra.txt": b""}
    forged(target, first | members)
    assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]
    forged(target, dict(sorted(members.items())))
    assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]
    forged(target, {**members, "README.txt": b"Tout va bien."}, consistent=False)
    assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]


def test_what_a_newer_form_adds_at_the_end_is_told_and_leaves_the_verdict_open(sound: Path, notary: Notary, tmp_path: Path):
    members, target, newer = contents(sound), tmp_path / "f.zip", {"renewals/01.ers": b"x" * (2 << 20), "form.json": b"{}"}
    report = verify_evidence(forged(target, members | newer), trust=notary.trust)
    assert report.verdict is EvidenceVerdict.INDETERMINATE
    assert [check.name for check in report.checks if check.state is not CheckState.OK] == ["members"]
    assert "renewals/01.ers, form.json" in told(report, "members")
    assert "version plus récente" in told(report, "members")
    for name in ("package.zip", "leaf.json", "proof.json", "head.json", "token.der"):
        forged(target, members | newer | {name: flipped(members[name])})
        assert verify_evidence(target, trust=notary.trust).verdict is EvidenceVerdict.INVALID, name


def test_what_a_newer_form_adds_is_held_against_the_list_of_digests_and_stands_nowhere_else(
    sound: Path, notary: Notary, tmp_path: Path
):
    members, target, newer = contents(sound), tmp_path / "f.zip", {"renewals/01.ers": b"x"}
    unlisted = members | newer
    altered = unlisted | {"SHA256SUMS": sums([Stored("renewals/01.ers", hashlib.sha256(b"y").hexdigest(), 1)])}
    early = {name: members[name] for name in members if name != "certificates/01.pem"} | newer
    for found, consistent in (
        (unlisted, False),
        (altered, False),
        (early | {"certificates/01.pem": members["certificates/01.pem"]}, True),
        (members | {"certificates/newer.pem": b"x"}, True),
        (members | {"Revocations/03.crl": b"x"}, True),
    ):
        forged(target, found, consistent=consistent)
        assert failed(verify_evidence(target, trust=notary.trust)) == ["members"]
    forged(target, members | {f"newer/{rank}": b"" for rank in range(100)})
    assert failed(verify_evidence(target, trust=notary.trust)) == ["container"]
    with stored_zip(target, AT) as zipped:  # after the list of digests
        for name, data in (members | newer).items():
            zipped.add(name, data)
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


def with_manifest(package: Package, path: Path, old: bytes, new: bytes) -> Package:
    """The package with another manifest, sealed as it then is."""
    members = contents(package.path)
    changed = members["manifest.xml"].replace(old, new)
    assert changed != members["manifest.xml"]
    with stored_zip(path, AT) as zipped:
        for name, data in (members | {"manifest.xml": changed}).items():
            zipped.add(name, data)
    return replace(package, path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_evidence_is_not_held_against_what_is_asked_of_manifests_on_the_day_of_its_verification(
    notary: Notary, package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    versions = b"</ClassificationRuleCodeListVersion>"
    looser = versions + b"<HoldRuleCodeListVersion>1</HoldRuleCodeListVersion>"
    for name, sealed in (("ours", package), ("looser", with_manifest(package, tmp_path / "looser-aip.zip", versions, looser))):
        prove(notary.evidence(sealed), tmp_path / f"{name}.zip")
        assert verify_evidence(tmp_path / f"{name}.zip", trust=notary.trust).verdict is EvidenceVerdict.VALID, name
    assert check_package(tmp_path / "looser-aip.zip")  # it would not be taken today with the schemas that are built in
    monkeypatch.setattr(rules, "_BROKEN", rules._BROKEN | {"SHA-256"})
    assert check_package(package.path)
    assert verify_evidence(tmp_path / "ours.zip", trust=notary.trust).verdict is EvidenceVerdict.VALID


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'algorithm="SHA-256"', b'algorithm="SHA-0"', "empreinte lisible"),
        (b"<ArchiveTransfer", b"<!DOCTYPE a><ArchiveTransfer", "ne se lit pas"),
        (b"</ArchiveTransfer>", b"", "ne se lit pas"),
    ],
)
def test_a_manifest_that_says_nothing_of_its_files_makes_no_evidence(
    old: bytes, new: bytes, words: str, notary: Notary, package: Package, tmp_path: Path
):
    prove(notary.evidence(with_manifest(package, tmp_path / "changed-aip.zip", old, new)), tmp_path / "e.zip")
    report = verify_evidence(tmp_path / "e.zip", trust=notary.trust)
    assert failed(report) == ["files"]
    assert words in told(report, "files")


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
