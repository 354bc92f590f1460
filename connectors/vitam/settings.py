"""What is configured to hand transfers to Vitam: who we are there, for which tenant, under which contracts."""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import Annotated, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import Field, SecretStr, model_validator

from connectors.sae.settings import ServiceSettings
from core.messages import Catalogue
from signing.pki import PrivateKey

_messages = Catalogue("connectors.vitam")
_Line = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class Context(StrEnum):
    """What an ingest is for (``X-Context-Id``)."""

    DEFAULT = "DEFAULT_WORKFLOW"
    DRY_RUN = "BLANK_TEST"


class VitamSettings(ServiceSettings):
    """A tenant of a Vitam, as a client certificate reaches it."""

    client_certificate: SecretStr = Field(description="TLS client certificate and key: PKCS#12 in base64.")
    passphrase: SecretStr | None = Field(None, description="Password of the PKCS#12.")
    tenant: int = Field(ge=0, le=10_000, description="X-Tenant-Id.")
    access_contract: _Line = Field(description="X-Access-Contract-Id: with which operations are read.")
    application: _Line | None = Field(
        None, description="X-Application-Id of every call; without it, that of an ingest is its transfer."
    )
    context: Context = Field(Context.DEFAULT, description="X-Context-Id; BLANK_TEST checks and keeps nothing.")

    @model_validator(mode="after")
    def _shown(self) -> Self:
        self.client_key()
        return self

    def client_key(self) -> tuple[PrivateKey, tuple[x509.Certificate, ...]]:
        """Return the private key of the client certificate, and this certificate with those above it.

        Raises:
            ValueError: no PKCS#12 in base64, another password, or no RSA or EC key in it.
        """
        secret = self.passphrase.get_secret_value().encode() if self.passphrase else None
        try:
            data = base64.b64decode(self.client_certificate.get_secret_value(), validate=True)
            key, certificate, others = pkcs12.load_key_and_certificates(data, secret)
        except (binascii.Error, ValueError) as error:
            raise ValueError(_messages("settings.client_certificate")) from error
        if certificate is None or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError(_messages("settings.client_certificate"))
        return key, (certificate, *others)
