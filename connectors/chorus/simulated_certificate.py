"""The certificate of the simulated gateway: made the first time and kept, signed by itself, for addresses of this machine."""

from __future__ import annotations

import ssl
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.clock import now
from signing.pki import MARK, certificate_builder, name_of, write_private

_VALIDITY = timedelta(days=3650)


class Certificate:
    """A key and its certificate, in a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            write_private(path, _made())
        self._path = path

    @property
    def pem(self) -> str:
        """The certificate alone, which is its own authority."""
        return x509.load_pem_x509_certificate(self._path.read_bytes()).public_bytes(Encoding.PEM).decode("ascii")

    def serving(self) -> ssl.SSLContext:
        """Return how the gateway speaks TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._path)
        return context


def _made() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name, start = name_of(f"{MARK} Chorus Pro simulé"), now() - timedelta(days=1)
    places = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    certificate = (
        certificate_builder(name, name, key, start, start + _VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(places, critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
