"""The one stage of SAE: a transfer leaves, once (law 4).

noted                     at the service                    what is done
nothing                   –                                 the intent is noted: identifier, moment, digests
the intent                –                                 that it leaves is noted; it leaves
that it leaves            it is known there                 sent
that it leaves            it is not known, not long ago     asked again later: what was received may take time to show
that it leaves            it is not known, long ago         the same octets leave again, under the same identifier
that it leaves again      it is refused                     sent: the refusal may be of a repeat; the acknowledgement tells
that it cannot have left  –                                 it leaves
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connectors.sae.errors import AccessRefused, AddressWrong, CertificateRefused, ServiceUnavailable, TransferRefused
from core import clock
from core.addresses import AddressRefused
from core.database import ScopedSession
from core.errors import Conflict
from core.identifiers import new_id
from core.messages import Catalogue
from core.problems import Problem, Severity
from flows.engine.departed import Departed
from flows.engine.models import Dossier
from flows.engine.table import stage
from flows.engine.work import Advance, KeptFile, Later, Work, digest_of
from flows.sae.knowledge import account_for, record_of, settings_of
from flows.sae.models import SaeTransfer
from flows.sae.outside import Outside, open_outside
from flows.sae.packaging import Outgoing, build
from flows.sae.settings import OutsideArchive

_messages = Catalogue("flows.sae")
RECORD, SENDING = "record", "sending"
BORDEREAU = "bordereau"


def _departed(gone: Departed) -> Advance:
    """Take a transfer as sent, under the identifier that the journal tells: its acknowledgement is asked for under that one.

    Raises:
        Conflict: the journal tells none: nothing could be asked for.
    """
    noted = gone.noted(SENDING)
    if noted is None:
        raise Conflict(_messages("departed.unknown"), gone.dossier_id)
    files = gone.forgotten(BORDEREAU, f"{noted['identifier']}-bordereau.xml", "application/xml")
    left = {**noted, "left": noted["left"] or clock.iso(gone.left("sae.send.sent"))}
    apply = partial(_keep, gone.dossier_id, left, "")
    return Advance("sent", facts={SENDING: left}, files=files, journal=_told(left), apply=apply)


@stage("remote.sae", "sent", "refused", departed=_departed)
def send(work: Work) -> Advance | Later:
    """Hand the record over: what leaves is noted before, and looked for there before it leaves again."""
    noted = work.facts.get(SENDING)
    account, settings = _service(work, noted)
    outside = open_outside(settings, work.platform.settings.permitted_networks)
    left = clock.from_iso(noted["left"]) if noted and noted["left"] else None
    if noted and left:
        reference = outside.received(noted["identifier"])
        if reference is not None:
            return _sent(work, noted, reference, _built(work, settings, noted))
        due = left + timedelta(minutes=settings.repeat_minutes)
        if clock.now() < due:
            return Later(due, _messages("sending.uncertain"))
    if noted is None:
        noted = _intended(work, account, settings)
    outgoing = _built(work, settings, noted)
    work.note("leaving", **{SENDING: {**noted, "left": clock.iso(clock.now())}})
    return _leave(work, outside, noted, outgoing, again=left is not None)


def _service(work: Work, noted: dict[str, Any] | None) -> tuple[str, OutsideArchive]:
    """Return the service that the transfer goes to: what has an identifier there already stays with it."""
    if noted:
        return noted["account"], settings_of(work.platform, noted["account"])
    return account_for(work.platform, work.organisation_id)


def _intended(work: Work, account: str, settings: OutsideArchive) -> dict[str, Any]:
    intent = {
        "identifier": f"{settings.prefix}-{new_id()}",
        "at": clock.iso(clock.now()),
        "account": account,
        "system": settings.system.value,
        "left": None,
    }
    outgoing = _built(work, settings, intent)
    intent |= {"manifest": digest_of(outgoing.manifest), "content": digest_of(outgoing.content)}
    work.note("intended", **{SENDING: intent})
    return intent


def _built(work: Work, settings: OutsideArchive, noted: dict[str, Any]) -> Outgoing:
    record = record_of(work.platform, work.facts[RECORD])
    at: datetime = clock.from_iso(noted["at"])
    return build(work.platform, record, settings, noted["identifier"], at, work.folder)


def _leave(work: Work, outside: Outside, noted: dict[str, Any], outgoing: Outgoing, *, again: bool) -> Advance:
    try:
        reference = outside.send(noted["identifier"], outgoing)
    except TransferRefused as refusal:
        if again:
            return _sent(work, noted, "", outgoing)
        return _refused(work, noted, outgoing, refusal)
    except (AccessRefused, CertificateRefused, AddressWrong, AddressRefused):
        _withhold(work, noted, again=again)
        raise
    except ServiceUnavailable as error:
        if not error.perhaps_taken:
            _withhold(work, noted, again=again)
        raise
    return _sent(work, noted, reference, outgoing)


def _withhold(work: Work, noted: dict[str, Any], *, again: bool) -> None:
    """Note that nothing has left; of a repeat, what left before may still be there."""
    if not again:
        work.note("withheld", **{SENDING: {**noted, "left": None}})


def _sent(work: Work, noted: dict[str, Any], reference: str, outgoing: Outgoing) -> Advance:
    return Advance(
        "sent",
        files=(_bordereau(work, noted, outgoing),),
        journal=_told(noted),
        apply=partial(_keep, work.dossier_id, noted, reference),
    )


def _refused(work: Work, noted: dict[str, Any], outgoing: Outgoing, refusal: TransferRefused) -> Advance:
    problem = Problem("SAE", Severity.ERROR, str(refusal), found=refusal.wording, mend=_messages("refused.mend"))

    def apply(session: ScopedSession) -> None:
        _keep(work.dossier_id, noted, "", session)
        transfer = session.get_one(SaeTransfer, work.dossier_id)
        transfer.sent, transfer.settled = None, clock.now()
        refuse(session, work.dossier_id, [problem])

    return Advance("refused", files=(_bordereau(work, noted, outgoing),), journal=_told(noted), apply=apply)


def refuse(session: ScopedSession, dossier_id: str, problems: list[Problem]) -> None:
    """Write why a transfer is refused; none of these when it goes again."""
    dossier = session.get_one(Dossier, dossier_id)
    dossier.problems = [one.as_json() for one in problems]
    session.add(dossier)
    session.flush()


def _keep(dossier_id: str, noted: dict[str, Any], reference: str, session: ScopedSession) -> None:
    transfer = session.get_one(SaeTransfer, dossier_id)
    transfer.account, transfer.system, transfer.identifier = noted["account"], noted["system"], noted["identifier"]
    transfer.reference, transfer.cote, transfer.code = reference, "", ""
    transfer.sent, transfer.settled, transfer.looked = clock.now(), None, clock.now()
    session.add(transfer)
    session.flush()


def _bordereau(work: Work, noted: dict[str, Any], outgoing: Outgoing) -> KeptFile:
    return work.keep(BORDEREAU, outgoing.manifest, f"{noted['identifier']}-bordereau.xml", "application/xml")


def _told(noted: dict[str, Any]) -> dict[str, Any]:
    return {name: noted[name] for name in ("identifier", "system", "manifest", "content")}
