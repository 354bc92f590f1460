"""An act as its page tells it: its messages in order with their files, the clock and its reasons, what can be done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from api.acts.finding import Whole, whole
from api.acts.telling import standing_label
from api.web.acts import standing
from api.web.visitor import Visitor
from core import clock
from core.messages import Catalogue
from core.people import Person
from core.platform import Platform
from core.principal import Right
from flows.actes import knowledge, resending
from flows.actes.act import Act
from flows.actes.envelopes import archive_role, message_role
from flows.actes.following import FOLLOWED, answers_of, cancellation_of
from flows.actes.legality import Clock
from flows.actes.models import LATE, ActesMessage, MessageState
from flows.actes.stamped import has_stamp
from flows.actes.wording import message_label
from flows.engine import reading
from flows.engine.models import DossierFile
from flows.engine.reading import Seen
from schemas.actes.classification import Classification
from schemas.actes.codes import NATURES, MessageCode

_t = Catalogue("api.web.acts")


@dataclass(frozen=True, slots=True)
class Told:
    """A message as the timeline shows it.

    Attributes:
        who: who asked for it; empty for what is automatic or comes from the State.
        files: its documents.
        message_file: the message itself, as it came, or as we sent it; None before it leaves.
        envelope: the archive that carried it; None for what came.
        waits: a letter that the visitor is to answer.
        answers: codes by which it may be answered now; empty when it may not, as one that waits and bears no date.
        again: the visitor may send it again.
    """

    message: ActesMessage
    who: str
    files: tuple[DossierFile, ...]
    message_file: DossierFile | None
    envelope: DossierFile | None
    waits: bool
    answers: tuple[MessageCode, ...]
    again: bool

    @property
    def label(self) -> str:
        """What the message is."""
        return message_label(self.message.code)

    @property
    def standing(self) -> str:
        """Where it stands."""
        return standing_label(self.message)

    @property
    def reason(self) -> str:
        """What the State says in it."""
        anomaly = self.message.facts.get("anomaly") or {}
        return str(self.message.facts.get("reason") or anomaly.get("detail") or self.message.facts.get("detail") or "")

    @property
    def is_late(self) -> bool:
        """It came after the act was closed: the sealed record does not have it."""
        return bool(self.message.facts.get(LATE))

    @property
    def infected(self) -> Sequence[Sequence[str]]:
        """Files in which the antivirus found something, each with the name of it: kept with the mail, not given out."""
        return self.message.facts.get("infected") or ()

    @property
    def missing(self) -> Sequence[str]:
        """Files that the State announced and did not send."""
        return self.message.facts.get("missing") or ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of the act.

    Attributes:
        called: main document, or annex and its rank.
        type: its typology in words.
        leaves: as it came out of the parapheur, when it did.
    """

    called: str
    type: str
    kept: DossierFile
    signed: DossierFile | None = None
    signature: DossierFile | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """Everything that the page of an act shows.

    Attributes:
        proofs: role and file: acknowledgement, anomaly, archive as it left.
        cancelling: the cancellation that was asked for, while the State says nothing of it.
        cancels: the visitor may ask for the cancellation now.
        settles: the visitor may say that the litigation is over.
        again: the visitor may send the act's own envelope again.
        version: changes whenever what is shown changes.
    """

    seen: Seen
    act: Act
    nature: str
    matiere: str
    clock: Clock | None
    today: date
    messages: tuple[Told, ...]
    waiting: tuple[Told, ...]
    pieces: tuple[Piece, ...]
    proofs: tuple[tuple[str, DossierFile], ...]
    colour: str
    cancelling: ActesMessage | None
    cancels: bool
    settles: bool
    again: bool
    resumes: bool
    mends: bool
    version: str

    @property
    def uncancelled(self) -> Told | None:
        """The last cancellation that was asked for, where the State refused it and the act can be followed still."""
        asked = [one for one in self.messages if one.message.code == MessageCode.ANNULATION.value]
        refused = bool(asked) and asked[-1].message.state == MessageState.REFUSED.value
        return asked[-1] if refused and self.seen.dossier.state in FOLLOWED else None

    @property
    def late(self) -> bool:
        """Something came after the act was closed."""
        return any(one.is_late for one in self.messages)

    @property
    def acknowledged(self) -> bool:
        """Its documents may be had with the préfecture's stamp."""
        return has_stamp(self.seen.dossier)

    @property
    def classification(self) -> date | None:
        """The version of the classification that it was sent under."""
        used = self.seen.dossier.facts.get("classification_date")
        return date.fromisoformat(used) if used else None


def tell(platform: Platform, visitor: Visitor, dossier_id: str, *, surveys: bool = False) -> Telling:
    """Return an act for a visitor.

    Args:
        platform: where it is.
        visitor: who asks.
        dossier_id: of the act.
        surveys: to survey it is enough: nothing that tells what it is about may then be shown unless ``Telling.seen.read``.

    Raises:
        NotFound: there is none of that identifier, or the visitor does not read it.
    """
    opened = reading.surveyed if surveys else reading.opened
    with opened(platform.database, visitor.principal) as session:
        found = whole(session, dossier_id)
        names = _names(session, found.messages)
    return _telling(platform, visitor, found, names)


def _telling(platform: Platform, visitor: Visitor, told_of: Whole, names: dict[str, str]) -> Telling:
    seen, act, messages = told_of.seen, told_of.act, told_of.messages
    dossier, owner = seen.dossier, seen.dossier.organisation_id
    deposits, operates = (visitor.principal.may(right, owner) for right in (Right.DEPOSIT, Right.OPERATE))
    known = knowledge.classification_of(platform, owner)
    today = clock.in_paris(clock.now()).date()
    open_letters = {one.id for one in standing.unanswered(messages)} if deposits and dossier.state in FOLLOWED else set()
    again = {one.id for one in messages if operates and resending.is_resendable(dossier, one, messages)}
    told = tuple(_told(one, seen.files, names, waits=one.id in open_letters, again=one.id in again) for one in messages)
    found, code = known.find(act.matieres) if known else None, ".".join(map(str, act.matieres))
    return Telling(
        seen,
        act,
        NATURES[act.nature].label,
        f"{code} – {' › '.join(found.labels)}" if found else code,
        standing.control_of(dossier, messages, today),
        today,
        told,
        tuple(sorted((one for one in told if one.waits), key=lambda one: not standing.presses(one.message))),
        _pieces(act, seen.files, known),
        _proofs(seen.files),
        standing.colour(dossier),
        cancellation_of(messages) if dossier.state in FOLLOWED else None,
        deposits and standing.may_be_cancelled(dossier, messages),
        deposits and standing.may_be_settled(dossier, messages, today),
        operates and resending.may_leave_again(dossier),
        operates and dossier.parked is not None,
        deposits and dossier.state in standing.FAILED,
        _version(seen, messages),
    )


def _told(message: ActesMessage, files: Sequence[DossierFile], names: dict[str, str], *, waits: bool, again: bool) -> Told:
    own = [kept for kept in files if kept.role == f"{message.code}.{message.id}" or kept.role.startswith(f"reply.{message.id}.")]
    of = None if message.code == MessageCode.ACTE.value else message.id
    newest = {kept.role: kept for kept in files}
    itself = (
        newest.get(message_role(of)) if message.outgoing else next((one for one in own if one.sha256 == message.sha256), None)
    )
    return Told(
        message,
        names.get(message.actor, ""),
        tuple(kept for kept in own if kept is not itself),
        itself,
        newest.get(archive_role(message.id)),
        waits,
        answers_of(message) if waits else (),
        again,
    )


def _pieces(act: Act, files: Sequence[DossierFile], known: Classification | None) -> tuple[Piece, ...]:
    newest = {kept.role: kept for kept in files}
    told = []
    for rank, piece in enumerate(act.pieces):
        if piece.role not in newest:
            continue
        code = piece.type or act.main_type
        words = known.type_label(code) if known else None
        told.append(
            Piece(
                _t("piece.annex", rank=rank) if rank else _t("piece.main"),
                f"{words} ({code})" if words else code,
                newest[piece.role],
                None if rank else newest.get("signed"),
                newest.get(piece.signature_role or ""),
            )
        )
    return tuple(told)


def _proofs(files: Sequence[DossierFile]) -> tuple[tuple[str, DossierFile], ...]:
    newest = {kept.role: kept for kept in files}
    return tuple((role, newest[role]) for role in ("ar", "anomaly", "archive") if role in newest)


def _names(session: Session, messages: Sequence[ActesMessage]) -> dict[str, str]:
    people = {one.actor.removeprefix("person:") for one in messages if one.actor.startswith("person:")}
    found = session.exec(select(Person).where(col(Person.id).in_(people))) if people else ()
    return {f"person:{person.id}": person.name for person in found}


def _version(seen: Seen, messages: Sequence[ActesMessage]) -> str:
    dossier = seen.dossier
    trouble = seen.step.trouble if seen.step else None
    told = [(one.id, one.state) for one in messages]
    facts = (dossier.state, dossier.parked, trouble, len(seen.files), dossier.facts.get("litigation"), told)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
