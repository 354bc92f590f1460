"""Bordereaux that the platform has sent before (rule B02): which Hélios will refuse, and where a number was left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.helios.rules import of_the_platform
from schemas.pes.reader import read
from schemas.pes.sample import Authority, Sample, write_sample
from tests.conftest import MAIRIE


def facts_of(folder: Path, first: int, count: int = 1, cod_bud: str = "00") -> dict[str, Any]:
    path = folder / "flow.xml"
    sample = Sample(new_id(), Authority(siret=MAIRIE, cod_bud=cod_bud), count, first_bordereau=first, attachment_size=None)
    write_sample(sample, path)
    return read(path).facts()


def kept(facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts["header"], "bordereaux": facts["bordereaux"]}


def refusing(number: str) -> dict[str, Any]:
    element = {"domain": "5", "accepted": False, "bordereau": number, "exercice": "2026"}
    return {"acquit": {"elements": [element, {**element, "accepted": True, "bordereau": "999"}]}}


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_a_number_serves_once_and_those_of_a_series_follow_each_other(
    platform: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    def sent(state: str, first: int, count: int = 1, cod_bud: str = "00", **more: Any) -> str:
        facts = kept(facts_of(tmp_path, first, count, cod_bud)) | more.pop("facts", {})
        dossier = Dossier(organisation_id=mairie.id, flow="helios", title="PES", state=state, facts=facts, **more)
        with platform.database.writing(PLATFORM) as session:
            session.add(dossier)
            return dossier.id

    def told(first: int, count: int = 1, cod_bud: str = "00") -> list[tuple[str, str | None, str]]:
        facts = facts_of(tmp_path, first, count, cod_bud)
        problems = of_the_platform(platform, mairie.id, new_id(), facts, "0" * 64)
        assert {problem.rule for problem in problems} <= {"B02"}
        assert {problem.severity.value for problem in problems} <= {"warning"}
        return [(problem.scope, problem.found, problem.path or "") for problem in problems]

    place = "/PES_Aller/PES_DepenseAller/Bordereau[{}]/BlocBordereau/IdBord"
    assert told(7) == []  # nothing is known of the series yet
    archived = sent("archived", 10, 2)
    assert told(12) == told(8) == []
    assert told(11) == [("bordereau", "11", place.format(1))]
    assert told(10, 4) == [("bordereau", "10", place.format(1)), ("bordereau", "11", place.format(2))]
    assert told(13, 2) == [("flow", "13", place.format(1))]
    assert told(11, cod_bud="01") == told(90, cod_bud="01") == []
    facts = facts_of(tmp_path, 11)
    assert archived in (of_the_platform(platform, mairie.id, new_id(), facts, "0" * 64)[0].mend or "")
    assert of_the_platform(platform, mairie.id, archived, facts, "0" * 64) == []  # not its own duplicate

    sent("sent", 12)
    assert told(12) == told(13) == []  # may still be refused, and counts for the sequence
    sent("refused", 13)
    sent("rejected", 14)
    assert told(14) == [("flow", "14", place.format(1))]
    sent("acquitted", 13, 2, facts=refusing("13"))
    assert told(13) == told(15) == []
    assert told(14) == [("bordereau", "14", place.format(1))]

    sent("archived", 40, created=datetime(2024, 12, 31, tzinfo=UTC))
    assert told(40)[0][0] == "flow"
    for name, value in (("exer", "2025"), ("typ_bord", "02"), ("domain", "recette"), ("id_bord", None)):
        other = facts_of(tmp_path, 11)
        other["bordereaux"][0][name] = value
        assert of_the_platform(platform, mairie.id, new_id(), other, "0" * 64) == []
