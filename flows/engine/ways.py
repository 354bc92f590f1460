"""The way of a dossier through its flow: behind it, and the shortest one ahead, as its page draws it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from flows.engine.table import End, Flow


def way(flow: Flow, state: str) -> tuple[list[str], list[str]]:
    """Return the states on the way to a state, itself last, and those still ahead on the shortest way to a good end."""
    behind = _shortest(flow, flow.start, lambda reached: reached == state)
    ahead = _shortest(flow, state, lambda reached: isinstance(row := flow.rows[reached], End) and row.good)
    return behind or [state], ahead[1:]


def _shortest(flow: Flow, start: str, arrived: Callable[[str], bool]) -> list[str]:
    paths, known = deque([[start]]), {start}
    while paths:
        path = paths.popleft()
        if arrived(path[-1]):
            return path
        for target in flow.rows[path[-1]].leads.values():
            if target not in known:
                known.add(target)
                paths.append([*path, target])
    return []
