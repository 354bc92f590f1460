"""Deposits at the ministry's platform, over real TLS: delivered, not delivered, or not known, and never twice by ourselves."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from actes_servers import (
    HOST,
    NAME,
    Platform,
    authority,
    endpoint,
    operator,
    operator_identity,
    other_authority,
    platform,
    server_identity,
)

from connectors.actes import errors
from connectors.actes.client import deposit
from connectors.actes.settings import Credentials
from connectors.actes.simulated_door import Access, Mishap
from core.errors import Misconfigured, UsageError
from tests.conftest import free_port

NOTHING_DELIVERED = (
    errors.PlatformUnreachable,
    errors.ServerNotTrusted,
    errors.CertificateRefused,
    errors.PlatformBusy,
    errors.AccessRefused,
    errors.DepositRefused,
    errors.AddressWrong,
)
V1_2 = {"minimum_version": "1.2"}


@pytest.fixture
def ministry(tmp_path: Path) -> Iterator[Platform]:
    with platform(tmp_path / "ministry") as opened:
        yield opened


@pytest.fixture
def rescue(tmp_path: Path) -> Iterator[Platform]:
    with platform(tmp_path / "rescue") as opened:
        yield opened


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "01HXAMPLE"
    path.write_bytes(os.urandom(700_000))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def only_tls_1_2(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def test_an_archive_arrives_whole_under_its_name_and_the_operators_certificate(ministry: Platform, archive: Path) -> None:
    done = deposit(operator(endpoint(ministry.port)), archive, NAME)
    assert (done.place, done.avoided) == (f"{HOST}:{ministry.port}", None)
    ((name, sha256, subject),) = ministry.taken
    assert (name, sha256) == (NAME, digest(archive))
    assert "Opérateur" in subject


def test_the_forms_field_is_called_as_the_archive(archive: Path) -> None:
    """What a server receives, octet by octet."""
    received = bytearray()
    with socket.create_server((HOST, 0)) as listening:

        def serve() -> None:
            with server_identity().serving().wrap_socket(listening.accept()[0], server_side=True) as opened:
                while not received.endswith(b"--\r\n"):
                    received.extend(opened.recv(65536))
                opened.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")

        thread = threading.Thread(target=serve)
        thread.start()
        deposit(operator(endpoint(int(listening.getsockname()[1]))), archive, NAME)
        thread.join()
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /actes HTTP/1.1\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert f'name="{NAME}"; filename="{NAME}"'.encode() in body
    assert archive.read_bytes() in body


def test_a_large_archive_is_never_whole_in_memory(ministry: Platform, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(80_000_000)
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom connectors.actes.client import deposit\n"
        "from connectors.actes.settings import ActesOperator\n"
        "operator = ActesOperator.model_validate_json(sys.stdin.read())\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"deposit(operator, Path({str(large)!r}), {NAME!r})\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    settings = operator(endpoint(ministry.port))
    given = settings.model_dump(mode="json")
    given["endpoint"]["client_certificate"] = operator_identity().pem
    given["mailbox"]["password"] = "x"

    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(given), capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert int(done.stdout) < 30_000, "kilobytes"
    assert ministry.taken[0][1] == digest(large)


@pytest.mark.parametrize("certificate", ["none", "of another authority"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_without_the_right_certificate_nothing_is_delivered_and_it_is_said(
    tmp_path: Path, archive: Path, certificate: str, version: str
) -> None:
    shown = None if certificate == "none" else other_authority().client().pem
    speaking = only_tls_1_2 if version == "1.2" else (lambda _: None)
    with platform(tmp_path / "ministry", speaking=speaking) as ministry:
        # With TLS 1.2 a missing certificate is told as any other failure to agree.
        kind = errors.PlatformUnreachable if (certificate, version) == ("none", "1.2") else errors.CertificateRefused
        with pytest.raises(kind):
            deposit(operator(endpoint(ministry.port, client_certificate=shown)), archive, NAME)
        assert ministry.taken == []


def test_a_pinned_certificate_is_recognised_however_its_fingerprint_is_written(ministry: Platform, archive: Path) -> None:
    pin = server_identity().fingerprint.upper()
    colons = ":".join(pin[rank : rank + 2] for rank in range(0, len(pin), 2))
    deposit(operator(endpoint(ministry.port, tls={"fingerprints": ["0" * 64, colons]})), archive, NAME)
    assert len(ministry.taken) == 1


def test_nothing_leaves_for_a_server_that_shows_another_certificate_than_the_pinned_one(
    ministry: Platform, archive: Path
) -> None:
    settings = operator(endpoint(ministry.port, tls={"fingerprints": [server_identity().fingerprint]}))
    ministry.faults.plan(Mishap.STRANGER)
    with pytest.raises(errors.ServerNotTrusted, match="empreinte"):
        deposit(settings, archive, NAME)
    assert ministry.taken == []
    deposit(settings, archive, NAME)
    assert len(ministry.taken) == 1


def test_nothing_leaves_for_a_server_of_an_unknown_authority(ministry: Platform, archive: Path) -> None:
    for tls in ({"authorities": other_authority().pem}, {"authorities": None}):
        with pytest.raises(errors.ServerNotTrusted, match="certificat"):
            deposit(operator(endpoint(ministry.port, tls=tls)), archive, NAME)
    assert ministry.taken == []


def test_the_servers_own_certificate_may_be_the_only_one_that_is_trusted(ministry: Platform, archive: Path) -> None:
    own = server_identity().pem.split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    deposit(operator(endpoint(ministry.port, tls={"authorities": own})), archive, NAME)
    assert len(ministry.taken) == 1


def test_a_certificate_for_another_name_passes_only_with_a_pin_and_the_check_of_names_off(
    ministry: Platform, archive: Path
) -> None:
    url = f"https://127.0.0.2:{ministry.port}/"
    pin = {"fingerprints": [server_identity().fingerprint]}
    with socket.create_server(("127.0.0.2", 0)) as listening:
        url = f"https://127.0.0.2:{listening.getsockname()[1]}/"

        def carry() -> None:
            for _ in range(2):
                here, there = listening.accept()[0], socket.create_connection((HOST, ministry.port))
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=_pour, args=(one, other), daemon=True).start()

        threading.Thread(target=carry, daemon=True).start()
        with pytest.raises(errors.ServerNotTrusted):
            deposit(operator(endpoint(0, url=url, tls=pin)), archive, NAME)
        deposit(operator(endpoint(0, url=url, tls={**pin, "checks_host_name": False})), archive, NAME)
    assert len(ministry.taken) == 1


def _pour(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def of_another_age(context: ssl.SSLContext) -> None:
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def test_a_server_of_another_age_is_reached_with_its_own_profile_only(tmp_path: Path, archive: Path) -> None:
    old = {"minimum_version": "1.0", "security_level": 0, "ciphers": "ECDHE-ECDSA-AES256-SHA"}
    with platform(tmp_path / "ministry", speaking=of_another_age) as ministry:
        with pytest.raises(errors.PlatformUnreachable, match="TLS"):
            deposit(operator(endpoint(ministry.port)), archive, NAME)
        assert ministry.taken == []
        deposit(operator(endpoint(ministry.port, tls=old)), archive, NAME)
        assert len(ministry.taken) == 1


def test_a_server_below_the_profile_is_refused(tmp_path: Path, archive: Path) -> None:
    with platform(tmp_path / "ministry", speaking=only_tls_1_2) as ministry:
        with pytest.raises(errors.PlatformUnreachable):
            deposit(operator(endpoint(ministry.port, tls={"minimum_version": "1.3"})), archive, NAME)
        deposit(operator(endpoint(ministry.port, tls={"minimum_version": "1.2"})), archive, NAME)
        assert len(ministry.taken) == 1


def test_a_profile_that_this_machine_cannot_speak_is_a_fault_of_the_configuration(ministry: Platform, archive: Path) -> None:
    with pytest.raises(Misconfigured, match="profil TLS"):
        deposit(operator(endpoint(ministry.port, tls={"ciphers": "NO-SUCH-CIPHER"})), archive, NAME)


@pytest.mark.parametrize("credentials", [Credentials.BASIC, Credentials.QUERY])
def test_the_account_goes_where_the_platform_wants_it(tmp_path: Path, archive: Path, credentials: Credentials) -> None:
    account = {"credentials": credentials, "user": "tdt", "password": "p&ss: mot/é%"}
    with platform(tmp_path / "ministry", access=Access(credentials, "tdt", "p&ss: mot/é%")) as ministry:
        deposit(operator(endpoint(ministry.port, **account)), archive, NAME)
        for wrong in ({**account, "password": "other"}, {}):
            with pytest.raises(errors.AccessRefused, match="401") as refused:
                deposit(operator(endpoint(ministry.port, **wrong)), archive, NAME)
            assert refused.value.status == 401
        assert len(ministry.taken) == 1


@pytest.mark.parametrize(
    ("mishap", "kind", "status"),
    [
        (Mishap.REFUSED, errors.DepositRefused, 400),
        (Mishap.DENIED, errors.AccessRefused, 403),
        (Mishap.BUSY, errors.PlatformBusy, 503),
        (Mishap.EARLY, errors.DepositRefused, 413),
    ],
)
def test_a_refusal_says_that_nothing_was_delivered(
    ministry: Platform, rescue: Platform, archive: Path, mishap: Mishap, kind: type[errors.Answered], status: int
) -> None:
    ministry.faults.plan(mishap)
    with pytest.raises(kind) as refused:
        deposit(operator(endpoint(ministry.port), endpoint(rescue.port)), archive, NAME)
    assert refused.value.status == status
    assert isinstance(refused.value, NOTHING_DELIVERED)
    assert (ministry.taken, rescue.taken) == ([], [])


@pytest.mark.parametrize(("mishap", "kept"), [(Mishap.FAILED, 0), (Mishap.KEPT, 1)])
def test_a_fault_of_the_platform_says_that_nobody_knows(
    ministry: Platform, rescue: Platform, archive: Path, mishap: Mishap, kept: int
) -> None:
    ministry.faults.plan(mishap)
    with pytest.raises(errors.PlatformFailed) as failed:
        deposit(operator(endpoint(ministry.port), endpoint(rescue.port)), archive, NAME)
    assert failed.value.status == 500
    assert isinstance(failed.value, errors.DeliveryUnknown)
    assert (len(ministry.taken), len(rescue.taken)) == (kept, 0)


@pytest.mark.parametrize(("mishap", "kept"), [(Mishap.LOST, 1), (Mishap.SILENT, 1), (Mishap.SLOW, 1)])
def test_what_is_cut_off_once_the_last_octets_left_is_not_known_and_goes_nowhere_else(
    ministry: Platform, rescue: Platform, archive: Path, mishap: Mishap, kept: int
) -> None:
    ministry.faults.plan(mishap)
    patience: dict[str, Any] = {"total_timeout": 5} if mishap in {Mishap.SILENT, Mishap.SLOW} else {}
    with pytest.raises(errors.DeliveryUnknown, match="a pu être remise"):
        deposit(operator(endpoint(ministry.port, **patience), endpoint(rescue.port)), archive, NAME)
    assert (len(ministry.taken), len(rescue.taken)) == (kept, 0)


def test_what_is_cut_off_before_its_last_octets_was_not_delivered_and_the_rescue_has_it(
    ministry: Platform, rescue: Platform, tmp_path: Path
) -> None:
    large = tmp_path / NAME
    with large.open("wb") as stream:
        stream.truncate(40_000_000)
    ministry.faults.plan(Mishap.DROPPED)
    told: list[str] = []
    done = deposit(
        operator(endpoint(ministry.port), endpoint(rescue.port)), large, NAME, committing=lambda: told.append("committing")
    )
    assert done.place == f"{HOST}:{rescue.port}"
    assert (len(ministry.taken), len(rescue.taken), told) == (0, 1, ["committing"])


def test_what_is_raised_before_the_last_octets_stops_the_deposit(ministry: Platform, archive: Path) -> None:
    def lost() -> None:
        raise UsageError("the lease is lost")

    with pytest.raises(UsageError, match="lease"):
        deposit(operator(endpoint(ministry.port)), archive, NAME, committing=lost)
    assert ministry.taken == []


def test_a_server_that_reads_nothing_is_given_up_when_time_is_over(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(50_000_000)
    with socket.create_server((HOST, 0)) as listening:
        done = threading.Event()

        def serve() -> None:
            with server_identity().serving().wrap_socket(listening.accept()[0], server_side=True):
                done.wait(30)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(errors.PlatformUnreachable, match="délai dépassé"):
            deposit(operator(endpoint(int(listening.getsockname()[1]), total_timeout=5)), large, NAME)
        done.set()


def unreachable() -> dict[str, Any]:
    return endpoint(free_port())


def test_the_rescue_takes_over_when_no_connection_can_be_made_and_it_is_said_why(rescue: Platform, archive: Path) -> None:
    first = unreachable()
    done = deposit(operator(first, endpoint(rescue.port)), archive, NAME)
    assert done.place == f"{HOST}:{rescue.port}"
    assert done.avoided is not None
    assert "injoignable" in done.avoided
    assert [name for name, _, _ in rescue.taken] == [NAME]


@pytest.mark.parametrize("mishap", [Mishap.STRANGER, Mishap.MUTE])
def test_the_rescue_takes_over_when_tls_fails_before_anything_was_said(
    ministry: Platform, rescue: Platform, archive: Path, mishap: Mishap
) -> None:
    ministry.faults.plan(mishap)
    first = endpoint(ministry.port, connect_timeout=1, tls={"fingerprints": [server_identity().fingerprint]})
    done = deposit(operator(first, endpoint(rescue.port)), archive, NAME)
    assert done.avoided is not None
    assert (len(ministry.taken), len(rescue.taken)) == (0, 1)


def test_the_rescue_takes_over_when_the_first_refuses_the_certificate(
    ministry: Platform, rescue: Platform, archive: Path
) -> None:
    first = endpoint(ministry.port, client_certificate=other_authority().client().pem)
    deposit(operator(first, endpoint(rescue.port)), archive, NAME)
    assert (len(ministry.taken), len(rescue.taken)) == (0, 1)


def test_when_neither_can_be_reached_nothing_was_delivered(archive: Path) -> None:
    with pytest.raises(errors.PlatformUnreachable, match="Rien n’a été remis"):
        deposit(operator(unreachable(), unreachable()), archive, NAME)


def test_a_server_without_tls_got_nothing(archive: Path) -> None:
    with socket.create_server((HOST, 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as opened:
                opened.sendall(b"220 here is a mail server\r\n")

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(errors.PlatformUnreachable):
            deposit(operator(endpoint(int(listening.getsockname()[1]))), archive, NAME)


def test_an_archive_beyond_the_limit_does_not_leave(ministry: Platform, archive: Path) -> None:
    with pytest.raises(errors.ArchiveTooLarge, match="700000"):
        deposit(operator(endpoint(ministry.port), maximum_archive_size=1024), archive, NAME)
    assert ministry.taken == []


@pytest.mark.parametrize("name", ["", 'a"b.tar.gz', "a\r\nb", "../a.tar.gz", "é.tar.gz"])
def test_a_name_that_would_break_the_form_is_refused(ministry: Platform, archive: Path, name: str) -> None:
    with pytest.raises(UsageError, match="nom d’archive"):
        deposit(operator(endpoint(ministry.port)), archive, name)
    assert ministry.taken == []


def test_no_message_tells_the_password(ministry: Platform, archive: Path) -> None:
    account = {"credentials": Credentials.QUERY, "user": "tdt", "password": "tr3s-secret"}
    ministry.faults.plan(Mishap.FAILED)
    with pytest.raises(errors.PlatformFailed) as failed:
        deposit(operator(endpoint(ministry.port, **account)), archive, NAME)
    assert "tr3s-secret" not in str(failed.value)
    assert "tr3s-secret" not in repr(operator(endpoint(ministry.port, **account)))


def test_an_answer_that_does_not_parse_puts_no_password_into_the_logs(archive: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with socket.create_server((HOST, 0)) as listening:

        def serve() -> None:
            with server_identity().serving().wrap_socket(listening.accept()[0], server_side=True) as opened:
                received = bytearray()
                while not received.endswith(b"--\r\n"):
                    received.extend(opened.recv(65536))
                opened.sendall(b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        account = {"credentials": Credentials.QUERY, "user": "tdt", "password": "tr3s-secret"}
        deposit(operator(endpoint(int(listening.getsockname()[1]), **account)), archive, NAME)
    assert "tr3s-secret" not in caplog.text


def posted(ministry: Platform, fields: list[tuple[str, tuple[str, bytes] | str]]) -> int:
    """What the door answers to a form that another operator's software sends."""
    context = ssl.create_default_context(cadata=authority().pem)
    with tempfile.NamedTemporaryFile() as file:
        file.write(operator_identity().pem.encode())
        file.flush()
        context.load_cert_chain(file.name)
    with urllib3.PoolManager(ssl_context=context) as pool:
        return pool.request("POST", f"https://{HOST}:{ministry.port}/", fields=fields).status


def test_the_door_takes_any_form_with_one_file_whatever_the_fields_are_called(ministry: Platform) -> None:
    parts: list[tuple[str, tuple[str, bytes] | str]] = [("name", NAME), ("filename", NAME), ("file", (NAME, b"octets"))]
    assert posted(ministry, parts) == 200
    assert ministry.taken == [(NAME, hashlib.sha256(b"octets").hexdigest(), "DEMONSTRATION Opérateur de transmission")]
    assert posted(ministry, parts[:2]) == 400
    assert posted(ministry, [*parts, ("other", ("b.tar.gz", b"x"))]) == 400
    assert len(ministry.taken) == 1
