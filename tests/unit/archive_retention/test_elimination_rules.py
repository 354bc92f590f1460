"""What may be destroyed, asked of rows and manifests alone: verdicts, bounds, and packages whose parts disagree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlmodel import Session, select

from archive.elimination import analysis, bordereau
from archive.elimination.analysis import Criteria, Reason, analyse, verdicts
from archive.elimination.bordereau import known_kinds
from archive.elimination.inside import contradictions
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.package_holds import NamedHold, named_by
from archive.elimination.states import State, Status
from archive.models import Record
from archive.retention.defaults import ACCOUNTING, ELIMINATIONS, KINDS
from archive.retention.models import RuleVersion
from core import clock
from core.database import Database
from core.errors import UsageError
from core.messages import Catalogue
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM

DAY = date(2026, 6, 1)
_NOBODY = select(Record.id).where(Record.id == "")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    upgrade(database)
    with database.writing(PLATFORM) as opened:
        yield opened
    database.close()


@pytest.fixture
def town(session: Session) -> Organisation:
    return add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE)


def record(session: Session, town: Organisation, rank: int, **changes: object) -> Record:
    values: dict[str, Any] = {
        "organisation_id": town.id,
        "kind": "helios",
        "title": "PES",
        "producer": "214009995",
        "dated": date(2016, 5, 31),
        "key": f"k{rank}",
        "sha256": "0" * 64,
        "size": 1,
        "entry_id": "0" * 26,
        "rule": "APP-COMPTA-10ANS v1",
        "final_action": "Destroy",
        "keep_until": date(2026, 5, 31),
        "access": "AR048 v1",
    }
    row = Record(**{**values, **changes})
    session.add(row)
    session.flush()
    return row


@pytest.mark.parametrize(
    ("changes", "status", "reasons"),
    [
        ({}, Status.DESTROY, ()),
        ({"keep_until": DAY}, Status.KEEP, (Reason.NOT_DUE,)),
        ({"keep_until": None}, Status.KEEP, (Reason.NO_END_DATE,)),
        ({"final_action": "Keep"}, Status.KEEP, (Reason.FINAL_ACTION_KEEP,)),
        ({"final_action": ""}, Status.KEEP, (Reason.FINAL_ACTION_KEEP,)),
    ],
)
def test_only_what_is_over_and_to_be_destroyed_may_be(
    session: Session, town: Organisation, changes: dict[str, object], status: Status, reasons: tuple[Reason, ...]
) -> None:
    (found,) = verdicts(session, [record(session, town, 1, **changes)], DAY)
    assert (found.status, found.reasons) == (status, reasons)


def test_an_analysis_counts_what_it_keeps_and_is_refused_beyond_its_bound(
    session: Session, town: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rank in range(4):
        record(session, town, rank, keep_until=DAY - timedelta(days=1) if rank else None)
    found = analyse(session, town.id, DAY, Criteria(), _NOBODY)
    assert (len(found.found), found.kept) == (3, 1)
    monkeypatch.setattr(analysis, "MOST_ANALYSED", 2)
    with pytest.raises(UsageError, match="3 documents sont arrivés à échéance"):
        analyse(session, town.id, DAY, Criteria(), _NOBODY)


RULE = "<Rule>{code}</Rule><StartDate>{start}</StartDate><FinalAction>{action}</FinalAction>"
OLD = {"code": "APP-COMPTA-10ANS", "start": "2016-05-31", "action": "Destroy"}


@pytest.mark.parametrize(
    ("rules", "reasons"),
    [
        ([{}], ()),
        ([{}, {"action": "Keep"}], (Reason.FINAL_ACTION_INCONSISTENCY,)),
        ([{}, {"start": "2016-06-01"}], (Reason.NON_DESTROYABLE_HAS_CHILD_UNITS,)),
        ([{}, {"code": "AILLEURS"}], (Reason.NON_DESTROYABLE_HAS_CHILD_UNITS,)),
        ([{"start": "hier"}], (Reason.NON_DESTROYABLE_HAS_CHILD_UNITS,)),
    ],
)
def test_a_package_is_not_destroyed_while_a_part_of_it_is_to_be_kept(
    session: Session, town: Organisation, rules: list[dict[str, str]], reasons: tuple[Reason, ...]
) -> None:
    units = "".join(f"<Unit><AppraisalRule>{RULE.format(**OLD | one)}</AppraisalRule></Unit>" for one in rules)
    assert contradictions(session, record(session, town, 1), etree.fromstring(f"<A xmlns='urn:x'>{units}</A>"), DAY) == reasons


@pytest.mark.parametrize(
    ("common", "unit", "reasons"),
    [
        (True, "", ()),
        (False, "", (Reason.FINAL_ACTION_INCONSISTENCY,)),
        (False, "<ArchiveUnitRefId>AU1</ArchiveUnitRefId>", ()),
        (True, "<Management><AppraisalRule><PreventInheritance>true</PreventInheritance>{}</AppraisalRule></Management>", None),
        (True, "<Management><AppraisalRule><PreventInheritance>false</PreventInheritance>{}</AppraisalRule></Management>", ()),
        (True, "<Management><AppraisalRule><RefNonRuleId>APP-COMPTA-10ANS</RefNonRuleId>{}</AppraisalRule></Management>", None),
    ],
)
def test_a_unit_that_no_rule_covers_keeps_the_whole(
    session: Session, town: Organisation, *, common: bool, unit: str, reasons: tuple[Reason, ...] | None
) -> None:
    rule = f"<AppraisalRule>{RULE.format(**OLD)}</AppraisalRule>"
    own = f"<ArchiveUnit id='AU1'><Management>{rule}</Management></ArchiveUnit>"
    below = f"<ArchiveUnit id='AU2'><Management>{rule}</Management><ArchiveUnit id='AU3'>{{}}</ArchiveUnit></ArchiveUnit>"
    other = f"<ArchiveUnit id='AU4'>{unit.format('<FinalAction>Destroy</FinalAction>')}</ArchiveUnit>"
    management = f"<ManagementMetadata>{rule if common else ''}</ManagementMetadata>"
    units = f"<DescriptiveMetadata>{own}{below.format('')}{other}</DescriptiveMetadata>"
    root = etree.fromstring(f"<A xmlns='urn:x'><DataObjectPackage>{units}{management}</DataObjectPackage></A>")
    expected = (Reason.FINAL_ACTION_INCONSISTENCY,) if reasons is None else reasons
    assert contradictions(session, record(session, town, 1), root, DAY) == expected


def version(session: Session, town: Organisation, number: int, since: date, until: date | None, **says: Any) -> None:
    values = {"category": "appraisal", "code": "APP-ESSAI", "ends": "anniversary", "final_action": "Destroy"} | says
    told = {"label": "essai", "source": "décision du service d’archives", "created_by": "person:a"}
    session.add(RuleVersion(organisation_id=town.id, version=number, since=since, until=until, **values, **told))
    session.flush()


@pytest.mark.parametrize("later", [15, None])
def test_a_unit_is_kept_by_the_rule_as_it_stood_on_the_day_of_the_sealing(
    session: Session, town: Organisation, later: int | None
) -> None:
    sealed, followed = date(2020, 1, 1), date(2024, 1, 1)
    version(session, town, 1, date(2010, 1, 1), followed - timedelta(days=1), years=5)
    if later:  # followed since, or else withdrawn
        version(session, town, 2, followed, None, years=later)
    root = etree.fromstring(f"<A xmlns='urn:x'><AppraisalRule>{RULE.format(**OLD | {'code': 'APP-ESSAI'})}</AppraisalRule></A>")
    one = record(session, town, 1, sealed=datetime.combine(sealed, time(12), clock.PARIS))
    assert contradictions(session, one, root, DAY) == ()


HOLDS = """<HoldRule>
  <Rule>GEL-1</Rule><StartDate>2026-01-01</StartDate><HoldEndDate>2030-06-30</HoldEndDate><HoldOwner>Service
  contentieux</HoldOwner><HoldReassessingDate>2027-01-31</HoldReassessingDate><HoldReason>Recours de M. Untel</HoldReason>
  <Rule>GEL-2</Rule><StartDate>2026-01-01</StartDate><PreventRearrangement>true</PreventRearrangement>
  <Rule>GEL-3</Rule><StartDate>2026-01-01</StartDate>
</HoldRule>"""


def test_each_hold_of_a_package_is_read_with_what_is_said_of_it_and_its_end_may_be_that_of_its_rule(
    session: Session, town: Organisation
) -> None:
    version(session, town, 1, date(2010, 1, 1), date(2026, 12, 31), category="hold", code="GEL-3", years=2, final_action="")
    version(session, town, 2, date(2027, 1, 1), None, category="hold", code="GEL-3", years=9, final_action="")
    one = record(session, town, 1, sealed=datetime(2026, 2, 1, 12, tzinfo=clock.PARIS))
    root = etree.fromstring(f"<A xmlns='urn:x'><U>{HOLDS}</U></A>")
    assert list(named_by(session, one, root)) == [
        NamedHold("GEL-1", "Recours de M. Untel", "Service contentieux", date(2030, 6, 30), date(2027, 1, 31)),
        NamedHold("GEL-2", "", "", None, None),
        NamedHold("GEL-3", "", "", date(2028, 1, 1), None),
    ]


def test_a_unit_that_does_not_inherit_holds_names_none(session: Session, town: Organisation) -> None:
    root = etree.fromstring("<A xmlns='urn:x'><HoldRule><PreventInheritance>true</PreventInheritance></HoldRule></A>")
    assert list(named_by(session, record(session, town, 1), root)) == []


def test_the_printed_list_says_by_which_rules_and_texts_its_records_may_be_destroyed(
    session: Session, town: Organisation
) -> None:
    elimination = Elimination(organisation_id=town.id, state=State.DRAFT.value, as_of=DAY, kept=0, made_by="person:a")
    session.add(elimination)
    session.flush()
    for rank, rule in enumerate(("APP-COMPTA-10ANS v1", "APP-COMPTA-10ANS v1", "AILLEURS v3")):
        one = record(session, town, rank, rule=rule)
        line = {"organisation_id": town.id, "status": Status.DESTROY.value, "chosen": True}
        session.add(EliminationLine(elimination_id=elimination.id, record_id=one.id, **line))
    session.flush()
    (grounds,) = (one.rows for one in bordereau.page(session, elimination, b"").sections if "textes" in one.title)
    assert [(row.label, *row.lines) for row in grounds] == [
        ("AILLEURS v3", "1 document"),
        ("APP-COMPTA-10ANS v1", ACCOUNTING.label, ACCOUNTING.source, "2 documents"),
    ]


def test_every_verdict_and_every_reason_for_it_is_told_in_words_on_the_list() -> None:
    assert all(bordereau.reason_in_words(reason) != reason for reason in Reason)
    assert all(f"status.{status}" in Catalogue("archive.elimination") for status in Status)


def test_what_proves_a_destruction_is_never_on_a_list_and_no_rule_is_chosen_for_it() -> None:
    assert "elimination" not in KINDS
    assert "elimination" not in known_kinds()
    assert ELIMINATIONS.final_action.value == "Keep"
