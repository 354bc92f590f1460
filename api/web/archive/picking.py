"""Records that a form is about: ticked in a list, or named by their identifiers; shown by their titles as soon as they are known.

What lives here: which they are. What does not: what is done with them, and whether it may be, which the form's own room decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from sqlmodel import col, select
from starlette.requests import Request

from api.tenants import holding
from api.web.administered import Place, place_of
from api.web.visitor import Visitor
from archive.elimination.bordereau import title_of
from archive.models import Record
from core.organisations import Organisation
from core.platform import Platform
from core.principal import Right

_FIELDS = 1100
"""A thousand ticks, and the rest of the form."""
_AT_ONCE = 200
Named = Annotated[list[str] | None, Query(max_length=_AT_ONCE)]
"""Records that an address names, as a list of results sends them: ``archive``, several times."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was filled in.

    Attributes:
        records: those that are ticked, then those that are named, each once.
    """

    fields: dict[str, str]
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picked:
    """The records of a form as it is shown.

    Attributes:
        known: the identifier and the title of those that the visitor manages.
        others: the identifiers of the rest, as they were typed.
    """

    known: tuple[tuple[str, str], ...] = ()
    others: str = ""


async def _filled(request: Request) -> Filled:
    form = await request.form(max_files=0, max_fields=_FIELDS)
    texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and "\x00" not in value]
    fields = dict(texts)
    named = fields.get("records", "").replace(",", " ").replace(";", " ").split()
    return Filled(fields, tuple(dict.fromkeys([*(value for name, value in texts if name == "archive"), *named])))


Picking = Annotated[Filled, Depends(_filled)]


def picked(platform: Platform, visitor: Visitor, records: Sequence[str]) -> Picked:
    """Return how the records of a form are shown."""
    asked = col(Record.id).in_(records[:_FIELDS])  # whatever was pasted: what no form of ours takes is not asked of the database
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE)) as session:
        found = {one.id: one for one in session.exec(select(Record).where(asked))}
    known = tuple((one, title_of(found[one]) or one) for one in records if one in found)
    return Picked(known, "\n".join(one for one in records if one not in found))


def place_for(platform: Platform, visitor: Visitor, place: Place, records: Sequence[str]) -> Place:
    """Return the nearest organisation above all of these records that the visitor manages; the place itself if there is none."""
    asked = select(Organisation.path).join(Record, col(Record.organisation_id) == col(Organisation.id))
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE)) as session:
        paths = session.exec(asked.where(col(Record.id).in_(records)).distinct()).all()
    above = [one for one in place.others if paths and all(path.startswith(one.path) for path in paths)]
    return place_of(platform, visitor, above[-1].id, Right.ARCHIVE) if above else place
