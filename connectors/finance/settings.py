"""What an organisation configures to have deliveries brought to its finance software, and within which bounds of the operator.

Secrets are kept as secrets: they show neither in logs nor in messages. Storing them encrypted is the database's matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from core.addresses import Networks
from core.messages import Catalogue
from core.ssh_account import Seconds, SshAccount

_messages = Catalogue("connectors.finance")
_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_Directory = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the operator permits organisations to name.

    Attributes:
        folder: below which watched folders stand; None when there are none on this platform.
        networks: that may be reached although they are not public.
    """

    folder: Path | None = None
    networks: Networks = ()


class _Watched(BaseModel):
    """A directory in which deliveries appear, and answers to them."""

    model_config = _CONFIG

    settled_age: float = Field(
        10, ge=0, le=3600, description="Seconds without change after which an answer is taken to be whole."
    )
    second_look_after: float = Field(
        2, ge=0, le=60, description="Seconds before a younger answer is looked at again, to see whether it still grows."
    )


class FolderPlace(_Watched):
    """A folder of the operator's machine or of a share that is mounted there."""

    directory: _Directory = Field(description="Where deliveries appear, below the folder that the operator set aside.")
    answers: _Directory | None = Field(None, description="Where answers appear, likewise; with the deliveries when empty.")

    @field_validator("directory", "answers")
    @classmethod
    def _stays_below(cls, value: str | None) -> str | None:
        if value is not None:
            path = PurePosixPath(value)
            if path.is_absolute() or ".." in path.parts or "\\" in value or not path.parts:
                raise ValueError(_messages("settings.directory"))
        return value


class SftpPlace(_Watched, SshAccount):
    """A directory of an SFTP server, and the account that may write there."""

    directory: _Directory = Field(description="Directory of the server where deliveries appear.")
    answers: _Directory | None = Field(None, description="Directory where answers appear; with the deliveries when empty.")


class WebhookPlace(BaseModel):
    """An address of the software that is told of each delivery, and fetches the files itself."""

    model_config = _CONFIG

    address: str = Field(max_length=500, description="https address that is called; http is taken for this machine only.")
    secret: SecretStr = Field(min_length=32, max_length=200, description="Secret shared with the software; it signs every call.")
    authorities: str | None = Field(
        None, max_length=100_000, description="PEM of the authorities of the server's certificate, when it is a private one."
    )
    connect_timeout: Seconds = Field(10, description="Seconds to reach the software.")
    read_timeout: Seconds = Field(60, description="Seconds without any octet of an answer.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Refuse now what no call could use."""
        address = self.target()
        plain = address.scheme == "http" and address.host in _LOOPBACK
        if not (address.scheme == "https" or plain) or not address.host or address.auth or address.fragment:
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
