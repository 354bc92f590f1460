"""The row of tabs on every page of the archive: a page is named there for whoever may open it.

What lives here: the tabs, in their order. What does not: who may open a page, which its router asks again (``api/web/site.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from api.web.visitor import Visitor
from archive.elimination.taking_part import RIGHTS, taking_part
from core.messages import Catalogue
from core.principal import Right

_messages = Catalogue("api.web.archive")
TABS: tuple[tuple[str, str, tuple[Right, ...]], ...] = (
    ("home", "/archives", (Right.READ,)),
    ("verifier", "/archives/verifier", (Right.READ,)),
    ("versements", "/archives/versements", (Right.READ, Right.ARCHIVE)),
    ("sae", "/archives/sae", (Right.READ, Right.ARCHIVE)),
    ("eliminations", "/archives/eliminations", RIGHTS),
    ("gels", "/archives/gels", (Right.ARCHIVE,)),
    ("corrections", "/archives/corrections", (Right.ARCHIVE, Right.CONTROL)),
    ("regles", "/archives/regles", (Right.ARCHIVE,)),
    ("registre", "/archives/registre", (Right.ARCHIVE, Right.CONTROL)),
    ("demandes", "/archives/demandes", (Right.ARCHIVE, Right.CONTROL)),
    ("restitutions", "/archives/restitutions", (Right.ARCHIVE,)),
    ("incidents", "/archives/incidents", (Right.ARCHIVE, Right.OPERATE)),
    ("lieux", "/archives/lieux", (Right.ARCHIVE, Right.OPERATE)),
)
"""Each page: the name that its words and the template know it by, its address, the rights of which one is enough."""
_HOMES = (
    (Right.READ, "/archives"),
    (Right.ARCHIVE, "/archives/versements"),
    (Right.CONTROL, "/archives/eliminations"),
    (Right.OPERATE, "/archives/lieux"),
)
"""Where each begins: who operates sees how the archive is kept and watched, and nothing of what it holds."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab as it is shown."""

    name: str
    words: str
    address: str


@dataclass(frozen=True, slots=True)
class Row:
    """The tabs that a visitor sees, and what the row is called for whoever does not see it."""

    words: str
    tabs: tuple[Tab, ...]


def row_of(visitor: Visitor) -> Row:
    """Return the tabs of a visitor, in order."""
    return Row(
        _messages("tabs"),
        tuple(Tab(name, _messages(f"tab.{name}"), address) for name, address, rights in TABS if _opens(visitor, name, rights)),
    )


def _opens(visitor: Visitor, name: str, rights: tuple[Right, ...]) -> bool:
    if name == "eliminations":
        return bool(taking_part(visitor.principal).grants)
    return any(visitor.where(right) for right in rights)


def home_of(visitor: Visitor) -> str | None:
    """Return the page of the archive on which a visitor begins; None when there is none."""
    found = next((address for right, address in _HOMES if visitor.where(right)), None)
    return found or ("/archives/eliminations" if taking_part(visitor.principal).grants else None)
