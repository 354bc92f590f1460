"""The states of a flow as a parameter: one that its table does not know is refused, and the refusal names those that it does."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import CoreSchema, core_schema

from flows.engine.table import Flow


@dataclass(frozen=True, slots=True)
class StateOf:
    """Beside ``str`` in an ``Annotated``: the name of a state of this flow."""

    flow: Flow

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> CoreSchema:
        """Return what validates and documents it."""
        del source, handler
        return core_schema.literal_schema(list(self.flow.states))
