"""Opaque cursors: a place in a list, as text that travels in an address."""

from __future__ import annotations

import base64
import binascii

from api.words import messages
from core import clock
from core.errors import UsageError
from flows.engine.reading import Place

_LONGEST = 200


def written(place: Place | None) -> str | None:
    """Return the cursor of a place."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(f"{clock.iso(place.created)} {place.id}".encode()).decode().rstrip("=")


def read(cursor: str | None) -> Place | None:
    """Return the place of a cursor.

    Raises:
        UsageError: it was not made here.
    """
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor[:_LONGEST] + "=" * (-len(cursor) % 4), altchars="-_", validate=True).decode()
        moment, identifier = text.split(" ")
        return Place(clock.from_iso(moment), identifier)
    except (binascii.Error, ValueError) as error:
        raise UsageError(messages("cursor.unknown")) from error
