"""``tabellion archive audit``: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli import archive_audit
from archive.watch.audits import AuditKind
from archive.watch.incidents import Kind
from core.errors import UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.s3_server import S3Server
from tests.bit_flips import flip
from tests.conftest import on_one_shape
from tests.kept_records import SECOND, seal, with_second_place

pytestmark = on_one_shape


@pytest.fixture
def kept(platform: Platform, s3: S3Server, mairie: Organisation, monkeypatch: pytest.MonkeyPatch) -> Platform:
    assert mairie.parent_id
    watched = with_second_place(platform, s3)
    monkeypatch.setattr(archive_audit, "operators_platform", lambda: watched)
    return watched


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("whole", [True, False])
def test_it_ends_well_until_something_is_wrong_and_then_names_it(
    kept: Platform, mairie: Organisation, s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bool
) -> None:
    record = seal(kept, mairie, tmp_path)
    assert archive_audit.audit(place=None, kinds=[], whole=whole, as_json=True) == 0
    told = lines(capsys)
    assert [(one["audit"], one["place"]) for one in told] == [
        ("existence", "principal"),
        ("existence", SECOND),
        ("integrity", "principal"),
        ("integrity", SECOND),
        ("papers", "principal"),
        ("papers", SECOND),
        ("consistency", ""),
        ("journal", ""),
    ]
    assert {one["wrong"] for one in told} == {0}
    assert {one["ended"] for one in told if one["audit"] == "integrity"} == {whole}
    content = (tmp_path / f"{record.id}.zip").read_bytes()
    flip(s3, content, 5, bucket=kept.further[0].store.archive)
    assert archive_audit.audit(place=SECOND, kinds=["integrity"], whole=whole, as_json=True) == 1
    wrong, summary = lines(capsys)
    assert (wrong["wrong"], wrong["place"], wrong["subject"]) == (Kind.COPY_ALTERED, SECOND, record.key)
    assert summary == {
        "audit": "integrity",
        "place": SECOND,
        "looked": 1,
        "bytes": record.size,
        "wrong": 1,
        "ended": whole,
    }
    assert archive_audit.audit(place="principal", kinds=["integrity"], whole=whole, as_json=False) == 0
    assert "Aucune anomalie" in capsys.readouterr().out


def test_a_silent_place_is_told_and_the_others_are_audited(
    kept: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    object.__setattr__(kept.further[0], "store", S3Server(tmp_path / "down").store("nowhere"))
    assert archive_audit.audit(place=None, kinds=["existence"], whole=True, as_json=False) == 1
    printed = capsys.readouterr()
    assert "Lieu injoignable" in printed.out
    assert "Présence (principal)" in printed.out
    assert "Présence (second)" in printed.err


def test_a_place_or_a_kind_that_there_is_not_is_said_with_those_there_are(kept: Platform) -> None:
    assert kept
    with pytest.raises(UsageError, match=f"principal, {SECOND}"):
        archive_audit.audit(place="ailleurs", kinds=[], whole=False, as_json=False)
    with pytest.raises(UsageError, match=", ".join(AuditKind)):
        archive_audit.audit(place=None, kinds=["tout"], whole=False, as_json=False)
