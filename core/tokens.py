"""API tokens: how software is known. Shown once, kept as a digest, bound to an organisation and all below it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Column
from sqlmodel import Field, Session

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.errors import Unauthenticated
from core.identifiers import new_id
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.principal import Principal, Right

_messages = Catalogue("core")
_PREFIX = "tab"


class ApiToken(Owned, table=True):
    """A token of an organisation's software."""

    __tablename__ = "api_token"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    name: str = Field(max_length=120)
    digest: str = Field(max_length=64)
    rights: list[str] = Field(sa_column=Column(JsonValue, nullable=False))
    expires: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    revoked: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


def issue_token(
    session: Session,
    organisation: Organisation,
    name: str,
    rights: set[Right],
    lifetime: timedelta = timedelta(days=365),
) -> str:
    """Make a token and return its only readable copy: ``tab_<identifier>_<secret>``, the secret of 256 bits."""
    secret = secrets.token_urlsafe(32)
    token = ApiToken(
        organisation_id=organisation.id,
        name=name,
        digest=_digest(secret),
        rights=sorted(rights),
        expires=clock.now() + lifetime,
    )
    session.add(token)
    session.flush()
    return f"{_PREFIX}_{token.id}_{secret}"


def software_behind(session: Session, bearer: str) -> Principal:
    """Return the principal of a token.

    Raises:
        Unauthenticated: unknown, revoked or expired; an expired one is told apart, since its holder must renew it.
    """
    prefix, _, rest = bearer.partition("_")
    identifier, _, secret = rest.partition("_")
    token = session.get(ApiToken, identifier) if prefix == _PREFIX else None
    known = hmac.compare_digest(token.digest if token else "", _digest(secret))
    if token is None or not known or token.revoked is not None:
        raise Unauthenticated(_messages("token.unknown"))
    if token.expires <= clock.now():
        raise Unauthenticated(_messages("token.expired", day=clock.in_paris(token.expires)))
    organisation = session.get(Organisation, token.organisation_id)
    if organisation is None:
        raise Unauthenticated(_messages("token.orphan"))
    rights = frozenset(Right(right) for right in token.rights)
    return Principal(f"token:{token.id}", dict.fromkeys(subtree(session, organisation.path), rights))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
