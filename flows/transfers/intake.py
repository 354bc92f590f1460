"""Receiving a package: its bytes are kept unlocked, among the documents, until it is known whether they are taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from sqlmodel import Session, select

from core.blobs import Blob, Readable
from core.database import Database, ScopedSession
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine.intake import Deposit, Received, receive
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.transfers import repeats
from flows.transfers.flow import TRANSFER
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import DRY_RUN, PACKAGE

FIELDS = frozenset({DRY_RUN})
_MEDIA_TYPE = "application/octet-stream"  # what it is, its content says: nothing here opens it before the checks
_YES = {"1", "true", "oui", "yes"}


def deposit(
    platform: Platform,
    principal: Principal,
    organisation_id: str,
    source: Readable,
    name: str,
    idempotency_key: str | None = None,
    said: Mapping[str, str] | None = None,
) -> Received:
    """Receive a package, or return the dossier that the same bytes have already made and that stands (`flows.transfers.repeats`).

    Args:
        platform: its parts.
        principal: who hands it over.
        organisation_id: whose archive it becomes.
        source: the package.
        name: of its file.
        idempotency_key: makes a repeat harmless.
        said: ``dry_run``: the package is checked, and goes no further; such a one is made anew each time.

    Raises:
        Forbidden: the principal may not deposit for the organisation.
        Conflict: the key was used for another package.
        TooLarge, Unavailable: see ``core.blobs``.
    """
    principal.require(Right.DEPOSIT, organisation_id)
    blob = platform.objects.put(source, platform.settings.upload_limit)
    return taken(platform, principal, organisation_id, blob, name, idempotency_key, said)


def taken(
    platform: Platform,
    principal: Principal,
    organisation_id: str,
    blob: Blob,
    name: str,
    idempotency_key: str | None = None,
    said: Mapping[str, str] | None = None,
) -> Received:
    """Receive a package that is among the documents already; otherwise as ``deposit``.

    Raises:
        Forbidden, Conflict: as ``deposit``.
    """
    principal.require(Right.DEPOSIT, organisation_id)
    shown = PurePath(name.replace("\\", "/")).name[:200] or "versement"
    dry_run = (said or {}).get(DRY_RUN, "").casefold() in _YES
    if not dry_run:
        _free(platform.database, organisation_id, blob.sha256)
    received = Deposit(
        organisation_id,
        shown,
        KeptFile(PACKAGE, shown, _MEDIA_TYPE, blob.sha256, blob.size),
        None if dry_run else blob.sha256,
        idempotency_key,
        {DRY_RUN: True} if dry_run else {},
        apply=_transfer,
    )
    return receive(platform.database, TRANSFER, principal, received)


def earlier(database: Database, organisation_id: str, sha256: str) -> Dossier | None:
    """Return the dossier that the same bytes have made; None when they made none, or none that stands any more."""
    with database.reading(PLATFORM) as session:
        found = _known(session, organisation_id, sha256)
        return found if found is not None and repeats.stands(session, found) else None


def _free(database: Database, organisation_id: str, sha256: str) -> None:
    """Let octets be handed over again whose transfer does not stand any more."""
    with database.reading(PLATFORM) as session:
        found = _known(session, organisation_id, sha256)
        if found is None or repeats.stands(session, found):
            return
    with database.writing(PLATFORM) as session:
        session.get_one(Dossier, found.id).reference = None
        session.get_one(ArchiveTransfer, found.id).identity = None


def _known(session: Session, organisation_id: str, sha256: str) -> Dossier | None:
    same = (Dossier.flow == TRANSFER.name, Dossier.organisation_id == organisation_id, Dossier.reference == sha256)
    return session.exec(select(Dossier).where(*same)).first()


def _transfer(session: ScopedSession, dossier: Dossier) -> None:
    session.add(ArchiveTransfer(dossier_id=dossier.id, organisation_id=dossier.organisation_id))
    session.flush()
