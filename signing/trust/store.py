"""The trust store: anchors, what serves to build paths, and what authorities say of what they issued.

Paths are built and validated by pyhanko-certvalidator (RFC 5280, 6.1) without any network access. Revocation is read in
``notices``, because the answer must tell *since when* a certificate is revoked: one revoked after the moment that counts is
another matter than one revoked before. Trust is one answer of four; whether a signature is intact is not asked here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Self

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.messages import Catalogue
from signing.algorithms import CERTIFICATE_FLAWS, weakness
from signing.extensions import extension
from signing.trust.folder import Contents
from signing.trust.levels import RgsLevel
from signing.trust.notices import known, notices, revoked_since
from signing.trusted_lists import folder as lists_folder
from signing.trusted_lists.reading import Kind, Service

_messages = Catalogue("signing")
_BROKEN_HASHES = ("md2", "md5")
_SHA1_REFUSED_FROM = 2017
_MOST_CONVERTED = 4096


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
        revocation_known: a list or an answer of the issuer that was not outdated then was at hand for every certificate below
            the anchor.
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
        answers: OCSP responses (OCSPResponse of RFC 6960, 4.2.1), DER.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    lists: tuple[x509.CertificateRevocationList, ...] = ()
    answers: tuple[bytes, ...] = ()


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Authorities that are believed, material to build paths, and what authorities say of what they issued.

    Attributes:
        anchors: certificates that are believed: of authorities, with what they issued; of anybody else, themselves alone.
        material: every other certificate, only a step on the way to an anchor.
        revocations: certificate revocation lists.
        answers: OCSP responses, DER.
        services: of verified trusted lists: anchors while they were granted.
        levels: the RGS levels that the operator has written down.
        alone: certificates that are believed themselves and vouch for nobody, authorities or not.
    """

    anchors: tuple[x509.Certificate, ...]
    material: tuple[x509.Certificate, ...] = ()
    revocations: tuple[x509.CertificateRevocationList, ...] = ()
    answers: tuple[bytes, ...] = ()
    services: tuple[Service, ...] = ()
    levels: tuple[RgsLevel, ...] = ()
    alone: tuple[x509.Certificate, ...] = ()

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read a folder: certificates, revocation lists, OCSP answers, RGS levels, installed trusted lists.

        The files are ``.pem .crt .cer .der .crl`` (PEM or DER), ``.ors .ocsp`` (DER), ``rgs.toml``, and those that stand in
        ``trusted-lists``; no other sub-folder is read.

        Raises:
            Misconfigured: the folder is absent, one of these files cannot be read, or a trusted list was altered.
        """
        found = Contents.of(folder)
        read = cls.of(found.certificates, found.revocations, found.answers)
        return replace(read, services=lists_folder.services(folder), levels=found.levels)

    @classmethod
    def of(
        cls,
        certificates: Iterable[x509.Certificate],
        revocations: Iterable[x509.CertificateRevocationList] = (),
        answers: Iterable[bytes] = (),
    ) -> Self:
        """Sort certificates into anchors and material."""
        anchors, material = _sorted(certificates)
        return cls(anchors, material, tuple(revocations), tuple(answers))

    def assess(self, certificate: x509.Certificate, *, at: datetime, evidence: Evidence = NO_EVIDENCE) -> TrustStatus:
        """Say what is known of a certificate at a moment.

        What the certificate says itself comes first, its dates and its strength: that is true whoever issued it. Runs an event
        loop of its own: call it from a thread without one.

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
        if weak := weakness(certificate):
            return TrustStatus(TrustState.UNTRUSTED, _messages("trust.weak", found=weak), (certificate,))
        anchors = self._anchors(certificate, at)
        if certificate in anchors or certificate in self.alone:
            return TrustStatus(TrustState.TRUSTED, chain=(certificate,), revocation_known=True)
        if at.year >= _SHA1_REFUSED_FROM and _by_sha1(certificate):
            return TrustStatus(TrustState.UNTRUSTED, _messages("trust.sha1"), (certificate,))
        authorities = [anchor for anchor in anchors if is_authority(anchor)]
        # a trusted list tells itself until when it stands for its services, whose certificates may end before
        living = [one for one in authorities if at <= one.not_valid_after_utc or one not in self.anchors]
        status = self._path(certificate, at, living, evidence.certificates)
        if status.state is TrustState.UNKNOWN and living != authorities:
            ended = self._path(certificate, at, authorities, evidence.certificates).state is TrustState.TRUSTED
            return TrustStatus(TrustState.EXPIRED, _messages("trust.chain_expired")) if ended else status
        if status.state is not TrustState.TRUSTED:
            return status
        for member in status.chain:
            if weak := weakness(member):
                return TrustStatus(TrustState.UNTRUSTED, _messages("trust.weak", found=weak), status.chain)
        return self._revocation(status.chain, at, evidence)

    def _anchors(self, certificate: x509.Certificate, at: datetime) -> list[x509.Certificate]:
        """Return what is believed for this certificate at a moment: who makes timestamps and who issues to signers are apart."""
        kind = Kind.TIMESTAMPS if _stamps(certificate) else Kind.CERTIFICATES
        granted = (service for service in self.services if service.kind is kind and service.anchors(at))
        return [*self.anchors, *(one for service in granted for one in service.certificates)]

    def _path(
        self,
        certificate: x509.Certificate,
        at: datetime,
        anchors: Sequence[x509.Certificate],
        material: Sequence[x509.Certificate],
    ) -> TrustStatus:
        # Heavy: the validator is loaded by who holds a certificate against the store, not by who may.
        from pyhanko_certvalidator import CertificateValidator, ValidationContext
        from pyhanko_certvalidator.errors import (
            DisallowedAlgorithmError,
            ExpiredError,
            NotYetValidError,
            PathBuildingError,
            ValidationError,
        )

        context = ValidationContext(
            trust_roots=[_asn1(anchor) for anchor in anchors],
            other_certs=[_asn1(other) for other in (*self.material, *material) if _indexable(other)],
            moment=at,
            allow_fetching=False,
            revocation_mode="soft-fail",
            weak_hash_algos=_BROKEN_HASHES if at.year < _SHA1_REFUSED_FROM else (*_BROKEN_HASHES, "sha1"),
        )
        validator = CertificateValidator(_asn1(certificate), validation_context=context)
        try:
            path = asyncio.run(validator.async_validate_usage(set()))  # type: ignore[no-untyped-call]
        except PathBuildingError:
            return self._stranger(certificate)
        except ExpiredError:
            return TrustStatus(TrustState.EXPIRED, _messages("trust.chain_expired"))
        except NotYetValidError:
            return TrustStatus(TrustState.NOT_YET_VALID, _messages("trust.chain_early"))
        except DisallowedAlgorithmError:
            return TrustStatus(TrustState.UNTRUSTED, _messages("trust.sha1"))
        except (ValidationError, ValueError, TypeError):  # the last two: a certificate whose extensions cannot be read
            if certificate.issuer == certificate.subject:
                return self._stranger(certificate)
            return TrustStatus(TrustState.UNTRUSTED, _messages("trust.chain"))
        chain = tuple(x509.load_der_x509_certificate(member.dump()) for member in path)[::-1]
        return TrustStatus(TrustState.TRUSTED, chain=chain)

    def _stranger(self, certificate: x509.Certificate) -> TrustStatus:
        """Say that no path leads to an anchor, and whether a trusted list names the authority without granting it then."""
        listed = any(one.subject == certificate.issuer for service in self.services for one in service.certificates)
        key = "trust.not_granted" if listed else "trust.unknown"
        return TrustStatus(TrustState.UNKNOWN, _messages(key, issuer=_common(certificate.issuer)))

    def _revocation(self, chain: tuple[x509.Certificate, ...], at: datetime, evidence: Evidence) -> TrustStatus:
        all_known = True
        lists, answers = (*self.revocations, *evidence.lists), (*self.answers, *evidence.answers)
        for member, issuer in pairwise(chain):
            found = notices(member, issuer, lists, answers, at=at)
            since = revoked_since(found, at)
            if since is not None:
                reason = _messages("trust.revoked", date=_day(since), name=_common(member.subject))
                return TrustStatus(TrustState.REVOKED, reason, chain, revocation_known=True)
            all_known = all_known and known(found, at)
        return TrustStatus(TrustState.TRUSTED, None, chain, revocation_known=all_known)


@cache
def trust_store(folder: Path | None) -> TrustStore | None:
    """Return the store of a folder, read once a process; None when the operator has named none."""
    return TrustStore.from_folder(folder) if folder else None


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is that of an authority (basicConstraints)."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def is_root(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is that of an authority and signed with its own key."""
    try:
        return is_authority(certificate) and _signed_by_itself(certificate)
    except (InvalidSignature, UnsupportedAlgorithm, *CERTIFICATE_FLAWS, TypeError):
        return False


def _signed_by_itself(certificate: x509.Certificate) -> bool:
    """Tell whether its signature is of its own key, over SHA-1 too: many old roots are so, and their signature proves nothing."""
    key, digest = certificate.public_key(), certificate.signature_hash_algorithm
    value, over = certificate.signature, certificate.tbs_certificate_bytes
    if not isinstance(digest, hashes.SHA1) or certificate.issuer != certificate.subject:
        certificate.verify_directly_issued_by(certificate)
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(value, over, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(value, over, ec.ECDSA(digest))
    else:
        return False
    return True


def _sorted(certificates: Iterable[x509.Certificate]) -> tuple[tuple[x509.Certificate, ...], tuple[x509.Certificate, ...]]:
    anchors: list[x509.Certificate] = []
    material: list[x509.Certificate] = []
    for certificate in certificates:
        (anchors if is_root(certificate) else material).append(certificate)
    return tuple(anchors), tuple(material)


def _stamps(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is for timestamps (RFC 3161, 2.3)."""
    return ExtendedKeyUsageOID.TIME_STAMPING in (extension(certificate, x509.ExtendedKeyUsage) or ())


def _by_sha1(certificate: x509.Certificate) -> bool:
    """Tell whether somebody else signed a certificate over SHA-1: of a root the own signature says nothing."""
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    return digest is not None and digest.name in {"sha1", *_BROKEN_HASHES} and certificate.issuer != certificate.subject


def _indexable(certificate: x509.Certificate) -> bool:
    """Tell whether the path validator can index a certificate: a stranger may bring one that only some parsers read."""
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    try:
        return SimpleCertificateStore().register(_asn1(certificate))  # type: ignore[no-untyped-call]
    except (ValueError, TypeError):
        return False


class _Converted(threading.local):
    """Certificates as the path validator wants them, each read once by each thread.

    Its readings fill themselves in while they are used, which two threads must not do to one and the same.
    """

    def __init__(self) -> None:
        self.of: Callable[[x509.Certificate], asn1_x509.Certificate] = lru_cache(maxsize=_MOST_CONVERTED)(_converted)


def _converted(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


_conversions = _Converted()


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return _conversions.of(certificate)


def _common(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _day(moment: datetime) -> str:
    return f"{moment:%d/%m/%Y}"
