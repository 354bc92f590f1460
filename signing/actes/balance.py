"""Whether a page's drawing gives back the graphics state as it took it (ISO 32000-2, 8.4.2): many do not.

What is drawn after such a page would be moved, turned or scaled with it, so that its ends are made up first.
"""

from __future__ import annotations

import re

_SPACE = rb"\0\t\n\f\r "
# What no operator stands in, the beginnings of a string and of an image within the page, and the two operators themselves.
_TOKEN = re.compile(
    rb"%[^\r\n]*+|<[0-9A-Fa-f" + _SPACE + rb"]*+>|(?P<string>\()"
    rb"|(?<![^" + _SPACE + rb">)\]}])(?:(?P<image>BI)|(?P<state>[qQ]))(?![^" + _SPACE + rb"<(\[{/%])"
)
_OF_STRING = re.compile(rb"\\.|[()]", re.DOTALL)
_DATA = re.compile(rb"(?<![^" + _SPACE + rb">)\]])ID[" + _SPACE + rb"]")
_END = re.compile(rb"[" + _SPACE + rb"]EI(?![^" + _SPACE + rb"/])")


def imbalance(drawing: bytes) -> tuple[int, int]:
    """Return how many states a drawing takes back (``Q``) that it did not save, and how many it saved (``q``) and left.

    It reads tokens, not the language: a drawing that is broken is taken for what it looks like.
    """
    depth = missing = place = 0
    while found := _TOKEN.search(drawing, place):
        place = found.end()
        if found["string"]:
            place = _after_string(drawing, place)
        elif found["image"]:
            place = _after_image(drawing, place)
        elif found["state"] == b"q":
            depth += 1
        elif found["state"] == b"Q" and depth:
            depth -= 1
        elif found["state"] == b"Q":
            missing += 1
    return missing, depth


def _after_string(drawing: bytes, place: int) -> int:
    """Return where a string that has begun ends (7.3.4.2), with those in it; one without an end takes all that follows."""
    depth = 1
    for found in _OF_STRING.finditer(drawing, place):
        depth += {b"(": 1, b")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return len(drawing)


def _after_image(drawing: bytes, place: int) -> int:
    """Return where an image within the page ends (8.9.7); one without an end takes all that follows."""
    data = _DATA.search(drawing, place)
    end = data and _END.search(drawing, data.end())
    return end.end() if end else len(drawing)
