"""Receiving an act: its files are kept already; dossier, first message and what is asked are written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import PurePath
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlmodel import select

from core.blobs import Readable
from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes.act import Act, JoinedFile, Piece
from flows.actes.flow import ACTES
from flows.actes.knowledge import classification_of, collectivite_of, publishing_of, siren_of, taken_elsewhere
from flows.actes.models import ActesMessage, MessageState
from flows.actes.publishing_later import PublicationAsked, ask
from flows.actes.settings import ActesPublishing, Author
from flows.engine.intake import Deposit, Received, receive
from flows.engine.models import Dossier, DossierFile
from flows.engine.work import KeptFile
from schemas.actes.classification import DEEPEST
from schemas.actes.codes import NATURES, MessageCode
from schemas.actes.names import IdActe, UnreadableName, type_holds

_messages = Catalogue("flows.actes")
AUTHOR_FIELDS = {"author_first_name": "first_name", "author_last_name": "last_name", "author_capacity": "capacity"}
"""Fields of a form that name the author of a publication, and what each is of it."""
FIELDS = frozenset(
    {"number", "decision_date", "nature", "matiere", "subject", "type", "paper", "previous", "sign", "publish", *AUTHOR_FIELDS}
)
_NO = {"", "0", "false", "non", "no", "n"}
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Submission:
    """An act to be transmitted.

    Attributes:
        document: the main one.
        sign: whether people sign it here first, where the organisation has a circuit for acts.
        publish: what is made public once the State has received it, None for nothing; a repeat changes nothing of it.
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
    publish: PublicationAsked | None = None


def submit(platform: Platform, principal: Principal, submission: Submission) -> Received:
    """Make a dossier of an act, or return the one that the same submission has already made.

    What the act is worth is for the check to say, all problems at once; what cannot even be named is refused here.

    Raises:
        Forbidden: the principal may not deposit for the organisation.
        UsageError: the number, the nature, a date or the act that it replaces cannot be used (rules R30, R31), or what is to be
            published.
        Conflict: the number is taken by another act, the key was used for another content, or such an act is not published.
        NeedsOperator: the organisation is not ready to send acts.
    """
    principal.require(Right.DEPOSIT, submission.organisation_id)
    if submission.nature not in NATURES:
        raise UsageError(_messages("submit.nature", found=submission.nature, known=_known_natures()))
    for joined in (submission.document, *submission.annexes):
        if joined.type is not None and not type_holds(joined.type):
            raise UsageError(_messages("submit.type", name=joined.name, found=joined.type[:20]))
    pieces, files = _named(submission, _annex_type(platform, submission))
    act = Act(
        submission.number.strip(),
        submission.decision_date,
        submission.nature,
        submission.matieres,
        " ".join(submission.subject.split()),
        pieces,
        submission.paper,
        _previous(submission),
    )
    known = collectivite_of(platform, submission.organisation_id)
    identifier = act.identifier(known.department, siren_of(platform, submission.organisation_id))
    publishing = publishing_of(platform, submission.organisation_id) if submission.publish else ActesPublishing()
    deposit = Deposit(
        submission.organisation_id,
        f"{act.number} – {act.subject}",
        files[0],
        str(identifier),
        submission.idempotency_key,
        {"act": act.as_facts(), "id_acte": str(identifier), "sign": submission.sign},
        tuple(files[1:]),
        asked={"publish": _as_json(submission.publish)},
        apply=partial(_with_dossier, principal.actor, identifier, submission.publish, publishing),
    )
    received = receive(platform.database, ACTES, principal, deposit)
    if not received.created:
        _refuse_another(platform, received.dossier, act, files)
    return received


def _previous(submission: Submission) -> str | None:
    """Return the identifier of the act that an act replaces, whether it is known here or not: no message names it otherwise."""
    if not submission.previous:
        return None
    try:
        return str(IdActe.parse(submission.previous))
    except UnreadableName as error:
        raise UsageError(_messages("submit.previous", found=submission.previous[:60])) from error


def _as_json(asked: PublicationAsked | None) -> dict[str, Any] | None:
    author = asked.author.model_dump(mode="json") if asked and asked.author else None
    return None if asked is None else {"author": author, "roles": list(asked.roles)}


def _refuse_another(platform: Platform, dossier: Dossier, act: Act, files: Sequence[KeptFile]) -> None:
    """Refuse what bears the number and the main document of an act that is here, and is another act for all that."""
    with platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier.id)).all()
    here = {one.role: one.sha256 for one in kept}
    if dossier.facts["act"] != act.as_facts() or any(here.get(file.role) != file.sha256 for file in files):
        raise Conflict(_messages("submit.other", number=act.number), dossier.id)


def _annex_type(platform: Platform, submission: Submission) -> str | None:
    """Return the typology of an annex for which nobody chose one; None where it is that of the nature."""
    usual = NATURES[submission.nature].annex_type
    classification = classification_of(platform, submission.organisation_id) if usual else None
    return usual if classification is not None and classification.allows(submission.nature, usual) else None


def _named(submission: Submission, annex_type: str | None) -> tuple[tuple[Piece, ...], list[KeptFile]]:
    pieces, files = [], []
    for rank, joined in enumerate((submission.document, *submission.annexes)):
        role = f"annex.{rank}" if rank else "document"
        files.append(KeptFile(role, joined.name, joined.media_type, joined.sha256, joined.size))
        over = None
        if joined.signature is not None:
            over = f"{role}.signature"
            signature = joined.signature
            files.append(KeptFile(over, signature.name, signature.media_type, signature.sha256, signature.size))
        pieces.append(Piece(role, joined.type or (annex_type if rank else None), over))
    return tuple(pieces), files


def _with_dossier(
    actor: str,
    identifier: IdActe,
    asked: PublicationAsked | None,
    publishing: ActesPublishing,
    session: ScopedSession,
    dossier: Dossier,
) -> None:
    """Write what an act has beside its dossier: its first message, and the publication that is asked for.

    Raises:
        Conflict: an act of another organisation of the same SIREN bears its identifier (rule R31).
    """
    if taken_elsewhere(session, str(identifier), identifier.siren, dossier.organisation_id):
        raise Conflict(_messages("submit.elsewhere", number=identifier.number))
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
    if asked is not None:
        ask(session, dossier, asked, publishing, actor)


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
        publish=_publication_of(told),
    )
    return submit(platform, principal, submission)


def _publication_of(told: Mapping[str, str]) -> PublicationAsked | None:
    if told.get("publish", "").casefold() in _NO:
        return None
    return PublicationAsked(author_told(told))


def author_told(told: Mapping[str, str]) -> Author | None:
    """Return the author that the fields of a form name; None where they name nobody.

    Raises:
        UsageError: a name that is too long, or holds what cannot be shown.
    """
    author = {part: told.get(name, "") for name, part in AUTHOR_FIELDS.items()}
    try:
        return Author.model_validate(author) if any(value.strip() for value in author.values()) else None
    except ValidationError as error:
        raise UsageError(_messages("publication.author")) from error


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
