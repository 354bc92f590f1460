"""What the operator of the platform configures to exchange with the ministry, once for all collectivités.

The homologation of a *dispositif de télétransmission* gives the trigramme, the endpoints and the certificates; the mailbox is
where the ministry answers. Secrets are kept as secrets: they show neither in logs nor in messages.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from connectors.mailbox import settings as mailbox
from connectors.mailbox.settings import TlsProfile
from core.clock import PARIS, in_paris
from core.messages import Catalogue
from schemas.actes.archive import DEFAULT_LIMITS
from signing.pki import PrivateKey

_messages = Catalogue("connectors.actes")

_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_Seconds = Annotated[float, Field(gt=0, le=3600)]
_Line = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
_DOMAIN = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
_Sender = Annotated[str, StringConstraints(to_lower=True, max_length=254, pattern=rf"^([^\s@<>,;\"]+@)?{_DOMAIN}$")]
_Server = Annotated[str, StringConstraints(to_lower=True, max_length=253, pattern=r"^[A-Za-z0-9._-]+$")]
_PEM = "-----BEGIN "


class Quadrigramme(StrEnum):
    """Which application of the ministry receives."""

    PRODUCTION = "EACT"
    TEST = "TACT"


class Credentials(StrEnum):
    """What the platform asks for beside the certificate."""

    NONE = "NONE"
    BASIC = "BASIC"
    QUERY = "QUERY"


class ClientKey(NamedTuple):
    """A private key, its certificate, and the authorities above it."""

    key: PrivateKey
    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]


class Endpoint(BaseModel):
    """Where archives are deposited, and how."""

    model_config = _CONFIG

    url: str = Field(max_length=500, description="https address that archives are posted to, without name and password.")
    client_certificate: SecretStr | None = Field(
        None, description="Operator's certificate, its chain and its key: PEM text, or PKCS#12 in base64."
    )
    passphrase: SecretStr | None = Field(None, description="Password of the key or of the PKCS#12, when it has one.")
    credentials: Credentials = Field(
        Credentials.NONE, description="NONE, BASIC (HTTP Basic) or QUERY (parameters user and password of the address)."
    )
    user: _Line | None = Field(None, description="Account, for BASIC and QUERY.")
    password: SecretStr | None = Field(None, description="Password of the account.")
    tls: TlsProfile = Field(default_factory=TlsProfile, description="How TLS is spoken, and the server recognised.")
    connect_timeout: _Seconds = Field(60, description="Seconds to reach the server and agree on TLS.")
    total_timeout: _Seconds = Field(180, description="Seconds for a whole deposit, connection and answer included.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Refuse now what no deposit could use."""
        try:
            address = parse_url(self.url)
        except LocationParseError as error:
            raise ValueError(_messages("settings.url")) from error
        if address.scheme != "https" or not address.host or address.auth or address.fragment or not self.url.isascii():
            raise ValueError(_messages("settings.url"))
        if (self.credentials is Credentials.NONE) != (self.user is None) or (self.user is None) != (self.password is None):
            raise ValueError(_messages("settings.credentials"))
        self.client_key()
        return self

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        address = parse_url(self.url)
        return f"{address.host}:{address.port or 443}"

    def client_key(self) -> ClientKey | None:
        """Return the operator's key and certificate; None when there is none.

        Raises:
            ValueError: neither PEM nor PKCS#12 in base64, another password, no RSA or EC key, or a certificate of another key.
        """
        if self.client_certificate is None:
            return None
        text = self.client_certificate.get_secret_value().strip()
        secret = self.passphrase.get_secret_value().encode() if self.passphrase else None
        try:
            key, chain = _from_pem(text, secret) if _PEM in text else _from_pkcs12(text, secret)
        except (binascii.Error, ValueError, TypeError) as error:
            raise ValueError(_messages("settings.client_certificate")) from error
        if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            ours = [one for one in chain if one.public_key() == key.public_key()]
            if ours:
                return ClientKey(key, ours[0], tuple(one for one in chain if one is not ours[0]))
        raise ValueError(_messages("settings.client_certificate"))


def _from_pem(text: str, secret: bytes | None) -> tuple[object, list[x509.Certificate]]:
    blocks = re.findall(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", text, re.DOTALL)
    kind = next((one for one in blocks if one.endswith("PRIVATE KEY")), None)
    found = re.search(rf"-----BEGIN {kind}-----.*?-----END {kind}-----", text, re.DOTALL) if kind else None
    if found is None:
        raise ValueError
    return load_pem_private_key(found[0].encode(), secret), x509.load_pem_x509_certificates(text.encode())


def _from_pkcs12(text: str, secret: bytes | None) -> tuple[object, list[x509.Certificate]]:
    data = base64.b64decode("".join(text.split()), validate=True)
    key, certificate, others = pkcs12.load_key_and_certificates(data, secret)
    return key, [one for one in (certificate, *others) if one is not None]


class Mailbox(mailbox.Mailbox):
    """The operator's mailbox, where the ministry answers for all collectivités."""

    done: _Line = Field("ACTES-traites", description="Folder of the mails that were dealt with; made when absent.")
    troubled: _Line = Field("ACTES-en-anomalie", description="Folder of the mails that need a person; made when absent.")
    senders: tuple[_Sender, ...] = Field(
        (),
        max_length=20,
        description="Addresses, or domains with all below them, whose mails are believed; anybody's when none is given.",
    )
    authenticated_by: _Server | None = Field(
        None,
        description="Name under which the receiving server writes Authentication-Results, which must attest the sender's domain.",
    )

    @model_validator(mode="after")
    def _believable(self) -> Self:
        """Refuse to have nobody in particular attested."""
        if self.authenticated_by and not self.senders:
            raise ValueError(_messages("settings.senders"))
        return self


class Slot(NamedTuple):
    """A stretch of time in which archives may leave.

    Attributes:
        begin: first moment, aware.
        end: first moment after it.
        quota: bytes of archives that may leave meanwhile; None for any number.
    """

    begin: datetime
    end: datetime
    quota: int | None


class SendingWindow(BaseModel):
    """Hours of each day in which archives may leave."""

    model_config = _CONFIG

    begin: time = Field(description="Hour of Paris at which it opens.")
    end: time = Field(description="Hour of Paris at which it closes; the next day when not after the opening.")
    quota: int | None = Field(None, ge=1, description="Bytes of archives that may leave in one opening; no limit when empty.")

    @model_validator(mode="after")
    def _of_paris(self) -> Self:
        """Refuse hours that name another time zone."""
        if self.begin.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError(_messages("settings.window"))
        return self

    def slot(self, moment: datetime) -> Slot:
        """Return the opening under way at a moment, else the next one."""
        today = in_paris(moment).date()
        for day in (today + timedelta(days=shift) for shift in (-1, 0, 1)):
            last = day if self.end > self.begin else day + timedelta(days=1)
            slot = Slot(datetime.combine(day, self.begin, PARIS), datetime.combine(last, self.end, PARIS), self.quota)
            if moment < slot.end:
                break
        return slot


class ActesOperator(BaseModel):
    """The platform as the ministry knows it: one homologation for all collectivités."""

    model_config = _CONFIG

    trigramme: str = Field(pattern=r"^[A-Za-z0-9]{3}$", description="Three letters that the ministry gave to the operator.")
    quadrigramme: Quadrigramme = Field(Quadrigramme.TEST, description="EACT in production, TACT for tests.")
    endpoint: Endpoint = Field(description="Where archives are deposited.")
    rescue: Endpoint | None = Field(
        None, description="Where they are deposited when the first certainly got none whole; never after a doubt."
    )
    mailbox: Mailbox = Field(description="Where the ministry's answers arrive.")
    return_address: str = Field(
        max_length=254,
        pattern=r"^[_a-zA-Z0-9\-]+(\.[_a-zA-Z0-9\-]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*\.[a-zA-Z]{2,6}$",
        description="Address of the mailbox, written first in every envelope.",
    )
    maximum_archive_size: int = Field(
        DEFAULT_LIMITS.archive, ge=1024, description="Bytes of an archive beyond which it is not deposited."
    )  # more than what an act may hold (R05): documents hardly shrink, and an envelope comes on top
    windows: tuple[SendingWindow, ...] = Field(
        (), max_length=24, description="When archives may leave; at any time when none is given."
    )

    def slot(self, moment: datetime) -> Slot | None:
        """Return the opening in which archives may leave: the one under way, else the next; None when any time is right."""
        return min((window.slot(moment) for window in self.windows), key=lambda slot: slot.begin, default=None)
