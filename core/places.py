"""The further places of the archive: S3 servers apart from the principal one, each of which holds every record too.

They are listed in the file that ``TABELLION_ARCHIVE_PLACES_FILE`` names, a JSON list. What lives here is how the list is read;
what is kept in the places, and how, is the archive's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.errors import Misconfigured
from core.locked_objects import LockedObjects
from core.messages import Catalogue
from core.settings import Settings, variable

PRINCIPAL = "principal"
"""The name of the place where everything else is kept too."""
_messages = Catalogue("core")


class PlaceSettings(BaseModel):
    """A place as the file describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", description="By which its copies are known; never changed."
    )
    endpoint: str = Field(description="http://host:port or https://host:port.")
    access_key: str = Field(min_length=1)
    secret_key_file: Path = Field(description="Of the file that holds the secret, on a line of its own.")
    bucket_prefix: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,50}$", description="``<prefix>-archive`` is the bucket.")
    audit_days: int = Field(365, ge=1, description="Within which every object is read back once.")


@dataclass(frozen=True, slots=True)
class FurtherPlace:
    """A place beside the principal one.

    Attributes:
        name: which copies are known by.
        audit_days: within how many days every object is read back once.
    """

    name: str
    store: LockedObjects
    audit_days: int = 365


_PLACES = TypeAdapter(Annotated[list[PlaceSettings], Field(max_length=8)])


def further_places(settings: Settings) -> tuple[FurtherPlace, ...]:
    """Read the further places, in the order of the file; none when no file is named.

    Raises:
        Misconfigured: the file, or that of a secret, cannot be read, or does not say what it should.
    """
    path = settings.archive_places_file
    if path is None:
        return ()
    told = variable("archive_places_file")
    try:
        described = _PLACES.validate_json(path.read_bytes())
    except OSError as error:
        raise Misconfigured(_messages("setting.file", variable=told, file=path, reason=error.strerror)) from error
    except ValidationError as error:
        # The values are not shown: somebody may have written the secret itself.
        where = ", ".join(".".join(str(part) for part in fault["loc"]) or "JSON" for fault in error.errors()[:10])
        raise Misconfigured(_messages("places.refused", variable=told, file=path, where=where)) from error
    names = [PRINCIPAL, *(place.name for place in described)]
    addresses = [(settings.s3_endpoint, settings.s3_bucket_prefix), *((one.endpoint, one.bucket_prefix) for one in described)]
    if len(set(names)) < len(names) or len(set(addresses)) < len(addresses):
        raise Misconfigured(_messages("places.twice", variable=told, file=path))
    return tuple(_opened(place, settings) for place in described)


def _opened(place: PlaceSettings, settings: Settings) -> FurtherPlace:
    try:
        secret = place.secret_key_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        named = f"{variable('archive_places_file')} ({place.name}.secret_key_file)"
        raise Misconfigured(
            _messages("setting.file", variable=named, file=place.secret_key_file, reason=error.strerror)
        ) from error
    store = LockedObjects(
        place.endpoint,
        place.access_key,
        secret,
        place.bucket_prefix,
        lock_mode=settings.archive_lock_mode,
        lock_days=settings.archive_lock_days,
    )
    return FurtherPlace(place.name, store, place.audit_days)
