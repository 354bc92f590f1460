"""Each part of the platform keeps its database from whoever would have it alone, for as long as it runs."""

from __future__ import annotations

from contextlib import closing, nullcontext

import pytest
import uvicorn

from api import runtime
from api.cli import parts
from core import presence
from core.database import Database
from core.errors import Conflict
from core.platform import Platform
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
