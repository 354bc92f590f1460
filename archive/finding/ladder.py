"""Ranges of numbers in an inverted index: a number has a token for each width of step it stands on, and few cover a range.

Steps are 1, 8, 64 … numbers wide: up to 14 tokens of each width cover any range, where one token a number would take thousands.
"""

from __future__ import annotations

_BITS = 3
_LEVELS = 6  # the widest step: 32 768 numbers


def ladder(name: str, number: int) -> list[str]:
    """Return the tokens of a number, the narrowest step first."""
    return [_token(name, level, number >> (level * _BITS)) for level in range(_LEVELS)]


def rungs(name: str, first: int, last: int) -> list[str]:
    """Return the fewest tokens of which every number between these, both included, and no other, has one."""
    tokens: list[str] = []
    wide = 1 << _BITS
    for level in range(_LEVELS - 1):
        while first <= last and first % wide:
            tokens.append(_token(name, level, first))
            first += 1
        while first <= last and (last + 1) % wide:
            tokens.append(_token(name, level, last))
            last -= 1
        if first > last:
            return tokens
        first, last = first >> _BITS, last >> _BITS
    return [*tokens, *(_token(name, _LEVELS - 1, step) for step in range(first, last + 1))]


def _token(name: str, level: int, step: int) -> str:
    return f"{name}:{level}:{step}"
