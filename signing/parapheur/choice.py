"""Which circuit a folder takes: an ordered decision table, read from the top, whose last row always holds.

No script: a row is a list of conditions on metadata, and all must hold. What a condition asks of a value that is absent is false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import UsageError
from core.messages import Catalogue
from signing.parapheur.metadata import MetadataKind, Value, read
from signing.parapheur.models import MetadataField

_messages = Catalogue("signing.parapheur")
EMITTER = "@emitter"
MOST_ROWS = 200


class Operator(StrEnum):
    """How a value is compared; ``in`` with one of several separated by semicolons."""

    EQUALS = "eq"
    DIFFERS = "ne"
    AMONG = "in"
    BELOW = "lt"
    AT_MOST = "le"
    ABOVE = "gt"
    AT_LEAST = "ge"
    CONTAINS = "contains"
    PRESENT = "present"


_ORDER = {Operator.BELOW: (-1,), Operator.AT_MOST: (-1, 0), Operator.ABOVE: (1,), Operator.AT_LEAST: (1, 0)}


class Condition(BaseModel):
    """One comparison: of a metadata by key, or of ``@emitter``, the short name of the desk that sends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = Field(min_length=1, max_length=60)
    operator: Operator
    value: str = Field("", max_length=1000)


class Row(BaseModel):
    """A row of the table: the circuit to take when all its conditions hold, and the desks of its variable steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: tuple[Condition, ...] = ()
    circuit: str = Field(min_length=1, max_length=128)
    variables: tuple[str, ...] = Field((), description="Identifiers of desks; chosen by the emitter when there is none.")


class Table(BaseModel):
    """The rows, in order; the last one has no condition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[Row, ...] = Field(min_length=1, max_length=MOST_ROWS)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.rows[-1].when:
            raise ValueError(_messages("choice.default"))
        return self


def choose(rows: Sequence[Row], fields: Mapping[str, MetadataField], values: Mapping[str, str], emitter: str) -> Row:
    """Return the first row whose conditions hold.

    Args:
        rows: of the table.
        fields: the metadata that are declared, by key: they say how values compare.
        values: of the folder, by key.
        emitter: short name of the desk that sends it.

    Raises:
        UsageError: the table has no row that always holds.
    """
    known = {**values, EMITTER: emitter}
    for row in rows:
        if all(_holds(condition, fields, known) for condition in row.when):
            return row
    raise UsageError(_messages("choice.none"))


def _holds(condition: Condition, fields: Mapping[str, MetadataField], values: Mapping[str, str]) -> bool:
    text = values.get(condition.field)
    if condition.operator is Operator.PRESENT or text is None:
        return text is not None and condition.operator is Operator.PRESENT
    kind = MetadataKind(fields[condition.field].kind) if condition.field in fields else MetadataKind.TEXT
    if condition.operator is Operator.CONTAINS:
        return condition.value.casefold() in text.casefold()
    if condition.operator is Operator.AMONG:
        return any(_compare(text, one, kind) == 0 for one in condition.value.split(";"))
    # Numbers are ordered as numbers even where nobody declared them; codes that are equal as numbers only are not equal.
    numbers = (MetadataKind.DECIMAL,) if condition.operator in _ORDER and kind is MetadataKind.TEXT else ()
    order = _compare(text, condition.value, *numbers, kind)
    if condition.operator is Operator.EQUALS:
        return order == 0
    if condition.operator is Operator.DIFFERS:
        return order != 0
    return order in _ORDER[condition.operator]


def _compare(left: str, right: str, *kinds: MetadataKind) -> int | None:
    """Return -1, 0 or 1, by the first kind as which both read; None when there is none."""
    for kind in kinds:
        try:
            one, other = _comparable(read(left, kind)), _comparable(read(right, kind))
        except ValueError:
            continue
        return (one > other) - (one < other)  # type: ignore[operator]
    return None


def _comparable(value: Value) -> Value:
    if isinstance(value, bool):
        return Decimal(value)
    return value.strip().casefold() if isinstance(value, str) else value
