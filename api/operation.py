"""What an operator's tools ask: is the process alive, is it ready, how is the work going.

These paths need no account and name no organisation; a reverse proxy keeps them inside.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Misconfigured, TabellionError
from core.migrations import is_current
from core.platform import Platform
from flows.engine import brokers

router = APIRouter(include_in_schema=False)


@router.get("/health/live")
def live() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


@router.get("/health/ready")
def ready(request: Request) -> JSONResponse:
    """Say whether each part answers; 503 when one of those that a deposit needs does not."""
    platform: Platform = request.app.state.platform
    needed = {"database": _trouble(lambda: _ask_database(platform)), "objects": _trouble(lambda: _ask_objects(platform))}
    # A deposit is accepted without the broker: it is announced once the broker is back (law 1).
    parts = needed | {"broker": _trouble(lambda: _ask_broker(platform))}
    status = 503 if any(needed.values()) else 200
    return JSONResponse(
        {
            "status": "ready" if status == 200 else "unready",
            "parts": {name: {"answers": trouble is None, "trouble": trouble} for name, trouble in parts.items()},
        },
        status_code=status,
    )


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Give Prometheus its figures."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)


def _trouble(ask: Callable[[], None]) -> str | None:
    """Return the kind of trouble, without its words: they may name hosts and users."""
    try:
        ask()
    except (TabellionError, SQLAlchemyError, OSError) as error:
        return type(error).__name__
    return None


def _ask_database(platform: Platform) -> None:
    if not is_current(platform.database):
        raise Misconfigured("migrations are missing: tabellion db upgrade")


def _ask_objects(platform: Platform) -> None:
    platform.objects.sealed_versions("health/none")


def _ask_broker(platform: Platform) -> None:
    brokers.prove(platform.settings.broker_url.get_secret_value())
