"""The places where deliveries are put, the same promises held by each: a folder of this machine, and a real OpenSSH server."""

from __future__ import annotations

import getpass
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from finance_sides import Side, sftp_settings, side
from openssh_server import OpenSsh
from pydantic import ValidationError

from connectors.finance import errors
from connectors.finance.client import opened
from connectors.finance.places import LARGEST_ANSWER, Presence
from connectors.finance.settings import Bounds, FolderPlace
from core.addresses import AddressRefused
from tests.addresses import LOOPBACK

__all__ = ["side"]
NAME = "21400999500017_F-2026-001_10000001.xml"


def test_a_file_has_a_temporary_name_until_it_is_published(side: Side, local_file: Callable[[bytes], Path]) -> None:
    content = os.urandom(300_000)
    with side.open() as place:
        assert place.presence(NAME) == Presence(final=False, temporary_size=None)
        place.upload(local_file(content), NAME)
        assert place.presence(NAME) == Presence(final=False, temporary_size=len(content))
        assert place.digest(NAME) is None
        place.publish(NAME)
        assert place.presence(NAME) == Presence(final=True, temporary_size=None)
        assert place.digest(NAME) == hashlib.sha256(content).hexdigest()
    assert side.names == [NAME]


def test_an_upload_replaces_what_an_interrupted_one_left(side: Side, local_file: Callable[[bytes], Path]) -> None:
    (side.root / "depot" / f"{NAME}.part").write_bytes(b"a longer leftover")
    with side.open() as place:
        place.upload(local_file(b"short"), NAME)
        assert place.presence(NAME).temporary_size == 5


def test_nothing_is_ever_put_over_another_file(side: Side, local_file: Callable[[bytes], Path]) -> None:
    (side.root / "depot" / NAME).write_bytes(b"of somebody else")
    with side.open() as place:
        place.upload(local_file(b"ours"), NAME)
        with pytest.raises(errors.NameTaken):
            place.publish(NAME)
    assert (side.root / "depot" / NAME).read_bytes() == b"of somebody else"


def test_what_was_published_and_taken_cannot_be_published_again(side: Side, local_file: Callable[[bytes], Path]) -> None:
    with side.open() as place:
        place.upload(local_file(b"x"), NAME)
        place.publish(NAME)
        (side.root / "depot" / NAME).unlink()
        with pytest.raises(errors.TemporaryMissing):
            place.publish(NAME)
    assert side.names == []


def test_of_many_who_publish_at_once_one_does(side: Side, local_file: Callable[[bytes], Path]) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def publish() -> None:
        with side.open() as place:
            start.wait()
            try:
                place.publish(NAME)
                outcomes.append("published")
            except (errors.TemporaryMissing, errors.NameTaken):
                outcomes.append("late")

    with side.open() as place:
        place.upload(local_file(b"once"), NAME)
    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["late", "late", "late", "published"]
    assert side.names == [NAME]


@pytest.mark.parametrize("name", ["../elsewhere.xml", "a/b.xml", "..", "", "a\\b.xml", "a\nb.xml"])
def test_no_name_leads_out_of_the_place(side: Side, local_file: Callable[[bytes], Path], name: str) -> None:
    with side.open() as place:
        for step in (
            lambda: place.upload(local_file(b"x"), name),
            lambda: place.publish(name),
            lambda: place.digest(name),
            lambda: place.read(name),
            lambda: place.remove(name),
        ):
            with pytest.raises(Exception, match="nom de fichier"):
                step()
    assert side.names == []


def test_a_directory_that_is_not_there_is_told(side: Side) -> None:
    (side.root / "depot").rmdir()
    with pytest.raises(errors.PlaceMissing, match="depot"), side.open() as place:
        place.presence(NAME)


def test_answers_are_found_read_and_removed(side: Side) -> None:
    depot = side.root / "depot"
    (depot / "21400999500017_F-1_7.ok").write_bytes(b"")
    (depot / "21400999500017_F-2_8.ko").write_bytes(b"Fournisseur inconnu")
    (depot / "21400999500017_F-3_9.ack.json").write_bytes(b'{"taken": true}')
    (depot / "notes.txt").write_bytes(b"no answer")
    (depot / "folder.ok").mkdir()
    (depot / "pipe.ok").symlink_to("/etc/hostname")
    with side.open() as place:
        found = {file.name for file in place.answers()}
        assert found == {"21400999500017_F-1_7.ok", "21400999500017_F-2_8.ko", "21400999500017_F-3_9.ack.json"}
        assert place.read("21400999500017_F-2_8.ko").decode() == "Fournisseur inconnu"
        place.remove("21400999500017_F-2_8.ko")
        place.remove("21400999500017_F-2_8.ko")
    assert "21400999500017_F-2_8.ko" not in side.names


def test_an_answer_that_is_too_large_is_not_read(side: Side) -> None:
    (side.root / "depot" / "1_F_7.ko").write_bytes(b"a" * (LARGEST_ANSWER + 1))
    with side.open() as place, pytest.raises(errors.AnswerUnreadable, match=r"1_F_7\.ko"):
        place.read("1_F_7.ko")


def test_an_answer_may_have_a_directory_of_its_own(side: Side) -> None:
    (side.root / "retours").mkdir()
    (side.root / "retours" / "1_F_7.ok").write_bytes(b"")
    there = "retours" if isinstance(side.settings, FolderPlace) else str(side.root / "retours")
    with opened(side.changed(answers=there), side.bounds) as place:
        assert [file.name for file in place.answers()] == ["1_F_7.ok"]


def test_an_answer_that_still_grows_is_left_for_later(side: Side) -> None:
    (side.root / "depot" / "1_F_7.ko").write_bytes(b"Fournisseur")
    stop = threading.Event()

    def grow() -> None:
        while not stop.is_set():
            with (side.root / "depot" / "1_F_7.ko").open("ab") as stream:
                stream.write(b"!")
            stop.wait(0.01)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with opened(side.changed(settled_age=3600, second_look_after=0.3), side.bounds) as place:
            assert place.answers() == []
    finally:
        stop.set()
        writer.join()
    with opened(side.changed(settled_age=3600, second_look_after=0.01), side.bounds) as place:
        assert [file.name for file in place.answers()] == ["1_F_7.ko"]


@pytest.mark.parametrize("directory", ["../depot", "/depot", "a/../../b", "a\\b", "."])
def test_a_folder_is_named_below_that_of_the_operator(directory: str) -> None:
    with pytest.raises(ValidationError, match="sans"):
        FolderPlace(directory=directory)


def test_without_a_folder_set_aside_there_is_no_watched_folder() -> None:
    with pytest.raises(errors.PlaceMissing, match="TABELLION_HANDOVER_DIR"), opened(FolderPlace(directory="depot"), Bounds()):
        pass


def test_a_link_is_not_followed_whoever_planted_it(tmp_path: Path, local_file: Callable[[bytes], Path]) -> None:
    aside, depot = tmp_path / "aside", tmp_path / "root" / "depot"
    aside.mkdir()
    depot.mkdir(parents=True)
    victim = aside / "victim"
    victim.write_bytes(b"untouched")
    bounds = Bounds(folder=tmp_path / "root")
    (tmp_path / "root" / "linked").symlink_to(aside)
    with pytest.raises(errors.PlaceMissing, match="lien"), opened(FolderPlace(directory="linked"), bounds):
        pass
    (depot / f"{NAME}.part").symlink_to(victim)
    (depot / "1_F_7.ok").symlink_to(victim)
    with opened(FolderPlace(directory="depot"), bounds) as place:
        place.upload(local_file(b"ours"), NAME)
        place.publish(NAME)
        with pytest.raises(errors.AccessRefused):
            place.read("1_F_7.ok")
    assert victim.read_bytes() == b"untouched"
    assert not (depot / NAME).is_symlink()


def test_a_share_without_an_exclusive_rename_still_puts_nothing_over_another(
    tmp_path: Path, local_file: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Old:
        @staticmethod
        def renameat2(*_arguments: object) -> int:
            import ctypes
            import errno

            ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setattr("connectors.finance.folder._libc", Old())
    (tmp_path / "depot").mkdir()
    with opened(FolderPlace(directory="depot"), Bounds(folder=tmp_path)) as place:
        place.upload(local_file(b"ours"), NAME)
        place.publish(NAME)
        place.upload(local_file(b"other"), NAME)
        with pytest.raises(errors.NameTaken):
            place.publish(NAME)
    assert (tmp_path / "depot" / NAME).read_bytes() == b"ours"


def test_another_host_key_than_the_pinned_one_stops_everything(openssh: OpenSsh, other_key: str) -> None:
    with (
        pytest.raises(errors.HostKeyChanged, match="Rien n’a été envoyé"),
        opened(sftp_settings(openssh, host_key=other_key), Bounds(networks=LOOPBACK)),
    ):
        pass


def test_an_account_that_is_refused_is_told(openssh: OpenSsh) -> None:
    settings = sftp_settings(openssh, private_key=None, password="a password that nobody has")
    with pytest.raises(errors.AccessRefused, match=getpass.getuser()), opened(settings, Bounds(networks=LOOPBACK)):
        pass


def test_a_server_on_a_private_network_is_not_reached_unless_the_operator_permits_it(openssh: OpenSsh) -> None:
    with pytest.raises(AddressRefused, match="TABELLION_PRIVATE_NETWORKS"), opened(sftp_settings(openssh), Bounds()):
        pass


def test_a_server_that_is_away_is_tried_again(openssh: OpenSsh) -> None:
    with (
        pytest.raises(errors.FinanceUnavailable),
        opened(sftp_settings(openssh, port=1, connect_timeout=2), Bounds(networks=LOOPBACK)),
    ):
        pass


def test_secrets_do_not_show(openssh: OpenSsh) -> None:
    settings = sftp_settings(openssh)
    assert openssh.private_key.splitlines()[1] not in repr(settings)
    with pytest.raises(ValidationError) as refused:
        sftp_settings(openssh, password="both", private_key="neither is a key")
    assert "neither is a key" not in str(refused.value)
