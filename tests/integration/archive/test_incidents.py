"""The life of an incident: opened once, owned by a person, closed with what was done; the journal tells each of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import col, select

from archive.watch import incidents
from archive.watch.incidents import Kind, open_incident
from archive.watch.models import Incident
from core.database import Database
from core.errors import Conflict, NotFound, UsageError
from core.identifiers import new_id
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM, Principal, Right

SEEN = {"kind": Kind.COPY_ALTERED, "place": "second", "subject": "a/b.zip"}


@pytest.fixture
def towns(database: Database) -> tuple[Organisation, Organisation, Organisation]:
    with database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme", OrganisationKind.PLATFORM)
        one = add_organisation(session, "Valmorin", OrganisationKind.COLLECTIVITE, parent=root)
        return root, one, add_organisation(session, "Le Lavoir", OrganisationKind.COLLECTIVITE, parent=root)


def opened(database: Database, organisation_id: str | None, facts: dict[str, Any] | None = None, **changes: str) -> str:
    with database.writing(PLATFORM) as session:
        return open_incident(session, organisation_id=organisation_id, facts=facts or {}, **{**SEEN, **changes})


def told(database: Database) -> list[tuple[str, str, str, dict[str, Any]]]:
    with database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).order_by(col(JournalEntry.number)))
        return [(one.kind, one.actor, one.organisation_id, one.facts) for one in entries]


def test_the_same_thing_seen_again_is_one_incident_until_it_is_closed(
    database: Database, towns: tuple[Organisation, Organisation, Organisation]
) -> None:
    _, town, _ = towns
    first = opened(database, town.id, {"count": 1})
    assert opened(database, town.id, {"count": 2}) == first
    assert len({first, opened(database, town.id, place="principal"), opened(database, town.id, subject="a/c.zip")}) == 3
    assert [kind for kind, *_ in told(database)] == [incidents.OPENED] * 3
    with database.writing(PLATFORM) as session:
        found = incidents.incident_of(session, first)
        assert found.facts == {"count": 2}
        assert found.seen > found.opened
        incidents.close(session, first, "person:p", new_id(), "disque remplacé")
    assert opened(database, town.id) != first


def test_what_is_about_the_platform_belongs_to_the_root_and_is_seen_from_there_only(
    database: Database, towns: tuple[Organisation, Organisation, Organisation]
) -> None:
    root, one, other = towns
    mine, common = opened(database, one.id), opened(database, None, kind=Kind.JOURNAL_FAULT, place="", subject="tree_node/0/1")
    assert told(database)[-1][2] == root.id

    def seen_by(*organisations: Organisation) -> set[str]:
        grants = {organisation.id: frozenset({Right.ARCHIVE}) for organisation in organisations}
        with database.reading(Principal("person:p", grants)) as session:
            return {found.id for found in incidents.listed(session, closed=False, count=10)}

    assert (seen_by(one), seen_by(other), seen_by(root, one, other)) == ({mine}, set(), {mine, common})
    with database.writing(Principal("person:p", {other.id: frozenset({Right.ARCHIVE})})) as session:
        for deed in (
            lambda: incidents.own(session, mine, "person:p", new_id()),
            lambda: incidents.close(session, mine, "person:p", new_id(), "vu"),
            lambda: incidents.incident_of(session, mine),
        ):
            with pytest.raises(NotFound):
                deed()


def test_somebody_takes_it_up_another_takes_it_over_and_it_is_closed_once_with_what_was_done(
    database: Database, towns: tuple[Organisation, Organisation, Organisation]
) -> None:
    _, town, _ = towns
    incident, (one, other) = opened(database, town.id), (new_id(), new_id())
    for person in (one, one, other):
        with database.writing(PLATFORM) as session:
            incidents.own(session, incident, f"person:{person}", person)
    with database.reading(PLATFORM) as session:
        found = incidents.incident_of(session, incident)
        assert (found.state, found.owner_id, incidents.counts(session)) == ("owned", other, {"owned": 1})
    for how in ("", "  \n ", "x" * (incidents.LONGEST_HOW + 1)):
        with pytest.raises(UsageError), database.writing(PLATFORM) as session:
            incidents.close(session, incident, f"person:{other}", other, how)
    with database.writing(PLATFORM) as session:
        incidents.close(session, incident, f"person:{other}", other, " disque \n remplacé ")
    with database.reading(PLATFORM) as session:
        found = incidents.incident_of(session, incident)
        assert (found.state, found.how, found.closed is not None, incidents.counts(session)) == (
            "closed",
            "disque remplacé",
            True,
            {},
        )
    for deed in (incidents.own, lambda *args: incidents.close(*args, "encore")):
        with pytest.raises(Conflict), database.writing(PLATFORM) as session:
            deed(session, incident, f"person:{one}", one)
    facts = {"incident": incident, "kind": "copy.altered", "place": "second", "subject": "a/b.zip"}
    assert told(database) == [
        (incidents.OPENED, "platform", town.id, facts),
        (incidents.OWNED, f"person:{one}", town.id, facts),
        (incidents.OWNED, f"person:{other}", town.id, facts),
        (incidents.CLOSED, f"person:{other}", town.id, facts),
    ]


def test_the_list_goes_by_key_newest_first_and_is_narrowed_by_kind_and_place(
    database: Database, towns: tuple[Organisation, Organisation, Organisation]
) -> None:
    _, town, _ = towns
    made = [opened(database, town.id, subject=f"a/{rank}.zip") for rank in range(5)]
    missing = opened(database, town.id, kind=Kind.COPY_MISSING, place="principal")
    with database.reading(PLATFORM) as session:
        met: list[Incident] = []
        while page := incidents.listed(
            session, closed=False, count=2, after=(met[-1].opened, met[-1].id) if met else None, kind=Kind.COPY_ALTERED
        ):
            met += page
        assert [one.id for one in met] == made[::-1]
        assert [one.id for one in incidents.listed(session, closed=False, count=9, place="principal")] == [missing]
        assert incidents.listed(session, closed=True, count=9) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_words_of_its_own_and_an_unknown_one_has_those_that_fit_any(kind: Kind) -> None:
    words = incidents.words_of(kind)
    assert words != incidents.words_of("something.new")
    assert all((words.name, words.what, words.advice))
