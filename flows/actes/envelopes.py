"""From a message to an archive on the ministry's platform: named once, built once, delivered once (law 4).

The ministry cannot be asked what it holds. What arbitrates instead is the last octets of the request: until they leave, its
platform has nothing whole and the archive may be sent again; that they are about to leave is written before they do. After a
crash beyond that point nobody here knows whether it was delivered: the envelope is *uncertain*, is never sent again by itself,
and the ministry's answer, or a person, says what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from connectors.actes.client import deposit
from connectors.actes.errors import DeliveryUnknown
from connectors.actes.settings import ActesOperator, Slot
from core import clock
from core.configuration import Configuration
from core.errors import TabellionError
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import knowledge
from flows.actes.models import ActesEnvelope, ActesMessage, EnvelopeState, MessageState
from flows.actes.numbering import next_number
from flows.actes.settings import OPERATOR
from flows.engine.work import KeptFile, Later, Work
from schemas.actes import archive, writer
from schemas.actes.messages import EnveloppeCLMISILL, Message, Referent, SignedFile
from schemas.actes.names import ArchiveName, EnvelopeName, MessageName

_messages = Catalogue("flows.actes")
PACKED, COMMITTING = "packed", "committing"
SENDING, FOLLOWING = "sending", "following"
"""Where the envelope that is leaving stands among the facts: that of the act, and that of what follows it."""


def archive_role(of: str | None) -> str:
    """Return the role of an archive that left: of a message that follows an act, by its identifier, or of the act itself."""
    return f"archive.{of}" if of else "archive"


def message_role(of: str | None) -> str:
    """Return the role of the message in it, which tells as the archive's does."""
    return f"message.{of}" if of else "message"


@dataclass(frozen=True, slots=True)
class Built:
    """An archive that was built.

    Attributes:
        envelope: name of its envelope, without extension.
        path: the archive; its name is the archive's.
        message: the message in it, likewise.
    """

    envelope: str
    path: Path
    message: Path


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive that is ready to leave.

    Attributes:
        sending: what is written down of it: envelope, archive's name, size, digest, phase.
        files: the archive and the message in it, among the dossier's files.
    """

    sending: dict[str, Any]
    files: tuple[KeptFile, ...]


def build(
    platform: Platform, organisation_id: str, message: Message, name: MessageName, files: Mapping[str, Path], folder: Path
) -> Built:
    """Name an envelope, and build the archive of one message in a folder.

    Args:
        platform: its parts.
        organisation_id: who sends.
        message: what is sent; it names the files as they travel.
        name: of its file.
        files: the attachments by the names they travel under.
        folder: where the archive appears.

    Raises:
        NeedsOperator: the organisation or the operator is not ready, or the day's numbers are used up.
        Refused: the message breaks rules.
    """
    operator = knowledge.operator_of(platform, organisation_id)
    sender = knowledge.sender_of(platform, organisation_id)
    known = knowledge.collectivite_of(platform, organisation_id)
    today = clock.in_paris(clock.now()).date()
    with platform.database.writing(PLATFORM) as session:  # a number lost to a crash is a gap, which the norm takes
        number = next_number(session, sender.siren, today)
    named = EnvelopeName.to_state(application=operator.quadrigramme.value, siren=sender.siren, day=today, n=number)
    envelope = EnveloppeCLMISILL(
        sender,
        tuple(dict.fromkeys((operator.return_address, *known.addresses))),
        (SignedFile(str(name)),),
        Referent(known.referent, known.telephone) if known.referent else None,
    )
    inner = folder / named.stem
    inner.mkdir()
    written, outer = inner / str(name), inner / str(named)
    writer.write(message, written)
    writer.write(envelope, outer)
    target = archive.build(
        folder, ArchiveName.build(operator.trigramme, named), {outer.name: outer, written.name: written, **files}
    )
    return Built(named.stem, target, written)


def pack(work: Work, message: Message, name: MessageName, files: Mapping[str, Path], *, of: str | None = None) -> Packed:
    """Build the archive of one message of a dossier, and keep it and the message among its files.

    Args:
        work: the dossier.
        message: what is sent, under a name and with files, as for ``build``.
        name: see there.
        files: see there.
        of: the message's identifier; None for the act itself.

    Raises:
        NeedsOperator, Refused: as ``build``.
    """
    role = archive_role(of)
    built = build(work.platform, work.organisation_id, message, name, files, work.folder)
    kept = work.keep(role, built.path, built.path.name, "application/gzip")
    sending = {"envelope": built.envelope, "archive": built.path.name, "size": kept.size, "sha256": kept.sha256}
    said = work.keep(message_role(of), built.message, built.message.name, "application/xml")
    return Packed({**sending, "role": role, "phase": PACKED}, (kept, said))


def record_packed(message_id: str | None, organisation_id: str, dossier_id: str, packed: Packed, session: Session) -> None:
    """Write the envelope, in the transaction that records that it is ready."""
    sending = packed.sending
    session.add(
        ActesEnvelope(
            organisation_id=organisation_id,
            dossier_id=dossier_id,
            message_id=message_id,
            name=sending["envelope"],
            state=EnvelopeState.PACKED.value,
            sha256=sending["sha256"],
            size=sending["size"],
        )
    )
    _message_stands(session, message_id, MessageState.PACKED)


def is_outdated(sending: Mapping[str, Any]) -> bool:
    """Tell whether an archive waits under the name of another day than today: an envelope bears the day on which it is sent.

    One whose last octets may have left keeps its name, as does one that is sent again after a doubt: the ministry may know it.
    """
    if sending["phase"] == COMMITTING or sending.get("again"):
        return False
    return EnvelopeName.parse(sending["envelope"]).day != clock.in_paris(clock.now()).date()


def drop(envelope: str, message_id: str, session: Session) -> None:
    """Forget an envelope that never left, in the transaction that has its message packed anew; its number is not used again."""
    session.delete(session.exec(select(ActesEnvelope).where(ActesEnvelope.name == envelope)).one())
    _message_stands(session, message_id, MessageState.TO_SEND)


def closed_until(platform: Platform, organisation_id: str, sending: Mapping[str, Any]) -> Later | None:
    """Take a place for an archive in the hours and the quota of the operator; else say when to come back.

    The operator's row is locked meanwhile: of two archives that would both just fit, one comes back later.
    """
    operator = knowledge.operator_of(platform, organisation_id)
    with platform.database.writing(PLATFORM) as session:
        if (later := closed(session, organisation_id, operator, sending["envelope"], int(sending["size"]))) is not None:
            return later
        found = session.exec(select(ActesEnvelope).where(ActesEnvelope.name == sending["envelope"])).one()
        found.state, found.sent = EnvelopeState.LEAVING.value, clock.now()
        session.add(found)
    return None


def closed(session: Session, organisation_id: str, operator: ActesOperator, envelope: str, size: int) -> Later | None:
    """Tell when to come back with an archive, where the operator's hours or what is left of the quota keep it from leaving now.

    Args:
        session: its transaction is the caller's, and holds the quota until it ends.
        organisation_id: who sends.
        operator: through whom, and whose hours they are.
        envelope: the archive's, which does not count against itself.
        size: its octets.
    """
    now = clock.now()
    slot = operator.slot(now)
    if slot is None:
        return None
    if slot.begin > now:
        return Later(slot.begin, _messages("window.closed", opening=_hour(slot.begin)))
    if not _fits(session, organisation_id, slot, envelope, size):
        return Later(_after(operator, slot), _messages("window.full", opening=_hour(_after(operator, slot))))
    return None


def _fits(session: Session, organisation_id: str, slot: Slot, envelope: str, size: int) -> bool:
    """Tell whether an archive fits what is left of the quota; one that is larger than all of it leaves alone."""
    sharing = col(ActesEnvelope.organisation_id).in_(_sharing(session, organisation_id))
    others = select(func.coalesce(func.sum(col(ActesEnvelope.size)), 0)).where(
        sharing, col(ActesEnvelope.sent) >= slot.begin, ActesEnvelope.name != envelope
    )
    left = int(session.exec(others).one())
    return slot.quota is None or left == 0 or left + size <= slot.quota


def _sharing(session: Session, organisation_id: str) -> SelectOfScalar[str]:
    """Return the organisations that send through the operator of one, and share its quota; its row is locked."""
    configured = select(Organisation.id, Organisation.path).join(
        Configuration, col(Configuration.organisation_id) == col(Organisation.id)
    )
    owners = session.exec(configured.where(Configuration.name == OPERATOR)).all()
    own = session.get_one(Organisation, organisation_id).path
    owner_id, root = max((one for one in owners if own.startswith(one[1])), key=lambda one: len(one[1]))
    row = select(Configuration).where(Configuration.name == OPERATOR, Configuration.organisation_id == owner_id)
    session.exec(row.with_for_update()).one()
    sharing = select(Organisation.id).where(col(Organisation.path).startswith(root))
    for other_id, path in owners:
        if other_id != owner_id and path.startswith(root):  # an operator of their own below
            sharing = sharing.where(col(Organisation.path).not_like(f"{path}%"))
    return sharing


def _after(operator: ActesOperator, slot: Slot) -> datetime:
    following = operator.slot(slot.end)
    return following.begin if following is not None else slot.end


def _hour(moment: datetime) -> str:
    return f"{clock.in_paris(moment):%H:%M}"


def leave(work: Work, fact: str) -> bool:
    """Deliver an archive; True when it was, False when nobody knows.

    Args:
        work: the dossier.
        fact: where what was written down of it stands; its phase tells whether an earlier try got as far as its last octets.

    Raises:
        Unavailable, NeedsOperator, Misconfigured: nothing was delivered.
    """
    sending: dict[str, Any] = work.facts[fact]
    if sending["phase"] == COMMITTING:
        return False
    operator = knowledge.operator_of(work.platform, work.organisation_id)
    path = work.fetch(sending["role"])

    def committing() -> None:
        work.note(COMMITTING, **{fact: {**sending, "phase": COMMITTING, "at": clock.iso(clock.now())}})

    try:
        deposit(operator, path, sending["archive"], committing=committing)
    except DeliveryUnknown:
        return False
    except TabellionError:  # the platform has refused it: what was written of its last octets is taken back
        work.note("undelivered", **{fact: {**sending, "phase": PACKED}})
        raise
    return True


def record_left(envelope: str, message_id: str | None, delivered: bool, session: Session) -> None:
    """Write what became of an envelope, in the transaction that records the outcome."""
    found = session.exec(select(ActesEnvelope).where(ActesEnvelope.name == envelope)).one()
    found.state = EnvelopeState.SENT.value if delivered else EnvelopeState.UNCERTAIN.value
    found.sent = clock.now()
    session.add(found)
    _message_stands(session, message_id, MessageState.SENT if delivered else MessageState.UNCERTAIN)


def _message_stands(session: Session, message_id: str | None, state: MessageState) -> None:
    if message_id is not None:
        message = session.get_one(ActesMessage, message_id)
        message.state = state.value
        session.add(message)
