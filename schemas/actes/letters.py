"""Letters of the préfecture about an act and their answers (2 plain, 3 for documents, 4 with observations), and the referral."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from schemas.actes.codes import MessageCode
from schemas.actes.envelopes import SignedFile
from schemas.actes.message import Message


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
