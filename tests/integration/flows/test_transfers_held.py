"""Holds that a package names: seen before an elimination is prepared, lifted as any other, over on the day that it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlmodel import select

from archive.elimination import deciding as eliminations
from archive.elimination import executing, inside, lists, package_holds
from archive.elimination.analysis import Criteria, Reason, verdicts
from archive.elimination.models import EliminationLine
from archive.elimination.states import Status
from archive.models import Record
from archive.places import statements
from archive.places.places import copies_of, places_of
from archive.retention import changing, holds
from archive.retention.models import RecordHold
from archive.retention.rules import Category, Delay
from core.blobs import ObjectAltered
from core.errors import Unavailable, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.transfers import deciding
from schemas.seda.model import Version
from tests.conftest import on_one_shape
from tests.ended_records import lines_of, today
from tests.transfers import PRODUCER, Desk, Sip

pytestmark = on_one_shape
LONG_AGO = date(2011, 3, 14)
HOLD = "<HoldRule><Rule>GEL-1</Rule><StartDate>2020-01-01</StartDate>{}</HoldRule>"
SAID = (
    "<HoldEndDate>2180-06-30</HoldEndDate><HoldOwner>Service contentieux</HoldOwner>"
    "<HoldReassessingDate>2027-01-31</HoldReassessingDate><HoldReason>Recours de M. Untel</HoldReason>"
)


@pytest.fixture
def desk(platform: Platform, mairie: Organisation, tmp_path: Path) -> Iterator[Desk]:
    with Desk.opened(platform, mairie, tmp_path) as desk:
        delay = Delay(identifier="GEL-1", years=0, label="contentieux", source="décision du service d’archives")
        changing.follow(platform, PLATFORM, mairie.id, changing.Wanted(Category.HOLD, delay, LONG_AGO))
        yield desk


def sealed(desk: Desk, said: str, identifier: str = "GEL") -> Record:
    """Seal a package whose retention is over, and which names a hold."""
    sip = Sip(identifier=identifier, appraisal=("APP-CORRESP-5ANS", LONG_AGO), version=Version.V2_2)
    end = b"</ManagementMetadata>"
    manifest = sip.manifest(desk.folder).replace(end, HOLD.format(said).encode() + end)
    dossier_id = desk.hand(sip.zip(desk.folder, **{"manifest.xml": manifest}))
    assert desk.run(dossier_id).state == "to_accept", desk.told(dossier_id)
    deciding.accept(desk.platform, desk.archivist, dossier_id)
    assert desk.run(dossier_id).state == "archived"
    return next(one for one in desk.records() if one.dossier_id == dossier_id)


def hold_of(desk: Desk, record: Record) -> RecordHold | None:
    with desk.platform.database.reading(PLATFORM) as session:
        return session.exec(select(RecordHold).where(RecordHold.package_of == record.id)).first()


def listed(desk: Desk, record: Record) -> EliminationLine:
    identifier = lists.make(desk.platform, desk.archivist, desk.organisation.id, today(), Criteria())
    line = lines_of(desk.platform, identifier)[record.id]
    lists.abandon(desk.platform, desk.archivist, identifier)
    return line


def at_the_execution(desk: Desk, record: Record) -> tuple[Status, tuple[Reason, ...]]:
    """What is found when the package itself is read again, just before it would be destroyed."""
    with desk.platform.database.reading(PLATFORM) as session:
        found = verdicts(session, [session.get_one(Record, record.id)], today())
    verdict = inside.examined(desk.platform, found[0], today())
    return verdict.status, verdict.reasons


def test_a_hold_that_a_package_names_is_a_hold_of_its_record_that_an_archivist_lifts_with_a_reason(desk: Desk) -> None:
    record = sealed(desk, SAID)
    hold = hold_of(desk, record)
    assert hold is not None
    assert (hold.owner, hold.review, hold.ends) == ("Service contentieux", date(2027, 1, 31), date(2180, 6, 30))
    assert hold.reason == "Gel porté par le bordereau du paquet\u00a0: GEL-1, Recours de M. Untel, jusqu’au 30/06/2180"
    said = {identifier: json.loads(data) for kind, identifier, data in statements.read_all(desk.platform) if kind == "hold"}
    assert (said[hold.id]["package_of"], said[hold.id]["ends"]) == (record.id, "2180-06-30")
    with desk.platform.database.reading(PLATFORM) as session:
        versions = {copy.place: copy.version_id for copy in copies_of(session, record.id)}
        assert holds.standing_on(session, [record.id])[record.id][0].id == hold.id
    for place in places_of(desk.platform):
        assert place.store.lock_of(record.key, versions[place.name]).held
    line = listed(desk, record)
    assert (line.status, line.reasons, line.chosen) == ("CONFLICT", ["BLOCKED_BY_HOLD_RULE"], False)

    with pytest.raises(UsageError):
        holds.lift(desk.platform, desk.archivist, hold.id, " ")
    holds.lift(desk.platform, desk.archivist, hold.id, "M. Untel se désiste")

    assert (listed(desk, record).status, at_the_execution(desk, record)) == ("DESTROY", (Status.DESTROY, ()))
    for place in places_of(desk.platform):
        assert not place.store.lock_of(record.key, versions[place.name]).held


def test_a_package_that_says_nothing_of_its_hold_is_looked_at_from_the_first_day(desk: Desk) -> None:
    hold = hold_of(desk, sealed(desk, ""))
    assert hold is not None
    assert (hold.owner, hold.review, hold.ends) == (f"le service producteur {PRODUCER}", today(), None)


def test_a_hold_whose_day_is_past_holds_nothing_and_one_whose_day_passes_is_lifted(desk: Desk) -> None:
    yesterday = today() - timedelta(days=1)
    past = sealed(desk, f"<HoldEndDate>{yesterday}</HoldEndDate>", "PASSE")
    standing = sealed(desk, f"<HoldEndDate>{today()}</HoldEndDate>")
    hold = hold_of(desk, standing)
    assert (hold_of(desk, past), hold is not None) == (None, True)
    assert [listed(desk, one).status for one in (past, standing)] == ["DESTROY", "CONFLICT"]
    holds.settle_all(desk.platform)
    assert listed(desk, standing).status == "CONFLICT"  # its last day is not over
    with desk.platform.database.writing(PLATFORM) as session:
        session.get_one(RecordHold, hold.id if hold else "").ends = yesterday
    holds.settle_all(desk.platform)
    lifted = hold_of(desk, standing)
    assert lifted is not None
    assert (lifted.lifted_by, f"{yesterday:%d/%m/%Y}" in (lifted.lift_reason or "")) == ("platform", True)
    assert listed(desk, standing).status == "DESTROY"
    assert at_the_execution(desk, standing) == (Status.DESTROY, ())


def sealed_before(desk: Desk, *identifiers: str) -> list[Record]:
    """Seal packages that name a hold as it was done when nobody looked into them."""
    with pytest.MonkeyPatch.context() as before:
        before.setattr(package_holds, "take_up", lambda *_: None)
        return [sealed(desk, SAID, identifier) for identifier in identifiers]


def record_of(desk: Desk, record: Record) -> Record:
    with desk.platform.database.reading(PLATFORM) as session:
        return session.get_one(Record, record.id)


def tried_again_now(desk: Desk) -> None:
    with desk.platform.database.writing(PLATFORM) as session:
        for record in session.exec(select(Record)):
            record.look_again = None


def test_a_package_that_was_sealed_before_is_in_conflict_until_the_scheduled_run_has_looked_into_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = sealed_before(desk, "UN")
    with monkeypatch.context() as unread:
        unread.setattr(inside, "_manifest_of", None)  # nobody who prepares a list waits for a package
        line = listed(desk, one)
    assert (line.status, line.reasons, line.chosen) == ("CONFLICT", ["PACKAGE_UNEXAMINED"], False)
    assert hold_of(desk, one) is None
    executing.run(desk.platform)
    assert hold_of(desk, one) is not None
    monkeypatch.setattr(inside, "_manifest_of", None)  # it is read once
    executing.run(desk.platform)
    assert listed(desk, one).reasons == ["BLOCKED_BY_HOLD_RULE"]


def test_a_draft_of_before_is_not_proposed_with_what_nobody_looked_into(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = sealed_before(desk, "UN")
    with monkeypatch.context() as before:
        before.setattr(inside, "only_examined", lambda _, found: found)
        identifier = lists.make(desk.platform, desk.archivist, desk.organisation.id, today(), Criteria())
    with pytest.raises(UsageError, match="Aucun document n’est sur la liste"):
        eliminations.propose(desk.platform, desk.archivist, identifier)
    assert lines_of(desk.platform, identifier)[one.id].reasons == ["PACKAGE_UNEXAMINED"]


def test_what_no_place_gives_now_or_gives_whole_is_left_for_later_and_holds_up_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, broken, good, last = sealed_before(desk, "MUET", "CASSE", "BON", "SUIVANT")
    read = inside._manifest_of
    troubles: dict[str, Exception] = {silent.id: Unavailable("silence"), broken.id: ObjectAltered("altéré")}

    def manifest_of(platform: Platform, record: Record) -> etree._Element:
        if trouble := troubles.get(record.id):
            raise trouble
        return read(platform, record)

    monkeypatch.setattr(inside, "_manifest_of", manifest_of)
    inside.look(desk.platform)  # a place is silent: the others do not wait for it in this turn
    assert [hold_of(desk, record) for record in (broken, good, last)] == [None] * 3
    monkeypatch.setattr(inside, "_MOST_BYTES", broken.size + 1)
    inside.look(desk.platform)
    assert [hold_of(desk, record) is not None for record in (silent, broken, good, last)] == [False, False, True, False]
    inside.look(desk.platform)
    assert hold_of(desk, last) is not None
    reasons = [listed(desk, record).reasons for record in (silent, broken)]
    assert reasons == [["PACKAGE_UNEXAMINED"], ["PACKAGE_UNREADABLE"]]
    troubles.clear()
    inside.look(desk.platform)
    assert hold_of(desk, silent) is None  # its time has not come
    tried_again_now(desk)
    inside.look(desk.platform)
    inside.look(desk.platform)
    assert [listed(desk, record).reasons for record in (silent, broken)] == [["BLOCKED_BY_HOLD_RULE"]] * 2


def test_a_hold_that_a_silent_place_puts_off_leaves_one_statement_however_often_it_is_tried(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = sealed_before(desk, "UN")
    keep = statements.keep

    def kept_in_the_first_place_only(platform: Platform, *told: Any) -> str:
        keep(platform, *told)
        raise Unavailable("silence")

    with monkeypatch.context() as silent:
        silent.setattr(statements, "keep", kept_in_the_first_place_only)
        for _ in range(3):
            inside.look(desk.platform)
            assert (hold_of(desk, one), record_of(desk, one).looked_inside) == (None, False)
            tried_again_now(desk)
    inside.look(desk.platform)
    hold = hold_of(desk, one)
    assert hold is not None
    assert [identifier for kind, identifier, _ in statements.read_all(desk.platform) if kind == "hold"] == [hold.id]
