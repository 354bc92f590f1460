"""That the journal was only ever continued is proved in one file, which a person verifies with a shell, and no forgery passes."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from archive.models import TreeHead
from archive.proof import consistency, heads, outside, verification
from archive.proof.consistency import consistency_of, is_consistency, verify_consistency, write_consistency
from archive.proof.resealing import reseal
from archive.proof.verification import CheckState, EvidenceVerdict
from archive.stored_zip import stored_zip
from core.errors import NotFound, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.heads import send_last
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.archive_samples import AT
from tests.conftest import on_one_shape
from tests.journals import cut, quiet
from tests.mail_sink import mail_sink

SIZES = (3, 4, 7, 8, 13)


@pytest.fixture
def trust(authority: Callable[[str], TsaSimulator]) -> TrustStore:
    return TrustStore.of([authority("tsa").anchor])


@pytest.fixture
def stamps(authority: Callable[[str], TsaSimulator], trust: TrustStore) -> TimestampClient:
    return TimestampClient(AuthoritySettings(urls=[authority("tsa").url]), trust)


@pytest.fixture
def kept(platform: Platform, mairie: Organisation, stamps: TimestampClient) -> Platform:
    before = 0
    for size in SIZES:
        assert cut(platform, mairie.id, size - before, stamps) == size
        before = size
    return platform


@on_one_shape
def test_every_pair_of_heads_is_proved_and_the_same_commands_by_hand_give_both_roots(
    kept: Platform, trust: TrustStore, tmp_path: Path
) -> None:
    for first in SIZES:
        for second in (size for size in SIZES if size >= first):
            target = tmp_path / f"{first}-{second}.zip"
            write_consistency(consistency_of(kept, first, second), target)
            assert is_consistency(target)
            report = verify_consistency(target, trust=trust)
            assert report.verdict is EvidenceVerdict.VALID, (first, second)
            assert [check.name for check in report.checks] == [
                "members",
                "consistency",
                *("timestamp", "authority", "validity") * 2,
            ]
            assert verify_consistency(target).verdict is EvidenceVerdict.INDETERMINATE
            with zipfile.ZipFile(target) as zipped:
                guide = zipped.read("README.txt").decode()
                roots = [json.loads(zipped.read(f"{part}/head.json"))["root"] for part in ("first", "second")]
            commands = re.findall(r"^    ([ab]=.*|echo \"\$a\".*)$", guide, re.MULTILINE)
            shown = subprocess.run(["bash", "-ec", "\n".join(commands)], check=True, capture_output=True, text=True)
            assert shown.stdout.split() == roots, (first, second)


@on_one_shape
def test_no_flipped_bit_of_a_proof_passes_nor_a_member_of_another(kept: Platform, trust: TrustStore, tmp_path: Path) -> None:
    target, other = tmp_path / "p.zip", tmp_path / "q.zip"
    write_consistency(consistency_of(kept, 4, 13), target)
    write_consistency(consistency_of(kept, 3, 8), other)
    data = target.read_bytes()
    for position in range(0, len(data), 61):
        altered = bytearray(data)
        altered[position] ^= 1
        (tmp_path / "a.zip").write_bytes(altered)
        assert verify_consistency(tmp_path / "a.zip", trust=trust).verdict is EvidenceVerdict.INVALID, position
    ours, theirs = (members(path) for path in (target, other))
    for name in ("consistency.json", "first/head.json", "first/token.der", "second/head.json", "second/token.der"):
        forged = ours | {name: theirs[name]}
        with stored_zip(tmp_path / "f.zip", AT) as zipped:
            stored = [zipped.add(key, value) for key, value in forged.items() if key != "SHA256SUMS"]
            zipped.add("SHA256SUMS", consistency.sums(stored))
        assert verify_consistency(tmp_path / "f.zip", trust=trust).verdict is EvidenceVerdict.INVALID, name


@on_one_shape
def test_a_head_whose_token_outlived_its_certificate_is_compared_with_a_copy_of_it(
    kept: Platform, authority: Callable[[str], TsaSimulator], trust: TrustStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_consistency(consistency_of(kept, 4, 13), tmp_path / "p.zip")
    ends = authority("tsa")._credential.certificate.not_valid_after_utc
    monkeypatch.setattr(verification, "now", lambda: ends + timedelta(days=1))
    report = verify_consistency(tmp_path / "p.zip", trust=trust)
    assert report.verdict is EvidenceVerdict.INDETERMINATE
    aged = [check for check in report.checks if check.state is CheckState.UNKNOWN]
    assert [check.name for check in aged] == ["validity", "validity"]
    assert "un exemplaire gardé" in aged[0].message


@on_one_shape
def test_a_head_of_another_journal_is_not_the_beginning_of_this_one_though_its_token_is_good(
    kept: Platform, stamps: TimestampClient, trust: TrustStore, tmp_path: Path
) -> None:
    proof = consistency_of(kept, 4, 13)
    other = replace(proof.first.head, root=bytes(32))
    forged = replace(proof.first, head=other, token=stamps.stamp(other.digest()).token)
    write_consistency(replace(proof, first=forged), tmp_path / "p.zip")
    report = verify_consistency(tmp_path / "p.zip", trust=trust)
    assert [check.name for check in report.checks if check.state is CheckState.FAILED] == ["consistency"]


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


@on_one_shape
def test_what_cannot_be_proved_is_said(kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path) -> None:
    for sizes in ((7, 4), (0, 4)):
        with pytest.raises(UsageError, match="le plus ancien"):
            consistency_of(kept, *sizes)
    with pytest.raises(NotFound, match="à 5 inscriptions"):
        consistency_of(kept, 4, 5)
    later = reseal(kept, "SHA-512", stamps, quiet).head
    assert later is not None
    with pytest.raises(UsageError, match="SHA-256 à SHA-512"):
        consistency_of(kept, 4, later)
    newest = cut(kept, mairie.id, 2, stamps)
    write_consistency(consistency_of(kept, later, newest), tmp_path / "p.zip")
    assert all(check.state is not CheckState.FAILED for check in verify_consistency(tmp_path / "p.zip").checks)


@on_one_shape
@pytest.mark.parametrize("settings_changes", [{"heads_dir": Path("heads")}])
def test_each_head_is_written_once_to_the_folder_outside_and_never_replaced(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (outside.write_due(kept), outside.write_due(kept)) == (len(SIZES), 0)
    folder = tmp_path / "heads"
    assert sorted(path.name for path in folder.iterdir()) == [outside.name_of(size) for size in SIZES]
    with kept.database.reading(PLATFORM) as session:
        row = session.get_one(TreeHead, 7)
    found = members(folder / outside.name_of(7))
    assert (found["head.json"], found["token.der"]) == (row.head, row.token)
    size = cut(kept, mairie.id, 1, stamps)
    (folder / outside.name_of(size)).write_bytes(b"kept")
    assert outside.write_due(kept) == 0
    monkeypatch.setattr(outside, "_due", lambda *_: [row])  # two processes at once
    with pytest.raises(FileExistsError):
        outside.write_due(kept)
    assert (folder / outside.name_of(size)).read_bytes() == b"kept"
    assert not list(folder.glob(".head-*"))


@on_one_shape
def test_the_last_head_is_sent_to_whoever_keeps_it(
    platform: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    assert send_last(platform) is False
    with mail_sink(tmp_path / "sink") as sink:
        changes = {"heads_mail": "archives@departement.example", "mail_from": "tabellion@example.org", "smtp_url": sink.url}
        told = Platform(
            platform.settings.model_copy(update=changes), platform.database, platform.objects, platform.secrets, platform.further
        )
        assert send_last(told) is False
        size = cut(platform, mairie.id, 2, stamps)
        assert send_last(told) is True
        (message,) = sink.to("archives@departement.example")
    (attached,) = message.iter_attachments()
    (tmp_path / "head.zip").write_bytes(attached.get_content())
    with platform.database.reading(PLATFORM) as session:
        (row,) = session.exec(select(TreeHead)).all()
        assert heads.last_anchor(session) == row.stamped
    assert members(tmp_path / "head.zip")["head.json"] == row.head
    assert str(size) in message["Subject"]
