"""What a JSON body says: read once the caller is known, in the turnstile, into a model; and how the OpenAPI document tells of it.

FastAPI reads and parses a body that is declared as a parameter before it asks who calls, whatever its size: no route of `/v1`
declares one. A route takes ``said_in(Model)`` after its caller, and ``described(Model)`` for its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api.problems import UnknownBody
from api.uploads import Uploads
from api.words import messages
from core.errors import UsageError

_Asked = TypeVar("_Asked", bound=BaseModel)
JSON = "application/json"
_MOST_VALUES = 200_000


def said_in(model: type[BaseModel]) -> Any:
    """Return the dependency that reads a JSON body into a model; it stands after whoever calls among a route's parameters.

    It raises UnknownBody for another media type, RequestValidationError for what does not fit, and what ``Uploads.say`` raises.
    """

    async def read(request: Request) -> BaseModel:
        kind = kind_of(request.headers.get("content-type", JSON))
        if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
            raise UnknownBody(messages("body.kind"))
        turnstile: Uploads = request.app.state.uploads
        return await turnstile.say(request, partial(validated, model=model))

    return Depends(read)


def described(model: type[BaseModel]) -> dict[str, Any]:
    """Return the documentation of a JSON body, for ``openapi_extra``."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema_of(model)}}}}


def kind_of(content_type: str) -> str:
    """Return a media type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def validated(octets: bytes, model: type[_Asked]) -> _Asked:
    """Return what JSON says.

    Raises:
        UsageError: it holds more values than anything that is asked here.
        RequestValidationError: it is none, or its values do not fit: all of them.
    """
    # Before it is read: five million empty objects are sixteen megabytes here, and seven hundred in memory.
    if octets.count(b",") > _MOST_VALUES:
        raise UsageError(messages("body.values", most=_MOST_VALUES))
    try:
        return model.model_validate_json(octets)
    except ValidationError as error:
        raise unfit(error) from error


def unfit(error: ValidationError) -> RequestValidationError:
    """Return what a caller is told of values of a body that do not fit."""
    return RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()])


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
