"""Acts as software finds them: a page of those that are wanted, one of them with its files and messages, its proof of receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, literal, tuple_
from sqlmodel import Session, col, select

from core.database import ScopedSession, UtcDateTime
from core.errors import NotFound
from core.folding import holds
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes.act import Act
from flows.actes.envelopes import archive_role, message_role
from flows.actes.flow import ACTES
from flows.actes.following import messages_of
from flows.actes.models import ActesMessage
from flows.actes.stamped import stamped_copy
from flows.engine import reading
from flows.engine.keys import made_with
from flows.engine.models import Dossier, DossierFile
from flows.engine.reading import COUNTED_UP_TO, Place, Seen
from schemas.actes.codes import MessageCode

_flow = Catalogue("flows.actes")
RECEIPT = "ar"
"""Role of the State's acknowledgement (1-2): the proof of receipt."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which acts to list; what is left empty does not narrow.

    Attributes:
        decided_from, decided_to: days of the decision, both included.
        text: a part of the number and subject.
    """

    organisations: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    nature: int | None = None
    number: str | None = None
    decided_from: date | None = None
    decided_to: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of acts, newest first; ``total`` is a lower bound when ``exact`` is False."""

    acts: tuple[Dossier, ...]
    total: int
    exact: bool
    after: Place | None


@dataclass(frozen=True, slots=True)
class Whole:
    """An act with all that belongs to it.

    Attributes:
        act: as its collectivité told it.
        messages: of both sides, oldest first; the act itself (1-1) is the first.
    """

    seen: Seen
    act: Act
    messages: tuple[ActesMessage, ...]

    def files_of(self, message: ActesMessage) -> list[DossierFile]:
        """Return the files of a message, its own XML first, once it is there."""
        if message.outgoing:
            is_act = message.code == MessageCode.ACTE.value
            of = None if is_act else message.id
            own = [role for piece in self.act.pieces for role in (piece.role, piece.signature_role) if role]
            pieces = [*own, "signed"] if is_act else [role for role, *_ in message.facts.get("pieces", ())]
            roles = [message_role(of), *pieces, archive_role(of)]
            return [kept for role in roles if (kept := self.file(role)) is not None]
        mine = [kept for kept in self.seen.files if kept.role == f"{message.code}.{message.id}"]
        return sorted(mine, key=lambda kept: kept.sha256 != message.sha256)

    def file(self, role: str) -> DossierFile | None:
        """Return the newest file of a role."""
        return next((kept for kept in reversed(self.seen.files) if kept.role == role), None)

    def type_of(self, role: str) -> str | None:
        """Return the typology of a file that we send, the default one where none was chosen; None for any other file."""
        if role == "signed":
            return self.type_of("document")
        for piece in self.act.pieces:
            if piece.role == role:
                return piece.type or self.act.main_type
        answers = (pair for message in self.messages for pair in message.facts.get("pieces", ()))
        return next((str(kind) for named, kind in answers if named == role), None)


def whole(session: ScopedSession, dossier_id: str) -> Whole:
    """Return an act with all that belongs to it.

    Raises:
        NotFound: there is none of that identifier, or the session does not see it.
    """
    seen = reading.seen(session, dossier_id)
    if seen.dossier.flow != ACTES.name:
        raise NotFound(_flow("act.missing"))
    return Whole(seen, Act.from_facts(seen.dossier.facts), tuple(messages_of(session, dossier_id)))


def to_follow(platform: Platform, principal: Principal, dossier_id: str) -> Dossier:
    """Return an act that a principal may follow, before anything is read of what they send.

    Raises:
        NotFound: there is none, or it is not theirs to see.
        Forbidden: they may not deposit for its organisation.
    """
    with platform.database.reading(principal) as session:
        dossier = session.exec(select(Dossier).where(Dossier.id == dossier_id, Dossier.flow == ACTES.name)).first()
    if dossier is None:
        raise NotFound(_flow("act.missing"))
    principal.require(Right.DEPOSIT, dossier.organisation_id)
    return dossier


def with_key(platform: Platform, organisation_id: str, key: str | None) -> bool:
    """Tell whether a key of a deposit was used already: what came with it then is not taken a second time."""
    if key is None:
        return False
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(Dossier.id).where(made_with(organisation_id, key))).first() is not None


def page(session: Session, wanted: Wanted, limit: int, after: Place | None = None) -> Page:
    """Return a page of acts, newest first."""
    conditions = _conditions(wanted)
    rows = session.exec(
        select(Dossier)
        .where(*conditions, *_beyond(after))
        .order_by(col(Dossier.created).desc(), col(Dossier.id).desc())
        .limit(limit + 1)
    ).all()
    # Bounded, as every total: to count a million rows would cost more than the page.
    counted = select(Dossier.id).where(*conditions).limit(COUNTED_UP_TO + 1).subquery()
    total = int(session.exec(select(func.count()).select_from(counted)).one())
    last = rows[limit - 1] if len(rows) > limit else None
    following = Place(last.created, last.id) if last else None
    return Page(tuple(rows[:limit]), min(total, COUNTED_UP_TO), total <= COUNTED_UP_TO, following)


def _conditions(wanted: Wanted) -> list[Any]:
    act = col(Dossier.facts)["act"]
    # An act that was eliminated has no facts any more.
    conditions: list[Any] = [Dossier.flow == ACTES.name, act["number"].as_string().is_not(None)]
    if wanted.organisations:
        conditions.append(col(Dossier.organisation_id).in_(wanted.organisations))
    if wanted.states:
        conditions.append(col(Dossier.state).in_(wanted.states))
    if wanted.nature is not None:
        conditions.append(act["nature"].as_integer() == wanted.nature)
    if wanted.number is not None:
        conditions.append(act["number"].as_string() == wanted.number)
    if wanted.decided_from is not None:
        conditions.append(act["decision_date"].as_string() >= wanted.decided_from.isoformat())
    if wanted.decided_to is not None:
        conditions.append(act["decision_date"].as_string() <= wanted.decided_to.isoformat())
    if wanted.text:
        conditions.append(holds(Dossier.sought, wanted.text))
    return conditions


def _beyond(after: Place | None) -> Sequence[Any]:
    if after is None:
        return ()
    return (tuple_(col(Dossier.created), col(Dossier.id)) < tuple_(literal(after.created, UtcDateTime()), literal(after.id)),)


def stamped(platform: Platform, found: Whole, kept: DossierFile, published: date | None) -> tuple[str, bytes]:
    """Return the stamped copy of a file of an act: its name, and its octets.

    Raises:
        NotFound: the file is no document of the act.
        Conflict: the act is not acknowledged, or was cancelled, or the file is no PDF.
        UsageError, NotStampable, Unavailable: see ``flows.actes.stamped``.
    """
    role = "document" if kept.role == "signed" else kept.role
    octets = stamped_copy(platform, found.seen.dossier, role, published=published)
    return f"{kept.name.rpartition('.')[0] or kept.name}-tampon.pdf", octets
