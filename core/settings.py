"""What an operator sets from outside: environment variables ``TABELLION_*``, secrets from files when they are told so.

``TABELLION_X_FILE`` names a file that holds the value of the secret ``TABELLION_X``. What an organisation configures lives in
the database (core/configuration.py), not here.
"""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.addresses import Networks
from core.errors import Misconfigured
from core.messages import Catalogue

PREFIX = "TABELLION_"
_NOT_SETTINGS = ("TABELLION_LANG", "TABELLION_URL", "TABELLION_TEST_")
"""Variables, or what they begin with, that are for others: the language of the commands, the examples, the tests."""
_OF_A_NEIGHBOUR = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP)(_\w+)?$")
"""Those that an orchestrator of containers sets beside a service called tabellion, whose address stands in another."""
_messages = Catalogue("core")


class Settings(BaseSettings):
    """Every setting with its default; what each is for, and its unit, is in the catalogue (``meaning``)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    state_dir: Path = Path("var")
    database_url: SecretStr = SecretStr("")
    broker_url: SecretStr = SecretStr("memory://")
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key: SecretStr = SecretStr("")
    s3_bucket_prefix: str = "tabellion"
    tsa_url: str = ""
    trust_dir: Path | None = None
    schemas_dir: Path | None = None
    formats_dir: Path | None = None
    secret_key_file: Path | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(8000, ge=0, le=65535)
    public_url: str = ""
    smtp_url: SecretStr = SecretStr("")
    mail_from: str = Field("", pattern=r"^([^\s@<>]+@[^\s@<>]+)?$")
    mail_returns: SecretStr = SecretStr("")
    mail_returns_authority: Path | None = None
    mail_return_address: str = Field("", pattern=r"^([^\s@<>+]+@[^\s@<>]+)?$")
    dkim_domain: str = Field("", pattern=r"^([a-z0-9-]+(\.[a-z0-9-]+)+)?$")
    dkim_selector: str = Field("", pattern=r"^([a-z0-9-]+)?$")
    dkim_key_file: Path | None = None
    recipients_url: str = ""
    antivirus: str = ""
    pdfa_checker: Path | None = None
    handover_dir: Path | None = None
    private_networks: str = ""
    mail_limit: int = Field(20 * 1024 * 1024, gt=0)
    upload_limit: int = Field(150 * 1024 * 1024, gt=0)
    transfer_limit: int = Field(2 << 30, gt=0, le=3 << 30)
    worker_threads: int = Field(8, ge=1, le=64)
    lease_seconds: float = Field(60.0, gt=0)
    redelivery_seconds: float = Field(60.0, gt=0)
    window: int = Field(100, ge=1)
    poll_seconds: float = Field(240.0, gt=0)
    tree_head_seconds: float = Field(60.0, gt=0)
    journal_name: str = Field("tabellion", min_length=1, max_length=100)
    archive_lock_days: int = Field(366, ge=1)
    archive_lock_mode: str = Field("COMPLIANCE", pattern="^(COMPLIANCE|GOVERNANCE)$")
    archive_audit_days: int = Field(365, ge=1)
    archive_places_file: Path | None = None
    heads_dir: Path | None = None
    heads_mail: str = Field("", pattern=r"^([^\s@<>]+@[^\s@<>]+)?$")
    renewal_days: int = Field(180, ge=31)
    acts_grace_days: int = Field(7, ge=0, le=60)
    acts_silence_days: int = Field(3, ge=1, le=60)

    @model_validator(mode="before")
    @classmethod
    def _leave_empty_paths_out(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Have the default of a path that is empty, which would be the working directory."""
        paths = {name for name, field in cls.model_fields.items() if field.annotation in (Path, Path | None)}
        return {name: value for name, value in values.items() if name not in paths or value != ""}

    @field_validator("private_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @property
    def permitted_networks(self) -> Networks:
        """Networks that organisations may have called although they are not public."""
        return _networks(self.private_networks)

    @property
    def database(self) -> str:
        """The database's address, with the embedded default applied."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.state_dir / 'tabellion.sqlite3'}"

    @property
    def tsa_urls(self) -> tuple[str, ...]:
        """The timestamping authorities, by preference."""
        return tuple(url.strip() for url in self.tsa_url.split(",") if url.strip())


def _networks(text: str) -> Networks:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment, secrets from files where ``…_FILE`` says so.

    Raises:
        Misconfigured: a value does not fit, a file that is named cannot be read, or there is no such setting.
    """
    _refuse_unknown()
    try:
        return Settings(**(_from_files() | overrides))
    except ValidationError as error:
        # Any text makes a secret, so that none is among the values shown here.
        faults = [(str(fault["loc"][0]), fault["input"]) for fault in error.errors()]
        refused = (
            _messages("setting.refused", variable=variable(name), found=found, meaning=meaning(name)) for name, found in faults
        )
        raise Misconfigured(" ".join(refused)) from error


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def meaning(name: str) -> str:
    """Return what a setting is for, with its unit and its bounds, in the locale in force."""
    return _messages(f"settings.{name}")


def _refuse_unknown() -> None:
    """Refuse a variable that nothing reads: a slip in its name would leave a default in force, without a word."""
    known = [variable(name) for name in Settings.model_fields]
    known += [f"{variable(name)}_FILE" for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not _is_of_others(name):
            near = get_close_matches(name, known, n=1)
            told = "setting.unknown_near" if near else "setting.unknown"
            raise Misconfigured(_messages(told, variable=name, near="".join(near)))


def _is_of_others(name: str) -> bool:
    address = os.environ[name].startswith(("tcp://", "udp://"))
    return name.startswith(_NOT_SETTINGS) or address or _OF_A_NEIGHBOUR.search(name) is not None


def _from_files() -> dict[str, str]:
    values = {}
    for name, field in Settings.model_fields.items():
        told = f"{variable(name)}_FILE"
        source = os.environ.get(told)
        if field.annotation is SecretStr and source:
            try:
                values[name] = Path(source).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise Misconfigured(_messages("setting.file", variable=told, file=source, reason=error.strerror)) from error
            except UnicodeDecodeError:  # whose words show the secret
                raise Misconfigured(_messages("setting.file", variable=told, file=source, reason="UTF-8")) from None
    return values
