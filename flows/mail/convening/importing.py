"""Members of an assembly from a spreadsheet: a CSV whose first line names its columns; the whole of it, or every faulty line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from core.database import ScopedSession
from core.errors import Conflict, Forbidden, Refused, UnreadableInput, UsageError
from core.messages import Catalogue
from core.principal import Principal
from core.problems import Problem, Severity
from flows.mail.convening import assemblies
from flows.mail.convening.assemblies import MemberDetails
from flows.mail.convening.meetings import members_of
from flows.mail.convening.models import Assembly, AssemblyMember
from schemas.mail import addresses

_t = Catalogue("flows.mail.convening")
COLUMNS = ("nom", "adresse", "fonction", "rang", "suppleant_de", "papier")
_WANTED = frozenset({"nom", "adresse"})
_YES, _NO = frozenset({"oui", "o", "x", "1", "yes"}), frozenset({"", "non", "n", "0", "no"})
LARGEST = 512 * 1024
_MOST_LINES = 2000
_RULE = "CSV"


@dataclass(frozen=True, slots=True)
class Imported:
    """How many members were added, and how many were changed."""

    added: int
    changed: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the file, from 1 for the names of columns."""

    number: int
    cells: dict[str, str]


def bring_in(session: ScopedSession, principal: Principal, assembly: Assembly, raw: bytes) -> Imported:
    """Add the members that a file names, and change those whom the assembly knows by their address, or on paper by their name.

    Args:
        session: one that may write for the organisation.
        principal: who administers or deposits there.
        assembly: whose members they are.
        raw: CSV in UTF-8 or Windows-1252, its columns (``COLUMNS``) separated by semicolons, commas or tabs.

    Raises:
        Forbidden: the principal may not there.
        UnreadableInput: it is no such file.
        Refused: lines are faulty, each with what is wrong; nothing is kept of any (the session's block must end by this error).
    """
    if not assemblies.may_change(principal, assembly.organisation_id):
        raise Forbidden(_t("assembly.forbidden"))
    lines = list(_lines(raw))
    problems: list[Problem] = []
    counts = {True: 0, False: 0}
    # Those who sit first: an alternate names one of them.
    for line in sorted(lines, key=lambda one: bool(one.cells["suppleant_de"])):
        try:
            counts[_take(session, principal, assembly, line)] += 1
        except (UsageError, Conflict) as error:
            problems.append(Problem(_RULE, Severity.ERROR, str(error), line=line.number, found=";".join(line.cells.values())))
    if problems:
        raise Refused(sorted(problems, key=lambda one: one.line or 0))
    return Imported(counts[True], counts[False])


def _take(session: ScopedSession, principal: Principal, assembly: Assembly, line: _Line) -> bool:
    """Add or change the member of a line; tell whether they were added."""
    cells, every = line.cells, members_of(session, assembly.id)
    paper = _yes(cells["papier"])
    details = MemberDetails(
        cells["nom"], cells["adresse"], cells["fonction"], _rank(cells["rang"]), _titular(cells["suppleant_de"], every), paper
    )
    known = _known(every, details)
    if known is None:
        assemblies.add_member(session, principal, assembly, details)
    else:
        assemblies.change_member(session, principal, assembly, known, details)
    return known is None


def _known(every: list[AssemblyMember], details: MemberDetails) -> AssemblyMember | None:
    if details.paper:
        return next((one for one in every if one.paper and _same(one.name, details.name)), None)
    addresses.check(details.address)
    normal = addresses.normal(details.address)
    return next((one for one in every if one.normal == normal), None)


def _titular(told: str, every: list[AssemblyMember]) -> str | None:
    if not told:
        return None
    found = [one for one in every if _same(one.name, told) or one.address.casefold() == told.casefold()]
    if len(found) != 1:
        raise UsageError(_t("csv.alternate", found=told[:80]))
    return found[0].id


def _lines(raw: bytes) -> Iterator[_Line]:
    if len(raw) > LARGEST:
        raise UnreadableInput(_t("csv.large", most=LARGEST // 1024))
    text = _text(raw)
    head, _, _ = text.partition("\n")
    separator = max(";,\t", key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [_column(cell) for cell in next(rows, [])]
        if not {*names} >= _WANTED:
            raise UnreadableInput(_t("csv.columns", columns=", ".join(COLUMNS), found=", ".join(names)[:100]))
        for number, row in enumerate(rows, 2):
            if number > _MOST_LINES:
                raise UnreadableInput(_t("csv.many", most=_MOST_LINES))
            cells = dict(zip(names, (cell.strip() for cell in row), strict=False))
            if any(cells.values()):
                yield _Line(number, {name: cells.get(name, "") for name in COLUMNS})
    except csv.Error as error:
        raise UnreadableInput(_t("csv.unreadable")) from error


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    if "\x00" in text or not text.strip():
        raise UnreadableInput(_t("csv.unreadable"))
    return text


def _column(cell: str) -> str:
    plain = cell.strip().casefold().replace("é", "e").replace(" ", "_")
    return {"suppleant": "suppleant_de", "courriel": "adresse", "name": "nom", "address": "adresse"}.get(plain, plain)


def _rank(told: str) -> int:
    if told and not (told.isascii() and told.isdigit() and len(told) < 5):
        raise UsageError(_t("csv.rank", found=told[:20]))
    return int(told or 0)


def _yes(told: str) -> bool:
    if told.casefold() not in _YES | _NO:
        raise UsageError(_t("csv.yes", found=told[:20]))
    return told.casefold() in _YES


def _same(name: str, other: str) -> bool:
    return " ".join(name.split()).casefold() == " ".join(other.split()).casefold()
