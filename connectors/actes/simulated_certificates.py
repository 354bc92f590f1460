"""Certificates of the simulated side: an authority made the first time and kept, servers' and operators' certificates of it.

They serve TLS between simulators and demonstrations; nobody outside must believe them, and every name says so.
"""

from __future__ import annotations

import hashlib
import ssl
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.clock import now
from core.errors import Misconfigured
from signing.pki import MARK, certificate_builder, key_usage, name_of, write_private

_VALIDITY = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Identity:
    """A key and its certificate.

    Attributes:
        pem: certificate, authority and private key, PEM text.
        certificate: the certificate alone.
    """

    pem: str
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hexadecimal."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()

    @classmethod
    def open(cls, path: Path, make: Callable[[], Identity]) -> Identity:
        """Read an identity from a file, or make it and keep it there the first time: pins hold across restarts.

        Raises:
            Misconfigured: what stands there is none.
        """
        if not path.exists():
            return make().kept(path)
        try:
            pem = path.read_text(encoding="ascii")
            return cls(pem, x509.load_pem_x509_certificate(pem.encode()))
        except ValueError as error:
            raise Misconfigured(f"{path}: {error}") from error

    def kept(self, path: Path) -> Self:
        """Write key and certificate to a file that only its owner may read, whole or not at all."""
        _write(path, self.pem.encode())
        return self

    def serving(self, *, asks_for: TlsAuthority | None = None) -> ssl.SSLContext:
        """Return how a server with this identity speaks TLS.

        Args:
            asks_for: the authority whose certificates a client must show; None asks for none.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(prefix="tabellion-") as file:  # OpenSSL reads keys from files only
            file.write(self.pem.encode())
            file.flush()
            context.load_cert_chain(file.name)
        if asks_for is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=asks_for.pem)
        return context


@dataclass(frozen=True, slots=True)
class TlsAuthority:
    """An authority for TLS."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, name: str = f"{MARK} Autorité TLS") -> Self:
        """Make a new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = name_of(name)
        return cls(key, _builder(subject, subject, key, key, authority=True).sign(key, hashes.SHA256()))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the authority kept in a folder, or make one there the first time.

        Raises:
            Misconfigured: what stands there is none.
        """
        path = folder / "authority.pem"
        if not path.exists():
            made = cls.create()
            folder.mkdir(parents=True, exist_ok=True)
            _write(path, _private(made.key) + made.pem.encode())
            return made
        kept = path.read_bytes()
        try:
            key, certificate = load_pem_private_key(kept, None), x509.load_pem_x509_certificate(kept)
        except ValueError as error:
            raise Misconfigured(f"{path}: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Misconfigured(str(path))
        return cls(key, certificate)

    @property
    def pem(self) -> str:
        """The certificate of the authority."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def server(self, *places: str) -> Identity:
        """Issue the certificate of a server, for names and addresses."""
        names = x509.SubjectAlternativeName([_place(place) for place in places])
        return self._issue(places[0], [names, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])])

    def client(self, name: str = f"{MARK} Opérateur de transmission") -> Identity:
        """Issue the certificate that an operator shows."""
        return self._issue(name, [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])])

    def _issue(self, name: str, extensions: Sequence[x509.ExtensionType]) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name_of(name), self.certificate.subject, key, self.key, authority=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return Identity(certificate.public_bytes(Encoding.PEM).decode() + self.pem + _private(key).decode(), certificate)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _place(place: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(place))
    except ValueError:
        return x509.DNSName(place)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, above: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.CertificateBuilder:
    """Begin a certificate of TLS, whose verifiers want to know the key above (RFC 5280, 4.2.1.1)."""
    start = now() - timedelta(days=1)
    return (
        certificate_builder(subject, issuer, key, start, start + _VALIDITY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(key_usage(authority=authority, commits=False), critical=True)
    )


def _write(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_suffix(".draft")
    write_private(draft, data)
    draft.rename(path)
