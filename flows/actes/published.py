"""What the public reads of published acts: nobody is known here, and nothing is read but what an open organisation has published.

Who holds a ``PublicOrganisation`` was told that it is open; everything below narrows to its publications.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import extract, func, literal, tuple_
from sqlmodel import Session, col, select

from archive.proof.proving import standing_of, write_evidence_of_entry
from core import clock
from core.configuration import configuration_of
from core.database import UtcDateTime
from core.errors import NotFound
from core.folding import folded
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.models import ActesPublication
from flows.actes.settings import PUBLICATION, ActesPublishing
from flows.actes.stamped import stamped_copy
from flows.actes.transmitted import CANCELLED, cancelled, cancelled_on
from flows.engine.models import Dossier
from flows.engine.reading import COUNTED_UP_TO, Place

_messages = Catalogue("flows.actes")
_DELIBERATION = 1
_FEED, _EXPORTED = 50, 500
_MOST_WORDS = 8
_year_decided = extract("year", col(ActesPublication.decision_date))


@dataclass(frozen=True, slots=True)
class PublicOrganisation:
    """A legal person that publishes its acts on a public page.

    Attributes:
        ids: the open organisations of its SIREN, the highest in the tree first: a service publishes on the page of its commune.
        name, siret: of the first.
        about: its sentence on the page; empty when there is none.
    """

    ids: tuple[str, ...]
    name: str
    siren: str
    siret: str | None
    about: str


@dataclass(frozen=True, slots=True)
class PublicPage:
    """A page of published acts, newest first.

    Attributes:
        total: how many there are in all; ``COUNTED_UP_TO`` when there are more.
        exact: False when there are more than were counted.
        after: where the next page starts; None on the last one.
        cancelled: identifiers of those whose transmission to the State was cancelled since.
    """

    rows: tuple[ActesPublication, ...]
    total: int
    exact: bool
    after: Place | None
    cancelled: frozenset[str]


@dataclass(frozen=True, slots=True)
class PublicAct:
    """A published act.

    Attributes:
        publication: it; one that was withdrawn has no documents for the public any more.
        cancelled_on: the day on which its transmission to the State was cancelled, after its publication; None when it stands.
        stamped: when the first head of the journal that proves it was timestamped; None before.
    """

    publication: ActesPublication
    cancelled_on: date | None
    stamped: datetime | None


def organisation_of(platform: Platform, siren: str) -> PublicOrganisation | None:
    """Return the organisation of a SIREN that publishes its acts; None where there is none, or none that is open."""
    if not re.fullmatch(r"[0-9]{9}", siren):
        return None
    with platform.database.reading(PLATFORM) as session:
        return _opened(session, platform, _of_siren(session, siren))


def organisations(platform: Platform, words: str, after: str | None, limit: int) -> tuple[list[PublicOrganisation], str | None]:
    """Return a page of the organisations that have published an act which is online, by name.

    Args:
        platform: its parts.
        words: of the name, in any order, or a SIREN; empty for all.
        after: the SIREN of the last one of the page before.
        limit: how many at most.

    Returns:
        Them, and the SIREN to go on after; None on the last page.
    """
    wanted = _words(words)
    with platform.database.reading(PLATFORM) as session:
        publishing = select(ActesPublication.organisation_id).where(col(ActesPublication.withdrawn).is_(None))
        sirens = select(Organisation.siren).where(col(Organisation.id).in_(publishing), col(Organisation.siren).is_not(None))
        groups: dict[str, list[Organisation]] = {}
        for one in session.exec(select(Organisation).where(col(Organisation.siren).in_(sirens)).order_by(Organisation.path)):
            groups.setdefault(one.siren or "", []).append(one)
        start = _key(_of_siren(session, after)) if after else ("", "")
        found: list[PublicOrganisation] = []
        for group in sorted(groups.values(), key=_key):
            key = _key(group)
            if key <= start or not all(word in " ".join(key) for word in wanted):
                continue
            if (opened := _opened(session, platform, group)) is not None:
                found.append(opened)
            if len(found) > limit:
                return found[:limit], found[limit - 1].siren
    return found, None


def _of_siren(session: Session, siren: str) -> list[Organisation]:
    return list(session.exec(select(Organisation).where(Organisation.siren == siren).order_by(Organisation.path)))


def _key(group: list[Organisation]) -> tuple[str, str]:
    """Return what the organisations of one SIREN are ordered and searched by."""
    return (folded(group[0].name), group[0].siren or "") if group else ("", "")


def _opened(session: Session, platform: Platform, same: list[Organisation]) -> PublicOrganisation | None:
    """Return the organisations of one SIREN, highest first, as the one that the public knows: those that are open."""
    told = [(one, publishing) for one in same if (publishing := _publishing(session, platform, one.id)).open]
    if not told:
        return None
    first, publishing = told[0]
    return PublicOrganisation(tuple(one.id for one, _ in told), first.name, first.siren or "", first.siret, publishing.about)


def _publishing(session: Session, platform: Platform, organisation_id: str) -> ActesPublishing:
    try:
        return configuration_of(session, platform.secrets, organisation_id, PUBLICATION, ActesPublishing)
    except NotFound:
        return ActesPublishing()


def listed(
    platform: Platform,
    organisation: PublicOrganisation,
    limit: int,
    *,
    words: str = "",
    year: int | None = None,
    nature: int | None = None,
    after: Place | None = None,
) -> PublicPage:
    """Return a page of an organisation's acts that are online, newest first.

    Args:
        platform: its parts.
        organisation: whose.
        limit: how many at most.
        words: of the number, the subject or the matière, in any order.
        year: of the decision.
        nature: 1 to 6.
        after: where the page before ended.
    """
    conditions = [
        *_online(organisation),
        *(col(ActesPublication.words).contains(word, autoescape=True) for word in _words(words)),
    ]
    if year is not None:
        conditions.append(_year_decided == year)
    if nature is not None:
        conditions.append(col(ActesPublication.nature) == nature)
    with platform.database.reading(PLATFORM) as session:
        counted = select(ActesPublication.id).where(*conditions).limit(COUNTED_UP_TO + 1).subquery()
        total = int(session.exec(select(func.count()).select_from(counted)).one())
        rows = _rows(session, conditions, limit + 1, after)
        gone = cancelled(session, (row.dossier_id for row in rows))
    more = len(rows) > limit
    place = Place(rows[limit - 1].published, rows[limit - 1].id) if more else None
    marked = frozenset(row.id for row in rows if row.dossier_id in gone)
    return PublicPage(tuple(rows[:limit]), min(total, COUNTED_UP_TO), total <= COUNTED_UP_TO, place, marked)


def years(platform: Platform, organisation: PublicOrganisation) -> list[int]:
    """Return the years in which acts that are online were decided, the newest first."""
    with platform.database.reading(PLATFORM) as session:
        return sorted(map(int, session.exec(select(_year_decided).where(*_online(organisation)).distinct())), reverse=True)


def latest(
    platform: Platform, organisation: PublicOrganisation, limit: int = _FEED
) -> list[tuple[ActesPublication, datetime | None]]:
    """Return the acts of an organisation that came online last, newest first; and since when their transmission is cancelled."""
    with platform.database.reading(PLATFORM) as session:
        rows = _rows(session, _online(organisation), limit, None)
        gone = cancelled(session, (row.dossier_id for row in rows))
    return [(row, gone.get(row.dossier_id)) for row in rows]


def deliberations(platform: Platform, organisation: PublicOrganisation) -> Iterator[ActesPublication]:
    """Yield every délibération that is online and the State has, newest first; read page by page, however many there are."""
    gone = select(Dossier.id).where(col(Dossier.organisation_id).in_(organisation.ids), col(Dossier.state).in_(CANCELLED))
    conditions = [*_online(organisation), col(ActesPublication.nature) == _DELIBERATION]
    conditions.append(col(ActesPublication.dossier_id).not_in(gone))
    after: Place | None = None
    while True:
        with platform.database.reading(PLATFORM) as session:
            rows = _rows(session, conditions, _EXPORTED, after)
        yield from rows
        if len(rows) < _EXPORTED:
            return
        after = Place(rows[-1].published, rows[-1].id)


def one(platform: Platform, organisation: PublicOrganisation, publication_id: str) -> PublicAct | None:
    """Return a publication of an organisation, withdrawn or not; None where there is none of that identifier."""
    with platform.database.reading(PLATFORM) as session:
        publication = session.get(ActesPublication, publication_id)
        if publication is None or publication.organisation_id not in organisation.ids:
            return None
        dossier = session.get_one(Dossier, publication.dossier_id)
        stamped = standing_of(session, publication.entry_id).stamped
    return PublicAct(publication, cancelled_on(dossier), stamped)


def document(publication: ActesPublication, rank: int) -> dict[str, Any]:
    """Return a file of a publication as ``files`` describes it; its octets are in the object store under ``sha256``.

    Args:
        publication: it.
        rank: of the file, from 1.

    Raises:
        NotFound: there is none of that rank, or the publication was withdrawn.
    """
    if publication.withdrawn is not None or not 1 <= rank <= len(publication.files):
        raise NotFound(_messages("publication.document"))
    return publication.files[rank - 1]


def stamped(platform: Platform, publication: ActesPublication, rank: int) -> bytes:
    """Return the copy of a file of a publication with the préfecture's stamp, which says since when it is online.

    Raises:
        NotFound: as ``document``.
        Conflict: the transmission of the act was cancelled.
        NotStampable, Unavailable: as ``stamped_copy``.
    """
    role = document(publication, rank)["role"]
    with platform.database.reading(PLATFORM) as session:
        dossier = session.get_one(Dossier, publication.dossier_id)
    return stamped_copy(platform, dossier, role, published=clock.in_paris(publication.published).date())


def write_publication_evidence(platform: Platform, publication: ActesPublication, target: Path) -> None:
    """Write the evidence of a publication to a file; it is verified as that of a record (`archive.proof.verification`).

    Raises:
        Unavailable: no timestamped head of the journal covers the publication yet.
        ObjectAltered: the store no longer holds the package as it was published.
    """
    fetch = partial(platform.objects.fetch, publication.package_sha256)
    write_evidence_of_entry(platform, publication.entry_id, fetch, target)


def _online(organisation: PublicOrganisation) -> list[Any]:
    return [col(ActesPublication.organisation_id).in_(organisation.ids), col(ActesPublication.withdrawn).is_(None)]


def _rows(session: Session, conditions: list[Any], limit: int, after: Place | None) -> list[ActesPublication]:
    here = tuple_(col(ActesPublication.published), col(ActesPublication.id))
    wanted = select(ActesPublication).where(*conditions)
    if after is not None:
        wanted = wanted.where(here < tuple_(literal(after.created, UtcDateTime()), literal(after.id)))
    newest_first = (col(ActesPublication.published).desc(), col(ActesPublication.id).desc())
    return list(session.exec(wanted.order_by(*newest_first).limit(limit)))


def _words(text: str) -> list[str]:
    """Return the words to search for, a few at most; what joins them in an identifier does not count.

    A text of signs alone is sought as it is: no act holds it.
    """
    plain = "".join(filter(str.isprintable, folded(text))).strip()
    return re.findall(r"\w+", plain)[:_MOST_WORDS] or ([plain] if plain else [])
