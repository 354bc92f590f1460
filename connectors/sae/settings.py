"""What is configured of every archive service outside: where it answers, whom to believe there, how long to wait."""

from __future__ import annotations

from typing import Annotated, Self

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, model_validator
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from core.messages import Catalogue

_messages = Catalogue("connectors.sae")
_Seconds = Annotated[float, Field(gt=0, le=7200)]
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


class ServiceSettings(BaseModel):
    """An archive service outside, as HTTP reaches it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    address: str = Field(
        max_length=500, description="https address of the service, with the path that its interface stands below."
    )
    authorities: str | None = Field(
        None, max_length=100_000, description="PEM of the authorities of the server's certificate, when it is a private one."
    )
    connect_timeout: _Seconds = Field(10, description="Seconds to reach the server.")
    read_timeout: _Seconds = Field(120, description="Seconds without any octet of an answer.")
    total_timeout: _Seconds = Field(1800, description="Seconds for an answer to come to its end.")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        """Refuse now what no exchange could use; the loopback address may be plain, for what stands on this machine."""
        address = self.target()
        plain = address.scheme == "http" and address.host in _LOOPBACK
        if not (address.scheme == "https" or plain) or not address.host or address.auth or address.query or address.fragment:
            raise ValueError(_messages("settings.address"))
        if self.authorities is not None:
            try:
                x509.load_pem_x509_certificates(self.authorities.encode())
            except ValueError as error:
                raise ValueError(_messages("settings.authorities")) from error
        return self

    def target(self) -> Url:
        """Return the address in its parts.

        Raises:
            ValueError: it is none.
        """
        try:
            return parse_url(self.address)
        except LocationParseError as error:
            raise ValueError(_messages("settings.address")) from error
