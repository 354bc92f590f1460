"""A circuit is ordered steps: who is asked is known once a folder is; a change is another version, and each keeps its own."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.errors import Conflict, NotFound, UsageError
from signing.parapheur import circuits, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import MOST_STEPS, Place, Step, Who, draw_up, resolve
from signing.parapheur.models import StepKind
from signing.parapheur.typology import SubtypeOptions, TypeOptions
from tests.unit.signing.parapheur_desks import Mairie, database, mairie

__all__ = ["database", "mairie"]
HEAD, EMITTER, VARIABLE = (Place(who=who) for who in (Who.HEAD, Who.EMITTER, Who.VARIABLE))


def visa(*places: Place, **more: object) -> Step:
    return Step(kind=StepKind.VISA, places=places, **more)  # type: ignore[arg-type]


def asked(mairie: Mairie, emitter: str, *steps: Step, variables: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    names = {desk.id: short for short, desk in mairie.desks.items()}
    chosen = [mairie[short].id for short in variables]
    found = resolve(mairie.session, steps, mairie[emitter], chosen)
    return [tuple(names[desk] for desk in one.desks) for one in found]


def test_the_head_of_is_that_of_the_desk_before_and_of_the_sender_at_first(mairie: Mairie) -> None:
    assert asked(mairie, "Secrétariat", visa(HEAD), visa(HEAD)) == [("DGS",), ("Maire",)]
    assert asked(mairie, "Maire", visa(Place(desk=mairie["Secrétariat"].id)), visa(HEAD)) == [("Secrétariat",), ("DGS",)]
    both = visa(Place(desk=mairie["DGS"].id), Place(desk=mairie["Adjoint"].id))
    assert asked(mairie, "Secrétariat", both, visa(HEAD)) == [("DGS", "Adjoint"), ("Maire",)]


def test_a_head_that_is_not_there_is_said_with_the_desk_that_lacks_it(mairie: Mairie) -> None:
    with pytest.raises(UsageError, match="Bureau Maire"):
        asked(mairie, "DGS", visa(HEAD), visa(HEAD))


def test_variable_desks_are_taken_in_their_order_and_one_that_lacks_is_said(mairie: Mairie) -> None:
    steps = (visa(VARIABLE), visa(EMITTER), visa(VARIABLE, Place(desk=mairie["Maire"].id)))
    assert circuits.variable_count(steps) == 2
    found = asked(mairie, "Secrétariat", *steps, variables=("Adjoint", "DGS"))
    assert found == [("Adjoint",), ("Secrétariat",), ("DGS", "Maire")]
    with pytest.raises(UsageError, match="bureau au choix"):
        asked(mairie, "Secrétariat", *steps, variables=("Adjoint",))


def test_a_desk_is_asked_once_in_a_step(mairie: Mairie) -> None:
    assert asked(mairie, "DGS", visa(EMITTER, Place(desk=mairie["DGS"].id), VARIABLE), variables=("DGS",)) == [("DGS",)]


def test_a_desk_that_was_closed_or_is_of_elsewhere_is_not_asked(mairie: Mairie) -> None:
    mairie["Adjoint"].closed = mairie["Adjoint"].created
    with pytest.raises(UsageError, match="fermé"):
        asked(mairie, "Secrétariat", visa(VARIABLE), variables=("Adjoint",))
    with pytest.raises(UsageError, match="n’existe pas"):
        resolve(mairie.session, [visa(VARIABLE)], mairie["DGS"], ["0" * 26])


def test_a_change_is_the_next_version_and_the_one_before_stays(mairie: Mairie) -> None:
    first = draw_up(mairie.session, mairie.id, "simple", "Simple", [visa(EMITTER)], new=True)
    second = draw_up(mairie.session, mairie.id, "simple", "Simple", [visa(HEAD)])
    assert (first.version, first.current, second.version, second.current) == (1, False, 2, True)
    assert circuits.current(mairie.session, mairie.id, "simple") is second
    assert circuits.steps_of(first) == (visa(EMITTER),)
    with pytest.raises(Conflict, match="simple"):
        draw_up(mairie.session, mairie.id, "simple", "Simple", [visa(EMITTER)], new=True)


def test_a_retired_circuit_is_not_found_and_its_next_version_brings_it_back(mairie: Mairie) -> None:
    written = draw_up(mairie.session, mairie.id, "simple", "Simple", [visa(EMITTER)])
    circuits.retire(mairie.session, written)
    with pytest.raises(NotFound, match="simple"):
        circuits.current(mairie.session, mairie.id, "simple")
    assert draw_up(mairie.session, mairie.id, "simple", "Simple", [visa(EMITTER)]).version == 2


def test_a_circuit_that_a_subtype_takes_is_not_retired(mairie: Mairie) -> None:
    written = draw_up(mairie.session, mairie.id, "simple", "Simple", [visa(EMITTER)])
    of = typology.add_type(mairie.session, mairie.id, "Courrier", TypeOptions())
    kind = typology.add_subtype(mairie.session, of, "Lettre", SubtypeOptions(), [Row(circuit="simple")])
    with pytest.raises(Conflict, match="Courrier – Lettre"):
        circuits.retire(mairie.session, written)
    typology.close(mairie.session, kind)
    circuits.retire(mairie.session, written)


@pytest.mark.parametrize(
    ("key", "name", "told"),
    [
        ("Majuscule", "Nom", "minuscules"),
        ("é", "Nom", "minuscules"),
        ("", "Nom", "minuscules"),
        ("a" * 129, "Nom", "minuscules"),
        ("a", "N", "de 2 à 255"),
    ],
)
def test_a_key_or_a_name_that_cannot_be_is_refused(mairie: Mairie, key: str, name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        draw_up(mairie.session, mairie.id, key, name, [visa(EMITTER)])


def test_a_circuit_has_steps_but_not_too_many_and_names_open_desks_only(mairie: Mairie) -> None:
    for steps in ([], [visa(EMITTER)] * (MOST_STEPS + 1)):
        with pytest.raises(UsageError, match="de 1 à 50"):
            draw_up(mairie.session, mairie.id, "c", "Circuit", steps)
    mairie["Adjoint"].closed = mairie["Adjoint"].created
    mairie.session.flush()
    gone = mairie["Adjoint"].id
    for step in (visa(Place(desk=gone)), visa(EMITTER, notified=(gone,)), visa(Place(desk="0" * 26))):
        with pytest.raises(UsageError, match="fermé"):
            draw_up(mairie.session, mairie.id, "c", "Circuit", [step])


@pytest.mark.parametrize(
    "step",
    [
        {"kind": "opinion", "places": [{"who": "emitter"}]},
        {"kind": "seal", "places": [{"who": "emitter"}, {"who": "head"}]},
        {"kind": "mail", "places": [{"who": "emitter"}, {"who": "head"}]},
        {"kind": "visa", "places": [{"who": "emitter"}], "automatic": True},
        {"kind": "visa", "places": []},
        {"kind": "visa", "places": [{"who": "desk"}]},
        {"kind": "visa", "places": [{"who": "head", "desk": "0" * 26}]},
    ],
)
def test_a_step_that_does_not_hold_is_no_step(step: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Step.model_validate(step)
