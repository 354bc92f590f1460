"""Dossiers that had moved on since the backup are set aside, with what the journal says; those that it never had are listed."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from api.cli import archive_catch_up
from archive.proof import heads, outside
from core import journal
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import departed, transitions
from flows.engine.models import Step
from flows.engine.work import Advance
from flows.helios.flow import HELIOS
from flows.registry import FLOWS
from signing.timestamp.client import TimestampClient
from tests.journals import write_entries
from tests.kept_records import seal
from tests.rebuilt import copied
from tests.restored import advance, deposited, dossier_of, restored


def _written(platform: Platform, organisation: Organisation, dossier: str, kind: str) -> None:
    with platform.database.writing(PLATFORM) as session:
        journal.write(session, organisation_id=organisation.id, dossier_id=dossier, kind=kind, actor="platform")


def _accepted(platform: Platform, dossier: str) -> bool:
    with platform.database.writing(PLATFORM) as session:
        return transitions.signal(session, HELIOS, dossier, "accepted", Advance("accepted"))


def _stands(platform: Platform, dossier: str) -> tuple[str, bool, bool]:
    """The state of a dossier, whether it is parked, whether a stage is planned."""
    found = dossier_of(platform, dossier)
    assert found is not None
    with platform.database.reading(PLATFORM) as session:
        return found.state, found.parked is not None, session.get(Step, dossier) is not None


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_what_had_moved_on_is_set_aside_until_an_operator_takes_it_up(
    kept: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = replace(kept, settings=kept.settings.model_copy(update={"heads_dir": tmp_path / "heads"}))
    still, moved, answered, ended, closed = (
        deposited(kept, mairie, name) for name in ("reste", "part", "revient", "fini", "s’archive")
    )
    advance(kept, answered, "accepted", "sealed", "sent")
    advance(kept, ended, "refused")
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        advance(kept, moved, "accepted", "sealed")
        _written(kept, mairie, answered, "test.happened")
        copied(kept, stamps)
        _written(kept, mairie, answered, "dossier.resumed")  # by an operator, before the failure
        advance(kept, moved, "sent")
        advance(kept, answered, "accepted")
        _written(kept, mairie, ended, "test.happened")
        seal(kept, mairie, tmp_path, dossier=closed)
        late = deposited(kept, mairie, "tardif")
        archived = seal(kept, mairie, tmp_path)
        copied(kept, stamps)
        write_entries(kept, mairie.id, 5)
        heads.cut(kept, stamps)  # the last thing that happened: it stands outside, and in no place
        outside.write_due(kept)
        monkeypatch.setattr(archive_catch_up, "stopped_platform", lambda: nullcontext(backup))

        assert archive_catch_up.catch_up(as_json=True) == 0

        said = json.loads(capsys.readouterr().out)
        assert (said["parked"], said["records"], said["minutes_lost"]) == (2, 2, 2)
        missing = {one["id"]: (one["last"], one["record"]) for one in said["missing"]}
        assert missing == {late: ("dossier.received", None), archived.dossier_id: ("record.sealed", archived.id)}
        assert [_stands(backup, one) for one in (still, moved, answered, ended, closed)] == [
            ("received", False, True),
            ("received", True, False),
            ("sent", True, False),
            ("rejected", False, False),
            ("archived", False, False),  # its record came back: nothing is left to be done for it
        ]
        aside = dossier_of(backup, moved)
        assert aside is not None and aside.parked is not None
        for words in ("3 choses", "Transmis à la DGFiP", "restaurée d’une sauvegarde"):
            assert words in aside.parked
        assert not _accepted(backup, answered)
        assert archive_catch_up.catch_up(as_json=False) == 0
        told = capsys.readouterr().out
        for words in ("2 dossiers avaient avancé", late, "(archive scellée)", "2 minute(s) au plus", "5 au moins sont perdues"):
            assert words in told

        assert departed.decide(backup, FLOWS, PLATFORM, moved, "vu au portail")
        transitions.resume(backup.database, HELIOS, answered, "platform")
        assert [_stands(backup, one) for one in (moved, answered)] == [("received", False, True), ("sent", False, True)]
        assert _accepted(backup, answered)
        assert archive_catch_up.catch_up(as_json=True) == 0  # set aside once, however often it is begun again
        assert _stands(backup, moved) == ("received", False, True)
