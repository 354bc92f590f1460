"""What is set to have a mailbox read: a server, how TLS is spoken with it, an account, folders."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from cryptography import x509
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("connectors.mailbox")

_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_Seconds = Annotated[float, Field(gt=0, le=3600)]
_Line = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Pem = Annotated[str, Field(max_length=200_000)]


def _plain_hexadecimal(value: object) -> object:
    return re.sub(r"[:\s]", "", value).lower() if isinstance(value, str) else value


_Fingerprint = Annotated[str, BeforeValidator(_plain_hexadecimal), Field(pattern=r"^[0-9a-f]{64}$")]


class TlsVersion(StrEnum):
    """Oldest version of TLS that is spoken."""

    V1_0 = "1.0"
    V1_1 = "1.1"
    V1_2 = "1.2"
    V1_3 = "1.3"


class TlsProfile(BaseModel):
    """How TLS is spoken with one server, and how this server is recognised.

    A server is always held against authorities; those of the machine unless ``authorities`` names others, among which an
    intermediate one or the server's own certificate will do.
    """

    model_config = _CONFIG

    minimum_version: TlsVersion = Field(TlsVersion.V1_2, description="Oldest version of TLS that is spoken.")
    security_level: int = Field(2, ge=0, le=5, description="OpenSSL's security level; 0 only for a server of another age.")
    ciphers: Annotated[str, Field(pattern=r"^[A-Za-z0-9:+!_\-]{1,500}$")] | None = Field(
        None, description="OpenSSL's list of ciphers, such as AES256-SHA, for a server that knows no current one."
    )
    authorities: _Pem | None = Field(None, description="PEM of the authorities of the server's certificate; else the machine's.")
    fingerprints: tuple[_Fingerprint, ...] = Field(
        (), max_length=20, description="SHA-256 of the certificates that the server may show; any when none is given."
    )
    checks_host_name: bool = Field(
        True, description="Whether the certificate must be for the server's name; false only with fingerprints."
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Refuse now what would protect nothing."""
        if not (self.checks_host_name or self.fingerprints):
            raise ValueError(_messages("settings.host_name"))
        if self.authorities is not None:
            try:
                x509.load_pem_x509_certificates(self.authorities.encode())
            except ValueError as error:
                raise ValueError(_messages("settings.authorities")) from error
        return self


class MailEncryption(StrEnum):
    """When TLS begins with the mailbox's server."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"


_SCHEMES = {"imaps": (993, MailEncryption.IMPLICIT), "imap": (143, MailEncryption.STARTTLS)}


class Mailbox(BaseModel):
    """A mailbox (IMAP4rev1, RFC 3501), and what becomes of the mails in it."""

    model_config = _CONFIG

    host: str = Field(min_length=1, max_length=253, description="Name or address of the IMAP server.")
    port: int = Field(993, ge=1, le=65535, description="TCP port of the IMAP server.")
    encryption: MailEncryption = Field(
        MailEncryption.IMPLICIT, description="implicit: TLS from the first octet; starttls: before the login. Never in clear."
    )
    user: _Line = Field(description="Account of the mailbox.")
    password: SecretStr = Field(description="Password of the account.")
    inbox: _Line = Field("INBOX", description="Folder where mails arrive.")
    done: _Line = Field("Traites", description="Folder of the mails that were dealt with; made when absent.")
    troubled: _Line = Field("En-anomalie", description="Folder of the mails that need a person; made when absent.")
    largest: int = Field(64 * 1024 * 1024, ge=1024, le=1024**3, description="Bytes of a mail beyond which it is not read.")
    tls: TlsProfile = Field(default_factory=TlsProfile, description="How TLS is spoken, and the server recognised.")
    connect_timeout: _Seconds = Field(30, description="Seconds to reach the server.")
    answer_timeout: _Seconds = Field(60, description="Seconds without any octet of an answer.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Refuse folders that would make mails turn in circles."""
        if len({self.inbox, self.done, self.troubled}) < len(("inbox", "done", "troubled")):
            raise ValueError(_messages("settings.folders"))
        return self

    @classmethod
    def of(cls, url: SecretStr) -> Self:
        """Read ``imaps://name:password@host[:port][/folder]``, or ``imap://…`` where TLS begins before the login (STARTTLS).

        What is special in a name, a password or a folder is percent-encoded; the folder is ``INBOX`` when none is given.

        Raises:
            Misconfigured: it reads otherwise; the message does not repeat it.
        """
        try:
            parts = urlsplit(url.get_secret_value())
            port, encryption = _SCHEMES["" if parts.query or parts.fragment else parts.scheme]
            given = {
                "host": parts.hostname,
                "port": parts.port or port,
                "encryption": encryption,
                "user": unquote(parts.username or ""),
                "password": unquote(parts.password or "") or None,
                "inbox": unquote(parts.path.removeprefix("/")) or "INBOX",
            }
            return cls.model_validate(given)
        except (KeyError, ValueError):
            raise Misconfigured(_messages("settings.url")) from None  # the cause would repeat it
