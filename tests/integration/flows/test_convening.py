"""Convocations until they leave: who is convened, what keeps one from leaving, the assemblies and their members."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from core import clock
from core.errors import Conflict, Forbidden, NotFound, Refused, UsageError
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from flows.engine.models import Dossier
from flows.engine.work import Work
from flows.mail import checking, settling
from flows.mail import intake as mails
from flows.mail.convening import (
    assemblies,
    forecast,
    importing,
    intake,
    meetings,
    rules,
)
from flows.mail.convening.assemblies import MemberDetails
from flows.mail.convening.delays import Case
from flows.mail.convening.importing import Imported
from flows.mail.convening.intake import Guest
from flows.mail.convening.models import Assembly, Meeting
from flows.mail.keeping import recipients_of
from flows.mail.kinds import CONVOCATION
from flows.mail.models import Mail, MailNotice, MailRecipient
from flows.mail.rules import Unsendable
from tests.meetings import NAMES, Council, address, council_on, on

MAYOR, DOMINIQUE, SACHA, CLAUDE, MORGAN = NAMES


@pytest.fixture(scope="module")
def council(migrated_postgres: str, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Council]:
    with council_on(migrated_postgres, s3, tmp_path_factory.mktemp("convening")) as seated:
        yield seated


def problems(council: Council, dossier_id: str) -> set[str]:
    """What keeps a convocation from leaving: numbers and whom they are about."""
    with council.platform.database.reading(PLATFORM) as session:
        found = rules.problems(session, session.get_one(Mail, dossier_id), recipients_of(session, dossier_id))
    return {f"{one.rule} {one.path or one.message}" for one in found}


def refused(council: Council, dossier_id: str, words: str) -> None:
    with pytest.raises(Unsendable, match=words):
        mails.send(council.platform, council.clerk, dossier_id)


def test_everybody_in_office_is_convened_and_who_wants_paper_is_listed_for_the_post(council: Council) -> None:
    dossier_id = council.convene()
    with council.platform.database.reading(council.clerk) as session:
        known = meetings.convocation_of(session, dossier_id)
    by_name = {seat.name: seat for seat in known.seats}
    assert list(by_name) == [*NAMES, "Lou Second", "La Gazette"]
    assert (by_name["Lou Second"].votes, by_name[MAYOR].votes, by_name["La Gazette"].member) == (False, True, None)
    assert known.meeting.paper == [council.members["Jean Vieil"].id]
    assert known.mail.kind == "convocation"
    assert known.mail.subject.startswith("Convocation – Conseil municipal")
    for said in ("18 h 30", "Salle du conseil", "– Budget primitif"):
        assert said in f"{known.mail.subject} {known.mail.body}".replace("\u00a0", " ")
    assert problems(council, dossier_id) == set()


def test_a_draft_is_changed_whole_and_shows_again_what_was_written(council: Council) -> None:
    dossier_id = council.convene()
    written = intake.written(council.platform, council.clerk, dossier_id)
    wanted = council.wanted()
    assert replace(written, documents=()) == replace(wanted, documents=(), place="Salle du conseil", sender="Valmorin")
    for message, case, urgency in (
        ("Venez.\n\nMerci.", Case.USUAL, ""),
        ("Vite.", Case.URGENCY, "La digue a cédé."),
        ("", Case.SECOND, ""),
    ):
        mended = replace(written, guests=(), questions=("Une autre ?",), place="Salle des fêtes", agenda="Divers")
        mended = replace(mended, message=message, case=case, urgency=urgency)
        intake.change(council.platform, council.clerk, dossier_id, mended)
        assert intake.written(council.platform, council.clerk, dossier_id) == mended


@pytest.mark.parametrize(
    ("days", "changes", "words"),
    [
        (-1, {}, "dans le passé"),
        (3, {}, "Le délai de convocation n’est plus tenu : il faut 3 jours francs \\(CGCT, L. 2121-11\\)"),
        (1, {"case": Case.URGENCY, "urgency": "La digue a cédé."}, "Même en urgence, un jour franc"),
        (3, {"case": Case.SECOND}, "Le délai"),
        (9, {"agenda": "  \n"}, "ordre du jour"),
        (9, {"documents": ()}, "Aucun document"),
    ],
)
def test_a_convocation_that_breaks_the_law_does_not_leave(
    council: Council, days: int, changes: dict[str, Any], words: str
) -> None:
    refused(council, council.convene(days, **changes), words.replace(" :", "\u00a0:"))


def test_a_delay_that_is_just_met_leaves_and_urgency_shortens_it(council: Council) -> None:
    for days, changes in ((4, {}), (2, {"case": Case.URGENCY, "urgency": "La digue a cédé."})):
        dossier_id = council.convene(days, **changes)
        mails.send(council.platform, council.clerk, dossier_id)
        with council.platform.database.reading(PLATFORM) as session:
            assert session.get_one(Dossier, dossier_id).state == "received"
            assert session.get_one(Meeting, dossier_id).last_day == clock.in_paris(clock.now()).date()


def test_a_convocation_that_waited_past_its_last_day_is_stopped_by_its_check(council: Council, tmp_path: Path) -> None:
    dossier_id = council.convene(4)
    mails.send(council.platform, council.clerk, dossier_id)
    owner = council.organisation.id
    work = Work(council.platform, dossier_id, owner, "", "received", {}, (), tmp_path, 1, lambda *_: None)
    assert checking.check(work).outcome == "accepted"
    council.starts(dossier_id, on(3))  # midnight went by
    refused = checking.check(work)
    assert (refused.outcome, refused.journal["rules"]) == ("refused", ["M09"])


def test_the_note_is_asked_for_where_the_law_wants_it_and_cases_do_not_mix(council: Council) -> None:
    town = Council(council.platform, council.organisation, council.clerk).seat("commune_3500")
    documents = (town.kept("convocation.pdf"), town.kept("note.pdf"))
    dossier_id = town.convene(10, documents=documents)
    assert {one[:3] for one in problems(town, dossier_id)} == {"M09"}
    refused(town, dossier_id, "note explicative")
    intake.change(town.platform, town.clerk, dossier_id, town.wanted(10, documents=documents, note=documents[1].sha256))
    assert problems(town, dossier_id) == set()
    with town.platform.database.writing(PLATFORM) as session:
        meeting = session.get_one(Meeting, dossier_id)
        meeting.second = meeting.renewal = True
    refused(town, dossier_id, "un seul de ces cas")


def test_a_second_convocation_follows_the_failed_meeting_by_three_clear_days(council: Council) -> None:
    town = Council(council.platform, council.organisation, council.clerk).seat()
    failed = town.convened(2, case=Case.URGENCY, urgency="Une digue.")
    second = town.convene(5, case=Case.SECOND)
    refused(town, second, "La réunion sans quorum a eu lieu")
    town.starts(failed, clock.now() - timedelta(hours=1))
    intake.change(town.platform, town.clerk, second, town.wanted(5, case=Case.SECOND))
    assert problems(town, second) == set()
    with town.platform.database.reading(PLATFORM) as session:
        assert forecast.forecast(session, second).quorum == 0


def test_nobody_is_missing_nobody_is_past_and_everybody_is_written_to_where_they_chose(council: Council) -> None:
    town = Council(council.platform, council.organisation, council.clerk).seat()
    dossier_id = town.convene()
    yesterday = clock.in_paris(clock.now()).date() - timedelta(days=1)
    with town.platform.database.writing(town.clerk) as session:
        assembly = assemblies.assembly_of(session, town.assembly.id)
        members = {one.name: one for one in meetings.members_of(session, assembly.id)}
        assemblies.add_member(session, town.clerk, assembly, MemberDetails("Noa Nouvelle", address("Noa Nouvelle")))
        assemblies.add_member(
            session, town.clerk, assembly, MemberDetails("Remplaçant", "r@elus.test", alternate_of=members[MAYOR].id)
        )
        assemblies.end_mandate(session, town.clerk, assembly, members[SACHA], yesterday)
        moved = MemberDetails(CLAUDE, "ailleurs@elus.test")
        assemblies.change_member(session, town.clerk, assembly, members[CLAUDE], moved)
        assemblies.change_member(session, town.clerk, assembly, members[MORGAN], MemberDetails(MORGAN, "2 place", paper=True))
    told = problems(town, dossier_id)
    assert told == {"M10 Noa Nouvelle", "M10 Remplaçant", f"M10 {SACHA}", f"M10 {CLAUDE}", f"M10 {MORGAN}"}
    intake.change(town.platform, town.clerk, dossier_id, intake.written(town.platform, town.clerk, dossier_id))
    assert problems(town, dossier_id) == set()
    with town.platform.database.writing(PLATFORM) as session:
        mail = session.get_one(Mail, dossier_id)
        extra = MailRecipient(
            organisation_id=mail.organisation_id, dossier_id=dossier_id, rank=99, address="x@y.test", normal="x@y.test"
        )
        session.add(extra)
    assert problems(town, dossier_id) == {"M10 x@y.test"}
    plain = mails.compose(town.platform, town.clerk, mails.Draft(town.organisation.id, "convocation", "Sans séance", "Rien"))
    assert any("ne convoque à aucune séance" in one for one in problems(town, plain.dossier.id))


def test_what_cannot_be_written_is_refused_in_words(council: Council) -> None:
    for changes, words in (
        ({"case": Case.URGENCY}, "urgence se motive"),
        ({"questions": ("",)}, "questions au plus"),
        ({"guests": (Guest(address(MAYOR)),)}, address(MAYOR)),
        ({"guests": (Guest("sans arobase"),)}, "sans arobase"),
        ({"agenda": "x" * 20_001}, "20000"),
    ):
        with pytest.raises(UsageError, match=words):
            council.convene(**changes)
    stranger = Principal("person:other", {"0" * 26: frozenset(Right)})
    with pytest.raises(NotFound):
        intake.convene(council.platform, stranger, council.wanted())
    reader = Principal("person:reader", {council.organisation.id: frozenset({Right.READ})})
    with pytest.raises(Forbidden):
        intake.convene(council.platform, reader, council.wanted())


def test_members_come_from_a_spreadsheet_whole_or_not_at_all(council: Council) -> None:
    town = Council(council.platform, council.organisation, council.clerk).seat()

    def bring(text: str | bytes) -> Imported:
        with town.platform.database.writing(town.clerk) as session:
            assembly = session.get_one(Assembly, town.assembly.id)
            raw = text if isinstance(text, bytes) else text.encode()
            return importing.bring_in(session, town.clerk, assembly, raw)

    wrong = (
        "A;sans arobase;;;",
        "B;b@elus.test;x;;",
        "",
        "C;c@elus.test;;Personne;",
        "D;d@elus.test;;;peut-être",
        "E;e@elus.test;;;",
    )
    faulty = "\n".join(("nom;adresse;rang;suppleant_de;papier", *wrong))
    with pytest.raises(Refused) as told:
        bring(faulty)
    assert [one.line for one in told.value.problems] == [2, 3, 5, 6]
    assert not any(name == "E" for name in _names(town))
    good = ("René Été;r.ete@elus.test;Adjoint;;", "Son Suppléant;s@elus.test;;René Été;", "Vieille Dame;1 rue Haute;;;oui", "")
    text = "\r\n".join(("Nom;Adresse;Fonction;Suppléant de;Papier", *good))
    assert bring(text.encode("cp1252")) == Imported(3, 0)
    assert bring(text.replace("Adjoint", "Maire")) == Imported(0, 3)
    found = {one.name: one for one in _members(town)}
    assert (found["René Été"].title, found["Vieille Dame"].paper) == ("Maire", True)
    assert found["Son Suppléant"].alternate_of == found["René Été"].id
    for raw in (b"", b"\x00nom;adresse", "prénom;ville\nA;B\n", b"nom;adresse\n" + b"x" * 600_000):
        with pytest.raises(UsageError):
            bring(raw)


def _members(town: Council) -> list[Any]:
    with town.platform.database.reading(PLATFORM) as session:
        return meetings.members_of(session, town.assembly.id)


def _names(town: Council) -> list[str]:
    return [one.name for one in _members(town)]


def test_assemblies_are_kept_by_who_administers_or_deposits_there(council: Council) -> None:
    kept = council.assembly
    same = assemblies.AssemblyDetails(kept.name, "commune")
    reader = Principal("person:reader", {council.organisation.id: frozenset({Right.READ})})
    with council.platform.database.writing(council.clerk) as session:
        assembly = assemblies.assembly_of(session, kept.id)
        members = {one.name: one for one in meetings.members_of(session, kept.id)}
        for details, words in (
            (same, "porte déjà le nom"),
            (replace(same, name=" "), "a un nom"),
            (replace(same, name="X", rule="senat"), "n’est pas une règle"),
            (replace(same, name="X", rule="statutes", days=0), "1 à 60"),
            (replace(same, name="X", reminder=999), "heures"),
        ):
            with pytest.raises((UsageError, Conflict), match=words):
                assemblies.make(session, council.clerk, council.organisation.id, details)
        for member, words in (
            (MemberDetails("", "x@y.test"), "un nom"),
            (MemberDetails("X", ""), "où convoquer"),
            (MemberDetails("X", address(MAYOR).upper()), "déjà l’adresse"),
            (MemberDetails("X", "x@y.test", alternate_of=members["Lou Second"].id), "suppléant"),
        ):
            with pytest.raises((UsageError, Conflict), match=words):
                assemblies.add_member(session, council.clerk, assembly, member)
        with pytest.raises(Forbidden):
            assemblies.make(session, reader, council.organisation.id, same)
        assemblies.close(session, council.clerk, assembly)
    with pytest.raises(Conflict, match="ne se réunit plus"):
        council.convene()
    with council.platform.database.writing(council.clerk) as session:
        assemblies.reopen(session, council.clerk, assemblies.assembly_of(session, kept.id))
    assert council.convene()


def test_the_day_of_the_meeting_is_that_of_paris(council: Council) -> None:
    late = on(10).replace(hour=0, minute=30)  # still the day before in UTC
    dossier_id = council.convene(starts=late)
    with council.platform.database.reading(PLATFORM) as session:
        assert session.get_one(Meeting, dossier_id).last_day == late.date() - timedelta(days=4)


def test_a_convocation_is_read_until_the_meeting_however_few_days_its_terms_give(council: Council) -> None:
    dossier_id, few = council.convened(), CONVOCATION.model_copy(update={"withdraw_days": 2, "readable_days": 3})
    with council.platform.database.writing(PLATFORM) as session:
        mail = session.get_one(Mail, dossier_id)
        mail.sent, mail.terms = None, few.model_dump(mode="json")
        notice = session.exec(select(MailNotice).where(MailNotice.dossier_id == dossier_id)).first()
        assert notice is not None
        settling.reported(session, notice, session.get_one(MailRecipient, notice.recipient_id), mail, "r", "mx.elus.test")
        assert mail.withdraw_until == mail.readable_until == on(10).date()
