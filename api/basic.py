"""HTTP Basic (RFC 7617), whose charset clients choose: UTF-8, or that of their age."""

from __future__ import annotations

import base64

from api.acts.form import decoded

_LONGEST = 1024


def credentials(authorization: str) -> tuple[str, str] | None:
    """Return the user name and the password, which may hold a colon; None when the header says none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _LONGEST:
        return None
    try:
        text = decoded(base64.b64decode(encoded.strip(), validate=True))
    except ValueError:  # no base64
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon else None
