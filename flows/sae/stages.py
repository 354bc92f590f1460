"""The one stage of SAE: a transfer leaves, once (law 4).

noted                     at the service                    what is done
nothing                   –                                 the intent is noted: identifier, moment
the intent                –                                 that it leaves is noted, with the digests; it leaves
the intent                – (a package that it cannot take) refused here: nothing left
that it leaves            it is known there                 sent
that it leaves            it is not known, not long ago     asked again later: what was received may take time to show
that it leaves            it is not known, long ago         the same octets leave again, under the same identifier
that it leaves again      it is refused                     sent: the refusal may be of a repeat; the acknowledgement tells
that it cannot have left  –                                 it leaves
any of these              the settings are of another one   set aside: the one that was meant is to be asked
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
from flows.sae.knowledge import Unsendable, account_for, record_of, require_same, settings_of
from flows.sae.models import SaeTransfer
from flows.sae.outside import Outside, open_outside
from flows.sae.packaging import Outgoing, build
from flows.sae.settings import OutsideArchive

_messages = Catalogue("flows.sae")
RECORD, SENDING = "record", "sending"
TRIAL = "trial"
"""Of what was noted of a sending: it was for a trial, of which the service keeps nothing."""
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
    if noted and noted["left"] and (settled := _settled(work, outside, settings, noted)) is not None:
        return settled
    intent = noted or _intent(settings)
    try:
        outgoing = _built(work, settings, intent)
    except Unsendable as error:
        if intent["left"]:
            raise
        return _refused(work, intent, Problem("SAE", Severity.ERROR, str(error), mend=_messages("unsendable.mend")))
    again = bool(intent["left"])
    # As it is made now: settings may have changed since it was meant to leave.
    intent |= {
        "account": account,
        "system": settings.system.value,
        "manifest": digest_of(outgoing.manifest),
        "content": digest_of(outgoing.content),
        TRIAL: settings.trial,
    }
    if noted is None:
        work.note("intended", **{SENDING: dict(intent)})
    intent["left"] = clock.iso(clock.now())
    work.note("leaving", **{SENDING: intent})
    return _leave(work, outside, intent, outgoing, again=again)


def _settled(work: Work, outside: Outside, settings: OutsideArchive, noted: dict[str, Any]) -> Advance | Later | None:
    """Ask for what may have left: it is there, it may still come to show, or (None) it is to leave again."""
    reference = outside.received(noted["identifier"])
    if reference is not None:
        return _sent(work, noted, reference, _built(work, settings, noted))
    due = clock.from_iso(noted["left"]) + timedelta(minutes=settings.repeat_minutes)
    return Later(due, _messages("sending.uncertain")) if clock.now() < due else None


def _service(work: Work, noted: dict[str, Any] | None) -> tuple[str, OutsideArchive]:
    """Return the service that the transfer goes to: what may be there already stays with it.

    Raises:
        NeedsOperator: there is none, or another one by now.
    """
    if noted and noted["left"]:
        settings = settings_of(work.platform, noted["account"])
        require_same(noted["system"], settings)
        return noted["account"], settings
    return account_for(work.platform, work.organisation_id)


def _intent(settings: OutsideArchive) -> dict[str, Any]:
    return {
        "identifier": f"{settings.prefix}-{new_id()}",
        "at": clock.iso(clock.now()),
        "account": "",
        "system": settings.system.value,
        "left": None,
    }


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
        problem = Problem("SAE", Severity.ERROR, str(refusal), found=refusal.wording, mend=_messages("refused.mend"))
        return _refused(work, noted, problem, _bordereau(work, noted, outgoing))
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
        files=_bordereau(work, noted, outgoing),
        journal=_told(noted),
        apply=partial(_keep, work.dossier_id, noted, reference),
    )


def _refused(work: Work, noted: dict[str, Any], problem: Problem, files: tuple[KeptFile, ...] = ()) -> Advance:
    """Return the refusal of what was not taken at the door, or could not leave at all."""

    def apply(session: ScopedSession) -> None:
        _keep(work.dossier_id, noted, "", session)
        transfer = session.get_one(SaeTransfer, work.dossier_id)
        transfer.sent, transfer.settled = None, clock.now()
        refuse(session, work.dossier_id, [problem])

    return Advance("refused", files=files, journal=_told(noted), apply=apply)


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


def _bordereau(work: Work, noted: dict[str, Any], outgoing: Outgoing) -> tuple[KeptFile, ...]:
    """Keep the manifest that left; one that other settings would have made meanwhile is none."""
    if digest_of(outgoing.manifest) != noted["manifest"]:
        return ()
    return (work.keep(BORDEREAU, outgoing.manifest, f"{noted['identifier']}-bordereau.xml", "application/xml"),)


def _told(noted: dict[str, Any]) -> dict[str, Any]:
    return {name: noted[name] for name in ("identifier", "system", "manifest", "content") if name in noted}
