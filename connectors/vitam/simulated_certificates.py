"""The certificates of the simulated Vitam, made the first time and kept: an authority, its server, a client that it takes."""

from __future__ import annotations

import ssl
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.clock import now
from signing.pki import MARK, certificate_builder, key_usage, name_of, write_private

_VALIDITY = timedelta(days=3650)
_AUTHORITY, _SERVER, _CLIENT = "authority.pem", "server.pem", "client.pem"


class Certificates:
    """A folder of keys with their certificates, which only its owner may read; nobody outside must believe them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / _CLIENT).exists():
            folder.mkdir(parents=True, exist_ok=True)
            _make(folder)

    @property
    def authority(self) -> str:
        """The certificate of the authority, PEM."""
        return self._certificate(_AUTHORITY).public_bytes(Encoding.PEM).decode("ascii")

    def client(self, password: str) -> bytes:
        """Return the certificate and the key of a client as a PKCS#12."""
        key = load_pem_private_key((self._folder / _CLIENT).read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(_CLIENT)
        protected = BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(MARK.encode(), key, self._certificate(_CLIENT), None, protected)

    def serving(self) -> ssl.SSLContext:
        """Return how TLS is spoken: a client must show a certificate of the authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / _SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.authority)
        return context

    def _certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self._folder / name).read_bytes())


def _make(folder: Path) -> None:
    above, name = ec.generate_private_key(ec.SECP256R1()), name_of(f"{MARK} Vitam simulé")
    _keep(folder / _AUTHORITY, above, _builder(name, name, above, above, authority=True).sign(above, hashes.SHA256()))
    places = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    issued: tuple[tuple[str, list[x509.ExtensionType]], ...] = (
        (_SERVER, [places, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])]),
        (_CLIENT, [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])]),
    )
    for file, extensions in issued:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name_of(f"{MARK} {file.removesuffix('.pem')}"), name, key, above, authority=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        _keep(folder / file, key, builder.sign(above, hashes.SHA256()))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, above: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.CertificateBuilder:
    start = now() - timedelta(days=1)
    return (
        certificate_builder(subject, issuer, key, start, start + _VALIDITY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(key_usage(authority=authority, commits=False), critical=True)
    )


def _keep(path: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(path, certificate.public_bytes(Encoding.PEM) + private)
