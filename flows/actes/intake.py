"""Receiving an act: its files are kept already; the dossier and its first message are written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import PurePath
from typing import TypeVar

from sqlmodel import select

from core.blobs import Readable
from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes.act import Act, JoinedFile, Piece
from flows.actes.flow import ACTES
from flows.actes.knowledge import collectivite_of, siren_of
from flows.actes.models import ActesMessage, MessageState
from flows.engine.intake import Deposit, Received, receive
from flows.engine.models import Dossier, DossierFile
from flows.engine.work import KeptFile
from schemas.actes.classification import DEEPEST
from schemas.actes.codes import NATURES, MessageCode
from schemas.actes.names import IdActe, type_holds

_messages = Catalogue("flows.actes")
FIELDS = frozenset({"number", "decision_date", "nature", "matiere", "subject", "type", "paper", "previous", "sign"})
_NO = {"", "0", "false", "non", "no", "n"}
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Submission:
    """An act to be transmitted.

    Attributes:
        document: the main one.
        sign: whether people sign it here first, where the organisation has a circuit for acts.
    """

    organisation_id: str
    number: str
    decision_date: date
    nature: int
    matieres: tuple[int, ...]
    subject: str
    document: JoinedFile
    annexes: Sequence[JoinedFile] = ()
    paper: bool = False
    previous: str | None = None
    sign: bool = True
    idempotency_key: str | None = None


def submit(platform: Platform, principal: Principal, submission: Submission) -> Received:
    """Make a dossier of an act, or return the one that the same submission has already made.

    What the act is worth is for the check to say, all problems at once; what cannot even be named is refused here.

    Raises:
        Forbidden: the principal may not deposit for the organisation.
        UsageError: the number, the nature or a date cannot be used (rules R30, R31).
        Conflict: the number is taken by another act, or the key was used for another content.
        NeedsOperator: the organisation is not ready to send acts.
    """
    principal.require(Right.DEPOSIT, submission.organisation_id)
    if submission.nature not in NATURES:
        raise UsageError(_messages("submit.nature", found=submission.nature, known=_known_natures()))
    for joined in (submission.document, *submission.annexes):
        if joined.type is not None and not type_holds(joined.type):
            raise UsageError(_messages("submit.type", name=joined.name, found=joined.type[:20]))
    pieces, files = _named(submission)
    act = Act(
        submission.number.strip(),
        submission.decision_date,
        submission.nature,
        submission.matieres,
        " ".join(submission.subject.split()),
        pieces,
        submission.paper,
        submission.previous or None,
    )
    known = collectivite_of(platform, submission.organisation_id)
    identifier = act.identifier(known.department, siren_of(platform, submission.organisation_id))
    deposit = Deposit(
        submission.organisation_id,
        f"{act.number} – {act.subject}",
        files[0],
        str(identifier),
        submission.idempotency_key,
        {"act": act.as_facts(), "id_acte": str(identifier), "sign": submission.sign},
        tuple(files[1:]),
        apply=partial(_first_message, principal.actor, identifier),
    )
    received = receive(platform.database, ACTES, principal, deposit)
    if not received.created:
        _refuse_another(platform, received.dossier, act, files)
    return received


def _refuse_another(platform: Platform, dossier: Dossier, act: Act, files: Sequence[KeptFile]) -> None:
    """Refuse what bears the number and the main document of an act that is here, and is another act for all that."""
    with platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier.id)).all()
    here = {one.role: one.sha256 for one in kept}
    if dossier.facts["act"] != act.as_facts() or any(here.get(file.role) != file.sha256 for file in files):
        raise Conflict(_messages("submit.other", number=act.number), dossier.id)


def _named(submission: Submission) -> tuple[tuple[Piece, ...], list[KeptFile]]:
    pieces, files = [], []
    for rank, joined in enumerate((submission.document, *submission.annexes)):
        role = f"annex.{rank}" if rank else "document"
        files.append(KeptFile(role, joined.name, joined.media_type, joined.sha256, joined.size))
        over = None
        if joined.signature is not None:
            over = f"{role}.signature"
            signature = joined.signature
            files.append(KeptFile(over, signature.name, signature.media_type, signature.sha256, signature.size))
        pieces.append(Piece(role, joined.type, over))
    return tuple(pieces), files


def _first_message(actor: str, identifier: IdActe, session: ScopedSession, dossier: Dossier) -> None:
    session.add(
        ActesMessage(
            organisation_id=dossier.organisation_id,
            dossier_id=dossier.id,
            code=MessageCode.ACTE.value,
            id_acte=str(identifier),
            outgoing=True,
            state=MessageState.TO_SEND.value,
            actor=actor,
        )
    )


def deposit(
    platform: Platform,
    principal: Principal,
    organisation_id: str,
    source: Readable,
    name: str,
    idempotency_key: str | None = None,
    said: Mapping[str, str] | None = None,
) -> Received:
    """Receive an act of one document, with what its form says of it; an act with annexes comes by ``submit``.

    Args:
        platform: its parts.
        principal: who deposits.
        organisation_id: for whom.
        source: the main document.
        name: of its file.
        idempotency_key: makes a repeat harmless.
        said: fields of the form, among ``FIELDS``.

    Raises:
        Forbidden, UsageError, Conflict, NeedsOperator: see ``submit``.
        TooLarge: above the platform's limit; nothing is kept.
    """
    principal.require(Right.DEPOSIT, organisation_id)
    told = dict(said or {})
    blob = platform.objects.put(source, platform.settings.upload_limit)
    shown = PurePath(name.replace("\\", "/")).name[:255] or "acte.pdf"
    document = JoinedFile(shown, media_type_of(shown), blob.sha256, blob.size, told.get("type") or None)
    submission = Submission(
        organisation_id,
        told.get("number", ""),
        field_of(told, "decision_date", date.fromisoformat),
        field_of(told, "nature", int),
        field_of(told, "matiere", matieres_of),
        told.get("subject", ""),
        document,
        paper=told.get("paper", "").casefold() not in _NO,
        previous=told.get("previous") or None,
        sign=told.get("sign", "true").casefold() not in _NO,
        idempotency_key=idempotency_key,
    )
    return submit(platform, principal, submission)


def field_of(told: Mapping[str, str], name: str, reading: Callable[[str], _Read]) -> _Read:
    """Return a field of a form, read.

    Raises:
        UsageError: it is absent, or does not read as what it should be.
    """
    text = told.get(name, "").strip()
    try:
        return reading(text)
    except ValueError as error:
        raise UsageError(_messages(f"submit.{name}", found=text[:40], known=_known_natures())) from error


def matieres_of(text: str) -> tuple[int, ...]:
    """Return the codes of a matière: ``7.10.2``.

    Raises:
        ValueError: it is not one to five numbers joined by full stops.
    """
    codes = text.split(".")
    if len(codes) > DEEPEST or not all(code.isascii() and code.isdigit() for code in codes):
        raise ValueError(text)
    return tuple(map(int, codes))


def media_type_of(name: str) -> str:
    """Return the media type that an extension of the norm tells; content is looked at by the check."""
    types = {
        ".pdf": "application/pdf",
        ".xml": "application/xml",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
    }
    return types.get(PurePath(name.casefold()).suffix, "application/octet-stream")


def _known_natures() -> str:
    return ", ".join(f"{nature.code} ({nature.label})" for nature in NATURES.values())
