"""What is said of the timestamping authorities while they stamp: their chains, revocation lists and OCSP answers, under lock.

A list drops the certificates that have ended, and nobody answers for them any more: what is to be shown in thirty years, that an
authority had not lost its key when it stamped, is brought while it still stands. Once a day is enough: a list speaks for every
token before it. No token waits for it, and none is refused because nothing could be brought.

What lives here: bringing it, and carrying it to a place that was silent. What does not: the names of what is kept, its form and
its reading (`archive.proof.told`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import col, select

from archive.models import EvidenceStamp, TreeHead
from archive.places import statements
from archive.places.places import Place, places_of
from archive.proof.told import FOLDER, STATEMENT, forget_missing, name_of
from core import clock
from core.blobs import ObjectAltered, ObjectMissing
from core.canonical import canonical_bytes
from core.errors import Misconfigured, Unavailable
from core.platform import Platform
from core.principal import PLATFORM
from signing.revocation import FetchSettings, Gathered, RevocationClient
from signing.timestamp.parts import Parts, TokenUnreadable
from signing.timestamp.token import Timestamp
from signing.trust import Evidence, TrustState, TrustStore, trust_store

FORMAT = "tabellion-authority/1"
EVERY = timedelta(hours=6)
LARGEST = 1 << 20
"""Of a list or an answer, in bytes: each goes with every proof of its day."""
_ONE_DAY = timedelta(days=1)
_LOOKED_BACK = timedelta(days=31)
"""For how long a place may have been silent, and is still brought what it lacks."""
_PAGE = 500
_Silence = Unavailable | Misconfigured
_log = structlog.get_logger()


def gather_due(platform: Platform) -> int:
    """Bring and keep what is said of every authority that stamped since yesterday, once a day; carry to each place what it lacks.

    Returns:
        How many authorities something was kept of.

    Raises:
        Unavailable, Misconfigured: a place does not answer, or refuses us; all that could be brought was, the next run goes on.
    """
    trust = trust_store(platform.settings.trust_dir)
    if trust is None:
        return 0
    now, trouble = clock.now(), list[_Silence]()
    holders = _holders(platform, now - _LOOKED_BACK, trouble)
    if not trouble:
        _carry(platform, holders, trouble)
    client, kept = RevocationClient(_bounds(platform)), 0
    # A run may come later than a day after the one before it: what was stamped meanwhile is not missed.
    for path in _authorities(platform, trust, now - _ONE_DAY - EVERY):
        if name_of(path[0], now.date()) not in holders:
            kept += _gather(platform, client, path, now, trouble)
    forget_missing(platform)
    if trouble:
        raise trouble[0]
    return kept


def _holders(platform: Platform, since: datetime, trouble: list[_Silence]) -> dict[str, set[str]]:
    """Return the statements of the last days, each with the names of the places that have it."""
    found: dict[str, set[str]] = {}
    for place in places_of(platform):
        try:
            for name in _names(place, since.date()):
                found.setdefault(name, set()).add(place.name)
        except (Unavailable, Misconfigured) as error:
            _log.warning("place.silent", place=place.name, reason=str(error))
            trouble.append(error)
    return found


def _names(place: Place, since: date) -> Iterator[str]:
    for version in place.store.all_versions(prefix=FOLDER):
        name = version.key.removeprefix(FOLDER).removesuffix(".json")
        if statements.is_statement(version.key) and not version.is_marker and name.rpartition("-")[2] >= f"{since:%Y%m%d}":
            yield name


def _carry(platform: Platform, holders: Mapping[str, set[str]], trouble: list[_Silence]) -> None:
    """Bring what one place has to those that lack it, the very same bytes."""
    for name, places in holders.items():
        if len(places) < len(places_of(platform)):
            try:
                statements.keep(platform, STATEMENT, name, statements.read(platform, STATEMENT, name, None))
            except (Unavailable, Misconfigured) as error:
                trouble.append(error)
            except (ObjectMissing, ObjectAltered, ValueError) as error:  # the audit of the places makes an incident of it
                _log.warning("authority.not_carried", statement=name, reason=str(error))


def _gather(
    platform: Platform, client: RevocationClient, path: Sequence[x509.Certificate], now: datetime, trouble: list[_Silence]
) -> int:
    """Bring and keep what is said of one authority; whatever is the matter with it does not keep the others from being asked."""
    try:
        gathered = client.gather(path)
        for failure in gathered.failures:
            _log.warning("authority.not_told", reason=failure)
        if not (gathered.evidence.lists or gathered.evidence.answers):
            return 0
        statements.keep(platform, STATEMENT, name_of(path[0], now.date()), _statement(gathered, now))
    except (Unavailable, Misconfigured) as error:
        trouble.append(error)
        return 0
    except (ObjectAltered, ValueError) as error:  # another run was there first, or a certificate that says nothing readable
        _log.warning("authority.not_kept", authority=path[0].subject.rfc4514_string(), reason=str(error))
        return 0
    return 1


def _bounds(platform: Platform) -> FetchSettings:
    return FetchSettings(
        permitted=platform.settings.permitted_networks, whole_timeout=10.0, largest_list=LARGEST, most_addresses=2
    )


def _authorities(platform: Platform, trust: TrustStore, since: datetime) -> list[Sequence[x509.Certificate]]:
    """Return the paths of the authorities that stamped since a moment and are believed, each once."""
    found: dict[x509.Certificate, Sequence[x509.Certificate]] = {}
    for token in _tokens(platform, since):
        try:
            parts, stamped = Parts.read(token), Timestamp.read(token).gen_time
        except TokenUnreadable:
            continue  # the audit of the journal says so
        if parts.signer not in found:
            status = trust.assess(parts.signer, at=stamped, evidence=Evidence(parts.others))
            found[parts.signer] = status.chain if status.state is TrustState.TRUSTED else ()
    return [path for path in found.values() if path]


def _tokens(platform: Platform, since: datetime) -> Iterator[bytes]:
    """Yield the newest tokens since a moment, of heads and of evidence records: some hundreds, which is hours of them."""
    with platform.database.reading(PLATFORM) as session:
        heads = select(TreeHead.token).where(TreeHead.stamped >= since).order_by(col(TreeHead.size).desc()).limit(_PAGE)
        stamps = select(EvidenceStamp.token).where(EvidenceStamp.stamped >= since).order_by(col(EvidenceStamp.id).desc())
        tokens = [*session.exec(heads), *session.exec(stamps.limit(_PAGE))]
    yield from tokens


def _statement(gathered: Gathered, at: datetime) -> bytes:
    evidence = gathered.evidence
    return canonical_bytes(
        {
            "format": FORMAT,
            "at": clock.iso(at),
            "certificates": _texts(one.public_bytes(Encoding.DER) for one in evidence.certificates),
            "lists": _texts(one.public_bytes(Encoding.DER) for one in evidence.lists),
            "answers": _texts(evidence.answers),
        }
    )


def _texts(octets: Iterable[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in octets]
