"""An account at a server that speaks SSH, as it is configured: where, who, and which server is the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from core.messages import Catalogue

if TYPE_CHECKING:
    from paramiko import PKey

Seconds = Annotated[float, Field(gt=0, le=600)]
_messages = Catalogue("core")


class SshAccount(BaseModel):
    """Where an account is and what opens it; the rooms that use one add what they do there."""

    host: str = Field(min_length=1, max_length=253, description="Name or address of the SFTP server.")
    port: int = Field(22, ge=1, le=65535, description="TCP port of the SFTP server.")
    username: str = Field(min_length=1, max_length=64, description="Account on the server.")
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
    connect_timeout: Seconds = Field(15, description="Seconds to reach the server and agree on a session.")
    operation_timeout: Seconds = Field(60, description="Seconds without any answer before an operation is given up.")

    @model_validator(mode="after")
    def _keys_are_readable(self) -> Self:
        """Refuse now what no connection could use."""
        if (self.password is None) == (self.private_key is None):
            raise ValueError(_messages("ssh.one_credential"))
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
            raise ValueError(_messages("ssh.host_key", algorithm=self.host_key_algorithm)) from error

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
            raise ValueError(_messages("ssh.private_key")) from error
