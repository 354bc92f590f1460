"""What keeps a PES from being read (rule R01), said to the person who has to mend it: the mistakes that are made most."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from core.messages import Catalogue
from core.problems import Problem, problem_in_words
from schemas.pes.encoding import Declaration
from schemas.xml import Malformed

_problem = partial(problem_in_words, Catalogue("schemas.pes"), "R01")
# What libxml2 says, by what it mostly means.
_MEANINGS = (
    (re.compile(r"EntityRef|Entity '.*' not defined|Unescaped '<'|attributes construct error"), "reserved"),
    (re.compile(r"invalid (character|Char|xmlChar)"), "character"),
)
_PLACE = re.compile(r"line (\d+), column (\d+)$")
_BEFORE, _AFTER = 40, 20
_CHUNK = 1 << 20


def malformed(path: Path, declaration: Declaration, error: Malformed) -> Problem:
    """Return what is wrong with a file that is no well-formed XML."""
    if declaration.media_type is not None:
        return _problem("other", line=1, found=declaration.media_type)
    if declaration.late:
        return _problem("late", line=1)
    if "encoding" in error.reason.lower():
        return _problem("encoding", line=error.line, found=declaration.bom or declaration.encoding or "UTF-8")
    meaning = next((key for said, key in _MEANINGS if said.search(error.reason)), None)
    place = _PLACE.search(error.reason)
    if meaning is None or place is None:
        return _problem(line=error.line, found=error.reason)
    return _problem(meaning, line=error.line, found=_around(path, int(place[1]), int(place[2])))


def _around(path: Path, line: int, column: int) -> str:
    """Return what stands before and after a place; of a file of one line, no more than that is kept."""
    with path.open("rb") as stream:
        start = _start_of(path, line) + column
        stream.seek(max(0, start - _BEFORE))
        text = stream.read(_BEFORE + _AFTER).decode("iso-8859-1")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _start_of(path: Path, line: int) -> int:
    """Return the offset of a line, from 1."""
    offset, left = 0, line - 1
    with path.open("rb") as stream:
        while left > 0 and (chunk := stream.read(_CHUNK)):
            breaks = chunk.count(b"\n")
            if breaks < left:
                left, offset = left - breaks, offset + len(chunk)
                continue
            at = -1
            for _ in range(left):
                at = chunk.index(b"\n", at + 1)
            return offset + at + 1
    return offset
