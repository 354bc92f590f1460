"""``doctor`` on the archive: what waits for a person, lags, ends or is missing, and what packages are held against."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from api.cli.finding import Finding, tried
from api.words import moment
from archive.ingest import formats
from archive.places import extending
from archive.places.places import places_of
from archive.proof import marks, strays
from archive.proof.segments import last_copied
from archive.replication import copies, rounds
from archive.watch import audits, incidents
from archive.watch.models import IncidentState
from core import clock
from core.errors import Misconfigured, Unavailable
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import overtaken
from flows.notices import root_of
from schemas.seda import schema

_t = Catalogue("api.cli")
_watch = Catalogue("archive.watch")


def archive(platform: Platform) -> Iterator[Finding]:
    """Examine the archive."""
    parts = {
        "incidents": _incidents,
        "audits": _audits,
        "locks": _locks,
        "copies": _copies,
        "journal": _journal,
        "overtaken": _overtaken,
    }
    for name, look in parts.items():
        part = _t(f"doctor.{name}")
        try:
            yield look(part, platform)
        except (SQLAlchemyError, Unavailable, Misconfigured) as error:
            yield Finding(part, False, str(error).splitlines()[0][:200], _t("doctor.database.mend"))
    yield _schemas(platform.settings.schemas_dir)
    yield _formats(platform.settings.formats_dir)


def _incidents(part: str, platform: Platform) -> Finding:
    with platform.database.reading(PLATFORM) as session:
        waiting = incidents.counts(session)
    count, address = sum(waiting.values()), f"{root_of(platform.settings)}/archives/incidents"
    if count:
        free = waiting.get(IncidentState.OPEN.value, 0)
        return Finding(
            part, False, _t("doctor.incidents.open", count=count, free=free), _t("doctor.incidents.mend", address=address)
        )
    told = bool(platform.settings.smtp_url.get_secret_value())
    return Finding(part, True, _t("doctor.incidents.none"), "" if told else _t("doctor.incidents.untold"))


def _audits(part: str, platform: Platform) -> Finding:
    late = [_named(duty) for duty in audits.behind(platform)]
    if not late:
        return Finding(part, True, _t("doctor.audits.well"))
    return Finding(part, False, _t("doctor.audits.late", audits=", ".join(late)), _t("doctor.audits.mend", actor=audits.ACTOR))


def _named(duty: audits.Duty) -> str:
    name = _watch(f"audit.{duty.kind.value}")
    return f"{name} ({duty.place})" if duty.place else name


def _locks(part: str, platform: Platform) -> Finding:
    due = sorted(extending.overdue(platform).items())
    if not due:
        return Finding(part, True, _t("doctor.locks.well"))
    seen = [
        _t("doctor.locks.ending", place=place, count=count, day=f"{clock.in_paris(first):%d/%m/%Y}")
        for place, (count, first) in due
    ]
    return Finding(part, False, " ; ".join(seen), _t("doctor.locks.mend", actor=extending.ACTOR))


def _copies(part: str, platform: Platform) -> Finding:
    missing = [(place.name, count) for place in places_of(platform) if (count := copies.lacking(platform, place.name))]
    if not missing:
        return Finding(part, True, _t("doctor.copies.well"))
    seen = ", ".join(_t("doctor.copies.lacking", place=place, count=count) for place, count in missing)
    return Finding(part, False, seen, _t("doctor.copies.mend", actor=rounds.ACTOR))


def _journal(part: str, platform: Platform) -> Finding:
    with platform.database.reading(PLATFORM) as session:
        size, unfinished = last_copied(session), marks.unfinished(session)
    if unfinished:
        seen = _t("doctor.journal.unfinished", at=moment(unfinished[0].at))
        return Finding(part, False, seen, _t("doctor.journal.catch_up"))
    stray = strays.first(platform, size)
    if stray is None:
        return Finding(part, True, _t("doctor.journal.well", size=size))
    return Finding(part, False, strays.words(*stray), _t("doctor.journal.mend"))


def _overtaken(part: str, platform: Platform) -> Finding:
    with platform.database.reading(PLATFORM) as session:
        count = overtaken.standing(session)
    if not count:
        return Finding(part, True, _t("doctor.overtaken.none"))
    address = f"{root_of(platform.settings)}/dossiers?parked=1"
    return Finding(
        part, False, _t.counted("doctor.overtaken.waiting", count, count=count), _t("doctor.overtaken.mend", address=address)
    )


def _schemas(folder: Path | None) -> Finding:
    part = _t("doctor.seda")
    found = [version for version in schema.OWN_VERSIONS if schema.installed(folder, version)]
    if folder is None or not found:
        return Finding(part, True, _t("doctor.seda.own", versions=", ".join(schema.OWN_VERSIONS)), _t("doctor.seda.set"))

    def look() -> str:
        for version in found:
            schema.load(folder, version)
        return _t("doctor.seda.official", versions=", ".join(found), folder=folder)

    return tried(part, look, _t("doctor.seda.mend"))


def _formats(folder: Path | None) -> Finding:
    part = _t("doctor.formats")
    if folder is None:
        return Finding(part, True, _t("doctor.formats.own"), _t("doctor.formats.set"))
    return tried(part, partial(_signatures, folder), _t("doctor.formats.mend"))


def _signatures(folder: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as scratch:
        formats.identify(Path(scratch), (), folder)
    return _t("doctor.formats.installed", folder=folder)
