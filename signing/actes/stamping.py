"""The "tampon" of acts: a copy of a PDF that shows, on each page, that the State has the act, and since when (actes 10).

It is a copy to be posted up and handed out, never the legal original: that one is what was transmitted, and it is what is
archived with the acknowledgement itself. The stamp is added behind the document, which stays in the copy to the octet. So a
signature that it bears still verifies over the revision that was signed, and a copy that is cut where the original ended is the
original again; as a whole the copy shows more than was signed, and whoever verifies it is told so.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from core import sandbox
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue, speaking
from signing.cades.seal import appearing
from signing.pades import LARGEST

_messages = Catalogue("signing.actes")
_SOURCE, _RESULT = "source.pdf", "stamped.pdf"
_MOST_PAGES, _MOST_ADDED = 5_000, 16 << 20
_PIECE = 1 << 20
_MEMORY, _SECONDS = 1 << 30, 60.0
_ANSWER = TypeAdapter(dict[str, int])


class NotStampable(UnreadableInput):
    """The document cannot take the stamp; the message says why, and that the original can be had."""


@dataclass(frozen=True, slots=True)
class StampText:
    """What the stamp says.

    Attributes:
        identifier: of the act, as the State knows it (IdActe).
        sent: the day on which it left for the préfecture.
        received: the State's own date of receipt (``DateReception`` of the acknowledgement).
        published: the day of its publication, when somebody chose to say it.
    """

    identifier: str
    sent: date
    received: date
    published: date | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the stamp, in French whoever reads: the act is a French one."""
        days = {"sent": self.sent, "received": self.received, "published": self.published}
        with speaking("fr"):
            told = [_messages(f"stamp.{name}", day=f"{day:%d/%m/%Y}") for name, day in days.items() if day]
            return (_messages("stamp.title"), self.identifier, *told)


@dataclass(frozen=True, slots=True)
class StampPlace:
    """Where the stamp's top left corner goes, on each page as it is shown; the stamp is then kept inside the page.

    Attributes:
        across: hundredths of the page's width, from its left side.
        down: hundredths of the page's height, from its top.
    """

    across: float = 100
    down: float = 0

    def __post_init__(self) -> None:
        """Refuse a place outside of the page."""
        if not (0 <= self.across <= 100 and 0 <= self.down <= 100):
            raise UsageError(_messages("stamp.place"))


def stamp(source: Path, target: Path, lines: StampText, place: StampPlace) -> None:
    """Write a copy of a PDF with the stamp on every page; never the legal original.

    The box is 235 points by 50, smaller on a page without room for it. The same input gives the same octets. The document is read
    in the sandbox.

    Args:
        source: of 160 MiB and 5 000 pages at most.
        target: where the copy appears, whole or not at all; at most 16 MiB larger.
        lines: what the stamp says.
        place: where it goes.

    Raises:
        NotStampable: no PDF, broken, encrypted, too large.
        Unavailable: too many wait for the sandbox.
    """
    if source.stat().st_size > LARGEST:
        raise _refused(_messages("stamp.large", limit=LARGEST >> 20))
    with tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True) as work:
        folder = Path(work)
        shutil.copyfile(source, folder / _SOURCE)
        _imprint(folder, lines, place)
        result = folder / _RESULT
        if not _adds_to(source, result):
            raise _refused(_messages("stamp.unread"))
        with appearing(target) as file:
            shutil.copyfile(result, file)


def _imprint(folder: Path, lines: StampText, place: StampPlace) -> None:
    """Have the stamp written in the sandbox."""
    asked: dict[str, sandbox.JsonValue] = {
        "source": _SOURCE,
        "result": _RESULT,
        "lines": list(lines.lines),
        "across": float(place.across),
        "down": float(place.down),
        "most": _MOST_PAGES,
    }
    try:
        answer = sandbox.call("signing.actes.imprint:imprint", asked, folder=folder, memory=_MEMORY, seconds=_SECONDS)
        told = _ANSWER.validate_python(answer)
    except sandbox.Declined as error:
        raise _refused(str(error)) from error
    except (sandbox.SandboxError, ValidationError) as error:
        raise _refused(_messages("stamp.unread")) from error
    if "beyond" in told:
        raise _refused(_messages("stamp.long", most=_MOST_PAGES))


def _adds_to(source: Path, result: Path) -> bool:
    """Tell whether a file is another with something behind: a child that was taken over may leave anything there."""
    if result.is_symlink() or not result.is_file():
        return False
    before = source.stat().st_size
    if not before < result.stat().st_size <= before + _MOST_ADDED:
        return False
    with source.open("rb") as first, result.open("rb") as second:
        while piece := first.read(_PIECE):
            if second.read(len(piece)) != piece:
                return False
    return True


def _refused(reason: str) -> NotStampable:
    return NotStampable(_messages("stamp.refused", reason=reason))
