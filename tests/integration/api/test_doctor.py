"""What ``tabellion doctor`` says of the parts around the platform, and the probe of the same for a supervisor."""

from __future__ import annotations

import base64
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
from api.cli import doctor, doctor_keys
from api.cli.finding import Finding
from api.metrics import WorkCollector
from api.runtime import plan_schedules
from connectors.actes.settings import ActesOperator
from core import clock, sandbox
from core.configuration import configure
from core.identifiers import Siren
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.settings import OPERATOR
from flows.engine.models import Schedule, Step
from flows.helios import settings as helios
from signing import pki
from tests.conftest import on_one_shape
from tests.integration.api.service import add_dossier


@pytest.fixture
def town(platform: Platform) -> Organisation:
    """A commune of the platform."""
    with platform.database.writing(PLATFORM) as session:
        return add_organisation(session, "Valmorin", OrganisationKind.COLLECTIVITE, siren=Siren("219900016"))


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
    monkeypatch.setattr(doctor, "SOON", timedelta(days=100_000))
    assert not any(line.well for line in found(monkeypatch, platform, "Autorités reconnues", trust_dir=folder))
    past = pki.TestAuthority.create("Passée", at=clock.now() - timedelta(days=50 * 365))
    (folder / "passée.crt").write_bytes(past.certificate.public_bytes(Encoding.PEM))
    lines = found(monkeypatch, platform, "Autorités reconnues", trust_dir=folder)
    assert [(line.well, line.mend) for line in lines if "échu depuis" in line.seen] == [(True, "")]
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
def test_a_schedule_that_fails_and_steps_that_are_tried_again_are_told_and_measured(
    platform: Platform, town: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_schedules(platform)
    dossier = add_dossier(platform, town, "PES", "signed")
    with platform.database.writing(PLATFORM) as session:
        session.add(Step(dossier_id=dossier, organisation_id=town.id, stage="helios.transmit", queue="remote.helios"))
    assert [line.well for part in ("Tâches régulières", "Étapes") for line in found(monkeypatch, platform, part)] == [True, True]
    with platform.database.writing(PLATFORM) as session:
        troubled = update(Schedule).where(col(Schedule.name) == "actes.wake")
        session.connection().execute(troubled.values(trouble="La passerelle refuse le compte."))
        later = clock.now() + timedelta(hours=1)
        session.connection().execute(update(Step).values(failures=3, due=later, trouble="La passerelle refuse le compte."))
    (line,) = found(monkeypatch, platform, "Tâches régulières")
    assert (line.well, "actes.wake: La passerelle refuse le compte." in line.seen) == (False, True)
    (line,) = found(monkeypatch, platform, "Étapes")
    assert (line.well, "remote.helios (1)" in line.seen) == (False, True)
    values = {
        (family.name, *sample.labels.values()): sample.value
        for family in WorkCollector(platform.database).collect()
        for sample in family.samples
    }
    assert values["tabellion_steps_failing", "remote.helios"] == 1
    assert values["tabellion_schedules_troubled", "actes.wake"] == 1


@on_one_shape
def test_the_certificates_of_configured_keys_are_watched(
    platform: Platform, town: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = pki.TestAuthority.create("Essai")
    pkcs12 = base64.b64encode(authority.seal("Commune", bits=2048).as_pkcs12("s")).decode()
    seal = helios.HeliosSeal(pkcs12=SecretStr(pkcs12), password=SecretStr("s"), city="Valmorin", postal_code="21400")
    with platform.database.writing(PLATFORM) as session:
        configure(session, platform.secrets, town.id, helios.SEAL, seal)
    (line,) = found(monkeypatch, platform, "Clés configurées")
    assert (line.well, town.name in line.seen) == (True, True)
    monkeypatch.setattr(doctor_keys, "SOON", timedelta(days=100_000))
    (line,) = found(monkeypatch, platform, "Clés configurées")
    assert (line.well, line.mend != "") == (False, True)
    monkeypatch.setattr(clock, "now", lambda now=clock.now: now() + timedelta(days=100 * 365))
    helios._opened.cache_clear()
    (line,) = found(monkeypatch, platform, "Clés configurées")
    assert (line.well, "a expiré le" in line.seen) == (False, True)


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


@on_one_shape
def test_a_mailbox_of_the_ministry_that_believes_anybody_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, platform, "Courriels du ministère") == []
    box: dict[str, Any] = {"host": "imap.test", "user": "actes@valmorin.test", "password": "x"}
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme", OrganisationKind.PLATFORM).id
    for more, seen, mend in (
        ({}, "croit quiconque", "senders"),
        ({"senders": ["interieur.test"]}, "croit interieur.test", "authenticated_by"),
        ({"senders": ["interieur.test"], "authenticated_by": "mx.test"}, "croit interieur.test", ""),
    ):
        operator = {
            "trigramme": "ABC",
            "endpoint": {"url": "https://actes.test"},
            "mailbox": box | more,
            "return_address": "actes@valmorin.test",
        }
        with platform.database.writing(PLATFORM) as session:
            configure(session, platform.secrets, root, OPERATOR, ActesOperator.model_validate(operator))
        (line,) = found(monkeypatch, platform, "Courriels du ministère")
        assert (line.well, seen in line.seen, mend in line.mend, bool(line.mend)) == (True, True, True, bool(mend))
