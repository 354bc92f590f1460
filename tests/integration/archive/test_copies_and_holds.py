"""A copy that is written later is held where the record is, and written once whoever writes it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from archive.models import Record
from archive.places.places import places_of
from archive.replication import rounds
from archive.retention import holds
from archive.watch import restoring
from core import clock
from core.locked_objects import LockedObject, LockedObjects
from core.organisations import Organisation
from core.places import PRINCIPAL
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from tests.conftest import on_one_shape
from tests.ended_records import today
from tests.kept_records import SECOND, seal, with_second_place
from tests.replicated import (
    copy_of,
    entries,
    standing,
)

pytestmark = on_one_shape


@pytest.mark.parametrize("moment", ["put before", "lifted before", "lifted meanwhile"])
def test_a_hold_that_was_put_or_lifted_without_the_source_knowing_is_told_to_all(
    platform: Platform,
    s3: S3Server,
    mairie: Organisation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    record = seal(platform, mairie, tmp_path)
    wanted = holds.Wanted("contentieux", "service juridique", today() + timedelta(days=1), (record.id,))
    with monkeypatch.context() as untold:
        if moment == "put before":
            untold.setattr(holds, "settle", lambda *_: 0)
        hold = holds.put(platform, PLATFORM, mairie.id, wanted)
        untold.setattr(holds, "settle", lambda *_: 0)
        if moment == "lifted before":
            holds.lift(platform, PLATFORM, hold, "clos")
    original = LockedObjects.seal

    def seal_while_it_is_lifted(self: LockedObjects, key: str, *args: object, **told: object) -> LockedObject:
        if moment == "lifted meanwhile" and key == record.key:
            holds.lift(platform, PLATFORM, hold, "clos")
        return original(self, key, *args, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(LockedObjects, "seal", seal_while_it_is_lifted)
    kept = with_second_place(platform, s3)
    rounds.go_on(kept)
    if moment == "lifted before":
        holds.settle_all(kept)
    for place in places_of(kept):
        stands = place.store.lock_of(record.key, copy_of(kept, record, place.name).version_id).held
        assert stands is (moment == "put before"), place.name


def test_two_who_write_the_same_copy_write_one(platform: Platform, s3: S3Server, mairie: Organisation, tmp_path: Path) -> None:
    record = seal(platform, mairie, tmp_path)
    kept = with_second_place(platform, s3)
    first, second = places_of(kept)
    package = tmp_path / "package.zip"
    taken = restoring.take(kept, record, {PRINCIPAL: copy_of(kept, record, PRINCIPAL).version_id}, package)
    assert taken.source == first
    written = {restoring.put(kept, record, second, package, taken, "platform") for _ in range(2)}
    assert (len(written), len(entries(kept, restoring.COPIED)), len(standing(second)[record.key])) == (1, 1, 1)
    again = [restoring.put(kept, record, second, package, taken, "platform", written.copy().pop()) for _ in range(2)]
    assert (len(set(again)), len(entries(kept, restoring.RESTORED)), len(standing(second)[record.key])) == (1, 1, 2)
    with kept.database.writing(PLATFORM) as session:
        session.get_one(Record, record.id).eliminated = clock.now()
    assert restoring.put(kept, record, second, package, taken, "platform", again[0]) is None
    assert copy_of(kept, record, SECOND).version_id == again[0]
