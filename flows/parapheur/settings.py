"""What an organisation configures to send a flow's documents through the parapheur."""

from __future__ import annotations

from pydantic import BaseModel, Field

HELIOS_ROUTE = "helios.parapheur"


class ParapheurRoute(BaseModel):
    """Into which circuit a flow's documents go, sent by which desk."""

    subtype: str = Field(min_length=26, max_length=26, description="Identifier of the subtype.")
    emitter: str = Field(min_length=26, max_length=26, description="Identifier of the desk that sends.")
    visibility: str = Field("confidential", pattern="^(confidential|public)$")
