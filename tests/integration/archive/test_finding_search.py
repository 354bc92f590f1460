"""Searching records, the same in SQLite and in PostgreSQL: words, facts of management, who sees what, pages by key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from archive.finding import gin, index, search
from archive.finding.holding import holding
from archive.finding.models import RecordState
from archive.finding.search import Wanted, find
from archive.finding.seeing import record_of
from archive.models import RecordDigest, TreeHash
from core import clock
from core.errors import NotFound, UsageError
from core.identifiers import Siret
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from tests.findable import add, digest_of
from tests.kept_records import seal

pytestmark = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
READ, OPERATE = frozenset({Right.READ}), frozenset({Right.READ, Right.OPERATE})


def found(platform: Platform, principal: Principal = PLATFORM, **wanted: object) -> list[str]:
    """The records found, in their order."""
    return [line.record.id for line in find(platform, principal, Wanted(**wanted)).lines]  # type: ignore[arg-type]


def reader(*organisations: Organisation, actor: str = "person:somebody", rights: frozenset[Right] = READ) -> Principal:
    return Principal(actor, {organisation.id: rights for organisation in organisations})


@pytest.fixture
def neighbour(platform: Platform, mairie: Organisation) -> Organisation:
    """Another collectivité."""
    with platform.database.writing(PLATFORM) as session:
        root = session.get_one(Organisation, mairie.parent_id)
        kind = OrganisationKind.COLLECTIVITE
        return add_organisation(session, "Syndicat du Lavoir", kind, parent=root, siret=Siret("21640980500019"))


@pytest.fixture
def school(platform: Platform, mairie: Organisation) -> Organisation:
    """A service of the town."""
    with platform.database.writing(PLATFORM) as session:
        return add_organisation(session, "Caisse des écoles", OrganisationKind.SERVICE, parent=mairie)


def test_records_are_found_by_all_that_their_manifest_says_whatever_case_accents_and_number(
    platform: Platform, mairie: Organisation
) -> None:
    budget = add(platform, mairie, "Délibération n° 2026-118 : budget primitif", "7.1 Décisions budgétaires")
    street = add(platform, mairie, "Arrêté de voirie, rue de l’École", files=("Plan d’accès.pdf",))
    assert found(platform, text="DELIBERATIONS budget") == [budget]
    assert found(platform, text="2026/118") == [budget]
    assert found(platform, text="décision budgétaire") == [budget]
    assert found(platform, text="ecoles") == [street]
    assert found(platform, text="plan acces pdf") == [street]
    assert found(platform, text=street.lower()) == [street]
    assert found(platform, text="voir* écol*") == [street]
    assert found(platform, text="budget voirie") == []
    assert found(platform) == [street, budget]


def test_a_question_that_cannot_be_asked_says_what_to_type_instead(platform: Platform) -> None:
    for text_, words in (
        ("abc*", "4 caractères"),
        ("de la", "aucun mot"),
        (" ".join(f"mot{n}" for n in range(31)), "au plus 30"),
    ):
        with pytest.raises(UsageError, match=words):
            find(platform, PLATFORM, Wanted(text=text_))


def test_what_looks_like_a_query_language_is_only_words(platform: Platform, mairie: Organisation) -> None:
    only = add(platform, mairie, 'Convention "O\'Brien" (AND) NOT kind:actes & co | autres')
    for typed in ("o'brien", '"convention"', "NOT AND", "autres | co", "(convention)", "kind:actes", "a:b OR c' --"):
        assert found(platform, text=typed) in ([only], [])
    assert found(platform, text="o'brien co") == [only]


def test_facts_of_management_narrow_alone_and_together(platform: Platform, mairie: Organisation) -> None:
    pes = add(platform, mairie, "Flux", kind="helios", dated=date(2024, 1, 1), rule="APP-COMPTA-10ANS v1", final_action="Destroy")
    act = add(platform, mairie, "Flux", producer="214000000")
    assert found(platform, kinds=("helios",)) == found(platform, years=(2024,)) == [pes]
    assert found(platform, rule="APP-COMPTA-10ANS v1") == found(platform, final_action="Destroy") == [pes]
    assert found(platform, producers=("214000000",)) == [act]
    assert found(platform, text="flux", kinds=("helios", "actes")) == [act, pes]
    assert found(platform, kinds=("helios",), years=(2026,)) == []


def test_days_are_told_apart_exactly(platform: Platform, mairie: Organisation) -> None:
    today = clock.in_paris(clock.now()).date()
    opened = add(platform, mairie, "Ouvert aujourd’hui", open_from=today, keep_until=date(2029, 12, 31))
    hidden = add(platform, mairie, "Ouvert demain", open_from=today + timedelta(days=1), keep_until=date(2030, 1, 1))
    endless = add(platform, mairie, "Jamais", open_from=None, keep_until=None)
    assert found(platform, open=True) == [opened]
    assert found(platform, open=False) == [endless, hidden]
    assert found(platform, due_by=date(2029, 12, 31)) == [opened]
    assert found(platform, due_by=date(2030, 1, 1)) == [hidden, opened]
    assert found(platform, due_by=date(2029, 12, 30)) == []


def test_a_digest_finds_the_record_that_holds_the_file_and_no_other_criterion_is_forgotten(
    platform: Platform, mairie: Organisation, neighbour: Organisation
) -> None:
    held = add(platform, mairie, "Acte", files=("acte.pdf",))
    add(platform, mairie, "Autre", files=("autre.pdf",))
    assert found(platform, digest=digest_of("acte.pdf").upper()) == found(platform, digest=digest_of(held)) == [held]
    assert found(platform, digest=digest_of("acte.pdf"), text="autre") == []
    assert found(platform, reader(neighbour), digest=digest_of("acte.pdf")) == []
    assert found(platform, digest="0" * 64) == []


def test_a_digest_that_a_package_was_given_after_its_sealing_finds_it(platform: Platform, mairie: Organisation) -> None:
    held = add(platform, mairie, "Acte")
    later = {"record_id": held, "algorithm": "SHA-512", "organisation_id": mairie.id, "value": "a" * 128, "taken": clock.now()}
    with platform.database.writing(PLATFORM) as session:
        session.add_all([RecordDigest(**later), TreeHash(algorithm="SHA-512", entry_id="")])
    assert found(platform, reader(mairie), digest="A" * 128) == [held]
    with platform.database.reading(reader(mairie)) as session:
        assert [one.record.id for one in holding(session, ["a" * 128])] == [held]


def test_a_file_that_many_others_hold_is_found_where_one_may_read(
    platform: Platform, mairie: Organisation, neighbour: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_MOST_SAME", 1)
    ours = add(platform, mairie, "Convocation", files=("annexe.pdf",))
    newer = [add(platform, neighbour, "Convocation", files=("annexe.pdf",)) for _ in range(2)]
    assert found(platform, reader(mairie), digest=digest_of("annexe.pdf")) == [ours]
    assert found(platform, digest=digest_of("annexe.pdf")) == newer[1:]


def test_records_that_hold_the_same_file_come_newest_first_a_page_at_a_time(platform: Platform, mairie: Organisation) -> None:
    newest = [add(platform, mairie, "Convocation", files=("annexe.pdf",)) for _ in range(4)][::-1]
    wanted, seen = Wanted(digest=digest_of("annexe.pdf"), limit=1), list[str]()
    while (page := find(platform, PLATFORM, wanted, counted=False)).next:
        seen += (line.record.id for line in page.lines)
        wanted = replace(wanted, after=page.next)
    assert [*seen, *(line.record.id for line in page.lines)] == newest


def test_everyone_sees_the_records_of_where_they_may_read_and_no_other_is_counted(
    platform: Platform, mairie: Organisation, neighbour: Organisation, school: Organisation
) -> None:
    ours, theirs = add(platform, mairie, "Budget"), add(platform, neighbour, "Budget")
    schools = add(platform, school, "Budget")
    assert found(platform, reader(mairie, school), text="budget") == [schools, ours]
    # Who holds the town without what is below it sees nothing of that, and is told nothing of it in the counts.
    page = find(platform, reader(mairie), Wanted(text="budget"))
    assert [line.record.id for line in page.lines] == [ours]
    assert page.counts is not None
    assert page.counts.total == 1
    assert page.counts.organisations == ((mairie.id, 1),)
    assert found(platform, reader(neighbour, school)) == [schools, theirs]
    assert found(platform, reader(mairie, school), organisations=(school.id,)) == [schools]
    assert found(platform, reader(mairie, school), organisations=(mairie.id,)) == [schools, ours]
    assert found(platform, reader(mairie), organisations=(neighbour.id,)) == []
    assert found(platform, Principal("person:nobody")) == []
    assert found(platform, reader(mairie, rights=frozenset({Right.ARCHIVE}))) == []


def test_confidential_records_are_seen_by_software_and_by_whoever_operates_their_organisation(
    platform: Platform, mairie: Organisation, neighbour: Organisation
) -> None:
    secret = add(platform, mairie, "Affaire", confidential=True)
    public = add(platform, mairie, "Affaire")
    other = add(platform, neighbour, "Affaire", confidential=True)
    assert found(platform, reader(mairie, neighbour), text="affaire") == [public]
    assert found(platform, reader(mairie, actor="token:software")) == [public, secret]
    operating = Principal("person:operator", {mairie.id: OPERATE, neighbour.id: READ})
    assert found(platform, operating) == [public, secret]
    assert found(platform, reader(mairie, neighbour, rights=OPERATE)) == [other, public, secret]


def test_software_finds_nothing_of_what_people_kept_to_themselves(platform: Platform, mairie: Organisation) -> None:
    sent, public = add(platform, mairie, "Affaire", confidential=True), add(platform, mairie, "Affaire")
    kept = add(platform, mairie, "Affaire", files=("kept.pdf",), confidential=True, withheld=True)
    software = reader(mairie, actor="token:software")
    page = find(platform, software, Wanted(text="affaire", limit=1))
    assert ([line.record.id for line in page.lines], page.counts and page.counts.total) == ([public], 2)
    assert found(platform, software, text="affaire", after=page.next) == [sent]
    assert found(platform, software, digest=digest_of("kept.pdf")) == []
    with platform.database.reading(software) as session:
        assert record_of(session, sent).id == sent
        with pytest.raises(NotFound):
            record_of(session, kept)
    assert kept in found(platform, reader(mairie, rights=OPERATE))


@pytest.mark.parametrize("few", [0, 20, 100])
def test_pages_go_from_the_newest_to_the_oldest_without_a_gap_over_every_slice_of_numbers(
    platform: Platform, mairie: Organisation, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(gin, "_SLICE", 1)
    monkeypatch.setattr(gin, "_FEW", few)
    records = [add(platform, mairie, "Pair" if number % 3 else "Impair") for number in range(40)]
    for wanted in (records, [one for number, one in enumerate(records) if number % 3]):
        words = "pair" if len(wanted) < len(records) else ""
        assert list(_pages(platform, words)) == wanted[::-1]


def _pages(platform: Platform, words: str) -> Iterable[str]:
    after = None
    while True:
        page = find(platform, PLATFORM, Wanted(text=words, limit=7, after=after))
        assert page.counts is not None
        yield from (line.record.id for line in page.lines)
        after = page.next
        if after is None:
            return


def test_what_is_counted_is_bounded_and_says_so(
    platform: Platform, mairie: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        add(platform, mairie, "Flux", kind="helios" if number % 2 else "actes", dated=date(2020 + number, 1, 1))
    exact = find(platform, PLATFORM, Wanted(text="flux")).counts
    assert exact is not None
    assert (exact.total, exact.exact) == (6, True)
    assert dict(exact.kinds) == {"helios": 3, "actes": 3}
    assert [year for year, _ in exact.years] == [2025, 2024, 2023, 2022, 2021, 2020]
    monkeypatch.setattr(search, "COUNTED_UP_TO", 4)
    more = find(platform, PLATFORM, Wanted(text="flux")).counts
    assert more is not None
    assert (more.total, more.exact) == (4, False)
    assert [year for year, _ in more.years] == [2025, 2024, 2023, 2022]
    assert find(platform, PLATFORM, Wanted(text="flux"), counted=False).counts is None


def test_where_a_record_stands_is_told_and_of_an_eliminated_one_no_word_is_left(platform: Platform, mairie: Organisation) -> None:
    record = add(platform, mairie, "Dossier de Madame Untel")
    with platform.database.writing(PLATFORM) as session:
        index.mark(session, record, RecordState.HELD)
    (line,) = find(platform, PLATFORM, Wanted(text="untel", states=(RecordState.HELD,))).lines
    assert line.state is RecordState.HELD
    assert found(platform, states=(RecordState.KEPT,)) == []
    with platform.database.writing(PLATFORM) as session:
        index.remove(session, record)
    assert found(platform, text="untel") == found(platform, text="unte*") == found(platform, text=record) == []
    assert found(platform, states=(RecordState.ELIMINATED,), kinds=("actes",)) == [record]
    with platform.database.reading(PLATFORM) as session:
        left = session.connection().execute(text("SELECT CAST(words AS text) FROM record_words")).scalar_one()
    assert "untel" not in left


def test_what_a_flow_seals_is_found_at_once_and_the_index_is_rebuilt_from_the_packages_alone(
    platform: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    first, second = seal(platform, mairie, tmp_path), seal(platform, mairie, tmp_path)
    everything = [second.id, first.id]
    assert found(platform, text="PES-Été-0001 bordereau") == everything
    with platform.database.writing(PLATFORM) as session:
        index.clear(session)
    assert found(platform) == []
    told: list[tuple[int, int]] = []
    assert index.rebuild(platform, lambda done, missing: told.append((done, missing))) == 2
    assert told == [(1, 2), (2, 2)]
    assert found(platform, text="PES-Été-0001 bordereau") == everything
    assert index.rebuild(platform) == 0


def test_who_reads_in_many_organisations_sees_their_records_and_no_other(platform: Platform, mairie: Organisation) -> None:
    with platform.database.writing(PLATFORM) as session:
        root = session.get_one(Organisation, mairie.parent_id)
        kind = OrganisationKind.COLLECTIVITE
        all_ = [add_organisation(session, f"Commune {rank}", kind, parent=root) for rank in range(13)]
    records = [add(platform, one, "Budget") for one in all_]
    held = Principal("person:archivist", {one.id: READ for one in all_[:10]})
    assert found(platform, held, text="budget") == records[9::-1]
    page = find(platform, held, Wanted(text="budget", limit=4, after=None))
    assert page.counts is not None
    assert page.counts.total == 10
    assert found(platform, held, text="budget", limit=4, after=page.next) == records[5:1:-1]
    assert found(platform, held, organisations=(all_[12].id,)) == []
