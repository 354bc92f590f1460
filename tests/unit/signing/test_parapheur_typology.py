"""A type says how documents are signed, a subtype everything else; which way a folder takes is known before it starts."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.errors import Conflict, NotFound, UsageError
from signing.parapheur import circuits, foresight, metadata, typology
from signing.parapheur.choice import Condition, Operator, Row
from signing.parapheur.circuits import Place, Step, Who
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import FolderType, StepKind
from signing.parapheur.typology import FieldUse, Protocol, SignatureFormat, SubtypeOptions, TypeOptions
from tests.unit.signing.parapheur_desks import Mairie, database, mairie

__all__ = ["database", "mairie"]
DEAR = Condition(field="montant", operator=Operator.AT_LEAST, value="5 000")


def of(mairie: Mairie) -> FolderType:
    """A type, once two circuits are there: one of a signature, one that a chosen desk approves first."""
    maire = Place(desk=mairie["Maire"].id)
    signature = Step(kind=StepKind.SIGNATURE, places=(maire,))
    chosen = Step(kind=StepKind.VISA, places=(Place(who=Who.VARIABLE),))
    circuits.draw_up(mairie.session, mairie.id, "court", "Court", [signature])
    circuits.draw_up(mairie.session, mairie.id, "long", "Long", [chosen, signature])
    return typology.add_type(mairie.session, mairie.id, "Courrier", TypeOptions())


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("how", list(SignatureFormat))
def test_a_protocol_admits_the_formats_that_its_destination_takes(protocol: Protocol, how: SignatureFormat) -> None:
    admitted = {
        "none": {"auto", "pades", "cades", "xades"},
        "actes": {"pades", "cades"},
        "helios": {"pes"},
    }
    if how.value in admitted[protocol.value]:
        assert TypeOptions(format=how, protocol=protocol).format is how
    else:
        with pytest.raises(ValidationError, match="HELIOS signe en PES"):
            TypeOptions(format=how, protocol=protocol)


def test_a_name_is_taken_once_among_types_and_once_in_a_type(mairie: Mairie) -> None:
    mail = of(mairie)
    other = typology.add_type(mairie.session, mairie.id, "Marchés", TypeOptions())
    with pytest.raises(Conflict, match="Courrier"):
        typology.add_type(mairie.session, mairie.id, " Courrier ", TypeOptions())
    with pytest.raises(Conflict, match="Courrier"):
        typology.change_type(mairie.session, other, "Courrier", TypeOptions())
    typology.change_type(mairie.session, other, "Marchés", TypeOptions(visible=False))
    rows = [Row(circuit="court")]
    first = typology.add_subtype(mairie.session, mail, "Lettre", SubtypeOptions(), rows)
    typology.add_subtype(mairie.session, other, "Lettre", SubtypeOptions(), rows)
    second = typology.add_subtype(mairie.session, mail, "Note", SubtypeOptions(), rows)
    for change in (lambda: typology.add_subtype(mairie.session, mail, "Lettre", SubtypeOptions(), rows),
                   lambda: typology.change_subtype(mairie.session, second, "Lettre", SubtypeOptions(), rows)):  # fmt: skip
        with pytest.raises(Conflict, match="Lettre"):
            change()
    typology.change_subtype(mairie.session, first, "Lettre", SubtypeOptions(), rows)


def test_a_subtype_names_circuits_metadata_and_desks_that_are_there(mairie: Mairie) -> None:
    mail = of(mairie)
    cases = [
        (SubtypeOptions(), [Row(circuit="absent")], "absent"),
        (SubtypeOptions(creation_circuit="absent"), [Row(circuit="court")], "absent"),
        (SubtypeOptions(fields=(FieldUse(key="montant"),)), [Row(circuit="court")], "montant"),
        (SubtypeOptions(creation_desks=("0" * 26,)), [Row(circuit="court")], "bureaux ouverts"),
        (SubtypeOptions(), [Row(circuit="long", variables=("0" * 26,))], "bureaux ouverts"),
        (SubtypeOptions(), [Row(circuit="court", when=(DEAR,))], "pris par défaut"),
        (SubtypeOptions(), [], "pris par défaut"),
        (SubtypeOptions(), [Row(circuit="court", variables=(mairie["DGS"].id,))], "attend 0 bureaux"),
        (SubtypeOptions(creation_circuit="long"), [Row(circuit="long", variables=(mairie["DGS"].id,))], "attend 2 bureaux"),
    ]
    for options, rows, told in cases:
        with pytest.raises(UsageError, match=told):
            typology.add_subtype(mairie.session, mail, "Lettre", options, rows)
    assert typology.kinds(mairie.session, mairie.id) == []


def test_a_value_that_the_metadata_could_never_have_is_refused(mairie: Mairie) -> None:
    mail = of(mairie)
    metadata.declare(mairie.session, mairie.id, "montant", "Montant", MetadataKind.DECIMAL)
    for operator, value in ((Operator.AT_LEAST, "cinq mille"), (Operator.AMONG, "1;deux"), (Operator.EQUALS, "")):
        wrong = Condition(field="montant", operator=operator, value=value)
        rows = [Row(when=(wrong,), circuit="court"), Row(circuit="court")]
        with pytest.raises(UsageError, match="n’est pas un nombre"):
            typology.add_subtype(mairie.session, mail, "Lettre", SubtypeOptions(), rows)


def test_a_missing_optional_metadata_leads_to_the_default_row_and_a_default_value_stands_in(mairie: Mairie) -> None:
    mail = of(mairie)
    metadata.declare(mairie.session, mairie.id, "montant", "Montant", MetadataKind.DECIMAL)
    rows = [Row(when=(DEAR,), circuit="long", variables=(mairie["DGS"].id,)), Row(circuit="court")]

    def way(name: str, default: str, **fields: str) -> tuple[int, str, list[str]]:
        options = SubtypeOptions(fields=(FieldUse(key="montant", default=default),))
        made = typology.add_subtype(mairie.session, mail, name, options, rows)
        kind = typology.kind_of(mairie.session, made.id)
        found = foresight.foresee(mairie.session, kind, mairie["Secrétariat"], fields)
        asked = [desk for one in found.asked for desk in one.desks]
        return found.row, found.circuit.key, asked

    assert way("sans", "") == (1, "court", [mairie["Maire"].id])
    assert way("avec", "", montant="5000.00") == (0, "long", [mairie["DGS"].id, mairie["Maire"].id])
    assert way("par défaut", "9 000")[0] == 0
    assert way("moins que par défaut", "9 000", montant="12")[0] == 1


def test_the_circuit_of_creation_runs_first_and_the_sender_chooses_where_no_row_does(mairie: Mairie) -> None:
    mail = of(mairie)
    options = SubtypeOptions(creation_circuit="long")
    made = typology.add_subtype(mairie.session, mail, "Lettre", options, [Row(circuit="court")])
    kind = typology.kind_of(mairie.session, made.id)
    chosen = [mairie["Adjoint"].id]
    found = foresight.foresee(mairie.session, kind, mairie["Secrétariat"], {}, chosen)
    assert [one.desks for one in found.asked] == [(mairie["Adjoint"].id,), (mairie["Maire"].id,), (mairie["Maire"].id,)]
    with pytest.raises(UsageError, match="bureau au choix"):
        foresight.foresee(mairie.session, kind, mairie["Secrétariat"], {})


def test_what_is_closed_is_not_offered_and_can_be_opened_again(mairie: Mairie) -> None:
    mail = of(mairie)
    made = typology.add_subtype(mairie.session, mail, "Lettre", SubtypeOptions(), [Row(circuit="court")])
    assert typology.kind_named(mairie.session, mairie.id, "Courrier", "Lettre").id == made.id
    for closed in (made, mail):
        typology.close(mairie.session, closed)
        mairie.session.flush()
        assert typology.kinds(mairie.session, mairie.id) == []
        with pytest.raises(NotFound):
            typology.kind_named(mairie.session, mairie.id, "Courrier", "Lettre")
        assert [kind.id for kind in typology.kinds(mairie.session, mairie.id, closed=True)] == [made.id]
        typology.reopen(mairie.session, closed)
        mairie.session.flush()
    assert len(typology.kinds(mairie.session, mairie.id)) == 1


def test_only_the_desks_that_are_named_may_send(mairie: Mairie) -> None:
    mail, rows = of(mairie), [Row(circuit="court")]
    typology.add_subtype(mairie.session, mail, "Libre", SubtypeOptions(), rows)
    only = SubtypeOptions(creation_desks=(mairie["DGS"].id,))
    typology.add_subtype(mairie.session, mail, "Réservé", only, rows)
    found = typology.kinds(mairie.session, mairie.id)
    assert [kind.name for kind in typology.creatable(found, [mairie["Secrétariat"].id])] == ["Libre"]
    assert [kind.name for kind in typology.creatable(found, [mairie["DGS"].id])] == ["Libre", "Réservé"]
