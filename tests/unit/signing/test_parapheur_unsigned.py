"""Which circuits a kind of folder may take without anybody signing."""

from __future__ import annotations

from signing.parapheur import circuits, foresight, typology
from signing.parapheur.choice import Condition, Operator, Row
from signing.parapheur.models import StepKind
from signing.parapheur.typology import SubtypeOptions, TypeOptions
from tests.unit.signing.parapheur_desks import Mairie, database, mairie
from tests.unit.signing.test_parapheur_circuit import at

__all__ = ["database", "mairie"]


def test_every_circuit_of_the_table_that_signs_nothing_is_named_unless_the_one_before_it_signs(mairie: Mairie) -> None:
    visa, seal = at(mairie, StepKind.VISA, "Maire"), at(mairie, StepKind.SEAL, "DGS")
    for key, steps in {"u-petit": [visa], "u-grand": [visa, seal], "u-avant": [seal]}.items():
        circuits.draw_up(mairie.session, mairie.id, key, f"Circuit {key}", steps)
    small = Condition(field="pes.montant", operator=Operator.BELOW, value="100")
    rows = [Row(when=(small,), circuit="u-petit"), Row(circuit="u-grand")]
    of = typology.add_type(mairie.session, mairie.id, "Comptes", TypeOptions())

    def unsigned(name: str, options: SubtypeOptions) -> list[str]:
        added = typology.add_subtype(mairie.session, of, name, options, rows)
        return foresight.unsigned(mairie.session, mairie.id, typology.kind_of(mairie.session, added.id))

    assert unsigned("Mandats", SubtypeOptions()) == ["Circuit u-petit"]
    assert unsigned("Titres", SubtypeOptions(creation_circuit="u-avant")) == []
