"""The messages of ACTES as values: one class for each root element, for both directions, all to be had here.

They hold what was read, so that fields which the schema requires may still be empty: a text that is absent is ``""``, a date, a
number or a file that is absent or unreadable is None, and the reader tells each as a flaw. What may be written is the writer's
business, and it is strict.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from schemas.actes.acts import Acte, Annulation, AnomalieActe, ARActe, ARAnnulation
from schemas.actes.classification import Classification
from schemas.actes.codes import MessageCode
from schemas.actes.envelopes import (
    Collectivite,
    Envelope,
    EnveloppeCLMISILL,
    EnveloppeMISILLCL,
    Office,
    OfficeKind,
    Referent,
    SignedFile,
)
from schemas.actes.letters import (
    ARDemandePieceComplementaire,
    ARLettreObservations,
    ARPieceComplementaire,
    ARReponseRejetLettreObservations,
    CourrierSimple,
    DefereTA,
    DemandePieceComplementaire,
    LettreObservations,
    PieceComplementaire,
    RefusPieceComplementaire,
    RejetLettreObservations,
    ReponseCourrierSimple,
    ReponseLettreObservations,
)
from schemas.actes.message import Message

__all__ = [
    "ARActe",
    "ARAnnulation",
    "ARDemandePieceComplementaire",
    "ARLettreObservations",
    "ARPieceComplementaire",
    "ARReponseRejetLettreObservations",
    "Acte",
    "Annulation",
    "AnomalieActe",
    "AnomalieEnveloppe",
    "Collectivite",
    "CourrierSimple",
    "DefereTA",
    "DemandeClassification",
    "DemandePieceComplementaire",
    "Document",
    "Envelope",
    "EnveloppeCLMISILL",
    "EnveloppeMISILLCL",
    "LettreObservations",
    "Message",
    "Office",
    "OfficeKind",
    "PieceComplementaire",
    "Referent",
    "RefusPieceComplementaire",
    "RejetLettreObservations",
    "ReponseClassificationSansChangement",
    "ReponseCourrierSimple",
    "ReponseLettreObservations",
    "RetourClassification",
    "SignedFile",
]


@dataclass(frozen=True, slots=True)
class DemandeClassification(Message):
    """7-1: which classification is in force? With the date of the one at hand, if any."""

    code: ClassVar[MessageCode] = MessageCode.DEMANDE_CLASSIFICATION
    classification_date: date | None = None


@dataclass(frozen=True, slots=True)
class RetourClassification(Message):
    """7-2: this one."""

    code: ClassVar[MessageCode] = MessageCode.RETOUR_CLASSIFICATION
    classification: Classification


@dataclass(frozen=True, slots=True)
class ReponseClassificationSansChangement(Message):
    """7-3: the one at hand is in force."""

    code: ClassVar[MessageCode] = MessageCode.REPONSE_CLASSIFICATION_SANS_CHANGEMENT
    classification_date: date | None


@dataclass(frozen=True, slots=True)
class AnomalieEnveloppe(Message):
    """The whole envelope is refused, with every message in it.

    Attributes:
        anomaly_date: of the notice.
        nature: as written: ``5``, ``005``, ``100``, ``999``.
        detail: often begins with the name of the archive and an arrow.
        received: the refused envelope.
    """

    code: ClassVar[MessageCode] = MessageCode.ANOMALIE_ENVELOPPE
    anomaly_date: date | None
    nature: str
    detail: str | None
    received: EnveloppeCLMISILL | None


Document = Message | Envelope
