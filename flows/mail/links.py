"""The link in a notice: a secret of 256 bits for one recipient of one send, of which the digest alone is kept."""

from __future__ import annotations

import hashlib
import secrets

from core.settings import Settings

PREFIX = "/courrier"


def new_token() -> str:
    """Return a fresh secret, of letters that an address bears."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return what is kept of a secret: SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_envelope() -> str:
    """Return an opaque name for a return path; it opens nothing."""
    return secrets.token_hex(10)


def address(settings: Settings, token: str) -> str:
    """Return the address of the page that a secret opens: in the path, so that no form and no referrer bears it elsewhere."""
    base = settings.recipients_url or settings.public_url or f"http://{settings.http_host}:{settings.http_port}"
    return f"{base.rstrip('/')}{PREFIX}/{token}"
