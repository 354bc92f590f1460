"""What the operator configures for ACTES: refused at once when no exchange could use it, secrets never shown."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from pydantic import ValidationError

from connectors.actes.settings import ActesOperator, Endpoint, Mailbox, SendingWindow
from connectors.actes.simulated_certificates import TlsAuthority
from connectors.mailbox.settings import TlsProfile
from core.configuration import revealed
from schemas.actes.archive import DEFAULT_LIMITS

AUTHORITY = TlsAuthority.create()
CLIENT = AUTHORITY.client()
KEY = load_pem_private_key(CLIENT.pem.encode(), None)
BOX = {"host": "imap.tdt.test", "user": "tdt", "password": "s3cret"}
OPERATOR = {
    "trigramme": "TAB",
    "endpoint": {"url": "https://actes.test/depot"},
    "mailbox": BOX,
    "return_address": "tdt@tdt.test",
}


def as_pkcs12(password: str) -> str:
    data = pkcs12.serialize_key_and_certificates(
        b"x", KEY, CLIENT.certificate, [AUTHORITY.certificate], BestAvailableEncryption(password.encode())
    )
    return base64.encodebytes(data).decode()


def encrypted_pem(password: str) -> str:
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    return key.decode() + AUTHORITY.pem + CLIENT.certificate.public_bytes(Encoding.PEM).decode()


def test_what_is_not_said_is_what_most_need() -> None:
    operator = ActesOperator.model_validate(OPERATOR)
    endpoint, box = operator.endpoint, operator.mailbox
    assert (operator.quadrigramme, operator.rescue) == ("TACT", None)
    assert operator.maximum_archive_size > DEFAULT_LIMITS.documents  # what rule R05 lets through can leave
    assert (endpoint.connect_timeout, endpoint.total_timeout, endpoint.credentials) == (60, 180, "NONE")
    assert (endpoint.tls.minimum_version, endpoint.tls.checks_host_name, endpoint.tls.fingerprints) == ("1.2", True, ())
    assert (box.port, box.encryption, box.inbox) == (993, "implicit", "INBOX")
    assert endpoint.place == "actes.test:443"


def test_secrets_do_not_show_and_survive_being_stored() -> None:
    endpoint = {"url": "https://actes.test", "client_certificate": CLIENT.pem, "credentials": "BASIC"}
    operator = ActesOperator.model_validate(OPERATOR | {"endpoint": endpoint | {"user": "tdt", "password": "p4ss"}})
    for secret in ("s3cret", "p4ss", "PRIVATE KEY"):
        assert secret not in repr(operator)
    assert ActesOperator.model_validate_json(json.dumps(revealed(operator.model_dump()))) == operator


@pytest.mark.parametrize(
    ("given", "passphrase"),
    [(CLIENT.pem, None), (encrypted_pem("mot"), "mot"), (as_pkcs12("mot"), "mot")],
    ids=["pem", "encrypted pem, certificate last", "pkcs12 on several lines"],
)
def test_the_operators_certificate_may_come_in_several_forms(given: str, passphrase: str | None) -> None:
    settings = {"url": "https://actes.test", "client_certificate": given, "passphrase": passphrase}
    key = Endpoint.model_validate(settings).client_key()
    assert key is not None
    assert key.certificate == CLIENT.certificate
    assert key.issuers == (AUTHORITY.certificate,)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://actes.test"},
        {"url": "https://a:b@actes.test"},
        {"url": "https://"},
        {"url": "https://actes.test/#x"},
        {"url": "https://actes.test/é"},
        {"credentials": "BASIC"},
        {"credentials": "QUERY", "user": "a"},
        {"user": "a", "password": "b"},
        {"credentials": "POST"},
        {"client_certificate": "AAAA"},
        {"client_certificate": AUTHORITY.pem},
        {"client_certificate": encrypted_pem("mot"), "passphrase": "autre"},
        {"client_certificate": encrypted_pem("mot")},
        {"client_certificate": as_pkcs12("mot"), "passphrase": "autre"},
        {"client_certificate": CLIENT.pem.replace(CLIENT.certificate.public_bytes(Encoding.PEM).decode(), "")},
        {"total_timeout": 0},
        {"unknown": 1},
    ],
)
def test_an_endpoint_that_no_deposit_could_use_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Endpoint.model_validate({"url": "https://actes.test"} | changes)
    assert "PRIVATE KEY" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"checks_host_name": False},
        {"fingerprints": ["00"]},
        {"fingerprints": ["g" * 64]},
        {"authorities": "-----BEGIN CERTIFICATE-----"},
        {"minimum_version": "0.9"},
        {"security_level": 6},
        {"ciphers": "A\nB"},
    ],
)
def test_a_tls_profile_that_protects_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TlsProfile.model_validate(changes)


def test_the_name_of_a_server_may_stay_unchecked_only_when_its_certificate_is_pinned() -> None:
    profile = TlsProfile.model_validate({"checks_host_name": False, "fingerprints": ["AB:" * 31 + "AB"]})
    assert profile.fingerprints == ("ab" * 32,)


@pytest.mark.parametrize("changes", [{"done": "INBOX"}, {"done": "x", "troubled": "x"}, {"inbox": "a\r\nb"}, {"user": ""}])
def test_a_mailbox_where_mails_would_turn_in_circles_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Mailbox.model_validate(BOX | changes)


@pytest.mark.parametrize("address", ["tdt", "tdt+x@tdt.test", "tdt@tdt.longertld", "t'dt@tdt.test", "tdt@tdt.test\n"])
def test_a_return_address_that_the_schema_refuses_is_refused_here(address: str) -> None:
    with pytest.raises(ValidationError):
        ActesOperator.model_validate(OPERATOR | {"return_address": address})


def windows(*given: tuple[str, str, int | None]) -> ActesOperator:
    made = [{"begin": begin, "end": end, "quota": quota} for begin, end, quota in given]
    return ActesOperator.model_validate(OPERATOR | {"windows": made})


def utc(*given: int) -> datetime:
    return datetime(*given, tzinfo=UTC)


def test_without_windows_any_time_is_right() -> None:
    assert windows().slot(utc(2026, 6, 1, 12)) is None


def test_a_window_is_open_between_its_hours_of_paris() -> None:
    operator = windows(("08:00", "20:00", 1000))
    summer = operator.slot(utc(2026, 6, 1, 6, 0))
    assert summer == (utc(2026, 6, 1, 6), utc(2026, 6, 1, 18), 1000)
    winter = operator.slot(utc(2026, 12, 1, 18, 59))
    assert winter == (utc(2026, 12, 1, 7), utc(2026, 12, 1, 19), 1000)
    assert operator.slot(utc(2026, 12, 1, 19)) == (utc(2026, 12, 2, 7), utc(2026, 12, 2, 19), 1000)
    assert operator.slot(utc(2026, 12, 1, 6)) == (utc(2026, 12, 1, 7), utc(2026, 12, 1, 19), 1000)


def test_a_window_may_pass_midnight() -> None:
    operator = windows(("22:00", "06:00", None))
    assert operator.slot(utc(2026, 12, 2, 1)) == (utc(2026, 12, 1, 21), utc(2026, 12, 2, 5), None)
    assert operator.slot(utc(2026, 12, 2, 5)) == (utc(2026, 12, 2, 21), utc(2026, 12, 3, 5), None)


def test_of_several_windows_the_open_one_counts_else_the_next() -> None:
    operator = windows(("12:00", "13:00", 1), ("18:00", "19:00", 2))
    assert [operator.slot(utc(2026, 12, 1, hour)).quota for hour in (9, 11, 12, 17, 20)] == [1, 1, 2, 2, 1]  # type: ignore[union-attr]


def test_hours_of_another_zone_are_refused() -> None:
    with pytest.raises(ValidationError):
        SendingWindow.model_validate({"begin": "08:00Z", "end": "09:00"})
