"""Addresses as older software writes them: after a base that ends in a slash, a slash at its end, a resource in a capital."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_BASE = re.compile(r"/+(api|modules)/+")
_RESOURCE = re.compile(r"/api/v2/+([A-Za-z])")


class Addresses:
    """The middleware, which stands before everything that looks at an address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through."""
        if scope["type"] == "http":
            scope["path"] = plain(scope["path"])
        await self._app(scope, receive, send)


def plain(path: str) -> str:
    """Return an address as it is written here; a resource of Pastell may begin with a capital, and its address end in a slash."""
    if not (base := _BASE.match(path)):
        return path
    path = f"/{base[1]}/{path[base.end() :]}"
    if base[1] == "modules":
        return re.sub("/+", "/", path)
    if not _RESOURCE.match(path):
        return path
    return _RESOURCE.sub(lambda found: f"/api/v2/{found[1].lower()}", path, count=1).rstrip("/")
