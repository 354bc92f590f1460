"""The referential as a table for spreadsheets: given out whole, taken in line by line as the next versions of rules.

The columns are French, as archivists exchange them. A line that says what is in force already, or names a version and says what
that one says, changes nothing, so that a table may be taken in twice. All that is wrong in a table is said at once, and nothing
of it is kept then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from pydantic import ValidationError
from sqlmodel import Session

from archive import spreadsheet
from archive.retention.changing import Wanted, follow
from archive.retention.referential import Known, all_versions, in_force
from archive.retention.rules import AccessDelay, Category, Delay, Ends, RetentionRule
from core import clock
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from schemas.seda.model import FinalAction

_messages = Catalogue("archive.retention")
COLUMNS = ("categorie", "code", "version", "libelle", "annees", "echeance", "sort_final", "source", "du", "au")
MOST = 500
_CATEGORIES = {
    "conservation": Category.APPRAISAL,
    "communicabilite": Category.ACCESS,
    "utilite-courante": Category.STORAGE,
    "gel": Category.HOLD,
}
_ENDS = {"anniversaire": Ends.ANNIVERSARY, "fin-annee": Ends.YEAR_END}
_ACTIONS = {"conserver": FinalAction.KEEP, "detruire": FinalAction.DESTROY}
Meaning = TypeVar("Meaning")
_NEEDED = ("categorie", "code", "libelle", "annees", "source")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line."""

    line: int
    message: str


class FaultyTable(UsageError):
    """A table cannot be taken in.

    Attributes:
        faults: every line that is wrong, in order.
    """

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(_messages("table.faulty", count=len(faults)))
        self.faults = tuple(faults)


def given_out(session: Session, organisation_id: str) -> bytes:
    """Return every version that an organisation knows, as a table."""
    return spreadsheet.written([COLUMNS, *map(_row, all_versions(session, organisation_id))])


def _row(one: Known) -> list[str]:
    delay = one.delay
    action = _word(_ACTIONS, delay.final_action) if isinstance(delay, RetentionRule) else ""
    return [
        _word(_CATEGORIES, one.category),
        delay.identifier,
        delay.version,
        delay.label,
        str(delay.years),
        _word(_ENDS, delay.ends),
        action,
        delay.source,
        f"{one.since:%d/%m/%Y}" if one.since else "",
        f"{one.until:%d/%m/%Y}" if one.until else "",
    ]


def _word(words: Mapping[str, object], meant: object) -> str:
    return next(word for word, meaning in words.items() if meaning == meant)


def take_in(platform: Platform, principal: Principal, organisation_id: str, octets: bytes) -> int:
    """Keep each line of a table as the next version of its rule, unless it says what is in force already, or a known version.

    Returns:
        How many versions were kept.

    Raises:
        Forbidden: the principal manages no archives there.
        UnreadableInput: it is no table.
        FaultyTable: lines are wrong; none is kept.
        Unavailable: a place of the archive does not answer: lines before it are kept, and the table may be taken in again.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    wanted = _read(octets)
    kept = 0
    for one in wanted:
        with platform.database.reading(PLATFORM) as session:
            if _stands(session, organisation_id, one):
                continue
        follow(platform, principal, organisation_id, one)
        kept += 1
    return kept


def _stands(session: Session, organisation_id: str, wanted: Wanted) -> bool:
    if any((one.category, one.delay) == (wanted.category, wanted.delay) for one in all_versions(session, organisation_id)):
        return (
            True  # a version that a table given out names, which another one may have followed since: it is no wish for the next
        )
    standing = (
        one.delay.model_copy(update={"version": ""})
        for one in in_force(session, organisation_id, wanted.category, max(wanted.since, _today()))
    )
    return wanted.delay.model_copy(update={"version": ""}) in list(standing)


def _today() -> date:
    return clock.in_paris(clock.now()).date()


def _read(octets: bytes) -> list[Wanted]:
    rows = list(spreadsheet.read(octets))
    head = rows[0][1] if rows else []
    if lacking := [name for name in _NEEDED if name not in head]:
        raise UsageError(_messages("table.columns", lacking=", ".join(lacking), columns=", ".join(COLUMNS)))
    if len(rows) > MOST:
        raise UsageError(_messages("table.long", most=MOST, found=len(rows)))
    found: list[Wanted] = []
    faults: list[Fault] = []
    for number, cells in rows[1:]:
        try:
            wanted = _wanted(dict(zip(head, cells, strict=False)))
        except UsageError as error:
            faults.append(Fault(number, str(error)))
        else:
            if wanted is not None:
                found.append(wanted)
    if faults:
        raise FaultyTable(faults)
    return found


def _wanted(cells: dict[str, str]) -> Wanted | None:
    """Return the rule of a line; None for one that has ended, which a table given out here has too."""
    if cells.get("au") and _day(cells["au"], "au") < _today():
        return None
    category = _meant(_CATEGORIES, "categorie", cells.get("categorie", ""))
    values: dict[str, object] = {
        "identifier": cells.get("code", ""),
        "label": cells.get("libelle", ""),
        "years": cells.get("annees", ""),
        "source": cells.get("source", ""),
        "ends": _meant(_ENDS, "echeance", cells.get("echeance") or "anniversaire"),
    }
    kinds: dict[Category, type[Delay]] = {Category.APPRAISAL: RetentionRule, Category.ACCESS: AccessDelay}
    if category is Category.APPRAISAL:
        values["final_action"] = _meant(_ACTIONS, "sort_final", cells.get("sort_final", ""))
    try:
        delay = kinds.get(category, Delay).model_validate(values)
    except ValidationError as error:
        raise UsageError(wrong_value(error)) from error
    delay = delay.model_copy(update={"version": cells.get("version", "")})
    return Wanted(category, delay, _day(cells["du"], "du") if cells.get("du") else _today())


def wrong_value(error: ValidationError) -> str:
    """Say which value of a rule is not as it must be."""
    return _messages(f"wrong.{error.errors()[0]['loc'][0]}")


def _meant(words: Mapping[str, Meaning], column: str, found: str) -> Meaning:
    if found not in words:
        raise UsageError(_messages("table.word", column=column, found=found[:40], known=", ".join(words)))
    return words[found]


def _day(text: str, column: str) -> date:
    for form in ("%d/%m/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    raise UsageError(_messages("table.day", column=column, found=text[:40]))
