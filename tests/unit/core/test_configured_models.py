"""Whatever an organisation may configure is written to be read again: every model, with every one of its fields filled."""

from __future__ import annotations

import importlib
import json
import types
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings

from core.clock import PARIS
from core.configuration import revealed
from core.second_factor import SecondFactorRule
from flows.mail.kinds import Kind
from flows.parapheur.remote import RemoteSigning
from signing.parapheur.first_steps import Skipped
from signing.parapheur.sealing import ServerSeal

_ROOT = Path(__file__).parents[3]
_ROOMS = ("api", "connectors", "core", "flows", "signing")
_VALUES: dict[type, Any] = {
    str: "été",
    bool: True,
    int: 7,
    float: 0.5,
    Decimal: Decimal("12.30"),
    date: date(2026, 11, 29),
    datetime: datetime(2026, 11, 29, 8, 30, tzinfo=PARIS),
    time: time(20, 15),
    timedelta: timedelta(minutes=5),
    SecretStr: SecretStr("s3cret"),
    Path: Path("/etc/tabellion"),
}


def _models() -> list[type[BaseModel]]:
    """The models that stand elsewhere, and those of every module of settings."""
    found: list[type[BaseModel]] = [Kind, RemoteSigning, SecondFactorRule, ServerSeal, Skipped]
    for path in sorted(path for room in _ROOMS for path in (_ROOT / room).rglob("settings.py")):
        name = ".".join(path.relative_to(_ROOT).with_suffix("").parts)
        declared = vars(importlib.import_module(name)).values()
        found += [one for one in declared if isinstance(one, type) and issubclass(one, BaseModel) and one.__module__ == name]
    return [one for one in found if not issubclass(one, BaseSettings)]


def _filled(wanted: Any, told: list[tuple[type, Any]]) -> Any:
    """A value of an annotation; ``told`` gathers its plain values, each with its type."""
    if get_origin(wanted) is Annotated:
        return _filled(get_args(wanted)[0], told)
    if get_origin(wanted) in {Union, types.UnionType}:
        return _filled(next(one for one in get_args(wanted) if one is not types.NoneType), told)
    if get_origin(wanted) is Literal:
        return _told(str, get_args(wanted)[0], told)
    if get_origin(wanted) is dict:
        key, value = get_args(wanted)
        return {_filled(key, []): _filled(value, told)}
    if get_origin(wanted) in {tuple, list, frozenset, set}:
        return get_origin(wanted)([_filled(get_args(wanted)[0], told)])
    if issubclass(wanted, BaseModel):
        fields = wanted.model_fields.items()
        return wanted.model_construct(**{name: _filled(field.annotation, told) for name, field in fields})
    if issubclass(wanted, Enum):
        return _told(wanted, next(iter(wanted)), told)
    return _told(wanted, _VALUES[wanted], told)


def _told(kind: type, value: Any, told: list[tuple[type, Any]]) -> Any:
    told.append((kind, value))
    return value


def _leaves(read: Any) -> Iterator[Any]:
    if isinstance(read, dict | list):
        for one in read.values() if isinstance(read, dict) else read:
            yield from _leaves(one)
    else:
        yield read


@pytest.mark.parametrize("model", _models(), ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_what_is_configured_is_read_again_as_it_was(model: type[BaseModel]) -> None:
    told: list[tuple[type, Any]] = []
    kept = json.dumps(revealed(_filled(model, told).model_dump(warnings=False)))
    pairs = zip(told, _leaves(json.loads(kept)), strict=True)
    read: list[Any] = [TypeAdapter(kind).validate_json(json.dumps(leaf)) for (kind, _), leaf in pairs]
    assert read == [value for _, value in told]
    assert told
