"""What an organisation configures to send and publish its acts. The operator's own settings are the connector's."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.messages import Catalogue
from flows.parapheur.settings import ParapheurRoute
from schemas.actes.codes import NATURES

_messages = Catalogue("flows.actes")
OPERATOR = "actes.operator"
COLLECTIVITE = "actes.collectivite"
ROUTE = "actes.parapheur"
STAMP = "actes.stamp"
PUBLICATION = "actes.publication"

# Addresses as the schema takes them: no plus sign, and a last label of two to six letters (rule R40).
_ADDRESS = r"^[_a-zA-Z0-9\-]+(\.[_a-zA-Z0-9\-]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*\.[a-zA-Z]{2,6}$"
Address = Annotated[str, Field(max_length=254, pattern=_ADDRESS)]


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError(_messages("publication.unprintable"))
    return line


Line = Annotated[str, AfterValidator(_one_line)]


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


class Author(BaseModel):
    """Who is named as the author of a published act: first name, last name and capacity (CGCT, R. 2131-1, II).

    Any of them may be empty where it is only proposed; none may where an act is published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_name: Line = Field("", max_length=100, description="First name.")
    last_name: Line = Field("", max_length=100, description="Last name.")
    capacity: Line = Field("", max_length=200, description="Capacity: « Maire », « Présidente ».")

    @property
    def is_whole(self) -> bool:
        """Whether all three are there."""
        return bool(self.first_name and self.last_name and self.capacity)


class ActesPublishing(BaseModel):
    """How an organisation publishes its acts; nothing is published, and nothing can be read, while it is not open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    open: bool = Field(False, description="Whether it has a public page.")
    about: Line = Field("", max_length=500, description="A sentence on its public page: where else acts are posted, for example.")
    author: Author | None = Field(None, description="The author who is proposed, and the one of a publication that names none.")


class ActesRoute(ParapheurRoute):
    """Into which circuit the acts of an organisation go, sent by which desk, and which of them."""

    natures: tuple[int, ...] = Field(
        tuple(NATURES), min_length=1, description="Natures whose acts go there when they are to be signed."
    )


class ActesStamp(BaseModel):
    """Where the stamp of the préfecture's acknowledgement goes on each page; as delivered, at the top on the right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    across: float = Field(100, ge=0, le=100, description="Hundredths of the page's width, from its left side.")
    down: float = Field(0, ge=0, le=100, description="Hundredths of the page's height, from its top.")
