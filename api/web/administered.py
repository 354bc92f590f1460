"""The organisation whose set-up is shown, kept in the address; and forms in which a name may stand several times.

Who may administer is asked here; what is done, and whether it may be, is decided below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Path, Query
from pydantic import ValidationError
from sqlmodel import col, select
from starlette.datastructures import ImmutableMultiDict, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from api import words
from api.web.pages import render
from api.web.visitor import Administers, Parts, Visitor
from core.errors import NotFound, UsageError
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM, Right

_MOST_FIELDS, _LONGEST, _LARGEST_FILE = 10_200, 4000, 1 << 20
_FRAME = "web/setup/frame.html"
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the visitor administers.

    Attributes:
        organisation: the one whose set-up is shown.
        others: all that the visitor administers, from the top of the tree down, this one included.
    """

    organisation: Organisation
    others: tuple[Organisation, ...]

    @property
    def id(self) -> str:
        """The identifier of the organisation."""
        return self.organisation.id

    def at(self, path: str, **more: str) -> str:
        """Return an address that keeps the organisation, where there are several."""
        kept = {"organisation": self.id} if len(self.others) > 1 else {}
        told = {name: value for name, value in {**kept, **more}.items() if value}
        return f"{path}?{urlencode(told)}" if told else path


def place_of(platform: Platform, visitor: Visitor, organisation_id: str = "", right: Right = Right.ADMINISTER) -> Place:
    """Return where the visitor administers: the organisation named, else the highest below the platform.

    Args:
        platform: its parts.
        visitor: who.
        organisation_id: the one that is named, if any.
        right: to manage archives instead of administering, for instance.

    Raises:
        NotFound: the visitor does not administer it; not told from one that does not exist.
    """
    administered = visitor.where(right)
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(Organisation).where(col(Organisation.id).in_(administered)).order_by(Organisation.path))
        others = tuple(found)
    wanted = next((one for one in others if one.id == organisation_id), None)
    if organisation_id and wanted is None:
        raise NotFound(words.messages("organisation.unknown"))
    first = next((one for one in others if one.kind != OrganisationKind.PLATFORM), others[0])
    return Place(wanted or first, others)


def _here(platform: Parts, visitor: Administers, organisation: Annotated[str, Query(max_length=26)] = "") -> Place:
    return place_of(platform, visitor, organisation)


Here = Annotated[Place, Depends(_here)]


def shown(
    request: Request, template: str, visitor: Visitor, place: Place, *, status: int = 200, done: str = "", **context: Any
) -> HTMLResponse:
    """Return a page of the administration; ``done`` says what the visitor has just done, when the page has words for it."""
    said = done if f"done.{done}" in words.of_page(template) else ""
    values = {"trouble": "", "csrf": visitor.csrf, "place": place, "a": words.of_page(_FRAME), "done": said}
    return render(request, template, visitor=visitor, status=status, **values | context)


def gone(place: Place, path: str, done: str) -> RedirectResponse:
    """Go to a page, and say there what was done."""
    return RedirectResponse(place.at(path, fait=done), status_code=303)


class Sheet:
    """A form as it was filled in; a name may stand several times."""

    def __init__(self, form: ImmutableMultiDict[str, Any]) -> None:
        self._form = form

    def text(self, name: str) -> str:
        """Return a value without the spaces around it; empty when it is not there."""
        return next(iter(self.texts(name)), "")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return every value of a name that is not empty.

        Raises:
            UsageError: longer than any field, or with characters that no keyboard writes.
        """
        found = tuple(value.strip() for value in self._form.getlist(name) if isinstance(value, str))
        if any(len(value) > _LONGEST or "\x00" in value for value in found):
            raise UsageError(words.of_page(_FRAME)("form.long", most=_LONGEST))
        return tuple(value for value in found if value)

    def number(self, name: str, *, otherwise: int) -> int:
        """Return a whole number; ``otherwise`` when nothing is written.

        Raises:
            UsageError: it is none.
        """
        text = self.text(name)
        if not text:
            return otherwise
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise UsageError(words.of_page(_FRAME)("form.number", found=text[:40]))
        return int(text)

    def file(self, name: str) -> bytes:
        """Return the content of a file; nothing when none was chosen.

        Raises:
            UsageError: it is larger than a mebibyte.
        """
        found = self._form.get(name)
        if not isinstance(found, UploadFile):
            return b""
        octets = found.file.read(_LARGEST_FILE + 1)
        if len(octets) > _LARGEST_FILE:
            raise UsageError(words.of_page(_FRAME)("form.file"))
        return octets

    def __contains__(self, name: str) -> bool:
        """Tell whether a name stands in the form: a box that is ticked, a button that was pressed."""
        return name in self._form


async def _sheet(request: Request) -> Sheet:
    return Sheet(await request.form(max_files=2, max_fields=_MOST_FIELDS, max_part_size=_LARGEST_FILE))


Filled = Annotated[Sheet, Depends(_sheet)]


def reason(error: ValidationError, sentences: words.PageWords) -> str:
    """Return why values do not make an object: the rule's own sentence, else the one that the page has for the value."""
    first = error.errors()[0]
    told = first.get("ctx", {}).get("error")
    if isinstance(told, ValueError):  # the rule is ours; other errors of pydantic tell theirs as text, for programmers
        return str(told)
    name = str(first["loc"][0]) if first["loc"] else ""
    key = f"wrong.{name}"
    return sentences(key) if key in sentences else words.of_page(_FRAME)("form.value", name=name)
