"""The classification that the simulated préfecture gives: natures with typologies, and a small tree of matières.

Themes and natures are those of the law; everything else is made up, enough for every rule to have something to be held against.
Labels hold no character that ISO-8859-1 has not, so that what is read is what was given.
"""

from __future__ import annotations

from datetime import date

from schemas.actes.classification import Classification, Matiere, NatureActe, PieceType
from schemas.actes.codes import NATURES, SIGNATURE_TYPE

_MORE_TYPES = {
    1: (("21_RP", "Rapport de présentation"), ("22_DP", "Document photographique")),
    2: (("21_RP", "Rapport de présentation"), ("61_PL", "Plan")),
    3: (("41_AR", "Arrêté individuel"), ("22_DP", "Document photographique")),
    4: (("11_CC", "Cahier des charges"), ("11_AE", "Acte d'engagement")),
    5: (("70_DE", "Délibération afférente à l'adoption"),),
    6: (),
}
_THEMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Commande publique", ("Marchés publics", "Délégations de service public", "Conventions de mandat", "Autres contrats")),
    ("Urbanisme", ("Documents d'urbanisme", "Actes relatifs au droit d'occupation ou d'utilisation des sols")),
    ("Domaine et patrimoine", ("Acquisitions", "Aliénations", "Locations")),
    ("Fonction publique", ("Personnels titulaires", "Personnels contractuels")),
    ("Institutions et vie politique", ("Élection de l'exécutif", "Fonctionnement des assemblées")),
    ("Libertés publiques et pouvoirs de police", ("Police municipale", "Pouvoirs du président du conseil général")),
    (
        "Finances locales",
        (
            "Décisions budgétaires",
            "Fiscalité",
            "Emprunts",
            "Interventions économiques",
            "Subventions",
            "Contributions",
            "Avances",
            "Fonds de concours",
            "Prise de participation",
            "Divers",
        ),
    ),
    ("Domaines de compétences par thèmes", ("Enseignement", "Aide sociale", "Voirie", "Aménagement du territoire")),
    ("Autres domaines de compétences", ("Autres domaines de compétences des communes", "Voeux et motions")),
)


def demonstration(version: date = date(2026, 1, 15)) -> Classification:
    """Return the classification of a version."""
    natures = tuple(
        NatureActe(
            nature.code,
            nature.abbreviation,
            nature.label,
            (
                PieceType(nature.main_type, nature.label),
                *(PieceType(code, label) for code, label in _MORE_TYPES[nature.code]),
                PieceType(SIGNATURE_TYPE, "Fichier de signature électronique"),
            ),
        )
        for nature in NATURES.values()
    )
    matieres = tuple(
        Matiere(rank, theme, tuple(_second(code, label, rank) for code, label in enumerate(labels, start=1)))
        for rank, (theme, labels) in enumerate(_THEMES, start=1)
    )
    return Classification(version, natures, matieres)


def _second(code: int, label: str, theme: int) -> Matiere:
    """Give some matières a third level: only préfectures have those."""
    deeper = (Matiere(1, "Délibérations"), Matiere(10, "Autres documents")) if (theme, code) == (7, 1) else ()
    return Matiere(code, label, deeper)
