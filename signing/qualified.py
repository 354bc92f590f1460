"""What a certificate is worth beyond being trusted: qualified (regulation 910/2014, eIDAS), or of a level of the RGS.

What a certificate says of itself (qcStatements, ETSI EN 319 412-5) is its issuer's claim. The conclusion "qualified" is drawn
only when a trusted list says that the issuing service was granted, both when the certificate was issued and at the time that
counts (ETSI TS 119 615, 4.4). An RGS level is what the operator's table says of an authority and a policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from asn1crypto import core as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from core.messages import Catalogue
from signing.trust import TrustStatus, TrustStore
from signing.trusted_lists.content import Kind, Period, Service
from signing.trusted_lists.criteria import policies_of

_messages = Catalogue("signing")
_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_COMPLIANCE, _DEVICE, _TYPE = "0.4.0.1862.1.1", "0.4.0.1862.1.4", "0.4.0.1862.1.6"
_NO_DEVICE = {"QCNoSSCD", "QCNoQSCD"}
_WITH_DEVICE = {"QCWithSSCD", "QCWithQSCD", "QCQSCDManagedOnBehalf"}


class QcType(StrEnum):
    """What a qualified certificate is for (ETSI EN 319 412-5, 4.2.3); the value is the list's word for it."""

    SIGNATURE = "ForeSignatures"
    SEAL = "ForeSeals"
    WEB = "ForWebSiteAuthentication"


_TYPES = {f"{_TYPE}.1": QcType.SIGNATURE, f"{_TYPE}.2": QcType.SEAL, f"{_TYPE}.3": QcType.WEB}
_TYPE_QUALIFIERS = {"QCForESig": QcType.SIGNATURE, "QCForESeal": QcType.SEAL, "QCForWSA": QcType.WEB}


@dataclass(frozen=True, slots=True)
class Statements:
    """What a certificate says of itself.

    Attributes:
        compliance: QcCompliance: its issuer calls it qualified.
        device: QcSSCD: its key is kept in a qualified device.
        types: QcType; empty when it says none.
    """

    compliance: bool = False
    device: bool = False
    types: frozenset[QcType] = frozenset()

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Statements:
        """Read the qcStatements of a certificate; those that cannot be read say nothing."""
        try:
            extension = certificate.extensions.get_extension_for_oid(_STATEMENTS).value
            found = _Statements.load(extension.value, strict=True)  # type: ignore[attr-defined]
            named = {statement["statement_id"].dotted: statement["statement_info"] for statement in found}
            types = _Identifiers.load(named[_TYPE].dump(), strict=True) if _TYPE in named else []
            kinds = frozenset(_TYPES[one.dotted] for one in types if one.dotted in _TYPES)
        except (x509.ExtensionNotFound, ValueError, TypeError):  # the last two: the ways in which asn1crypto cannot read
            return cls()
        return cls(_COMPLIANCE in named, _DEVICE in named, kinds)

    @property
    def type(self) -> QcType | None:
        """The one type: a signature when there is no word of it, as before eIDAS; None when there are several."""
        if not self.types:
            return QcType.SIGNATURE
        return next(iter(self.types)) if len(self.types) == 1 else None


@dataclass(frozen=True, slots=True)
class Qualification:
    """What a certificate is worth at a moment.

    Attributes:
        claimed: its issuer calls it qualified.
        qualified: a trusted list bears it out at that moment; None when no list at hand knows the service.
        type: what it is for; None when that is not known.
        device: its key is kept in a qualified device, as far as claim and list go.
        service: the name of the service in the list.
        level: of the RGS: ``*``, ``**`` or ``***``.
    """

    claimed: bool
    qualified: bool | None
    type: QcType | None
    device: bool
    service: str | None = None
    level: str | None = None

    @property
    def label(self) -> str | None:
        """The words for a report; None when there is nothing to say."""
        words = [word for word in (self._european(), self._french()) if word]
        return ", ".join(words) or None

    def _european(self) -> str | None:
        if self.qualified and self.type is QcType.SIGNATURE:
            return _messages("qualified.signature" if self.device else "qualified.advanced_signature")
        if self.qualified and self.type is QcType.SEAL:
            return _messages("qualified.seal" if self.device else "qualified.advanced_seal")
        if self.qualified:
            return _messages("qualified.other")
        if not self.claimed:
            return None
        return _messages("qualified.unlisted" if self.qualified is None else "qualified.denied")

    def _french(self) -> str | None:
        return _messages("qualified.rgs", level=self.level) if self.level else None


def qualification(certificate: x509.Certificate, status: TrustStatus, trust: TrustStore, *, at: datetime) -> Qualification:
    """Say what a certificate is worth.

    Args:
        certificate: the signer's.
        status: what the store said of it at that moment; without a path to an anchor only claims are left.
        trust: the store, with its trusted lists and levels.
        at: the time that counts.
    """
    statements = Statements.of(certificate)
    level = _level(certificate, status.chain, trust)
    services = _issuing(status.chain, trust)
    unlisted = Qualification(statements.compliance, None, statements.type, statements.device, level=level)
    if not services:
        return unlisted
    found = [concluded for service in services if (concluded := _concluded(certificate, statements, service, at, level))]
    if not found or len({(one.qualified, one.type, one.device) for one in found}) > 1:  # lists that contradict each other
        return Qualification(statements.compliance, False, statements.type, statements.device, services[0].name, level)
    return found[0]


def _issuing(chain: tuple[x509.Certificate, ...], trust: TrustStore) -> list[Service]:
    """Return the services that issued a certificate: named in a list by the name and key of its very issuer or one above."""
    for authority in chain[1:]:
        found = [service for service in trust.services if service.kind is Kind.CERTIFICATES and _is(service, authority)]
        if found:
            return found
    return []


def _is(service: Service, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    return any(one.subject == authority.subject and one.public_key() == key for one in service.certificates)


def _concluded(
    certificate: x509.Certificate, statements: Statements, service: Service, at: datetime, level: str | None
) -> Qualification | None:
    """Draw the conclusion from one service; None when it says nothing of certificates of this type."""
    issued, now = service.granted(certificate.not_valid_before_utc), service.granted(at)
    if issued is None or now is None:
        return Qualification(statements.compliance, False, statements.type, statements.device, service.name, level)
    names = _qualifiers(now, certificate)
    kind = next((kind for name, kind in _TYPE_QUALIFIERS.items() if name in names), statements.type)
    if now.uses and kind not in now.uses:
        return None
    qualified = (statements.compliance or "QCStatement" in names) and not names & {"NotQualified", "QCForLegalPerson"}
    device = not names & _NO_DEVICE and bool(statements.device or names & _WITH_DEVICE)
    return Qualification(statements.compliance, qualified and kind is not None, kind, device, service.name, level)


def _qualifiers(period: Period, certificate: x509.Certificate) -> frozenset[str]:
    matching = [qualifier.names for qualifier in period.qualifiers if qualifier.criteria.matches(certificate)]
    return frozenset().union(*matching)


def _level(certificate: x509.Certificate, chain: tuple[x509.Certificate, ...], trust: TrustStore) -> str | None:
    """Return the highest level that the operator's table gives for the authorities of the path and the certificate's policies."""
    authorities = {authority.fingerprint(hashes.SHA256()) for authority in chain[1:]}
    policies = policies_of(certificate)
    return max((one.level for one in trust.levels if one.authority in authorities and one.policy in policies), default=None)


class _Statement(asn1.Sequence):  # type: ignore[misc]
    _fields = [("statement_id", asn1.ObjectIdentifier), ("statement_info", asn1.Any, {"optional": True})]  # noqa: RUF012


class _Statements(asn1.SequenceOf):  # type: ignore[misc]
    _child_spec = _Statement


class _Identifiers(asn1.SequenceOf):  # type: ignore[misc]
    _child_spec = asn1.ObjectIdentifier
