"""How catching up comes to its end: after the platform was at work meanwhile, with what was decided, and numbers given, since."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from api.cli import archive_catch_up, archive_rebuild
from api.cli.archive_rebuild import Counting
from api.cli.doctor_archive import archive
from api.pastell import numbers as pastell
from api.s2low import numbers as s2low
from archive.elimination import deciding, executing, lists
from archive.elimination.analysis import Criteria
from archive.elimination.deciding import Visa
from archive.elimination.states import Outcome
from archive.models import Record, RecordCopy
from archive.proof import marks
from archive.rebuilding import catching_up, tail
from archive.retention import holds
from archive.watch import consistency, restoring
from core import clock, journal, presence
from core.database import Database
from core.errors import Conflict
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import numbering
from flows.actes.models import ActesMessage
from signing.timestamp.client import TimestampClient
from tests.conftest import on_one_shape
from tests.ended_records import elimination, ended, lines_of, people_of, record, run_until, today
from tests.kept_records import SECOND, seal
from tests.rebuilt import copied
from tests.replicated import KilledError
from tests.restored import caught_up, deposited, kinds_beyond, proven, restored
from tests.waiting import wait_until

MOMENTS = {"made", "proposed", "agreed", "visa", "ordered"}  # some of which the journal tells a few milliseconds later


@on_one_shape
def test_one_that_has_no_end_is_gone_on_with_after_the_platform_was_at_work(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        new = seal(kept, mairie, tmp_path)
        holds.put(kept, PLATFORM, mairie.id, holds.Wanted("contentieux", "juridique", today() + timedelta(days=1), (old.id,)))
        restoring.restore(kept, old.id, SECOND, "principal", "platform")
        copied(kept, stamps)
        beyond = seal(kept, mairie, tmp_path)  # after the last head: its package alone is known
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(catching_up, "_derive", _dying)
            caught_up(backup)

        own = seal(backup, mairie, tmp_path, dossier=deposited(backup, mairie, "vit"))  # the platform was started
        later = restoring.restore(backup, old.id, SECOND, "principal", "platform")
        with backup.database.writing(PLATFORM) as session:
            session.get_one(RecordCopy, (old.id, SECOND)).checked = audited = clock.now()
        copied(backup, stamps)
        assert _journal_line(backup) == (False, True)

        done = caught_up(backup)
        assert done.mark is not None
        told = done.mark.facts["size"] - done.mark.facts["known"]
        assert (done.entries, done.records, done.holds, done.anew, done.unknown) == (told, 1, 1, 1, ())
        with backup.database.reading(PLATFORM) as session:
            records = list(session.exec(select(Record)))
            copy = session.get_one(RecordCopy, (old.id, SECOND))
        assert (copy.version_id, copy.checked) == (later, audited)
        assert {one.key for one in records} == {one.key for one in (old, new, beyond, own)}
        assert [trouble for one in records for trouble in consistency.compared(backup, one)] == []
        assert caught_up(backup) == done  # until it is ended

        with backup.database.writing(PLATFORM) as session:
            tail.end(session)
        assert _journal_line(backup) == (True, False)
        assert caught_up(backup).mark is None


def _dying(*_arguments: object) -> None:
    raise KilledError


def _journal_line(platform: Platform) -> tuple[bool, bool]:
    """Whether ``doctor`` finds the journal in the places well, and whether it asks for the catching up."""
    (line,) = (line for line in archive(platform) if line.part == "Journal dans les lieux")
    return line.well, "catch-up" in line.mend


@on_one_shape
def test_what_was_decided_of_an_elimination_since_is_gone_on_with(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = people_of(kept, mairie)
    *_, spared = (ended(kept, mairie, tmp_path) for _ in range(3))
    listed, given_up = (lists.make(kept, people.archivist, mairie.id, today(), Criteria()) for _ in range(2))
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        lists.abandon(kept, people.archivist, given_up)
        deciding.propose(kept, people.archivist, listed)
        deciding.agree(kept, people.mayor, listed)
        deciding.give_visa(kept, people.state, listed, Visa("AD99-2026-7", frozenset({spared.id})))
        deciding.order(kept, people.archivist, listed)
        monkeypatch.setattr(executing, "_AT_ONCE", 1)
        wait_until(lambda: _one_is_destroyed(kept, listed))
        copied(kept, stamps)

        assert caught_up(backup).eliminated == 1

        assert [_said(backup, one) for one in (listed, given_up)] == [_said(kept, one) for one in (listed, given_up)]
        assert sorted(_outcomes(backup, listed)) == ["", "", "destroyed"]
        with pytest.raises(Conflict):
            lists.abandon(backup, people.archivist, listed)
        run_until(backup, listed)
        assert sorted(_outcomes(backup, listed)) == ["", "destroyed", "destroyed"]
        assert record(backup, spared.id).eliminated is None


@on_one_shape
def test_a_list_that_was_proposed_again_after_a_first_restoration_bears_the_visa_that_followed_the_second_proposal(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    people, folder = people_of(kept, mairie), tmp_path / "again"
    folder.mkdir()
    ended(kept, mairie, tmp_path)
    listed = lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup, restored(backup, folder) as first:
        for platform in (kept, first):  # the second time on the backup, to which no visa had told what went before
            if platform is first:
                caught_up(first)
                with first.database.writing(PLATFORM) as session:
                    tail.end(session)
            deciding.propose(platform, people.archivist, listed)
            deciding.agree(platform, people.mayor, listed)
            copied(platform, stamps)
        deciding.give_visa(first, people.state, listed, Visa("AD99-2026-7"))
        copied(first, stamps)

        done = caught_up(backup)

        assert _said(backup, listed) == _said(first, listed)
        earlier, again = elimination(kept, listed).agreed, elimination(backup, listed).proposed
        assert earlier is not None and again is not None and earlier < again
        assert caught_up(backup) == done


def _one_is_destroyed(platform: Platform, elimination_id: str) -> bool:
    executing.run(platform)
    return Outcome.DESTROYED in _outcomes(platform, elimination_id)


def _outcomes(platform: Platform, elimination_id: str) -> list[str]:
    return [line.outcome for line in lines_of(platform, elimination_id).values()]


def _said(platform: Platform, elimination_id: str) -> tuple[dict[str, object], dict[str, tuple[bool, bool | None]]]:
    """What is said of a list, and which of its lines are chosen, and accepted."""
    lines = {one: (line.chosen, line.accepted) for one, line in lines_of(platform, elimination_id).items()}
    return elimination(platform, elimination_id).model_dump(exclude=MOMENTS), lines


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_no_number_that_was_given_since_is_given_again(
    kept: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dossier = deposited(kept, mairie, "acte")
    said: dict[str, Any] = {"organisation_id": mairie.id, "dossier_id": dossier, "id_acte": "", "outgoing": True, "state": "sent"}
    messages = [ActesMessage(**said, code=code, actor="platform") for code in ("1-1", "2-2")]
    with kept.database.writing(PLATFORM) as session:
        session.add_all(messages)
    known = s2low.number_of(kept, messages[0])
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        before, siren, day = proven(backup), str(mairie.siren), today()
        with kept.database.writing(PLATFORM) as session:
            told: dict[str, Any] = {"organisation_id": mairie.id, "kind": "actes.pack.packed", "actor": "platform"}
            journal.write(session, **told, facts={"envelope": f"EACT--{siren}--{day:%Y%m%d}-7"})
            other = {"envelope": f"EACT--{siren}--{day - timedelta(days=1):%Y%m%d}-9999"}
            journal.write(session, **told, facts=other)
        copied(kept, stamps)
        monkeypatch.setattr(archive_catch_up, "stopped_platform", lambda: nullcontext(backup))
        monkeypatch.setattr(archive_rebuild, "_TOLD_EVERY", 1)

        assert archive_catch_up.catch_up(as_json=False) == 0

        shown = capsys.readouterr().out
        assert [words in shown for words in ("inscriptions relues", "objets des lieux")] == [True, True]
        assert kinds_beyond(backup, before["JournalEntry"]).count(marks.CAUGHT_UP_ENDED) == 1
        with backup.database.writing(PLATFORM) as session:
            assert numbering.next_number(session, siren, day) == 7 + numbering._LOST + 1
        assert s2low.number_of(backup, messages[1]) > known + archive_catch_up._PASSED_OVER
        (number,) = pastell.numbers_of(backup, {mairie.id: mairie.id}).values()
        assert number > archive_catch_up._PASSED_OVER
        assert archive_catch_up.catch_up(as_json=False) == 0  # tells the same again, and gives nothing more away
        with backup.database.writing(PLATFORM) as session:
            assert numbering.next_number(session, siren, day) == 7 + numbering._LOST + 2


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
@pytest.mark.parametrize("command", [archive_catch_up.catch_up, archive_rebuild.rebuild], ids=["catch-up", "rebuild"])
def test_it_is_refused_while_a_part_of_the_platform_serves_the_database_though_idle(
    kept: Platform, monkeypatch: pytest.MonkeyPatch, command: Callable[..., int]
) -> None:
    settings = kept.settings.model_copy(update={"s3_endpoint": "https://s3.example"})
    monkeypatch.setattr(archive_rebuild, "load_settings", lambda: settings)
    with closing(Database(kept.database.url.render_as_string(hide_password=False))) as other:
        monkeypatch.setattr(archive_rebuild, "open_platform", lambda _settings: replace(kept, database=other))
        before = proven(kept)
        with presence.at_work(kept.database), pytest.raises(Conflict, match="un ouvrier"):
            command(as_json=True)
        assert proven(kept) == before


def test_it_is_told_how_much_there_is_whenever_there_is_a_good_deal_more(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Counting("catch_up", as_json=False)
    for count in (700, 1400, 2100, 2500):
        tell("entries", count)
    tell("records", 999)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["1400", "2500"]
