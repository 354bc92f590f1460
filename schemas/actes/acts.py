"""An act that is transmitted, and what is said of its transmission: receipt, refusal, cancellation (1-1 to 1-3, 6-1, 6-2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from schemas.actes.codes import NATURES, MessageCode
from schemas.actes.envelopes import SignedFile
from schemas.actes.message import Message
from schemas.actes.names import IdActe, UnwritableName
from schemas.actes.wording import messages


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
