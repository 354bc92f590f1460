"""What an organisation configures to hand its records over to an archive service outside; those below it inherit it.

Without it, and for every kind of record that it does not name, the sealed store here is the only home.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.asalae.settings import AsalaeSettings
from connectors.vitam.settings import Context, VitamSettings
from core.messages import Catalogue
from schemas.seda.model import Version

_messages = Catalogue("flows.sae")
OUTSIDE = "sae.outside"
KINDS = ("helios", "actes", "invoices", "sales", "document", "mail", "transfer")
"""The kinds of record that may be handed over: the flows that seal, and what came from outside."""
_Agency = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x20\x7f]+$")]


class System(StrEnum):
    """Which archive service is spoken to."""

    ASALAE = "asalae"
    VITAM = "vitam"


class When(StrEnum):
    """When a record of a kind is handed over."""

    AUTOMATIC = "automatic"
    ON_DEMAND = "on_demand"


class Seda(StrEnum):
    """The version of SEDA that the service takes."""

    V1_0 = "1.0"
    V2_1 = Version.V2_1.value
    V2_2 = Version.V2_2.value
    V2_3 = Version.V2_3.value


class OutsideArchive(BaseModel):
    """An archive service outside: one of both, who we are there, and which records go there."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    asalae: AsalaeSettings | None = Field(None, description="as@lae, and our account there.")
    vitam: VitamSettings | None = Field(None, description="Vitam, and our certificate there.")
    seda: Seda = Field(Seda.V2_1, description="Version of SEDA of the manifests; 1.0 for as@lae 1 only.")
    archival_agency: _Agency = Field(description="Identifier of the archive service, as it knows itself.")
    transferring_agency: _Agency = Field(description="Identifier of who hands over, as the service knows it.")
    agreement: _Agency | None = Field(None, description="Identifier of the archival agreement there.")
    prefix: str = Field("TABELLION", pattern=r"^[A-Z0-9]{1,20}$", description="Begins the identifier of every transfer.")
    kinds: dict[str, When] = Field(default_factory=dict, description="Kinds of record that are handed over, and when.")
    acknowledgement_minutes: int = Field(
        60, ge=1, le=10_080, description="Minutes without acknowledgement until a person must look."
    )
    reply_days: int = Field(30, ge=1, le=365, description="Days without reply after which a person must look.")
    repeat_minutes: float = Field(
        15,
        ge=0,
        le=1440,
        description="Minutes for a transfer whose answer was lost to show there, before it leaves again.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.asalae is None) == (self.vitam is None):
            raise ValueError(_messages("settings.one"))
        if self.vitam is not None and self.seda is Seda.V1_0:
            raise ValueError(_messages("settings.seda"))
        if unknown := sorted(set(self.kinds) - set(KINDS)):
            raise ValueError(_messages("settings.kind", found=", ".join(unknown)[:100]))
        return self

    @property
    def system(self) -> System:
        """Which one it is."""
        return System.ASALAE if self.asalae is not None else System.VITAM

    @property
    def trial(self) -> bool:
        """Whether the service only looks at what is handed over, and keeps nothing."""
        return self.vitam is not None and self.vitam.context is Context.DRY_RUN

    @property
    def host(self) -> str:
        """Where it stands."""
        service = self.asalae or self.vitam
        return (service and service.target().host) or ""
