"""Some files of a record, as the form of a request names them: by their numbers in its list, whole when none is named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from api.tenants import holding
from api.web.archive.picking import Picked
from api.web.visitor import Visitor
from archive.finding.files import count_of, files_of
from archive.finding.requests import MOST_FILES, MOST_RECORDS
from archive.finding.seeing import open_to
from archive.models import Record, RecordFile
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right

_t = Catalogue("api.web.archive.requests")
LONGEST = 1000
_SHOWN = 100
_RUN = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class Part:
    """What the form shows of a record of which some files may be asked for.

    Attributes:
        said: the numbers, as they were typed.
        files: the first ones, of ``count``.
    """

    record: str
    title: str
    said: str
    files: Sequence[RecordFile]
    count: int


def field_of(record: str) -> str:
    """Return the name of the field in which the files of a record are named."""
    return f"pieces-{record}"


def ranks_in(text: str) -> frozenset[int]:
    """Return the numbers of a text: ``1, 3-5``; none when it is empty.

    Raises:
        UsageError: it names something else.
    """
    found: set[int] = set()
    for word in re.sub(r"\s*[-–]\s*", "-", text[: LONGEST + 1]).replace(",", " ").replace(";", " ").split():
        run = _RUN.fullmatch(word)
        first, last = (int(run[1]), int(run[2] or run[1])) if run else (1, 0)
        if len(text) > LONGEST or first > last:
            raise UsageError(_t("parts.unreadable", found=word[:40]))
        found.update(range(first, min(last, first + MOST_FILES) + 1))  # of too many, enough for that to be told
    return frozenset(found)


def parts_of(platform: Platform, visitor: Visitor, picked: Picked, said: Mapping[str, str]) -> list[Part]:
    """Return the records of a form of which a part may be asked for: those with several files, that the visitor reads."""
    titles = dict(picked.known[:MOST_RECORDS])
    with platform.database.reading(holding(visitor.principal, Right.READ)) as session:
        seen = select(Record.id).where(col(Record.id).in_(titles), open_to(visitor.principal), col(Record.eliminated).is_(None))
        counts = {record: count_of(session, record) for record in session.exec(seen)}
        return [
            Part(one, title, said.get(field_of(one), ""), files_of(session, one, limit=_SHOWN), counts[one])
            for one, title in titles.items()
            if counts.get(one, 0) > 1
        ]
