"""How the web service is run, alone or within the embedded platform."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from core.platform import Platform


def server_config(platform: Platform) -> uvicorn.Config:
    """Return how the web service is run: our own logs, no banner, no header that tells the server's name."""
    settings = platform.settings
    return uvicorn.Config(
        create_app(platform),
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
    )
