"""The referential: which rule of whom applies to what, from when, until when, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from archive.models import Record
from archive.retention import referential
from archive.retention.defaults import ACCOUNTING, BUILT_IN, FREE, KINDS, PRIVATE_LIFE
from archive.retention.explaining import access_explained_for, explained_for
from archive.retention.models import RuleChoice
from archive.retention.referential import in_force, known, rule_named, rules_for
from archive.retention.rules import FOREVER, AccessDelay, Category, Delay, Ends, RetentionRule
from core import clock
from core.database import Database
from core.errors import Misconfigured, NotFound
from core.messages import speaking
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM
from schemas.seda.model import FinalAction
from tests.referential import add_rule, choose

TODAY = clock.in_paris(clock.now()).date()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    upgrade(database)
    with database.writing(PLATFORM) as opened:
        yield opened
    database.close()


@pytest.fixture
def tree(session: Session) -> tuple[Organisation, Organisation, Organisation]:
    root = add_organisation(session, "Plateforme", OrganisationKind.PLATFORM)
    town = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root)
    office = add_organisation(session, "Service des eaux", OrganisationKind.SERVICE, parent=town)
    return root, town, office


def rule(version: int, years: int, identifier: str = "APP-COMPTA-10ANS", **changes: object) -> RetentionRule:
    values = {"identifier": identifier, "version": str(version), "years": years, "label": "règle", "source": "accord de 2026"}
    return RetentionRule.model_validate({**values, "final_action": FinalAction.DESTROY, **changes})


def test_an_empty_database_knows_the_built_in_rules_and_no_others(session: Session, tree: tuple[Organisation, ...]) -> None:
    _, town, _ = tree
    for category, delays in BUILT_IN.items():
        assert {one.delay for one in in_force(session, town.id, category)} == set(delays)
    for kind, (appraisal, access) in KINDS.items():
        found = rules_for(session, town.id, kind)
        assert (found.appraisal, found.access) == (appraisal, access)
    assert known(session, town.id, "AR048", Category.ACCESS)
    assert not known(session, town.id, "AR048", Category.APPRAISAL)
    assert not known(session, town.id, "AR099", Category.ACCESS)
    codes = {one.identifier: one for one in BUILT_IN[Category.ACCESS]}
    assert set(codes) == {f"AR0{number}" for number in range(38, 63)}
    assert all(one.source and one.version == "1" for one in codes.values())
    assert (codes["AR061"].years, codes["AR062"].years) == (120, FOREVER)


def test_the_nearest_version_counts_and_its_end_gives_way_to_what_stands_above(
    session: Session, tree: tuple[Organisation, ...]
) -> None:
    root, town, office = tree
    add_rule(session, root, Category.APPRAISAL, rule(2, 11))
    add_rule(session, town, Category.APPRAISAL, rule(3, 12)).until = TODAY - timedelta(days=1)
    add_rule(session, town, Category.APPRAISAL, rule(4, 13), since=TODAY + timedelta(days=1))
    session.flush()
    years = [rules_for(session, one.id, "helios").appraisal.years for one in (root, town, office)]
    assert years == [11, 11, 11]
    tomorrow = TODAY + timedelta(days=1)
    assert rule_named(session, office.id, "APP-COMPTA-10ANS", Category.APPRAISAL, day=tomorrow).years == 13
    assert rule_named(session, root.id, "APP-COMPTA-10ANS", Category.APPRAISAL, day=tomorrow).years == 11
    for version, expected in (("1", 10), ("3", 12), ("4", 13)):
        assert rule_named(session, office.id, "APP-COMPTA-10ANS", Category.APPRAISAL, version).years == expected
    with pytest.raises(NotFound, match="durée de conservation"):
        rule_named(session, root.id, "APP-COMPTA-10ANS", Category.APPRAISAL, "3")


def test_a_choice_is_inherited_and_the_nearest_counts(session: Session, tree: tuple[Organisation, ...]) -> None:
    root, town, office = tree
    choose(session, root, "mail", rule(1, 1, "COURRIER-1AN"))
    choose(session, office, "mail", rule(1, 3, "COURRIER-3ANS"))
    found = [rules_for(session, one.id, "mail").appraisal.identifier for one in (root, town, office)]
    assert found == ["COURRIER-1AN", "COURRIER-1AN", "COURRIER-3ANS"]
    session.add(RuleChoice(organisation_id=town.id, kind="helios", category="appraisal", code="DISPARUE", chosen_by="platform"))
    session.flush()
    with pytest.raises(Misconfigured, match="DISPARUE"):
        rules_for(session, town.id, "helios")


def test_what_the_content_asks_for_is_never_shortened_by_a_choice(session: Session, tree: tuple[Organisation, ...]) -> None:
    _, town, _ = tree
    short = AccessDelay(identifier="AR039", version="1", years=25, label="affaires", source="convention")
    choose(session, town, "actes.3", short, Category.ACCESS)
    assert rules_for(session, town.id, "actes.3", by_content=FREE).access.identifier == "AR039"
    assert rules_for(session, town.id, "actes.3", by_content=PRIVATE_LIFE).access == PRIVATE_LIFE
    assert rules_for(session, town.id, "actes.2", by_content=PRIVATE_LIFE).access == PRIVATE_LIFE


def test_a_delay_ends_on_its_anniversary_or_at_the_end_of_that_year() -> None:
    year_end = rule(1, 10, ends=Ends.YEAR_END)
    assert ACCOUNTING.end_from(date(2026, 2, 21)) == date(2036, 2, 21)
    assert year_end.end_from(date(2026, 2, 21)) == date(2036, 12, 31)
    assert rule(1, 1).end_from(date(2024, 2, 29)) == date(2025, 3, 1)
    closed = AccessDelay(identifier="AR039", years=25, ends=Ends.YEAR_END, label="affaires", source="convention")
    assert closed.opens(date(2001, 3, 4)) == date(2027, 1, 1)
    never = next(one for one in BUILT_IN[Category.ACCESS] if one.identifier == "AR062")
    assert isinstance(never, AccessDelay)
    assert never.opens(date(2026, 1, 1)) is None
    assert FREE.opens(date(2026, 1, 1)) == date(2026, 1, 1)


def test_why_a_record_is_kept_and_hidden_is_said_in_words(session: Session, tree: tuple[Organisation, ...]) -> None:
    _, town, _ = tree
    kept = Record(
        organisation_id=town.id,
        kind="helios",
        title="PES",
        producer="214009995",
        dated=date(2026, 2, 21),
        key="k",
        sha256="0" * 64,
        size=1,
        entry_id="0" * 26,
        rule="APP-COMPTA-10ANS v1",
        final_action="Destroy",
        keep_until=date(2036, 2, 21),
        access="AR048 v1",
        open_from=date(2076, 2, 21),
    )
    with speaking("fr"):
        told = explained_for(session, kept)
        assert told.startswith("10 ans à compter du 21/02/2026 par APP-COMPTA-10ANS v1 (instructions DAF/DPACI")
        assert told.endswith("jusqu’au 21/02/2036, puis destruction soumise à visa")
        assert "50 ans par AR048 v1 (Code du patrimoine" in access_explained_for(session, kept)
        kept.rule, kept.access = "AILLEURS v7", ""
        assert "à compter du 21/02/2026 par AILLEURS v7" in explained_for(session, kept)
        kept.keep_until = kept.open_from = None
        assert "jamais éliminable" in explained_for(session, kept)
        assert "non communicable au public" in access_explained_for(session, kept)


def test_a_rule_is_of_its_category(session: Session, tree: tuple[Organisation, ...]) -> None:
    _, town, _ = tree
    add_rule(session, town, Category.HOLD, Delay(identifier="GEL-1", years=0, label="gel", source="service"))
    add_rule(session, town, Category.ACCESS, AccessDelay(identifier="LOCAL", years=30, label="local", source="service"))
    found = {
        category: type(rule_named(session, town.id, code, category))
        for category, code in (
            (Category.HOLD, "GEL-1"),
            (Category.ACCESS, "LOCAL"),
            (Category.APPRAISAL, "APP-ACTES-1AN"),
        )
    }
    assert found == {Category.HOLD: Delay, Category.ACCESS: AccessDelay, Category.APPRAISAL: RetentionRule}
    assert [one.owner for one in referential.all_versions(session, town.id) if one.owner] == [town.id, town.id]
