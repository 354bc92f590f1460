"""A person reads what the DGFiP refuses: where, and in the DGFiP's own words."""

from __future__ import annotations

from api.web.dossier.objections import Objection, objections
from schemas.pes.acquit import Acquit, Anomaly, Element, Line, Piece
from schemas.pes.header import Header


def kept(*elements: Element) -> dict[str, object]:
    header = Header(**dict.fromkeys(Header.__dataclass_fields__))
    return {"acquit": Acquit(header, elements).as_json()}


def test_each_objection_tells_its_place_and_its_words() -> None:
    late = Anomaly("ERREUR_METIER", "1971 - tiers inconnu")
    acquit = kept(
        Element("1", accepted=False, anomalies=(Anomaly("ERREUR_SIGNATURE", "signature absente"),)),
        Element("5", accepted=False, bordereau="118", pieces=(Piece("12", (late,), (Line("3", (Anomaly(None, None),)),)),)),
    )
    assert objections(acquit) == [
        Objection("Flux entier", "ERREUR_SIGNATURE", "signature absente"),
        Objection("Bordereau 118, pièce 12", "ERREUR_METIER", "1971 - tiers inconnu"),
        Objection("Bordereau 118, pièce 12, ligne 3", None, "Refusé sans motif indiqué. Consultez l’acquit ci-dessous."),
    ]


def test_a_refusal_without_reason_is_told_and_an_acceptance_is_not() -> None:
    acquit = kept(Element("5", accepted=True, bordereau="1"), Element("5", accepted=False, bordereau="2"))
    assert [found.where for found in objections(acquit)] == ["Bordereau 2"]
    assert objections({}) == []
