"""What ``tabellion doctor`` says of the parts around the platform, and the probe of the same for a supervisor."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import SecretStr
from sqlmodel import col, update

from api import operation
from api.cli import doctor
from api.cli.finding import Finding
from api.runtime import plan_schedules
from core import clock, sandbox
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Schedule
from signing import pki
from tests.conftest import on_one_shape


def found(monkeypatch: pytest.MonkeyPatch, platform: Platform, part: str, **settings: object) -> list[Finding]:
    changed = replace(platform, settings=platform.settings.model_copy(update=settings))
    monkeypatch.setattr(doctor, "operators_platform", lambda: changed)
    return [line for line in doctor._findings() if line.part == part]


@on_one_shape
def test_a_broker_that_knows_us_not_is_ill_there_and_in_the_probe(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for url, well in {"amqp://u:SECRET@127.0.0.1:1/v": False, "memory://": True}.items():
        (line,) = found(monkeypatch, platform, "Courtier", broker_url=SecretStr(url))
        assert (line.well, "SECRET" in line.seen) == (well, False)
        changed = replace(platform, settings=platform.settings.model_copy(update={"broker_url": SecretStr(url)}))
        asked: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(platform=changed)))
        answer = json.loads(bytes(operation.ready(asked).body))
        assert (answer["status"], answer["parts"]["broker"]["answers"]) == ("ready", well)


def test_the_probe_asks_the_broker_as_its_user(rabbitmq_url: str) -> None:
    wrong = SecretStr(f"amqp://nobody:SECRET@{rabbitmq_url.rpartition('@')[2]}")
    platform: Any = SimpleNamespace(settings=SimpleNamespace(broker_url=wrong))
    assert operation._trouble(lambda: operation._ask_broker(platform)) == "Misconfigured"


@on_one_shape
def test_a_confinement_that_the_kernel_refuses_is_named(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_told", {"network"})
    (line,) = found(monkeypatch, platform, "Bac à sable")
    assert not line.well
    assert "réseau" in line.seen and "fichiers" not in line.seen and "RestrictNamespaces" in line.mend
    monkeypatch.setattr(sandbox, "_told", set())
    (line,) = found(monkeypatch, platform, "Bac à sable")
    assert line.well == (not sandbox._told)


@on_one_shape
def test_every_file_of_the_trust_folder_is_watched_and_none_stops_the_doctor(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "trust"
    folder.mkdir()
    authority, ending = pki.TestAuthority.create("Racine"), pki.TestAuthority.create("Finissante")
    (folder / "liste.pem").write_bytes(authority.revocations({}).public_bytes(Encoding.PEM))
    (folder / "racine.crt").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (folder / "finissante.der").write_bytes(ending.certificate.public_bytes(Encoding.DER))
    lines = found(monkeypatch, platform, "Autorités reconnues", trust_dir=folder)
    assert [line.well for line in lines] == [True, True]
    assert "Finissante" in lines[0].seen and "Racine" in lines[1].seen
    monkeypatch.setattr(doctor, "_SOON", timedelta(days=100_000))
    assert not any(line.well for line in found(monkeypatch, platform, "Autorités reconnues", trust_dir=folder))
    (folder / "abîmé.cer").write_bytes(b"rien")
    (line,) = found(monkeypatch, platform, "Autorités reconnues", trust_dir=folder)
    assert (line.well, "abîmé.cer" in line.seen) == (False, True)


@on_one_shape
def test_a_queue_on_which_nothing_moves_is_named(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_schedules(platform)
    (line,) = found(monkeypatch, platform, "Files")
    assert line.well
    with platform.database.writing(PLATFORM) as session:
        late = clock.now() - timedelta(hours=1)
        session.connection().execute(update(Schedule).where(col(Schedule.queue).in_(["archive", "cpu"])).values(due=late))
        taken = update(Schedule).where(col(Schedule.actor) == "actes.wake")
        session.connection().execute(taken.values(leased_until=clock.now() + timedelta(hours=1)))
    (line,) = found(monkeypatch, platform, "Files")
    assert (line.well, line.seen) == (False, "rien n’avance depuis 15 minutes sur archive")


@on_one_shape
@pytest.mark.parametrize(
    ("settings", "well"),
    [
        ({"public_url": "https://tabellion.test"}, True),
        ({}, True),
        ({"smtp_url": SecretStr("smtp://smtp.test")}, False),
        ({"http_host": "0.0.0.0"}, False),
    ],
    ids=["set", "alone", "mails", "reached"],
)
def test_links_that_lead_nowhere_or_where_a_request_says_are_told(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], well: bool
) -> None:
    (line,) = found(monkeypatch, platform, "Adresse publique", **settings)
    assert (line.well, "TABELLION_PUBLIC_URL" in line.mend) == (well, "public_url" not in settings)
