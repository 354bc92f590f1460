"""Trying a place: what an archive asks of an S3 server, each thing shown by doing it, or by failing to.

It writes a few bytes into a bucket of its own, ``<prefix>-conformance``, under locks of seconds, a day for one of them; of the
archive itself it only reads the settings. What was left by an earlier trial is cleared away by the next.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus

from archive.places.places import Place
from archive.places.trial import BYPASS, COMPLIANCE, DATA, GOVERNANCE, LONG, REFUSED, SHORT, Answer, Trial, md5
from core import clock
from core.errors import Misconfigured, TabellionError
from core.locked_bucket import LockedBucket
from core.messages import Catalogue

BUCKET = "conformance"
_messages = Catalogue("archive.places")
_MOST_SKEW = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried.

    Attributes:
        code: of what was tried; it has words in the catalogue.
        kept: the server does what is asked of it.
        seen: what it answered: statuses and codes.
    """

    code: str
    kept: bool
    seen: str

    @property
    def words(self) -> str:
        """What was tried, in words."""
        return _messages(f"check.{self.code}")

    @property
    def mend(self) -> str:
        """What to do about it; empty when there is nothing to do."""
        return "" if self.kept else _messages(f"mend.{self.code}")


def examine(place: Place) -> Iterator[Check]:
    """Try a place; one check after the other, each whatever the others gave. Takes some ten seconds."""
    for code, look in _OF_THE_ARCHIVE.items():
        yield _tried(code, partial(look, place))
    bucket = place.store.beside(BUCKET)
    opened = _tried("bucket", partial(_opened, bucket))
    yield opened
    if not opened.kept:
        return
    trial = Trial(bucket)
    for code, attempt in _OF_THE_SERVER.items():
        yield _tried(code, partial(attempt, trial))


def _tried(code: str, attempt: Callable[[], Answer]) -> Check:
    try:
        kept, seen = attempt()
    except TabellionError as error:
        return Check(code, False, str(error))
    return Check(code, kept, seen)


def _opened(bucket: LockedBucket) -> Answer:
    bucket.prepare()
    for version in list(bucket.all_versions()):
        with suppress(Misconfigured):  # one that is still locked goes next time
            bucket.remove_version(version)
    return True, bucket.archive


def _clock(place: Place) -> Answer:
    skew = place.store.clock_skew()
    return abs(skew) <= _MOST_SKEW, f"{skew:+.0f} s"


def _versioning(place: Place) -> Answer:
    versioned = place.store.rule().versioned
    return versioned, _messages("seen.on" if versioned else "seen.off")


def _default_lock(place: Place) -> Answer:
    rule = place.store.rule()
    return rule.mode is not None, _messages("seen.rule", mode=rule.mode, days=rule.days) if rule.mode else _messages("seen.off")


def _put_once(trial: Trial) -> Answer:
    key, once = secrets.token_hex(8), {"If-None-Match": "*"}
    until = {
        "x-amz-object-lock-mode": COMPLIANCE,
        "x-amz-object-lock-retain-until-date": f"{clock.now() + LONG:%Y-%m-%dT%H:%M:%SZ}",
    }
    first, second = (trial.bucket.ask("PUT", trial.target(key), DATA, md5(DATA) | once | until).status for _ in range(2))
    kept = (first, second) == (HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED) and len(trial.bucket.versions(key)) == 1
    return kept, f"{first}, {second}"


def _digest(trial: Trial) -> Answer:
    key = secrets.token_hex(8)
    status = trial.bucket.ask("PUT", trial.target(key), DATA, md5(b"other")).status
    return status == HTTPStatus.BAD_REQUEST and not trial.bucket.versions(key), str(status)


def _locks_by_itself(trial: Trial) -> Answer:
    key = secrets.token_hex(8)
    version = trial.version_of(trial.bucket.ask("PUT", trial.target(key), DATA, md5(DATA)))
    lock = trial.bucket.lock_of(key, version)
    kept = lock.mode == trial.bucket.rule().mode and lock.until is not None and lock.until > clock.now() + timedelta(hours=23)
    return kept, f"{lock.mode or '-'} {clock.iso(lock.until) if lock.until else '-'}"


def _tells_its_lock(trial: Trial) -> Answer:
    key, version = trial.locked()
    found = trial.bucket.standing(key, version)
    kept = found.on_top == version and found.lock.mode == COMPLIANCE and found.lock.until is not None
    return kept and found.lock.until > clock.now(), found.lock.mode or "-"  # type: ignore[operator]


def _delete(trial: Trial) -> Answer:
    key, version = trial.locked()
    return trial.refused(key, version, trial.bucket.ask("DELETE", trial.target(key, version)).status)


def _delete_with_bypass(trial: Trial) -> Answer:
    key, version = trial.locked()
    return trial.refused(key, version, trial.bucket.ask("DELETE", trial.target(key, version), headers=BYPASS).status)


def _delete_in_batch(trial: Trial) -> Answer:
    key, version = trial.locked()
    body = f"<Delete><Object><Key>{key}</Key><VersionId>{version}</VersionId></Object></Delete>".encode()
    statuses = [trial.bucket.ask("POST", f"{trial.root}?delete=", body, md5(body) | more).status for more in ({}, BYPASS)]
    # A batch is answered with 200 and an error for each object: what counts is what stands.
    return trial.stands(key, version), ", ".join(str(status) for status in statuses)


def _shorten(trial: Trial) -> Answer:
    key, version = trial.locked()
    before = trial.bucket.lock_of(key, version)
    statuses = [trial.retention(key, version, COMPLIANCE, clock.now() + SHORT, more) for more in ({}, BYPASS)]
    kept, seen = trial.refused(key, version, *statuses)
    return kept and trial.bucket.lock_of(key, version) == before, seen


def _downgrade(trial: Trial) -> Answer:
    key, version = trial.locked()
    before = trial.bucket.lock_of(key, version)
    statuses = [trial.retention(key, version, GOVERNANCE, clock.now() + 2 * LONG, more) for more in ({}, BYPASS)]
    kept, seen = trial.refused(key, version, *statuses)
    return kept and trial.bucket.lock_of(key, version) == before, seen


def _extend(trial: Trial) -> Answer:
    key, version = trial.locked()
    later = clock.now() + 2 * LONG
    status = trial.retention(key, version, COMPLIANCE, later)
    until = trial.bucket.lock_of(key, version).until
    return until is not None and abs((until - later).total_seconds()) < 2, str(status)


def _write_over(trial: Trial) -> Answer:
    key, version = trial.locked()
    _, over = trial.locked(key=key)
    return over != version and trial.stands(key, version), str(len(trial.bucket.versions(key)))


def _marker(trial: Trial) -> Answer:
    key, version = trial.locked()
    status = trial.bucket.ask("DELETE", trial.target(key)).status
    found = trial.bucket.standing(key, version)
    return found.on_top is None and any(one.is_marker for one in trial.bucket.versions(key)), str(status)


def _hold(trial: Trial) -> Answer:
    key, version = trial.locked(SHORT)
    put = trial.hold(key, version, "ON")
    trial.wait_for_the_end(key, version)
    held = trial.bucket.ask("DELETE", trial.target(key, version), headers=BYPASS).status
    kept, _ = trial.refused(key, version, held)
    lifted = trial.hold(key, version, "OFF")
    gone = trial.bucket.ask("DELETE", trial.target(key, version)).status
    return kept and not trial.bucket.versions(key), ", ".join(map(str, (put, held, lifted, gone)))


def _delete_bucket(trial: Trial) -> Answer:
    key, version = trial.locked()
    return trial.refused(key, version, trial.bucket.ask("DELETE", trial.root).status)


def _suspend(trial: Trial) -> Answer:
    body = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
    status = trial.bucket.ask("PUT", f"{trial.root}?versioning=", body, md5(body)).status
    return status in REFUSED and trial.bucket.rule().versioned, str(status)


def _wrong_secret(trial: Trial) -> Answer:
    key, _ = trial.locked()
    status = trial.bucket.ask("GET", trial.target(key), secret=secrets.token_hex(20)).status
    return status == HTTPStatus.FORBIDDEN, str(status)


def _anybody(trial: Trial) -> Answer:
    key, _ = trial.locked()
    status = trial.bucket.ask_unsigned(trial.target(key)).status
    return status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}, str(status)


def _address_that_ended(trial: Trial) -> Answer:
    key, _ = trial.locked()
    status = trial.bucket.ask_unsigned(trial.bucket.address_that_ended(trial.bucket.archive, key)).status
    return status in REFUSED, str(status)


_OF_THE_ARCHIVE: dict[str, Callable[[Place], Answer]] = {
    "clock": _clock,
    "versioning": _versioning,
    "default_lock": _default_lock,
}
_OF_THE_SERVER: dict[str, Callable[[Trial], Answer]] = {
    "put_once": _put_once,
    "digest": _digest,
    "locks_by_itself": _locks_by_itself,
    "tells_its_lock": _tells_its_lock,
    "delete": _delete,
    "delete_with_bypass": _delete_with_bypass,
    "delete_in_batch": _delete_in_batch,
    "shorten": _shorten,
    "downgrade": _downgrade,
    "extend": _extend,
    "write_over": _write_over,
    "marker": _marker,
    "hold": _hold,
    "delete_bucket": _delete_bucket,
    "suspend": _suspend,
    "wrong_secret": _wrong_secret,
    "anybody": _anybody,
    "address_that_ended": _address_that_ended,
}
