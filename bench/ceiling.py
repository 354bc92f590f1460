"""The raw ceiling of this machine: a Dramatiq actor that does one PostgreSQL transaction (update one row, insert another)."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time

import psycopg

from bench.places import RABBITMQ, empty_postgres, until

MESSAGES = 3000
QUEUE = f"bench-{secrets.token_hex(4)}"
_CODE = """
import os, threading
import dramatiq, psycopg
from dramatiq.brokers.rabbitmq import RabbitmqBroker
broker = RabbitmqBroker(url=os.environ["BENCH_BROKER"], confirm_delivery=True); dramatiq.set_broker(broker)
local = threading.local()
@dramatiq.actor(queue_name=os.environ["BENCH_QUEUE"], max_retries=0)
def step(number):
    if not hasattr(local, "connection"):
        local.connection = psycopg.connect(os.environ["BENCH_DATABASE"])
    with local.connection.transaction():
        local.connection.execute("UPDATE item SET state = 'done' WHERE id = %s AND state = 'due'", (number,))
        local.connection.execute("INSERT INTO entry (item, at) VALUES (%s, now())", (number,))
if __name__ == "__main__":
    worker = dramatiq.Worker(broker, worker_threads=4); worker.start(); threading.Event().wait()
"""


def steps_per_second() -> float:
    """Return how many such steps a second one process with four threads does, the backlog enqueued first."""
    with empty_postgres() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE item (id int PRIMARY KEY, state text NOT NULL)")
            connection.execute("CREATE TABLE entry (id bigserial PRIMARY KEY, item int, at timestamptz)")
            connection.execute("INSERT INTO item SELECT n, 'due' FROM generate_series(1, %s) n", (MESSAGES,))
        environment = {**os.environ, "BENCH_BROKER": RABBITMQ, "BENCH_QUEUE": QUEUE, "BENCH_DATABASE": url}
        fill = f"import sys; exec({_CODE!r})\nfor n in range(1, {MESSAGES} + 1): step.send(n)"
        subprocess.run([sys.executable, "-c", fill.replace('__name__ == "__main__"', "False")], env=environment, check=True)
        worker = subprocess.Popen([sys.executable, "-c", _CODE], env=environment)
        try:
            with psycopg.connect(url, autocommit=True) as connection:

                def done() -> int:
                    return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])  # type: ignore[index]

                until(lambda: done() > 0, 30)
                first, started = done(), time.monotonic()
                until(lambda: done() >= MESSAGES, 120)
                return (MESSAGES - first) / (time.monotonic() - started)
        finally:
            worker.kill()
            worker.wait()
