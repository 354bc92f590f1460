"""Receiving: a document becomes a dossier once, however often it is sent.

The document is in the object store already; here the dossier, its file, its first step and its journal entry are written in
one transaction. Two keys make a repeat harmless: the depositor's own, bound to all that was asked under it, and the flow's
reference (for HELIOS, NomFic and CodCol), bound to the document. A key that comes with a document known by its reference is kept
as well: it names the dossier that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core import journal
from core.database import Database, ScopedSession
from core.errors import Conflict
from core.messages import Catalogue
from core.principal import Principal, Right
from flows.engine import transitions
from flows.engine.keys import Keyed
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
        idempotency_key: the depositor's key, bound to this very request.
        others: the documents that come with it.
        confidential: see ``models.Dossier``.
        asked: what else the depositor said, which the facts do not hold; JSON without floats.
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
    asked: Mapping[str, Any] = field(default_factory=dict)
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
        Conflict: the key was used for another request, or the reference for another content; ``existing`` names that dossier.
    """
    principal.require(Right.DEPOSIT, deposit.organisation_id)
    try:
        return _received(database, flow, principal, deposit)
    except IntegrityError:
        # The same deposit came twice at the same moment: the other one has committed, so it is known now.
        return _received(database, flow, principal, deposit)


def _received(database: Database, flow: Flow, principal: Principal, deposit: Deposit) -> Received:
    keyed = _keyed(flow, deposit)
    with database.writing(principal) as session:
        if keyed is not None:
            named = keyed.named(session, lambda found: found.flow == flow.name and _is_of(session, found, deposit))
            if named is not None:
                return Received(named, created=False)
        known = _referred(session, flow, deposit)
        dossier = known or _insert(session, flow, principal, deposit)
        if keyed is not None:
            keyed.keep(session, dossier.id)
        return Received(dossier, created=known is None)


def _keyed(flow: Flow, deposit: Deposit) -> Keyed | None:
    """Return the depositor's key, bound to the flow and to all that it was told. What a file is called changes nothing of it."""
    if not deposit.idempotency_key:
        return None
    files = ((deposit.document,) if deposit.document else ()) + deposit.others
    said = {
        "flow": flow.name,
        "title": deposit.title,
        "reference": deposit.reference,
        "facts": dict(deposit.facts),
        "files": [[one.role, one.sha256] for one in files],
        "confidential": deposit.confidential,
        "asked": dict(deposit.asked),
    }
    return Keyed.of(deposit.organisation_id, deposit.idempotency_key, said)


def _referred(session: ScopedSession, flow: Flow, deposit: Deposit) -> Dossier | None:
    """Return the dossier that bears the reference.

    Raises:
        Conflict: it is of another document.
    """
    if not deposit.reference:
        return None
    own = select(Dossier).where(Dossier.organisation_id == deposit.organisation_id, Dossier.flow == flow.name)
    found = session.exec(own.where(Dossier.reference == deposit.reference)).first()
    if found is not None and not _is_of(session, found, deposit):
        raise Conflict(_messages("deposit.duplicate", title=found.title), found.id)
    return found


def _is_of(session: ScopedSession, dossier: Dossier, deposit: Deposit) -> bool:
    """Tell whether a dossier is of the document that is deposited."""
    if deposit.document is None:
        return True
    own = select(DossierFile).where(DossierFile.dossier_id == dossier.id)
    first = session.exec(own.order_by(col(DossierFile.created), col(DossierFile.id))).first()
    return first is not None and first.sha256 == deposit.document.sha256


def _insert(session: ScopedSession, flow: Flow, principal: Principal, deposit: Deposit) -> Dossier:
    dossier = Dossier(
        organisation_id=deposit.organisation_id,
        flow=flow.name,
        title=deposit.title[:200],
        state=flow.start,
        reference=deposit.reference,
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
