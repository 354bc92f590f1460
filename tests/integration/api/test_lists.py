"""The queries behind the lists, on each kind of database: what may be read, in which order, once each."""

from __future__ import annotations

from datetime import date

import pytest

from core.database import Database
from core.errors import NotFound
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM, Principal, Right
from flows.engine import reading
from flows.engine.models import Dossier
from flows.engine.reading import Wanted
from flows.engine.ways import way
from flows.helios.flow import HELIOS


@pytest.fixture
def owners(database: Database) -> tuple[Organisation, Organisation]:
    """Two organisations with five dossiers each."""
    with database.writing(PLATFORM) as session:
        found = [add_organisation(session, name, OrganisationKind.COLLECTIVITE) for name in ("Valmorin", "Lavoir")]
        for owner in found:
            session.add_all(
                Dossier(organisation_id=owner.id, flow="helios", title=f"FLUX_{rank}", state="sent") for rank in range(5)
            )
    return found[0], found[1]


def reader_of(readable: Organisation, other: Organisation) -> Principal:
    return Principal("token:x", {readable.id: frozenset({Right.READ}), other.id: frozenset({Right.DEPOSIT})})


def test_a_list_and_its_total_hold_what_may_be_read_and_no_more(
    database: Database, owners: tuple[Organisation, Organisation]
) -> None:
    with reading.opened(database, reader_of(*owners)) as session:
        page = reading.page(session, Wanted(), 50)
        assert ({line.organisation_id for line in page.lines}, page.total, page.exact) == ({owners[0].id}, 5, True)
        assert [owner.id for owner in reading.organisations(session)] == [owners[0].id]
        assert reading.page(session, Wanted(organisations=(owners[1].id,)), 50).total == 0
    with reading.opened(database, PLATFORM) as session:
        foreign = reading.page(session, Wanted(organisations=(owners[1].id,)), 1).lines[0].id
    with reading.opened(database, reader_of(*owners)) as session, pytest.raises(NotFound):
        reading.seen(session, foreign)


def test_pages_go_forwards_and_back_without_losing_a_dossier_when_new_ones_come(
    database: Database, owners: tuple[Organisation, Organisation]
) -> None:
    reader = reader_of(*owners)
    with reading.opened(database, reader) as session:
        first = reading.page(session, Wanted(), 2)
    with database.writing(PLATFORM) as session:
        session.add(Dossier(organisation_id=owners[0].id, flow="helios", title="NOUVEAU", state="received"))
    with reading.opened(database, reader) as session:
        second = reading.page(session, Wanted(), 2, after=first.after)
        third = reading.page(session, Wanted(), 2, after=second.after)
        back = reading.page(session, Wanted(), 2, before=second.before)
    walked = [line.id for page in (first, second, third) for line in page.lines]
    assert (len(set(walked)), walked) == (5, sorted(walked, reverse=True))
    assert third.after is None
    assert back.lines == first.lines
    assert back.before is not None  # the new one stands before


def test_days_and_text_narrow_the_list(database: Database, owners: tuple[Organisation, Organisation]) -> None:
    with reading.opened(database, reader_of(*owners)) as session:
        line = reading.page(session, Wanted(text="flux_3"), 50).lines[0]
        assert line.title == "FLUX_3"
        assert reading.page(session, Wanted(text=line.id), 50).total == 1
        assert reading.page(session, Wanted(text="%"), 50).total == 0
        assert reading.page(session, Wanted(created_from=date.min, created_to=date.max), 50).total == 5
        assert reading.page(session, Wanted(created_to=date.min), 50).total == 0


@pytest.mark.parametrize(
    ("state", "behind", "ahead"),
    [
        ("received", ["received"], ["checked", "signed", "sent", "acquitted", "archived"]),
        ("sent", ["received", "checked", "signed", "sent"], ["acquitted", "archived"]),
        ("archived", ["received", "checked", "signed", "sent", "acquitted", "archived"], []),
        ("rejected", ["received", "rejected"], []),
        ("refused", ["received", "checked", "signed", "sent", "refused"], []),
    ],
)
def test_the_way_of_a_dossier_leads_through_its_state_to_the_good_end(state: str, behind: list[str], ahead: list[str]) -> None:
    assert way(HELIOS, state) == (behind, ahead)
