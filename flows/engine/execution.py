"""Running stages: one Dramatiq actor for each, and around every one the same three steps: claim, perform, record.

The work itself runs outside any transaction and holds no database connection. Trouble is classified here and nowhere else.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import dramatiq
import structlog

from core import clock
from core.errors import Misconfigured, NeedsOperator, Refused, TabellionError, Unavailable
from core.messages import Catalogue
from core.platform import Platform
from flows.engine import departed, transitions
from flows.engine.moves import DEADLINE, DEADLINE_QUEUE
from flows.engine.table import REFUSED, Flow, Stage, Wait
from flows.engine.transitions import Claim, LeaseLost
from flows.engine.work import Advance, Later, Work

_log = structlog.get_logger()
_messages = Catalogue("flows.engine")
_FIRST_BACK_OFF, _LONGEST_BACK_OFF = 5.0, 900.0
_UNAVAILABLE_ATTEMPTS, _FAULT_ATTEMPTS = 100, 3
# A claim that is neither recorded nor given back means that the process died with it; a document that kills every worker
# must not be handed out for ever.
_LOST_ATTEMPTS = 10


class LeaseKeeper:
    """Renews the leases of this process while its stages work; a thread of its own, so that a long call does not lose one."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._for = timedelta(seconds=platform.settings.lease_seconds)
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def hold(self, lease: str) -> None:
        """Renew this lease from now on."""
        with self._lock:
            self._held.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._thread.start()

    def release(self, lease: str) -> None:
        """Stop renewing it."""
        with self._lock:
            self._held.discard(lease)

    def close(self) -> None:
        """Renew nothing any more, and end the thread: the process may go on to something else."""
        self._closed.set()

    def _renew(self) -> None:
        while not self._closed.wait(self._for.total_seconds() / 3):
            with self._lock:
                held = list(self._held)
            try:
                if held:
                    transitions.renew(self._platform.database, held, self._for)
            except Exception:  # noqa: BLE001 - the database is away: the next turn tries again, and record refuses a lost lease
                _log.exception("leases.not_renewed", count=len(held))


class Engine:
    """The flows of a process, bound to its broker and its platform.

    Example:
        >>> engine = Engine(platform, broker, [HELIOS])
    """

    def __init__(self, platform: Platform, broker: dramatiq.Broker, flows: list[Flow]) -> None:
        self.platform = platform
        self.broker = broker
        self.flows = {flow.name: flow for flow in flows}
        self.leases = LeaseKeeper(platform)
        for flow in flows:
            for stage in flow.stages():
                self._declare(flow.actor(stage), stage.queue, self._stage_runner(flow, stage))
            self._declare(f"{flow.name}.{DEADLINE}", DEADLINE_QUEUE, self._deadline_runner(flow))

    def _declare(self, name: str, queue: str, run: Callable[[str], None]) -> None:
        dramatiq.actor(actor_name=name, queue_name=queue, broker=self.broker)(run)

    def _stage_runner(self, flow: Flow, stage: Stage) -> Callable[[str], None]:
        def run(dossier_id: str) -> None:
            self._run(flow, flow.actor(stage), dossier_id, stage.perform)

        return run

    def _deadline_runner(self, flow: Flow) -> Callable[[str], None]:
        def overdue(work: Work) -> Advance | Later:
            row = flow.rows[work.state]
            awaited = row.waits_for if isinstance(row, Wait) else work.state
            raise NeedsOperator(_messages("stage.overdue", awaited=awaited))

        def run(dossier_id: str) -> None:
            self._run(flow, f"{flow.name}.{DEADLINE}", dossier_id, overdue)

        return run

    def _run(self, flow: Flow, actor: str, dossier_id: str, perform: Callable[[Work], Advance | Later]) -> None:
        lease_for = timedelta(seconds=self.platform.settings.lease_seconds)
        claimed = transitions.claim(self.platform.database, dossier_id, actor, lease_for)
        if claimed is None:
            return
        self.leases.hold(claimed.lease)
        try:
            with structlog.contextvars.bound_contextvars(dossier=dossier_id, stage=actor, attempt=claimed.attempt):
                self._settle(flow, claimed, perform)
        except LeaseLost:
            _log.warning("lease.lost", dossier=dossier_id, stage=actor)
        finally:
            self.leases.release(claimed.lease)

    def _settle(self, flow: Flow, claimed: Claim, perform: Callable[[Work], Advance | Later]) -> None:
        database = self.platform.database
        if claimed.attempt - claimed.failures > _LOST_ATTEMPTS:
            transitions.park(database, claimed, _messages("stage.lost"))
            return
        over = departed.is_due(flow, claimed)
        try:
            outcome = self._perform(claimed, partial(departed.passed_over, flow) if over else perform)
        except Refused as refusal:
            if REFUSED in flow.rows[claimed.state].leads:
                transitions.refuse(database, flow, claimed, REFUSED, refusal.problems)
            else:
                transitions.park(database, claimed, str(refusal))
        except Unavailable as trouble:
            self._try_again(claimed, str(trouble), _UNAVAILABLE_ATTEMPTS)
        except (NeedsOperator, Misconfigured) as trouble:
            _log.warning("dossier.parked", reason=str(trouble))
            transitions.park(database, claimed, str(trouble))
        except LeaseLost:
            raise
        except Exception as fault:  # noqa: BLE001 - a fault of ours: logged whole, then tried again or parked, never lost
            reference = secrets.token_hex(4)
            _log.exception("stage.failed", reference=reference)
            said = str(fault) if isinstance(fault, TabellionError) else _messages("stage.fault")
            self._try_again(claimed, _messages("stage.reference", said=said, reference=reference), _FAULT_ATTEMPTS)
        else:
            self._record(flow, claimed, outcome, departed.PASSED if over else None)

    def _record(self, flow: Flow, claimed: Claim, outcome: Advance | Later, told_as: str | None) -> None:
        if isinstance(outcome, Later):
            transitions.postpone(self.platform.database, claimed, outcome.due, outcome.reason, fresh=True)
        else:
            transitions.advance(self.platform.database, flow, claimed, outcome, told_as=told_as)

    def _perform(self, claimed: Claim, perform: Callable[[Work], Advance | Later]) -> Advance | Later:
        def note(kind: str, **facts: object) -> None:
            transitions.note(self.platform.database, claimed, kind, facts)

        # Cleaning may meet a file that a library still holds; the folder is in the system's temporary space anyway.
        with tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True) as folder:
            work = Work(
                self.platform,
                claimed.dossier_id,
                claimed.organisation_id,
                claimed.title,
                claimed.state,
                claimed.facts,
                claimed.files,
                Path(folder),
                claimed.attempt,
                note,
            )
            return perform(work)

    def _try_again(self, claimed: Claim, reason: str, attempts: int) -> None:
        failures = claimed.failures + 1
        if failures >= attempts:
            transitions.park(self.platform.database, claimed, _messages("stage.abandoned", count=failures, reason=reason))
            return
        transitions.postpone(self.platform.database, claimed, clock.now() + back_off(failures), reason, fresh=False)


def back_off(failures: int) -> timedelta:
    """Return how long to wait after the n-th failure: doubled each time from 5 s to 15 min, less up to a quarter by chance."""
    whole = min(_FIRST_BACK_OFF * 2 ** min(failures - 1, 20), _LONGEST_BACK_OFF)
    return timedelta(seconds=whole * (1 - secrets.randbelow(250) / 1000))
