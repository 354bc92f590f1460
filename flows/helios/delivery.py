"""Delivering a PES to the DGFiP's gateway, once (law 4): what was about to leave is known before anything does.

What will be written is recorded before it is, and that it is about to be published before it is: the rename of the one temporary
file succeeds once. Until then everything may be done again, under another name or at another gateway. After a crash, what the
gateway shows tells what is left to do; where that proves nothing, the acquit does, or a person says so by resuming the dossier.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlmodel import select

from connectors.helios.errors import AlreadyPublished, PermissionRefused, TemporaryMissing
from connectors.helios.remote_name import Routing, remote_name
from connectors.helios.settings import HeliosGateway
from core import clock
from core.errors import NeedsOperator
from core.messages import Catalogue
from core.principal import PLATFORM
from flows.engine.overtaken import resumed_since
from flows.engine.work import Work, digest_of
from flows.helios.knowledge import sessions
from flows.helios.models import HeliosResponse

if TYPE_CHECKING:
    from connectors.helios.client import Session

UPLOADING, PUBLISHING = "uploading", "publishing"
_messages = Catalogue("flows.helios")
# A gateway may clear what was left unfinished: past this age, an absent temporary file proves nothing any more.
_PROOF_HOLDS_FOR = timedelta(hours=12)


def is_publishing(facts: Mapping[str, Any]) -> bool:
    """Tell from the facts of a dossier whether it may have left already."""
    return (facts.get("sending") or {}).get("phase") == PUBLISHING


def deliver(work: Work, gateway: HeliosGateway, path: Path) -> Mapping[str, Any]:
    """Deliver a file, unless it was, and return what is recorded of it: ``remote_name``, ``sha1``, ``sha256``, ``size``.

    Raises:
        NeedsOperator: the gateway refuses, or nobody can tell whether the file has left.
        Unavailable: it does not answer: the next attempt goes on from where this one stood.
    """
    name = remote_name(gateway, _routing(work.facts), digest_of(path, "sha1"))
    sending: Mapping[str, Any] | None = work.facts.get("sending")
    if sending is not None and sending["phase"] == PUBLISHING:
        if _has_left(work, gateway, sending, name):
            return sending
        sending = None
    if sending is None or (sending["remote_name"], _place(sending, gateway)) != (name, place_of(gateway)):
        sending = _intend(work, gateway, path, name)
    with sessions.borrow(gateway) as session:
        if session.presence(name).final:
            raise NeedsOperator(_messages("transmit.foreign", name=name))
        session.upload(path, name)
        publishing = {**sending, "phase": PUBLISHING, "at": clock.iso(clock.now())}
        work.note(PUBLISHING, sending=publishing)
        _publish(work, session, publishing)
    return sending


def place_of(gateway: HeliosGateway) -> str:
    """Return where files go: what one gateway shows proves nothing about another."""
    return f"{gateway.username}@{gateway.host}:{gateway.port}/{gateway.depot_directory}"


def _place(sending: Mapping[str, Any], gateway: HeliosGateway) -> str:
    return str(sending.get("place") or place_of(gateway))


def _routing(facts: Mapping[str, Any]) -> Routing:
    return Routing(facts["typ_fic"], facts["cod_col"], facts["id_post"], facts["cod_bud"])


def _intend(work: Work, gateway: HeliosGateway, path: Path, name: str) -> dict[str, Any]:
    sending = {
        "remote_name": name,
        "sha1": name.rpartition("%%")[2],
        "sha256": work.file("signed").sha256,
        "size": path.stat().st_size,
        "place": place_of(gateway),
        "phase": UPLOADING,
        "at": clock.iso(clock.now()),
    }
    work.note("intended", sending=sending)
    return sending


def _publish(work: Work, session: Session, sending: Mapping[str, Any]) -> None:
    try:
        session.publish(str(sending["remote_name"]), int(sending["size"]))
    except (AlreadyPublished, TemporaryMissing):
        # Only a worker that had recorded the same intent can have renamed it: the delivery has taken place.
        return
    except PermissionRefused:  # an answer, and a plain one: nothing has left
        work.note("refused", sending={**sending, "phase": UPLOADING})
        raise


def _has_left(work: Work, gateway: HeliosGateway, sending: Mapping[str, Any], name: str) -> bool:
    """Conclude a publication that was recorded as about to happen; False when it has not, and all may be done again.

    The temporary file is still there: nothing has left. It is published as it stands, unless the operator has corrected since
    where it goes, or the server has kept a part of it only.
    """
    if _is_answered(work):
        return True
    if _place(sending, gateway) != place_of(gateway):
        raise NeedsOperator(_messages("transmit.moved", place=sending["place"]))
    recorded, size = str(sending["remote_name"]), int(sending["size"])
    with sessions.borrow(gateway) as session:
        found = session.presence(recorded)
        if found.temporary_size is not None and not found.final:
            if (recorded, size) != (name, found.temporary_size):
                return False
            _publish(work, session, sending)
            return True
    if found.final or clock.now() - clock.from_iso(str(sending["at"])) <= _PROOF_HOLDS_FOR:
        return True
    if _is_resumed(work, sending):
        return False
    if "doubted" not in sending:
        work.note("doubted", sending={**sending, "doubted": clock.iso(clock.now())})
    raise NeedsOperator(_messages("transmit.unknown", name=recorded, hours=_PROOF_HOLDS_FOR // timedelta(hours=1)))


def _is_answered(work: Work) -> bool:
    """Tell whether an acquit waits for the dossier: what is answered has left."""
    with work.platform.database.reading(PLATFORM) as session:
        waiting = select(HeliosResponse.id).where(HeliosResponse.dossier_id == work.dossier_id).limit(1)
        return session.exec(waiting).first() is not None


def _is_resumed(work: Work, sending: Mapping[str, Any]) -> bool:
    """Tell whether somebody resumed the dossier who had been asked whether it has left."""
    asked = sending.get("doubted")
    return asked is not None and resumed_since(work.platform.database, work.dossier_id, clock.from_iso(str(asked)))
