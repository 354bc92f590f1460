"""A list as its address tells it: the tray, and what narrows it. A page that was opened from a list leads back to that list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlencode

from signing.parapheur.models import StepKind
from signing.parapheur.trays import Tray, Wanted

_LONGEST = 400
_LONGEST_TEXT = 100
_IDENTIFIER = 26
_NAMES = {"bureau": "desk_id", "demande": "kind", "type": "subtype_id", "q": "text"}


@dataclass(frozen=True, slots=True)
class Listing:
    """A tray, narrowed."""

    tray: Tray = Tray.TO_DO
    wanted: Wanted = field(default_factory=Wanted)

    @classmethod
    def of(cls, tray: Tray, told: dict[str, str]) -> Self:
        """Return the list that the query of an address tells; what cannot be does not narrow."""
        kind = told.get("demande", "")
        return cls(
            tray,
            Wanted(
                desk_id=_identifier(told.get("bureau", "")),
                text=told.get("q", "").strip()[:_LONGEST_TEXT],
                kind=kind if kind in set(StepKind) else "",
                subtype_id=_identifier(told.get("type", "")),
            ),
        )

    @classmethod
    def read(cls, told: str) -> Self | None:
        """Return the list that ``told`` names, as ``text`` writes it; None when it names none."""
        name, _, query = told[:_LONGEST].partition("?")
        return cls.of(Tray(name), dict(parse_qsl(query))) if name in set(Tray) else None

    @property
    def text(self) -> str:
        """The list in one value: ``a-traiter?bureau=…``."""
        query = urlencode(self.filters)
        return f"{self.tray.value}?{query}" if query else self.tray.value

    @property
    def filters(self) -> dict[str, str]:
        """What narrows it, by the names of an address."""
        return {name: value for name, told in _NAMES.items() if (value := getattr(self.wanted, told))}

    @property
    def narrowed(self) -> bool:
        """Whether something else than the desk narrows it."""
        return bool(self.filters.keys() - {"bureau"})

    def address(self, **more: str | None) -> str:
        """Return the address of the list, with more in its query."""
        query = urlencode({name: value for name, value in {**self.filters, **more}.items() if value})
        return f"/parapheur/{self.tray.value}{'?' + query if query else ''}"


def folder_address(folder_id: str, listing: Listing | None, **more: str | None) -> str:
    """Return the address of a folder that is opened from a list."""
    told = {**more, "depuis": listing.text if listing else None}
    query = urlencode({name: value for name, value in told.items() if value})
    return f"/parapheur/dossiers/{folder_id}{'?' + query if query else ''}"


def _identifier(told: str) -> str:
    return told if len(told) == _IDENTIFIER and told.isascii() and told.isalnum() else ""
