"""What the API answers of acts, as models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from api.acts import telling
from api.acts.finding import RECEIPT, Whole
from api.acts.papers import budget_file
from api.problems import ProblemItem
from api.v1.publication_shapes import PublicationShape
from api.v1.shapes import DossierLine, OrganisationShape
from flows.actes.act import Act
from flows.actes.following import answers_of, legality_of, settled_on
from flows.actes.legality import Clock, Turn
from flows.actes.litigation import LONGEST_RESULT
from flows.actes.models import LATE, ActesMessage
from flows.actes.wording import message_label
from flows.engine.models import Dossier, DossierFile
from schemas.actes.classification import Classification, NatureActe
from schemas.actes.classification import Found as FoundMatiere
from schemas.actes.codes import NATURES


class NatureShape(BaseModel):
    """A nature of acts."""

    code: int
    abbreviation: str
    label: str

    @classmethod
    def of(cls, code: int) -> Self:
        """Show a nature."""
        nature = NATURES[code]
        return cls(code=code, abbreviation=nature.abbreviation, label=nature.label)


class ActLine(DossierLine):
    """An act, as lists show it."""

    id_acte: str = Field(description="Its unique identifier: département, SIREN, date, number, nature.")
    number: str
    decision_date: date
    nature: NatureShape
    matiere: str
    subject: str
    received_by_state: date | None = Field(description="The State’s own date of receipt: the legal one.")

    @classmethod
    def of_act(cls, dossier: Dossier) -> Self:
        """Show an act."""
        act = Act.from_facts(dossier.facts)
        return cls(**_line(dossier, act), **DossierLine.of(dossier).model_dump())


class ActFileShape(BaseModel):
    """A file of an act."""

    id: str
    role: str
    label: str
    name: str
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    type: str | None = Field(description="Typology code, for what is sent to the State.")
    created: datetime
    href: str

    @classmethod
    def of(cls, kept: DossierFile, type: str | None) -> Self:  # noqa: A002
        """Show a file."""
        return cls(
            label=telling.file_label(kept.role),
            type=type,
            href=f"/v1/acts/{kept.dossier_id}/files/{kept.id}",
            **kept.model_dump(include={"id", "role", "name", "media_type", "size", "sha256", "created"}),
        )


class ActFileList(BaseModel):
    """The files of an act, oldest first."""

    files: list[ActFileShape]


class TurnShape(BaseModel):
    """One thing that the clock of the control counted."""

    day: date
    kind: str
    label: str
    ends: date | None = Field(description="Until when the control then ran.")
    silence: date | None = Field(description="The last day to answer before silence counts as a refusal.")
    idle: bool = Field(description="It changed nothing, having come too late or a second time.")

    @classmethod
    def of(cls, turn: Turn) -> Self:
        """Show a turn."""
        return cls(
            day=turn.day,
            kind=turn.kind.value,
            label=telling.turn_in_words(turn),
            ends=turn.ends,
            silence=turn.silence,
            idle=turn.idle,
        )


class ControlShape(BaseModel):
    """The control of legality, counted again at each event; indicative."""

    phase: str = Field(description="running, interrupted, ended, referred, settled or cancelled.")
    label: str = Field(description="In words, in the language of the request.")
    ends: date | None = Field(description="Its last day if nothing more happens; once settled, that of the litigation.")
    days_left: int | None
    answer_by: date | None = Field(description="While interrupted: the last day to answer before silence counts as a refusal.")
    budgetary_ends: date | None = Field(description="The last day of the control of a budget.")
    budgetary_label: str | None
    turns: list[TurnShape] = Field(description="How the date came about.")

    @classmethod
    def of(cls, found: Clock, today: date) -> Self:
        """Show where the control stands on a day."""
        return cls(
            phase=found.phase.value,
            label=telling.control_in_words(found, today),
            ends=found.ends,
            days_left=telling.days_left(found, today),
            answer_by=found.answer_by,
            budgetary_ends=found.budgetary,
            budgetary_label=telling.budgetary_in_words(found, today),
            turns=[TurnShape.of(turn) for turn in found.turns],
        )


class LitigationShape(BaseModel):
    """The end of the litigation about an act."""

    ended: date = Field(description="The day, from that of the referral to today.")
    result: str = Field(min_length=1, max_length=LONGEST_RESULT, description="How it ended, in words; it stands in the record.")


class ActMessageShape(BaseModel):
    """A message about an act, from either side."""

    id: str
    code: str = Field(description="1-1 to 6-2, as the norm numbers them.")
    label: str
    outgoing: bool = Field(description="True for what is sent to the State.")
    state: str = Field(description="received; to_send, packed, uncertain, sent or refused for what is outgoing.")
    standing: str = Field(description="The state in words.")
    letter_date: date | None = Field(description="Date of the letter that it is, or that it answers.")
    day: date | None = Field(description="Of its legal effect.")
    answers_to: str | None = Field(description="The message that it answers, or acknowledges.")
    answers: list[str] = Field(description="Codes by which it may be answered; none without a date.")
    reason: str | None = Field(description="What the State says: reason, documents asked for, illegality, anomaly.")
    missing: list[str] = Field(description="Files that it names and that did not come with it.")
    late: bool = Field(description="It came once the act was closed: kept with the dossier, outside of the sealed record.")
    infected: list[str] = Field(description="Files in which the antivirus found something: set aside, not given out.")
    actor: str
    created: datetime
    files: list[ActFileShape]

    @classmethod
    def of(cls, message: ActesMessage, found: Whole | None = None) -> Self:
        """Show a message, with its files where the act is at hand."""
        files = found.files_of(message) if found else []
        kept = message.model_dump(include={"id", "code", "outgoing", "state", "letter_date", "day", "actor", "created"})
        return cls(
            label=message_label(message.code),
            standing=telling.standing_label(message),
            answers_to=message.answers_id,
            answers=[] if message.outgoing else [code.value for code in answers_of(message)],
            reason=_reason(message.facts),
            missing=list(message.facts.get("missing", ())),
            late=bool(message.facts.get(LATE)),
            infected=[name for name, _ in message.facts.get("infected", ())],
            files=[ActFileShape.of(one, found.type_of(one.role)) for one in files] if found else [],
            **kept,
        )


class ActShape(ActLine):
    """An act in full."""

    organisation: OrganisationShape
    paper: bool
    previous: str | None
    classification_date: date | None = Field(description="Version of the classification under which it was sent.")
    sent: datetime | None = Field(description="When it left for the ministry.")
    control: ControlShape | None = Field(description="Null until the State has received it.")
    litigation: LitigationShape | None = Field(description="How it ended, once somebody has said so.")
    publication: PublicationShape | None = Field(description="Its publication, asked for, online or withdrawn.")
    problems: list[ProblemItem] = Field(description="What refused the act, then what was only a warning.")
    trouble: str | None = Field(description="What the last try of the step under way said, when it failed.")
    messages: list[ActMessageShape] = Field(description="Of both sides, oldest first; the act itself is the first.")
    links: dict[str, str]

    @classmethod
    def seen(cls, found: Whole, today: date, record: str | None, publication: PublicationShape | None) -> Self:
        """Show an act with what belongs to it, as it stands on a day."""
        dossier, act = found.seen.dossier, found.act
        clock = legality_of(found.messages, act, today, settled=settled_on(dossier))
        return cls(
            organisation=OrganisationShape.of(found.seen.organisation),
            paper=act.paper,
            previous=act.previous,
            classification_date=dossier.facts.get("classification_date"),
            sent=dossier.facts.get("sent_at"),
            control=ControlShape.of(clock, today) if clock else None,
            litigation=dossier.facts.get("litigation"),
            publication=publication,
            problems=[ProblemItem(**problem) for problem in found.seen.problems],
            trouble=found.seen.step.trouble if found.seen.step else None,
            messages=[ActMessageShape.of(message, found) for message in found.messages],
            links=_links(found, record),
            **_line(dossier, act),
            **DossierLine.of(dossier).model_dump(),
        )


class ActPage(BaseModel):
    """A page of acts, newest first."""

    acts: list[ActLine]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class PieceTypeShape(BaseModel):
    """A typology code."""

    code: str
    label: str


class ClassifiedNature(BaseModel):
    """A nature as the préfecture classifies it."""

    code: int
    abbreviation: str
    label: str
    types: list[PieceTypeShape] = Field(description="Typologies that its files may bear.")

    @classmethod
    def of(cls, nature: NatureActe) -> Self:
        """Show a nature."""
        types = [PieceTypeShape(code=one.code, label=one.label) for one in nature.types]
        return cls(code=nature.code, abbreviation=nature.abbreviation, label=nature.label, types=types)


class MatiereShape(BaseModel):
    """A matière, with the labels of the levels that lead to it."""

    code: str
    labels: list[str]

    @classmethod
    def of(cls, found: FoundMatiere) -> Self:
        """Show a matière."""
        return cls(code=found.code, labels=list(found.labels))


class ClassificationShape(BaseModel):
    """The classification that the préfecture gave to a collectivité."""

    organisation_id: str
    version: date | None = Field(description="Its date, which is its only name.")
    natures: list[ClassifiedNature]
    matieres: list[MatiereShape] = Field(description="Parents before children; two levels at least are needed for an act.")

    @classmethod
    def of(cls, organisation_id: str, found: Classification, q: str) -> Self:
        """Show a classification, its matières narrowed by a search."""
        matieres = found.search(q) if q else found.walk()
        return cls(
            organisation_id=organisation_id,
            version=found.version,
            natures=[ClassifiedNature.of(nature) for nature in found.natures],
            matieres=[MatiereShape.of(one) for one in matieres],
        )


def _line(dossier: Dossier, act: Act) -> dict[str, Any]:
    return {
        "id_acte": dossier.facts.get("id_acte", ""),
        "number": act.number,
        "decision_date": act.decision_date,
        "nature": NatureShape.of(act.nature),
        "matiere": ".".join(map(str, act.matieres)),
        "subject": act.subject,
        "received_by_state": dossier.facts.get("reception_date"),
    }


def _reason(facts: Mapping[str, Any]) -> str | None:
    anomaly = facts.get("anomaly") or {}
    return facts.get("reason") or facts.get("detail") or anomaly.get("detail") or None


def _links(found: Whole, record: str | None) -> dict[str, str]:
    dossier_id = found.seen.dossier.id
    here = f"/v1/acts/{dossier_id}"
    links = {"self": here, "files": f"{here}/files", "dossier": f"/v1/dossiers/{dossier_id}", "page": f"/dossiers/{dossier_id}"}
    receipt = found.file(RECEIPT)
    if receipt is not None:
        links |= {"acknowledgement": f"{here}/files/{receipt.id}", "docket": f"{here}/acknowledgement.pdf"}
    if budget_file(found) is not None:
        links |= {"budget": f"{here}/budget", "presentation": f"{here}/budget.pdf"}
    if record is not None:
        links |= {"record": f"/v1/records/{record}", "evidence": f"/v1/records/{record}/evidence"}
    return links
