"""A sitting from its ticket to its end: the short transactions around it. What happens to its documents is in ``items``.

A ticket and a token are ``<identifier>_<secret>``, the secret of 256 bits, kept as a digest and compared in constant time. Every
statement names a sitting whose token was shown: it runs as the platform's own, and under a lock on the sitting's row where two
requests could meet.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from sqlalchemy import Connection, Row, Table, func, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_objects

from core import clock, journal
from core.blobs import Blob
from core.database import Database, ScopedSession
from core.errors import Conflict, NotFound, Unauthenticated, UnreadableInput, UsageError
from core.messages import Catalogue
from core.principal import PLATFORM, Principal
from signing import formats
from signing.algorithms import CERTIFICATE_FLAWS
from signing.keys import check_fit
from signing.legs import Format, Signatory
from signing.sittings.models import ItemState, Sitting, SittingItem, SittingState

_messages = Catalogue("signing")
TICKET_FOR = timedelta(minutes=10)
TOKEN_FOR = timedelta(hours=4)
MOST_DOCUMENTS = 1000
_LONGEST_CHAIN = 10
_LARGEST_CERTIFICATE = 64 * 1024
_PASS = re.compile(r"([0-9A-Z]{26})_([\w-]{43})", re.ASCII)
_sitting: Table = Sitting.__table__  # type: ignore[attr-defined]
_item: Table = SittingItem.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be signed.

    Attributes:
        title: what the person reads.
        how: the format, with what the signature will say.
        blob: the document in the object store.
        media_type: of the document.
        reference: what whoever asks knows it by; given back with the outcome.
    """

    title: str
    how: Format
    blob: Blob
    media_type: str = "application/octet-stream"
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """What lets somebody in: shown once, kept as a digest.

    Attributes:
        sitting_id: what it opens.
        secret: the ticket, or the token.
        expires: until when.
    """

    sitting_id: str
    secret: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of a document.

    Attributes:
        result: the signed document, or its detached signature; None unless it was signed.
        verdict: what our strict verification said of it.
        detail: why it was refused.
    """

    id: str
    title: str
    format: str
    reference: str | None
    state: ItemState
    result: Blob | None
    verdict: dict[str, Any] | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sitting and of its documents, in their order."""

    id: str
    organisation_id: str
    person: str
    state: SittingState
    reason: str | None
    expires: datetime
    items: tuple[ItemOutcome, ...]


def open_sitting(
    database: Database, principal: Principal, organisation_id: str, person: str, documents: Sequence[Document]
) -> Pass:
    """Open a sitting and return the only readable copy of its ticket.

    Args:
        database: where it is kept.
        principal: in whose name; whether it may is the caller's to know.
        organisation_id: whose documents they are.
        person: how to greet who signs.
        documents: in the order in which they are shown.

    Raises:
        UsageError: no document, or more than a thousand.
        Forbidden: the principal holds no right in the organisation.
    """
    if not 0 < len(documents) <= MOST_DOCUMENTS:
        raise UsageError(_messages("sitting.documents", found=len(documents), most=MOST_DOCUMENTS))
    secret = secrets.token_urlsafe(32)
    sitting = Sitting(
        organisation_id=organisation_id,
        person=person,
        actor=principal.actor,
        ticket_digest=_digest(secret),
        expires=clock.now() + TICKET_FOR,
    )
    with database.writing(principal) as session:
        session.add(sitting)
        session.flush()
        session.add_all(_new_item(sitting, rank, document) for rank, document in enumerate(documents))
        write_journal(session, sitting, "opened", {"documents": len(documents)})
    return Pass(sitting.id, f"{sitting.id}_{secret}", sitting.expires)


def _new_item(sitting: Sitting, rank: int, document: Document) -> SittingItem:
    return SittingItem(
        organisation_id=sitting.organisation_id,
        sitting_id=sitting.id,
        rank=rank,
        title=document.title[:200],
        media_type=document.media_type,
        format=document.how.name,
        context=formats.as_json(document.how),
        sha256=document.blob.sha256,
        size=document.blob.size,
        reference=document.reference,
    )


def redeem(database: Database, ticket: str) -> Pass:
    """Exchange a ticket for a token; of two who try, one succeeds.

    Raises:
        Unauthenticated: the ticket is unknown, used or expired: the three are not told apart.
    """
    sitting_id, secret = _parts(ticket)
    token, until = secrets.token_urlsafe(32), clock.now() + TOKEN_FOR
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        row = connection.execute(select(_sitting).where(_sitting.c.id == sitting_id)).first()
        if not _matches(row.ticket_digest if row else None, secret):
            raise Unauthenticated(_messages("sitting.ticket"))
        taken = connection.execute(
            update(_sitting)
            .where(_sitting.c.id == sitting_id, _sitting.c.state == SittingState.OPEN.value)
            .where(_sitting.c.ticket_digest == _digest(secret), _sitting.c.expires > clock.now())
            .values(state=SittingState.CLAIMED.value, ticket_digest=None, token_digest=_digest(token), expires=until)
        )
        if taken.rowcount != 1:
            raise Unauthenticated(_messages("sitting.ticket"))
    return Pass(sitting_id, f"{sitting_id}_{token}", until)


def holder(database: Database, token: str) -> Sitting:
    """Return the sitting behind a token, whatever its state: an ended one may be closed again.

    Raises:
        Unauthenticated: the token is unknown or expired.
    """
    sitting_id, secret = _parts(token)
    with database.reading(PLATFORM) as session:
        sitting = session.get(Sitting, sitting_id)
    known = _matches(sitting.token_digest if sitting else None, secret)
    if sitting is None or not known or sitting.expires <= clock.now():
        raise Unauthenticated(_messages("sitting.token"))
    return sitting


def bind(database: Database, sitting_id: str, certificate: bytes, chain: Sequence[bytes]) -> Sitting:
    """Bind the certificate that signs, once and for all, and return the sitting; the same one again changes nothing.

    Args:
        database: where the sitting is kept.
        sitting_id: the sitting.
        certificate: DER.
        chain: the authorities above it, DER, nearest first.

    Raises:
        UnreadableInput: one of them is no certificate.
        KeyRefused: the certificate must not sign.
        Conflict: another certificate was bound, or the sitting is over.
    """
    _check(certificate, chain)
    with database.writing(PLATFORM) as session:
        row = hold(session.connection(), sitting_id)
        if row.certificate is None:
            written = [base64.b64encode(one).decode() for one in chain]
            _change(session.connection(), sitting_id, certificate=certificate, chain=written)
            write_journal(session, row, "bound", {"certificate": hashlib.sha256(certificate).hexdigest()})
        elif not hmac.compare_digest(row.certificate, certificate):
            raise Conflict(_messages("sitting.certificate_bound"))
        return session.exec(select_objects(Sitting).where(Sitting.id == sitting_id)).one()


def _check(certificate: bytes, chain: Sequence[bytes]) -> None:
    if len(chain) > _LONGEST_CHAIN or any(len(one) > _LARGEST_CERTIFICATE for one in (certificate, *chain)):
        raise UnreadableInput(_messages("sitting.certificate"))
    try:
        for one in chain:
            x509.load_der_x509_certificate(one).public_key()
        check_fit(x509.load_der_x509_certificate(certificate), clock.now())
    except (*CERTIFICATE_FLAWS, UnsupportedAlgorithm) as error:
        raise UnreadableInput(_messages("sitting.certificate")) from error


def signatory_of(sitting: Sitting) -> Signatory:
    """Return who signs in a sitting.

    Raises:
        Conflict: no certificate was bound yet.
    """
    if sitting.certificate is None:
        raise Conflict(_messages("sitting.no_certificate"))
    chain = tuple(x509.load_der_x509_certificate(base64.b64decode(one)) for one in sitting.chain)
    return Signatory(x509.load_der_x509_certificate(sitting.certificate), chain)


def close(database: Database, sitting_id: str) -> None:
    """End a sitting: what is not signed stays unsigned. Closing again changes nothing.

    Raises:
        Conflict: it was abandoned, or has expired.
    """
    _end(database, sitting_id, SittingState.CLOSED)


def abandon(database: Database, sitting_id: str, reason: str) -> None:
    """Give a sitting up: documents already signed stay so, the others stay as they came. Again changes nothing.

    Args:
        database: where it is kept.
        sitting_id: the sitting.
        reason: in the words of who signs; kept, but never in the journal.

    Raises:
        Conflict: it was closed, or has expired.
    """
    _end(database, sitting_id, SittingState.ABANDONED, reason=reason[:1000])


def call_off(database: Database, sitting_id: str, reason: str) -> None:
    """Give a sitting up in the name of whoever opened it, whether anybody has come to sign or not.

    Raises:
        Conflict: it is over.
    """
    under_way = frozenset({SittingState.OPEN, SittingState.CLAIMED})
    _end(database, sitting_id, SittingState.ABANDONED, under_way, reason=reason[:1000])


def _end(
    database: Database,
    sitting_id: str,
    state: SittingState,
    leaves: frozenset[SittingState] = frozenset({SittingState.CLAIMED}),
    **values: Any,
) -> None:
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        row = _locked(connection, sitting_id)
        if row.state == state.value:
            return
        if _standing(row) not in leaves:
            raise Conflict(_messages("sitting.over"))
        _conclude(session, row, state, **values)


def expire(database: Database) -> int:
    """End the sittings whose time is up, and return how many there were."""
    over = select(_sitting).where(
        _sitting.c.state.in_((SittingState.OPEN.value, SittingState.CLAIMED.value)), _sitting.c.expires <= clock.now()
    )
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        rows = connection.execute(over.with_for_update(skip_locked=True)).all()
        for row in rows:
            _conclude(session, row, SittingState.EXPIRED)
    return len(rows)


def _conclude(session: Session, sitting: Row[Any], state: SittingState, **values: Any) -> None:
    """Write the end of a sitting; a signature value that was not used is not kept."""
    connection = session.connection()
    _change(connection, sitting.id, state=state.value, ticket_digest=None, **values)
    unsigned = _item.c.state.in_((ItemState.WAITING.value, ItemState.PREPARED.value))
    connection.execute(update(_item).where(_item.c.sitting_id == sitting.id, unsigned).values(given={}))
    write_journal(session, sitting, state.value, _counts(connection, sitting.id))


def outcome(session: ScopedSession, sitting_id: str) -> Outcome:
    """Return what became of a sitting, as far as it went.

    Raises:
        NotFound: there is none, or the session's principal does not see it.
    """
    sitting = session.exec(select_objects(Sitting).where(Sitting.id == sitting_id)).first()
    if sitting is None:
        raise NotFound(_messages("sitting.unknown"))
    wanted = select_objects(SittingItem).where(SittingItem.sitting_id == sitting_id).order_by(col(SittingItem.rank))
    return Outcome(
        sitting.id,
        sitting.organisation_id,
        sitting.person,
        _standing(sitting),
        sitting.reason,
        sitting.expires,
        tuple(_outcome_of(item) for item in session.exec(wanted)),
    )


def _outcome_of(item: SittingItem) -> ItemOutcome:
    result = Blob(item.result_sha256, item.result_size or 0) if item.result_sha256 else None
    state = ItemState(item.state)
    return ItemOutcome(item.id, item.title, item.format, item.reference, state, result, item.verdict, item.detail)


def items_of(database: Database, sitting_id: str, item_ids: Collection[str] | None = None) -> list[SittingItem]:
    """Return the documents of a sitting, or those of them that are named, in order."""
    wanted = select_objects(SittingItem).where(SittingItem.sitting_id == sitting_id).order_by(col(SittingItem.rank))
    if item_ids is not None:
        wanted = wanted.where(col(SittingItem.id).in_(item_ids))
    with database.reading(PLATFORM) as session:
        return list(session.exec(wanted))


def item_of(database: Database, sitting_id: str, item_id: str) -> SittingItem:
    """Return a document of a sitting.

    Raises:
        NotFound: it is not one.
    """
    with database.reading(PLATFORM) as session:
        item = session.get(SittingItem, item_id)
    if item is None or item.sitting_id != sitting_id:
        raise NotFound(_messages("sitting.no_item"))
    return item


def hold(connection: Connection, sitting_id: str) -> Row[Any]:
    """Lock a sitting under way until the end of the transaction, and return it.

    Raises:
        Conflict: it is over.
    """
    row = _locked(connection, sitting_id)
    refuse_ended(row)
    return row


def _locked(connection: Connection, sitting_id: str) -> Row[Any]:
    return connection.execute(select(_sitting).where(_sitting.c.id == sitting_id).with_for_update()).one()


def refuse_ended(sitting: Sitting | Row[Any]) -> None:
    """Go on only with a sitting under way.

    Raises:
        Conflict: it is over.
    """
    if _standing(sitting) is not SittingState.CLAIMED:
        raise Conflict(_messages("sitting.over"))


def _standing(sitting: Sitting | Row[Any]) -> SittingState:
    """Return the state of a sitting; its time may be up before anybody has written so."""
    state = SittingState(sitting.state)
    under_way = state in {SittingState.OPEN, SittingState.CLAIMED}
    return SittingState.EXPIRED if under_way and sitting.expires <= clock.now() else state


def _change(connection: Connection, sitting_id: str, **values: Any) -> None:
    connection.execute(update(_sitting).where(_sitting.c.id == sitting_id).values(**values))


def _counts(connection: Connection, sitting_id: str) -> dict[str, int]:
    counted = select(_item.c.state, func.count()).where(_item.c.sitting_id == sitting_id).group_by(_item.c.state)
    found = {state: count for state, count in connection.execute(counted)}  # noqa: C416 - rows are no pairs to mypy
    return {state.value: found.get(state.value, 0) for state in ItemState}


def write_journal(session: Session, sitting: Sitting | Row[Any], did: str, facts: dict[str, Any]) -> None:
    """Tell what happened in a sitting: identifiers, digests and counts."""
    journal.write(
        session,
        organisation_id=sitting.organisation_id,
        kind=f"sitting.{did}",
        actor=sitting.actor,
        facts={"sitting": sitting.id, **facts},
    )


def _parts(shown: str) -> tuple[str, str]:
    found = _PASS.fullmatch(shown)
    return (found[1], found[2]) if found else ("", "")


def _matches(digest: str | None, secret: str) -> bool:
    return hmac.compare_digest(digest or "", _digest(secret)) and digest is not None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
