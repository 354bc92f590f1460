"""A head is not cut under a time that one of the two clocks has wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlmodel import select

from archive.models import TreeHead
from archive.proof import heads
from core import clock, journal
from core.errors import NeedsOperator
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import Timestamp
from tests.conftest import on_one_shape


@dataclass(frozen=True)
class Authority:
    """An authority whose clock is ahead of ours, or behind."""

    ahead: timedelta

    def stamp(self, digest: bytes, hash_name: str = "sha256") -> Timestamp:
        moment = (clock.now() + self.ahead).replace(microsecond=0)
        return Timestamp(b"token", moment, 1, "1.2.3", "Horodatage", hash_name, digest)


@on_one_shape
def test_a_head_waits_until_the_clocks_of_the_platform_and_of_the_authority_agree(
    platform: Platform, mairie: Organisation
) -> None:
    with platform.database.writing(PLATFORM) as session:
        journal.write(session, organisation_id=mairie.id, kind="test.happened", actor="platform")
    for ahead in (timedelta(minutes=5), timedelta(seconds=-30)):
        with pytest.raises(NeedsOperator, match=r"diffèrent de \d+"):
            heads.cut(platform, Authority(ahead))
    with platform.database.reading(PLATFORM) as session:
        assert session.exec(select(TreeHead)).all() == []
    cut = heads.cut(platform, Authority(timedelta(seconds=-3)))
    assert cut is not None
