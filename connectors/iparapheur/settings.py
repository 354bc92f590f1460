"""What an organisation configures to have its dossiers signed in an external i-Parapheur.

Secrets are kept as secrets: they show neither in logs nor in messages. Storing them encrypted is the database's matter.
"""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import Annotated, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from connectors.iparapheur.messages import ArchiveAction, Visibility
from core.messages import Catalogue
from signing.pki import PrivateKey

_messages = Catalogue("connectors.iparapheur")

_Seconds = Annotated[float, Field(gt=0, le=3600)]
_Line = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


class Protocol(StrEnum):
    """Which service of the parapheur is spoken to."""

    SOAP = "soap"
    V5 = "v5"


class SignaturePlace(StrEnum):
    """Where a PES is signed: each bordereau, the whole file, or as its identifiers allow."""

    AUTO = "auto"
    BORDEREAU = "//Bordereau"
    WHOLE = "."


class Grant(StrEnum):
    """How an access token is asked for (RFC 6749, 4.3 and 4.4)."""

    PASSWORD = "password"  # noqa: S105 - the name of a grant
    CLIENT_CREDENTIALS = "client_credentials"


class ParapheurSettings(BaseModel):
    """An account in a parapheur, and how dossiers go through it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    protocol: Protocol = Field(Protocol.SOAP, description="soap: the legacy service; v5: REST of version 5.")
    address: str = Field(max_length=500, description="https address of the server, without the path of the service.")
    login: _Line | None = Field(None, description="Account; it may hold @tenant.")
    password: SecretStr | None = Field(None, description="Password of the account.")
    client_certificate: SecretStr | None = Field(None, description="TLS client certificate and key: PKCS#12 in base64.")
    passphrase: SecretStr | None = Field(None, description="Password of the PKCS#12.")
    authorities: str | None = Field(
        None, max_length=100_000, description="PEM of the authorities of the server's certificate, when it is a private one."
    )
    type: _Line = Field(description="Type of dossiers, as the parapheur names it.")
    subtype: _Line = Field(description="Sub-type of dossiers, which says the circuit.")
    visibility: Visibility = Field(Visibility.SERVICE, description="Who sees the dossiers in the parapheur.")
    signature_place: SignaturePlace = Field(SignaturePlace.AUTO, description="Where a PES is signed.")
    metadata: dict[_Line, _Line] = Field(
        default_factory=dict, max_length=100, description="Names of metadata in the parapheur, by their names here."
    )
    archive_action: ArchiveAction = Field(ArchiveAction.DELETE, description="What becomes of an ended dossier over there.")
    max_days: int = Field(30, ge=1, le=3650, description="Days without an end after which a person must look.")
    tenant: _Line | None = Field(None, description="v5: identifier of the tenant.")
    desk: _Line | None = Field(None, description="v5: identifier of the desk that submits.")
    realm: str = Field("api", pattern=r"^[A-Za-z0-9_.-]{1,60}$", description="v5: OIDC realm.")
    grant: Grant = Field(Grant.PASSWORD, description="v5: how an access token is asked for.")
    client_id: _Line = Field("ipcore-web", description="v5: OIDC client.")
    client_secret: SecretStr | None = Field(None, description="v5: secret of the OIDC client, when it has one.")
    connect_timeout: _Seconds = Field(10, description="Seconds to reach the server.")
    read_timeout: _Seconds = Field(60, description="Seconds without any octet of an answer.")
    total_timeout: _Seconds = Field(600, description="Seconds for an answer to come to its end.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Refuse now what no exchange could use."""
        try:
            address = parse_url(self.address)
        except LocationParseError as error:
            raise ValueError(_messages("settings.address")) from error
        plain = address.scheme == "http" and address.host in _LOOPBACK
        if not (address.scheme == "https" or plain) or not address.host or address.auth or address.query or address.fragment:
            raise ValueError(_messages("settings.address"))
        self._check_credentials()
        self._check_certificates()
        return self

    def _check_credentials(self) -> None:
        account = self.login is not None and self.password is not None
        if self.protocol is Protocol.SOAP and not account:
            raise ValueError(_messages("settings.account"))
        if self.protocol is Protocol.V5:
            if not (self.tenant and self.desk):
                raise ValueError(_messages("settings.desk"))
            if not (account if self.grant is Grant.PASSWORD else self.client_secret):
                raise ValueError(_messages("settings.account"))

    def _check_certificates(self) -> None:
        self.client_key()
        if self.authorities is None:
            return
        try:
            x509.load_pem_x509_certificates(self.authorities.encode())
        except ValueError as error:
            raise ValueError(_messages("settings.authorities")) from error

    def client_key(self) -> tuple[PrivateKey, tuple[x509.Certificate, ...]] | None:
        """Return the private key of the client certificate, and this certificate with those above it; None when there is none.

        Raises:
            ValueError: no PKCS#12 in base64, another password, or no RSA or EC key in it.
        """
        if self.client_certificate is None:
            return None
        secret = self.passphrase.get_secret_value().encode() if self.passphrase else None
        try:
            data = base64.b64decode(self.client_certificate.get_secret_value(), validate=True)
            key, certificate, others = pkcs12.load_key_and_certificates(data, secret)
        except (binascii.Error, ValueError) as error:
            raise ValueError(_messages("settings.client_certificate")) from error
        if certificate is None or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError(_messages("settings.client_certificate"))
        return key, (certificate, *others)
