"""What a person decides: that records are handed over, that transfers go again, or are given up; and the settings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import col, select

from archive.finding.seeing import open_to
from archive.models import Record
from core import addresses, journal
from core.configuration import Configuration, configure
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance
from flows.sae import following, intake
from flows.sae.flow import SAE
from flows.sae.knowledge import account_for
from flows.sae.models import SaeTransfer
from flows.sae.settings import OUTSIDE, OutsideArchive
from flows.sae.stages import SENDING

_messages = Catalogue("flows.sae")
MOST = 200
"""Records or transfers that one decision may be about."""
GATHER_EVERY = timedelta(minutes=5)


def hand_over(platform: Platform, principal: Principal, records: Sequence[str]) -> int:
    """Hand records over; those that somebody has handed over already, or that the principal does not see, are left out.

    Returns:
        How many go.

    Raises:
        Forbidden: the principal does not manage the archives of the organisation of one.
        UsageError: none or too many, or one of a kind that its organisation keeps here only.
        NeedsOperator: the organisation of one has no archive service.
    """
    _bounded(records)
    with platform.database.reading(principal) as session:
        wanted = select(Record).where(col(Record.id).in_(records), open_to(principal), col(Record.eliminated).is_(None))
        found = list(session.exec(wanted))
    for record in found:
        principal.require(Right.ARCHIVE, record.organisation_id)
        if record.kind not in account_for(platform, record.organisation_id)[1].kinds:
            raise UsageError(_messages("decide.kind", title=record.title))
    return sum(intake.begin(platform, record, principal.actor).created for record in found)


def may_be_decided(state: str, parked: str | None) -> bool:
    """Tell whether it is for a person to decide of a transfer: it is refused, or set aside while the service is waited for."""
    return state == "refused" or (parked is not None and state in {"sent", "acknowledged"})


def send_again(platform: Platform, principal: Principal, dossiers: Sequence[str]) -> int:
    """Let transfers leave again, each under a new identifier; those of which nothing is to be decided are left out.

    Returns:
        How many leave.

    Raises:
        Forbidden: the principal does not manage the archives of the organisation of one.
        UsageError: none or too many.
    """
    return _decided(platform, principal, dossiers, "again")


def give_up(platform: Platform, principal: Principal, dossiers: Sequence[str]) -> int:
    """Give transfers up: their records stay here only, until somebody hands them over anew; return how many, as ``send_again``.

    Raises:
        Forbidden, UsageError: as ``send_again``.
    """
    return _decided(platform, principal, dossiers, "given_up")


def keep(platform: Platform, principal: Principal, organisation_id: str, wanted: OutsideArchive | None) -> None:
    """Keep the archive service of an organisation; None: that of one above counts, or none. What is scheduled runs from now on.

    Raises:
        Forbidden: the principal does not administer the organisation.
        AddressRefused: the operator does not permit the address of the service.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    if wanted is not None:
        addresses.check(wanted.host, platform.settings.permitted_networks)
    with platform.database.writing(PLATFORM) as session:
        kept = session.get(Configuration, (organisation_id, OUTSIDE))
        if wanted is None and kept is None:
            return
        if wanted is None:
            session.delete(kept)
        else:
            configure(session, platform.secrets, organisation_id, OUTSIDE, wanted)
        kind = "configuration.withdrawn" if wanted is None else "configuration.changed"
        facts = {"configuration": OUTSIDE}
        journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts=facts)
    plan(platform)


def plan(platform: Platform) -> None:
    """Plan what runs again and again for every account."""
    following.plan(platform, timedelta(seconds=platform.settings.poll_seconds))
    intake.plan(platform, min(GATHER_EVERY, timedelta(seconds=platform.settings.poll_seconds)))


def _decided(platform: Platform, principal: Principal, dossiers: Sequence[str], event: str) -> int:
    _bounded(dossiers)
    moved = 0
    with platform.database.writing(principal) as session:
        wanted = select(SaeTransfer).where(col(SaeTransfer.dossier_id).in_(dossiers)).order_by(SaeTransfer.dossier_id)
        for transfer in session.exec(wanted):
            principal.require(Right.ARCHIVE, transfer.organisation_id)
            dossier = session.get_one(Dossier, transfer.dossier_id, with_for_update=True, populate_existing=True)
            if not may_be_decided(dossier.state, dossier.parked):
                continue
            told = Advance(event, facts={SENDING: None}, journal={"identifier": transfer.identifier})
            moved += transitions.signal(
                session, SAE, transfer.dossier_id, event, told, principal.actor, frees_reference=event == "given_up"
            )
    return moved


def _bounded(identifiers: Sequence[str]) -> None:
    if not 0 < len(identifiers) <= MOST:
        raise UsageError(_messages("decide.count", most=MOST))
