"""What a CMS message signs, wherever it stands, by its digests: it is never held whole."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from signing.cades.message import Message

DigestOf = Callable[[str], bytes]
"""Gives the digest of what is signed, by the hash's name in ``hashlib``."""

_messages = Catalogue("signing")
_START = 1 << 16


def digests_of(path: Path) -> DigestOf:
    """Return what gives the digests of a file, read as a stream once for each hash asked for."""

    @functools.cache
    def digest(hash_name: str) -> bytes:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, hash_name).digest()

    return digest


def content_of(message: Message, path: Path, detached: Path | None) -> DigestOf:
    """Return what gives the digests of what is signed: the detached file when one is named, else what is inside."""
    if detached is not None:
        if not detached.is_file():
            raise UnreadableInput(_messages("cades.absent", file=detached.name))
        return digests_of(detached)
    if message.content is None:
        raise UsageError(_messages("cades.detached", file=path.name))
    return functools.partial(digest_of, message.content)


def start_of(message: Message, detached: Path | None) -> bytes:
    """Return the beginning of what is signed, longer than any signed attributes."""
    if detached is None:
        return (message.content or b"")[:_START]
    with detached.open("rb") as stream:
        return stream.read(_START)


def digest_of(octets: bytes, hash_name: str) -> bytes:
    """Return the digest of octets by a hash of ``hashlib``."""
    return hashlib.new(hash_name, octets).digest()
