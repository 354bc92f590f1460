"""GetDossier: a folder with its documents as they stand, its bordereau last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from api.iparapheur.creation import FACTS, PDF, TITLE, file_name
from api.iparapheur.door import Account
from api.iparapheur.finding import find
from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import Code, DocAnnexe, Document, MessageRetour
from core import clock
from core.identifiers import new_id
from core.messages import speaking
from core.platform import Platform
from flows.engine.models import Dossier
from signing.docket.checking import check
from signing.docket.content import content_of
from signing.docket.forms import pdf
from signing.parapheur import typology
from signing.parapheur.folders import documents_of
from signing.parapheur.history import last_of
from signing.parapheur.models import DocumentKind, Folder, FolderDocument, Visibility
from signing.parapheur.typology import SignatureFormat
from signing.trust import trust_store

_VISIBILITIES = {Visibility.PUBLIC: wire.Visibility.PUBLIC, Visibility.CONFIDENTIAL: wire.Visibility.CONFIDENTIAL}


def give(platform: Platform, account: Account, identifier: str, room: Path) -> wire.GetDossierResponse:
    """Return a folder with its documents, fetched into a private folder.

    Raises:
        NotFound: there is none that the account sees.
        Unavailable, ObjectMissing, ObjectAltered: a document cannot be had from the store.
        SandboxError: the bordereau could not be composed.
    """
    with platform.database.reading(account.principal) as session:
        folder = find(session, account, identifier)
        told = _told(session, account, folder)
        documents = documents_of(session, folder.id)
        is_pes = bool(folder.subtype_id) and _format(session, folder) is SignatureFormat.PES
    fetched = _Fetched(platform, room, documents)
    main = fetched.of(DocumentKind.MAIN)
    first = main[0] if main else None
    document = fetched.document(first) if first else None
    signature = fetched.signature(first) if first else None
    return wire.GetDossierResponse(
        **told,
        dossier_id=identifier,
        pes=document if is_pes else None,
        document=None if is_pes else document,
        document_name=first.name if first else None,
        signature=signature,
        more=tuple(fetched.annex(one) for one in main[1:]),
        annexes=(
            *(fetched.annex(one) for one in fetched.of(DocumentKind.ANNEX, DocumentKind.PROOF)),
            _bordereau(platform, account, folder, documents, room),
        ),
        notice=MessageRetour(Code.OK),
    )


class _Fetched:
    """The documents of a folder, each in a file once it is asked for."""

    def __init__(self, platform: Platform, room: Path, documents: Sequence[FolderDocument]) -> None:
        self._objects, self._room, self._documents = platform.objects, room, documents

    def of(self, *kinds: DocumentKind) -> list[FolderDocument]:
        wanted = {kind.value for kind in kinds}
        return [one for one in self._documents if one.kind in wanted]

    def document(self, kept: FolderDocument) -> Document:
        path = self._room / new_id()
        self._objects.fetch(kept.sha256, path)
        return Document(path, kept.media_type)

    def signature(self, signed: FolderDocument) -> Document | None:
        """Return the last detached signature of a document."""
        over = [one for one in self.of(DocumentKind.SIGNATURE) if one.signature_of == signed.id]
        return self.document(over[-1]) if over else None

    def annex(self, kept: FolderDocument) -> DocAnnexe:
        return DocAnnexe(kept.name, self.document(kept), kept.media_type, "UTF-8", self.signature(kept))


def _told(session: Session, account: Account, folder: Folder) -> dict[str, Any]:
    """Return what is said of a folder beside its documents."""
    kind = typology.kind_of(session, folder.subtype_id) if folder.subtype_id else None
    started = last_of(session, [folder.id], "started").get(folder.id)
    dossier = session.exec(select(Dossier).where(Dossier.id == folder.dossier_id)).first()
    sends = folder.emitter_id in {desk.id for desk in account.senders}
    asked = dossier.facts.get(FACTS, {}) if dossier else {}
    visibility = wire.Visibility(asked["visibility"]) if asked else _VISIBILITIES[Visibility(folder.visibility)]
    return {
        "type": kind.type_name if kind else None,
        "subtype": kind.name if kind else None,
        "signature_place": asked.get("place"),
        "public_note": started.note if started else None,
        "private_note": started.private_note if started and sends else None,
        "visibility": visibility,
        "due": folder.due,
        "metadata": tuple(wire.MetaDonnee(name, value) for name, value in ({TITLE: folder.title} | folder.fields).items()),
    }


def _format(session: Session, folder: Folder) -> SignatureFormat:
    return typology.kind_of(session, folder.subtype_id or "").signing.format


def _bordereau(
    platform: Platform, account: Account, folder: Folder, documents: Sequence[FolderDocument], room: Path
) -> DocAnnexe:
    found = check(platform.objects, documents, trust_store(platform.settings.trust_dir), clock.now())
    with platform.database.reading(account.principal) as session:
        docket = content_of(session, folder.id, found)
    path = room / new_id()
    with speaking("fr"):
        path.write_bytes(pdf(docket))
    return DocAnnexe(file_name(f"{folder.title}_bordereau.pdf"), Document(path, PDF), PDF, "UTF-8")
