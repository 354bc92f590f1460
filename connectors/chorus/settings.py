"""What is configured to speak to Chorus Pro: the operator's PISTE application, and the technical account of each organisation.

One application serves every organisation of the platform; a technical account ties invoices to one of them and is never shared.
Secrets are kept as secrets: they show neither in logs nor in messages.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from core.messages import Catalogue

_messages = Catalogue("connectors.chorus")

_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_Seconds = Annotated[float, Field(gt=0, le=3600)]
_Line = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Environment(StrEnum):
    """Which Chorus Pro is spoken to; nothing of one is known to the other."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


_TOKENS = {
    Environment.SANDBOX: "https://sandbox-oauth.piste.gouv.fr/api/oauth/token",
    Environment.PRODUCTION: "https://oauth.piste.gouv.fr/api/oauth/token",
}
_SERVICES = {
    Environment.SANDBOX: "https://sandbox-api.piste.gouv.fr",
    Environment.PRODUCTION: "https://api.piste.gouv.fr",
}


class ChorusOperator(BaseModel):
    """The platform as PISTE knows it: one application for all organisations."""

    model_config = _CONFIG

    environment: Environment = Field(Environment.SANDBOX, description="sandbox for tests, production for invoices that count.")
    client_id: _Line = Field(description="Identifier of the PISTE application.")
    client_secret: SecretStr = Field(min_length=1, description="Secret of the PISTE application.")
    scope: str = Field("openid", max_length=255, pattern=r"^[\x21-\x7e ]*$", description="Scope of the token; none when empty.")
    token_address: str | None = Field(
        None, max_length=500, description="https address that gives tokens; that of the environment when empty."
    )
    service_address: str | None = Field(
        None, max_length=500, description="https address of the services, without /cpro; that of the environment when empty."
    )
    authorities: str | None = Field(
        None, max_length=100_000, description="PEM of the authorities of the servers' certificates, when they are private ones."
    )
    calls_per_second: float = Field(
        5, gt=0, le=1000, description="Calls that a process makes in a second, all organisations together."
    )
    calls_in_parallel: int = Field(4, ge=1, le=100, description="Calls that a process makes at once.")
    connect_timeout: _Seconds = Field(10, description="Seconds to reach a server.")
    read_timeout: _Seconds = Field(60, description="Seconds without any octet of an answer.")
    total_timeout: _Seconds = Field(600, description="Seconds for an answer to come to its end.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Refuse now what no exchange could use."""
        for address in (self.tokens, self.services):
            _check_address(address)
        if self.authorities is not None:
            try:
                x509.load_pem_x509_certificates(self.authorities.encode())
            except ValueError as error:
                raise ValueError(_messages("settings.authorities")) from error
        return self

    @property
    def tokens(self) -> str:
        """Where tokens are given."""
        return self.token_address or _TOKENS[self.environment]

    @property
    def services(self) -> str:
        """Where services answer, without a final slash."""
        return (self.service_address or _SERVICES[self.environment]).rstrip("/")


class ChorusAccount(BaseModel):
    """The *compte technique* of an organisation, made by the manager of its structure on the portal of Chorus Pro."""

    model_config = _CONFIG

    environment: Environment = Field(Environment.SANDBOX, description="Where the account was made.")
    login: str = Field(
        max_length=255, pattern=r"^[^\x00-\x20\x7f:]+$", description="Login of the technical account, such as TECH_…@cpro.fr."
    )
    password: SecretStr = Field(min_length=1, description="Password of the technical account.")
    expires: date | None = Field(None, description="Day on which the password ends, when it is known.")


def _check_address(text: str) -> None:
    try:
        address = parse_url(text)
    except LocationParseError as error:
        raise ValueError(_messages("settings.address", found=text)) from error
    if address.scheme != "https" or not address.host or address.auth or address.query or address.fragment:
        raise ValueError(_messages("settings.address", found=text))
