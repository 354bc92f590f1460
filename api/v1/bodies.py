"""How the OpenAPI document describes bodies that are read as they come, which no parameter of a route declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model with what it refers to in its place: no operation declares it as its own."""
    whole = model.model_json_schema()
    parts = whole.pop("$defs", {})

    def put(value: Any) -> Any:
        if isinstance(value, Mapping):
            reference = value.get("$ref")
            return put(parts[reference.rpartition("/")[2]]) if reference else {name: put(one) for name, one in value.items()}
        return [put(one) for one in value] if isinstance(value, list) else value

    schema: dict[str, Any] = put(whole)
    return schema
