"""What a signer claims in the signed properties, held against the certificate and the DGFiP's signature policy.

Policy: "Politique de signature Helios de la DGFiP", whose versions and accidental hashes are listed in ``policy``.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.algorithms import DIGESTS
from signing.keys import commits, may_sign, reserved_for
from signing.pes.findings import Finding
from signing.pes.policy import KNOWN_HASHES
from signing.pes.signature import Properties, Signature, Unreadable, read_properties
from signing.verdicts import Belief

_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Claims:
    """What the signed properties say, as far as it can be read.

    Attributes:
        certificate: the certificate of KeyInfo that they name; when they name none of them, the first.
        others: the other certificates of KeyInfo.
        signing_time: claimed, in UTC.
        policy: identifier of the signature policy.
    """

    certificate: x509.Certificate | None
    others: tuple[x509.Certificate, ...]
    signing_time: datetime | None
    policy: str | None


def examine_claims(signature: Signature, at: datetime) -> tuple[Claims | None, list[Finding]]:
    """Read the signed properties and say what is remarkable in them.

    Args:
        signature: already read.
        at: the moment of the verification; no claim may be later than it, five minutes of skew apart.
    """
    element = signature.element
    if signature.signed_properties is None:
        return None, []
    try:
        properties = read_properties(signature.signed_properties)
    except Unreadable as error:
        return None, [Finding.at(element, "S04.unreadable", found=str(error))]
    certificate, findings = _named(signature, properties)
    moment, found = _moment(signature, properties, at)
    findings += found
    findings += _policy(signature, properties)
    if not any(properties.roles):
        findings.append(Finding.at(element, "S12.blank", None))
    if properties.version == "1.3.2":
        findings.append(Finding.at(element, "S11.namespace", None, found=properties.version))
    target = (signature.qualifying.get("Target") if signature.qualifying is not None else None) or ""
    if target.removeprefix("#") != (element.get("Id") or ""):
        findings.append(Finding.at(element, "S08.target", found=target, expected=f"#{element.get('Id') or ''}"))
    if certificate is not None:
        findings += _usage(signature, certificate)
    others = tuple(other for other in signature.certificates if other is not certificate)
    return Claims(certificate, others, moment, properties.policy), findings


def _named(signature: Signature, properties: Properties) -> tuple[x509.Certificate | None, list[Finding]]:
    """Find the certificate that SigningCertificate names (ETSI TS 101 903, 7.2.2)."""
    element = signature.element
    if not signature.certificates:
        return None, [Finding.at(element, "S09.no_certificate")]
    first = signature.certificates[0]
    if properties.digest is None or not properties.digest_method:
        return first, [Finding.at(element, "S09.absent")]
    hash_name = DIGESTS.get(properties.digest_method)
    if hash_name is None:
        return first, [Finding.at(element, "S07.unknown", found=properties.digest_method)]
    matching = [
        certificate
        for certificate in signature.certificates
        if hmac.compare_digest(hashlib.new(hash_name, certificate.public_bytes(Encoding.DER)).digest(), properties.digest)
    ]
    if not matching:
        return first, [Finding.at(element, "S09.digest")]
    certificate = matching[0]
    findings = [Finding.at(element, "S07.certificate_digest", None)] if hash_name == "sha1" else []
    if properties.serial is not None and properties.serial != str(certificate.serial_number):
        findings.append(Finding.at(element, "S09.serial", found=properties.serial, expected=str(certificate.serial_number)))
    if properties.issuer is not None and not _same_name(properties.issuer, certificate.issuer):
        expected = certificate.issuer.rfc4514_string()
        findings.append(Finding.at(element, "S09.name", None, found=properties.issuer, expected=expected))
    return certificate, findings


def _same_name(written: str, issuer: x509.Name) -> bool:
    """Compare names without order nor case; tools write them in many ways, and one that cannot be read is left alone."""
    try:
        name = x509.Name.from_rfc4514_string(written)
    except ValueError:
        return True
    return _values(name) <= _values(issuer)


def _values(name: x509.Name) -> set[str]:
    """Return the values that are plain text, without case nor needless spaces."""
    return {" ".join(attribute.value.split()).casefold() for attribute in name if isinstance(attribute.value, str)}


def _moment(signature: Signature, properties: Properties, at: datetime) -> tuple[datetime | None, list[Finding]]:
    """Read SigningTime: present, UTC with a final Z, not later than the verification."""
    element, written = signature.element, properties.signing_time
    if not written:
        return None, [Finding.at(element, "S10.absent", None)]
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None, [Finding.at(element, "S10.format", None, found=written)]
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC), [Finding.at(element, "S10.zone", None, found=written)]
    utc = moment.astimezone(UTC)
    if utc > at + _SKEW:
        return utc, [Finding.at(element, "S10.future", Belief.INDETERMINATE, found=written)]
    return utc, [] if moment.utcoffset() == timedelta(0) else [Finding.at(element, "S10.zone", None, found=written)]


def _policy(signature: Signature, properties: Properties) -> list[Finding]:
    element = signature.element
    if not properties.policy:
        return [Finding.at(element, "S11.absent", None)]
    hashes = KNOWN_HASHES.get(properties.policy)
    if hashes is None:
        return [Finding.at(element, "S11.unknown", None, found=properties.policy, expected=", ".join(KNOWN_HASHES))]
    if (properties.policy_hash or "").rstrip("=") not in {value.rstrip("=") for value in hashes}:
        return [Finding.at(element, "S11.hash", None, found=properties.policy_hash or "", expected=hashes[0])]
    return []


def _usage(signature: Signature, certificate: x509.Certificate) -> list[Finding]:
    if not may_sign(certificate):
        return [Finding.at(signature.element, "S14.usage")]
    if other := reserved_for(certificate):
        return [Finding.at(signature.element, "S14.reserved", found=other)]
    return [] if commits(certificate) else [Finding.at(signature.element, "S14.commitment", None)]
