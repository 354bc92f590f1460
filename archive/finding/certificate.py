"""The certificate of conformity of a record: what was sealed, when, and what its package is found to be now; tagged PDF.

It sums up and is no proof itself: the evidence is (`archive.proof.evidence`). What is said of now was read from the store now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from babel.numbers import format_decimal

from archive.finding.files import count_of, files_of
from archive.models import Record, RecordFile
from archive.places.places import CopyState, copies_of, look, places_of
from archive.proof.proving import Standing, standing_of
from core import clock
from core.messages import Catalogue, current_locale
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.report.content import Page, Row, Section, Tone, moment_in_words, plain
from signing.report.pdf import as_pdf

_messages = Catalogue("archive.finding")
_MOST_FILES = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """The files that a certificate names, of so many that there are."""

    files: Sequence[RecordFile]
    count: int


def certificate(platform: Platform, record: Record) -> bytes:
    """Return the certificate of a record as a tagged PDF, in the current locale; every copy is read back for it.

    Raises:
        SandboxError: it could not be composed.
        Unavailable: too many wait for their turn.
    """
    at = clock.now()
    with platform.database.reading(PLATFORM) as session:
        standing = standing_of(session, record.entry_id)
        files = files_of(session, record.id, limit=_MOST_FILES)
        count = count_of(session, record.id)
        organisation = session.get_one(Organisation, record.organisation_id).name
    return as_pdf(page(record, organisation, standing, Listed(files, count), found_now(platform, record), at), at)


def found_now(platform: Platform, record: Record) -> dict[str, CopyState]:
    """Return what each place holds of a record now, every copy read back whole; of one that was destroyed nothing."""
    if record.eliminated is not None:
        return {}
    with platform.database.reading(PLATFORM) as session:
        copies = {copy.place: copy for copy in copies_of(session, record.id)}
    return {place.name: look(place, record, copies[place.name]).state for place in places_of(platform) if place.name in copies}


def page(
    record: Record, organisation: str, standing: Standing, listed: Listed, found: dict[str, CopyState], at: datetime
) -> Page:
    """Return the certificate in the words of the current locale."""
    whole = [name for name, state in found.items() if state in {CopyState.SOUND, CopyState.HIDDEN, CopyState.UNLOCKED}]
    verdict = "eliminated" if record.eliminated else "conform" if whole else "lost"
    tone = Tone.GOOD if verdict == "conform" else Tone.PLAIN if verdict == "eliminated" else Tone.BAD
    sealed = (
        Row(_messages("certificate.title"), (plain(record.title),)),
        Row(_messages("certificate.organisation"), (plain(organisation),)),
        Row(_messages("certificate.record"), (record.id,)),
        Row(_messages("certificate.sealed"), (moment_in_words(record.sealed),)),
        Row(_messages("certificate.digest"), (record.sha256,)),
    )
    proof = (
        Row(_messages("certificate.stamped"), (_stamped(standing),), Tone.GOOD if standing.stamped else Tone.DOUBT),
        *((Row(_messages("certificate.root"), (standing.root,)),) if standing.root else ()),
    )
    now = tuple(
        Row(
            _messages("certificate.place", place=plain(name)),
            (_messages(f"certificate.copy.{state.value}"),),
            Tone.GOOD if name in whole else Tone.BAD,
        )
        for name, state in found.items()
    )
    files = tuple(Row(plain(file.name), (file.sha256 or "–",)) for file in listed.files)
    some = "certificate.section.some_files" if len(files) < listed.count else "certificate.section.files"
    sections = (
        Section(_messages("certificate.section.sealed"), sealed),
        Section(_messages("certificate.section.proof"), proof),
        Section(_messages("certificate.section.now", moment=moment_in_words(at)), now),
        Section(_messages(some, shown=_number(len(files)), count=_number(listed.count)), files),
    )
    return Page(
        language=current_locale(),
        title=_messages("certificate.heading"),
        verdict=_messages(f"certificate.{verdict}"),
        tone=tone,
        meaning=_messages(f"certificate.{verdict}.meaning"),
        reasons=(),
        sections=tuple(section for section in sections if section.rows),
        notes=(_messages("certificate.note"),),
    )


def _number(count: int) -> str:
    return format_decimal(count, locale=current_locale())


def _stamped(standing: Standing) -> str:
    if standing.stamped is None:
        return _messages("certificate.unstamped")
    return _messages("certificate.stamped.at", moment=moment_in_words(standing.stamped))
