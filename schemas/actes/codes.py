"""The messages of ACTES and the natures of acts: codes, root elements, who speaks to whom.

What lives here: the closed lists that every other module of the room refers to. Labels of messages for people stand in the
catalogue; matières and typologies belong to each collectivité's classification (``classification.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "http://www.interieur.gouv.fr/ACTES#v1.1-20040216"
"""The namespace of every message; it never changed although the schema did, so it does not tell the version."""

INSEE = "http://xml.insee.fr/schema"
"""The namespace of the attribute ``SIREN``."""

MESSAGE = "actes-message"
ENVELOPE = "actes-envelope"
ARCHIVE = "actes-archive"


class Direction(StrEnum):
    """Who speaks to whom."""

    TO_STATE = "to-state"
    FROM_STATE = "from-state"


class MessageCode(StrEnum):
    """Type of transaction and number of flux (``1-1``), as they stand in names of files; ``ANO`` for a refused envelope."""

    ACTE = "1-1"
    AR_ACTE = "1-2"
    ANOMALIE_ACTE = "1-3"
    COURRIER_SIMPLE = "2-1"
    REPONSE_COURRIER_SIMPLE = "2-2"
    DEMANDE_PIECE_COMPLEMENTAIRE = "3-1"
    AR_DEMANDE_PIECE_COMPLEMENTAIRE = "3-2"
    REFUS_PIECE_COMPLEMENTAIRE = "3-3"
    PIECE_COMPLEMENTAIRE = "3-4"
    AR_PIECE_COMPLEMENTAIRE = "3-5"
    LETTRE_OBSERVATIONS = "4-1"
    AR_LETTRE_OBSERVATIONS = "4-2"
    REJET_LETTRE_OBSERVATIONS = "4-3"
    REPONSE_LETTRE_OBSERVATIONS = "4-4"
    AR_REPONSE_REJET_LETTRE_OBSERVATIONS = "4-5"
    DEFERE_TA = "5-1"
    ANNULATION = "6-1"
    AR_ANNULATION = "6-2"
    DEMANDE_CLASSIFICATION = "7-1"
    RETOUR_CLASSIFICATION = "7-2"
    REPONSE_CLASSIFICATION_SANS_CHANGEMENT = "7-3"
    ANOMALIE_ENVELOPPE = "ANO"

    @property
    def root(self) -> str:
        """Local name of the root element."""
        return _ROOTS[self]

    @property
    def direction(self) -> Direction:
        """Who sends it."""
        return Direction.TO_STATE if self in _TO_STATE else Direction.FROM_STATE

    @property
    def kind(self) -> str:
        """Kind of document, as ``check`` names it: an anomaly of an envelope is read where envelopes are."""
        return ENVELOPE if self is MessageCode.ANOMALIE_ENVELOPPE else MESSAGE

    @property
    def about_an_act(self) -> bool:
        """Whether date, number and nature stand in the name of its file: all but classification and envelopes."""
        return self.value[0] in "123456"


ENVELOPE_TO_STATE = "EnveloppeCLMISILL"
ENVELOPE_FROM_STATE = "EnveloppeMISILLCL"

_ROOTS = {
    MessageCode.ACTE: "Acte",
    MessageCode.AR_ACTE: "ARActe",
    MessageCode.ANOMALIE_ACTE: "AnomalieActe",
    MessageCode.COURRIER_SIMPLE: "CourrierSimple",
    MessageCode.REPONSE_COURRIER_SIMPLE: "ReponseCourrierSimple",
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE: "DemandePieceComplementaire",
    MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE: "ARDemandePieceComplementaire",
    MessageCode.REFUS_PIECE_COMPLEMENTAIRE: "RefusPieceComplementaire",
    MessageCode.PIECE_COMPLEMENTAIRE: "PieceComplementaire",
    MessageCode.AR_PIECE_COMPLEMENTAIRE: "ARPieceComplementaire",
    MessageCode.LETTRE_OBSERVATIONS: "LettreObservations",
    MessageCode.AR_LETTRE_OBSERVATIONS: "ARLettreObservations",
    MessageCode.REJET_LETTRE_OBSERVATIONS: "RejetLettreObservations",
    MessageCode.REPONSE_LETTRE_OBSERVATIONS: "ReponseLettreObservations",
    MessageCode.AR_REPONSE_REJET_LETTRE_OBSERVATIONS: "ARReponseRejetLettreObservations",
    MessageCode.DEFERE_TA: "DefereTA",
    MessageCode.ANNULATION: "Annulation",
    MessageCode.AR_ANNULATION: "ARAnnulation",
    MessageCode.DEMANDE_CLASSIFICATION: "DemandeClassification",
    MessageCode.RETOUR_CLASSIFICATION: "RetourClassification",
    MessageCode.REPONSE_CLASSIFICATION_SANS_CHANGEMENT: "ReponseClassificationSansChangement",
    MessageCode.ANOMALIE_ENVELOPPE: "AnomalieEnveloppe",
}
_TO_STATE = frozenset(
    {
        MessageCode.ACTE,
        MessageCode.REPONSE_COURRIER_SIMPLE,
        MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE,
        MessageCode.REFUS_PIECE_COMPLEMENTAIRE,
        MessageCode.PIECE_COMPLEMENTAIRE,
        MessageCode.AR_LETTRE_OBSERVATIONS,
        MessageCode.REJET_LETTRE_OBSERVATIONS,
        MessageCode.REPONSE_LETTRE_OBSERVATIONS,
        MessageCode.ANNULATION,
        MessageCode.DEMANDE_CLASSIFICATION,
    }
)
_CODES = {root: code for code, root in _ROOTS.items()}


def code_of_root(root: str) -> MessageCode | None:
    """Return the code of a message by the local name of its root; None for an envelope and for what is no message."""
    return _CODES.get(root)


def kind_of_root(root: str) -> str | None:
    """Return the kind of document that a root element opens, by its local name; None when it is none of ACTES."""
    if root in (ENVELOPE_TO_STATE, ENVELOPE_FROM_STATE):
        return ENVELOPE
    code = code_of_root(root)
    return None if code is None else code.kind


def direction_of_root(root: str) -> Direction | None:
    """Return who sends a document, by the local name of its root; None when it is none of ACTES."""
    if root in (ENVELOPE_TO_STATE, ENVELOPE_FROM_STATE):
        return Direction.TO_STATE if root == ENVELOPE_TO_STATE else Direction.FROM_STATE
    code = code_of_root(root)
    return None if code is None else code.direction


@dataclass(frozen=True, slots=True)
class Nature:
    """A nature of acts.

    Attributes:
        code: ``CodeNatureActe``.
        abbreviation: two letters, as they stand in names of files (``TypeAbrege``).
        label: in French, the law's own words.
        main_type: typology code of the main document when none was chosen.
        annex_type: likewise of an annex, where it is another: beside a budget stands the deliberation that adopts it.
    """

    code: int
    abbreviation: str
    label: str
    main_type: str
    annex_type: str = ""


NATURES = {
    nature.code: nature
    for nature in (
        Nature(1, "DE", "Délibérations", "99_DE"),
        Nature(2, "AR", "Actes réglementaires", "99_AR"),
        Nature(3, "AI", "Actes individuels", "99_AI"),
        Nature(4, "CC", "Contrats, conventions et avenants", "99_DC"),
        Nature(5, "BF", "Documents budgétaires et financiers", "99_BU", "70_DE"),
        Nature(6, "AU", "Autres", "99_AU"),
    )
}
"""The six natures by code, for want of a classification: where there is one, it is the authority."""

BUDGET_NATURE = 5
BUDGET_MATIERE = (7, 1)
SIGNATURE_TYPE = "99_SE"
"""Typology code of a file that holds an electronic signature, offered for every nature."""
