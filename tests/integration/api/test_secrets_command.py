"""The key of the secrets is changed by the operator: a command, and what ``doctor`` says before and after."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel, SecretStr
from typer.testing import CliRunner

from api.cli import doctor, rotation
from api.cli.finding import Finding
from api.cli.main import app
from core.configuration import configure
from core.organisations import OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.rotation import columns
from core.secrets import SecretBox
from tests.conftest import on_one_shape

OLD, NEW = Fernet.generate_key(), Fernet.generate_key()


class Gateway(BaseModel):
    """What is configured."""

    password: SecretStr


def seen(platform: Platform, monkeypatch: pytest.MonkeyPatch, *keys: bytes) -> Finding:
    monkeypatch.setattr(doctor, "operators_platform", lambda: replace(platform, secrets=SecretBox([*keys])))
    return next(line for line in doctor._findings() if line.part == "Clé des secrets")


@on_one_shape
def test_the_operator_puts_the_secrets_under_a_new_key_and_doctor_says_how_far_it_is(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*keys: bytes, status: int = 0) -> dict[str, object]:
        monkeypatch.setattr(rotation, "opened_platform", lambda: replace(platform, secrets=SecretBox([*keys])))
        done = CliRunner().invoke(app, ["secrets", "reencrypt", "--json"])
        assert done.exit_code == status, done.output
        told: dict[str, object] = json.loads(done.output)
        return told

    with platform.database.writing(PLATFORM) as session:
        owner = add_organisation(session, "Plateforme", OrganisationKind.PLATFORM).id
        session.flush()
        configure(session, SecretBox([OLD]), owner, "gateway", Gateway(password=SecretStr("secret")))
    assert seen(platform, monkeypatch, OLD) == Finding("Clé des secrets", True, "1 secret, sous la première clé", "")
    waiting = seen(platform, monkeypatch, NEW, OLD)
    assert (waiting.well, "configuration 1" in waiting.seen, "secrets reencrypt" in waiting.mend) == (False, True, True)
    lost = seen(platform, monkeypatch, NEW)
    assert (lost.well, f"configuration/{owner}/gateway" in lost.seen) == (False, True)
    assert run(NEW, status=1)["lost"] == 1
    assert run(NEW, OLD) == {"encrypted_anew": 1, "current": 1, "earlier": 0, "lost": 0, "named": []}
    done = seen(platform, monkeypatch, NEW, OLD)
    assert (done.well, "retirez-les" in done.mend) == (True, True)
    assert seen(platform, monkeypatch, NEW).mend == ""


def test_every_table_that_holds_secrets_is_known_to_the_command() -> None:
    """What ``SecretBox.encrypt`` gave is kept in these columns, and nowhere else."""
    known = {f"{one.table.name}.{one.name}" for one in columns()}
    assert known == {"configuration.encrypted", "second_factor.encrypted", "mail_notice.message", "folder_signing.ticket"}
