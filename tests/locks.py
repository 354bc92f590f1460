"""Ends locks before their time, which GOVERNANCE lets an administrator do: for what comes once nothing is locked any more."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import quote

from core import clock
from core.locked_objects import LockedObjects
from core.s3 import content_md5
from tests.waiting import wait_until


def end_lock(store: LockedObjects, key: str, version: str) -> None:
    """Have the lock of a version, put in GOVERNANCE mode, end in a second, and wait for it."""
    end = (clock.now() + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = f"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>{end}</RetainUntilDate></Retention>".encode()
    target = f"/{store.archive}/{quote(key)}?retention=&versionId={version}"
    answer = store.ask("PUT", target, body, md5(body) | {"x-amz-bypass-governance-retention": "true"})
    assert answer.status == HTTPStatus.OK, answer.data
    until = store.lock_of(key, version).until
    assert until is not None
    wait_until(lambda: clock.now() > until)


def md5(body: bytes) -> dict[str, str]:
    """Return the header that S3 asks for beside what changes a lock."""
    return {"Content-MD5": content_md5(hashlib.md5(body, usedforsecurity=False).digest())}
