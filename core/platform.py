"""The parts that every process of the platform holds: settings, database, objects, secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from core.blobs import ObjectStore
from core.database import Database
from core.errors import Unavailable
from core.locked_objects import LockedObjects
from core.places import FurtherPlace, further_places
from core.secrets import SecretBox
from core.settings import Settings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Platform:
    """What a stage or a page works with; one for the life of a process.

    Attributes:
        objects: the store of documents, and the principal place of the archive.
        further: the other places of the archive.
    """

    settings: Settings
    database: Database
    objects: ObjectStore
    secrets: SecretBox
    further: tuple[FurtherPlace, ...] = ()

    def prepare_stores(self) -> None:
        """Make the buckets that are missing, in every place, and have them lock; a further place that is down is left for later.

        Raises:
            Misconfigured: a bucket cannot lock, or we may not have it lock.
            Unavailable: the principal place does not answer.
        """
        self.objects.prepare()
        self._in_further_places(LockedObjects.prepare)

    def prove_locks(self) -> None:
        """Try in every place to delete what is locked; a further place that is down is left for later.

        Raises:
            Misconfigured: a place lets it go, and must not be given archives.
            Unavailable: the principal place does not answer.
        """
        self.objects.prove_lock()
        self._in_further_places(LockedObjects.prove_lock)

    def _in_further_places(self, act: Callable[[LockedObjects], None]) -> None:
        for place in self.further:
            try:
                act(place.store)
            except Unavailable as error:  # nothing is sealed meanwhile; all else goes on
                _log.warning("place.silent", place=place.name, reason=str(error))


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
        lock_days=settings.archive_lock_days,
    )
    # Only the embedded platform makes its own key: elsewhere a missing file must be said, not replaced.
    embedded = settings.state_dir / "secret.key"
    box = SecretBox.from_file(settings.secret_key_file) if settings.secret_key_file else SecretBox.created_at(embedded)
    return Platform(settings, Database(settings.database), store, box, further_places(settings))
