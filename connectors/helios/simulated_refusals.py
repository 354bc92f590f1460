"""Which rule becomes which refusal in an acquit: the domain, the DGFiP's code, the label; and what a problem's place designates.

Codes are those of the PES_ACQUIT schema (NumAnoAck). Where no source ties a rule to a code, ERREUR_AUTRE carries the label.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.messages import Catalogue
from core.problems import Problem
from schemas.pes.acquit import Anomaly, Element

TECHNICAL, GLOBAL_SIGNATURE, BORDEREAU_SIGNATURE = "0", "2", "3"
LABEL_LENGTH = 500
_CODES = {
    "R01": "ERREUR_FLUX_VIDE",
    "R03": "ERREUR_ENCODING",
    "R07": "ERREUR_TAILLE_BORDEREAUX",
    "R12": "ERREUR_CODIQUE",
    "R13": "ERREUR_SIRET",
    "R16": "ERREUR_VERSION_PES",
    "S01": "ERREUR_PES_SIGNATURE",
    "S02": "ERREUR_PES_PARAM_SIGNATURE",
    "S03": "ERREUR_SIGNATURE_INCOMPLETE",
    "S13": "ERREUR_CERTIFICAT",
    "S14": "ERREUR_CERTIFICAT",
    "S15": "ERREUR_CERTIFICAT",
    "B02": "ERREUR_DOUBLON_BORDEREAU",
    "B04": "ERREUR_MONTANT_TVA_ZERO_NEGATIF",
    "B12": "ERREUR_DOUBLON_PIECE",
    "P01": "ERREUR_PJ",
    "P02": "ERREUR_DOUBLON_PJ",
}
_OTHER, _SIGNATURE = "ERREUR_AUTRE", "ERREUR_SIGNATURE_INVALIDE"
_SCHEMA_RULES = {"R05", "R06", "XSD", "XML"}
_BORDEREAU = re.compile(r"PES_(?P<domain>Depense|Recette)Aller(?:\[\d+\])?/Bordereau(?:\[(?P<rank>\d+)\])?")
_ATTACHMENT = re.compile(r"PES_PJ(?:\[\d+\])?/PJ(?:\[(?P<rank>\d+)\])?")
_messages = Catalogue("connectors.helios")


@dataclass(frozen=True, slots=True)
class Place:
    """Which bordereau or document of a flow a problem is about.

    Attributes:
        domain: ``depense``, ``recette`` or ``pj``.
        rank: from 1, among those of the domain.
    """

    domain: str
    rank: int


def place_of(problem: Problem) -> Place | None:
    """Read the place from a problem's path; None when the flow as a whole is meant."""
    path = problem.path or ""
    if match := _BORDEREAU.search(path):
        return Place(match["domain"].lower(), int(match["rank"] or 1))
    if match := _ATTACHMENT.search(path):
        return Place("pj", int(match["rank"] or 1))
    return None


def anomaly_of(problem: Problem) -> Anomaly:
    """Return what an acquit says of a problem."""
    if problem.rule in _SCHEMA_RULES:
        return Anomaly(_OTHER, schema_label(problem.line or 1, problem.message))
    default = _SIGNATURE if problem.rule.startswith("S") else _OTHER
    return Anomaly(_CODES.get(problem.rule, default), problem.message[:LABEL_LENGTH])


def flow_refusal(problem: Problem) -> Element:
    """Return the one element of an acquit that refuses the whole flow for a problem."""
    domain = TECHNICAL
    if problem.rule.startswith("S"):
        domain = BORDEREAU_SIGNATURE if place_of(problem) else GLOBAL_SIGNATURE
    return Element(domain, False, anomalies=(anomaly_of(problem),))


def schema_label(line: int, message: str) -> str:
    """Word a schema failure as the Guichet does."""
    return _messages("acquit.schema", line=line, message=message)[:LABEL_LENGTH]
