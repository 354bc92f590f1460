"""The Dramatiq broker that the settings name, with the middleware that the engine wants and no other.

Retries, delays and dead letters are the database's business here, so Dramatiq's own are left out: a message lost with its
worker is announced again by the relay.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import dramatiq
from dramatiq.middleware import ShutdownNotifications, TimeLimit

from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("flows.engine")
_TIME_LIMIT_MS = 15 * 60 * 1000  # below RabbitMQ's consumer timeout of 30 minutes


def open_broker(url: str) -> dramatiq.Broker:
    """Return a broker for ``memory://``, ``redis://…`` or ``amqp://…``, set as Dramatiq's global one.

    Raises:
        Misconfigured: another scheme.
    """
    middleware = [TimeLimit(time_limit=_TIME_LIMIT_MS), ShutdownNotifications(notify_shutdown=False)]
    scheme = urlsplit(url).scheme
    broker: dramatiq.Broker
    # Each client library is imported by whoever speaks to its broker: together they weigh twenty megabytes.
    if scheme == "memory":
        from dramatiq.brokers.stub import StubBroker

        broker = StubBroker(middleware=middleware)
        broker.emit_after("process_boot")
    elif scheme in {"redis", "rediss"}:
        from dramatiq.brokers.redis import RedisBroker

        # Without these a killed worker's messages come back late or never, and an idle worker starts late.
        os.environ.setdefault("dramatiq_queue_prefetch", "100")
        os.environ.setdefault("dramatiq_worker_timeout", "100")
        broker = RedisBroker(  # type: ignore[no-untyped-call]
            url=url, middleware=middleware, heartbeat_timeout=10_000, maintenance_chance=100_000
        )
    elif scheme in {"amqp", "amqps"}:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        broker = RabbitmqBroker(url=url, middleware=middleware, confirm_delivery=True)
    else:
        raise Misconfigured(_messages("broker.scheme"))
    dramatiq.set_broker(broker)
    return broker
