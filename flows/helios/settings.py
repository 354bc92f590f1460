"""What an organisation configures for its PES: the seal of its server. The gateway's own settings are the connector's."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from signing.keys import Pkcs12Signer
from signing.pes.envelope import SealContext

GATEWAY = "helios.gateway"
SEAL = "helios.seal"


class HeliosSeal(BaseModel):
    """The server key that seals a PES which arrives unsigned, and what the seal says."""

    pkcs12: SecretStr = Field(description="PKCS#12 file of the key and its certificate, in base64.")
    password: SecretStr = Field(description="Password of the PKCS#12 file.")
    role: str = Field("Ordonnateur", min_length=1, max_length=100, description="In what capacity (ClaimedRole).")
    city: str = Field(min_length=1, max_length=100, description="Production place.")
    postal_code: str = Field(pattern=r"^\d{5}$", description="Production place.")
    country: str = Field("France", max_length=60, description="Production place.")
    xades: Literal["1.1.1", "1.2.2"] = Field("1.2.2", description="Version of the XAdES namespace.")

    def signer(self) -> Pkcs12Signer:
        """Return the key, ready to sign.

        Raises:
            KeyRefused: unreadable, too weak, out of date, or not for signing.
        """
        return _opened(self.pkcs12, self.password)

    def context(self) -> SealContext:
        """Return what the seal says."""
        return SealContext(self.role, self.city, self.postal_code, self.country, xades=self.xades)


@lru_cache(maxsize=64)
def _opened(pkcs12: SecretStr, password: SecretStr) -> Pkcs12Signer:
    """Open a PKCS#12 once a process: its key derivation is made to be slow."""
    return Pkcs12Signer.load(base64.b64decode(pkcs12.get_secret_value()), password.get_secret_value())
