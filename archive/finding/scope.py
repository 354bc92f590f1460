"""Which organisations a reader reads in, as the index is asked for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlmodel import select

from archive.finding.words import facet
from core.database import ScopedSession
from core.organisations import Organisation

_DENSE = 20


@dataclass(frozen=True, slots=True)
class Scope:
    """Organisations, and the fewest tokens that stand for them.

    Attributes:
        organisations: by identifier, each of them.
        tokens: ``org`` stands for an organisation with all below it, ``own`` for itself alone.
        dense: they are no small part of all that there are.
    """

    organisations: tuple[str, ...]
    tokens: tuple[str, ...]
    dense: bool


def scope_of(session: ScopedSession, organisations: Collection[str]) -> Scope | None:
    """Return the scope of these organisations; None when they are all there are.

    Args:
        session: one that sees every organisation.
        organisations: by identifier.
    """
    held = frozenset(organisations)
    lines = [path.strip("/").split("/") for path in session.exec(select(Organisation.path))]  # some hundreds, narrow
    partly = {above for line in lines if line[-1] not in held for above in line}
    if not partly:
        return None
    tokens = []
    for line in lines:
        if line[-1] in partly and line[-1] in held:
            tokens.append(facet("own", line[-1]))
        elif line[-1] not in partly and (len(line) == 1 or line[-2] in partly):
            tokens.append(facet("org", line[-1]))
    return Scope(tuple(held), tuple(tokens), len(held) * _DENSE >= len(lines))
