"""A flow drawn from its declaration, as SVG: for the documentation, and for a dossier's page with its state marked.

The way to the good end runs along the first line; the other states hang below the first state that leads to them.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

from flows.engine.table import End, Flow, Wait

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 148, 48, 92, 74, 16


def draw(flow: Flow, label: Callable[[str], str], current: str | None = None, title: str = "") -> str:
    """Return the SVG of a flow.

    Args:
        flow: what to draw.
        label: gives the words for a state (``state.<name>``) or an outcome (``outcome.<name>``).
        current: the state to mark.
        title: what a screen reader announces.
    """
    places = _place(flow)
    columns = max(column for column, _ in places.values()) + 1
    lines = max(line for _, line in places.values()) + 1
    width = 2 * _MARGIN + columns * _WIDTH + (columns - 1) * _GAP_X
    height = 2 * _MARGIN + lines * _HEIGHT + (lines - 1) * _GAP_Y
    arrows = [
        _arrow(places[state], places[target], label(f"outcome.{outcome}"))
        for state, row in flow.rows.items()
        for outcome, target in _merged(row.leads)
    ]
    boxes = [_box(flow, state, places[state], label(f"state.{state}"), state == current) for state in flow.rows]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label={quoteattr(title or flow.name)}>'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#5a6780"/></marker></defs>'
        f"{''.join(arrows)}{''.join(boxes)}</svg>"
    )


def _merged(leads: dict[str, str]) -> list[tuple[str, str]]:
    """Return one outcome for each target: two arrows between the same boxes would cover each other."""
    first = {target: outcome for outcome, target in reversed(leads.items())}
    return [(outcome, target) for target, outcome in first.items()]


def _place(flow: Flow) -> dict[str, tuple[int, int]]:
    main = _main_line(flow)
    places = {state: (column, 0) for column, state in enumerate(main)}
    taken = set(places.values())
    for state in flow.rows:
        for target in flow.rows[state].leads.values():
            if target in places:
                continue
            column, line = places.get(state, (0, 0))[0], 1
            while (column, line) in taken:
                line += 1
            places[target] = (column, line)
            taken.add((column, line))
    return places


def _main_line(flow: Flow) -> list[str]:
    """Return the longest way without a loop from the start to a good end."""
    best: list[str] = []

    def walk(path: list[str]) -> None:
        nonlocal best
        row = flow.rows[path[-1]]
        if isinstance(row, End) and row.good and len(path) > len(best):
            best = path
        for target in row.leads.values():
            if target not in path:
                walk([*path, target])

    walk([flow.start])
    return best or [flow.start]


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return _MARGIN + place[0] * (_WIDTH + _GAP_X), _MARGIN + place[1] * (_HEIGHT + _GAP_Y)


def _box(flow: Flow, state: str, place: tuple[int, int], words: str, marked: bool) -> str:
    x, y = _corner(place)
    row = flow.rows[state]
    stroke = "#17663f" if isinstance(row, End) and row.good else "#a8261b" if isinstance(row, End) else "#3d4a66"
    dash = ' stroke-dasharray="5 4"' if isinstance(row, Wait) else ""
    fill, ink = ("#1f3fae", "#ffffff") if marked else ("#ffffff", "#14213d")
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"{dash}/>'
        f'<text x="{x + _WIDTH // 2}" y="{y + _HEIGHT // 2 + 5}" text-anchor="middle" font-size="14" '
        f'font-family="Inter, system-ui, sans-serif" fill="{ink}">{escape(words)}</text>'
    )


def _arrow(origin: tuple[int, int], target: tuple[int, int], words: str) -> str:
    (x1, y1), (x2, y2) = _corner(origin), _corner(target)
    if origin[1] == target[1] and target[0] == origin[0] + 1:
        start, end = (x1 + _WIDTH, y1 + _HEIGHT // 2), (x2, y2 + _HEIGHT // 2)
    elif target[1] > origin[1]:
        start, end = (x1 + _WIDTH // 2, y1 + _HEIGHT), (x2 + _WIDTH // 2, y2)
    else:
        start, end = (x1 + _WIDTH // 2, y1), (x2 + _WIDTH // 2, y2 + _HEIGHT)
    middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
    return (
        f'<path d="M{start[0]} {start[1]}L{end[0]} {end[1]}" fill="none" '
        f'stroke="#5a6780" stroke-width="1.5" marker-end="url(#head)"/>'
        f'<text x="{middle[0]}" y="{middle[1] - 6}" text-anchor="middle" font-size="12" fill="#5a6780" stroke="#fbfaf7" '
        f'stroke-width="4" paint-order="stroke" font-family="Inter, system-ui, sans-serif">{escape(words)}</text>'
    )
