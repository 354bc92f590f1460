"""The trust store: anchors, what serves to build paths, and what authorities say of what they issued.

Paths are found in ``paths``. Revocation is read in ``notices``, because the answer must tell *since when* a certificate is
revoked: one revoked after the moment that counts is another matter than one revoked before. Trust is one answer of four; whether
a signature is intact is not asked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.messages import Catalogue
from signing.algorithms import SHA1_REFUSED_FROM, weakness
from signing.extensions import extension
from signing.trust.folder import Contents
from signing.trust.levels import RgsLevel
from signing.trust.notices import known, notices, revoked_since, spoiled_since
from signing.trust.paths import BROKEN_HASHES, path_of
from signing.trust.roots import is_authority, sorted_out
from signing.trust.status import NO_EVIDENCE, Evidence, TrustState, TrustStatus
from signing.trusted_lists import folder as lists_folder
from signing.trusted_lists.content import Kind, Service

_messages = Catalogue("signing")


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
        anchors, material = sorted_out(certificates)
        return cls(anchors, material, tuple(revocations), tuple(answers))

    def assess(
        self,
        certificate: x509.Certificate,
        *,
        at: datetime,
        evidence: Evidence = NO_EVIDENCE,
        seen: datetime | None = None,
    ) -> TrustStatus:
        """Say what is known of a certificate at a moment.

        What the certificate says itself comes first, its strength and its dates: that is true whoever issued it. Runs an event
        loop of its own: call it from a thread without one.

        Args:
            certificate: the one in question.
            at: the moment, aware.
            evidence: what came with the signature.
            seen: of a timestamping authority, when the token that tells the moment was seen, by something else than itself; None
                takes the moment as it is told.
        """
        if weak := weakness(certificate):
            return TrustStatus(TrustState.UNTRUSTED, _messages("trust.weak", found=weak), (certificate,))
        if at > certificate.not_valid_after_utc:
            return TrustStatus(TrustState.EXPIRED, _messages("trust.expired", date=_day(certificate.not_valid_after_utc)))
        if at < certificate.not_valid_before_utc:
            day = _day(certificate.not_valid_before_utc)
            return TrustStatus(TrustState.NOT_YET_VALID, _messages("trust.early", date=day))
        anchors = self._anchors(certificate, at)
        if certificate in anchors or certificate in self.alone:
            return TrustStatus(TrustState.TRUSTED, chain=(certificate,), revocation_known=True)
        if at.year >= SHA1_REFUSED_FROM and _by_sha1(certificate):
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
        return self._revocation(status.chain, at, evidence, seen)

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
        brought: Iterable[x509.Certificate],
    ) -> TrustStatus:
        found = path_of(certificate, at=at, anchors=anchors, material=(*self.material, *brought))
        return self._stranger(certificate) if found.state is TrustState.UNKNOWN else found

    def _stranger(self, certificate: x509.Certificate) -> TrustStatus:
        """Say that no path leads to an anchor, and whether a trusted list names the authority without granting it then."""
        listed = any(one.subject == certificate.issuer for service in self.services for one in service.certificates)
        key = "trust.not_granted" if listed else "trust.unknown"
        return TrustStatus(TrustState.UNKNOWN, _messages(key, issuer=_common(certificate.issuer)))

    def _revocation(
        self, chain: tuple[x509.Certificate, ...], at: datetime, evidence: Evidence, seen: datetime | None
    ) -> TrustStatus:
        all_known = True
        lists, answers = (*self.revocations, *evidence.lists), (*self.answers, *evidence.answers)
        for member, issuer in pairwise(chain):
            found = notices(member, issuer, lists, answers, at=max(at, seen or at))
            since = revoked_since(found, at)
            if since is not None:
                reason = _messages("trust.revoked", date=_day(since), name=_common(member.subject))
                return TrustStatus(TrustState.REVOKED, reason, chain, revocation_known=True)
            if member is chain[0] and seen is not None and (since := spoiled_since(found, seen)):
                reason = _messages("trust.spoiled", date=_day(since), name=_common(member.subject))
                return TrustStatus(TrustState.REVOKED, reason, chain, revocation_known=True)
            all_known = all_known and known(found, at)
        return TrustStatus(TrustState.TRUSTED, None, chain, revocation_known=all_known)


@cache
def trust_store(folder: Path | None) -> TrustStore | None:
    """Return the store of a folder, read once a process; None when the operator has named none."""
    return TrustStore.from_folder(folder) if folder else None


def _stamps(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is for timestamps (RFC 3161, 2.3)."""
    return ExtendedKeyUsageOID.TIME_STAMPING in (extension(certificate, x509.ExtendedKeyUsage) or ())


def _by_sha1(certificate: x509.Certificate) -> bool:
    """Tell whether somebody else signed a certificate over SHA-1: of a root the own signature says nothing."""
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    return digest is not None and digest.name in {"sha1", *BROKEN_HASHES} and certificate.issuer != certificate.subject


def _common(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _day(moment: datetime) -> str:
    return f"{moment:%d/%m/%Y}"
