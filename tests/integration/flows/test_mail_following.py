"""What passes over a send once it has left: time, and what its sender still does. One message an occasion, one end each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlmodel import select

from core import clock, passwords
from core.database import ScopedSession
from core.errors import Conflict, Forbidden, UsageError
from core.principal import PLATFORM, Principal, Right
from flows.engine.keys import Keyed
from flows.engine.models import Dossier
from flows.mail import acting, following, links, rules
from flows.mail.book.models import Contact
from flows.mail.convening.models import Assembly, Meeting
from flows.mail.models import RecipientState
from flows.mail.reading import past, seen
from tests.mail_sink import Sink
from tests.sending import Sending, links_in, mairie, sending, sink

__all__ = ["mairie", "sending", "sink"]

THREE = ("camille.aubert@elus.test", "dominique.marchal@elus.test", "sacha.perrin@elus.test")


def pass_days(mairie: Sending, dossier_id: str, days: int) -> None:
    """Let days pass, look twice as two workers might, and send what is due."""
    mairie.days_later(dossier_id, days)
    following.age(mairie.platform)
    following.age(mairie.platform)
    mairie.post()


def occasions(mairie: Sending, dossier_id: str, rank: int = 0) -> list[str]:
    recipient = mairie.recipients(dossier_id)[rank]
    return [one.occasion for one in mairie.notices(dossier_id) if one.recipient_id == recipient.id]


def test_reminders_leave_once_until_it_is_taken_and_the_rest_expires(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent(*THREE, answers=False)
    mairie.change(mairie.recipients(dossier_id)[0], state="withdrawn")
    pass_days(mairie, dossier_id, 2)
    assert len(sink.kept()) == 3
    pass_days(mairie, dossier_id, 1)
    pass_days(mairie, dossier_id, 1)
    assert [occasions(mairie, dossier_id, rank) for rank in range(3)] == [["notice"], *[["notice", "reminder-1"]] * 2]
    (first, recalled) = sink.to(THREE[1])
    tokens = [links_in(one.get_body(("plain",)).get_content()) for one in (first, recalled)]  # type: ignore[union-attr]
    assert tokens[0] != tokens[1] and "Rappel" in recalled["Subject"]
    assert first["Message-ID"] != recalled["Message-ID"]
    pass_days(mairie, dossier_id, 5)
    assert occasions(mairie, dossier_id, 1) == ["notice", "reminder-1", "reminder-2"]
    pass_days(mairie, dossier_id, 6)  # the last day: it may still be withdrawn
    assert mairie.states(dossier_id) == ["withdrawn", "handed", "handed"]
    pass_days(mairie, dossier_id, 1)
    assert mairie.states(dossier_id) == ["withdrawn", "expired", "expired"]
    assert mairie.dossier(dossier_id).state == "closing"
    assert mairie.kinds(dossier_id)[-3:] == ["acceptance_rejection_expiry"] * 2 + ["send_closed"]
    assert mairie.events(dossier_id)[-1].facts["recipients"] == {"withdrawn": 1, "expired": 2}


def test_of_several_reminders_that_are_late_the_last_one_leaves_alone(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent(THREE[0])
    pass_days(mairie, dossier_id, 8)
    assert occasions(mairie, dossier_id) == ["notice", "reminder-2"] and len(sink.kept()) == 2


def test_a_send_waits_for_answers_as_long_as_its_pages_open(mairie: Sending) -> None:
    answered, silent = mairie.sent(*THREE[:2]), mairie.sent(THREE[0])
    for recipient, state in zip(mairie.recipients(answered), ("answered", "withdrawn"), strict=True):
        mairie.change(recipient, state=state)
    mairie.change(mairie.recipients(silent)[0], state="withdrawn")
    with mairie.platform.database.writing(PLATFORM) as session:
        assert not following.settle(session, answered)
    mairie.change(mairie.recipients(answered)[1], state="answered")
    with mairie.platform.database.writing(PLATFORM) as session:
        assert following.settle(session, answered)
        assert not following.settle(session, answered)
    pass_days(mairie, silent, 60)
    assert mairie.dossier(silent).state == "sent"
    pass_days(mairie, silent, 1)
    assert mairie.dossier(silent).state == "closing"


def test_a_convocation_ends_the_day_after_its_meeting(mairie: Sending) -> None:
    dossier_id = mairie.sent(*THREE[:2])
    with mairie.platform.database.writing(PLATFORM) as session:
        assembly = Assembly(organisation_id=mairie.organisation.id, name="Conseil", rule="council", days=3)
        session.add(assembly)
        session.flush()
        meeting: dict[str, Any] = {
            "dossier_id": dossier_id,
            "organisation_id": mairie.organisation.id,
            "assembly_id": assembly.id,
        }
        session.add(Meeting(**meeting, starts=clock.now() - timedelta(minutes=1)))
    mairie.change(mairie.recipients(dossier_id)[0], state="answered")
    mairie.change(mairie.recipients(dossier_id)[1], state="withdrawn")
    pass_days(mairie, dossier_id, 0)
    assert mairie.dossier(dossier_id).state == "sent"
    with mairie.platform.database.writing(PLATFORM) as session:
        kept = session.exec(select(Meeting).where(Meeting.dossier_id == dossier_id)).one()
        kept.starts -= timedelta(days=1)
        session.add(kept)
    pass_days(mairie, dossier_id, 0)
    assert mairie.dossier(dossier_id).state == "closing"


def test_a_mended_address_gets_a_link_of_its_own_and_a_delay_of_its_own(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent("refused@elus.test", THREE[0], answers=False)
    stray, known = mairie.recipients(dossier_id)
    for wrong in (THREE[0].upper(), "refused@elus.test", "pas une adresse"):
        with pytest.raises(UsageError):
            acting.mend_address(mairie.platform, PLATFORM, stray.id, wrong)
    mairie.days_later(dossier_id, 10)
    with mairie.platform.database.writing(PLATFORM) as session:
        bounced: dict[str, Any] = {"organisation_id": mairie.organisation.id, "name": "S", "sought": "s", "bounced": clock.now()}
        session.add(Contact(**bounced, address="retrouvee@elus.test", normal="retrouvee@elus.test"))
    acting.mend_address(mairie.platform, PLATFORM, stray.id, " Retrouvee@elus.test ")
    mairie.post()
    assert mairie.states(dossier_id) == ["handed", "handed"]
    assert [
        (one.address, one.state, one.revoked is None) for one in mairie.notices(dossier_id) if one.recipient_id == stray.id
    ] == [
        ("refused@elus.test", "refused", False),
        ("Retrouvee@elus.test", "accepted", True),
    ]
    assert len(sink.to("Retrouvee@elus.test")) == 1
    with mairie.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(Contact.bounced).where(Contact.normal == "retrouvee@elus.test")).one() is None
    address = next(one for one in mairie.events(dossier_id) if one.kind == "address_mended")
    assert (address.facts["former"], address.facts["address"]) == ("refused@elus.test", "Retrouvee@elus.test")
    pass_days(mairie, dossier_id, 6)  # sixteen days after the send, six after the mended one was told
    assert mairie.states(dossier_id) == ["handed", "expired"] and mairie.dossier(dossier_id).state == "sent"
    pass_days(mairie, dossier_id, 10)
    assert mairie.states(dossier_id) == ["expired", "expired"] and mairie.dossier(dossier_id).state == "closing"
    with pytest.raises(Conflict, match="clos"):
        acting.send_again(mairie.platform, PLATFORM, known.id)


def test_a_send_that_reached_nobody_waits_for_its_sender_and_then_closes(mairie: Sending) -> None:
    dossier_id = mairie.sent("refused@elus.test")
    following.age(mairie.platform)
    assert mairie.dossier(dossier_id).state == "sent" and mairie.mail(dossier_id).sent is None
    with mairie.platform.database.writing(PLATFORM) as session:
        session.get_one(Dossier, dossier_id).since -= timedelta(days=16)
    following.age(mairie.platform)
    assert mairie.dossier(dossier_id).state == "closing" and mairie.states(dossier_id) == ["failed"]


def test_sent_again_bears_a_fresh_link_and_leaves_the_former_open(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent(THREE[0])
    (recipient,) = mairie.recipients(dossier_id)
    for _ in range(2):
        acting.send_again(mairie.platform, PLATFORM, recipient.id)
        mairie.post()
    assert occasions(mairie, dossier_id) == ["notice", "again-1", "again-2"]
    notices = mairie.notices(dossier_id)
    assert len({one.token for one in notices}) == 3 and all(one.revoked is None for one in notices)
    tokens = [links_in(one.get_body(("plain",)).get_content()) for one in sink.to(THREE[0])]  # type: ignore[union-attr]
    assert [{links.digest(token) for token in one} for one in tokens] == [{one.token} for one in notices]
    mairie.change(recipient, state="withdrawn")
    with pytest.raises(Conflict, match="déjà retiré"):
        acting.send_again(mairie.platform, PLATFORM, recipient.id)


def test_a_password_is_replaced_and_a_link_revoked(mairie: Sending) -> None:
    dossier_id = mairie.sent(*THREE[:2])
    first, second = mairie.recipients(dossier_id)
    mairie.change(first, failures=20, blocked=True)
    with pytest.raises(rules.Unsendable):
        acting.replace_password(mairie.platform, PLATFORM, first.id, "motdepasse123")
    acting.replace_password(mairie.platform, PLATFORM, first.id, "quatre saules penchés")
    mended = mairie.recipients(dossier_id)[0]
    assert passwords.matches(mended.password_hash, "quatre saules penchés") and not mended.blocked and mended.failures == 0
    told = next(one for one in mairie.events(dossier_id) if one.kind == "password_replaced")
    assert "saules" not in str(told.facts)
    acting.revoke(mairie.platform, PLATFORM, second.id)
    assert mairie.states(dossier_id) == ["handed", "revoked"]
    assert [one.revoked is not None for one in mairie.notices(dossier_id)] == [False, True]
    acting.revoke(mairie.platform, PLATFORM, first.id)
    assert mairie.dossier(dossier_id).state == "closing"  # nobody is left to wait for


def test_a_document_is_added_and_those_who_can_still_read_it_are_told(mairie: Sending, sink: Sink) -> None:
    dossier_id = mairie.sent(*THREE)
    mairie.change(mairie.recipients(dossier_id)[0], state="withdrawn")
    mairie.change(mairie.recipients(dossier_id)[2], state="refused")
    sink.clear()
    acting.add_document(mairie.platform, PLATFORM, dossier_id, mairie.document(b"%PDF-1.7 note", "note.pdf"), tell=True)
    acting.add_document(mairie.platform, PLATFORM, dossier_id, mairie.document(b"%PDF-1.7 plan", "plan.pdf"), tell=False)
    mairie.post()
    assert sorted(to for _, to, _ in sink.kept()) == list(THREE[:2])
    assert [one.name for one in seen(mairie.platform.database, PLATFORM, dossier_id).files if one.role == "addition"] == [
        "note.pdf",
        "plan.pdf",
    ]
    with pytest.raises(rules.Unsendable, match="programme"):
        acting.add_document(mairie.platform, PLATFORM, dossier_id, mairie.document(b"echo", "note.bat"), tell=True)
    assert mairie.kinds(dossier_id).count("document_added") == 2


def test_one_key_for_additions_to_two_sends_at_the_same_moment_is_of_the_first(
    mairie: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = mairie.sent(THREE[0]), mairie.sent(THREE[1])
    note, known, asked = mairie.document(), Keyed.named, []
    acting.add_document(mairie.platform, PLATFORM, first, note, tell=False, key="note-1")

    def not_yet(keyed: Keyed, session: ScopedSession) -> Dossier | None:
        """See what a transaction does that looked before the other's end."""
        asked.append(keyed)
        return known(keyed, session) if len(asked) > 1 else None

    monkeypatch.setattr(Keyed, "named", not_yet)
    with pytest.raises(Conflict, match="note-1"):
        acting.add_document(mairie.platform, PLATFORM, second, note, tell=False, key="note-1")
    assert (len(asked), mairie.kinds(second).count("document_added")) == (2, 0)


def test_a_cancelled_send_tells_those_who_were_told_and_closes_once_they_are(mairie: Sending, sink: Sink) -> None:
    (sink.folder / "later").write_text("1000")
    dossier_id = mairie.sent("later.annule@elus.test", *THREE[:2], kind="secured")
    mairie.change(mairie.recipients(dossier_id)[1], state="withdrawn")
    reader = Principal("person:lecture", {mairie.organisation.id: frozenset({Right.READ})})
    with pytest.raises(Forbidden):
        acting.cancel(mairie.platform, reader, dossier_id, "Erreur de pièce")
    with pytest.raises(UsageError, match="motif"):
        acting.cancel(mairie.platform, PLATFORM, dossier_id, "  ")
    sink.clear()
    acting.cancel(mairie.platform, PLATFORM, dossier_id, "Erreur de pièce")
    assert mairie.states(dossier_id) == ["revoked", "withdrawn", "revoked"] and mairie.dossier(dossier_id).state == "sent"
    mairie.post()
    following.age(mairie.platform)
    assert sorted(to for _, to, _ in sink.kept()) == list(THREE[:2])  # nobody else had been told
    text = sink.to(THREE[0])[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert not links_in(text) and "annule" in text and "Erreur de pièce" not in text
    assert mairie.dossier(dossier_id).state == "closing" and mairie.kinds(dossier_id)[-1] == "send_closed"
    with pytest.raises(Conflict):
        acting.cancel(mairie.platform, PLATFORM, dossier_id, "Encore")


def test_only_a_sealed_send_is_emptied_of_its_documents(mairie: Sending) -> None:
    dossier_id = mairie.sent(THREE[0])
    with pytest.raises(Conflict):
        acting.purge(mairie.platform, PLATFORM, dossier_id)
    with mairie.platform.database.writing(PLATFORM) as session:
        session.get_one(Dossier, dossier_id).state = "archived"
    digest = seen(mairie.platform.database, PLATFORM, dossier_id).files[0].sha256
    acting.purge(mairie.platform, PLATFORM, dossier_id)
    emptied = seen(mairie.platform.database, PLATFORM, dossier_id)
    assert emptied.files == () and emptied.mail.body == "" and emptied.mail.purged is not None
    told = past(mairie.platform.database, PLATFORM, dossier_id, None).events
    assert told[-1].facts["files"][0]["sha256"] == digest
    with pytest.raises(Conflict):
        acting.purge(mairie.platform, PLATFORM, dossier_id)


def test_every_act_needs_a_send_that_has_left(mairie: Sending) -> None:
    dossier_id = mairie.written(THREE[0])
    (recipient,) = mairie.recipients(dossier_id)
    document = replace(mairie.document(), name="autre.pdf")
    for act, *told in (
        (acting.cancel, dossier_id, "Erreur"),
        (acting.send_again, recipient.id),
        (acting.mend_address, recipient.id, "autre@elus.test"),
        (acting.replace_password, recipient.id, "482915"),
        (acting.revoke, recipient.id),
        (acting.add_document, dossier_id, document, True),
    ):
        with pytest.raises(Conflict, match="brouillon"):
            partial(act, mairie.platform, PLATFORM)(*told)
    assert mairie.kinds(dossier_id) == [] and mairie.states(dossier_id) == [RecipientState.WAITING]
