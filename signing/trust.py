"""Whom to believe: a folder of authorities, and what it says of a certificate at a moment.

Paths are built and validated by pyhanko-certvalidator (RFC 5280, 6.1) without any network access. Revocation lists are read
here, because the answer must tell *since when* a certificate is revoked: one revoked after the moment that counts is another
matter than one revoked before. Trust is one answer of four; whether a signature is intact is not asked here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Self

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    DisallowedAlgorithmError,
    ExpiredError,
    NotYetValidError,
    PathBuildingError,
    ValidationError,
)

from core.errors import Misconfigured
from core.messages import Catalogue
from signing.algorithms import CERTIFICATE_FLAWS, weakness

_messages = Catalogue("signing")
_CERTIFICATES = {".pem", ".crt", ".cer", ".der"}
_LARGEST_CERTIFICATES = 4 << 20
_LARGEST_CRL = 64 << 20
_WEAK_HASHES = ("md2", "md5", "sha1")


class TrustState(StrEnum):
    """What a trust store says of a certificate at a moment."""

    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    UNTRUSTED = "untrusted"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"


@dataclass(frozen=True, slots=True)
class TrustStatus:
    """The answer about one certificate at one moment.

    Attributes:
        state: trusted or why not; ``unknown`` means that no path leads to an anchor.
        reason: in words, when it is not trusted.
        chain: the path found, the certificate first and the anchor last; empty when there is none.
        revocation_known: a fresh list of the issuer was at hand for every certificate below the anchor.
    """

    state: TrustState
    reason: str | None = None
    chain: tuple[x509.Certificate, ...] = ()
    revocation_known: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a signature brings along for its own verification; believed only as far as who signed it is.

    Attributes:
        certificates: to build paths with, never anchors.
        lists: certificate revocation lists.
        answers: OCSP responses, DER.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    lists: tuple[x509.CertificateRevocationList, ...] = ()
    answers: tuple[bytes, ...] = ()


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Authorities that are believed, material to build paths, and revocation lists.

    Attributes:
        anchors: self-signed certificates of authorities.
        material: every other certificate, only a step on the way to an anchor.
        revocations: certificate revocation lists.
    """

    anchors: tuple[x509.Certificate, ...]
    material: tuple[x509.Certificate, ...] = ()
    revocations: tuple[x509.CertificateRevocationList, ...] = ()

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read the files ``.pem .crt .cer .der .crl`` of a folder, PEM or DER; its sub-folders are not read.

        Raises:
            Misconfigured: the folder is absent, or one of these files cannot be read.
        """
        if not folder.is_dir():
            raise Misconfigured(_messages("trust.folder", folder=folder))
        certificates: list[x509.Certificate] = []
        revocations: list[x509.CertificateRevocationList] = []
        for path in sorted(folder.iterdir()):
            suffix = path.suffix.lower()
            try:
                if suffix in _CERTIFICATES:
                    certificates += _certificates(_bounded(path, _LARGEST_CERTIFICATES))
                elif suffix == ".crl":
                    revocations.append(_revocations(_bounded(path, _LARGEST_CRL)))
            except (*CERTIFICATE_FLAWS, OSError) as error:
                raise Misconfigured(_messages("trust.file", file=path.name)) from error
        return cls.of(certificates, revocations)

    @classmethod
    def of(
        cls,
        certificates: Iterable[x509.Certificate],
        revocations: Iterable[x509.CertificateRevocationList] = (),
    ) -> Self:
        """Sort certificates into anchors and material."""
        anchors: list[x509.Certificate] = []
        material: list[x509.Certificate] = []
        for certificate in certificates:
            (anchors if is_root(certificate) else material).append(certificate)
        return cls(tuple(anchors), tuple(material), tuple(revocations))

    def assess(self, certificate: x509.Certificate, *, at: datetime, evidence: Evidence = NO_EVIDENCE) -> TrustStatus:
        """Say what is known of a certificate at a moment.

        The dates of the certificate itself come first: they are true whoever issued it. Runs an event loop of its own: call
        it from a thread without one.

        Args:
            certificate: the one in question.
            at: the moment, aware.
            evidence: what came with the signature.
        """
        if at > certificate.not_valid_after_utc:
            return TrustStatus(TrustState.EXPIRED, _messages("trust.expired", date=_day(certificate.not_valid_after_utc)))
        if at < certificate.not_valid_before_utc:
            day = _day(certificate.not_valid_before_utc)
            return TrustStatus(TrustState.NOT_YET_VALID, _messages("trust.early", date=day))
        status = self._path(certificate, at, evidence.certificates)
        if status.state is not TrustState.TRUSTED:
            return status
        for member in status.chain:
            if weak := weakness(member):
                return TrustStatus(TrustState.UNTRUSTED, _messages("trust.weak", found=weak), status.chain)
        return self._revocation(status.chain, at, evidence)

    def _path(self, certificate: x509.Certificate, at: datetime, material: Sequence[x509.Certificate]) -> TrustStatus:
        if not self.anchors:
            return TrustStatus(TrustState.UNKNOWN, _messages("trust.unknown", issuer=_common(certificate.issuer)))
        context = ValidationContext(
            trust_roots=[_asn1(anchor) for anchor in self.anchors],
            other_certs=[_asn1(other) for other in (*self.material, *material)],
            moment=at,
            allow_fetching=False,
            revocation_mode="soft-fail",
            weak_hash_algos=_WEAK_HASHES,
        )
        validator = CertificateValidator(_asn1(certificate), validation_context=context)
        try:
            path = asyncio.run(validator.async_validate_usage(set()))  # type: ignore[no-untyped-call]
        except PathBuildingError:
            return TrustStatus(TrustState.UNKNOWN, _messages("trust.unknown", issuer=_common(certificate.issuer)))
        except ExpiredError:
            return TrustStatus(TrustState.EXPIRED, _messages("trust.chain_expired"))
        except NotYetValidError:
            return TrustStatus(TrustState.NOT_YET_VALID, _messages("trust.chain_early"))
        except DisallowedAlgorithmError:
            return TrustStatus(TrustState.UNTRUSTED, _messages("trust.sha1"))
        except (ValidationError, ValueError, TypeError):  # the last two: a certificate whose extensions cannot be read
            if certificate.issuer == certificate.subject:
                return TrustStatus(TrustState.UNKNOWN, _messages("trust.unknown", issuer=_common(certificate.issuer)))
            return TrustStatus(TrustState.UNTRUSTED, _messages("trust.chain"))
        chain = tuple(x509.load_der_x509_certificate(member.dump()) for member in path)[::-1]
        return TrustStatus(TrustState.TRUSTED, chain=chain)

    def _revocation(self, chain: tuple[x509.Certificate, ...], at: datetime, evidence: Evidence) -> TrustStatus:
        known = True
        for member, issuer in pairwise(chain):
            lists = [listing for listing in (*self.revocations, *evidence.lists) if _issued(listing, issuer)]
            since = min((revoked for listing in lists if (revoked := _revoked_since(listing, member))), default=None)
            if since is not None and since <= at:
                reason = _messages("trust.revoked", date=_day(since), name=_common(member.subject))
                return TrustStatus(TrustState.REVOKED, reason, chain, revocation_known=True)
            known = known and any(_fresh(listing, at) for listing in lists)
        return TrustStatus(TrustState.TRUSTED, None, chain, revocation_known=known)


def is_root(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is that of an authority and signed with its own key."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(certificate)
    except (x509.ExtensionNotFound, InvalidSignature, UnsupportedAlgorithm, *CERTIFICATE_FLAWS, TypeError):
        return False
    return constraints.ca


def _certificates(data: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN CERTIFICATE-----" in data:
        return x509.load_pem_x509_certificates(data)
    return [x509.load_der_x509_certificate(data)]


def _revocations(data: bytes) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl(data) if b"-----BEGIN X509 CRL-----" in data else x509.load_der_x509_crl(data)


def _bounded(path: Path, limit: int) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path.name} exceeds {limit} bytes")
    return data


def _issued(listing: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Tell whether the list is signed by the issuer and speaks of the issuer's own certificates (RFC 5280, 5.2.5)."""
    key = issuer.public_key()
    try:
        signed = listing.issuer == issuer.subject and listing.is_signature_valid(key)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return signed and all(_understood(extension) for extension in listing.extensions if extension.critical)


def _understood(extension: x509.Extension[x509.ExtensionType]) -> bool:
    scope = extension.value
    return isinstance(scope, x509.IssuingDistributionPoint) and not scope.indirect_crl


def _revoked_since(listing: x509.CertificateRevocationList, member: x509.Certificate) -> datetime | None:
    entry = listing.get_revoked_certificate_by_serial_number(member.serial_number)
    return None if entry is None else entry.revocation_date_utc


def _fresh(listing: x509.CertificateRevocationList, at: datetime) -> bool:
    """Tell whether the absence of a certificate from the list means something at this moment: a whole list, not outdated."""
    whole = not any(extension.critical for extension in listing.extensions)
    return whole and (listing.next_update_utc is None or at <= listing.next_update_utc)


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def _common(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _day(moment: datetime) -> str:
    return f"{moment:%d/%m/%Y}"
