"""The simulator's SFTP door, its strictness and its faults, seen from our client."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko import Ed25519Key

from connectors.helios import errors
from connectors.helios.client import Presence
from connectors.helios.connection import connect
from connectors.helios.remote_name import RemoteName, Routing, remote_name
from connectors.helios.settings import HeliosGateway
from connectors.helios.simulated_directories import Faults
from connectors.helios.simulated_sftp import Account, SftpDoor
from core.errors import Unavailable, UsageError

ROUTING = Routing(typ_fic="PESALR1", cod_col="123", id_post="045678", cod_bud="00")


class Door:
    """A door behind which deposits are only counted."""

    def __init__(self, folder: Path) -> None:
        secret = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        (folder / "key").write_bytes(secret)
        self.key = Ed25519Key.from_private_key_file(folder / "key")
        self.secret = secret.decode()
        self.taken: list[str] = []
        self.faults = Faults()
        accounts = (Account("ville", password="clé"), Account("robot", public_key=self.key.get_base64()))
        self.folder = folder / "accounts"
        self.door = SftpDoor(self.folder, self.key, accounts, self.faults, self.take)
        self.port = self.door.start("127.0.0.1", 0)

    def take(self, account: str, source: Path, name: RemoteName) -> bool:
        if name.p_appli != "THELPES2":
            return False
        source.unlink()
        self.taken.append(f"{account}:{name}")
        return True

    def gateway(self, **changes: object) -> HeliosGateway:
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": "ville",
            "password": "clé",
            "host_key": self.key.get_base64(),
            "p_dest": "VHPCE11",
            "removes_responses": True,
            "second_look_after": 0,
        }
        return HeliosGateway.model_validate(values | changes)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    yield door
    door.door.stop()


def name_for(door: Door, content: bytes) -> str:
    return remote_name(door.gateway(), ROUTING, hashlib.sha1(content).hexdigest())


def test_a_published_file_is_taken_once_and_leaves_the_directory(door: Door, local_file: Callable[[bytes], Path]) -> None:
    name = name_for(door, b"content")
    with connect(door.gateway()) as session:
        session.upload(local_file(b"content"), name)
        assert door.taken == []
        session.publish(name, 7)
        assert session.presence(name).nothing
        with pytest.raises(errors.TemporaryMissing):
            session.publish(name, 7)
    assert door.taken == [f"ville:{name}"]


def test_only_one_of_many_concurrent_publications_is_taken(door: Door, local_file: Callable[[bytes], Path]) -> None:
    name = name_for(door, b"once")
    outcomes: list[bool] = []
    start = threading.Barrier(5)

    def publish() -> None:
        with connect(door.gateway()) as session:
            start.wait()
            try:
                session.publish(name, 4)
            except errors.TemporaryMissing:
                outcomes.append(False)
            else:
                outcomes.append(True)

    with connect(door.gateway()) as session:
        session.upload(local_file(b"once"), name)
    threads = [threading.Thread(target=publish) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 4 + [True]
    assert len(door.taken) == 1


def test_a_name_that_the_gateway_refuses_needs_an_operator(door: Door, local_file: Callable[[bytes], Path]) -> None:
    name = remote_name(door.gateway(p_appli="GHELPES2"), ROUTING, "0" * 40)
    with connect(door.gateway()) as session:
        session.upload(local_file(b"x"), name)
        with pytest.raises(errors.PermissionRefused):
            session.publish(name, 1)
        with pytest.raises(errors.PermissionRefused):
            session.upload(local_file(b"x"), name.removesuffix("0") + "g")
            session.publish(name.removesuffix("0") + "g", 1)


def test_a_wrong_password_a_wrong_user_and_a_wrong_key_are_refused(door: Door, other_key: str) -> None:
    for changes in (
        {"password": "wrong"},
        {"username": "nobody"},
        {"password": None, "private_key": door.secret},
        {"username": "robot"},
    ):
        with pytest.raises(errors.AuthenticationRefused), connect(door.gateway(**changes)):
            pytest.fail("connected")
    with pytest.raises(errors.HostKeyChanged), connect(door.gateway(host_key=other_key)):
        pytest.fail("connected")


def test_an_account_with_a_key_comes_in_and_sees_only_its_own_directories(door: Door) -> None:
    (door.folder / "ville" / "sortie" / "secret.xml").write_bytes(b"<a/>")
    with connect(door.gateway(username="robot", password=None, private_key=door.secret)) as session:
        assert session.list_responses() == []
    outside = door.gateway(username="robot", password=None, private_key=door.secret, response_directory="../ville/sortie")
    with connect(outside) as session, pytest.raises(errors.DirectoryMissing):
        session.list_responses()


def test_port_probes_and_noise_stop_nothing(door: Door) -> None:
    for noise in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 100):
        with socket.create_connection(("127.0.0.1", door.port)) as probe:
            probe.sendall(noise)
    with connect(door.gateway()) as session:
        assert session.list_responses() == []


def test_a_gateway_that_refuses_connections_is_worth_another_try(door: Door) -> None:
    door.faults.refuse_connections = True
    with pytest.raises(errors.GatewayUnavailable), connect(door.gateway()):
        pytest.fail("connected")
    door.faults.refuse_connections = False
    with connect(door.gateway()):
        pass


def test_an_upload_cut_in_the_middle_is_started_again(door: Door, local_file: Callable[[bytes], Path]) -> None:
    content = os.urandom(1_000_000)
    name = name_for(door, content)
    door.faults.drop_upload_after = 300_000
    with connect(door.gateway()) as session, pytest.raises(errors.GatewayUnavailable):
        session.upload(local_file(content), name)
    with connect(door.gateway()) as session:
        cut = session.presence(name).temporary_size
        assert cut is not None
        assert cut < len(content)
        session.upload(local_file(content), name)
        session.publish(name, len(content))
    assert len(door.taken) == 1


def test_a_deposit_without_room_is_worth_another_try(door: Door, local_file: Callable[[bytes], Path]) -> None:
    content = os.urandom(300_000)
    name = name_for(door, content)
    door.faults.full = True
    with connect(door.gateway()) as session, pytest.raises(Unavailable):
        session.upload(local_file(content), name)
    assert door.taken == []
    door.faults.full = False
    with connect(door.gateway()) as session:
        session.publish(name, session.upload(local_file(content), name))
    assert len(door.taken) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # paramiko's read-ahead thread
def test_a_download_cut_in_the_middle_leaves_nothing_then_succeeds(door: Door, tmp_path: Path) -> None:
    content = os.urandom(1_000_000)
    (door.folder / "ville" / "sortie" / "big.xml").write_bytes(content)
    door.faults.drop_download_after = 300_000
    target = tmp_path / "target"
    with connect(door.gateway()) as session, pytest.raises(errors.GatewayUnavailable):
        session.fetch("big.xml", target)
    assert not target.exists()
    with connect(door.gateway()) as session:
        session.fetch("big.xml", target)
        session.remove("big.xml")
    assert target.read_bytes() == content
    assert list((door.folder / "ville" / "sortie").iterdir()) == []


@pytest.mark.parametrize(("fault", "happened"), [("drop_before_publication", False), ("drop_after_publication", True)])
def test_after_a_cut_while_publishing_presence_tells_what_happened(
    door: Door, local_file: Callable[[bytes], Path], fault: str, happened: bool
) -> None:
    name = name_for(door, b"content")
    with connect(door.gateway()) as session:
        session.upload(local_file(b"content"), name)
        setattr(door.faults, fault, True)
        with pytest.raises(errors.GatewayUnavailable):
            session.publish(name, 7)
    with connect(door.gateway()) as session:
        assert session.presence(name) == Presence(final=False, temporary_size=None if happened else 7)
        if not happened:
            session.publish(name, 7)
    assert len(door.taken) == 1


def test_a_response_that_grows_is_neither_listed_nor_fetched(door: Door, tmp_path: Path) -> None:
    (door.folder / "ville" / "sortie" / "growing.xml").write_bytes(b"<a/>")
    (door.folder / "ville" / "sortie" / "whole.xml").write_bytes(b"<a/>")
    door.faults.growing.add("growing.xml")
    with connect(door.gateway(settled_age=600)) as session:
        assert [file.name for file in session.list_responses()] == ["whole.xml"]
        with pytest.raises(errors.ResponseUnsettled):
            session.fetch("growing.xml", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_slow_gateway_is_given_up_after_the_operation_timeout(door: Door) -> None:
    with connect(door.gateway(operation_timeout=0.2)) as session:
        door.faults.latency = 1.0
        with pytest.raises(errors.GatewayUnavailable):
            session.list_responses()


def test_the_openssh_client_delivers_too(door: Door, local_file: Callable[[bytes], Path], tmp_path: Path) -> None:
    identity, known = tmp_path / "identity", tmp_path / "known"
    identity.touch(mode=0o600)
    identity.write_text(door.secret)
    known.write_text(f"[127.0.0.1]:{door.port} ssh-ed25519 {door.key.get_base64()}\n")
    name = name_for(door, b"content")
    commands = f'put {local_file(b"content")} depot/a.part\nrename depot/a.part "depot/{name}"\nls depot\n'
    options = ["-i", str(identity), "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes"]
    subprocess.run(
        ["sftp", "-q", "-b", "-", *options, "-P", str(door.port), "robot@127.0.0.1"],
        input=commands.encode(),
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert door.taken == [f"robot:{name}"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "x" * 65])
def test_an_account_cannot_be_named_like_a_path(name: str) -> None:
    with pytest.raises(UsageError):
        Account(name, password="x")
