"""A tracked mail that was set aside, as after a backup was restored, sends nothing by itself."""

from __future__ import annotations

import pytest
from sqlmodel import select

from core import clock
from core.errors import Conflict
from core.principal import PLATFORM
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.mail import following, intake
from flows.mail.flow import MAIL
from flows.mail.models import MailNotice, NoticeState
from tests.mail_sink import Sink
from tests.sending import Sending, mairie, sending, sink

__all__ = ["mairie", "sending", "sink"]


def test_what_a_send_that_is_set_aside_has_due_waits_for_an_operator(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent("camille.aubert@elus.test")
    with mairie.platform.database.writing(PLATFORM) as session:  # as the backup has it: the notice has not left
        notice = session.exec(select(MailNotice).where(MailNotice.dossier_id == dossier_id)).one()
        notice.state, notice.not_before, notice.sha256 = NoticeState.DUE.value, clock.now(), ""
        session.get_one(Dossier, dossier_id).parked = "la base a été restaurée"
    sink.clear()

    mairie.post()
    assert sink.kept() == []

    with mairie.platform.database.writing(PLATFORM) as session:
        session.get_one(Dossier, dossier_id).parked = None
    mairie.post()
    assert [to for _, to, _ in sink.kept()] == ["camille.aubert@elus.test"]


def test_a_draft_that_is_set_aside_is_not_sent_and_says_so(mairie: Sending) -> None:
    dossier_id = mairie.written("camille.aubert@elus.test")
    with mairie.platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, dossier_id)
        dossier.parked, dossier.overtaken = "la base a été restaurée", True
    for act in (intake.send, intake.abandon):
        with pytest.raises(Conflict, match="mis de côté"):
            act(mairie.platform, PLATFORM, dossier_id)
    assert mairie.dossier(dossier_id).state == MAIL.start


def test_nothing_ends_by_the_clock_for_a_send_that_a_backup_has_as_it_was(mairie: Sending) -> None:
    dossier_id = mairie.sent("camille.aubert@elus.test")
    with mairie.platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, dossier_id)
        dossier.parked, dossier.overtaken = "la base a été restaurée", True
    mairie.days_later(dossier_id, 60)
    kinds = mairie.kinds(dossier_id)
    following.age(mairie.platform)
    with mairie.platform.database.writing(PLATFORM) as session:
        assert not following.settle(session, dossier_id)
    assert (mairie.kinds(dossier_id), mairie.dossier(dossier_id).state) == (kinds, "sent")

    transitions.resume(mairie.platform.database, MAIL, dossier_id, "platform")
    following.age(mairie.platform)
    assert mairie.kinds(dossier_id) != kinds
