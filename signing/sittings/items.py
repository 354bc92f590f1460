"""What happens to the documents of a sitting: prepared for the certificate, completed with the values that come back.

The work is done outside any transaction, in a private folder; what came of it is recorded in a short one, provided that the
sitting is still under way. A document is prepared once and completed once: of two requests that meet, one records.
"""

from __future__ import annotations

import base64
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Table, func, select, update

from core import clock
from core.database import Database
from core.errors import Conflict, Misconfigured, NeedsOperator, NotFound, Refused, Unavailable, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from signing import formats
from signing.algorithms import METHODS, method_of, value_holds
from signing.legs import NotSignable, Prepared, Signatory, Slot, SourceChanged, UnsoundSignature
from signing.sittings.models import ItemState, Sitting, SittingItem
from signing.sittings.sittings import hold, items_of, signatory_of, write_journal
from signing.timestamp.client import TimestampClient

_messages = Catalogue("signing")
_log = structlog.get_logger()
_LEASE = timedelta(minutes=2)
_PAUSE = 0.2
# A document may take several times its size in memory: few are worked on at once, so that a web process stays small.
_turns = threading.BoundedSemaphore(4)
_NOT_NOW = (Unavailable, Misconfigured, NeedsOperator)
_NOT_SO = (UsageError, Conflict, Refused, UnsoundSignature)
_item: Table = SittingItem.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class ToSign:
    """What is to be signed of a document: its slots, none once it is signed; or the problem that forbids it."""

    id: str
    slots: tuple[Slot, ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """A signature value for a slot of a document."""

    item_id: str
    identifier: str
    octets: bytes


class Reception(StrEnum):
    """What became of values that were given."""

    SIGNED = "signed"
    REFUSED = "refused"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the values given for a document.

    Attributes:
        state: ``signed``; ``refused``, the document for good or this value only, as the detail says; ``waiting`` for other
            values, or for a part of the platform.
    """

    id: str
    state: Reception
    detail: str | None


def prepare(platform: Platform, sitting: Sitting, within: float) -> int:
    """Prepare the documents that wait for it, one at least, for some seconds; return how many are left.

    Args:
        platform: its parts.
        sitting: its certificate is bound.
        within: seconds after which no other document is begun.

    Raises:
        Conflict: the sitting is over, or has no certificate.
        Unavailable: a part of the platform does not answer; what is prepared stays so.
    """
    signatory, started = signatory_of(sitting), time.monotonic()
    waiting = [item for item in items_of(platform.database, sitting.id) if item.state == ItemState.WAITING.value]
    for done, item in enumerate(waiting):
        if done and time.monotonic() - started > within:
            return len(waiting) - done
        _prepare(platform, sitting.id, item, signatory)
    return 0


def to_sign(database: Database, sitting_id: str) -> list[ToSign]:
    """Return what is to be signed of each document, in order."""
    return [_to_sign(item) for item in items_of(database, sitting_id)]


def _to_sign(item: SittingItem) -> ToSign:
    slots = Prepared.from_json(item.prepared).slots if item.state == ItemState.PREPARED.value and item.prepared else ()
    return ToSign(item.id, slots, item.detail if item.state == ItemState.REFUSED.value else None)


def _prepare(platform: Platform, sitting_id: str, item: SittingItem, signatory: Signatory) -> None:
    try:
        with _folder() as folder:
            platform.objects.fetch(item.sha256, folder.source)
            prepared = formats.from_json(item.format, item.context).prepare(
                folder.source, folder.draft, signatory, clock.now().replace(microsecond=0)
            )
            _refuse_foreign(prepared, item, signatory)
            draft = platform.objects.put_file(folder.draft) if folder.draft.exists() else None
        became = {
            "state": ItemState.PREPARED.value,
            "prepared": prepared.as_json(),
            "draft_sha256": draft.sha256 if draft else None,
        }
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a document does to a library, it is this document that is refused
        became = _refusal(item.id, error)
    with platform.database.writing(PLATFORM) as session:
        sitting = hold(session.connection(), sitting_id)
        recorded = session.connection().execute(
            update(_item).where(_item.c.id == item.id, _item.c.state == ItemState.WAITING.value).values(**became)
        )
        if recorded.rowcount == 1 and became["state"] == ItemState.REFUSED.value:
            write_journal(session, sitting, "refused", _facts(item))


def _refuse_foreign(prepared: Prepared, item: SittingItem, signatory: Signatory) -> None:
    """Hold what was prepared to the one document and the one certificate that it is for."""
    if not prepared.slots:
        raise NotSignable(_messages("sitting.nothing"))
    if prepared.sha256.hex() != item.sha256 or prepared.certificate != signatory.certificate:
        raise SourceChanged(_messages("seal.changed"))


def _refusal(item_id: str, error: Exception) -> dict[str, Any]:
    if isinstance(error, _NOT_SO):
        detail = str(error)
    else:
        _log.error("sitting.fault", item=item_id, error=type(error).__name__, exc_info=error)
        detail = _messages("sitting.fault")
    return {"state": ItemState.REFUSED.value, "detail": detail[:1000], "given": {}}


def accept(
    platform: Platform, sitting: Sitting, values: Sequence[Value], timestamps: TimestampClient | None, within: float
) -> list[Answer]:
    """Take signature values in, and complete the documents that have all of theirs.

    A value that is not that of the certificate is refused and changes nothing; one that was given already is answered the same.

    Args:
        platform: its parts.
        sitting: its certificate is bound.
        values: for one document or several, in any order; a document may get its values one by one.
        timestamps: who stamps, for the levels that ask for it.
        within: seconds after which no other document is begun.

    Returns:
        One answer per document named, in the order in which they are.

    Raises:
        NotFound: a document that is not of this sitting.
        Conflict: the sitting is over, or has no certificate.
    """
    named = dict.fromkeys(value.item_id for value in values)
    items = {item.id: item for item in items_of(platform.database, sitting.id, named)}
    if len(items) != len(named):
        raise NotFound(_messages("sitting.no_item"))
    signatory, wrong = signatory_of(sitting), dict[str, str]()
    asked = {item.id: _asked(item) for item in items.values()}
    good: dict[str, dict[str, str]] = defaultdict(dict)
    for value in values:
        if fault := _fault_of(value, asked[value.item_id], signatory):
            wrong[value.item_id] = fault
        else:
            good[value.item_id][value.identifier] = base64.b64encode(value.octets).decode()
    _keep(platform.database, sitting.id, good)
    _complete_all(platform, sitting.id, good, timestamps, within)
    after = {item.id: item for item in items_of(platform.database, sitting.id, named)}
    return [_answer(after[item_id], wrong.get(item_id)) for item_id in named]


def finish(platform: Platform, sitting: Sitting, timestamps: TimestampClient | None, within: float) -> None:
    """Complete the documents whose values are all there and that still wait, before a sitting is closed.

    Raises:
        Unavailable: it cannot be done now.
    """
    ready = [item.id for item in items_of(platform.database, sitting.id) if _is_ready(item)]
    _complete_all(platform, sitting.id, ready, timestamps, within)
    if any(_is_ready(item) for item in items_of(platform.database, sitting.id)):
        raise Unavailable(_messages("sitting.unfinished"))


def _asked(item: SittingItem) -> dict[str, bytes] | None:
    """Return the octets to sign by slot; None for a document that was not prepared."""
    if item.prepared is None:
        return None
    return {slot.identifier: slot.octets for slot in Prepared.from_json(item.prepared).slots}


def _fault_of(value: Value, asked: Mapping[str, bytes] | None, signatory: Signatory) -> str | None:
    """Return what is wrong with a value; None when it is right, or when its document was not prepared."""
    if asked is None:
        return None
    if value.identifier not in asked:
        return _messages("sitting.no_slot")
    method = METHODS[method_of(signatory.certificate)]
    holds = value_holds(signatory.certificate, method, value.octets, asked[value.identifier])
    return None if holds else _messages("sitting.value")


def _keep(database: Database, sitting_id: str, good: Mapping[str, Mapping[str, str]]) -> None:
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        hold(connection, sitting_id)
        for item_id, given in good.items():
            asked = (_item.c.id == item_id) & (_item.c.state == ItemState.PREPARED.value)
            before = connection.execute(select(_item.c.given).where(asked)).scalar()
            if before is not None:
                connection.execute(update(_item).where(asked).values(given={**before, **given}))


def _complete_all(
    platform: Platform, sitting_id: str, item_ids: Iterable[str], timestamps: TimestampClient | None, within: float
) -> None:
    started = time.monotonic()
    for item_id in item_ids:
        if time.monotonic() - started > within:
            return
        item = _claim(platform.database, sitting_id, item_id)
        if item is not None:
            _record(platform.database, sitting_id, item, _completed(platform, item, timestamps))
    while _are_held(platform.database, item_ids) and time.monotonic() - started < within:
        time.sleep(_PAUSE)


def _are_held(database: Database, item_ids: Iterable[str]) -> bool:
    """Tell whether another request completes one of these documents at this moment."""
    held = (_item.c.state == ItemState.PREPARED.value) & (_item.c.leased_until > clock.now())
    with database.reading(PLATFORM) as session:
        wanted = select(func.count()).where(_item.c.id.in_(list(item_ids)), held)
        return bool(session.connection().execute(wanted).scalar())


def _claim(database: Database, sitting_id: str, item_id: str) -> SittingItem | None:
    """Take the lease on a document whose values are all there; None when there is nothing to do, or somebody does it."""
    now = clock.now()
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        hold(connection, sitting_id)
        item = session.get(SittingItem, item_id)
        if item is None or not _is_ready(item) or (item.leased_until is not None and item.leased_until > now):
            return None
        item.lease, item.leased_until = new_id(), now + _LEASE
        session.add(item)
    return item


def _is_ready(item: SittingItem) -> bool:
    if item.state != ItemState.PREPARED.value or item.prepared is None:
        return False
    return {slot["identifier"] for slot in item.prepared["slots"]} <= item.given.keys()


def _completed(platform: Platform, item: SittingItem, timestamps: TimestampClient | None) -> dict[str, Any]:
    """Complete a document and return what is to be written of it."""
    prepared = Prepared.from_json(item.prepared or {})
    values = {identifier: base64.b64decode(value) for identifier, value in item.given.items()}
    try:
        with _folder() as folder:
            platform.objects.fetch(item.sha256, folder.source)
            if item.draft_sha256 is not None:
                platform.objects.fetch(item.draft_sha256, folder.draft)
            kind = formats.format_named(item.format)
            verdict = kind.complete(prepared, folder.source, folder.draft, values, folder.target, timestamps)
            result = platform.objects.put_file(folder.target)
    except _NOT_NOW as error:
        # How the platform is set up is its operator's business, who has the log.
        _log.warning("sitting.not_now", item=item.id, error=type(error).__name__, reason=str(error))
        return {"detail": str(error) if isinstance(error, Unavailable) else _messages("sitting.unfinished")}
    except Exception as error:  # noqa: BLE001 - as when it was prepared
        return _refusal(item.id, error)
    return {
        "state": ItemState.SIGNED.value,
        "result_sha256": result.sha256,
        "result_size": result.size,
        "verdict": verdict.as_json(),
        "detail": None,
    }


def _record(database: Database, sitting_id: str, item: SittingItem, became: Mapping[str, Any]) -> None:
    with database.writing(PLATFORM) as session:
        sitting = hold(session.connection(), sitting_id)
        ours = (_item.c.id == item.id) & (_item.c.lease == item.lease) & (_item.c.state == ItemState.PREPARED.value)
        recorded = session.connection().execute(update(_item).where(ours).values(lease=None, leased_until=None, **became))
        if recorded.rowcount == 1 and "state" in became:
            write_journal(session, sitting, became["state"], _facts(item, became.get("result_sha256")))


def _facts(item: SittingItem, result: str | None = None) -> dict[str, Any]:
    return {"item": item.id, "format": item.format, "source": item.sha256, "result": result}


def _answer(item: SittingItem, fault: str | None) -> Answer:
    if item.state == ItemState.SIGNED.value:
        return Answer(item.id, Reception.SIGNED, fault)
    if item.state == ItemState.REFUSED.value:
        return Answer(item.id, Reception.REFUSED, item.detail)
    if fault is not None:
        return Answer(item.id, Reception.REFUSED, fault)
    if item.state == ItemState.WAITING.value:
        return Answer(item.id, Reception.WAITING, _messages("sitting.not_prepared"))
    return Answer(item.id, Reception.WAITING, item.detail)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A private folder to work in: the document, what its format wrote aside, what comes of it."""

    source: Path
    draft: Path
    target: Path


@contextmanager
def _folder() -> Iterator[_Folder]:
    """Wait for a turn, and give a folder for its time."""
    with _turns, tempfile.TemporaryDirectory(prefix="tabellion-") as made:
        yield _Folder(*(Path(made) / name for name in ("document", "draft", "signed")))
