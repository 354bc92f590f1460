"""The organisation whose address book or templates are shown, kept in the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query
from sqlmodel import col, select

from api import words
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import NotFound
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Right


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the visitor looks.

    Attributes:
        organisation: the one whose book is shown.
        others: all that the visitor may look at, by name, this one included.
        changes: the visitor may change what is that organisation's own.
    """

    organisation: Organisation
    others: tuple[Organisation, ...]
    changes: bool

    @property
    def id(self) -> str:
        """The identifier of the organisation."""
        return self.organisation.id

    def at(self, path: str, **more: str) -> str:
        """Return an address that keeps the organisation, where there are several."""
        kept = {"organisation": self.id} if len(self.others) > 1 else {}
        told = {name: value for name, value in {**kept, **more}.items() if value}
        return f"{path}?{urlencode(told)}" if told else path


def shelf_of(platform: Platform, visitor: Visitor, organisation_id: str = "") -> Shelf:
    """Return where the visitor looks: the organisation named, else the first one by name.

    Raises:
        NotFound: the visitor neither reads nor sends there; not told from one that does not exist.
    """
    held = {*visitor.where(Right.READ), *visitor.where(Right.DEPOSIT)}
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(Organisation).where(col(Organisation.id).in_(held)).order_by(Organisation.name))
        others = tuple(found)
    sends = visitor.where(Right.DEPOSIT)
    first = next((one for one in others if one.id in sends), others[0])
    wanted = next((one for one in others if one.id == organisation_id), None)
    if organisation_id and wanted is None:
        raise NotFound(words.messages("organisation.unknown"))
    here = wanted or first
    return Shelf(here, others, here.id in sends)


def _here(platform: Parts, visitor: SignedIn, organisation: Annotated[str, Query(max_length=26)] = "") -> Shelf:
    return shelf_of(platform, visitor, organisation)


Here = Annotated[Shelf, Depends(_here)]
