"""Each recipient has their own days, from the first message that reached the address that they have now."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import select

from core import clock
from core.principal import PLATFORM
from flows.engine.models import Dossier, DossierFile
from flows.engine.transitions import add_files
from flows.engine.work import KeptFile
from flows.mail import acting, following, opening, proof, settling
from flows.mail.door import Given
from flows.mail.models import MailAnswer, MailNotice, MailReturn, RecipientState
from flows.mail.opening import Deed, Opened
from flows.mail.sightings import Circumstances
from tests.mail_sink import Sink
from tests.sending import Sending, links_in, mairie, sending, sink

__all__ = ["mairie", "sending", "sink"]

FIRST, MENDED, OTHER = "camille.aubert@elus.test", "c.aubert@elus.test", "dominique.marchal@elus.test"
DEED = Deed(Given(), Circumstances("192.0.2.7", "Navigateur"), "Retirer le document")


def pass_days(mairie: Sending, dossier_id: str, days: int) -> None:
    mairie.days_later(dossier_id, days)
    following.age(mairie.platform)
    mairie.post()


def token(sink: Sink, address: str) -> str:
    (found,) = links_in(sink.to(address)[-1].get_body(("plain",)).get_content())  # type: ignore[union-attr]
    return str(found)


def behind(mairie: Sending, token: str) -> Opened:
    found = opening.behind(mairie.platform, token)
    assert found is not None
    return found


def came_back(mairie: Sending, notice: MailNotice) -> None:
    """As if a report had come: nobody has this address."""
    with mairie.platform.database.writing(PLATFORM) as session:
        told: dict[str, Any] = {
            "organisation_id": notice.organisation_id,
            "dossier_id": notice.dossier_id,
            "notice_id": notice.id,
        }
        session.add(MailReturn(**told, recipient_id=notice.recipient_id, what="failed", source=notice.id, sha256="", size=0))
    (recipient,) = (one for one in mairie.recipients(notice.dossier_id) if one.id == notice.recipient_id)
    mairie.change(recipient, state=RecipientState.FAILED.value)


@pytest.mark.parametrize("bounces", [False, True], ids=["refused", "bounced"])
def test_who_is_told_later_has_as_many_days(mairie: Sending, sink: Sink, *, bounces: bool) -> None:
    dossier_id = mairie.sent(OTHER, FIRST if bounces else "refused@elus.test")
    if bounces:
        came_back(mairie, mairie.notice(dossier_id, rank=1))
    pass_days(mairie, dossier_id, 10)
    acting.mend_address(mairie.platform, PLATFORM, mairie.recipients(dossier_id)[1].id, MENDED)
    mairie.post()
    assert "de nouveau" not in sink.to(MENDED)[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    pass_days(mairie, dossier_id, 7)
    assert mairie.states(dossier_id) == ["expired", "handed"]
    today = clock.in_paris(clock.now()).date()
    found = behind(mairie, token(sink, MENDED))
    assert (found.late, found.last_day) == (False, today + timedelta(days=8))
    with mairie.platform.database.reading(PLATFORM) as session:
        told = proof.statements(session, dossier_id)
    days = [told[one.id]["recipient"]["withdraw_until"] for one in mairie.recipients(dossier_id)]
    assert days == [(today - timedelta(days=2)).isoformat(), (today + timedelta(days=8)).isoformat()]
    opening.withdraw(mairie.platform, token(sink, MENDED), DEED)
    assert mairie.states(dossier_id) == ["expired", "withdrawn"]


def test_days_do_not_count_while_a_recipient_has_no_link(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent(FIRST, OTHER)
    pass_days(mairie, dossier_id, 1)
    opening.not_me(mairie.platform, token(sink, FIRST), DEED)
    pass_days(mairie, dossier_id, 13)
    for one in mairie.recipients(dossier_id):
        acting.send_again(mairie.platform, PLATFORM, one.id)
    mairie.post()
    today = clock.in_paris(clock.now()).date()
    assert "de nouveau" not in sink.to(FIRST)[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    mended, other = (behind(mairie, token(sink, one)) for one in (FIRST, OTHER))
    assert mended.last_day == today + timedelta(days=15)
    assert other.last_day == today + timedelta(days=1)  # whose links never ceased to open


def test_a_link_that_is_closed_after_its_withdrawal_still_dates_what_was_told(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent(OTHER, "refused@elus.test")
    pass_days(mairie, dossier_id, 10)
    late = mairie.recipients(dossier_id)[1].id
    acting.mend_address(mairie.platform, PLATFORM, late, MENDED)
    mairie.post()
    opening.withdraw(mairie.platform, token(sink, MENDED), DEED)
    acting.revoke(mairie.platform, PLATFORM, late)
    with mairie.platform.database.reading(PLATFORM) as session:
        told = proof.statements(session, dossier_id)[late]["recipient"]["withdraw_until"]
    assert told == (clock.in_paris(clock.now()).date() + timedelta(days=15)).isoformat()


def test_a_send_waits_for_a_message_that_still_has_to_leave(mairie: Sending, sink: Sink) -> None:
    (sink.folder / "later").write_text("1")
    dossier_id = mairie.sent("refused@elus.test", answers=False)
    mairie.days_later(dossier_id, 15)
    acting.mend_address(mairie.platform, PLATFORM, mairie.recipients(dossier_id)[0].id, "later.corrigee@elus.test")
    mairie.post()
    with mairie.platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, dossier_id)
        dossier.since -= timedelta(days=16)
        session.add(dossier)
    following.age(mairie.platform)
    assert (mairie.states(dossier_id), mairie.dossier(dossier_id).state) == (["waiting"], "sent")
    mairie.post()
    assert mairie.states(dossier_id) == ["handed"]
    assert behind(mairie, token(sink, "later.corrigee@elus.test")).late is False


def test_a_message_that_reached_the_address_counts_although_a_later_one_came_back(mairie: Sending) -> None:
    dossier_id = mairie.sent(FIRST)
    pass_days(mairie, dossier_id, 4)
    came_back(mairie, mairie.notice(dossier_id, "reminder-1"))
    mairie.change(mairie.recipients(dossier_id)[0], state=RecipientState.HANDED.value)
    pass_days(mairie, dossier_id, 12)
    assert mairie.states(dossier_id) == ["expired"]


def test_pages_open_as_long_as_somebody_may_withdraw(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent(FIRST, OTHER)
    mairie.change(mairie.mail(dossier_id), readable_until=clock.in_paris(clock.now()).date() - timedelta(days=1))
    mairie.change(mairie.mail(dossier_id), withdraw_until=date(2026, 1, 1))
    assert behind(mairie, token(sink, FIRST)).late is False


def test_a_message_whose_answer_is_always_lost_is_given_up(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent("lost.toujours@elus.test", OTHER)
    lost = mairie.notice(dossier_id)
    assert lost.state == "leaving"
    old = {"attempt": 0, "at": clock.iso(clock.now() - settling.GIVEN_UP_AFTER * 1.01), "unknown": True}
    with mairie.platform.database.writing(PLATFORM) as session:
        session.merge(lost).evidence = [old]
    before = len(sink.kept())
    mairie.post()
    assert len(sink.kept()) == before
    assert (mairie.notice(dossier_id).state, mairie.states(dossier_id)) == ("refused", ["failed", "handed"])
    assert "personne ne sait" in mairie.recipients(dossier_id)[0].trouble


def test_what_was_delayed_and_then_went_on_is_delayed_no_more(mairie: Sending) -> None:
    dossier_id = mairie.sent(FIRST)
    with mairie.platform.database.writing(PLATFORM) as session:
        notice, recipient = session.merge(mairie.notice(dossier_id)), session.merge(mairie.recipients(dossier_id)[0])
        settling.delay(session, notice, recipient, "4.4.1")
        assert recipient.state == RecipientState.DELAYED
        settling.resume(session, notice, recipient)
    (left,) = mairie.recipients(dossier_id)
    assert (left.state, left.trouble) == ("handed", "")


def test_a_cancellation_is_told_at_the_address_of_today_and_not_to_whom_it_is_not_for(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent(FIRST, OTHER)
    acting.mend_address(mairie.platform, PLATFORM, mairie.recipients(dossier_id)[0].id, MENDED)
    mairie.post()
    opening.not_me(mairie.platform, token(sink, OTHER), DEED)
    sink.clear()
    acting.cancel(mairie.platform, PLATFORM, dossier_id, "Erreur de pièce")
    mairie.post()
    assert [to for _, to, _ in sink.kept()] == [MENDED]


def test_a_notice_that_still_has_to_leave_is_hastened_and_not_doubled(mairie: Sending, sink: Sink) -> None:
    (sink.folder / "later").write_text("1")
    dossier_id = mairie.sent("later.une-fois@elus.test", OTHER)
    acting.send_again(mairie.platform, PLATFORM, mairie.recipients(dossier_id)[0].id)
    assert mairie.notice(dossier_id).not_before <= clock.now()
    assert len(mairie.notices(dossier_id)) == 2


def test_answers_are_destroyed_with_what_was_sent(mairie: Sending) -> None:
    dossier_id = mairie.sent(FIRST)
    (recipient,) = mairie.recipients(dossier_id)
    kept = mairie.document(b"%PDF-1.7\nanswer", "reponse.pdf")
    with mairie.platform.database.writing(PLATFORM) as session:
        told = [{"name": kept.name, "media_type": kept.media_type, "sha256": kept.sha256, "size": kept.size}]
        whose: dict[str, Any] = {"organisation_id": recipient.organisation_id, "dossier_id": dossier_id}
        session.add(MailAnswer(**whose, recipient_id=recipient.id, text="Je ne viendrai pas.", files=told))
        answer = KeptFile("answer", kept.name, kept.media_type, kept.sha256, kept.size)
        add_files(session, recipient.organisation_id, dossier_id, (answer,))
        session.get_one(Dossier, dossier_id).state = "archived"
    acting.purge(mairie.platform, PLATFORM, dossier_id)
    with mairie.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id)).all() == []
        (left,) = session.exec(select(MailAnswer).where(MailAnswer.dossier_id == dossier_id))
        assert (left.text, left.files) == ("", told)
        (said,) = proof.statement(session, dossier_id, recipient.id)["answers"]
    assert (said["text"], said["files"]) == (None, told)
