"""What an operator may configure, and what is refused at once."""

from __future__ import annotations

import io
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from paramiko import ECDSAKey, PKey, RSAKey
from pydantic import ValidationError

from connectors.helios.settings import Application, CodFich, HeliosGateway
from core.messages import LOCALES, Catalogue

HOST_KEY = ECDSAKey.generate()


def ed25519(encryption: KeySerializationEncryption) -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption).decode()


def pem(key: PKey) -> str:
    stream = io.StringIO()
    key.write_private_key(stream)
    return stream.getvalue()


def gateway(**changes: object) -> HeliosGateway:
    values: dict[str, object] = {
        "host": "sftp.example",
        "username": "ville",
        "password": "hunter2",
        "host_key_algorithm": HOST_KEY.get_name(),
        "host_key": HOST_KEY.get_base64(),
        "p_dest": "VHPCE11",
    }
    return HeliosGateway.model_validate(values | changes)


def test_defaults_send_to_the_test_application_and_delete_nothing() -> None:
    settings = gateway()
    assert settings.p_appli is Application.TEST
    assert settings.cod_fich is CodFich.PES
    assert settings.removes_responses is False


def test_the_password_shows_nowhere() -> None:
    assert "hunter2" not in repr(gateway())
    with pytest.raises(ValidationError) as caught:
        gateway(private_key="hunter3")
    assert "hunter" not in str(caught.value)


def test_every_setting_is_described_and_every_duration_says_its_unit() -> None:
    for name, field in HeliosGateway.model_fields.items():
        assert field.description, name
        if re.search(r"timeout|interval|age|after", name):
            assert field.description.startswith("Seconds"), name


@pytest.mark.parametrize("key", [pem(RSAKey.generate(2048)), pem(ECDSAKey.generate()), ed25519(NoEncryption())])
def test_private_keys_of_the_usual_kinds_are_read(key: str) -> None:
    assert gateway(password=None, private_key=key).client_key() is not None


def test_a_private_key_with_a_passphrase_is_read() -> None:
    key = ed25519(BestAvailableEncryption(b"open"))
    assert gateway(password=None, private_key=key, passphrase="open").client_key() is not None
    for wrong in ("shut", None):
        with pytest.raises(ValidationError, match="phrase secrète"):
            gateway(password=None, private_key=key, passphrase=wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": None},
        {"private_key": ed25519(NoEncryption())},
        {"password": None, "private_key": "garbage"},
        {"password": None, "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"},
        {"password": None, "private_key": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"},
        {"host_key": "not base64 !"},
        {"host_key": "AAAA"},
        {"host_key_algorithm": "ssh-ed25519"},
        {"host_key_algorithm": "ssh-invented"},
        {"host_key": ""},
        {"p_dest": "VHPCE11%%X"},
        {"p_dest": ""},
        {"p_appli": "XHELPES2"},
        {"temporary_suffix": "part"},
        {"temporary_suffix": ".a/b"},
        {"port": 0},
        {"connect_timeout": 0},
        {"depot_directory": "a\nb"},
        {"unknown": 1},
    ],
)
def test_what_no_connection_could_use_is_refused_at_once(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        gateway(**changes)


def test_both_catalogues_say_the_same_things_with_the_same_places() -> None:
    french, english = (Catalogue("connectors.helios").texts(locale) for locale in LOCALES)
    assert french.keys() == english.keys()
    for key, text in french.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", english[key])), key
