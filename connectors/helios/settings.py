"""What an operator configures, for one organisation, to reach the DGFiP's gateway over SFTP (PASSTRANS).

Secrets are kept as secrets: they show neither in logs nor in messages. Storing them encrypted is the database's matter.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from core.ssh_account import Seconds, SshAccount

_Directory = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Application(StrEnum):
    """P_APPLI: which Hélios receives."""

    TEST = "THELPES2"
    PRODUCTION = "GHELPES2"


class CodFich(StrEnum):
    """First part of P_MSG: the constant that is used in production, or the flow's own TypFic."""

    PES = "PES"
    TYPFIC = "TypFic"


class HeliosGateway(SshAccount):
    """An account at the gateway, and how to speak to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    username: str = Field(min_length=1, max_length=64, description="Account given by the DGFiP.")
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
    authentication_timeout: Seconds = Field(15, description="Seconds for the server to accept the account.")
    keepalive_interval: int = Field(15, ge=1, le=600, description="Seconds between two signs of life when idle.")
    settled_age: float = Field(
        60, ge=0, le=3600, description="Seconds without change after which a response is taken to be whole."
    )
    second_look_after: float = Field(
        5, ge=0, le=60, description="Seconds before a younger response is looked at again, to see whether it still grows."
    )
