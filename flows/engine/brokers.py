"""The Dramatiq broker that the settings name, with the middleware that the engine wants and no other.

Retries, delays and dead letters are the database's business here, so Dramatiq's own are left out: a message lost with its
worker is announced again by the relay.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import dramatiq
from dramatiq.middleware import ShutdownNotifications, TimeLimit

from core.errors import Misconfigured, Unavailable
from core.messages import Catalogue

_messages = Catalogue("flows.engine")
_TIME_LIMIT_MS = 15 * 60 * 1000  # below RabbitMQ's consumer timeout of 30 minutes
_REDIS, _AMQP = frozenset({"redis", "rediss"}), frozenset({"amqp", "amqps"})
_PATIENCE = 5.0
"""Seconds that ``prove`` waits."""
_IDLE_MS = 100
_REDIS_PREFETCH = 100


def open_broker(url: str) -> dramatiq.Broker:
    """Return a broker for ``memory://``, ``redis://…`` or ``amqp://…``, set as Dramatiq's global one.

    Raises:
        Misconfigured: another scheme, or an address that cannot be read.
    """
    middleware = [TimeLimit(time_limit=_TIME_LIMIT_MS), ShutdownNotifications(notify_shutdown=False)]
    scheme = _scheme(url)
    broker: dramatiq.Broker
    # Each client library is imported by whoever speaks to its broker: together they weigh twenty megabytes.
    if scheme == "memory":
        from dramatiq.brokers.stub import StubBroker

        broker = StubBroker(middleware=middleware)
        broker.emit_after("process_boot")
    elif scheme in _REDIS:
        from dramatiq.brokers.redis import RedisBroker

        # Without these a killed worker's messages come back late or never.
        broker = RedisBroker(  # type: ignore[no-untyped-call]
            url=url, middleware=middleware, heartbeat_timeout=10_000, maintenance_chance=100_000
        )
    else:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        _quieten_pika()
        broker = RabbitmqBroker(url=url, middleware=middleware, confirm_delivery=True)
    dramatiq.set_broker(broker)
    return broker


def worker_of(broker: dramatiq.Broker, *, queues: set[str] | None = None, threads: int) -> dramatiq.Worker:
    """Return a worker on some of a broker's queues, or on all; it is not started.

    An idle worker looks again after a tenth of a second. From Redis messages are taken a hundred at once: after each handful it
    would sleep, whatever waits there.
    """
    worker = dramatiq.Worker(broker, queues=queues, worker_timeout=_IDLE_MS, worker_threads=threads)
    if _kind_of(broker) == "RedisBroker":
        worker.queue_prefetch = _REDIS_PREFETCH
    return worker


def _kind_of(broker: dramatiq.Broker) -> str:
    return type(broker).__name__  # by name, for only one of their modules has been imported


def waiting(broker: Any, queue: str) -> int:
    """Return how many messages of a queue wait in a broker; Redis counts those that a worker has taken too."""
    broker.declare_queue(queue)
    match _kind_of(broker):
        case "StubBroker":
            return int(broker.queues[queue].qsize())
        case "RedisBroker":
            return int(broker.do_qsize(queue))
        case _:
            return int(broker.get_queue_message_counts(queue)[0])


def prove(url: str) -> None:
    """Open a connection to the broker as its user, and close it; nothing is declared there.

    Raises:
        Misconfigured: the address cannot be read, or the broker does not know this user, or not on this virtual host.
        Unavailable: it does not answer within five seconds.
    """
    scheme = _scheme(url)
    if scheme in _REDIS:
        _prove_redis(url)
    elif scheme in _AMQP:
        _prove_amqp(url)


def _prove_redis(url: str) -> None:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0))
    try:
        client.ping()
    except (redis.AuthenticationError, redis.ResponseError) as error:  # a password is missing, wrong, or of an unknown user
        raise Misconfigured(_messages("broker.refuses", reason=_reason(error))) from error
    except redis.RedisError as error:
        raise Unavailable(_messages("broker.silent", reason=_reason(error))) from error
    finally:
        client.close()


def _prove_amqp(url: str) -> None:
    import pika  # type: ignore[import-untyped]
    from pika import exceptions

    _quieten_pika()
    refused = (
        exceptions.AuthenticationError,
        exceptions.ProbableAuthenticationError,
        exceptions.ProbableAccessDeniedError,
        exceptions.ConnectionClosedByBroker,
    )
    parameters = pika.URLParameters(url)
    parameters.connection_attempts = 1
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = _PATIENCE
    try:
        connection = pika.BlockingConnection(parameters)
        connection.channel()
        connection.close()
    except refused as error:
        raise Misconfigured(_messages("broker.refuses", reason=_reason(error))) from error
    except (exceptions.AMQPError, OSError) as error:
        raise Unavailable(_messages("broker.silent", reason=_reason(error))) from error


def _quieten_pika() -> None:
    """Leave it to us to say what goes wrong: pika writes a traceback of its own for each attempt."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()[:200]


def _scheme(url: str) -> str:
    """Return the scheme of an address; one that is cut by a character of its password is refused without a word of it.

    Raises:
        Misconfigured: another scheme than we know, or an address that cannot be read.
    """
    try:
        address = urlsplit(url)
        host, _ = address.hostname, address.port
        if address.scheme in _REDIS:
            from redis.connection import parse_url

            parse_url(url)  # type: ignore[no-untyped-call]
        elif address.scheme in _AMQP:
            import pika

            pika.URLParameters(url)
    except ValueError:
        raise Misconfigured(_messages("broker.unreadable")) from None
    if address.scheme not in {"memory", *_REDIS, *_AMQP}:
        raise Misconfigured(_messages("broker.scheme"))
    if address.scheme != "memory" and (host is None or "@" in f"{address.path}{address.query}{address.fragment}"):
        raise Misconfigured(_messages("broker.unreadable"))
    return address.scheme
