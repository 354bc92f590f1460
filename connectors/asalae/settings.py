"""What is configured to hand transfers to as@lae: a web service account of it."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.sae.settings import ServiceSettings


class AsalaeSettings(ServiceSettings):
    """An account of as@lae; the address commonly ends with ``/restservices``."""

    login: str = Field(max_length=255, pattern=r"^[^\x00-\x20\x7f:]+$", description="Name of the account.")
    password: SecretStr = Field(min_length=1, description="Password of the account; its SHA-256 is what is sent.")
    chunk_mebibytes: int = Field(
        100,
        ge=1,
        le=2000,
        description="Attachments beyond this size are sent in pieces of it; as@lae 1 takes 2 GB at most at once.",
    )
