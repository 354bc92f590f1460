"""Reading one extension of a certificate that a stranger made."""

from __future__ import annotations

from typing import TypeVar

from cryptography import x509

from signing.algorithms import CERTIFICATE_FLAWS

E = TypeVar("E", bound=x509.ExtensionType)


def extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """Return the value of an extension; None when the certificate has none, or its extensions cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *CERTIFICATE_FLAWS):
        return None
