"""The messages of ACTES as values: one class for each root element, for both directions.

They hold what was read, so that fields which the schema requires may still be empty: a text that is absent is ``""``, a date, a
number or a file that is absent or unreadable is None, and the reader tells each as a flaw. What may be written is the writer's
business, and it is strict.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from schemas.actes.classification import Classification
from schemas.actes.codes import NATURES, MessageCode
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
from schemas.actes.names import IdActe, UnreadableName, UnwritableName
from schemas.actes.wording import messages

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
class Message:
    """What all messages have in common."""

    code: ClassVar[MessageCode]

    @property
    def files(self) -> tuple[SignedFile, ...]:
        """The files that travel with it, the main document first."""
        return ()

    @property
    def act(self) -> IdActe | None:
        """The act that it is about, when it names it by an identifier that can be read."""
        return _act(getattr(self, "id_acte", ""))


@dataclass(frozen=True, slots=True)
class Acte(Message):
    """1-1: an act is transmitted (also ``ActeRecu``, the copy that the State sends back).

    Attributes:
        decision_date: ``Date``.
        number: ``NumeroInterne``.
        nature: ``CodeNatureActe``.
        matieres: codes of level 1 to 5; None where a level is skipped, which a real message does.
        subject: ``Objet``.
        classification_date: version of the classification that was used.
        document: the main one.
        annexes: in order.
        paper: ``DocumentPapier`` as written: ``O`` or ``N`` (also ``0`` or empty from the State; None when absent).
        previous: ``PrecedentIdentifiantActe``: the act that this one replaces.
        announced: ``Annexes@Nombre`` as read; None when it is to be counted.
    """

    code: ClassVar[MessageCode] = MessageCode.ACTE
    decision_date: date | None
    number: str
    nature: int | None
    matieres: tuple[int | None, ...]
    subject: str
    classification_date: date | None
    document: SignedFile | None
    annexes: tuple[SignedFile, ...] = ()
    paper: str | None = "N"
    previous: str | None = None
    announced: int | None = None

    @property
    def files(self) -> tuple[SignedFile, ...]:
        """The main document, then the annexes."""
        return self.annexes if self.document is None else (self.document, *self.annexes)

    @property
    def matiere(self) -> str:
        """The path of the matière, up to the first level that is skipped: ``7.10.2``."""
        codes = self.matieres[: self.matieres.index(None)] if None in self.matieres else self.matieres
        return ".".join(map(str, codes))

    @property
    def paper_follows(self) -> bool:
        """Whether a paper copy follows."""
        return self.paper == "O"

    def identifier(self, department: str, siren: str) -> IdActe:
        """Return the identifier that the State will give to the act, which is known before sending.

        Raises:
            UnwritableName: the nature is none of the six, the decision has no date, or a part does not fit the norm.
        """
        nature = NATURES.get(self.nature or 0)
        if nature is None or self.decision_date is None:
            raise UnwritableName(messages("name.unwritable.act"))
        return IdActe.build(
            department=department, siren=siren, day=self.decision_date, number=self.number, nature=nature.abbreviation
        )


@dataclass(frozen=True, slots=True)
class ARActe(Message):
    """1-2: the act was received; ``reception_date`` is the legal date from which the control of legality runs."""

    code: ClassVar[MessageCode] = MessageCode.AR_ACTE
    id_acte: str
    reception_date: date | None
    received: Acte | None
    current_classification_date: date | None


@dataclass(frozen=True, slots=True)
class AnomalieActe(Message):
    """1-3: the act is refused. It bears no identifier: the envelope's recipient and ``received`` tell which act it is.

    Attributes:
        anomaly_date: of the notice.
        nature: three digits, as written.
        detail: often begins with a code (``ODT-VERIF-01``).
    """

    code: ClassVar[MessageCode] = MessageCode.ANOMALIE_ACTE
    anomaly_date: date | None
    nature: str
    detail: str | None
    received: Acte | None
    current_classification_date: date | None


@dataclass(frozen=True, slots=True)
class _Letter(Message):
    """A message about a letter of the préfecture, known by the act and the letter's own date."""

    id_acte: str
    letter_date: date | None


@dataclass(frozen=True, slots=True)
class _LetterWithDocument(_Letter):
    """The same, with one document."""

    document: SignedFile | None

    @property
    def files(self) -> tuple[SignedFile, ...]:
        """The document."""
        return () if self.document is None else (self.document,)


@dataclass(frozen=True, slots=True)
class CourrierSimple(_LetterWithDocument):
    """2-1: a letter that asks for nothing; it has no effect on the time of the control."""

    code: ClassVar[MessageCode] = MessageCode.COURRIER_SIMPLE


@dataclass(frozen=True, slots=True)
class ReponseCourrierSimple(_LetterWithDocument):
    """2-2: the answer to it."""

    code: ClassVar[MessageCode] = MessageCode.REPONSE_COURRIER_SIMPLE


@dataclass(frozen=True, slots=True)
class DemandePieceComplementaire(_LetterWithDocument):
    """3-1: more documents are asked for; 3-2 must answer at once, then 3-3 or 3-4."""

    code: ClassVar[MessageCode] = MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE
    description: str = ""


@dataclass(frozen=True, slots=True)
class ARDemandePieceComplementaire(_Letter):
    """3-2: the request was received."""

    code: ClassVar[MessageCode] = MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE


@dataclass(frozen=True, slots=True)
class RefusPieceComplementaire(_LetterWithDocument):
    """3-3: the documents will not be sent."""

    code: ClassVar[MessageCode] = MessageCode.REFUS_PIECE_COMPLEMENTAIRE


@dataclass(frozen=True, slots=True)
class PieceComplementaire(_Letter):
    """3-4: the documents that were asked for, one or more."""

    code: ClassVar[MessageCode] = MessageCode.PIECE_COMPLEMENTAIRE
    documents: tuple[SignedFile, ...] = ()

    @property
    def files(self) -> tuple[SignedFile, ...]:
        """The documents."""
        return self.documents


@dataclass(frozen=True, slots=True)
class ARPieceComplementaire(_Letter):
    """3-5: documents, or the refusal to send them, were received."""

    code: ClassVar[MessageCode] = MessageCode.AR_PIECE_COMPLEMENTAIRE
    reception_date: date | None = None


@dataclass(frozen=True, slots=True)
class LettreObservations(_LetterWithDocument):
    """4-1: observations; 4-2 must answer at once, then 4-3 or 4-4."""

    code: ClassVar[MessageCode] = MessageCode.LETTRE_OBSERVATIONS
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ARLettreObservations(_Letter):
    """4-2: the observations were received."""

    code: ClassVar[MessageCode] = MessageCode.AR_LETTRE_OBSERVATIONS


@dataclass(frozen=True, slots=True)
class RejetLettreObservations(_LetterWithDocument):
    """4-3: the observations are rejected."""

    code: ClassVar[MessageCode] = MessageCode.REJET_LETTRE_OBSERVATIONS


@dataclass(frozen=True, slots=True)
class ReponseLettreObservations(_LetterWithDocument):
    """4-4: the observations are answered."""

    code: ClassVar[MessageCode] = MessageCode.REPONSE_LETTRE_OBSERVATIONS


@dataclass(frozen=True, slots=True)
class ARReponseRejetLettreObservations(_Letter):
    """4-5: the answer, or the rejection, was received."""

    code: ClassVar[MessageCode] = MessageCode.AR_REPONSE_REJET_LETTRE_OBSERVATIONS
    reception_date: date | None = None


@dataclass(frozen=True, slots=True)
class DefereTA(Message):
    """5-1: the act was brought before the administrative court."""

    code: ClassVar[MessageCode] = MessageCode.DEFERE_TA
    id_acte: str
    deposit_date: date | None
    illegality: str
    attachments: tuple[SignedFile, ...] = ()

    @property
    def files(self) -> tuple[SignedFile, ...]:
        """The attachments."""
        return self.attachments


@dataclass(frozen=True, slots=True)
class Annulation(Message):
    """6-1: the transmission of an act is to be cancelled (not the act itself)."""

    code: ClassVar[MessageCode] = MessageCode.ANNULATION
    id_acte: str


@dataclass(frozen=True, slots=True)
class ARAnnulation(Message):
    """6-2: it is cancelled."""

    code: ClassVar[MessageCode] = MessageCode.AR_ANNULATION
    id_acte: str
    reception_date: date | None


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


def _act(identifier: str) -> IdActe | None:
    try:
        return IdActe.parse(identifier)
    except UnreadableName:
        return None
