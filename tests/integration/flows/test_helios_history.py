"""Bordereaux that the platform has sent before (rule B02): which Hélios will refuse, and where a number was left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core import journal
from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Severity
from flows.engine.models import Dossier
from flows.helios.history import AGAIN, refusals_of
from flows.helios.rules import of_the_platform
from schemas.pes.reader import read
from schemas.pes.sample import Authority, Sample, write_sample
from tests.conftest import MAIRIE

SENT = datetime(2026, 3, 2, tzinfo=UTC)


def facts_of(folder: Path, first: int, count: int = 1, cod_bud: str = "00") -> dict[str, Any]:
    path = folder / "flow.xml"
    sample = Sample(new_id(), Authority(siret=MAIRIE, cod_bud=cod_bud), count, first_bordereau=first, attachment_size=None)
    write_sample(sample, path)
    return read(path).facts()


def bordereau(facts: dict[str, Any], **other: str | None) -> dict[str, Any]:
    return {**facts["bordereaux"][0], **other}


def kept(facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts["header"], "bordereaux": facts["bordereaux"]}


def refusing(number: str | None, domain: str = "5", exercice: str | None = "2026") -> dict[str, Any]:
    element = {"domain": domain, "accepted": False, "bordereau": number, "exercice": exercice}
    return {"acquit": {"elements": [element, {**element, "accepted": True, "bordereau": "999"}]}}


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_a_number_serves_once_and_those_of_a_series_follow_each_other(
    platform: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    def sent(state: str, first: int, count: int = 1, cod_bud: str = "00", **more: Any) -> str:
        facts = kept(facts_of(tmp_path, first, count, cod_bud)) | more.pop("facts", {})
        dossier = Dossier(
            organisation_id=mairie.id, flow="helios", title="PES", state=state, facts=facts, **{"created": SENT} | more
        )
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

    for day in (datetime(2024, 12, 31, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)):
        sent("archived", 40, created=day)
        assert told(40)[0][0] == "flow"
    for name, value in (("exer", "2025"), ("typ_bord", "02"), ("domain", "recette"), ("id_bord", None)):
        other = facts_of(tmp_path, 11)
        other["bordereaux"][0][name] = value
        assert of_the_platform(platform, mairie.id, new_id(), other, "0" * 64) == []

    assert told(20)[0][0] == "flow"
    sent("received", 0, facts={"cod_col": "999"})
    assert told(20)[0][0] == "flow"
    sent("received", 0, facts={"cod_bud": None})  # it may be what is missing
    assert told(20) == []
    assert told(14) == [("bordereau", "14", place.format(1))]


DOUBT = "Hélios a refusé l’un des deux"
ROLL = "type de rôle"
TAKEN = "il a déjà pris"
BOTH = ({"typ_bord": "01"}, {"typ_bord": "02"})
RECETTE = {"domain": "recette"}
FATES: dict[str, tuple[tuple[dict[str, str], ...], dict[str, Any], str | None]] = {
    "accepted": (({},), refusing("13"), TAKEN),
    "refused without its year": (({},), refusing("12", exercice=None), None),
    "refused without number, of two": (BOTH, refusing(None), None),
    "another domain refused": (({},), refusing(None, "6"), TAKEN),
    "a document refused": (({},), refusing("12", "4"), TAKEN),
    "signature refused": (({},), refusing("12", "3"), None),
    "roll": ((RECETTE | {"typ_bord": "06"},), {}, ROLL),
    "roll refused": ((RECETTE | {"typ_bord": "06"},), refusing("12", "7"), None),
    "titre, a roll refused": ((RECETTE, RECETTE | {"typ_bord": "06"}), refusing("12", "7"), TAKEN),
    "one number under two kinds": (BOTH, {}, TAKEN),
    "one of two kinds refused": (BOTH, refusing("12"), DOUBT),
    "one of two years refused": (({}, {"exer": "2025"}), refusing("12", exercice=None), DOUBT),
    "one of two years refused, and told": (({}, {"exer": "2025"}), refusing("12", exercice="2025"), TAKEN),
    "refused by a later acquit": (({},), {"later": refusing("12")}, None),
    "one of two kinds refused later": (BOTH, {"later": refusing("12")}, DOUBT),
}


@pytest.mark.parametrize("shape", ["embedded"], indirect=True)
def test_a_number_that_helios_refused_is_free(platform: Platform, mairie: Organisation, tmp_path: Path) -> None:
    for rank, (case, (bordereaux, acquit, expected)) in enumerate(FATES.items()):
        flow = facts_of(tmp_path, 12, cod_bud=f"{rank:02}")
        flow["bordereaux"] = [bordereau(flow, **one) for one in bordereaux]
        facts = kept(flow) | {name: value for name, value in acquit.items() if name == "acquit"}
        dossier = Dossier(organisation_id=mairie.id, flow="helios", title="PES", state="archived", facts=facts, created=SENT)
        with platform.database.writing(PLATFORM) as session:
            session.add(dossier)
            session.flush()
            if "later" in acquit:
                refused = {"refused": refusals_of(acquit["later"]["acquit"]["elements"])}
                journal.write(
                    session, organisation_id=mairie.id, dossier_id=dossier.id, kind=AGAIN, actor="platform", facts=refused
                )
        again = {**flow, "bordereaux": flow["bordereaux"][:1]}
        problems = of_the_platform(platform, mairie.id, new_id(), again, "0" * 64)
        assert [problem.severity for problem in problems] == [Severity.WARNING] * bool(expected), case
        assert [problem.scope for problem in problems] == ["bordereau" if expected == TAKEN else "flow"] * bool(expected), case
        assert all(str(expected) in problem.message for problem in problems), (case, problems)
        following = {**flow, "bordereaux": [bordereau(flow, **bordereaux[0], id_bord="90")]}
        holes = of_the_platform(platform, mairie.id, new_id(), following, "0" * 64)
        assert len(holes) == (expected in {TAKEN, DOUBT} or "later" in acquit), case


def test_of_many_flows_the_newest_are_read(
    platform: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.helios.history._MOST", 2)
    for number in (7, 8, 9):
        facts = kept(facts_of(tmp_path, number))
        created = datetime(2026, 3, number, tzinfo=UTC)
        with platform.database.writing(PLATFORM) as session:
            session.add(
                Dossier(organisation_id=mairie.id, flow="helios", title="PES", state="archived", facts=facts, created=created)
            )
    found = [of_the_platform(platform, mairie.id, new_id(), facts_of(tmp_path, number), "0" * 64) for number in (7, 8, 9, 10)]
    assert [len(problems) for problems in found] == [0, 1, 1, 0]
