"""Our side of the gateway against a real OpenSSH server."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openssh_server import OpenSsh

from connectors.helios import errors
from connectors.helios.client import Presence
from connectors.helios.connection import connect
from connectors.helios.remote_name import Routing, remote_name, temporary_name
from connectors.helios.sessions import Sessions
from core.errors import UsageError
from tests.waiting import wait_until

ROUTING = Routing(typ_fic="PESALR1", cod_col="123", id_post="045678", cod_bud="00")
LONG_AGO = 1_600_000_000


def name_for(server: OpenSsh, content: bytes) -> str:
    return remote_name(server.gateway(), ROUTING, hashlib.sha1(content).hexdigest())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_uploaded_under_its_temporary_name_then_published(
    openssh: OpenSsh, local_file: Callable[[bytes], Path]
) -> None:
    content = b"<PES_Aller/>"
    name = name_for(openssh, content)
    with connect(openssh.gateway()) as session:
        assert session.presence(name).nothing
        assert session.upload(local_file(content), name) == len(content)
        assert session.presence(name) == Presence(final=False, temporary_size=len(content))
        session.publish(name, len(content))
        assert session.presence(name) == Presence(final=True, temporary_size=None)
    assert names(openssh.depot) == [name]
    assert "%%" in name
    assert "#123#" in name
    assert (openssh.depot / name).read_bytes() == content


def test_five_megabytes_arrive_whole_and_come_back_whole(openssh: OpenSsh, local_file: Callable[[bytes], Path]) -> None:
    content = os.urandom(5_000_000)
    name = name_for(openssh, content)
    target = openssh.root / "back"
    with connect(openssh.gateway()) as session:
        session.upload(local_file(content), name)
        session.publish(name, len(content))
        (openssh.depot / name).rename(openssh.responses / "back.xml")
        assert session.fetch("back.xml", target) == len(content)
    assert target.read_bytes() == content


def test_an_upload_replaces_what_an_interrupted_one_left(openssh: OpenSsh, local_file: Callable[[bytes], Path]) -> None:
    name = name_for(openssh, b"short")
    (openssh.depot / temporary_name(openssh.gateway(), name)).write_bytes(b"a longer leftover")
    with connect(openssh.gateway()) as session:
        session.upload(local_file(b"short"), name)
        assert session.presence(name).temporary_size == 5


def test_publishing_twice_says_that_the_temporary_file_is_missing(openssh: OpenSsh, local_file: Callable[[bytes], Path]) -> None:
    name = name_for(openssh, b"x")
    with connect(openssh.gateway()) as session:
        session.upload(local_file(b"x"), name)
        session.publish(name, 1)
        (openssh.depot / name).unlink()  # taken by the gateway
        with pytest.raises(errors.TemporaryMissing):
            session.publish(name, 1)
    assert names(openssh.depot) == []


def test_a_file_under_the_final_name_is_never_overwritten(openssh: OpenSsh, local_file: Callable[[bytes], Path]) -> None:
    name = name_for(openssh, b"new")
    (openssh.depot / name).write_bytes(b"old")
    with connect(openssh.gateway()) as session:
        session.upload(local_file(b"new"), name)
        with pytest.raises(errors.AlreadyPublished):
            session.publish(name, 3)
    assert (openssh.depot / name).read_bytes() == b"old"


def test_only_one_of_many_concurrent_publications_succeeds(openssh: OpenSsh, local_file: Callable[[bytes], Path]) -> None:
    name = name_for(openssh, b"once")
    path = local_file(b"once")
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def publish() -> None:
        with connect(openssh.gateway()) as session:
            start.wait()
            try:
                session.publish(name, 4)
                outcomes.append("published")
            except (errors.TemporaryMissing, errors.AlreadyPublished) as error:
                outcomes.append(type(error).__name__)

    with connect(openssh.gateway()) as session:
        session.upload(path, name)
    threads = [threading.Thread(target=publish) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 6
    assert outcomes.count("published") == 1


def test_a_truncated_temporary_file_is_not_published(openssh: OpenSsh, local_file: Callable[[bytes], Path]) -> None:
    name = name_for(openssh, b"whole")
    with connect(openssh.gateway()) as session:
        session.upload(local_file(b"whole"), name)
        (openssh.depot / temporary_name(openssh.gateway(), name)).write_bytes(b"who")
        with pytest.raises(errors.TemporaryIncomplete):
            session.publish(name, 5)
        assert not session.presence(name).final


def test_a_missing_deposit_directory_is_never_taken_for_a_delivered_file(
    openssh: OpenSsh, local_file: Callable[[bytes], Path]
) -> None:
    gateway = openssh.gateway(depot_directory=str(openssh.root / "nowhere"))
    with connect(gateway) as session:
        for step in (
            lambda: session.presence("a"),
            lambda: session.upload(local_file(b"a"), "a"),
            lambda: session.publish("a", 1),
        ):
            with pytest.raises(errors.DirectoryMissing, match="nowhere"):
                step()


def test_a_missing_response_directory_is_the_operators_matter(openssh: OpenSsh) -> None:
    gateway = openssh.gateway(response_directory=str(openssh.root / "nowhere"))
    with connect(gateway) as session, pytest.raises(errors.DirectoryMissing):
        session.list_responses()


def test_another_host_key_than_the_pinned_one_stops_everything(openssh: OpenSsh, other_key: str) -> None:
    with pytest.raises(errors.HostKeyChanged, match="SHA256:"), connect(openssh.gateway(host_key=other_key)):
        pytest.fail("connected")


def test_a_refused_account_needs_an_operator(openssh: OpenSsh) -> None:
    gateway = openssh.gateway(private_key=None, password="wrong")
    with pytest.raises(errors.AuthenticationRefused) as caught, connect(gateway):
        pytest.fail("connected")
    assert "wrong" not in str(caught.value)


def test_nobody_listening_is_worth_another_try(openssh: OpenSsh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(errors.GatewayUnavailable), connect(openssh.gateway(port=port)):
        pytest.fail("connected")


def test_a_server_that_says_nothing_is_given_up(openssh: OpenSsh) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(errors.GatewayUnavailable),
        connect(openssh.gateway(port=silent.getsockname()[1], connect_timeout=0.5)),
    ):
        pytest.fail("connected")


def test_responses_are_listed_oldest_first_without_directories_nor_copies_of_deposits(openssh: OpenSsh) -> None:
    for age, name in enumerate(("b-ACK.xml", "a-ACK.xml", "PESALR2_x.xml", "empty.xml")):
        path = openssh.responses / name
        path.write_bytes(b"" if name == "empty.xml" else b"<a/>")
        os.utime(path, (LONG_AGO + age, LONG_AGO + age))
    (openssh.responses / "folder").mkdir()
    with connect(openssh.gateway(settled_age=60)) as session:
        found = session.list_responses()
    assert [file.name for file in found] == ["b-ACK.xml", "a-ACK.xml", "empty.xml"]
    assert [file.size for file in found] == [4, 4, 0]
    assert found[0].modified == datetime.fromtimestamp(LONG_AGO, UTC)


def test_a_young_response_counts_only_if_a_second_look_finds_it_unchanged(
    openssh: OpenSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = openssh.responses / "growing.xml"
    growing.write_bytes(b"<a")
    (openssh.responses / "stable.xml").write_bytes(b"<a/>")

    def meanwhile(_seconds: float) -> None:
        growing.write_bytes(b"<a>longer")

    monkeypatch.setattr("connectors.helios.client.time.sleep", meanwhile)
    with connect(openssh.gateway(settled_age=600)) as session:
        assert [file.name for file in session.list_responses()] == ["stable.xml"]


def test_a_response_named_in_latin_1_is_listed_fetched_and_removed(openssh: OpenSsh) -> None:
    latin_1 = os.fsdecode("réponse.xml".encode("latin-1"))
    (openssh.responses / latin_1).write_bytes(b"<a/>")
    (openssh.responses / "été.xml").write_bytes(b"<utf8/>")
    target = openssh.root / "fetched"
    with connect(openssh.gateway()) as session:
        assert {file.name for file in session.list_responses()} == {"réponse.xml", "été.xml"}
        assert session.fetch("réponse.xml", target) == 4
        assert session.remove("réponse.xml")
        assert session.fetch("été.xml", target) == 7
    assert names(openssh.responses) == ["été.xml"]


def test_a_response_beyond_the_limit_is_left_where_it_is(openssh: OpenSsh) -> None:
    (openssh.responses / "big.xml").write_bytes(b"x" * 101)
    target = openssh.root / "target"
    with connect(openssh.gateway()) as session, pytest.raises(errors.ResponseTooLarge):
        session.fetch("big.xml", target, limit=100)
    assert not target.exists()
    assert not list(openssh.root.glob(".*"))


def test_a_response_that_vanished_is_missing_and_counts_as_removed(openssh: OpenSsh) -> None:
    with connect(openssh.gateway()) as session:
        with pytest.raises(errors.ResponseMissing):
            session.fetch("gone.xml", openssh.root / "target")
        assert session.remove("gone.xml")


def test_nothing_is_removed_where_the_gateway_clears_by_itself(openssh: OpenSsh) -> None:
    (openssh.responses / "a.xml").write_bytes(b"<a/>")
    with connect(openssh.gateway(removes_responses=False)) as session:
        assert session.remove("a.xml") is False
    assert (openssh.responses / "a.xml").exists()


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", "", "a\x00b", "a\nb"])
def test_a_name_never_leads_to_another_directory(openssh: OpenSsh, name: str) -> None:
    with connect(openssh.gateway()) as session, pytest.raises(UsageError):
        session.fetch(name, openssh.root / "target")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # paramiko's read-ahead thread
def test_a_connection_cut_in_the_middle_leaves_nothing_half_done(openssh: OpenSsh, local_file: Callable[[bytes], Path]) -> None:
    content = os.urandom(8_000_000)
    name = name_for(openssh, content)
    (openssh.responses / "big.xml").write_bytes(content)
    target = openssh.root / "target"
    with cut_after(openssh.port, 2_000_000) as port, connect(openssh.gateway(port=port)) as session:
        with pytest.raises(errors.GatewayUnavailable):
            session.upload(local_file(content), name)
        wait_until(lambda: not session.alive)  # a thread of the library's own notices
    with (
        cut_after(openssh.port, 2_000_000) as port,
        connect(openssh.gateway(port=port)) as session,
        pytest.raises(errors.GatewayUnavailable),
    ):
        session.fetch("big.xml", target)
    assert not target.exists()
    with connect(openssh.gateway()) as session:
        found = session.presence(name)
        assert not found.final
        with pytest.raises(errors.TemporaryIncomplete):
            session.publish(name, len(content))


def test_sessions_are_lent_again_until_something_goes_wrong(openssh: OpenSsh) -> None:
    sessions = Sessions()
    gateway = openssh.gateway()
    with sessions.borrow(gateway) as first:
        pass
    with pytest.raises(errors.ResponseMissing), sessions.borrow(gateway) as second:
        second.fetch("gone.xml", openssh.root / "target")
    assert second is first
    assert not first.alive
    with sessions.borrow(gateway) as third, sessions.borrow(gateway) as fourth:
        assert third is not first
        assert fourth is not third
    sessions.close()
    assert not third.alive


@contextmanager
def cut_after(server_port: int, limit: int) -> Iterator[int]:
    """Relay one connection to the server, and cut it once so many bytes went through, in either direction."""
    listener = socket.create_server(("127.0.0.1", 0))

    def relay() -> None:
        inside, _ = listener.accept()
        outside = socket.create_connection(("127.0.0.1", server_port))
        passed = [0]

        def pump(source: socket.socket, sink: socket.socket) -> None:
            while passed[0] < limit:
                try:
                    data = source.recv(65536)
                    sink.sendall(data)
                except OSError:
                    break
                if not data:
                    break
                passed[0] += len(data)
            for end in (inside, outside):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

        back = threading.Thread(target=pump, args=(outside, inside))
        back.start()
        pump(inside, outside)
        back.join()
        inside.close()
        outside.close()

    thread = threading.Thread(target=relay)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(10)
    listener.close()
