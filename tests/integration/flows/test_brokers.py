"""The broker's address: read or refused without a word of its password, and proved by a connection of its own."""

from __future__ import annotations

import traceback

import pytest

from core.errors import Misconfigured, Unavailable
from flows.engine.brokers import open_broker, prove, worker_of


@pytest.mark.parametrize("act", [open_broker, prove])
@pytest.mark.parametrize("url", ["", "http://host", "kafka://host", "memory"])
def test_a_broker_of_another_kind_is_refused(act: object, url: str) -> None:
    assert callable(act)
    with pytest.raises(Misconfigured, match="TABELLION_BROKER_URL"):
        act(url)


@pytest.mark.parametrize("act", [open_broker, prove])
@pytest.mark.parametrize(
    "url",
    [
        "redis://:SECRET/PW@host",
        "redis://:12/SECRET@host",
        "amqp://user:SEC#RET@host",
        "amqp://user:?SECRET@host",
        "rediss://:[SECRET@host",
        "amqp://user:SECRET@host?heartbeat=x",
    ],
)
def test_an_address_that_its_password_cuts_is_refused_and_shown_nowhere(act: object, url: str) -> None:
    assert callable(act)
    with pytest.raises(Misconfigured, match="%2F") as refused:
        act(url)
    told = "".join(traceback.format_exception(refused.value))
    assert not [part for part in ("SECRET", "PW", "SEC#") if part in told]


def test_a_broker_that_answers_is_proved(rabbitmq_url: str, redis_url: str) -> None:
    for url in (rabbitmq_url, redis_url, "memory://"):
        prove(url)


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_a_broker_that_is_silent_is_told_by_us_alone(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable, match="ne répond pas"):
        prove(f"{scheme}://u:SECRET@127.0.0.1:1/0")
    assert not [record for record in caplog.records if record.name.startswith("pika")]


def test_an_account_or_a_host_that_the_broker_does_not_know_is_told(rabbitmq_url: str, redis_url: str) -> None:
    scheme, _, server = redis_url.partition("://")
    wrong = [
        f"{scheme}://nobody:SECRET@{server.rpartition('@')[2]}",
        f"amqp://nobody:SECRET@{rabbitmq_url.rpartition('@')[2]}",
        f"{rabbitmq_url.rpartition('/')[0] if rabbitmq_url.count('/') > 2 else rabbitmq_url}/nowhere",
    ]
    for url in wrong:
        with pytest.raises(Misconfigured, match="refuse ce compte") as told:
            prove(url)
        assert "SECRET" not in str(told.value)


def test_a_worker_takes_many_messages_at_once_from_redis_alone(redis_url: str) -> None:
    taken = {url.partition(":")[0]: worker_of(open_broker(url), threads=2).queue_prefetch for url in (redis_url, "memory://")}
    assert taken == {"redis": 100, "memory": 4}
