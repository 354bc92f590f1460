"""What follows a convocation that has left: answers, proxies, questions, additions, reminders, the forecast and the sheet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest
from sqlmodel import select

from core import clock
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from flows.mail import reached
from flows.mail.convening import (
    attending,
    forecast,
    intake,
    lateness,
    meetings,
    reminding,
    sheet,
    telling,
)
from flows.mail.convening.models import AssemblyMember, Convened, Meeting, Presence
from flows.mail.convening.sheet import Seen
from flows.mail.models import Mail, MailRecipient, RecipientState
from tests.meetings import NAMES, Council, answer, council_on, on

MAYOR, DOMINIQUE, SACHA, CLAUDE, MORGAN = NAMES


@pytest.fixture(scope="module")
def council(migrated_postgres: str, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Council]:
    with council_on(migrated_postgres, s3, tmp_path_factory.mktemp("convening")) as seated:
        yield seated


@pytest.fixture(scope="module")
def sent(council: Council) -> str:
    """A convocation that has left, and on which some answer."""
    return council.convened()


def test_members_answer_and_each_change_is_an_event(council: Council, sent: str) -> None:
    assert answer(council, sent, MAYOR, Presence.PRESENT) == ()
    answer(council, sent, SACHA, Presence.REMOTE)
    before = len(council.events(sent))
    answer(council, sent, SACHA, Presence.REMOTE)
    assert len(council.events(sent)) == before
    kind, facts = council.events(sent)[-1]
    assert (kind, facts["presence"], facts["before"]) == ("presence_answered", "remote", "unknown")
    answer(council, sent, MORGAN, Presence.ABSENT, clerk=council.clerk)
    with council.platform.database.reading(PLATFORM) as session:
        form = attending.presence_form(session, session.get_one(MailRecipient, council.recipient(sent, MORGAN)))
        assert form is not None
        assert (form.open, form.presence, form.assembly) == (True, Presence.ABSENT, council.assembly.name)
        assert form.choices == (Presence.PRESENT, Presence.REMOTE, Presence.ABSENT, Presence.PROXY)
        guest = attending.presence_form(session, session.get_one(MailRecipient, council.recipient(sent, "La Gazette")))
        assert guest is not None
        assert (guest.choices, guest.questions, guest.receivers) == ((Presence.PRESENT, Presence.REMOTE, Presence.ABSENT), (), ())
    other = Principal("person:x", {council.organisation.id: frozenset({Right.READ})})
    with pytest.raises(Forbidden):
        answer(council, sent, MORGAN, Presence.PRESENT, clerk=other)


def test_a_proxy_goes_to_one_who_holds_none_and_is_taken_back_with_a_word(council: Council) -> None:
    sent = council.convened()
    answer(council, sent, DOMINIQUE, Presence.PROXY, CLAUDE)
    for name, to, words in (
        (SACHA, CLAUDE, "n’en tient qu’un"),
        (SACHA, SACHA, "quelqu’un d’autre"),
        (SACHA, "La Gazette", "parmi les membres"),
        (SACHA, "Lou Second", "parmi les membres"),
        ("La Gazette", MAYOR, "invitée"),
        ("Lou Second", MAYOR, "suppléant"),
    ):
        with pytest.raises((UsageError, Conflict), match=words):
            answer(council, sent, name, Presence.PROXY, to)
    with council.platform.database.reading(PLATFORM) as session:
        sacha = session.get_one(MailRecipient, council.recipient(sent, SACHA))
        form = attending.presence_form(session, sacha)
        assert form is not None
        assert [one.name for one in form.receivers] == [MAYOR, MORGAN]  # neither who gave one, nor who holds one
        held = attending.presence_form(session, session.get_one(MailRecipient, council.recipient(sent, CLAUDE)))
        assert held is not None
        assert held.held == (DOMINIQUE,)
    answer(council, sent, DOMINIQUE, Presence.PROXY, MORGAN)  # another receiver: the first is told
    answer(council, sent, SACHA, Presence.PROXY, CLAUDE)
    answer(council, sent, SACHA, Presence.PRESENT)  # the giver comes after all
    giver = council.recipient(sent, DOMINIQUE), council.recipient(sent, SACHA)
    assert council.occasions(sent, CLAUDE) == [
        f"given-{giver[0]}-1",
        f"undone-{giver[0]}-1",
        f"given-{giver[1]}-1",
        f"undone-{giver[1]}-1",
    ]
    assert council.occasions(sent, MORGAN) == [f"given-{giver[0]}-1"]
    assert council.of(sent, SACHA).proxy_to is None
    with council.platform.database.reading(PLATFORM) as session:
        claude = session.get_one(MailRecipient, council.recipient(sent, CLAUDE))
        said = telling.words_of(session, claude, f"undone-{giver[0]}-1")
        assert said is not None
        assert DOMINIQUE in said.text
        assert telling.words_of(session, claude, "notice") is None


def test_a_proxy_that_comes_and_goes_floods_no_colleague(council: Council) -> None:
    sent, away = council.convened(), (Presence.PRESENT, Presence.ABSENT)
    for _ in range(telling.MOST):
        answer(council, sent, DOMINIQUE, Presence.PROXY, CLAUDE)
        answer(council, sent, DOMINIQUE, Presence.PRESENT)
    with pytest.raises(Conflict, match="secrétariat"):
        answer(council, sent, DOMINIQUE, Presence.PROXY, CLAUDE)
    answer(council, sent, DOMINIQUE, Presence.PROXY, CLAUDE, clerk=council.clerk)
    answer(council, sent, DOMINIQUE, Presence.PROXY, CLAUDE)  # it stands already
    for presence in away * (telling.MOST + 1):
        answer(council, sent, CLAUDE, presence)
    assert len(council.occasions(sent, CLAUDE)) == 2 * telling.MOST
    assert len(council.occasions(sent, DOMINIQUE)) == telling.MOST


def test_who_holds_a_proxy_and_will_be_away_is_told_and_so_is_the_giver(council: Council) -> None:
    sent = council.convened()
    answer(council, sent, DOMINIQUE, Presence.PROXY, CLAUDE)
    warned = answer(council, sent, CLAUDE, Presence.ABSENT)
    assert DOMINIQUE in warned[0]
    assert council.occasions(sent, DOMINIQUE) == [f"vacant-{council.recipient(sent, CLAUDE)}-1"]
    again = answer(council, sent, DOMINIQUE, Presence.PROXY, CLAUDE)
    assert CLAUDE in again[0]
    with council.platform.database.reading(PLATFORM) as session:
        places = {place.member.name: place for place in forecast.forecast(session, sent).places}
        assert (places[DOMINIQUE].vacant, places[DOMINIQUE].proxy_to) == (True, CLAUDE)


def test_of_two_who_give_their_proxy_to_one_at_the_same_moment_one_succeeds(council: Council) -> None:
    sent = council.convened()
    outcomes: list[str] = []

    def give(name: str) -> None:
        try:
            answer(council, sent, name, Presence.PROXY, MAYOR)
            outcomes.append("given")
        except Conflict:
            outcomes.append("taken")

    givers = [Thread(target=give, args=(name,)) for name in (DOMINIQUE, SACHA, CLAUDE)]
    for one in givers:
        one.start()
    for one in givers:
        one.join()
    assert sorted(outcomes) == ["given", "taken", "taken"]
    with council.platform.database.reading(PLATFORM) as session:
        held = session.exec(select(Convened).where(Convened.proxy_to == council.recipient(sent, MAYOR))).all()
        assert len(held) == 1


def test_questions_are_answered_by_members_and_an_answer_is_taken_back(council: Council, sent: str) -> None:
    with council.platform.database.reading(PLATFORM) as session:
        (question,) = meetings.questions_of(session, sent)
    for said in ("yes", "abstention", ""):
        answer(council, sent, CLAUDE, Presence.PRESENT, answers={question.id: said})
        with council.platform.database.reading(PLATFORM) as session:
            form = attending.presence_form(session, session.get_one(MailRecipient, council.recipient(sent, CLAUDE)))
            assert form is not None
            assert [one.answer for one in form.questions] == [said]
    assert [facts["answer"] for kind, facts in council.events(sent) if kind == "question_answered"] == ["yes", "abstention", ""]
    for name, answers in (
        ("La Gazette", {question.id: "yes"}),
        (CLAUDE, {question.id: "peut-être"}),
        (CLAUDE, {"0" * 26: "yes"}),
    ):
        with pytest.raises(UsageError):
            answer(council, sent, name, Presence.PRESENT, answers=answers)


def test_answers_and_additions_close_when_the_meeting_begins_or_is_cancelled(council: Council) -> None:
    sent, cancelled, draft = council.convened(), council.convened(), council.convene()
    council.starts(sent, clock.now() - timedelta(seconds=1))
    with council.platform.database.writing(PLATFORM) as session:
        session.get_one(Mail, cancelled).cancelled = clock.now()
    for dossier_id, words in ((sent, "a commencé"), (cancelled, "annulée"), (draft, "pas encore partie")):
        with pytest.raises(Conflict, match=words):
            answer(council, dossier_id, MAYOR, Presence.PRESENT)
        with council.platform.database.reading(PLATFORM) as session:
            form = attending.presence_form(session, session.get_one(MailRecipient, council.recipient(dossier_id, MAYOR)))
            assert form is not None
            assert (form.open, words in form.closed) == (False, True)
    with pytest.raises(Conflict, match="a commencé"):
        lateness.add_annex(council.platform, council.clerk, sent, council.kept("tard.pdf"))
    with pytest.raises(UsageError):
        attending.attend(council.platform, council.recipient(sent, MAYOR), "peut-être")
    with pytest.raises(NotFound):
        attending.attend(council.platform, "0" * 26, Presence.PRESENT)


def test_an_annex_follows_with_a_notice_and_another_agenda_is_another_convocation(council: Council) -> None:
    sent = council.convened()
    lateness.add_annex(council.platform, council.clerk, sent, council.kept("annexe.pdf"))
    assert [one.partition("-")[0] for one in council.occasions(sent, MAYOR)] == ["addition"]
    assert [kind for kind, _ in council.events(sent)] == ["document_added"]
    with pytest.raises(Conflict, match="un autre ordre du jour demande une autre convocation"):
        intake.change(council.platform, council.clerk, sent, council.wanted(agenda="Autre chose"))
    other = intake.another(council.platform, council.clerk, sent)
    assert (other.documents, other.agenda, other.starts) == ((), council.wanted().agenda, council.wanted().starts)


def test_the_forecast_counts_seats_and_no_proxy_and_an_alternate_sits_for_who_is_away(council: Council) -> None:
    sent = council.convened()

    def told() -> tuple[int, int, bool, bool]:
        with council.platform.database.reading(PLATFORM) as session:
            found = forecast.forecast(session, sent)
            return found.there, found.quorum, found.reached, found.lost

    assert told() == (0, 4, False, False)  # six in office, Jean Vieil on paper among them
    answer(council, sent, MAYOR, Presence.PRESENT)
    answer(council, sent, SACHA, Presence.REMOTE)
    answer(council, sent, CLAUDE, Presence.PROXY, MAYOR)
    answer(council, sent, "Lou Second", Presence.PRESENT)
    answer(council, sent, "La Gazette", Presence.PRESENT)
    assert told() == (2, 4, False, False)
    answer(council, sent, DOMINIQUE, Presence.ABSENT)  # whom Lou Second replaces
    assert told() == (3, 4, False, False)
    answer(council, sent, MORGAN, Presence.ABSENT)
    assert told() == (3, 4, False, False)
    answer(council, sent, SACHA, Presence.ABSENT)
    assert told() == (2, 4, False, True)
    answer(council, sent, SACHA, Presence.PRESENT)
    answer(council, sent, MORGAN, Presence.PRESENT)
    assert told() == (4, 4, True, False)


def test_who_did_not_answer_is_reminded_at_half_time_and_before_the_meeting_once_each(council: Council) -> None:
    now = clock.now()
    early = council.convened(10, left=now - timedelta(days=4))
    half = council.convened(4, left=now - timedelta(days=8))
    close = council.convened(1, left=now - timedelta(days=8))
    never = Council(council.platform, council.organisation, council.clerk).seat(reminder=0)
    silent = never.convened(1, left=now - timedelta(days=8))
    for dossier_id in (half, close):
        answer(council, dossier_id, MAYOR, Presence.PRESENT)
        council.stand(dossier_id, SACHA, RecipientState.FAILED)
    for _ in range(2):
        reminding.remind(council.platform)
    told = {name: [council.occasions(one, name) for one in (early, half, close, silent)] for name in (MAYOR, SACHA, CLAUDE)}
    nothing: list[str] = []
    assert told == {MAYOR: [nothing] * 4, SACHA: [nothing] * 4, CLAUDE: [nothing, ["answer-1"], ["answer-2"], nothing]}


def test_whom_nothing_reached_is_pointed_out_before_the_last_day_is_over(council: Council) -> None:
    now = clock.now()

    def told(dossier_id: str) -> tuple[list[str], list[str], bool] | None:
        with council.platform.database.reading(PLATFORM) as session:
            found = reminding.alert(session, meetings.convocation_of(session, dossier_id))
        return ([one.name for one in found.seats], [one.name for one in found.late], found.over) if found else None

    far, near, over = council.convened(20), council.convened(6), council.convened(3, left=now - timedelta(days=5))
    assert (told(far), told(near), told(over)) == (None, None, None)
    for dossier_id in (far, near, over):
        council.stand(dossier_id, SACHA, RecipientState.FAILED)
        council.stand(dossier_id, "La Gazette", RecipientState.FAILED)
    assert (told(far), told(near), told(over)) == (None, ([SACHA], [], False), ([SACHA], [], True))
    late = council.convened(3, left=now)
    assert told(late) == ([], [*NAMES, "Lou Second"], True)


def test_a_convocation_is_withdrawn_until_its_meeting_whenever_somebody_was_told(council: Council) -> None:
    dossier_id = council.convened(3)
    with council.platform.database.writing(PLATFORM) as session:
        mail = session.get_one(Mail, dossier_id)
        mail.withdraw_until = on(3).date()
        told = reached.told_on(session, dossier_id)[council.recipient(dossier_id, SACHA)]
        assert reached.last_day(mail, told) == reached.last_day(mail, on(4).date()) == on(3).date()
        assert reached.last_day(mail, None) == on(3).date()


def test_the_sheet_is_signed_then_closed_once_and_the_chair_has_the_last_word(council: Council) -> None:
    sent = council.convened()
    answer(council, sent, DOMINIQUE, Presence.PROXY, SACHA)
    members = {name: one.id for name, one in council.members.items()}
    seen = {members[name]: Seen(Presence.PRESENT) for name in (MAYOR, SACHA, CLAUDE, "Jean Vieil")}
    seen |= {members[MORGAN]: Seen(Presence.ABSENT), members[DOMINIQUE]: Seen(Presence.PROXY, members[SACHA])}

    def close(**changes: Seen) -> None:
        chosen = {**seen, **{members[name.replace("_", " ")]: one for name, one in changes.items()}}
        sheet.close(council.platform, council.clerk, sent, chosen)

    with pytest.raises(Conflict, match="une fois la séance commencée"):
        close()
    with council.platform.database.reading(PLATFORM) as session:
        to_sign = sheet.pdf(session, sent)
    council.starts(sent, clock.now() - timedelta(hours=2))
    for changes, words in (
        ({"Morgan_Texier": Seen(Presence.PROXY, members[SACHA])}, "n’en tient qu’un"),
        ({"Morgan_Texier": Seen(Presence.PROXY, members[MORGAN])}, "autre membre"),
        ({"Morgan_Texier": Seen(Presence.PROXY, members["Lou Second"])}, "autre membre"),
        ({"Morgan_Texier": Seen(Presence.UNKNOWN)}, "Dites si Morgan Texier"),
        ({"Lou_Second": Seen(Presence.PRESENT)}, "en l’absence"),
    ):
        with pytest.raises(UsageError, match=words):
            close(**changes)
    with pytest.raises(UsageError, match="Il manque"):
        sheet.close(council.platform, council.clerk, sent, {members[MAYOR]: Seen(Presence.PRESENT)})
    close()
    with pytest.raises(Conflict, match="close depuis"):
        close()
    with council.platform.database.reading(PLATFORM) as session:
        closed = sheet.closed_of(session.get_one(Meeting, sent))
        recorded = sheet.pdf(session, sent)
    assert closed is not None
    assert (closed.there, closed.quorum) == (4, 4)
    assert [one.proxy_to for one in closed.lines if one.name == DOMINIQUE] == [SACHA]
    with council.platform.database.writing(PLATFORM) as session:
        for name in (MAYOR, CLAUDE):
            member = session.get_one(AssemblyMember, members[name])
            member.name, member.until = "Quelqu’un d’autre", clock.in_paris(clock.now()).date() - timedelta(days=3)
    with council.platform.database.reading(PLATFORM) as session:
        assert sheet.closed_of(session.get_one(Meeting, sent)) == closed
    assert council.events(sent)[-1][0] == "attendance_closed"
    assert to_sign[:5] == recorded[:5] == b"%PDF-"
    assert to_sign != recorded
