"""A form of acts while it is filled in: whose it is, for which organisation, what was typed, which files have come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData

from api.problems import fault_of
from api.tenants import organisation_named, where
from api.web.acts import pieces as papers
from api.web.acts.form import Typed, values_of
from api.web.acts.known import Known, known_of
from api.web.acts.pieces import Attached
from api.web.acts.publish_later import of_publication
from api.web.rows import Button, button
from api.web.visitor import Visitor
from api.words import of_page
from core import clock
from core.blobs import TooLarge
from core.errors import Conflict, NeedsOperator, NotFound, Unavailable, UsageError
from core.identifiers import new_id
from core.platform import Platform
from core.principal import Principal, Right
from flows.actes import drafts

NAME = re.compile(r"[0-9A-Z]{26}")
REFUSED = (UsageError, TooLarge, Conflict, NeedsOperator, NotFound, Unavailable)
SAVE, SEND = "save", "send"
_DEPOSIT_WORDS = of_page("web/deposit/upload.html")


@dataclass(frozen=True, slots=True)
class ActSheet:
    """A form.

    Attributes:
        known: the organisation for which it is filled in.
        id: names it in its address, to its uploads, as a draft, and as the key of what is made of it.
        values: what was typed.
        filled: the same with names that stand several times, and files; empty for a page that is only opened.
    """

    platform: Platform
    visitor: Visitor
    known: Known
    id: str
    values: Mapping[str, str]
    filled: FormData

    @property
    def place(self) -> str:
        """What its uploads are sent for."""
        return papers.place_of(self.id)

    @property
    def source(self) -> str:
        """The act that it mends; empty when it mends none."""
        return self.values.get("depuis", "")

    @property
    def deed(self) -> str:
        """The button that was pressed, as the form tells it."""
        return self.values.get("do", "")

    @property
    def pressed(self) -> Button:
        """The same, with the rank of the file that it belongs to."""
        return button(self.deed)

    @property
    def moved(self) -> bool:
        """Another organisation was chosen than the one whose lists it shows."""
        return self.values.get("montre", self.known.organisation.id) != self.known.organisation.id

    def pieces(self) -> list[Attached]:
        """Return its files in their order, once the button that was pressed has done what it does to them."""
        found = papers.of_form(self.platform, self.visitor.principal, self.place, self.filled, self.source)
        return papers.arranged(self.platform, self.visitor.principal, found, self.pressed)

    def with_values(self, changed: Mapping[str, str]) -> ActSheet:
        """Return the same form with other values in some fields."""
        others = [(name, told) for name, told in self.filled.multi_items() if name not in changed]
        return replace(self, values={**self.values, **changed}, filled=FormData([*others, *changed.items()]))

    def context(self, typed: Typed, problems: Mapping[str, str]) -> dict[str, Any]:
        """Return what every page of such a form is given: the organisation, what was typed, what is wrong."""
        here, now = self.known.organisation, clock.now()
        return {
            "organisations": where(self.platform, self.visitor.principal, Right.DEPOSIT),
            "here": here,
            "known": self.known,
            "typed": typed,
            "problems": problems,
            "moved_to": self.moved,
            "sheet": self.id,
            "today": clock.in_paris(now).date(),
            "until": clock.in_paris(now + drafts.LASTS).date(),
            "days": drafts.LASTS.days,
            "limit": self.platform.settings.upload_limit,
            "may_administer": self.visitor.principal.may(Right.ADMINISTER, here.id),
            "deposit_words": _DEPOSIT_WORDS,
            **of_publication(self.platform, here.id, typed),
        }

    def keep_files(self) -> dict[str, str]:
        """Keep the files that came with it; return what is wrong with them, by anchor."""
        try:
            papers.keep(self.platform, self.visitor.principal, self.known.organisation.id, self.place, self.filled)
        except REFUSED as error:
            return {"document": fault_of(error).detail}
        return {}


def sheet_sent(platform: Platform, visitor: Visitor, filled: FormData) -> ActSheet:
    """Return the form that a visitor sent.

    Raises:
        Forbidden: it comes from elsewhere, or the visitor may not deposit for the organisation.
        NotFound: there is no such organisation.
    """
    values = values_of(filled)
    visitor.check(values.get("csrf"))
    organisation = organisation_named(platform, visitor.principal, values.get("organisation", ""))
    visitor.principal.require(Right.DEPOSIT, organisation.id)
    told = values.get("saisie", "")
    known = known_of(platform, visitor.principal, organisation)
    return ActSheet(platform, visitor, known, told if NAME.fullmatch(told) else new_id(), values, filled)


def known_by(platform: Platform, principal: Principal, organisation_id: str) -> Known:
    """Return what is known of the organisation that a page is opened for; of the first one by name, when it is none."""
    organisations = where(platform, principal, Right.DEPOSIT)
    here = next((one for one in organisations if one.id == organisation_id), None) or organisations[0]
    return known_of(platform, principal, here)
