"""Receiving a document: a dossier, and the folder in which people will find it, in one transaction."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import PurePath
from typing import Any

from sqlmodel import Session, select

from core.blobs import Readable
from core.database import ScopedSession
from core.errors import Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.document.flow import DOCUMENT
from flows.engine.intake import Deposit, Received, receive
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from signing.parapheur import desks, folders, typology
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.models import Desk, DocumentKind, Visibility

_messages = Catalogue("flows.document")
FIELDS = frozenset({"title", "type", "subtype", "desk", "due", "visibility", "metadata", "external_id", "start"})
_ROLES = {DocumentKind.MAIN: "document", DocumentKind.ANNEX: "annex", DocumentKind.SIGNATURE: "signature"}
_NO = {"0", "false", "non", "no"}


@dataclass(frozen=True, slots=True)
class Submission:
    """Documents for the parapheur.

    Attributes:
        documents: at least one main document; they are in the object store.
        emitter: identifier or short name of the desk that sends.
        subtype_id: None while nobody has chosen.
        starts: the circuit starts as soon as the documents were checked; otherwise it stays a draft.
    """

    organisation_id: str
    title: str
    documents: Sequence[Joined]
    emitter: str
    subtype_id: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    variables: Sequence[str] = ()
    due: date | None = None
    visibility: Visibility = Visibility.CONFIDENTIAL
    external_id: str | None = None
    starts: bool = False
    idempotency_key: str | None = None


def submit(platform: Platform, principal: Principal, submission: Submission) -> Received:
    """Make a dossier and its folder, or return the dossier that the same submission has already made.

    Raises:
        Forbidden: the principal may not deposit for the organisation, or does not hold the desk.
        UsageError: no main document, no such desk, metadata that do not read as their kind.
        Conflict: the key or the external identifier was used for another content.
    """
    first = next((one for one in submission.documents if one.kind is DocumentKind.MAIN), None)
    if first is None:
        raise UsageError(_messages("submit.empty"))
    with platform.database.reading(principal) as session:
        emitter = emitting_desk(session, principal, submission.organisation_id, submission.emitter)
    deposit = Deposit(
        submission.organisation_id,
        folders.titled(submission.title),
        _kept(first),
        submission.external_id,
        submission.idempotency_key,
        {"starts": submission.starts},
        tuple(_kept(one) for one in submission.documents if one is not first),
        confidential=submission.visibility is Visibility.CONFIDENTIAL,
        asked=_asked(submission, emitter.id),
        apply=partial(_folder, principal, submission, emitter.id),
    )
    return receive(platform.database, DOCUMENT, principal, deposit)


def _asked(submission: Submission, emitter_id: str) -> dict[str, Any]:
    return {
        "desk": emitter_id,
        "subtype": submission.subtype_id,
        "fields": sorted([key, value] for key, value in submission.fields.items()),
        "variables": list(submission.variables),
        "due": submission.due.isoformat() if submission.due else None,
    }


def _kept(document: Joined) -> KeptFile:
    return KeptFile(_ROLES[document.kind], document.name, document.media_type, document.sha256, document.size)


def _folder(principal: Principal, wanted: Submission, emitter_id: str, session: ScopedSession, dossier: Dossier) -> None:
    folders.create(
        session,
        NewFolder(
            dossier_id=dossier.id,
            organisation_id=wanted.organisation_id,
            title=wanted.title,
            emitter_id=emitter_id,
            author=principal.actor,
            documents=wanted.documents,
            subtype_id=wanted.subtype_id,
            fields=wanted.fields,
            variables=wanted.variables,
            due=wanted.due,
            visibility=wanted.visibility,
            external_id=wanted.external_id,
        ),
    )


def emitting_desk(session: Session, principal: Principal, organisation_id: str, named: str) -> Desk:
    """Return the desk in whose name a principal sends: one that the person holds; any that may send, for software.

    Raises:
        UsageError: there is no such desk.
        Forbidden: the person does not hold it.
    """
    own = select(Desk).where(Desk.organisation_id == organisation_id)
    found = session.exec(own.where((Desk.id == named) | (Desk.short_name == named))).first()
    if found is None or found.closed is not None or not found.may_create:
        raise UsageError(_messages("submit.desk", found=named[:60]))
    if principal.actor.startswith("person:") and found.id not in desks.around(session, desks.person_of(principal)).held:
        raise Forbidden(_messages("submit.not_yours", desk=found.name))
    return found


def deposit(
    platform: Platform,
    principal: Principal,
    organisation_id: str,
    source: Readable,
    name: str,
    idempotency_key: str | None = None,
    said: Mapping[str, str] | None = None,
) -> Received:
    """Receive one document from software, with what its form says of it.

    Args:
        platform: its parts.
        principal: who deposits.
        organisation_id: for whom.
        source: the document.
        name: of its file.
        idempotency_key: makes a repeat harmless.
        said: fields of the form, among ``FIELDS``: ``desk`` is needed; ``type`` and ``subtype`` by name; ``metadata`` a JSON
            object; ``start`` false keeps a draft.

    Raises:
        Forbidden, UsageError, Conflict, TooLarge: see ``submit``.
    """
    principal.require(Right.DEPOSIT, organisation_id)
    told = dict(said or {})
    blob = platform.objects.put(source, platform.settings.upload_limit)
    shown = PurePath(name.replace("\\", "/")).name[:255] or "document"
    document = Joined(DocumentKind.MAIN, shown, media_type_of(shown), blob.sha256, blob.size)
    with platform.database.reading(principal) as session:
        subtype = _subtype(session, organisation_id, told)
    return submit(
        platform,
        principal,
        Submission(
            organisation_id,
            told.get("title") or PurePath(shown).stem,
            (document,),
            told.get("desk", ""),
            subtype,
            _metadata(told.get("metadata", "")),
            due=_day(told.get("due", "")),
            visibility=_visibility(told.get("visibility", "")),
            external_id=told.get("external_id") or None,
            starts=told.get("start", "true").casefold() not in _NO,
            idempotency_key=idempotency_key,
        ),
    )


def media_type_of(name: str) -> str:
    """Return the media type that the name of a file tells."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _subtype(session: Session, organisation_id: str, told: Mapping[str, str]) -> str | None:
    if not told.get("subtype"):
        return None
    try:
        return typology.kind_named(session, organisation_id, told.get("type", ""), told["subtype"]).id
    except NotFound as error:
        raise UsageError(str(error)) from error


def _metadata(text: str) -> dict[str, str]:
    try:
        read = json.loads(text or "{}")
    except ValueError as error:
        raise UsageError(_messages("submit.metadata")) from error
    if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
        raise UsageError(_messages("submit.metadata"))
    return read


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(_messages("submit.due", found=text[:20])) from error


def _visibility(text: str) -> Visibility:
    try:
        return Visibility(text or Visibility.CONFIDENTIAL)
    except ValueError as error:
        raise UsageError(_messages("submit.visibility", found=text[:20])) from error
