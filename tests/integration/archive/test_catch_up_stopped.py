"""Catching up that is refused writes nothing; one that is killed goes on when it is begun again, and ends the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from archive.elimination.concluding import ENDED
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import ELIMINATED, Outcome, State
from archive.finding.models import IndexedRecord, RecordState
from archive.models import Record, RecordCopy, RecordFile, TreeSegment
from archive.proof import heads, outside
from archive.proof.segment_file import SegmentAltered
from archive.rebuilding import journal as rebuilding_journal
from core import clock, journal
from core.blobs import SealedObject
from core.database import Database, ScopedSession
from core.errors import Conflict
from core.journal import JournalEntry
from core.locked_objects import LockedObjects
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.engine.models import Dossier
from signing.timestamp.client import TimestampClient
from tests.conftest import on_one_shape
from tests.journals import tampering, write_entries
from tests.kept_records import seal
from tests.rebuilt import copied
from tests.replicated import KilledError
from tests.restored import advance, caught_up, deposited, dossier_of, kinds_beyond, proven, restored


def _killing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the process die before it writes once more than so often; return what sets how often."""
    writing, left = Database.writing, 0

    def dying(self: Database, principal: Principal) -> AbstractContextManager[ScopedSession]:
        nonlocal left
        if left == 0:
            raise KilledError
        left -= 1
        return writing(self, principal)

    def allow(count: int) -> None:
        nonlocal left
        left = count

    monkeypatch.setattr(Database, "writing", dying)
    return allow


@on_one_shape
def test_killed_again_and_again_it_ends_as_if_it_never_had_been(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_before = seal(kept, mairie, tmp_path)
    moves = deposited(kept, mairie, "bouge")
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        advance(kept, moves, "accepted")
        seal(kept, mairie, tmp_path)
        copied(kept, stamps)
        advance(kept, moves, "sealed")
        seal(kept, mairie, tmp_path)
        late = deposited(kept, mairie, "tardif")
        copied(kept, stamps)
        before = proven(kept)
        beyond, left = seal(kept, mairie, tmp_path), seal(kept, mairie, tmp_path)  # after the last head: packages alone are known
        with backup.database.writing(PLATFORM) as session:
            told = {"organisation_id": mairie.id, "flow": "helios", "title": "scelle", "state": "acquitted"}
            session.add(Dossier(id=left.dossier_id, **told))
        monkeypatch.setattr(rebuilding_journal, "_AT_ONCE", 2)
        with monkeypatch.context() as patch:
            allow = _killing(patch)
            for budget in itertools.count(1):
                allow(budget)
                try:
                    done = caught_up(backup)
                except KilledError:
                    continue
                break

        assert budget > 3
        assert (done.records, done.anew, done.unknown) == (2, 1, ())
        assert caught_up(backup) == done
        after = proven(backup)
        for name in ("JournalEntry", "TreeLeaf", "TreeNode"):
            assert after[name].items() >= before[name].items(), name
        assert after["heads"] == before["heads"]
        own = ["journal.caught_up", "dossier.overtaken", "record.sealed"]
        assert kinds_beyond(backup, before["JournalEntry"]) == own
        with backup.database.reading(PLATFORM) as session:
            keys = {record.key for record in session.exec(select(Record))}
        assert {copied_before.key, beyond.key} < keys and len(keys) == 4
        assert left.key not in keys  # its dossier is there, and finds it where it stands
        parked = dossier_of(backup, moves)
        assert parked is not None and parked.parked is not None and dossier_of(backup, late) is None


@dataclass
class Scene:
    """What happened, and the backup that does not know of it."""

    kept: Platform
    backup: Platform
    stamps: TimestampClient
    patch: pytest.MonkeyPatch


def _tampered(scene: Scene) -> None:
    """The last segment holds other bytes in every place."""
    with scene.kept.database.reading(PLATFORM) as session:
        last = session.exec(select(TreeSegment).order_by(col(TreeSegment.size).desc()).limit(1)).one()
    fetch = LockedObjects.fetch_sealed

    def altered(self: LockedObjects, sealed: SealedObject, target: Path) -> None:
        fetch(self, sealed, target)
        if sealed.key == last.key:
            target.write_bytes(target.read_bytes().replace(b"test.happened", b"test.happenee"))

    scene.patch.setattr(LockedObjects, "fetch_sealed", altered)


def _of_another_past(scene: Scene) -> None:
    """The backup tells its first entry otherwise."""
    with tampering(scene.backup.database) as connection:
        connection.execute(text("UPDATE journal_entry SET actor = 'somebody' WHERE number = 1"))


def _of_another_present(scene: Scene) -> None:
    """The backup tells an entry otherwise that it had not given its place yet."""
    with tampering(scene.backup.database) as connection:
        connection.execute(text("UPDATE journal_entry SET actor = 'somebody' WHERE number = 3"))


def _gone_on(scene: Scene) -> None:
    """The platform was started on the backup, and wrote on."""
    with scene.backup.database.reading(PLATFORM) as session:
        owner = session.exec(select(JournalEntry.organisation_id)).first()
    assert owner is not None
    write_entries(scene.backup, owner, 1)
    heads.grow(scene.backup.database)


def _headed(scene: Scene) -> None:
    """The platform was started on the backup, and cut a head over what this knew already."""
    assert heads.cut(scene.backup, scene.stamps) is not None


def _otherwise_outside(scene: Scene) -> None:
    """The folder outside has another head of that size than the places."""
    folder = scene.kept.settings.state_dir / "heads"
    settings = scene.kept.settings.model_copy(update={"heads_dir": folder})
    outside.write_due(replace(scene.kept, settings=settings))
    first, *_, last = sorted(folder.iterdir())
    last.write_bytes(first.read_bytes())
    scene.backup = replace(scene.backup, settings=settings)


@pytest.mark.parametrize("shape", ["embedded"], indirect=True)  # of which a copy costs least
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (_tampered, SegmentAltered),
        (_of_another_past, Conflict),
        (_of_another_present, Conflict),
        (_gone_on, Conflict),
        (_headed, Conflict),
        (_otherwise_outside, Conflict),
    ],
    ids=["tampered", "another-past", "another-present", "gone-on", "headed", "outside"],
)
def test_what_does_not_hold_is_refused_before_anything_is_written(
    kept: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[Scene], None],
    error: type[Exception],
) -> None:
    write_entries(kept, mairie.id, 2)
    copied(kept, stamps)
    write_entries(kept, mairie.id, 2)
    with restored(kept, tmp_path) as backup:
        for _ in range(2):
            write_entries(kept, mairie.id, 2)
            copied(kept, stamps)
        scene = Scene(kept, backup, stamps, monkeypatch)
        wrong(scene)
        before = proven(backup)
        with pytest.raises(error):
            caught_up(scene.backup)
        assert proven(backup) == before


@on_one_shape
def test_what_was_eliminated_since_is_eliminated_and_its_line_says_so(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    gone, certificate = seal(kept, mairie, tmp_path), seal(kept, mairie, tmp_path)
    own = {"organisation_id": mairie.id}
    with kept.database.writing(PLATFORM) as session:
        listed = Elimination(**own, state=State.EXECUTING.value, as_of=clock.now().date(), kept=0, made_by="platform")
        session.add(listed)
        session.flush()
        due = {"status": "DESTROY", "chosen": True, "accepted": True, "outcome": Outcome.DUE.value}
        session.add(EliminationLine(**own, elimination_id=listed.id, record_id=gone.id, **due))
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        with kept.database.writing(PLATFORM) as session:
            facts = {"record": gone.id, "package_sha256": gone.sha256, "elimination": listed.id, "places": {"second": "absent"}}
            told = {**own, "actor": "platform"}
            journal.write(session, **told, kind=ELIMINATED, facts=facts)
            ended = {"elimination": listed.id, "record": certificate.id, "certificate": "0" * 64, "destroyed": 1}
            journal.write(session, **told, kind=ENDED, facts=ended)
        copied(kept, stamps)

        assert caught_up(backup).eliminated == 1

        with backup.database.reading(PLATFORM) as session:
            record = session.get_one(Record, gone.id)
            line = session.get_one(EliminationLine, (listed.id, gone.id))
            elimination = session.get_one(Elimination, listed.id)
            left = [session.exec(select(one).where(one.record_id == gone.id)).first() for one in (RecordFile, RecordCopy)]
            state = session.exec(select(IndexedRecord.state).where(IndexedRecord.record_id == gone.id)).one()
    assert (record.title, record.eliminated, left, state) == ("", line.settled, [None, None], RecordState.ELIMINATED)
    assert (line.outcome, line.result, gone.sha256 in line.contents) == (
        Outcome.DESTROYED,
        {"places": {"second": "absent"}},
        True,
    )
    assert (elimination.state, elimination.record_id) == (State.DONE, certificate.id)
