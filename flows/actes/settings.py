"""What an organisation configures to send its acts. The operator's own settings (endpoint, mailbox) are the connector's."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

OPERATOR = "actes.operator"
COLLECTIVITE = "actes.collectivite"
ROUTE = "actes.parapheur"

# Addresses as the schema takes them: no plus sign, and a last label of two to six letters (rule R40).
_ADDRESS = r"^[_a-zA-Z0-9\-]+(\.[_a-zA-Z0-9\-]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*\.[a-zA-Z]{2,6}$"
Address = Annotated[str, Field(max_length=254, pattern=_ADDRESS)]


class ActesCollectivite(BaseModel):
    """How the State knows a collectivité; the préfecture gives these when the convention is signed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    department: str = Field(pattern=r"^[09][0-9][0-9AB]$", description="Département, three characters: 040, 02A, 971.")
    arrondissement: str = Field(pattern=r"^[0-9]$", description="Arrondissement of the préfecture or sous-préfecture, one digit.")
    nature: str = Field(pattern=r"^[0-9]{2}$", description="Nature of the collectivité, two digits: 31 for a commune.")
    referent: str | None = Field(None, max_length=100, description="Person whom the préfecture may turn to.")
    telephone: str | None = Field(None, max_length=20, description="Their telephone.")
    addresses: tuple[Address, ...] = Field(
        (), max_length=10, description="Addresses to which the State mails its answers, beside the operator's mailbox."
    )
