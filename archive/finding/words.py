"""The words that records are found by: made here, the same for every database, of what a manifest says and a reader types.

What lives here: folding, stems, numbers kept whole, days as a handful of tokens. What does not: which of a record's facts become
tokens (`archive.finding.index`), how a question is put together (`archive.finding.search`).

A word is folded (case and accents off), then cut to its French stem (Snowball). In that order: whoever types without accents
finds what was written with them. Both the word and its stem are kept, so that the first letters of a word are enough to find it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, lru_cache
from typing import Any

from archive.finding.ladder import ladder, rungs

MOST = 20_000
"""How many tokens of a record are kept: far above what any manifest of ours says."""
_LONGEST = 64
_WORD = re.compile(r"[^\W_]+(?:[-./_][^\W_]+)*")
_NO_FACET = re.compile(r"[^a-z0-9.:-]+")
_FIRST_DAY = date(1700, 1, 1).toordinal()
_PARTS = re.compile(r"[-./_]+")
_EMPTY = frozenset(
    {"a", "au", "aux", "avec", "c", "d", "dans", "de", "des", "du", "en", "et", "j", "l", "la", "le", "les", "m", "n", "ou"}
    | {"par", "pour", "qu", "que", "qui", "s", "sa", "se", "ses", "son", "sur", "t", "un", "une", "y"}
)


def folded(text: str) -> str:
    """Return a text without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE"))
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def tokens_of(texts: Iterable[str]) -> dict[str, None]:
    """Return the tokens of texts, in order, each once.

    A compound that holds a digit (``2026-118``) is a token whole, with its parts beside it; any other is its parts.
    """
    found: dict[str, None] = {}
    for text in texts:
        for word, parts in _words(text):
            if len(found) >= MOST:
                return found
            if word is not None:
                found[word] = None
            for part in parts:
                found[part] = None
                found[stem(part)] = None
    return found


def wanted_of(text: str) -> tuple[list[str], list[str]]:
    """Return what a reader asks for: the tokens that must be there, and the beginnings, each typed with a star.

    A number that was typed whole must be there whole; of a word its stem.
    """
    tokens: dict[str, None] = {}
    beginnings: dict[str, None] = {}
    for typed in text.split():
        if typed.endswith("*"):
            beginnings.update((word or "-".join(parts), None) for word, parts in _words(typed))
            continue
        for word, parts in _words(typed):
            tokens.update({word: None} if word is not None else {stem(part): None for part in parts})
    return list(tokens), [beginning for beginning in beginnings if beginning]


def _words(text: str) -> Iterator[tuple[str | None, list[str]]]:
    """Yield every word: whole when it holds a digit and parts, else None; and its parts that say something."""
    for match in _WORD.finditer(folded(text)):
        parts = [part[:_LONGEST] for part in _PARTS.split(match[0]) if part not in _EMPTY]
        compound = len(parts) > 1 and any(char.isdigit() for char in match[0])
        yield ("-".join(parts)[:_LONGEST] if compound else None), parts


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return the stem of a folded word; what holds a digit is its own."""
    if any(char.isdigit() for char in word):
        return word
    return str(_stemmer().stemWord(word))


@cache
def _stemmer() -> Any:
    import snowballstemmer  # type: ignore[import-untyped]  # a web process at rest holds no stemmer

    return snowballstemmer.stemmer("french")


def facet(name: str, value: str) -> str:
    """Return the token of a fact that is no word: its name, a colon, which no word holds, and its value."""
    return f"{name}:{_NO_FACET.sub('-', folded(value))}"


def day_tokens(name: str, day: date) -> list[str]:
    """Return the tokens of a day, which ``up_to`` asks for."""
    return ladder(name, _days(day))


def up_to(name: str, day: date) -> list[str]:
    """Return the tokens of which every day up to this one, and no later one, has one: some dozens at most."""
    return rungs(name, 0, _days(day))


def _days(day: date) -> int:
    """Return a day as a number; what is older than any archive counts as its first day."""
    return max(0, day.toordinal() - _FIRST_DAY)
