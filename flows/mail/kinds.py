"""Kinds of send, as data: their legal regime, their delays, what they show, the identity that they ask for.

An organisation may set its own terms of a kind, for itself and for those below it (configuration ``mail.kind.<name>``). A send
keeps the terms that it was accepted under. None is a *lettre recommandée électronique* (CPCE, articles L. 100 and L. 101).
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from core.configuration import configuration_of
from core.errors import NotFound, UsageError
from core.messages import Catalogue
from core.secrets import SecretBox

_messages = Catalogue("flows.mail")
CONFIGURED = "mail.kind."


class Regime(StrEnum):
    """Which law the send is made under.

    PLAIN: none in particular, proof is free. CRPA: *procédé électronique* of articles L. 112-15 and R. 112-17 to R. 112-20 of the
    code des relations entre le public et l'administration. CGCT: convocation of an assembly, article L. 2121-10.
    """

    PLAIN = "plain"
    CRPA = "crpa"
    CGCT = "cgct"


class Kind(BaseModel):
    """The terms of a kind of send. Its names and texts are in the catalogue: ``kind.<name>``, ``notice.<name>.…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z_]{1,40}$", description="As software names it.")
    regime: Regime = Field(description="Under which law.")
    withdraw_days: int = Field(15, ge=1, le=365, description="Days to withdraw it, from the day after it was sent.")
    readable_days: int = Field(60, ge=1, le=366, description="Days during which its pages open.")
    reminders: tuple[int, ...] = Field((3, 7), max_length=5, description="Days after the sending on which it is recalled.")
    level: int = Field(
        0, ge=0, le=2, description="Identity asked for: 0 the link, 1 a secret as well, 2 a code by another channel."
    )
    reveals: bool = Field(False, description="The notice itself says what it is about.")
    asks_name: bool = Field(False, description="Who withdraws it writes their name.")
    answers: bool = Field(False, description="Recipients may answer, unless the sender says otherwise.")
    largest_file: int = Field(100 * 1024 * 1024, gt=0, description="Bytes of one document.")
    largest: int = Field(500 * 1024 * 1024, gt=0, description="Bytes of all documents.")
    most_files: int = Field(50, ge=1, le=500, description="Documents.")
    most_recipients: int = Field(1000, ge=1, le=10_000, description="Recipients.")


SECURED = Kind(name="secured", regime=Regime.PLAIN, answers=True)
NOTIFICATION = Kind(name="notification", regime=Regime.CRPA, level=2, asks_name=True, reminders=(3, 7, 12))
CONVOCATION = Kind(name="convocation", regime=Regime.CGCT, reveals=True, withdraw_days=60, readable_days=366, reminders=())
BUILT_IN = {kind.name: kind for kind in (SECURED, NOTIFICATION, CONVOCATION)}


def kind_of(session: Session, box: SecretBox, organisation_id: str, name: str) -> Kind:
    """Return the terms of a kind in an organisation: its own, those of the nearest above, or the built-in ones.

    Raises:
        UsageError: there is no such kind.
        Misconfigured: the configuration cannot be decrypted.
    """
    if name not in BUILT_IN:
        raise UsageError(_messages("kind.unknown", found=name[:40], known=", ".join(BUILT_IN)))
    try:
        return configuration_of(session, box, organisation_id, f"{CONFIGURED}{name}", Kind)
    except NotFound:
        return BUILT_IN[name]
