"""CreerDossier: a dossier, its folder and the start of its circuit, all of it or nothing."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from api.iparapheur.door import Account
from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import DocAnnexe, Document
from core.blobs import TooLarge
from core.database import ScopedSession
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.problems import Problem, Severity
from flows.document.flow import DOCUMENT
from flows.document.intake import media_type_of
from flows.engine.intake import Deposit, receive
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from signing.examination import pdf_problems
from signing.parapheur import folders, foresight, metadata, starting, typology
from signing.parapheur.desks import Hand
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.history import Said
from signing.parapheur.models import Desk, DocumentKind, Folder, Visibility
from signing.parapheur.typology import Kind, SignatureFormat
from signing.trust import trust_store

_messages = Catalogue("api.iparapheur")
FACTS = "soap"
"""Where a dossier keeps what comes back as it was asked: the visibility by its own name, the place of signatures."""

TITLE = "ph:dossierTitre"
PDF = "application/pdf"
WHOLE = "."
_MEDIA = re.compile(r"[\w.+-]{1,50}/[\w.+-]{1,49}", re.ASCII)
_XML = {"application/xml", "text/xml"}
_LONGEST_ID = 200
_ROLES = {DocumentKind.MAIN: "document", DocumentKind.ANNEX: "annex", DocumentKind.SIGNATURE: "signature"}


def create(platform: Platform, account: Account, asked: wire.CreerDossierRequest) -> tuple[str, str]:
    """Take a new folder and start its circuit; return its identifier and its title.

    What can be refused is refused before a document is kept.

    Raises:
        UsageError: something that is missing, malformed or not done here; the message says which.
        Forbidden: the account may not send it.
        Conflict: the identifier is taken.
        TooLarge: see ``core.blobs``.
        Unavailable: see ``core.blobs``; or too many documents are being looked at.
    """
    _refuse_not_done(asked)
    fields = {one.name: one.value for one in asked.metadata}
    titled = fields.pop(TITLE, "")
    desk, kind = _sender(platform, account, asked)
    if asked.signature_place == WHOLE and kind.signing.format is SignatureFormat.PES:
        raise UsageError(_messages("create.whole"))
    identifier = asked.dossier_id or str(uuid.uuid4())
    if len(identifier) > _LONGEST_ID:
        raise UsageError(_messages("create.identifier", most=_LONGEST_ID))
    title = folders.titled(asked.title or titled or identifier)
    with platform.database.reading(account.principal) as session:
        _refuse_taken(session, desk, identifier)
        _refuse_incomplete(session, desk, kind, fields)
    _refuse_unsound(platform, asked, title)
    new = NewFolder(
        dossier_id="",
        organisation_id=desk.organisation_id,
        title=title,
        emitter_id=desk.id,
        author=account.principal.actor,
        documents=_documents(platform, asked, title),
        subtype_id=kind.id,
        fields=fields,
        due=asked.due,
        visibility=Visibility.PUBLIC if asked.visibility is wire.Visibility.PUBLIC else Visibility.CONFIDENTIAL,
        external_id=identifier,
    )
    _receive(platform, account, account.hand_at(desk), new, asked)
    return identifier, title


def _receive(platform: Platform, account: Account, hand: Hand, new: NewFolder, asked: wire.CreerDossierRequest) -> None:
    """Make the dossier, the folder and its start in one transaction."""
    said = Said(asked.public_note or "", asked.private_note or "")

    def start(session: ScopedSession, dossier: Dossier) -> None:
        made = folders.create(session, replace(new, dossier_id=dossier.id))
        starting.start(session, made.id, hand, said)

    first, *others = (KeptFile(_ROLES[one.kind], one.name, one.media_type, one.sha256, one.size) for one in new.documents)
    facts = {FACTS: {"visibility": asked.visibility.value, "place": asked.signature_place}}
    deposit = Deposit(new.organisation_id, new.title, first, facts=facts, others=tuple(others), apply=start)
    try:
        receive(platform.database, DOCUMENT, account.principal, deposit)
    except IntegrityError as error:  # another request of this identifier came in between
        raise _taken(new.external_id or "") from error


def _refuse_not_done(asked: wire.CreerDossierRequest) -> None:
    """Go on only without what would be asked for and not done."""
    if asked.circuit:
        raise UsageError(_messages("create.circuit"))
    if asked.actes is not None:
        raise UsageError(_messages("create.actes"))


def _sender(platform: Platform, account: Account, asked: wire.CreerDossierRequest) -> tuple[Desk, Kind]:
    """Return the desk that sends, the first by name that may, and the kind of folder."""
    with platform.database.reading(account.principal) as session:
        for desk in account.senders:
            kind = kind_of(session, desk, asked.type, asked.subtype)
            if kind is not None:
                return desk, kind
    raise Forbidden(_messages("create.kind", type=asked.type[:120], subtype=asked.subtype[:120]))


def kinds_at(session: Session, desk: Desk) -> list[Kind]:
    """Return the kinds of folder that a desk may send, by name of their type, then by their own."""
    return typology.creatable(typology.kinds(session, desk.organisation_id), [desk.id])


def kind_of(session: Session, desk: Desk, type_name: str, name: str) -> Kind | None:
    """Return a kind of folder by its two names, if the desk may send it."""
    try:
        found = typology.kind_named(session, desk.organisation_id, type_name, name)
    except NotFound:
        return None
    return next(iter(typology.creatable([found], [desk.id])), None)


def _refuse_taken(session: Session, desk: Desk, identifier: str) -> None:
    there = select(Folder.id).where(Folder.organisation_id == desk.organisation_id, Folder.external_id == identifier)
    if session.exec(there).first() is not None:
        raise _taken(identifier)


def _refuse_incomplete(session: Session, desk: Desk, kind: Kind, fields: dict[str, str]) -> None:
    """Go on only with the metadata that the kind asks for, and a circuit whose desks are known."""
    uses, declared = kind.options.fields, metadata.declared(session, desk.organisation_id)
    defaults = {use.key: use.default for use in uses if use.default}
    whole = metadata.checked(declared, fields, [use.key for use in uses if use.mandatory], defaults)
    foresight.foresee(session, kind, desk, whole)


def _taken(identifier: str) -> Conflict:
    return Conflict(f"Le nom de dossier est déjà présent dans le Parapheur: dossierID = {identifier}")


def _refuse_unsound(platform: Platform, asked: wire.CreerDossierRequest, title: str) -> None:
    """Look at every PDF as the check will: by then desks have the folder, and the software an answer that tells of no refusal."""
    trust = trust_store(platform.settings.trust_dir)
    named = ((asked.document_name or title, asked.document), *((one.name, _typed(one)) for one in (*asked.more, *asked.annexes)))
    for name, document in named:
        shown = file_name(name)
        if _size_of(document) and media_of(document.media, shown) == PDF:
            _refuse_broken(shown, pdf_problems(document.path, shown, trust=trust))


def _refuse_broken(name: str, problems: Sequence[Problem]) -> None:
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        said = " ".join(f"{problem.message} {problem.mend or ''}".strip() for problem in errors)
        raise UsageError(_messages("create.unsound", name=name, reason=said))


def _documents(platform: Platform, asked: wire.CreerDossierRequest, title: str) -> list[Joined]:
    """Keep the documents: a main one is followed by its signature; that of an annex is ignored, as it always was."""
    name = asked.document_name or title
    found = _kept(platform, name, asked.document, asked.signature, DocumentKind.MAIN)
    for one in asked.more:
        found += _kept(platform, one.name, _typed(one), one.signature, DocumentKind.MAIN)
    for one in asked.annexes:
        found += _kept(platform, one.name, _typed(one), None, DocumentKind.ANNEX)
    return found


def _typed(annex: DocAnnexe) -> Document:
    return Document(annex.file.path, annex.file.media or annex.media or "")


def _kept(platform: Platform, name: str, document: Document, signature: Document | None, kind: DocumentKind) -> list[Joined]:
    shown = file_name(name)
    media = media_of(document.media, shown)
    found = [_put(platform, document, kind, shown, media)]
    if signature is not None:
        is_xml = media_of(signature.media, "") in _XML
        beside = f"{PurePath(shown).stem[:200]}-0-signature_externe{'.xml' if is_xml else '.p7s'}"
        kind_of_signature = "application/xml" if is_xml else "application/pkcs7-signature"
        found.append(_put(platform, signature, DocumentKind.SIGNATURE, beside, kind_of_signature, shown))
    return found


def _put(platform: Platform, document: Document, kind: DocumentKind, name: str, media: str, of: str | None = None) -> Joined:
    limit = platform.settings.upload_limit
    if _size_of(document) > limit:
        raise TooLarge(limit)
    blob = platform.objects.put_file(document.path)
    return Joined(kind, name, media, blob.sha256, blob.size, of)


def _size_of(document: Document) -> int:
    size = document.path.stat().st_size
    if not size:
        raise UsageError(_messages("create.empty"))
    return size


def file_name(name: str) -> str:
    """Return the name of a file, whatever was said to be it."""
    last = PurePath(name.strip().strip('"').replace("\\", "/")).name
    shown = "".join(letter if letter.isprintable() else " " for letter in last).strip()[:255]
    return shown or "document"


def media_of(said: str, name: str) -> str:
    """Return the media type of a document: what is said of it, else what its name tells."""
    plain = said.partition(";")[0].strip().lower()
    return plain if _MEDIA.fullmatch(plain) else media_type_of(name)
