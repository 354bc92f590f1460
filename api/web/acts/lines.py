"""The lines of a batch: a file, with the number and the object of the act that it becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from api.web.acts import pieces as papers
from api.web.acts.form import Typed, judge, read
from api.web.acts.pieces import Attached
from api.web.acts.sheet import ActSheet
from core.errors import UsageError
from core.messages import Catalogue

_t = Catalogue("api.web.acts")
_COUNTED = re.compile(r"(.*?)([0-9]{1,15})([^0-9]*)")


@dataclass(slots=True)
class Line:
    """A line.

    Attributes:
        files: its document, and the detached signature over it when one came too.
        typed: the act that it makes, with what the whole batch shares.
        sent: it has become an act.
    """

    files: tuple[Attached, ...]
    typed: Typed
    sent: bool = False

    @property
    def piece(self) -> Attached:
        """The document."""
        return self.files[0]

    @property
    def key(self) -> str:
        """What names the line in the form."""
        return self.piece.key

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong with it, by ``number``, ``subject`` or the anchor of its file."""
        return self.typed.problems

    @property
    def fault(self) -> str:
        """What is wrong with its file."""
        return self.problems.get(self.piece.anchor, "")

    @property
    def anchors(self) -> list[tuple[str, str]]:
        """Where each of its problems stands in the page, with its words."""
        return [(f"{name}-{self.key}" if name in {"number", "subject"} else name, words) for name, words in self.problems.items()]


def lines_of(sheet: ActSheet) -> list[Line]:
    """Return the lines of a form, in the order of the files; a file that has just come is called by its name."""
    shared = read(sheet.values, sheet.known)
    found = papers.typed(sheet.pieces(), sheet.known, shared.nature)
    signatures = {one.of: one for one in found if one.of}
    return [_line(sheet, shared, one, signatures.get(one.name)) for one in found if not one.of]


def _line(sheet: ActSheet, shared: Typed, piece: Attached, signature: Attached | None) -> Line:
    typed = replace(
        shared,
        number=sheet.values.get(f"number.{piece.key}", "").upper(),
        subject=sheet.values.get(f"subject.{piece.key}", _called(piece.name)),
        problems={},
    )
    return Line((piece, signature) if signature else (piece,), typed)


def _called(name: str) -> str:
    """Return an object that the name of a file proposes."""
    return " ".join(re.sub(r"[_-]+", " ", PurePath(name).stem).split())


def judge_lines(sheet: ActSheet, lines: Sequence[Line], shared: Sequence[str]) -> None:
    """Note what is wrong with each line but what is wrong with all; of two that bear one number, the second is wrong."""
    taken: set[str] = set()
    for line in lines:
        judge(sheet.platform, sheet.known, line.typed, line.files)
        for anchor in shared:
            line.problems.pop(anchor, None)
        if words := line.problems.pop("document", ""):
            line.typed.wrong(line.piece.anchor, words)
        if line.typed.number and line.typed.number in taken:
            line.typed.wrong("number", _t("wrong.batch.twice", number=line.typed.number))
        taken.add(line.typed.number)


def numbered(first: str, count: int) -> list[str]:
    """Return numbers that follow each other, the last digits of the first one counted up: ``2026_118``, then ``2026_119``.

    Raises:
        UsageError: the first one has no digits.
    """
    plain = first.upper()
    found = _COUNTED.fullmatch(plain)
    if found is None:
        raise UsageError(_t("wrong.batch.first"))
    before, digits, after = found.groups()
    return [f"{before}{int(digits) + rank:0{len(digits)}d}{after}" for rank in range(count)]
