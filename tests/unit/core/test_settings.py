"""Settings: from the environment, secrets from files, and every one of them explained."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from core.errors import Misconfigured
from core.messages import Catalogue, speaking
from core.settings import Settings, load_settings, meaning, variable


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the shell that runs the tests."""
    for name in [name for name in os.environ if name.startswith("TABELLION_")]:
        monkeypatch.delenv(name)


def test_without_any_variable_the_platform_is_embedded_in_a_folder() -> None:
    settings = load_settings()
    assert settings.database == f"sqlite:///{Path('var') / 'tabellion.sqlite3'}"
    assert settings.broker_url.get_secret_value() == "memory://"
    assert (settings.s3_endpoint, settings.tsa_urls, settings.trust_dir) == ("", (), None)
    assert settings.archive_lock_mode == "COMPLIANCE"


def test_a_setting_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABELLION_HTTP_PORT", "9000")
    monkeypatch.setenv("TABELLION_DATABASE_URL", "postgresql://db.example/tabellion")
    monkeypatch.setenv("TABELLION_TSA_URL", "https://one.example, https://two.example,")
    monkeypatch.setenv("TABELLION_TRUST_DIR", "/etc/tabellion/trust")
    settings = load_settings()
    assert settings.http_port == 9000
    assert settings.database == "postgresql://db.example/tabellion"
    assert settings.tsa_urls == ("https://one.example", "https://two.example")
    assert settings.trust_dir == Path("/etc/tabellion/trust")


@pytest.mark.parametrize("name", ["database_url", "broker_url", "s3_secret_key"])
def test_a_secret_can_come_from_a_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("postgresql://user:mot-de-passe@db.example/tabellion\n", encoding="utf-8")
    monkeypatch.setenv(variable(name), "overridden")
    monkeypatch.setenv(f"{variable(name)}_FILE", str(file))
    assert getattr(load_settings(), name).get_secret_value() == "postgresql://user:mot-de-passe@db.example/tabellion"


def test_a_file_of_a_secret_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TABELLION_S3_SECRET_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(Misconfigured, match=r"TABELLION_S3_SECRET_KEY_FILE.*absent"):
        load_settings()


def test_the_key_file_is_a_path_and_not_a_secret_read_from_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TABELLION_SECRET_KEY_FILE", str(tmp_path / "absent"))
    assert load_settings().secret_key_file == tmp_path / "absent"


def test_secrets_are_not_shown_when_settings_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABELLION_DATABASE_URL", "postgresql://u:mot-de-passe@h/d")
    monkeypatch.setenv("TABELLION_BROKER_URL", "amqp://u:mot-de-passe@h")
    monkeypatch.setenv("TABELLION_S3_SECRET_KEY", "mot-de-passe")
    assert "mot-de-passe" not in f"{load_settings()!r}{load_settings()}{load_settings().model_dump()}"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("http_port", "abc"),
        ("http_port", "65536"),
        ("http_port", "-1"),
        ("worker_threads", "0"),
        ("worker_threads", "65"),
        ("lease_seconds", "0"),
        ("window", "0"),
        ("upload_limit", "0"),
        ("upload_limit", "150 Mio"),
        ("journal_name", ""),
        ("journal_name", "x" * 101),
        ("archive_lock_days", "0"),
        ("archive_lock_mode", "compliance"),
        ("archive_lock_mode", "NONE"),
    ],
)
def test_a_value_that_does_not_fit_is_said_with_what_is_expected(name: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(name), wrong)
    with pytest.raises(Misconfigured) as refused:
        load_settings()
    assert variable(name) in str(refused.value)
    assert meaning(name) in str(refused.value)
    assert wrong in str(refused.value)


def test_every_value_that_does_not_fit_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABELLION_HTTP_PORT", "abc")
    monkeypatch.setenv("TABELLION_WINDOW", "none")
    with pytest.raises(Misconfigured, match=r"TABELLION_HTTP_PORT.*TABELLION_WINDOW"):
        load_settings()


def test_every_setting_has_a_meaning_in_both_languages_and_no_meaning_is_left_over() -> None:
    explained = {key.removeprefix("settings.") for key in Catalogue("core").texts("fr") if key.startswith("settings.")}
    assert explained == set(Settings.model_fields)
    for name in Settings.model_fields:
        with speaking("en"):
            english = meaning(name)
        assert english != meaning(name)


def test_an_empty_path_is_its_default_and_never_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [name for name, value in Settings.model_fields.items() if "Path" in str(value.annotation)]
    assert len(paths) > 10
    for name in paths:
        monkeypatch.setenv(variable(name), "")
    settings = load_settings()
    assert {name: getattr(settings, name) for name in paths} == {name: Settings.model_fields[name].default for name in paths}


def test_a_file_of_a_secret_that_is_no_text_is_named_without_what_is_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"mot-de-pass\xe9")
    monkeypatch.setenv("TABELLION_BROKER_URL_FILE", str(tmp_path / "secret"))
    with pytest.raises(Misconfigured, match=r"TABELLION_BROKER_URL_FILE.*UTF-8") as refused:
        load_settings()
    assert refused.value.__cause__ is None and "mot-de-pass" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("TABELLION_DATABASE_URL_FIEL", "TABELLION_DATABASE_URL_FILE"),
        ("TABELLION_S3_ACCESS_KEY_FILE", "TABELLION_S3_"),  # it is no secret: a file of it is read by nobody
        ("TABELLION_TSAURL", "TABELLION_TSA_URL"),
        ("TABELLION_ZZZZ", ""),
    ],
)
def test_a_variable_that_is_no_setting_is_refused_with_the_nearest(name: str, near: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(Misconfigured, match=rf"{name} n’est pas un réglage.*{near}"):
        load_settings()


def test_variables_for_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TABELLION_LANG", "TABELLION_URL", "TABELLION_TEST_POSTGRES"):
        monkeypatch.setenv(name, "x")
    beside = {"SERVICE_HOST": "10.0.0.3", "SERVICE_PORT": "80", "SERVICE_PORT_HTTP": "80", "PORT": "tcp://10.0.0.3:80"}
    for name, value in {**beside, "PORT_80_TCP": "tcp://10.0.0.3:80", "PORT_80_TCP_ADDR": "10.0.0.3"}.items():
        monkeypatch.setenv(f"TABELLION_{name}", value)
    load_settings()


def test_networks_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABELLION_PRIVATE_NETWORKS", "10.1.0.0/16, fd00::/8,")
    settings = load_settings()
    assert settings.permitted_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    monkeypatch.setenv("TABELLION_PRIVATE_NETWORKS", "10.1.0.1/16")
    with pytest.raises(Misconfigured, match="TABELLION_PRIVATE_NETWORKS"):
        load_settings()
