"""TLS as the ministry's servers and the mailbox's need it: a profile for each, pins checked before an octet of ours leaves."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import ssl
import tempfile
import warnings

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from connectors.actes.settings import ClientKey, TlsProfile, TlsVersion
from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("connectors.actes")

_VERSIONS = {
    TlsVersion.V1_0: ssl.TLSVersion.TLSv1,
    TlsVersion.V1_1: ssl.TLSVersion.TLSv1_1,
    TlsVersion.V1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.V1_3: ssl.TLSVersion.TLSv1_3,
}
_CERTIFICATE_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "TLSV1_ALERT_UNKNOWN_CA",
    "TLSV1_ALERT_ACCESS_DENIED",
    "SSLV3_ALERT_NO_CERTIFICATE",
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
}


def tls_context(profile: TlsProfile, client: ClientKey | None = None) -> ssl.SSLContext:
    """Return how TLS is spoken with a server: always verified, by the authorities of the machine or by those of the profile.

    Args:
        profile: of the server.
        client: what we show when the server asks who we are.

    Raises:
        Misconfigured: OpenSSL knows none of the ciphers, or the client's key is too weak for the security level.
    """
    try:
        return _context(profile, client)
    except ssl.SSLError as error:
        raise Misconfigured(_messages("tls.profile", reason=told_by(error))) from error


def pin_holds(profile: TlsProfile, connection: ssl.SSLSocket) -> bool:
    """Tell whether the server shows one of the certificates that are pinned; true when none is."""
    shown = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
    return not profile.fingerprints or any(hmac.compare_digest(shown, pin) for pin in profile.fingerprints)


def client_refused(error: BaseException) -> bool:
    """Tell whether the other side refuses our certificate, or misses one.

    Such an alert ends a handshake (RFC 8446, 6.2). With TLS 1.3 it arrives after our side believes to be done and has begun to
    send, but the server never hands over what came before its own handshake ended.
    """
    return isinstance(error, ssl.SSLError) and told_by(error) in _CERTIFICATE_ALERTS


def told_by(error: ssl.SSLError) -> str:
    """Return what OpenSSL says of a failure; errors made by Python itself have no reason."""
    return str(getattr(error, "reason", None) or type(error).__name__)


def _context(profile: TlsProfile, client: ClientKey | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=profile.authorities)
    context.check_hostname = profile.checks_host_name
    if profile.authorities is not None:  # an intermediate authority, or the server's own certificate, may be the anchor
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    with warnings.catch_warnings():  # versions that are only there for servers of another age
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[profile.minimum_version]
    context.set_ciphers(f"{profile.ciphers or 'DEFAULT'}:@SECLEVEL={profile.security_level}")
    if client is not None:
        _show(context, client)
    return context


def _show(context: ssl.SSLContext, client: ClientKey) -> None:
    password = secrets.token_hex(24).encode()
    private = client.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    chain = b"".join(one.public_bytes(Encoding.PEM) for one in (client.certificate, *client.issuers))
    with tempfile.NamedTemporaryFile(prefix="tabellion-") as file:  # OpenSSL reads keys from files only
        file.write(private + chain)
        file.flush()
        context.load_cert_chain(file.name, password=password)
