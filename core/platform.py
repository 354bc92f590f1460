"""The parts that every process of the platform holds: settings, database, objects, secrets."""

from __future__ import annotations

from dataclasses import dataclass

from core.blobs import ObjectStore
from core.database import Database
from core.secrets import SecretBox
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Platform:
    """What a stage or a page works with; one for the life of a process.

    Attributes:
        objects: the store of documents, and the principal place of the archive.
        further: the other places of the archive, by name.
    """

    settings: Settings
    database: Database
    objects: ObjectStore
    secrets: SecretBox
    further: tuple[tuple[str, ObjectStore], ...] = ()


def open_platform(settings: Settings, objects: ObjectStore | None = None) -> Platform:
    """Open the parts that the settings name; ``objects`` is given where an embedded server was started.

    Raises:
        Misconfigured: a part cannot be opened as configured.
    """
    store = objects or ObjectStore(
        settings.s3_endpoint,
        settings.s3_access_key,
        settings.s3_secret_key.get_secret_value(),
        settings.s3_bucket_prefix,
        lock_mode=settings.archive_lock_mode,
    )
    # Only the embedded platform makes its own key: elsewhere a missing file must be said, not replaced.
    embedded = settings.state_dir / "secret.key"
    box = SecretBox.from_file(settings.secret_key_file) if settings.secret_key_file else SecretBox.created_at(embedded)
    return Platform(settings, Database(settings.database), store, box)
