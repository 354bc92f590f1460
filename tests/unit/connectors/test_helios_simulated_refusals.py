"""Which rule becomes which refusal, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

import schemas.pes
from connectors.helios.simulated_guichet import Scenario
from connectors.helios.simulated_refusals import _CODES, Place, anomaly_of, flow_refusal, place_of
from core.problems import Problem, Severity


def problem(rule: str, path: str | None = None) -> Problem:
    return Problem(rule, Severity.ERROR, "Ceci ne va pas.", line=12, path=path)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/PES_Aller/PES_DepenseAller/Bordereau/Piece[3]", Place("depense", 1)),
        ("/n:PES_Aller/PES_RecetteAller[1]/Bordereau[12]/BlocBordereau", Place("recette", 12)),
        ("/PES_Aller/PES_PJ/PJ[2]/Contenu", Place("pj", 2)),
        ("/PES_Aller/EnTetePES", None),
        (None, None),
    ],
)
def test_a_path_says_which_bordereau_or_document_is_meant(path: str | None, place: Place | None) -> None:
    assert place_of(problem("B01", path)) == place


def test_every_code_is_one_that_the_acquit_schema_knows() -> None:
    tree = etree.parse(str(Path(schemas.pes.__path__[0]) / "PES_Commun.xsd"))
    known = tree.xpath("//*[@name='anomaly']//@value")
    assert set(_CODES.values()) <= set(known)


@pytest.mark.parametrize(
    ("rule", "path", "domain", "code"),
    [
        ("R06", None, "0", "ERREUR_AUTRE"),
        ("R03", None, "0", "ERREUR_ENCODING"),
        ("S04", "/PES_Aller/PES_DepenseAller/Bordereau/Signature", "3", "ERREUR_SIGNATURE_INVALIDE"),
        ("S04", "/PES_Aller/Signature", "2", "ERREUR_SIGNATURE_INVALIDE"),
        ("S15", "/PES_Aller/Signature", "2", "ERREUR_CERTIFICAT"),
        ("Z99", None, "0", "ERREUR_AUTRE"),
    ],
)
def test_a_flow_is_refused_in_the_domain_and_with_the_code_of_the_rule(
    rule: str, path: str | None, domain: str, code: str
) -> None:
    element = flow_refusal(problem(rule, path))
    assert (element.domain, element.accepted, element.anomalies[0].code) == (domain, False, code)


def test_a_schema_failure_is_worded_as_box_one_does_and_labels_stay_short() -> None:
    assert (anomaly_of(problem("R06")).label or "").startswith("Erreur de validation XSD en boite 1 [(12,1) ")
    assert len(anomaly_of(Problem("B01", Severity.WARNING, "x" * 900)).label or "") == 500


@pytest.mark.parametrize(
    ("nom_fic", "scenario"),
    [
        ("FLUX_KOXSD", Scenario.KOXSD),
        ("flux_koxsd.xml", Scenario.KOXSD),
        ("FLUX_KOXSD_2", None),
        ("FLUX", None),
        (None, None),
    ],
)
def test_a_scenario_is_asked_for_by_the_end_of_the_name(nom_fic: str | None, scenario: Scenario | None) -> None:
    assert Scenario.of(nom_fic) is scenario
