"""What the services of the simulated Chorus Pro share: who asks, what is known, and how a service answers or refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.chorus.simulated_store import Store
from connectors.chorus.simulated_world import Technical, World

SUCCESS = "TRA_MSG_00.000"
NO_RESULT = (20000, "TRA_MSG_00.015")
_PAGE, _LARGEST_PAGE = 10, 1000


class Refusal(Exception):
    """A service refuses: ``code`` and ``wording`` are told with a status of HTTP that may well be 200."""

    def __init__(self, code: int, wording: str, status: int = 200) -> None:
        super().__init__(wording)
        self.code, self.wording, self.status = code, wording, status


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: who asks, for what, and a private folder for files."""

    account: Technical
    body: Mapping[str, Any]
    folder: Path

    def member(self, name: str) -> Any:
        """Return a member; None when it is absent or empty."""
        return self.body.get(name) or None


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and the file that ``fichierResultat`` is to hold."""

    members: dict[str, Any]
    file: Path | None = None


Answerer = Callable[[Asked], Told]


@dataclass(slots=True)
class Portal:
    """What the services know.

    Attributes:
        store: invoices, deposits, tokens.
        world: structures and accounts; may be replaced by another at any time.
        clock: the present moment.
        reformed: whether it is after 1 September 2026: A_RECYCLER is no longer taken.
        delay: seconds that a deposit stays in each state.
        fates: what a deposit comes to, by the name of its file, whatever it holds.
    """

    store: Store
    world: World
    clock: Callable[[], datetime]
    reformed: bool
    delay: float
    fates: dict[str, str]


def page_asked(block: Any, default: int = _PAGE) -> tuple[int, int]:
    """Return number and size of the page that is asked for."""
    asked = block if isinstance(block, dict) else {}
    size = int(asked.get("nbResultatsParPage") or default)
    return max(1, int(asked.get("pageResultatDemandee") or 1)), max(1, min(size, _LARGEST_PAGE))


def paging(number: int, size: int, total: int) -> dict[str, int]:
    """Return what tells the place of a page."""
    return {"pageCourante": number, "pages": max(1, -(-total // size)), "nbResultatsParPage": size, "total": total}
