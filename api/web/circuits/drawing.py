"""A circuit in words: at each step what is asked, of which desks, held by whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from core.messages import Catalogue
from signing.parapheur import desks, metadata, trays
from signing.parapheur.circuits import Asked, Place, Step, Together, Who

_t = Catalogue("api.web.setup")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A step.

    Attributes:
        kind: what is asked, a ``StepKind``.
        who: the desks or their parts, with the names of those who hold them.
        all: every one of them must act.
        notified: the desks that are told.
        approval: names of the metadata to give to approve, ``rejection`` to reject.
    """

    kind: str
    who: tuple[tuple[str, str], ...]
    all: bool
    automatic: bool
    notified: tuple[str, ...]
    approval: tuple[str, ...]
    rejection: tuple[str, ...]


def drawn(session: Session, organisation_id: str, steps: Sequence[Step]) -> list[Drawn]:
    """Return a circuit as it was written: roles stay roles."""
    return _drawn(session, organisation_id, [(step, step.places) for step in steps])


def drawn_for(session: Session, organisation_id: str, asked: Iterable[Asked]) -> list[Drawn]:
    """Return a circuit as it would run: roles became desks."""
    return _drawn(session, organisation_id, [(one.step, tuple(Place(desk=desk) for desk in one.desks)) for one in asked])


def _drawn(session: Session, organisation_id: str, steps: Sequence[tuple[Step, tuple[Place, ...]]]) -> list[Drawn]:
    named = {place.desk for _, places in steps for place in places if place.desk}
    named |= {desk for step, _ in steps for desk in step.notified}
    names, held = trays.names(session, sorted(named)), desks.holders(session, sorted(named))
    fields = {key: field.name for key, field in metadata.declared(session, organisation_id).items()}

    def told(place: Place) -> tuple[str, str]:
        if place.who is not Who.DESK or place.desk is None:
            return _t(f"who.{place.who.value}"), ""
        people = ", ".join(person.name for person in held.get(place.desk, []))
        return names.get(place.desk, _t("who.unknown")), people or _t("who.nobody")

    return [
        Drawn(
            step.kind.value,
            tuple(told(place) for place in places),
            step.together is Together.ALL,
            step.automatic,
            tuple(names.get(desk, _t("who.unknown")) for desk in step.notified),
            tuple(fields.get(key, key) for key in step.approval_fields),
            tuple(fields.get(key, key) for key in step.rejection_fields),
        )
        for step, places in steps
    ]
