"""Putting the parts together: which flows, which scheduled runs, around one platform and one broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import dramatiq

import api.pastell.models
import api.s2low.models  # noqa: F401 - rows of these go with the dossiers that they hang on: this process must know of them
from archive.elimination import executing as eliminations
from archive.finding import restitutions
from archive.places import extending
from archive.proof import authorities, heads, locks, outside, resealing, segments
from archive.proof.ers import stamping
from archive.replication import rounds
from archive.retention import holds
from archive.watch import audits
from core import uploads
from core.errors import Misconfigured, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows import heads as heads_mail
from flows import incidents
from flows.actes import classifying, drafts, following, incoming, publishing_later
from flows.emptying import running as emptying
from flows.engine import schedule
from flows.engine.brokers import worker_of
from flows.engine.execution import Engine
from flows.engine.relay import Relay
from flows.helios import acquits
from flows.invoices import acknowledging, collecting, telling
from flows.invoices.issued import following as sales
from flows.mail import alerting, posting
from flows.mail import following as mails
from flows.mail import returning as returns
from flows.mail.convening import reminding
from flows.parapheur import returning
from flows.parapheur.leaving import leave
from flows.parapheur.notifying import late, send_due
from flows.parapheur.signing import settle_all
from flows.registry import FLOWS
from flows.sae import deciding as sae
from flows.sae import following as sae_following
from flows.sae import intake as sae_intake
from signing.sittings import sittings
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.trust import trust_store

_messages = Catalogue("api.cli")
HEAD_ACTOR, HEAD_QUEUE = "archive.proof.head", "archive"
COPY_ACTOR, COPY_QUEUE = "archive.proof.copy", "archive"
RENEW_ACTOR, RENEW_QUEUE, RENEW_EVERY = "archive.proof.renew", "archive", timedelta(hours=6)
AUTHORITIES_ACTOR, AUTHORITIES_QUEUE = "archive.proof.authorities", "archive"
HEAD_MAIL_ACTOR, HEAD_MAIL_QUEUE, HEAD_MAIL_EVERY = "archive.proof.mail", "remote.mail", timedelta(days=1)
EXPIRY_ACTOR, EXPIRY_QUEUE, EXPIRY_EVERY = "sittings.expire", "signing", timedelta(minutes=1)
PARAPHEUR_ACTOR, PARAPHEUR_QUEUE, PARAPHEUR_EVERY = "parapheur.go_on", "signing", timedelta(seconds=20)
NOTICES_ACTOR, NOTICES_QUEUE, NOTICES_EVERY = "parapheur.notify", "remote.mail", timedelta(seconds=30)
UPLOADS_ACTOR, UPLOADS_QUEUE, UPLOADS_EVERY = "uploads.sweep", "cpu", timedelta(minutes=10)
WAKE_ACTOR, WAKE_QUEUE, WAKE_EVERY = "actes.wake", "cpu", timedelta(seconds=10)
ELAPSED_ACTOR, ELAPSED_QUEUE, ELAPSED_EVERY = "actes.close", "cpu", timedelta(hours=1)
DRAFTS_ACTOR, DRAFTS_QUEUE, DRAFTS_EVERY = "actes.forget_drafts", "cpu", timedelta(hours=1)
PUBLISH_ACTOR, PUBLISH_QUEUE, PUBLISH_EVERY = "actes.publish", "cpu", timedelta(minutes=1)
LATE_ACTOR, LATE_QUEUE, LATE_EVERY = "parapheur.late", "cpu", timedelta(hours=1)


def build_engine(platform: Platform, broker: dramatiq.Broker) -> Engine:
    """Declare the actors of every flow and of every scheduled run."""
    engine = Engine(platform, broker, list(FLOWS.values()))
    schedule.declare(engine, acquits.ACTOR, acquits.QUEUE, acquits.collect)
    schedule.declare(engine, incoming.ACTOR, incoming.QUEUE, incoming.collect)
    schedule.declare(engine, collecting.ACTOR, collecting.QUEUE, collecting.collect)
    schedule.declare(engine, telling.ACTOR, telling.QUEUE, telling.tell)
    schedule.declare(engine, sales.ACTOR, sales.QUEUE, sales.follow)
    schedule.declare(engine, sae_intake.ACTOR, sae_intake.QUEUE, sae_intake.gather)
    schedule.declare(engine, sae_following.ACTOR, sae_following.QUEUE, sae_following.follow)
    schedule.declare(engine, acknowledging.ACTOR, acknowledging.QUEUE, acknowledging.collect)
    schedule.declare(engine, acknowledging.SETTLE_ACTOR, acknowledging.SETTLE_QUEUE, acknowledging.settle)
    schedule.declare(engine, classifying.ACTOR, classifying.QUEUE, classifying.look)
    schedule.declare(engine, WAKE_ACTOR, WAKE_QUEUE, _wake_acts)
    schedule.declare(engine, ELAPSED_ACTOR, ELAPSED_QUEUE, _close_acts)
    schedule.declare(engine, DRAFTS_ACTOR, DRAFTS_QUEUE, _forget_drafts)
    schedule.declare(engine, PUBLISH_ACTOR, PUBLISH_QUEUE, _publish_acts)
    schedule.declare(engine, HEAD_ACTOR, HEAD_QUEUE, _cut_head)
    schedule.declare(engine, COPY_ACTOR, COPY_QUEUE, _copy_journal)
    schedule.declare(engine, locks.ACTOR, locks.QUEUE, _extend_proofs)
    schedule.declare(engine, RENEW_ACTOR, RENEW_QUEUE, _renew_proofs)
    schedule.declare(engine, AUTHORITIES_ACTOR, AUTHORITIES_QUEUE, _gather_of_authorities)
    schedule.declare(engine, HEAD_MAIL_ACTOR, HEAD_MAIL_QUEUE, _mail_head)
    schedule.declare(engine, audits.ACTOR, audits.QUEUE, _audit)
    schedule.declare(engine, incidents.ACTOR, incidents.QUEUE, incidents.tell)
    schedule.declare(engine, extending.ACTOR, extending.QUEUE, extending.extend)
    schedule.declare(engine, rounds.ACTOR, rounds.QUEUE, rounds.go_on)
    schedule.declare(engine, holds.ACTOR, holds.QUEUE, holds.settle_all)
    schedule.declare(engine, eliminations.ACTOR, eliminations.QUEUE, eliminations.run)
    schedule.declare(engine, emptying.ACTOR, emptying.QUEUE, emptying.run)
    schedule.declare(engine, restitutions.ACTOR, restitutions.QUEUE, restitutions.run)
    schedule.declare(engine, EXPIRY_ACTOR, EXPIRY_QUEUE, _expire_sittings)
    schedule.declare(engine, PARAPHEUR_ACTOR, PARAPHEUR_QUEUE, _go_on)
    schedule.declare(engine, NOTICES_ACTOR, NOTICES_QUEUE, _notify)
    schedule.declare(engine, LATE_ACTOR, LATE_QUEUE, _late)
    schedule.declare(engine, UPLOADS_ACTOR, UPLOADS_QUEUE, _sweep_uploads)
    schedule.declare(engine, posting.ACTOR, posting.QUEUE, posting.post_due)
    schedule.declare(engine, mails.ACTOR, mails.QUEUE, mails.age)
    schedule.declare(engine, alerting.ACTOR, alerting.QUEUE, alerting.alert)
    schedule.declare(engine, reminding.ACTOR, reminding.QUEUE, reminding.remind)
    schedule.declare(engine, returns.ACTOR, returns.QUEUE, returns.collect)
    schedule.declare(engine, returning.ACTOR, returning.QUEUE, returning.collect)
    schedule.declare(engine, returning.CLOSING_ACTOR, returning.QUEUE, returning.close_due)
    return engine


def plan_schedules(platform: Platform) -> None:
    """Plan what runs again and again, as the settings and the configurations say now."""
    settings = platform.settings
    schedule.plan(platform.database, HEAD_ACTOR, HEAD_QUEUE, timedelta(seconds=settings.tree_head_seconds))
    schedule.plan(platform.database, COPY_ACTOR, COPY_QUEUE, timedelta(seconds=settings.tree_head_seconds))
    schedule.plan(platform.database, locks.ACTOR, locks.QUEUE, locks.EVERY)
    schedule.plan(platform.database, RENEW_ACTOR, RENEW_QUEUE, RENEW_EVERY)
    schedule.plan(platform.database, AUTHORITIES_ACTOR, AUTHORITIES_QUEUE, authorities.EVERY)
    schedule.plan(platform.database, HEAD_MAIL_ACTOR, HEAD_MAIL_QUEUE, HEAD_MAIL_EVERY)
    schedule.plan(platform.database, audits.ACTOR, audits.QUEUE, audits.EVERY)
    schedule.plan(platform.database, incidents.ACTOR, incidents.QUEUE, incidents.EVERY)
    schedule.plan(platform.database, extending.ACTOR, extending.QUEUE, extending.EVERY)
    schedule.plan(platform.database, rounds.ACTOR, rounds.QUEUE, rounds.EVERY)
    schedule.plan(platform.database, holds.ACTOR, holds.QUEUE, holds.EVERY)
    schedule.plan(platform.database, eliminations.ACTOR, eliminations.QUEUE, eliminations.EVERY)
    schedule.plan(platform.database, emptying.ACTOR, emptying.QUEUE, emptying.EVERY)
    schedule.plan(platform.database, restitutions.ACTOR, restitutions.QUEUE, restitutions.EVERY)
    schedule.plan(platform.database, EXPIRY_ACTOR, EXPIRY_QUEUE, EXPIRY_EVERY)
    schedule.plan(platform.database, PARAPHEUR_ACTOR, PARAPHEUR_QUEUE, PARAPHEUR_EVERY)
    schedule.plan(platform.database, NOTICES_ACTOR, NOTICES_QUEUE, NOTICES_EVERY)
    schedule.plan(platform.database, LATE_ACTOR, LATE_QUEUE, LATE_EVERY)
    schedule.plan(platform.database, UPLOADS_ACTOR, UPLOADS_QUEUE, UPLOADS_EVERY)
    schedule.plan(platform.database, WAKE_ACTOR, WAKE_QUEUE, WAKE_EVERY)
    schedule.plan(platform.database, ELAPSED_ACTOR, ELAPSED_QUEUE, ELAPSED_EVERY)
    schedule.plan(platform.database, DRAFTS_ACTOR, DRAFTS_QUEUE, DRAFTS_EVERY)
    schedule.plan(platform.database, PUBLISH_ACTOR, PUBLISH_QUEUE, PUBLISH_EVERY)
    incoming.plan(platform, timedelta(seconds=settings.poll_seconds))
    classifying.plan(platform, classifying.EVERY)
    acquits.plan(platform, timedelta(seconds=settings.poll_seconds))
    collecting.plan(platform, timedelta(seconds=settings.poll_seconds))
    telling.plan(platform, timedelta(seconds=settings.poll_seconds))
    sales.plan(platform, timedelta(seconds=settings.poll_seconds))
    acknowledging.plan(platform, timedelta(seconds=settings.poll_seconds))
    returning.plan(platform, timedelta(seconds=settings.poll_seconds))
    posting.plan(platform)
    mails.plan(platform)
    alerting.plan(platform)
    reminding.plan(platform)
    sae.plan(platform)
    returns.plan(platform, timedelta(seconds=settings.poll_seconds))


def _cut_head(platform: Platform, _key: str) -> None:
    heads.cut(platform, timestamps(platform))


def _copy_journal(platform: Platform, _key: str) -> None:
    try:
        outside.write_due(platform)
    finally:  # a folder that is full keeps no segment from the places
        segments.copy_due(platform)


def _extend_proofs(platform: Platform, _key: str) -> None:
    locks.extend_due(platform)


def _renew_proofs(platform: Platform, _key: str) -> None:
    renew_proofs(platform)


def _gather_of_authorities(platform: Platform, _key: str) -> None:
    authorities.gather_due(platform)


def _mail_head(platform: Platform, _key: str) -> None:
    heads_mail.send_last(platform)


def _audit(platform: Platform, _key: str) -> None:
    audits.go_on(platform)


def _expire_sittings(platform: Platform, _key: str) -> None:
    sittings.expire(platform.database)


def _go_on(platform: Platform, _key: str) -> None:
    settle_all(platform)
    leave(platform)


def _notify(platform: Platform, _key: str) -> None:
    send_due(platform)


def _wake_acts(platform: Platform, _key: str) -> None:
    following.wake_all(platform)


def _close_acts(platform: Platform, _key: str) -> None:
    following.close_elapsed(platform)


def _forget_drafts(platform: Platform, _key: str) -> None:
    drafts.sweep(platform)


def _publish_acts(platform: Platform, _key: str) -> None:
    publishing_later.publish_due(platform)


def _late(platform: Platform, _key: str) -> None:
    late(platform)


def _sweep_uploads(platform: Platform, _key: str) -> None:
    uploads.sweep(platform)


def renew_proofs(platform: Platform) -> tuple[int, int]:
    """Put evidence records under timestamps and renew those that age; return how many records, and how many timestamps.

    Records sealed since the journal went on with another hash get their digest of it too.

    Raises:
        Misconfigured: as ``timestamps``.
        Unavailable: an authority or a place does not answer; the next run goes on.
    """
    stamps = timestamps(platform)
    begun = stamping.begin(platform, stamps)
    resealing.catch_up(platform)
    begun += stamping.stamp_waiting(platform, stamps)
    return begun, stamping.renew(platform, stamps, timedelta(days=platform.settings.renewal_days))


def timestamps(platform: Platform) -> TimestampClient:
    """Return the client of the timestamping authorities.

    Raises:
        Misconfigured: no authority, or no trusted certificates to hold its answers against.
    """
    trust = trust_store(platform.settings.trust_dir)
    if not platform.settings.tsa_urls or trust is None:
        raise Misconfigured(_messages("parts.timestamps"))
    return TimestampClient(AuthoritySettings(platform.settings.tsa_urls), trust)


@contextmanager
def working(
    platform: Platform, broker: dramatiq.Broker, *, queues: set[str] | None = None, relays: bool = True
) -> Iterator[Engine]:
    """Run a worker, and a relay unless told otherwise, for the time of the block.

    Raises:
        UsageError: nothing is ever done on one of these queues.
    """
    engine = build_engine(platform, broker)
    known = {broker.get_actor(name).queue_name for name in broker.get_declared_actors()}
    if unknown := sorted((queues or set()) - known):
        raise UsageError(_messages("worker.unknown", queue=unknown[0][:60], known=", ".join(sorted(known))))
    plan_schedules(platform)
    worker = worker_of(broker, queues=queues, threads=platform.settings.worker_threads)
    relay = Relay(platform, broker)
    worker.start()
    thread = relay.start() if relays else None
    try:
        yield engine
    finally:
        relay.stop()
        if thread is not None:
            thread.join()
        worker.stop(timeout=30_000)
        engine.leases.close()
