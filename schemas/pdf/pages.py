"""What is known of a document before any of its pages is shown."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.messages import Catalogue
from schemas.pdf.sizes import pixels

messages = Catalogue("schemas.pdf")
_QUARTERS = (90, 270)
_UNIT = Field(ge=-1e7, le=1e7, allow_inf_nan=False)


class Page(BaseModel):
    """A page as it is stored and shown.

    Attributes:
        left, bottom, right, top: the part that is shown, in points, from the origin of the page as it is stored.
        rotation: degrees that it is turned clockwise when shown.
    """

    model_config = ConfigDict(frozen=True)

    left: float = _UNIT
    bottom: float = _UNIT
    right: float = _UNIT
    top: float = _UNIT
    rotation: Literal[0, 90, 180, 270] = 0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as it is shown, in points, at least 1."""
        wide, high = max(1.0, self.right - self.left), max(1.0, self.top - self.bottom)
        return (high, wide) if self.rotation in _QUARTERS else (wide, high)

    def pixels(self, width: int) -> tuple[int, int]:
        """Return width and height of an image of the page of a width, smaller where it would be too large."""
        return pixels(*self.size, width)


class Inspection(BaseModel):
    """What a document is.

    Attributes:
        kind: ``pdf``, ``picture``, ``text``, or ``other``: not shown here.
        count: number of pages.
        first: number of the first of ``pages``, from 1.
        pages: some of the pages, in order.
        title: the one that the document gives itself, or nothing.
        encrypted: it is, and opens without a password.
        active: what it carries that is never run or opened here: ``script``, ``program``, ``files``.
        problem: why it cannot be shown; None when it can.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["pdf", "picture", "text", "other"]
    count: int = Field(0, ge=0, le=1_000_000)
    first: int = Field(1, ge=1)
    pages: tuple[Page, ...] = ()
    title: str = Field("", max_length=300)
    encrypted: bool = False
    active: tuple[Literal["script", "program", "files"], ...] = ()
    problem: Literal["unreadable", "password", "empty", "too_large", "too_long"] | None = None

    def page(self, number: int) -> Page | None:
        """Return a page by its number, when it is among those that were asked for."""
        rank = number - self.first
        return self.pages[rank] if 0 <= rank < len(self.pages) else None

    @property
    def reason(self) -> str:
        """Why it cannot be shown, for people; empty when it can."""
        return messages(f"problem.{self.problem}") if self.problem else ""

    @property
    def warnings(self) -> list[str]:
        """What a reader should know of it, for people."""
        return [messages(f"active.{one}") for one in self.active]
