"""The hash functions that proofs are made with, by the names of SEDA and of PREMIS.

A proof names its hash, so that a stronger one can take over (`archive.proof.resealing`) without anything older being lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from core.errors import UsageError
from core.messages import Catalogue

_messages = Catalogue("archive.proof")

SHA256 = "SHA-256"
"""The hash of whatever does not name another."""

HASHES: dict[str, Callable[[bytes], Any]] = {
    SHA256: hashlib.sha256,
    "SHA-384": hashlib.sha384,
    "SHA-512": hashlib.sha512,
}


def digest_of(data: bytes, algorithm: str = SHA256) -> bytes:
    """Return the digest of some bytes."""
    value: bytes = HASHES[algorithm](data).digest()
    return value


def digest_length(algorithm: str) -> int:
    """Return how many bytes a digest has."""
    return int(HASHES[algorithm](b"").digest_size)


def plain_name(algorithm: str) -> str:
    """Return the name that hashlib, OpenSSL and ASN.1 libraries know: ``sha256``."""
    return algorithm.replace("-", "").lower()


def require_known(algorithm: str) -> None:
    """Refuse a hash that no proof is made with.

    Raises:
        UsageError: it is none of `HASHES`.
    """
    if algorithm not in HASHES:
        raise UsageError(_messages("hash.unknown", found=algorithm[:40], known=", ".join(HASHES)))
