"""A metadata is a text that reads as its kind, kept in one way; what is mandatory is asked for, false included."""

from __future__ import annotations

import pytest

from core.errors import Conflict, UsageError
from signing.parapheur import circuits, metadata
from signing.parapheur.circuits import Place, Step
from signing.parapheur.metadata import LONGEST_VALUE, MetadataKind, checked, declare, written_as
from signing.parapheur.models import StepKind
from tests.unit.signing.parapheur_desks import Mairie, database, mairie

__all__ = ["database", "mairie"]


@pytest.mark.parametrize(
    ("kind", "text", "kept"),
    [
        ("decimal", "5 000,50", "5000.50"),
        ("decimal", "5\u202f000", "5000"),
        ("integer", "12", "12"),
        ("integer", "12,0", "12.0"),
        ("boolean", "OUI", "true"),
        ("boolean", "faux", "false"),
        ("date", "2026-11-28", "2026-11-28"),
        ("url", "https://valmorin.example/", "https://valmorin.example/"),
        ("text", " Voirie ", "Voirie"),
    ],
)
def test_a_value_is_kept_in_one_way(kind: str, text: str, kept: str) -> None:
    assert written_as(text, MetadataKind(kind), "X") == kept


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("decimal", "douze"),
        ("decimal", "NaN"),
        ("decimal", "Infinity"),
        ("integer", "1,5"),
        ("boolean", "peut-être"),
        ("date", "28/11/2026"),
        ("date", "2026-02-30"),
        ("url", "javascript:alert(1)"),
        ("text", "x" * (LONGEST_VALUE + 1)),
        ("text", "a\x00b"),
    ],
)
def test_a_value_that_does_not_read_as_its_kind_is_refused_by_its_name(kind: str, text: str) -> None:
    with pytest.raises(UsageError, match="Montant"):
        written_as(text, MetadataKind(kind), "Montant")


def test_only_the_choices_are_admitted_where_there_are_some(mairie: Mairie) -> None:
    field = declare(mairie.session, mairie.id, "service", "Service", MetadataKind.TEXT, ["Voirie", "Écoles"])
    assert checked({"service": field}, {"service": "Voirie"}, (), {}) == {"service": "Voirie"}
    with pytest.raises(UsageError, match="Voirie, Écoles"):
        checked({"service": field}, {"service": "Parcs"}, (), {})


def test_what_is_mandatory_must_be_there_and_false_is(mairie: Mairie) -> None:
    field = declare(mairie.session, mairie.id, "urgent", "Urgent", MetadataKind.BOOLEAN)
    assert checked({"urgent": field}, {"urgent": "non"}, ["urgent"], {}) == {"urgent": "false"}
    with pytest.raises(UsageError, match="Urgent, inconnue"):
        checked({"urgent": field}, {"urgent": " "}, ["urgent", "inconnue"], {"urgent": "true"})


@pytest.mark.parametrize("key", ["1x", "é", "", "a b", "x" * 61, "a;b", "@emitter"])
def test_a_key_that_software_could_not_use_is_refused(mairie: Mairie, key: str) -> None:
    with pytest.raises(UsageError, match="une lettre d’abord"):
        declare(mairie.session, mairie.id, key, "Nom", MetadataKind.TEXT)


def test_a_key_is_declared_once_and_each_organisation_has_its_own(mairie: Mairie) -> None:
    declare(mairie.session, mairie.id, "montant", "Montant", MetadataKind.DECIMAL)
    with pytest.raises(Conflict, match="montant"):
        declare(mairie.session, mairie.id, "montant", "Autre", MetadataKind.TEXT)
    assert list(metadata.declared(mairie.session, mairie.id, ["montant", "rien"])) == ["montant"]


def test_a_choice_must_read_as_the_kind(mairie: Mairie) -> None:
    with pytest.raises(UsageError, match="n’est pas un nombre"):
        declare(mairie.session, mairie.id, "seuil", "Seuil", MetadataKind.DECIMAL, ["1 000", "beaucoup"])


def test_a_metadata_that_a_circuit_asks_for_cannot_be_taken_away(mairie: Mairie) -> None:
    field = declare(mairie.session, mairie.id, "motif", "Motif", MetadataKind.TEXT)
    step = Step(kind=StepKind.VISA, places=(Place(desk=mairie["Maire"].id),), rejection_fields=("motif",))
    written = circuits.draw_up(mairie.session, mairie.id, "avec-motif", "Avec motif", [step])
    with pytest.raises(Conflict, match="Avec motif"):
        metadata.withdraw(mairie.session, field)
    circuits.retire(mairie.session, written)
    metadata.withdraw(mairie.session, field)
    assert metadata.declared(mairie.session, mairie.id) == {}
