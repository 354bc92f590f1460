"""Which certificates may sign today, and whose they are."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.errors import UsageError
from core.messages import Catalogue
from signing.algorithms import weakness

_messages = Catalogue("signing")
_OTHER_USES = {
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
}


class KeyRefused(UsageError):
    """A key that must not sign."""


class KeyTooWeak(KeyRefused):
    """The key is below the floor: RSA of 2048 bits, or a curve P-256, P-384, P-521."""


class KeyOutOfDate(KeyRefused):
    """The certificate is not valid today."""


class KeyNotForSigning(KeyRefused):
    """The certificate's usage allows neither signature nor non-repudiation."""


def check_fit(certificate: x509.Certificate, at: datetime) -> None:
    """Refuse a certificate that must not sign at this moment.

    Raises:
        KeyTooWeak: RSA below 2048 bits, or a curve that is not admitted.
        KeyOutOfDate: expired, or not valid yet.
        KeyNotForSigning: keyUsage without digitalSignature and without nonRepudiation, or extendedKeyUsage for another use alone.
    """
    if weak := weakness(certificate):
        raise KeyTooWeak(_messages("key.weak", found=weak))
    if at > certificate.not_valid_after_utc:
        raise KeyOutOfDate(_messages("key.expired", date=f"{certificate.not_valid_after_utc:%d/%m/%Y}"))
    if at < certificate.not_valid_before_utc:
        raise KeyOutOfDate(_messages("key.early", date=f"{certificate.not_valid_before_utc:%d/%m/%Y}"))
    if not may_sign(certificate):
        raise KeyNotForSigning(_messages("key.usage"))
    if other := reserved_for(certificate):
        raise KeyNotForSigning(_messages("trust.reserved", found=other))


def may_sign(certificate: x509.Certificate) -> bool:
    """Tell whether keyUsage allows digitalSignature or nonRepudiation; absent, it allows everything (RFC 5280, 4.2.1.3)."""
    usage = key_usage(certificate)
    return usage is None or usage.digital_signature or usage.content_commitment


def reserved_for(certificate: x509.Certificate) -> str | None:
    """Return the one use, no signature of documents, to which a critical extendedKeyUsage limits a key (RFC 5280, 4.2.1.12)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return None
    names = [_OTHER_USES.get(use) for use in found.value]
    return ", ".join(filter(None, names)) if found.critical and all(names) else None


def commits(certificate: x509.Certificate) -> bool:
    """Tell whether keyUsage names nonRepudiation, which the DGFiP asks of whoever signs a PES."""
    usage = key_usage(certificate)
    return usage is not None and usage.content_commitment


def key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    """Return the keyUsage extension, or None when the certificate has none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def name_of(certificate: x509.Certificate) -> str:
    """Return the name to show for a certificate's holder: common name, else organisation, else the whole name."""
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        if found := certificate.subject.get_attributes_for_oid(oid):
            return str(found[0].value)
    return certificate.subject.rfc4514_string()
