"""What the docket of an act is made of, gathered from the tables: no word of it is chosen here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, select

from core import clock
from core.errors import Conflict, NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM
from core.tokens import ApiToken
from flows.actes.act import Act
from flows.actes.envelopes import archive_role
from flows.actes.flow import ACTES
from flows.actes.following import cancellation_of, messages_of
from flows.actes.knowledge import classification_of, labels_of
from flows.actes.models import ActesEnvelope, ActesMessage, EnvelopeState, MessageState
from flows.actes.transmitted import files_of, newest_of
from flows.engine.models import Dossier, DossierFile

_t = Catalogue("flows.actes.docket")
_flow = Catalogue("flows.actes")
_RECEIPT = "ar"
_EXCHANGED = frozenset({MessageState.RECEIVED.value, MessageState.SENT.value})


@dataclass(frozen=True, slots=True)
class File:
    """A file; ``size`` in octets."""

    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, kept: DossierFile) -> File:
        """Return what is told of a file."""
        return cls(kept.name, kept.size, kept.sha256)


@dataclass(frozen=True, slots=True)
class Sent:
    """A document of the act as it was sent.

    Attributes:
        rank: 0 for the main document.
        type: typology code; ``type_label`` in the words of the classification, None when that does not know it.
        signature: a detached signature over it.
    """

    rank: int
    file: File
    type: str
    type_label: str | None
    signature: File | None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A message that left, or that came.

    Attributes:
        at: when it left here, or came here; ``day`` that of its legal effect.
        letter: the date of the préfecture's letter that it is, or answers.
        files: names of its documents.
    """

    code: str
    outgoing: bool
    at: datetime
    day: date | None
    letter: date | None
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Docket:
    """An act as its docket tells it.

    Attributes:
        actor: who deposited it, as the journal says before the colon: ``person``, ``token``, ``platform``.
        sender: their name; None for the platform, and for those who are known no more.
        matieres: codes, level by level; ``matiere`` their labels, in the words of the classification it was sent under.
        classification: the date of that; None when it is not known.
        identifier: of the act, as the State knows it (IdActe).
        received: the State's own date of receipt; ``told`` when its acknowledgement came here.
        asked: when the cancellation of the transmission was asked for; ``cancelled`` the State's own date of that.
        receipt: the State's acknowledgement; ``envelope`` the archive that left.
    """

    dossier_id: str
    organisation: str
    siren: str | None
    actor: str
    sender: str | None
    number: str
    subject: str
    nature: str
    matieres: tuple[int, ...]
    matiere: str | None
    classification: date | None
    decided: date
    paper: bool
    previous: str | None
    identifier: str
    deposited: datetime
    sent: datetime
    received: date
    told: datetime
    asked: datetime | None
    cancelled: date | None
    files: tuple[Sent, ...]
    exchanged: tuple[Exchanged, ...]
    receipt: File
    envelope: File | None

    @property
    def at(self) -> datetime:
        """The last thing that happened: the docket's own date."""
        return max((self.told, *(one.at for one in self.exchanged)))


def has_docket(dossier: Dossier) -> bool:
    """Tell whether an act has a docket: the State has acknowledged it, whatever became of it since."""
    return bool(dossier.facts.get("reception_date"))


def content_of(platform: Platform, dossier: Dossier) -> Docket:
    """Gather the docket of an act; the same act tells the same until something happens to it.

    Args:
        platform: where its files are.
        dossier: of the act, which whoever asks may see.

    Raises:
        NotFound: no act.
        Conflict: the State has not acknowledged it.
        Unavailable, ObjectMissing: the store does not give the classification.
    """
    if dossier.flow != ACTES.name:
        raise NotFound(_flow("act.missing"))
    if not has_docket(dossier):
        raise Conflict(_t("unacknowledged"), dossier.id)
    facts, act = dossier.facts, Act.from_facts(dossier.facts)
    used = _day(facts, "classification_date")
    classification = classification_of(platform, dossier.organisation_id, used) if used else None
    nature, matiere = labels_of(act, classification)
    with platform.database.reading(PLATFORM) as session:
        organisation = session.get_one(Organisation, dossier.organisation_id)
        messages = messages_of(session, dossier.id)
        kept, sent = newest_of(session, dossier.id), files_of(session, dossier)
        exchanged = _exchanged(session, dossier, messages)
        actor, sender = _sender(session, messages)
    asked = cancellation_of(messages)
    return Docket(
        dossier_id=dossier.id,
        organisation=organisation.name,
        siren=organisation.siren,
        actor=actor,
        sender=sender,
        number=act.number,
        subject=act.subject,
        nature=nature,
        matieres=act.matieres,
        matiere=matiere,
        classification=used,
        decided=act.decision_date,
        paper=act.paper,
        previous=act.previous,
        identifier=facts.get("id_acte_of_state") or facts["id_acte"],
        deposited=dossier.created,
        sent=clock.from_iso(facts["sent_at"]),
        received=date.fromisoformat(facts["reception_date"]),
        told=kept[_RECEIPT].created,
        asked=asked.created if asked else None,
        cancelled=_day(facts, "cancelled_on"),
        files=tuple(
            Sent(
                rank,
                File.of(sent[piece.role]),
                piece.type or act.main_type,
                classification.type_label(piece.type or act.main_type) if classification else None,
                File.of(kept[piece.signature_role]) if piece.signature_role in kept else None,
            )
            for rank, piece in enumerate(act.pieces)
        ),
        exchanged=exchanged,
        receipt=File.of(kept[_RECEIPT]),
        envelope=File.of(kept[archive]) if (archive := archive_role(None)) in kept else None,
    )


def _exchanged(session: Session, dossier: Dossier, messages: Sequence[ActesMessage]) -> tuple[Exchanged, ...]:
    """Return the messages that left or came, oldest first; what still waits to leave was not exchanged."""
    left = session.exec(
        select(ActesEnvelope.message_id, ActesEnvelope.sent)
        .where(ActesEnvelope.dossier_id == dossier.id, ActesEnvelope.state == EnvelopeState.SENT.value)
        .order_by(col(ActesEnvelope.id))
    ).all()
    departures = {identifier: moment for identifier, moment in left if moment is not None}
    rows = select(DossierFile).where(DossierFile.dossier_id == dossier.id)
    files = session.exec(rows.order_by(col(DossierFile.created), col(DossierFile.id))).all()
    told = [_told(one, departures.get(one.id, one.created), files) for one in messages if one.state in _EXCHANGED]
    return tuple(sorted(told, key=lambda one: one.at))


def _told(message: ActesMessage, at: datetime, files: Sequence[DossierFile]) -> Exchanged:
    """Return what is told of a message; the files of the act itself are told elsewhere, its own XML nowhere."""
    came, left = f"{message.code}.{message.id}", f"reply.{message.id}."
    names = [one.name for one in files if (one.role == came or one.role.startswith(left)) and one.sha256 != message.sha256]
    return Exchanged(message.code, message.outgoing, at, message.day, message.letter_date, tuple(names))


def _sender(session: Session, messages: Sequence[ActesMessage]) -> tuple[str, str | None]:
    kind, _, identifier = messages[0].actor.partition(":")
    person = session.get(Person, identifier) if kind == "person" else None
    software = session.get(ApiToken, identifier) if kind == "token" else None
    known = person or software
    return kind, known.name if known else None


def _day(facts: Mapping[str, Any], name: str) -> date | None:
    return date.fromisoformat(facts[name]) if facts.get(name) else None
