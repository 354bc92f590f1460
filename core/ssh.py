"""Keys of SSH as they are configured: a server's, pinned; a client's own, as OpenSSH or PEM writes it."""

from __future__ import annotations

import base64
import binascii
import io

from paramiko import ECDSAKey, Ed25519Key, PKey, RSAKey, SSHException
from paramiko.pkey import UnknownKeyType

_PRIVATE: tuple[type[Ed25519Key | ECDSAKey | RSAKey], ...] = (Ed25519Key, ECDSAKey, RSAKey)


def public_key(algorithm: str, text: str) -> PKey:
    """Return a server's key.

    Args:
        algorithm: as SSH names it, ``ssh-ed25519``.
        text: the key in base64, as in ``known_hosts``.

    Raises:
        ValueError: the algorithm is not known, or the text is not such a key.
    """
    try:
        key = PKey.from_type_string(algorithm, base64.b64decode(text, validate=True))
    except (binascii.Error, UnknownKeyType, SSHException, IndexError) as error:
        raise ValueError(algorithm) from error
    if key.get_name() != algorithm:
        raise ValueError(algorithm)
    return key


def private_key(text: str, passphrase: str | None) -> PKey:
    """Return a private key.

    Raises:
        ValueError: no key of a known kind, or a wrong passphrase.
    """
    for kind in _PRIVATE:
        try:
            return kind.from_private_key(io.StringIO(text), password=passphrase)
        except (SSHException, ValueError, IndexError):
            continue
    raise ValueError("no key of a known kind, or a wrong passphrase")
