"""What an operator configures, for one organisation, to reach the DGFiP's gateway over SFTP (PASSTRANS).

Secrets are kept as secrets: they show neither in logs nor in messages. Storing them encrypted is the database's matter.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from core.messages import Catalogue

if TYPE_CHECKING:
    from paramiko import PKey

_messages = Catalogue("connectors.helios")

_Seconds = Annotated[float, Field(gt=0, le=600)]
_Directory = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Application(StrEnum):
    """P_APPLI: which Hélios receives."""

    TEST = "THELPES2"
    PRODUCTION = "GHELPES2"


class CodFich(StrEnum):
    """First part of P_MSG: the constant that is used in production, or the flow's own TypFic."""

    PES = "PES"
    TYPFIC = "TypFic"


class HeliosGateway(BaseModel):
    """An account at the gateway, and how to speak to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(min_length=1, max_length=253, description="Name or address of the SFTP server.")
    port: int = Field(22, ge=1, le=65535, description="TCP port of the SFTP server.")
    username: str = Field(min_length=1, max_length=64, description="Account given by the DGFiP.")
    password: SecretStr | None = Field(None, description="Password of the account, unless a private key is used.")
    private_key: SecretStr | None = Field(
        None, description="Private key of the account, OpenSSH or PEM text (Ed25519, ECDSA or RSA)."
    )
    passphrase: SecretStr | None = Field(None, description="Passphrase of the private key, when it has one.")
    host_key_algorithm: str = Field(
        "ssh-ed25519", max_length=64, description="Algorithm of the server's pinned key, as in known_hosts."
    )
    host_key: str = Field(
        max_length=4096, description="The server's pinned key, base64 as in known_hosts; any other key is refused."
    )
    depot_directory: _Directory = Field("depot", description="Directory of the server where flows are deposited.")
    response_directory: _Directory = Field("sortie", description="Directory of the server where responses appear.")
    p_dest: str = Field(
        pattern=r"^[A-Z0-9]{1,16}$", description="P_DEST: destination centre of the accounting office (VHPCE11 …)."
    )
    p_appli: Application = Field(Application.TEST, description="P_APPLI: THELPES2 for tests, GHELPES2 in production.")
    cod_fich: CodFich = Field(CodFich.PES, description="First part of P_MSG: the constant PES, or the flow's TypFic.")
    temporary_suffix: str = Field(
        ".part", pattern=r"^\.[0-9A-Za-z]{1,10}$", description="What a file's name ends with until it is whole."
    )
    removes_responses: bool = Field(
        default=False, description="Whether responses are deleted once read; PASSTRANS clears its directory by itself."
    )
    connect_timeout: _Seconds = Field(15, description="Seconds to reach the server and agree on a session.")
    authentication_timeout: _Seconds = Field(15, description="Seconds for the server to accept the account.")
    operation_timeout: _Seconds = Field(60, description="Seconds without any answer before an operation is given up.")
    keepalive_interval: int = Field(15, ge=1, le=600, description="Seconds between two signs of life when idle.")
    settled_age: float = Field(
        60, ge=0, le=3600, description="Seconds without change after which a response is taken to be whole."
    )
    second_look_after: float = Field(
        5, ge=0, le=60, description="Seconds before a younger response is looked at again, to see whether it still grows."
    )

    @model_validator(mode="after")
    def _keys_are_readable(self) -> Self:
        """Refuse now what no connection could use."""
        if (self.password is None) == (self.private_key is None):
            raise ValueError(_messages("settings.one_credential"))
        self.pinned_key()
        self.client_key()
        return self

    def pinned_key(self) -> PKey:
        """Return the server's pinned key.

        Raises:
            ValueError: the algorithm is not known, or the text is not such a key.
        """
        from core.ssh import public_key  # heavy: paramiko is loaded by who speaks SSH, not by who reads settings

        try:
            return public_key(self.host_key_algorithm, self.host_key)
        except ValueError as error:
            raise ValueError(_messages("settings.host_key", algorithm=self.host_key_algorithm)) from error

    def client_key(self) -> PKey | None:
        """Return the account's private key; None when a password is used.

        Raises:
            ValueError: no key of a known kind, or a wrong passphrase.
        """
        if self.private_key is None:
            return None
        from core.ssh import private_key

        secret = self.passphrase.get_secret_value() if self.passphrase else None
        try:
            return private_key(self.private_key.get_secret_value(), secret)
        except ValueError as error:
            raise ValueError(_messages("settings.private_key")) from error
