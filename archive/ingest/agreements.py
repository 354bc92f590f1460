"""Agreements (*accords de versement*): made and closed by archivists; and is a transfer within the one that it names?

An agreement of an organisation holds for the transfers of all below it. It is never changed, only closed and followed by
another one: what was taken under it stays explainable. Codes 300 to 312: the list of replies published with SEDA 0.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session, col, select

from archive.ingest.models import ArchiveAgreement
from archive.ingest.profiles import Profile
from archive.ingest.wording import messages, problem
from core import clock, journal
from core.database import ScopedSession
from core.errors import Conflict, NotFound
from core.organisations import Organisation
from core.principal import Principal, Right
from core.problems import Problem, Severity
from schemas.seda.reader import Manifest, ManifestObject
from schemas.seda.rules import STRONG_DIGESTS

_PUID = re.compile(r"(x-)?fmt/[0-9]{1,5}")
_MOST = 500


def _puid(text: str) -> str:
    if not _PUID.fullmatch(text):
        raise ValueError(messages("agreement.puid", found=text[:40]))
    return text


def _algorithm(text: str) -> str:
    if text not in STRONG_DIGESTS:
        raise ValueError(messages("agreement.algorithm", found=text[:40], known=", ".join(STRONG_DIGESTS)))
    return text


class Pdfa(StrEnum):
    """What an agreement asks of every PDF."""

    ANY = ""
    DECLARED = "declared"
    VERIFIED = "verified"


_Name = Annotated[str, Field(min_length=1, max_length=60)]


class Terms(BaseModel):
    """What an agreement says; see ``ArchiveAgreement``."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    identifier: _Name = Field(description="As `ArchivalAgreement` of a transfer names it; once for an organisation.")
    label: str = Field(min_length=1, max_length=200)
    transferring_agency: _Name = Field(description="Who hands over, as `TransferringAgency` names it.")
    archival_agency: str = Field("", max_length=60, description="Who keeps; empty: whoever the transfer names.")
    originating_agencies: list[_Name] = Field([], max_length=_MOST, description="Who made the records; empty: anyone (302).")
    formats: list[Annotated[str, AfterValidator(_puid)]] = Field(
        [], max_length=_MOST, description="PRONOM identifiers that are taken; empty: all (204, 307)."
    )
    declared_formats: bool = Field(False, description="A format that is not the declared one refuses the transfer (205).")
    pdfa: Pdfa = Field(
        Pdfa.ANY, description="Asked of every PDF: nothing, that it declares PDF/A (307), that a checker finds so too (205)."
    )
    digests: list[Annotated[str, AfterValidator(_algorithm)]] = Field(
        [], max_length=len(STRONG_DIGESTS), description="Algorithms of `MessageDigest` taken; empty: all strong ones (308)."
    )
    signed_manifest: bool = Field(False, description="The manifest bears a valid signature over the whole of it (309, 206, 311).")
    signatures: bool = Field(False, description="There are signed documents, and their signatures are valid (305, 310, 311).")
    unverified_signatures: bool = Field(
        False, description="Signatures of documents that cannot be verified entirely are told, and refuse nothing."
    )
    automatic: bool = Field(False, description="What passes every check without a remark is sealed without asking anybody.")
    largest: int | None = Field(None, ge=1, le=1 << 50, description="Bytes of a package (306).")
    largest_file: int | None = Field(None, ge=1, le=1 << 50, description="Bytes of a file in it (306).")
    most: int | None = Field(None, ge=1, le=10_000_000, description="Transfers a year (301).")
    volume: int | None = Field(None, ge=1, le=1 << 50, description="Bytes of packages a year (301).")
    starts: date = Field(description="The first day on which it holds (312).")
    ends: date | None = Field(None, description="The last one; null: no end.")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Terms:
        if self.ends is not None and self.ends < self.starts:
            raise ValueError(messages("agreement.days"))
        return self


@dataclass(frozen=True, slots=True)
class Presented:
    """What a transfer comes with, beside its manifest.

    Attributes:
        size: of the package, in bytes.
        before: how many transfers were taken under the agreement this year.
        before_size: their size together, in bytes.
        files: bytes of each file, by its path in the package.
        day: on which it came, in metropolitan France.
    """

    size: int
    before: int
    before_size: int
    files: Mapping[str, int]
    day: date


def create(
    session: ScopedSession, principal: Principal, organisation_id: str, terms: Terms, profile: Profile | None = None
) -> ArchiveAgreement:
    """Make an agreement; transfers must satisfy its profile, when there is one.

    Raises:
        Forbidden: the principal does not manage the archives of the organisation.
        Conflict: it has an agreement of that identifier, closed or not.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    named = select(ArchiveAgreement).where(
        ArchiveAgreement.organisation_id == organisation_id, ArchiveAgreement.identifier == terms.identifier
    )
    if session.exec(named).first() is not None:
        raise Conflict(messages("agreement.taken", identifier=terms.identifier))
    agreement = ArchiveAgreement(
        organisation_id=organisation_id,
        created_by=principal.actor,
        profile=profile.sha256 if profile else None,
        profile_name=profile.name if profile else "",
        **terms.model_dump(include=set(Terms.model_fields)) | {"pdfa": terms.pdfa.value},
    )
    session.add(agreement)
    session.flush()
    _tell(session, principal, agreement, "created")
    return agreement


def close(session: ScopedSession, principal: Principal, agreement_id: str) -> None:
    """End an agreement at once; what was taken under it stays.

    Raises:
        NotFound: there is none of that identifier that the principal may see.
        Forbidden: the principal does not manage the archives of its organisation.
        Conflict: it is closed already.
    """
    agreement = agreement_of(session, agreement_id)
    principal.require(Right.ARCHIVE, agreement.organisation_id)
    if agreement.closed is not None:
        raise Conflict(messages("agreement.closed", identifier=agreement.identifier))
    agreement.closed, agreement.closed_by = clock.now(), principal.actor
    session.add(agreement)
    _tell(session, principal, agreement, "closed")


def _tell(session: ScopedSession, principal: Principal, agreement: ArchiveAgreement, did: str) -> None:
    journal.write(
        session,
        organisation_id=agreement.organisation_id,
        kind=f"agreement.{did}",
        actor=principal.actor,
        facts={"agreement": agreement.id},
    )


def agreement_of(session: ScopedSession, agreement_id: str) -> ArchiveAgreement:
    """Return an agreement.

    Raises:
        NotFound: there is none of that identifier that the session sees.
    """
    found = session.exec(select(ArchiveAgreement).where(ArchiveAgreement.id == agreement_id)).first()
    if found is None:
        raise NotFound(messages("agreement.unknown"))
    return found


def holding_for(session: Session, organisation_id: str) -> list[ArchiveAgreement]:
    """Return the agreements of an organisation and of those above it, the nearest first, closed ones too.

    The session must see the organisations above: it is the platform's own.
    """
    above = session.get_one(Organisation, organisation_id).path.strip("/").split("/")
    found = session.exec(select(ArchiveAgreement).where(col(ArchiveAgreement.organisation_id).in_(above))).all()
    return sorted(found, key=lambda one: (-above.index(one.organisation_id), one.identifier))


def named(agreements: list[ArchiveAgreement], identifier: str | None) -> ArchiveAgreement | None:
    """Return the agreement that a transfer names; None when there is no such one."""
    return next((one for one in agreements if one.identifier == identifier), None)


def check_naming(agreements: list[ArchiveAgreement], manifest: Manifest) -> list[Problem]:
    """Return what is wrong with the agreement that a transfer names, or does not name.

    Where an archive service has made no agreement with anyone, a transfer may come without one: an archivist decides of it.
    """
    if manifest.agreement is not None and named(agreements, manifest.agreement) is None:
        return [problem("300", "agreement.not_known", found=manifest.agreement)]
    if manifest.agreement is None:
        severity = Severity.ERROR if any(one.closed is None for one in agreements) else Severity.WARNING
        return [problem("300", "agreement.none", severity)]
    return []


def check_terms(agreement: ArchiveAgreement, manifest: Manifest, presented: Presented) -> Iterator[Problem]:
    """Yield what in a transfer is not within its agreement; its files are judged where they are read."""
    if agreement.closed is not None:
        yield problem("300", "agreement.over", found=agreement.identifier)
    if presented.day < agreement.starts or (agreement.ends is not None and presented.day > agreement.ends):
        expected = (
            f"{agreement.starts:%d/%m/%Y} – {agreement.ends:%d/%m/%Y}" if agreement.ends else f"≥ {agreement.starts:%d/%m/%Y}"
        )
        yield problem("312", "agreement.dates", found=f"{presented.day:%d/%m/%Y}", expected=expected)
    producers = _producers(manifest)
    if agreement.originating_agencies:
        for producer in sorted(producers - set(agreement.originating_agencies)):
            expected = ", ".join(agreement.originating_agencies)[:200]
            yield problem("302", "agreement.producer", found=producer, expected=expected)
        if not producers:
            yield problem("302", "agreement.no_producer")
    if manifest.transferring_agency != agreement.transferring_agency:
        yield problem("303", "agreement.sender", found=manifest.transferring_agency, expected=agreement.transferring_agency)
    if agreement.archival_agency and manifest.archival_agency != agreement.archival_agency:
        yield problem("304", "agreement.archives", found=manifest.archival_agency, expected=agreement.archival_agency)
    if agreement.most is not None and presented.before >= agreement.most:
        yield problem("301", "agreement.quota", found=str(presented.before + 1), expected=f"≤ {agreement.most}")
    whole = presented.before_size + presented.size
    if agreement.volume is not None and whole > agreement.volume:
        yield problem("301", "agreement.year", found=str(whole), expected=f"≤ {agreement.volume}")
    if agreement.largest is not None and presented.size > agreement.largest:
        yield problem("306", "agreement.volume", found=str(presented.size), expected=f"≤ {agreement.largest}")
    for item in manifest.objects:
        yield from _of_object(agreement, item, presented.files.get(item.uri or "", 0))


def _of_object(agreement: ArchiveAgreement, item: ManifestObject, size: int) -> Iterator[Problem]:
    place = item.uri or item.identifier
    if agreement.largest_file is not None and size > agreement.largest_file:
        expected = f"≤ {agreement.largest_file}"
        yield problem("306", "agreement.file", line=item.line, path=place, found=str(size), expected=expected)
    if agreement.digests and item.algorithm not in agreement.digests:
        expected = ", ".join(agreement.digests)
        yield problem("308", "agreement.digest", line=item.line, path=place, found=item.algorithm, expected=expected)


def _producers(manifest: Manifest) -> set[str]:
    """Return every originating agency that a manifest names, of the whole and of its units."""
    units = manifest.tree.getroot().iterfind(".//{*}Content/{*}OriginatingAgency/{*}Identifier")
    found = {manifest.originating_agency, *((element.text or "").strip() for element in units)}
    return {producer for producer in found if producer}
