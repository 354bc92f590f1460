"""The operator's mailbox on real IMAP servers: nothing is lost, nothing of others is touched, and every fault is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from actes_mailboxes import ABILITIES, Box, dovecot, post_office
from actes_servers import HOST, Wire, authority, other_authority, server_identity

from connectors.actes.settings import Mailbox
from connectors.mailbox import errors
from connectors.mailbox.client import OpenMailbox, mailbox
from connectors.mailbox.mail import MailUid
from tests.conftest import free_port

SERVERS = ["post-office", *ABILITIES]


@pytest.fixture(params=SERVERS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """Each server in turn."""
    opened = post_office(tmp_path / "post") if request.param == "post-office" else dovecot(request.param)
    with opened as found:
        yield found


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Box]:
    with post_office(tmp_path / "post") as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "fetched"
    folder.mkdir()
    return folder


def mail(subject: str, body: bytes = b"Bonjour\r\n") -> bytes:
    return f"From: ministere@interieur.test\r\nSubject: {subject}\r\n\r\n".encode() + body


def changed(settings: Mailbox, **changes: Any) -> Mailbox:
    given = settings.model_dump() | changes
    return Mailbox.model_validate(given)


def listed(opened: OpenMailbox) -> list[int]:
    return [one.uid.number for one in opened.waiting()]


def test_mails_come_oldest_first_octet_for_octet_and_stay_until_they_are_stored(box: Box, folder: Path) -> None:
    octets = [mail("un"), mail("deux", bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"), mail("trois")]
    for one in octets:
        box.put(one)
    with mailbox(box.settings) as opened:
        waiting = opened.waiting()
        assert [one.size for one in waiting] == [len(one) for one in octets]
        fetched = [opened.fetch(one.uid, folder) for one in waiting[:1]]
        assert fetched[0].raw.read_bytes() == octets[0]
        assert fetched[0].subject == "un"
        assert opened.fetch(waiting[1].uid, folder).raw.read_bytes() == octets[1]
    assert box.subjects() == ["un", "deux", "trois"]


def test_reading_marks_nothing(box: Box, folder: Path) -> None:
    box.put(mail("un"))
    with mailbox(box.settings) as opened:
        opened.fetch(opened.waiting()[0].uid, folder)
    with box.by_hand() as connection:
        assert connection.search(None, "SEEN")[1] in ([b""], [None])


def test_a_stored_mail_goes_to_its_folder_which_is_made_when_absent(box: Box) -> None:
    for subject in ("un", "deux", "trois"):
        box.put(mail(subject))
    with mailbox(box.settings) as opened:
        first, second, third = (one.uid for one in opened.waiting())
        opened.done(first)
        opened.troubled(second)
        opened.done(third)
        assert opened.waiting() == []
    assert box.subjects() == []
    assert box.subjects("ACTES-traites") == ["un", "trois"]
    assert box.subjects("ACTES-en-anomalie") == ["deux"]


def test_what_was_stored_is_moved_in_a_later_session_too_and_saying_it_twice_does_no_harm(box: Box) -> None:
    box.put(mail("un"))
    box.put(mail("deux"))
    with mailbox(box.settings) as opened:
        uid = opened.waiting()[0].uid
    with mailbox(box.settings) as opened:
        opened.done(uid)
    with mailbox(box.settings) as opened:
        opened.done(uid)
        assert len(opened.waiting()) == 1
    assert set(box.subjects("ACTES-traites")) == {"un"}


def test_the_mails_that_somebody_else_has_marked_are_left_alone(box: Box) -> None:
    box.put(mail("d’autrui"))
    box.put(mail("à nous"))
    with box.by_hand() as other:
        other.store("1", "+FLAGS", r"(\Deleted)")
        with mailbox(box.settings) as opened:
            (ours,) = (one.uid for one in opened.waiting())
            opened.done(ours)
        other.noop()
        assert b"1" in other.search(None, "DELETED")[1][0].split()
        number_left = len(other.search(None, "ALL")[1][0].split())
    assert number_left == (1 if box.expunges else 2)


def test_a_mail_that_vanishes_between_two_calls_is_missing_and_stops_nothing(box: Box, folder: Path) -> None:
    box.put(mail("un"))
    box.put(mail("deux"))
    with mailbox(box.settings) as opened:
        first, second = (one.uid for one in opened.waiting())
        with box.by_hand() as other:
            other.store("1", "+FLAGS", r"(\Deleted)")
            other.expunge()
        with pytest.raises(errors.MailMissing, match="n’est plus"):
            opened.fetch(first, folder)
        assert list(folder.iterdir()) == []
        opened.done(first)
        assert opened.fetch(second, folder).subject == "deux"
        assert listed(opened) == [second.number]


def test_what_arrives_during_a_session_is_listed(box: Box) -> None:
    with mailbox(box.settings) as opened:
        assert opened.waiting() == []
        box.put(mail("un"))
        assert len(opened.waiting()) == 1


def test_a_folder_made_anew_does_not_let_an_old_number_mean_another_mail(box: Box, folder: Path) -> None:
    box.put(mail("un"))
    with mailbox(box.settings) as opened:
        uid = opened.waiting()[0].uid
        old = MailUid(uid.validity - 1, uid.number)
        for act in (opened.done, opened.troubled, lambda one: opened.fetch(one, folder)):
            with pytest.raises(errors.MailMissing, match="a été refaite"):
                act(old)
    assert box.subjects() == ["un"]


def test_a_mail_beyond_the_limit_is_left_where_it_is_and_can_be_put_aside(box: Box, folder: Path) -> None:
    box.put(mail("grand", b"x" * 3_000_000))
    with mailbox(changed(box.settings, largest=2_000_000)) as opened:
        (only,) = opened.waiting()
        with pytest.raises(errors.MailTooLarge, match="3000") as large:
            opened.fetch(only.uid, folder)
        assert large.value.size > 3_000_000
        assert list(folder.iterdir()) == []
        opened.troubled(only.uid)
    assert box.subjects("ACTES-en-anomalie") == ["grand"]


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 100, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_mail_of_any_size_is_fetched_whole(office: Box, folder: Path, size: int) -> None:
    octets = mail("un", os.urandom(size).hex().encode()[:size])
    assert len(octets) > size
    office.put(octets)
    with mailbox(office.settings) as opened:
        assert opened.fetch(opened.waiting()[0].uid, folder).raw.read_bytes() == octets


def test_a_mail_that_ends_where_a_piece_ends_is_fetched_whole(folder: Path) -> None:
    head = mail("un", b"")
    octets = head + b"x" * ((2 << 20) - len(head) - 2) + b"\r\n"
    with dovecot("dovecot") as box:
        box.put(octets)
        with mailbox(box.settings) as opened:
            assert opened.fetch(opened.waiting()[0].uid, folder).raw.read_bytes() == octets


def test_folders_may_have_any_name() -> None:
    with dovecot("dovecot") as found:
        box = Box(changed(found.settings, done='Traités & "classés"', troubled="À voir 日本"))
        box.put(mail("un"))
        box.put(mail("deux"))
        with mailbox(box.settings) as opened:
            first, second = (one.uid for one in opened.waiting())
            opened.done(first)
            opened.troubled(second)
        with box.by_hand() as connection:
            names = b" ".join(line for line in connection.list()[1] if isinstance(line, bytes))
    assert rb"Trait&AOk-s &- \"class&AOk-s\"" in names
    assert b"&AMA- voir &ZeVnLA-" in names


def test_more_mails_than_are_asked_for_wait_for_the_next_time(box: Box) -> None:
    for rank in range(5):
        box.put(mail(f"n° {rank}"))
    with mailbox(box.settings) as opened:
        first = [one.uid for one in opened.waiting(2)]
        assert len(first) == 2
        for uid in first:
            opened.done(uid)
        assert len(opened.waiting()) == 3


def test_tls_may_begin_after_the_greeting() -> None:
    with dovecot("dovecot", encryption="starttls") as box, mailbox(box.settings) as opened:
        assert opened.waiting() == []


def test_no_password_goes_to_a_server_that_is_not_trusted(office: Box) -> None:
    own = {"authorities": office.settings.tls.authorities}
    for tls in ({"authorities": other_authority().pem}, {}, {**own, "fingerprints": ["0" * 64]}):
        with pytest.raises(errors.MailboxNotTrusted, match="Aucun mot de passe"), mailbox(changed(office.settings, tls=tls)):
            pass


def test_the_pinned_server_is_recognised() -> None:
    tls = {"authorities": authority().pem, "fingerprints": [server_identity().fingerprint]}
    with dovecot("dovecot", tls=tls) as box, mailbox(box.settings) as opened:
        assert opened.waiting() == []


def test_a_wrong_password_needs_a_person(box: Box) -> None:
    with pytest.raises(errors.MailboxRefused, match="refuse le compte"), mailbox(changed(box.settings, password="other")):
        pass


def test_an_inbox_that_is_not_there_needs_a_person(box: Box) -> None:
    with pytest.raises(errors.MailboxRefused, match="Absente"), mailbox(changed(box.settings, inbox="Absente")):
        pass


def test_a_server_that_is_not_there_is_tried_again_later(office: Box) -> None:
    settings = changed(office.settings, port=free_port())
    with pytest.raises(errors.MailboxUnavailable, match="ne répond pas"), mailbox(settings):
        pass


@pytest.mark.parametrize("octets", [0, 500_000, 1_500_000])
def test_a_server_that_goes_down_in_the_middle_costs_nothing(folder: Path, octets: int) -> None:
    content = mail("grand", b"x" * 2_500_000)
    with dovecot("dovecot") as box:
        box.put(content)
        wire = Wire(box.settings.port)
        settings = changed(box.settings, host=HOST, port=wire.port)
        with pytest.raises(errors.MailboxUnavailable), mailbox(settings) as opened:
            uid = opened.waiting()[0].uid
            wire.cut_after(octets)
            opened.fetch(uid, folder)
        assert list(folder.iterdir()) == []
        wire.cut_after(None)
        with mailbox(settings) as opened:
            assert opened.fetch(uid, folder).raw.read_bytes() == content
            wire.cut_after(0)
            with pytest.raises(errors.MailboxUnavailable):
                opened.done(uid)
        wire.cut_after(None)
        with mailbox(settings) as opened:
            opened.done(uid)
        wire.close()
        assert box.subjects() == []
        assert box.subjects("ACTES-traites") == ["grand"]


def test_the_post_office_keeps_mails_and_their_numbers_when_it_starts_again(tmp_path: Path) -> None:
    with post_office(tmp_path / "post") as box:
        for subject in ("un", "deux"):
            box.put(mail(subject))
        with mailbox(box.settings) as opened:
            first, second = (one.uid for one in opened.waiting())
            opened.done(first)
        pin = box.settings.tls.authorities
    with post_office(tmp_path / "post") as box:
        assert box.settings.tls.authorities == pin
        with mailbox(box.settings) as opened:
            assert [one.uid for one in opened.waiting()] == [second]
        assert box.subjects("ACTES-traites") == ["un"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"a FETCH 1 (ENVELOPE)", b"a BAD"),
        (b"a FETCH 1 FLAGS", b"* 1 FETCH (FLAGS ())"),
        (b"a UID FETCH 99 FLAGS", b"a OK"),
        (b"a FROBNICATE", b"a BAD"),
        (b"a UID SELECT INBOX", b"a BAD"),
        (b"a UID MOVE 1 nowhere", b"a NO [TRYCREATE]"),
        (b"a CREATE INBOX", b"a NO [ALREADYEXISTS]"),
        (b"a STORE x FLAGS (a)", b"a BAD"),
        (b"a EXAMINE INBOX", b"* 1 EXISTS"),
    ],
)
def test_the_post_office_answers_as_the_protocol_says(office: Box, command: bytes, answer: bytes) -> None:
    office.put(mail("un"))
    with office.by_hand() as connection:
        connection.send(command + b"\r\n")
        lines = [connection.readline()]
        while not lines[-1].startswith(b"a "):
            lines.append(connection.readline())
    assert lines[0].startswith(answer)
