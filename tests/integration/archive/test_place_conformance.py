"""What an archive asks of an S3 server: the embedded one keeps all of it, and a server that breaks a promise is told by name."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest

from archive.places import conformance
from archive.places.conformance import Check, examine
from archive.places.places import Place
from archive.places.trial import Trial
from core import clock
from core.messages import speaking
from core.s3_server import S3Server
from tests.lax_s3 import Answer, Fault, Pass, Request, lax
from tests.waiting import wait_until

BUCKETS = "x-amz-object-lock-"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check that waits for the end of a lock is left out."""
    monkeypatch.delitem(conformance._OF_THE_SERVER, "hold")


def tried(server: S3Server, fault: Fault | None) -> dict[str, Check]:
    with lax(server, f"t{secrets.token_hex(6)}", fault) as store:
        store.prepare()
        return {check.code: check for check in examine(Place("principal", store, 365))}


def failed(checks: dict[str, Check]) -> set[str]:
    return {code for code, check in checks.items() if not check.kept}


def test_the_embedded_server_keeps_all_that_an_archive_asks_of_it(s3: S3Server) -> None:
    store = s3.store(f"t{secrets.token_hex(6)}")
    store.prepare()
    checks = list(examine(Place("principal", store, 365)))
    assert [check for check in checks if not check.kept] == []
    assert len(checks) == 22
    assert list(store.all_versions()) == []  # of the archive itself only the settings are read


@pytest.mark.usefixtures("hasty")
def test_the_proxy_of_these_tests_breaks_nothing_by_itself(s3: S3Server) -> None:
    assert failed(tried(s3, None)) == set()


def deletes_what_is_locked(request: Request, real: Pass) -> Answer:
    """Forgets a version that it was asked to delete, or says that it did: its lock counts for nothing."""
    version = (request.query.get("versionId") or [""])[0]
    if request.method == "DELETE" and version:
        _gone.add(version)
        return Answer(204)
    if version in _gone:
        return Answer(404, {"Content-Type": "application/xml"}, b"<Error><Code>NoSuchVersion</Code></Error>")
    return real(request)


_gone: set[str] = set()


def writes_twice(request: Request, real: Pass) -> Answer:
    request.headers.pop("If-None-Match", None)
    return real(request)


def does_not_check_digests(request: Request, real: Pass) -> Answer:
    if request.method == "PUT" and not request.query:
        request.headers.pop("Content-MD5", None)
    return real(request)


def shortens(request: Request, real: Pass) -> Answer:
    return Answer(200) if request.method == "PUT" and "retention" in request.query else real(request)


def forgets_versions(request: Request, real: Pass) -> Answer:
    answer = real(request)
    if request.method == "PUT":
        answer.headers = {name: value for name, value in answer.headers.items() if name.lower() != "x-amz-version-id"}
    return answer


def does_not_tell_locks(request: Request, real: Pass) -> Answer:
    answer = real(request)
    answer.headers = {name: value for name, value in answer.headers.items() if not name.lower().startswith(BUCKETS)}
    return answer


def lets_anybody_in(request: Request, real: Pass) -> Answer:
    return real(request)


def forgets_holds(request: Request, real: Pass) -> Answer:
    return Answer(200) if "legal-hold" in request.query else real(request)


def suspends(request: Request, real: Pass) -> Answer:
    return Answer(200) if request.method == "PUT" and "versioning" in request.query else real(request)


def deletes_buckets(request: Request, real: Pass) -> Answer:
    return Answer(204) if request.method == "DELETE" and request.path.count("/") == 1 else real(request)


LETS_IN = {"wrong_secret", "anybody", "address_that_ended"}


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (deletes_what_is_locked, {"delete", "delete_with_bypass"}),
        (writes_twice, {"put_once"}),
        (does_not_check_digests, {"digest"}),
        (shortens, {"shorten", "downgrade", "extend"}),
        (does_not_tell_locks, {"tells_its_lock", "locks_by_itself", "extend"}),
        (lets_anybody_in, set()),
        (suspends, {"suspend"}),
        (deletes_buckets, {"delete_bucket"}),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_a_server_that_breaks_a_promise_is_told_by_name_with_what_to_do(s3: S3Server, fault: Fault, told: set[str]) -> None:
    checks = tried(s3, fault)
    # The proxy signs anew whatever it lets through: it lets anybody in, whatever else it does.
    assert failed(checks) == told | LETS_IN
    assert all(checks[code].mend and checks[code].words for code in told)


def test_a_server_that_forgets_holds_is_told(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    only = {"hold": conformance._OF_THE_SERVER["hold"]}
    monkeypatch.setattr(conformance, "_OF_THE_SERVER", only)
    assert failed(tried(s3, forgets_holds)) == {"hold"}


@pytest.mark.usefixtures("hasty")
def test_a_server_that_tells_no_version_fails_wherever_one_is_needed(s3: S3Server) -> None:
    checks = tried(s3, forgets_versions)
    assert failed(checks) >= {"locks_by_itself", "delete"}
    assert "200" in checks["delete"].seen


@pytest.mark.usefixtures("hasty")
def test_a_second_trial_clears_away_what_the_first_one_left(s3: S3Server) -> None:
    store = s3.store(f"t{secrets.token_hex(6)}")
    store.prepare()
    bucket = store.beside(conformance.BUCKET)
    bucket.prepare()
    key, version = Trial(bucket).locked(timedelta(seconds=1))
    wait_until(lambda: (bucket.lock_of(key, version).until or clock.now()) < clock.now())
    assert all(check.kept for check in examine(Place("principal", store, 365)))
    assert bucket.versions(key) == []


def test_a_clock_that_is_wrong_is_told(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = s3.store(f"t{secrets.token_hex(6)}")
    store.prepare()
    monkeypatch.setattr(store, "clock_skew", lambda: 42.0)
    first = next(examine(Place("principal", store, 365)))
    assert (first.code, first.kept, first.seen) == ("clock", False, "+42 s")
    with speaking("en"):
        assert "NTP" in first.mend


def test_a_bucket_that_cannot_be_made_ends_the_trial_there(s3: S3Server) -> None:
    store = s3.store(f"t{secrets.token_hex(6)}")
    store.prepare()
    store._client.make_bucket(f"{store.archive.removesuffix('-archive')}-{conformance.BUCKET}")
    checks = list(examine(Place("principal", store, 365)))
    assert [(check.code, check.kept) for check in checks][-1] == ("bucket", False)
    assert len(checks) == 4
