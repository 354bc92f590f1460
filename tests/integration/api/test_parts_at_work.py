"""Each part of the platform keeps its database from whoever would have it alone, for as long as it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
import uvicorn

from api import runtime
from api.cli import parts
from api.cli.output import FAULT, MISUSE, status_of
from core import allocator, logs, presence
from core.database import Database
from core.errors import Conflict, Misconfigured, Unavailable, UsageError
from core.platform import Platform
from core.secrets import SecretBox
from tests.conftest import on_one_shape


@on_one_shape
@pytest.mark.parametrize("part", [parts.web, lambda: parts.worker(None), parts.relay], ids=["web", "worker", "relay"])
def test_a_part_that_runs_is_at_work(platform: Platform, monkeypatch: pytest.MonkeyPatch, part: object) -> None:
    refused: list[str] = []

    def meanwhile(*_: object) -> None:
        with closing(Database(platform.database.url.render_as_string(hide_password=False))) as other:
            with pytest.raises(Conflict) as error, presence.alone(other):
                pass
            refused.append(str(error.value))

    monkeypatch.setattr(parts, "_opened", lambda: platform)
    monkeypatch.setattr(parts, "_distributed", lambda _settings: "memory://")
    monkeypatch.setattr(parts, "wait_for_the_end", meanwhile)
    monkeypatch.setattr(uvicorn.Server, "run", meanwhile)
    monkeypatch.setattr(runtime, "working", lambda *_, **__: nullcontext())
    assert callable(part)
    part()
    assert len(refused) == 1
    with presence.alone(platform.database):
        pass


@on_one_shape
def test_a_queue_on_which_nothing_is_done_is_refused_with_those_there_are(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_opened", lambda: platform)
    monkeypatch.setattr(parts, "_distributed", lambda _settings: "memory://")
    monkeypatch.setattr(parts, "wait_for_the_end", lambda: None)
    with pytest.raises(UsageError, match=r"nosuchqueue.*cpu.*remote\.chorus.*remote\.sae") as refused:
        parts.worker({"cpu", "nosuchqueue"})
    assert status_of(refused.value) == MISUSE
    parts.worker({"cpu", "remote.sae"})


@on_one_shape
def test_a_database_on_which_somebody_is_at_work_is_not_migrated(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABELLION_DATABASE_URL", platform.database.url.render_as_string(hide_password=False))
    other = Database(platform.database.url.render_as_string(hide_password=False))
    with closing(other), presence.at_work(other), pytest.raises(Conflict, match="un ouvrier"):
        parts.upgrade_database()
    parts.upgrade_database()


@pytest.mark.parametrize("part", [parts.web, parts.upgrade_database], ids=["web", "db upgrade"])
def test_a_deployment_without_a_database_is_refused_before_a_file_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: Callable[[], None]
) -> None:
    monkeypatch.setenv("TABELLION_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("TABELLION_S3_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(logs, "configure", lambda: None)
    monkeypatch.setattr(allocator, "give_back", lambda: None)
    with pytest.raises(Misconfigured, match="TABELLION_DATABASE_URL"):
        part()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", [parts.web, lambda: parts.worker(None), parts.relay], ids=["web", "worker", "relay"])
def test_a_part_whose_database_is_away_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: Callable[[], None]) -> None:
    key = tmp_path / "secret.key"
    SecretBox.created_at(key)
    values = {"S3_ENDPOINT": "http://127.0.0.1:1", "SECRET_KEY_FILE": key, "DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}
    values |= {"S3_ACCESS_KEY": "k", "S3_SECRET_KEY": "s"}
    for name, value in values.items():
        monkeypatch.setenv(f"TABELLION_{name}", str(value))
    monkeypatch.setattr(logs, "configure", lambda: None)
    monkeypatch.setattr(allocator, "give_back", lambda: None)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/x") as told:
        part()
    assert (status_of(told.value), "secret" in str(told.value)) == (FAULT, False)
