"""TLS with one server, as its profile says: always verified; pins are checked before an octet of ours leaves."""

from __future__ import annotations

import hashlib
import hmac
import ssl
import warnings

from connectors.mailbox.settings import TlsProfile, TlsVersion
from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("connectors.mailbox")

_VERSIONS = {
    TlsVersion.V1_0: ssl.TLSVersion.TLSv1,
    TlsVersion.V1_1: ssl.TLSVersion.TLSv1_1,
    TlsVersion.V1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.V1_3: ssl.TLSVersion.TLSv1_3,
}


def tls_context(profile: TlsProfile) -> ssl.SSLContext:
    """Return how TLS is spoken with a server: always verified, by the authorities of the machine or by those of the profile.

    Raises:
        Misconfigured: OpenSSL knows none of the ciphers.
    """
    context = ssl.create_default_context(cadata=profile.authorities)
    context.check_hostname = profile.checks_host_name
    if profile.authorities is not None:  # an intermediate authority, or the server's own certificate, may be the anchor
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    with warnings.catch_warnings():  # versions that are only there for servers of another age
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[profile.minimum_version]
    try:
        context.set_ciphers(f"{profile.ciphers or 'DEFAULT'}:@SECLEVEL={profile.security_level}")
    except ssl.SSLError as error:
        raise Misconfigured(_messages("tls.profile", reason=told_by(error))) from error
    return context


def pin_holds(profile: TlsProfile, connection: ssl.SSLSocket) -> bool:
    """Tell whether the server shows one of the certificates that are pinned; true when none is."""
    shown = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
    return not profile.fingerprints or any(hmac.compare_digest(shown, pin) for pin in profile.fingerprints)


def told_by(error: ssl.SSLError) -> str:
    """Return what OpenSSL says of a failure; errors made by Python itself have no reason."""
    return str(getattr(error, "reason", None) or type(error).__name__)
