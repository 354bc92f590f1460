"""What the simulated State makes of an archive: refused whole, refused by act, received; and what it answers to each message.

The verdict comes from the rules of the format (R01 to R22, all of them when strict), from the collectivités and acts that it
knows, and from the classification in force. Codes of anomalies are those seen in the field; where none is known, 100 for an
envelope and 999 for an act. Nothing is remembered or sent here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from connectors.actes.simulated_ledger import KnownAct, Letter
from core.messages import Catalogue, speaking
from core.problems import Problem
from schemas.actes.classification import Classification
from schemas.actes.codes import Direction
from schemas.actes.messages import (
    Acte,
    Annulation,
    AnomalieActe,
    AnomalieEnveloppe,
    ARActe,
    ARAnnulation,
    ARPieceComplementaire,
    ARReponseRejetLettreObservations,
    DemandeClassification,
    EnveloppeCLMISILL,
    Message,
    PieceComplementaire,
    RefusPieceComplementaire,
    RejetLettreObservations,
    ReponseClassificationSansChangement,
    ReponseLettreObservations,
    RetourClassification,
)
from schemas.actes.rules import Archive, ArchivedMessage, Operator, examine_archive

_messages = Catalogue("connectors.actes")

_SENT_WITH_TYPES = 22
_BY_ACT = {"R16", "R17", "R20", "R21", "R22", "R23", "R24", "R25", "R26", "R30", "R33", "R34"}
_UNKNOWN_SENDER, _UNRECOGNISED, _ANY_ENVELOPE = "005", "999", "100"
_STALE, _ANY_ACT = "002", "999"
_REQUEST, _OBSERVATIONS = "3-1", "4-1"


@dataclass(frozen=True, slots=True)
class Answer:
    """A message that answers one of an archive's.

    Attributes:
        message: to be sent.
        act: identifier of the act that it names; None when it names none.
        paper: whether a paper copy of the act was announced.
    """

    message: Message
    act: str | None = None
    paper: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an archive.

    Attributes:
        archive: what was read of it; None when nobody can be answered.
        answers: in the order of the messages.
        acts: that are known from now on, or have changed.
        letters: that have been answered.
        outcome: for the ledger.
    """

    archive: Archive | None
    answers: tuple[Answer, ...] = ()
    acts: tuple[KnownAct, ...] = ()
    letters: tuple[Letter, ...] = ()
    outcome: str = "silence"


class Prefecture:
    """The rules of the simulated State; it asks for what is remembered."""

    def __init__(
        self,
        operator: Operator,
        classification: Classification,
        *,
        collectivites: Collection[str] | None,
        strict: bool,
        act: Callable[[str], KnownAct | None],
        letters: Callable[[str], list[Letter]],
    ) -> None:
        """Say against what archives are held.

        Args:
            operator: whose archives are taken.
            classification: in force for everybody.
            collectivites: SIREN of those that are registered; None when all are.
            strict: whether the rules beyond R22 refuse too.
            act: an act that is known, by its identifier.
            letters: about an act.
        """
        self._operator = operator
        self.classification = classification
        self._collectivites = collectivites
        self._strict = strict
        self._act = act
        self._letters = letters

    def decide(self, path: Path, name: str, folder: Path, day: date) -> Decision:
        """Decide on an archive.

        Args:
            path: the archive.
            name: what it was called.
            folder: an empty one, for its files.
            day: of reception.
        """
        with speaking("fr"):
            archive, report = examine_archive(
                path, folder=folder, operator=self._operator, classification=self.classification, name=name
            )
            if archive is None:  # neither a sender nor an address: nobody can be told
                return Decision(None)
            problems = [problem for problem in report.errors if self._strict or _number(problem) <= _SENT_WITH_TYPES]
            refusal = self._refusal(archive, name, problems, day)
            if refusal is not None:
                return Decision(archive, (Answer(refusal),), outcome=refusal.code.value)
            return self._answered(archive, problems, day)

    def _refusal(self, archive: Archive, name: str, problems: list[Problem], day: date) -> AnomalieEnveloppe | None:
        """Refuse the whole envelope."""
        told: tuple[str, str] | None = None
        envelope_wide = [problem for problem in problems if problem.rule not in _BY_ACT]
        siren = archive.envelope.sender.siren
        if self._collectivites is not None and siren not in self._collectivites:
            told = _UNKNOWN_SENDER, _messages("ministry.sender", siren=siren)
        elif any(problem.rule == "R13" for problem in envelope_wide):
            told = _UNRECOGNISED, _messages("ministry.unrecognised")
        elif envelope_wide:
            told = _ANY_ENVELOPE, _messages("ministry.rule", rule=envelope_wide[0].rule, message=envelope_wide[0].message)
        else:
            unknown = next((one.name for one in archive.messages if not self._concerns_something(one.message)), None)
            if unknown is not None:
                told = _UNRECOGNISED, _messages("ministry.unknown", message=unknown)
        return AnomalieEnveloppe(day, told[0], f"{name} -> {told[1]}"[:1000], archive.envelope) if told else None

    def _concerns_something(self, message: Message) -> bool:
        """Tell whether what a message is about is known here: an act to cancel, a letter to answer."""
        if isinstance(message, Annulation):
            known = self._act(message.id_acte)
            return known is not None and known.state == "received"
        letter_date = getattr(message, "letter_date", None)
        if letter_date is None or message.code.direction is not Direction.TO_STATE:
            return True
        return self._letter(message) is not None

    def _letter(self, message: Message) -> Letter | None:
        code = f"{message.code.value[0]}-1"
        day = getattr(message, "letter_date", None)
        wanted = (code, day.isoformat() if day else "")
        return next((one for one in self._letters(getattr(message, "id_acte", "")) if (one.code, one.day) == wanted), None)

    def _answered(self, archive: Archive, problems: list[Problem], day: date) -> Decision:
        answers: list[Answer] = []
        acts: list[KnownAct] = []
        letters: list[Letter] = []
        for one in archive.messages:
            message = one.message
            if isinstance(message, Acte):
                own = [problem for problem in problems if _is_about(problem, one)]
                answers.append(self._received(archive, message, own, day, {act.id_acte for act in acts}))
                if isinstance(answers[-1].message, ARActe):
                    acts.append(_known(archive, answers[-1], day))
                continue
            answers += self._others(message, day)
            if isinstance(message, Annulation) and (act := self._act(message.id_acte)) is not None:
                acts.append(KnownAct(act.id_acte, act.sender, act.application, act.addresses, act.received, "cancelled"))
            if (letter := self._letter(message)) is not None:
                answered = f"{letter.answered} {message.code.value}".strip()
                letters.append(Letter(letter.id_acte, letter.code, letter.day, answered))
        outcome = " ".join(answer.message.code.value for answer in answers) or "noted"
        return Decision(archive, tuple(answers), tuple(acts), tuple(letters), outcome)

    def _received(self, archive: Archive, act: Acte, problems: list[Problem], day: date, here: set[str]) -> Answer:
        """Receive an act, or refuse it."""
        current = self.classification.version
        sender = archive.envelope.sender
        id_acte = str(act.identifier(sender.department, sender.siren)) if not problems else ""
        known = self._act(id_acte)
        if act.classification_date != current:
            refusal = _STALE, _messages("ministry.classification")
        elif problems:
            refusal = _ANY_ACT, _messages("ministry.rule", rule=problems[0].rule, message=problems[0].message)
        elif id_acte in here or (known is not None and known.state == "received"):
            refusal = _ANY_ACT, _messages("ministry.twice", act=id_acte)
        else:
            return Answer(ARActe(id_acte, day, act, current), id_acte, act.paper_follows)
        return Answer(AnomalieActe(day, refusal[0], refusal[1][:1000], act, current), id_acte or None)

    def _others(self, message: Message, day: date) -> Iterator[Answer]:
        """Answer what is no act; what the norm gives no answer to gets none."""
        current = self.classification.version
        if isinstance(message, Annulation):
            yield Answer(ARAnnulation(message.id_acte, day), message.id_acte)
        elif isinstance(message, RefusPieceComplementaire | PieceComplementaire):
            yield Answer(ARPieceComplementaire(message.id_acte, message.letter_date, day), message.id_acte)
        elif isinstance(message, RejetLettreObservations | ReponseLettreObservations):
            yield Answer(ARReponseRejetLettreObservations(message.id_acte, message.letter_date, day), message.id_acte)
        elif isinstance(message, DemandeClassification):
            same = current is not None and message.classification_date == current
            yield Answer(ReponseClassificationSansChangement(current) if same else RetourClassification(self.classification))


def _known(archive: Archive, answer: Answer, day: date) -> KnownAct:
    envelope = archive.envelope
    application = archive.name.envelope.application if archive.name else ""
    return KnownAct(answer.act or "", sender_of(envelope), application, " ".join(envelope.addresses), day.isoformat())


def sender_of(envelope: EnveloppeCLMISILL) -> str:
    """Return a collectivité as the ledger keeps it."""
    sender = envelope.sender
    return ",".join((sender.siren, sender.department, sender.arrondissement, sender.nature))


def _is_about(problem: Problem, one: ArchivedMessage) -> bool:
    files = {one.name, *(file.name for file in one.message.files)}
    return problem.path is None or problem.path.partition(":")[0] in files


def _number(problem: Problem) -> int:
    return int(problem.rule[1:]) if problem.rule[1:].isdigit() else 0
