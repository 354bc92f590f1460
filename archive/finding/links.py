"""The link that a reader is given to what was agreed: a secret whose digest alone is kept, with an end, for once."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import select

from archive.finding.dip import write_dip
from archive.finding.models import ReadingRequest, RequestState
from archive.finding.requests import GIVEN, LINKED, Seen, changed, closed_since, records_of, seen, tell
from archive.stored_zip import stored_zip
from core import clock
from core.errors import Conflict, NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.settings import Settings

_messages = Catalogue("archive.finding")
PREFIX = "/lecture"
_LINK_LASTS = timedelta(days=14)


def new_link(platform: Platform, principal: Principal, request_id: str) -> str:
    """Return the secret of a new link to what was agreed; an older one opens nothing any more.

    Raises:
        NotFound: no such request for this principal.
        Forbidden: the principal manages no archives there.
        Conflict: it is not agreed, or a record was closed since.
    """
    with platform.database.reading(principal) as session:
        asked = seen(session, request_id)
    request = asked.request
    principal.require(Right.ARCHIVE, request.organisation_id)
    if closed_since(asked):
        raise Conflict(_messages("request.closed"))
    secret = secrets.token_urlsafe(32)
    values = {"link": digest_of(secret), "link_ends": clock.now() + _LINK_LASTS, "state": RequestState.AGREED.value}
    with platform.database.writing(PLATFORM) as session:
        # What was given is given again to a reader whose download broke off: the journal tells both.
        if not any(changed(session, request_id, state, values) for state in (RequestState.AGREED, RequestState.GIVEN)):
            raise Conflict(_messages("request.not_agreed"))
        tell(session, request, LINKED, principal.actor, records_of(session, request_id))
    return secret


def address(settings: Settings, secret: str) -> str:
    """Return the address of the page that a secret opens."""
    base = settings.public_url or f"http://{settings.http_host}:{settings.http_port}"
    return f"{base.rstrip('/')}{PREFIX}/{secret}"


def behind(platform: Platform, secret: str) -> Seen:
    """Return what a link opens.

    Raises:
        NotFound: it never opened anything, was used, has ended, or a record was closed since: they are not told apart.
    """
    with platform.database.reading(PLATFORM) as session:
        request = session.exec(select(ReadingRequest).where(ReadingRequest.link == digest_of(secret))).first()
        if request is None or request.state != RequestState.AGREED or _has_ended(request.link_ends):
            raise NotFound(_messages("request.link"))
        opened = seen(session, request.id)
    if closed_since(opened):
        raise NotFound(_messages("request.link"))
    return opened


def take(platform: Platform, secret: str, target: Path) -> None:
    """Write what a link opens to a file, and use the link up, once all of it was read back and found whole.

    What was destroyed since it was asked for keeps nothing else from the reader.

    Raises:
        NotFound: as ``behind``; or all of it was destroyed.
        ObjectMissing, ObjectAltered, Unavailable: a record cannot be read back; the link still opens.
    """
    opened = behind(platform, secret)
    if not opened.kept:
        raise NotFound(_messages("request.eliminated"))
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        copies = []
        for record in opened.kept:
            copy = Path(folder) / f"archive-{record.id}.zip"
            write_dip(platform, record.id, copy, opened.ranks(record), request=opened.request.id)
            copies.append(copy)
        if len(copies) == 1:
            copies[0].replace(target)
        else:
            with stored_zip(target, opened.request.made) as zipped:
                for copy in copies:
                    zipped.add(copy.name, copy)
    values = {"state": RequestState.GIVEN.value, "given": clock.now(), "link": None, "link_ends": None}
    with platform.database.writing(PLATFORM) as session:
        if not changed(session, opened.request.id, RequestState.AGREED, values, link=digest_of(secret)):
            raise NotFound(_messages("request.link"))
        tell(session, opened.request, GIVEN, "reader", [record.id for record in opened.kept])


def digest_of(secret: str) -> str:
    """Return what is kept of a secret: SHA-256, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _has_ended(moment: datetime | None) -> bool:
    return moment is None or moment <= clock.now()
