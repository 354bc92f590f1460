"""Secrets at rest: what is confidential in the database is encrypted with a key that is not in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import LargeBinary

from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("core")


class Encrypted(LargeBinary):
    """The kind of a column that holds what a ``SecretBox`` encrypted: by it all of that is found when the key changes."""


class SecretBox:
    """Encrypts and decrypts with the keys of a file: the first encrypts, all decrypt, so that keys can be rotated.

    Attributes:
        keys: how many there are.
    """

    def __init__(self, keys: list[bytes]) -> None:
        try:
            each = [Fernet(key) for key in keys]
            self._fernet = MultiFernet(each)
        except ValueError as error:
            raise Misconfigured(_messages("keys.none")) from error
        self._first, self.keys = each[0], len(each)

    @classmethod
    def from_file(cls, path: Path) -> SecretBox:
        """Read the keys, one a line.

        Raises:
            Misconfigured: the file is absent, empty, or holds something else than keys.
        """
        try:
            keys = path.read_bytes().split()
        except OSError as error:
            raise Misconfigured(_messages("keys.file", file=path, reason=error.strerror)) from error
        return cls(keys)

    @classmethod
    def created_at(cls, path: Path) -> SecretBox:
        """Read the keys, having made the file with a fresh one, readable by its owner alone, when there is none."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(Fernet.generate_key() + b"\n")
        return cls.from_file(path)

    def encrypt(self, clear: bytes) -> bytes:
        """Return the encrypted form."""
        return self._fernet.encrypt(clear)

    def decrypt(self, encrypted: bytes) -> bytes:
        """Return the clear form.

        Raises:
            Misconfigured: none of the keys opens it.
        """
        return _opened(self._fernet.decrypt, encrypted)

    def is_current(self, encrypted: bytes) -> bool:
        """Tell whether the first key encrypted this; it is not opened."""
        try:
            self._first.extract_timestamp(encrypted)  # which is authenticated
        except InvalidToken:
            return False
        return True

    def renewed(self, encrypted: bytes) -> bytes:
        """Return the same under the first key.

        Raises:
            Misconfigured: none of the keys opens it.
        """
        return _opened(self._fernet.rotate, encrypted)


def _opened(how: Callable[[bytes], bytes], encrypted: bytes) -> bytes:
    try:
        return how(encrypted)
    except InvalidToken as error:
        raise Misconfigured(_messages("keys.wrong")) from error
