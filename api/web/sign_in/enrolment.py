"""What is shown to somebody who enrols a second factor: the secret as text, and as a QR code without any style of its own."""

from __future__ import annotations

import io
from typing import Any

import segno
from markupsafe import Markup

from core import second_factor
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM


def enrolment(platform: Platform, person: Person) -> dict[str, Any]:
    """Return the secret of a person who enrols, in groups of four, and its drawing; it is made when there is none yet.

    Raises:
        Conflict: a second factor is on already.
    """
    with platform.database.reading(PLATFORM) as session:
        secret = second_factor.begun(session, platform.secrets, person.id)
    if secret is None:
        with platform.database.writing(PLATFORM) as session:
            secret = second_factor.begin(session, platform.secrets, person.id)
    shown = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return {"secret": shown, "drawing": drawing(second_factor.address_of(secret, person.email))}


def drawing(text: str) -> Markup:
    """Return the QR code of a text as SVG; the element around it says in words what it is."""
    out = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(
        out, kind="svg", xmldecl=False, svgns=False, nl=False, omitsize=True, dark="#14213d", light="#ffffff", svgclass="qr"
    )
    return Markup(out.getvalue().decode())  # noqa: S704  (drawn here: nothing of the text stands in it)
