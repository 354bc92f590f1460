"""A circuit while it is being written: what the form holds, what its buttons do to it; nothing is kept before it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from api import words
from api.web.administered import Sheet, reason
from api.web.rows import Button, moved
from core.errors import UsageError
from signing.parapheur.circuits import MOST_STEPS, Step, Together, Who
from signing.parapheur.models import StepKind

_PAGE = "web/circuits/edit.html"
KINDS = tuple(kind.value for kind in StepKind if kind is not StepKind.OPINION)
ROLES = (Who.EMITTER.value, Who.HEAD.value, Who.VARIABLE.value)


@dataclass(frozen=True, slots=True)
class DraftStep:
    """A step as the form tells it.

    Attributes:
        places: identifiers of desks, or names of ``ROLES``.
    """

    kind: str = StepKind.VISA.value
    places: tuple[str, ...] = ()
    together: str = Together.ANY.value
    notified: tuple[str, ...] = ()
    approval: tuple[str, ...] = ()
    rejection: tuple[str, ...] = ()
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A circuit as the form tells it."""

    key: str = ""
    name: str = ""
    steps: tuple[DraftStep, ...] = (DraftStep(),)


def drafted(key: str, name: str, steps: Sequence[Step]) -> Draft:
    """Return a circuit as its form shows it."""
    return Draft(
        key,
        name,
        tuple(
            DraftStep(
                step.kind.value,
                tuple(place.desk or place.who.value for place in step.places),
                step.together.value,
                step.notified,
                step.approval_fields,
                step.rejection_fields,
                step.automatic,
            )
            for step in steps
        ),
    )


def filled_in(sheet: Sheet) -> Draft:
    """Return what a form holds."""
    count = min(sheet.number("steps", otherwise=0), MOST_STEPS)
    steps = tuple(
        DraftStep(
            kind if (kind := sheet.text(f"kind.{rank}")) in set(StepKind) else "",
            sheet.texts(f"place.{rank}"),
            sheet.text(f"together.{rank}") or Together.ANY.value,
            sheet.texts(f"notified.{rank}"),
            sheet.texts(f"approval.{rank}"),
            sheet.texts(f"rejection.{rank}"),
            f"automatic.{rank}" in sheet,
        )
        for rank in range(count)
    )
    return Draft(sheet.text("key"), sheet.text("name"), steps)


def pressed(draft: Draft, button: Button) -> Draft:
    """Return the draft once a button was pressed that changes its steps."""
    if button.act == "add" and len(draft.steps) < MOST_STEPS:
        return replace(draft, steps=(*draft.steps, DraftStep()))
    return replace(draft, steps=moved(draft.steps, button))


def steps_of(draft: Draft) -> list[Step]:
    """Return the steps that the draft tells.

    Raises:
        UsageError: a step asks nobody, or does not hold; the message says which.
    """
    sentences, found = words.of_page(_PAGE), list[Step]()
    for rank, step in enumerate(draft.steps, 1):
        if not step.places:
            raise UsageError(sentences("wrong.nobody", rank=rank))
        try:
            found.append(_step(step))
        except ValidationError as error:
            raise UsageError(sentences("wrong.step", rank=rank, reason=reason(error, sentences))) from error
    return found


def _step(step: DraftStep) -> Step:
    told = {
        "kind": step.kind,
        "places": [{"who": one} if one in ROLES else {"desk": one} for one in step.places],
        "together": step.together,
        "notified": step.notified,
        "approval_fields": step.approval,
        "rejection_fields": step.rejection,
        "automatic": step.automatic,
    }
    return Step.model_validate(told)
