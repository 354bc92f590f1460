"""Signature of messages for the domain that sends them (DKIM, RFC 6376; Ed25519, RFC 8463)."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import SecretBytes

from core.errors import Misconfigured, UsageError
from core.messages import Catalogue

_messages = Catalogue("connectors.mail")

_LEAST_BITS = 2048
_HEADER = b"DKIM-Signature:"
_FOLDED = re.compile(rb"\r\n(?![ \t])")
_SENDER = re.compile(rb"^from[ \t]*:", re.IGNORECASE | re.MULTILINE)
_RELAXED = (b"relaxed", b"relaxed")
_SIGNED = (
    b"From",
    b"To",
    b"Subject",
    b"Date",
    b"Message-ID",
    b"MIME-Version",
    b"Content-Type",
    b"Auto-Submitted",
)


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key that signs for a domain; its public half stands in DNS under ``<selector>._domainkey.<domain>``.

    Attributes:
        algorithm: ``rsa-sha256`` or ``ed25519-sha256``.
        private: as dkimpy reads it: PKCS#1 in PEM, or the seed in base64.
    """

    domain: str
    selector: str
    algorithm: str
    private: SecretBytes

    @classmethod
    def load(cls, domain: str, selector: str, path: Path) -> Self:
        """Read a private key: RSA of 2048 bits at least, or Ed25519, PEM without a password.

        Raises:
            Misconfigured: there is no such file, or no such key in it.
        """
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise Misconfigured(_messages("dkim.key", path=path)) from error
        if isinstance(key, RSAPrivateKey) and key.key_size >= _LEAST_BITS:
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
            return cls(domain, selector, "rsa-sha256", SecretBytes(pem))
        if isinstance(key, Ed25519PrivateKey):
            return cls(domain, selector, "ed25519-sha256", SecretBytes(base64.b64encode(key.private_bytes_raw())))
        raise Misconfigured(_messages("dkim.key", path=path))


def signed(message: bytes, key: DkimKey) -> bytes:
    """Return a message with its signature before it: all of its body, and the headers that a reader is shown or depends on.

    Args:
        message: with CRLF at the end of each line; a header that is signed stands once at most (RFC 5322, 3.6).
        key: of the sender's domain.

    Raises:
        UsageError: the message has no ``From``, or its structure cannot be signed.
    """
    import dkim  # heavy, with its resolver of DNS: loaded by who sends

    if not _SENDER.search(message.partition(b"\r\n\r\n")[0]):
        raise UsageError(_messages("dkim.message", reason="From"))
    try:
        signature: bytes = dkim.sign(
            message,
            key.selector.encode(),
            key.domain.encode(),
            key.private.get_secret_value(),
            canonicalize=_RELAXED,
            signature_algorithm=key.algorithm.encode(),
            include_headers=list(_SIGNED),
        )
    except dkim.DKIMException as error:
        raise UsageError(_messages("dkim.message", reason=type(error).__name__)) from error
    return signature + message


def told(message: bytes) -> dict[str, str]:
    """Return what names the signature of a message in its evidence; nothing when it bears none.

    ``domain``, ``selector`` (of the public key in the DNS), ``algorithm``, and ``sha256`` of the header as it leaves.
    """
    if not message.startswith(_HEADER):
        return {}
    header = _FOLDED.split(message, maxsplit=1)[0]
    fields = (tag.partition(b"=") for tag in header[len(_HEADER) :].split(b";"))
    tags = {name.strip(): b"".join(value.split()).decode("ascii", "replace") for name, _, value in fields}
    return {
        "domain": tags.get(b"d", ""),
        "selector": tags.get(b"s", ""),
        "algorithm": tags.get(b"a", ""),
        "sha256": hashlib.sha256(header).hexdigest(),
    }
