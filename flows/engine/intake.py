"""Receiving: a document becomes a dossier once, however often it is sent.

The document is in the object store already; here the dossier, its file, its first step and its journal entry are written in
one transaction. Two keys make a repeat harmless: the depositor's own, and the flow's reference (for HELIOS, NomFic and CodCol).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core import journal
from core.database import Database, ScopedSession
from core.errors import Conflict
from core.messages import Catalogue
from core.principal import Principal, Right
from flows.engine import transitions
from flows.engine.models import Dossier, DossierFile
from flows.engine.table import Flow
from flows.engine.work import KeptFile

_messages = Catalogue("flows.engine")


@dataclass(frozen=True, slots=True)
class Deposit:
    """What is received.

    Attributes:
        document: None when the flow fetches it later, and knows it by its reference alone.
        reference: what the flow knows the document by; None when it could not be read.
        idempotency_key: the depositor's key, bound to this very content.
        others: the documents that come with it.
        confidential: see ``models.Dossier``.
        apply: further writes to make in the transaction that makes the dossier; given the session and the dossier.
    """

    organisation_id: str
    title: str
    document: KeptFile | None
    reference: str | None = None
    idempotency_key: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[KeptFile, ...] = ()
    confidential: bool = False
    apply: Callable[[ScopedSession, Dossier], None] | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """The dossier of a deposit, and whether this call made it."""

    dossier: Dossier
    created: bool


def receive(database: Database, flow: Flow, principal: Principal, deposit: Deposit) -> Received:
    """Make a dossier of a deposit, or return the one that an identical deposit made.

    Raises:
        Forbidden: the principal may not deposit for the organisation.
        Conflict: the key or the reference was used for another content; ``existing`` names that dossier.
    """
    principal.require(Right.DEPOSIT, deposit.organisation_id)
    try:
        with database.writing(principal) as session:
            known = _known(session, flow, deposit)
            return Received(known, created=False) if known else Received(_insert(session, flow, principal, deposit), created=True)
    except IntegrityError:
        # The same deposit came twice at the same moment: the other one has committed, so it is known now.
        with database.reading(principal) as session:
            known = _known(session, flow, deposit)
            if known is None:
                raise
            return Received(known, created=False)


def _known(session: ScopedSession, flow: Flow, deposit: Deposit) -> Dossier | None:
    same_key = col(Dossier.idempotency_key) == deposit.idempotency_key if deposit.idempotency_key else col(Dossier.id).is_(None)
    same_reference = (
        (col(Dossier.flow) == flow.name) & (col(Dossier.reference) == deposit.reference)
        if deposit.reference
        else col(Dossier.id).is_(None)
    )
    found = session.exec(
        select(Dossier)
        .where(Dossier.organisation_id == deposit.organisation_id, or_(same_key, same_reference))
        .order_by(same_key.desc().nulls_last())
    ).first()
    if found is None or deposit.document is None:
        return found
    first = session.exec(
        select(DossierFile).where(DossierFile.dossier_id == found.id).order_by(col(DossierFile.created), col(DossierFile.id))
    ).first()
    if first is not None and first.sha256 == deposit.document.sha256:
        return found
    if deposit.idempotency_key and found.idempotency_key == deposit.idempotency_key:
        raise Conflict(_messages("deposit.key_taken", key=deposit.idempotency_key), found.id)
    raise Conflict(_messages("deposit.duplicate", title=found.title), found.id)


def _insert(session: ScopedSession, flow: Flow, principal: Principal, deposit: Deposit) -> Dossier:
    dossier = Dossier(
        organisation_id=deposit.organisation_id,
        flow=flow.name,
        title=deposit.title[:200],
        state=flow.start,
        reference=deposit.reference,
        idempotency_key=deposit.idempotency_key,
        facts=dict(deposit.facts),
        confidential=deposit.confidential,
    )
    session.add(dossier)
    session.flush()
    first = (deposit.document,) if deposit.document else ()
    transitions.add_files(session, dossier.organisation_id, dossier.id, (*first, *deposit.others))
    if deposit.apply is not None:
        deposit.apply(session, dossier)
    transitions.start(session.connection(), flow, dossier.id, dossier.organisation_id)
    journal.write(
        session,
        organisation_id=dossier.organisation_id,
        dossier_id=dossier.id,
        kind="dossier.received",
        actor=principal.actor,
        facts={"flow": flow.name, **({"sha256": first[0].sha256, "size": first[0].size} if first else {})},
    )
    return dossier
