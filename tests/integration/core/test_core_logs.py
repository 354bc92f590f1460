"""What a failure of the database leaves in the technical log: where it happened, and nothing of what the rows hold."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from core.database import Database
from core.people import add_person
from core.principal import PLATFORM

_PROGRAM = """
import sys, structlog
from sqlalchemy.exc import IntegrityError
from core import logs
from core.database import Database
from core.people import add_person
from core.principal import PLATFORM
logs.configure()
try:
    with Database(sys.argv[1]).writing(PLATFORM) as session:
        add_person(session, "jeanne.modele@exemple.test", "Jeanne Modèle", "une phrase de passe longue")
        session.flush()
except IntegrityError:
    structlog.get_logger().exception("stage.failed")
"""


@pytest.fixture
def known(database: Database) -> Database:
    """A database in which the person is already."""
    with database.writing(PLATFORM) as session:
        add_person(session, "jeanne.modele@exemple.test", "Jeanne Modèle", "une phrase de passe longue")
    return database


def test_a_failed_statement_is_logged_without_its_values(known: Database) -> None:
    address = known.url.render_as_string(hide_password=False)
    ended = subprocess.run([sys.executable, "-c", _PROGRAM, address], capture_output=True, text=True, check=True)
    (line,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (line["event"], line["level"]) == ("stage.failed", "error")
    assert "IntegrityError" in line["exception"]
    for personal in ("jeanne", "Jeanne", "argon2"):
        assert personal not in ended.stderr
