"""The documentation of the API as a page, rendered from its own OpenAPI document: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.web.pages import render

router = APIRouter(prefix="/v1", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """One way to call the API."""

    method: str
    path: str
    spec: dict[str, Any]

    @property
    def anchor(self) -> str:
        """Where it stands on the page."""
        return str(self.spec["operationId"])


@router.get("/docs")
def reference(request: Request) -> HTMLResponse:
    """Show every operation and every shape."""
    document = request.app.openapi()
    groups: dict[str, list[Operation]] = {}
    for operation in _operations(document):
        groups.setdefault(operation.spec.get("tags", ["API"])[0], []).append(operation)
    shapes = document["components"]["schemas"]
    return render(request, "v1/reference.html", document=document, groups=groups, shapes=shapes, kind=_kind)


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, spec in methods.items():
            yield Operation(method.upper(), path, spec)


def _kind(schema: dict[str, Any]) -> str:
    """Return a schema in few words: ``string``, ``list of FileShape``, ``date-time or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "any"))
