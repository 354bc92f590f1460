"""TLS as the ministry's servers need it: by a profile, and showing who we are."""

from __future__ import annotations

import secrets
import ssl
import tempfile

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from connectors.actes.settings import ClientKey
from connectors.mailbox import tls as mailbox
from connectors.mailbox.settings import TlsProfile
from connectors.mailbox.tls import told_by
from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("connectors.actes")

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
    """Return how TLS is spoken with a server; see ``connectors.mailbox.tls``.

    Args:
        profile: of the server.
        client: what we show when the server asks who we are.

    Raises:
        Misconfigured: OpenSSL knows none of the ciphers, or the client's key is too weak for the security level.
    """
    context = mailbox.tls_context(profile)
    if client is not None:
        try:
            _show(context, client)
        except ssl.SSLError as error:
            raise Misconfigured(_messages("tls.client", reason=told_by(error))) from error
    return context


def client_refused(error: BaseException) -> bool:
    """Tell whether the other side refuses our certificate, or misses one.

    Such an alert ends a handshake (RFC 8446, 6.2). With TLS 1.3 it arrives after our side believes to be done and has begun to
    send, but the server never hands over what came before its own handshake ended.
    """
    return isinstance(error, ssl.SSLError) and told_by(error) in _CERTIFICATE_ALERTS


def _show(context: ssl.SSLContext, client: ClientKey) -> None:
    password = secrets.token_hex(24).encode()
    private = client.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    chain = b"".join(one.public_bytes(Encoding.PEM) for one in (client.certificate, *client.issuers))
    with tempfile.NamedTemporaryFile(prefix="tabellion-") as file:  # OpenSSL reads keys from files only
        file.write(private + chain)
        file.flush()
        context.load_cert_chain(file.name, password=password)
