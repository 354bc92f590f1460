"""What left before a backup was restored that does not know it: a person says so, on evidence, and it is never sent again.

What lives here: the decision, and what a flow is asked for it. What does not: which dossiers were overtaken
(`flows.engine.overtaken`); what each transmission leaves behind, which its own room says (`flows.engine.table.Stage.departed`).

A dossier that stands at its transmission goes at once to the state after it, as if the stage had just been done. One that stands
before it is prepared first, as ever: what its acknowledgement and its archive need is made on the way, and when it comes to its
transmission it passes over it.

The words of whoever decided stay among the facts of the dossier; the journal has their digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from core import clock
from core.blobs import ObjectMissing
from core.canonical import canonical_bytes
from core.errors import Conflict, NotFound, UsageError
from core.journal import JournalEntry
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine import moves
from flows.engine.models import Dossier
from flows.engine.table import Flow, On
from flows.engine.transitions import Claim
from flows.engine.work import Advance, KeptFile, Work

DECIDED, PASSED = "dossier.departed", "dossier.passed_over"
"""The journal entries of the decision, and of a transmission that was passed over on account of it."""
FACT = "departed"
"""Fact of a dossier: what was decided. ``due``: the transmission is still ahead, and will be passed over."""
LONGEST_REASON, LONGEST_REFERENCE = 1000, 200
_messages = Catalogue("flows.engine")


@dataclass(frozen=True, slots=True)
class Departed:
    """A dossier whose transmission is over, as its flow is asked to take it up.

    Attributes:
        files: its documents, oldest first.
        told: what the journal tells of it until it was decided, oldest first: also of what the database has forgotten.
        kept: tells whether the object store has the document of a digest.
    """

    dossier_id: str
    organisation_id: str
    facts: Mapping[str, Any]
    files: tuple[KeptFile, ...]
    told: tuple[JournalEntry, ...]
    kept: Callable[[str], bool]

    def noted(self, fact: str) -> dict[str, Any] | None:
        """Return what a stage wrote down before something left, as the journal tells it last, or else as the dossier has it."""
        told = next((entry.facts[fact] for entry in reversed(self.told) if entry.facts.get(fact)), None)
        return told or self.facts.get(fact)

    def last(self, kind: str) -> JournalEntry | None:
        """Return the last entry of a kind."""
        return next((entry for entry in reversed(self.told) if entry.kind == kind), None)

    def left(self, kind: str) -> datetime:
        """Return when it left: when the journal tells it, or else now."""
        entry = self.last(kind)
        return entry.at if entry else clock.now()

    def file(self, role: str) -> KeptFile | None:
        """Return the newest document of a role."""
        return next((kept for kept in reversed(self.files) if kept.role == role), None)

    def forgotten(self, role: str, name: str, media_type: str) -> tuple[KeptFile, ...]:
        """Return the document of a role that the journal names last, unless the dossier has it or the store has it no more."""
        named = [one for entry in self.told for one in entry.facts.get("files", ()) if one["role"] == role]
        own = self.file(role)
        if not named or (own is not None and own.sha256 == named[-1]["sha256"]) or not self.kept(named[-1]["sha256"]):
            return ()
        return (KeptFile(role, name, media_type, named[-1]["sha256"], named[-1]["size"]),)


def ahead(flow: Flow, state: str) -> On | None:
    """Return the transmission that a dossier in some state has before it, or is at; None where nothing is to be sent from there.

    Of two, the later one counts for dossiers that are at it only: what they would send then is not known before.
    """
    here = flow.rows[state]
    if isinstance(here, On) and here.stage.departed is not None:
        return here
    first = next((row for row in flow.rows.values() if isinstance(row, On) and row.stage.departed is not None), None)
    order = flow.states
    return first if first is not None and order.index(state) < order.index(first.state) else None


def may_be_said(dossier: Dossier, flow: Flow) -> bool:
    """Tell whether it can be said of a dossier that it has left."""
    return dossier.overtaken and ahead(flow, dossier.state) is not None


def decide(
    platform: Platform, flows: Mapping[str, Flow], principal: Principal, dossier_id: str, reason: str, reference: str = ""
) -> bool:
    """Take a dossier that was overtaken as sent: it waits for its acknowledgement, and is not sent again.

    Args:
        platform: where it is.
        flows: all that there are, by their names.
        principal: who says so.
        dossier_id: of the dossier.
        reason: on what evidence; `LONGEST_REASON` characters at most.
        reference: where that is found, as a number of the other side; `LONGEST_REFERENCE` characters at most.

    Returns:
        False when it had been said already: nothing is written.

    Raises:
        NotFound: no such dossier, or the principal does not see it.
        Forbidden: the principal may not operate its organisation.
        UsageError: no reason, or a text that is too long.
        Conflict: it was not overtaken, has nothing to send from where it stands, or too little is known of what left.
    """
    reason, reference = reason.strip(), " ".join(reference.split())
    with platform.database.writing(principal) as session:
        dossier = session.get(Dossier, dossier_id, with_for_update=True)
        if dossier is None:
            raise NotFound(_messages("dossier.unknown"))
        principal.require(Right.OPERATE, dossier.organisation_id)
        if not 0 < len(reason) <= LONGEST_REASON or len(reference) > LONGEST_REFERENCE:
            raise UsageError(_messages("departed.reason", reason=LONGEST_REASON, reference=LONGEST_REFERENCE))
        if not dossier.overtaken and dossier.facts.get(FACT):
            return False
        flow = flows[dossier.flow]
        row = ahead(flow, dossier.state)
        if not dossier.overtaken:
            raise Conflict(_messages("departed.not_overtaken"), dossier_id)
        if row is None:
            raise Conflict(_messages("departed.nothing"), dossier_id)
        said = {"by": principal.actor, "at": clock.iso(clock.now()), "reason": reason, "reference": reference}
        outcome = _outcome(session, platform, dossier, row) if row.state == dossier.state else Advance("")
        if outcome.apply is not None:
            outcome.apply(session)
        state = row.leads[outcome.outcome] if outcome.outcome else dossier.state
        facts = {**dossier.facts, **outcome.facts, FACT: {**said, "due": not outcome.outcome}}
        told = {"from": dossier.state, "state": state, "statement": hashlib.sha256(canonical_bytes(said)).hexdigest()}
        told |= {**outcome.journal, **moves.digests(outcome.files)}
        connection, owner = session.connection(), dossier.organisation_id
        moves.enter(connection, flow, dossier_id, owner, state, facts=facts)
        moves.add_files(connection, owner, dossier_id, outcome.files)
        moves.tell(session, owner, dossier_id, DECIDED, told, principal.actor)
        return True


def is_due(flow: Flow, claimed: Claim) -> bool:
    """Tell whether the stage that a dossier was claimed for is to be passed over."""
    row = flow.rows[claimed.state]
    return isinstance(row, On) and row.stage.departed is not None and bool(claimed.facts.get(FACT, {}).get("due"))


def passed_over(flow: Flow, work: Work) -> Advance:
    """Return what a stage that is passed over leads to."""
    row = flow.rows[work.state]
    if not isinstance(row, On) or row.stage.departed is None:
        raise TypeError(f"{flow.name}: nothing is sent in {work.state}")
    with work.platform.database.reading(PLATFORM) as session:
        told = _before(_told(session, work.dossier_id))
    kept = _keeps(work.platform)
    outcome = row.stage.departed(Departed(work.dossier_id, work.organisation_id, work.facts, work.files, told, kept))
    return replace(outcome, facts={**outcome.facts, FACT: {**work.facts[FACT], "due": False}})


def _outcome(session: Session, platform: Platform, dossier: Dossier, row: On) -> Advance:
    if row.stage.departed is None:
        raise TypeError(f"nothing is sent in {row.state}")
    files, told = moves.files_of(session.connection(), dossier.id), _told(session, dossier.id)
    known = (dossier.facts, files, told, _keeps(platform))
    return row.stage.departed(Departed(dossier.id, dossier.organisation_id, *known))


def _told(session: Session, dossier_id: str) -> tuple[JournalEntry, ...]:
    own = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)
    return tuple(session.exec(own.order_by(col(JournalEntry.number))))


def _before(told: tuple[JournalEntry, ...]) -> tuple[JournalEntry, ...]:
    """Return what was told before the last decision: what was made on the way since is not what left."""
    return told[: max(rank for rank, entry in enumerate(told) if entry.kind == DECIDED)]


def _keeps(platform: Platform) -> Callable[[str], bool]:
    def kept(sha256: str) -> bool:
        try:
            with platform.objects.reading(sha256):
                return True
        except ObjectMissing:
            return False

    return kept
