"""A throw-away authority for demonstrations, simulators and tests: real certificates that nobody outside must believe.

Every name says so. Nothing here is used for a real signature, and no private key of it is worth keeping.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from asn1crypto import core as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core import clock
from core.errors import Misconfigured

MARK = "DEMONSTRATION"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_QC_TYPE, _ESEAL = "0.4.0.1862.1.6", "0.4.0.1862.1.6.2"
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Credential:
    """A private key and its certificate.

    Attributes:
        key: the private key.
        certificate: its certificate.
        issuers: the authorities above it, nearest first.
    """

    key: PrivateKey
    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]

    def as_pkcs12(self, password: str) -> bytes:
        """Return the key, its certificate and the authorities as a PKCS#12 file."""
        return pkcs12.serialize_key_and_certificates(
            MARK.encode(), self.key, self.certificate, self.issuers, BestAvailableEncryption(password.encode())
        )


@dataclass(frozen=True, slots=True)
class TestAuthority:
    """A root authority for demonstrations.

    Attributes:
        key: its private key.
        certificate: its self-signed certificate: the anchor.
    """

    __test__ = False  # its name begins like that of a test class

    key: PrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, name: str = f"{MARK} Autorité racine", *, at: datetime | None = None) -> Self:
        """Make a new authority, valid for ten years from the day before the moment given (now by default)."""
        key = _new_key("rsa", 3072)
        subject = name_of(name)
        start = (at or clock.now()) - timedelta(days=1)
        certificate = (
            certificate_builder(subject, subject, key, start, start + 10 * _YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(authority=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the authority kept in a folder, or make one there the first time.

        Raises:
            Misconfigured: what stands there cannot be read.
        """
        try:
            certificate = x509.load_pem_x509_certificate((folder / "anchor.pem").read_bytes())
            key = load_pem_private_key((folder / "anchor.key").read_bytes(), None)
        except FileNotFoundError:
            return cls.create().kept(folder)
        except ValueError as error:
            raise Misconfigured(f"{folder}: {error}") from error
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise Misconfigured(f"{folder}/anchor.key")
        return cls(key, certificate)

    def kept(self, folder: Path) -> Self:
        """Write the authority into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        write_private(folder / "anchor.key", self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "anchor.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return self

    def seal(
        self,
        name: str = f"{MARK} Cachet serveur",
        *,
        family: str = "rsa",
        bits: int = 3072,
        qualified: bool = False,
        start: datetime | None = None,
        end: datetime | None = None,
        usage: x509.KeyUsage | None = None,
    ) -> Credential:
        """Issue the certificate of a server seal: keyUsage digitalSignature and nonRepudiation.

        Args:
            name: its common name.
            family: ``rsa`` or ``ec``.
            bits: of the key: RSA 2048 and more, EC 256, 384 or 521; anything else only serves to be refused.
            qualified: add the QcType statement "eseal" (ETSI EN 319 412-5, 4.2.3).
            start: beginning of validity; the authority's by default.
            end: end of validity; two years later by default.
            usage: another keyUsage, to be refused.
        """
        key = _new_key(family, bits)
        begin = start or self.certificate.not_valid_before_utc
        builder = (
            certificate_builder(name_of(name), self.certificate.subject, key, begin, end or begin + 2 * _YEAR)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage or key_usage(authority=False), critical=True)
        )
        if qualified:
            builder = builder.add_extension(x509.UnrecognizedExtension(_QC_STATEMENTS, _eseal()), critical=False)
        return self._issued(key, builder)

    def timestamping(self, name: str = f"{MARK} Horodatage") -> Credential:
        """Issue the certificate of a timestamping authority: critical id-kp-timeStamping alone (RFC 3161, 2.3)."""
        key = _new_key("rsa", 3072)
        begin = self.certificate.not_valid_before_utc
        builder = (
            certificate_builder(name_of(name), self.certificate.subject, key, begin, self.certificate.not_valid_after_utc)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        )
        return self._issued(key, builder)

    def revocations(self, revoked: dict[int, datetime], *, at: datetime | None = None) -> x509.CertificateRevocationList:
        """Issue a list of revoked certificates: serial numbers, and since when; good for ten years."""
        start = at or clock.now()
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(start).next_update(start + 10 * _YEAR)
        for serial, since in revoked.items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256())

    def _issued(self, key: PrivateKey, builder: x509.CertificateBuilder) -> Credential:
        return Credential(key, builder.sign(self.key, hashes.SHA256()), (self.certificate,))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, made so from the start."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _new_key(family: str, bits: int) -> PrivateKey:
    if family == "ec":
        curves: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
        return ec.generate_private_key(curves[bits])
    return rsa.generate_private_key(65537, bits)


def name_of(common: str) -> x509.Name:
    """Return the name of somebody of no worth, by its common name."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{MARK} - sans valeur"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def certificate_builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    """Begin a certificate: whose it is, by whom, from when to when; it lacks its uses and its signature."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def key_usage(*, authority: bool, commits: bool = True) -> x509.KeyUsage:
    """Return the uses of a key: an authority's, else a signer's; who only proves who he is (TLS) commits to nothing."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority and commits,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _eseal() -> bytes:
    """Return QCStatements with QcType eseal in DER."""
    types = _Identifiers([_ESEAL])
    statement = _Statement({"statement_id": _QC_TYPE, "statement_info": types})
    der: bytes = _Statements([statement]).dump()
    return der


class _Identifiers(asn1.SequenceOf):  # type: ignore[misc]
    _child_spec = asn1.ObjectIdentifier


class _Statement(asn1.Sequence):  # type: ignore[misc]
    _fields = [("statement_id", asn1.ObjectIdentifier), ("statement_info", asn1.Any, {"optional": True})]  # noqa: RUF012


class _Statements(asn1.SequenceOf):  # type: ignore[misc]
    _child_spec = _Statement
