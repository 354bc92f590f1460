"""What an operator sets from outside: environment variables ``TABELLION_*``, secrets from files when they are told so.

``TABELLION_X_FILE`` names a file that holds the value of the secret ``TABELLION_X``. What an organisation configures lives in
the database (core/configuration.py), not here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import Misconfigured

PREFIX = "TABELLION_"


class Settings(BaseSettings):
    """Every setting, with its meaning, its unit and its default; ``tabellion doctor --settings`` lists them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    state_dir: Path = Field(Path("var"), description="Dossier des données de la plateforme embarquée et des simulateurs.")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="Base de données : sqlite:///chemin ou postgresql://… ; vide : SQLite dans le dossier de données.",
    )
    broker_url: SecretStr = Field(SecretStr("memory://"), description="Courtier de messages : memory://, redis://… ou amqp://…")
    s3_endpoint: str = Field("", description="Adresse du serveur S3 (http[s]://hôte:port) ; vide : serveur embarqué.")
    s3_access_key: str = Field("", description="Identifiant d’accès S3.")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="Secret d’accès S3.")
    s3_bucket_prefix: str = Field("tabellion", description="Préfixe du nom des compartiments S3.")
    tsa_url: str = Field("", description="Autorités d’horodatage RFC 3161, par ordre de préférence, séparées par des virgules.")
    trust_dir: Path | None = Field(None, description="Dossier des autorités de certification reconnues (PEM ou DER) et des LCR.")
    schemas_dir: Path | None = Field(None, description="Dossier des jeux de schémas officiels importés.")
    secret_key_file: Path | None = Field(
        None, description="Fichier des clés qui chiffrent les secrets en base (une par ligne, la première chiffre)."
    )
    http_host: str = Field("127.0.0.1", description="Adresse d’écoute du service web.")
    http_port: int = Field(8000, ge=0, le=65535, description="Port d’écoute du service web.")
    public_url: str = Field("", description="Adresse publique du service web ; vide : celle d’écoute.")
    upload_limit: int = Field(128 * 1024 * 1024, gt=0, description="Taille maximale d’un document déposé, en octets.")
    worker_threads: int = Field(4, ge=1, le=64, description="Fils d’exécution par processus ouvrier.")
    lease_seconds: float = Field(
        60.0, gt=0, description="Durée d’un bail sur un dossier, en secondes ; il est renouvelé au tiers."
    )
    redelivery_seconds: float = Field(
        60.0, gt=0, description="Délai après lequel une annonce restée sans suite est émise de nouveau, en secondes."
    )
    window: int = Field(
        100,
        ge=1,
        description="Annonces en cours au plus par file : au-delà, le reste attend en base, à tour de rôle entre organisations.",
    )
    poll_seconds: float = Field(
        240.0,
        gt=0,
        description="Intervalle entre deux relèves d’une passerelle, en secondes (240 au moins en production).",
    )
    tree_head_seconds: float = Field(60.0, gt=0, description="Intervalle des têtes horodatées du journal, en secondes.")
    journal_name: str = Field(
        "tabellion", min_length=1, max_length=100, description="Nom du journal dans les preuves, propre à cette plateforme."
    )
    archive_lock_days: int = Field(3653, ge=1, description="Durée du verrou des archives dans le stockage, en jours.")
    archive_lock_mode: str = Field(
        "COMPLIANCE", pattern="^(COMPLIANCE|GOVERNANCE)$", description="Mode du verrou S3 : COMPLIANCE ou GOVERNANCE."
    )

    @property
    def database(self) -> str:
        """The database's address, with the embedded default applied."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.state_dir / 'tabellion.sqlite3'}"

    @property
    def tsa_urls(self) -> tuple[str, ...]:
        """The timestamping authorities, by preference."""
        return tuple(url.strip() for url in self.tsa_url.split(",") if url.strip())


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment, secrets from files where ``…_FILE`` says so.

    Raises:
        Misconfigured: a value does not fit, or a file that is named cannot be read.
    """
    try:
        return Settings(**(_from_files() | overrides))
    except ValidationError as error:
        lines = [f"{PREFIX}{'.'.join(map(str, fault['loc'])).upper()} : {fault['msg']}" for fault in error.errors()]
        raise Misconfigured("Réglages refusés : " + " ; ".join(lines)) from error


def _from_files() -> dict[str, str]:
    values = {}
    for name, field in Settings.model_fields.items():
        source = os.environ.get(f"{PREFIX}{name.upper()}_FILE")
        if field.annotation is SecretStr and source:
            try:
                values[name] = Path(source).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise Misconfigured(f"{PREFIX}{name.upper()}_FILE : {source} ne peut pas être lu ({error.strerror}).") from error
    return values
