"""Secrets at rest: keys in a file, rotated without losing what earlier ones encrypted."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from core.errors import Misconfigured
from core.secrets import SecretBox


def test_what_was_encrypted_is_decrypted_and_never_looks_the_same_twice() -> None:
    box = SecretBox([Fernet.generate_key()])
    first, second = box.encrypt(b"secret"), box.encrypt(b"secret")
    assert box.decrypt(first) == box.decrypt(second) == b"secret"
    assert first != second
    assert b"secret" not in first


def test_keys_are_rotated_by_putting_a_new_one_first(tmp_path: Path) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    file = tmp_path / "keys"
    file.write_bytes(old + b"\n")
    before = SecretBox.from_file(file).encrypt(b"before")
    file.write_bytes(new + b"\n" + old + b"\n")
    rotated = SecretBox.from_file(file)
    after = rotated.encrypt(b"after")
    assert rotated.decrypt(before) == b"before"
    assert SecretBox([new]).decrypt(after) == b"after"
    with pytest.raises(Misconfigured):
        SecretBox([old]).decrypt(after)


def test_a_secret_whose_key_was_dropped_is_said_to_need_it_back() -> None:
    encrypted = SecretBox([Fernet.generate_key()]).encrypt(b"secret")
    with pytest.raises(Misconfigured, match="clé d’origine"):
        SecretBox([Fernet.generate_key()]).decrypt(encrypted)


def test_a_secret_altered_by_one_bit_is_not_opened() -> None:
    box = SecretBox([Fernet.generate_key()])
    encrypted = bytearray(box.encrypt(b"secret"))
    encrypted[-5] ^= 1
    with pytest.raises(Misconfigured):
        box.decrypt(bytes(encrypted))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"not a key", b"\xff\xfe", b"c2hvcnQ="])
def test_a_file_without_a_readable_key_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(Misconfigured, match="clé lisible"):
        SecretBox.from_file(tmp_path / "keys")


def test_a_file_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="absent"):
        SecretBox.from_file(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_file_made_here_is_its_owners_alone_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / "secret.key"
    encrypted = SecretBox.created_at(path).encrypt(b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert SecretBox.created_at(path).decrypt(encrypted) == b"secret"
