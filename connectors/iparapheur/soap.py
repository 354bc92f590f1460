"""A parapheur over its legacy SOAP service: what i-Parapheur 4 and 5 both answer, and other products after them.

Uncertain, since no document says it: how a refusal names a dossier that is not known (several wordings are recognised). No
status tells that a dossier was taken back: whoever recalls it knows.
"""

from __future__ import annotations

import tempfile
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from connectors.iparapheur import errors
from connectors.iparapheur import messages as wire
from connectors.iparapheur.dossiers import Attachment, Event, Returned, State, Status, Submission, external_name
from connectors.iparapheur.messages import ArchiveAction, Code, DocAnnexe, Document, MetaDonnee
from connectors.iparapheur.places import signature_place
from connectors.iparapheur.reading import LARGEST, decode
from connectors.iparapheur.settings import ParapheurSettings
from connectors.iparapheur.transport import Transport
from connectors.iparapheur.writing import MEDIA, write
from core.addresses import Networks
from core.errors import UnreadableInput
from core.identifiers import new_id
from core.messages import Catalogue

_messages = Catalogue("connectors.iparapheur")

A = TypeVar("A", bound=wire.Answer)

_OK, _FAULT = 200, 500
_ARCHIVED, _REJECTED = "Archive", "Rejet"
_SIGNED = {"Signe", "CachetOK"}
_FAILED = {"TransmissionKO"}
_PRESENT = "déjà présent"
_NAMED = "dossierID = "
_ABSENT = ("inconnu", "introuvable", "n'existe pas", "n’existe pas", "pas trouvé", "not found")
_XML = {"application/xml", "text/xml"}


class SoapParapheur:
    """One account in one parapheur."""

    def __init__(self, settings: ParapheurSettings, networks: Networks) -> None:
        self._settings = settings
        self._transport = Transport(settings, networks)
        password = settings.password.get_secret_value() if settings.password else ""
        self._authorization = "Basic " + b64encode(f"{settings.login}:{password}".encode()).decode()

    def call(self, request: wire.Request, kind: type[A], folder: Path) -> A:
        """Send a request and return its answer.

        Args:
            request: any of ``messages``.
            kind: the type of its answer.
            folder: a private folder; the documents of the answer go there.

        Raises:
            What every method of a ``ParapheurConnector`` may raise; a refusal by a notice is an answer.
        """
        envelope, target = folder / new_id(), folder / new_id()
        headers = {"Content-Type": MEDIA, "SOAPAction": '""', "Authorization": self._authorization}
        try:
            write(request, envelope)
            reply = self._transport.send("POST", wire.PATH, target, headers=headers, body=envelope, limit=LARGEST)
            if reply.status not in {_OK, _FAULT} or (reply.status == _FAULT and "xml" not in reply.media):
                self._transport.refuse(reply)
            with target.open("rb") as stream:
                answer = decode(stream, reply.media, folder)
        except UnreadableInput as error:
            raise errors.AnswerUnreadable(_messages("answer.unreadable", reason=str(error))) from error
        finally:
            envelope.unlink(missing_ok=True)
            target.unlink(missing_ok=True)
        return self._expected(answer, kind)

    def list_types(self) -> Mapping[str, tuple[str, ...]]:
        """See ``ParapheurConnector``."""
        types = self._ask(wire.GetListeTypesRequest(), wire.GetListeTypesResponse).types
        return {
            name: self._ask(wire.GetListeSousTypesRequest(name), wire.GetListeSousTypesResponse).subtypes
            for name in sorted(types)
        }

    def submit(self, submission: Submission) -> str:
        """See ``ParapheurConnector``: a dossier that is there already under our own identifier was submitted before."""
        request = creation(submission, self._settings)
        notice = self._ask(request, wire.CreerDossierResponse).notice
        if notice.code is Code.OK or _is_ours(notice.message, request.dossier_id):
            return request.dossier_id
        raise errors.SubmissionRefused(_messages("submission.refused", reason=notice.message[:300]))

    def status(self, external_id: str) -> Status:
        """See ``ParapheurConnector``."""
        answer = self._ask(wire.GetHistoDossierRequest(external_id), wire.GetHistoDossierResponse)
        self._check(answer.notice, external_id)
        if not answer.entries:
            raise errors.DossierMissing(_messages("dossier.missing", dossier=external_id))
        events = tuple(Event(entry.moment, entry.name, entry.status, entry.annotation) for entry in answer.entries)
        state = _state(events)
        return Status(state, events, events[-1].note if state is State.REJECTED else "")

    def fetch(self, external_id: str, folder: Path) -> Returned:
        """See ``ParapheurConnector``."""
        answer = self.call(wire.GetDossierRequest(external_id), wire.GetDossierResponse, folder)
        self._check(answer.notice, external_id)
        document = answer.pes or answer.document
        if document is None:
            raise errors.AnswerUnreadable(_messages("answer.unreadable", reason="DocPrincipal"))
        name = _unquoted(answer.document_name or external_id)
        signature = None if answer.pes or not answer.signature else _signature(answer.signature, name)
        main = Attachment(document.path, name, document.media, signature)
        annexes = tuple(_attachment(annex) for annex in answer.annexes)
        return Returned(
            documents=(main, *(_attachment(one) for one in answer.more)),
            annexes=annexes[:-1],
            bordereau=annexes[-1] if annexes else None,
            metadata={one.name: one.value for one in answer.metadata},
        )

    def close(self, external_id: str, action: ArchiveAction) -> None:
        """See ``ParapheurConnector``."""
        try:
            state = self.status(external_id).state
        except errors.DossierMissing:
            return
        if state is State.REJECTED:
            notice = self._ask(wire.EffacerDossierRejeteRequest(external_id), wire.EffacerDossierRejeteResponse).notice
        elif state in {State.SIGNED, State.APPROVED}:
            request = wire.ArchiverDossierRequest(external_id, action)
            notice = self._ask(request, wire.ArchiverDossierResponse).notice
        else:
            raise errors.NotEnded(_messages("dossier.not_ended", dossier=external_id))
        try:
            self._check(notice, external_id)
        except errors.DossierMissing:  # erased between the two
            return

    def recall(self, external_id: str) -> None:
        """See ``ParapheurConnector``."""
        request = wire.ExercerDroitRemordDossierRequest(external_id)
        notice = self._ask(request, wire.ExercerDroitRemordDossierResponse).notice
        try:
            self._check(notice, external_id)
        except errors.RequestRefused as error:
            raise errors.RecallRefused(_messages("recall.refused", dossier=external_id, reason=notice.message[:300])) from error

    def _ask(self, request: wire.Request, kind: type[A]) -> A:
        """Send a request whose answer holds no document."""
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            return self.call(request, kind, Path(folder))

    def _expected(self, answer: wire.Message, kind: type[A]) -> A:
        if isinstance(answer, wire.Fault):
            if answer.code == "Server":
                raise self._transport.unavailable(answer.text)
            raise errors.RequestRefused(_messages("request.refused", reason=answer.text[:300]))
        if not isinstance(answer, kind):
            raise errors.AnswerUnreadable(_messages("answer.unreadable", reason=type(answer).__name__))
        return answer

    def _check(self, notice: wire.MessageRetour | None, external_id: str) -> None:
        if notice is None or notice.code is Code.OK:
            return
        if any(words in notice.message.lower() for words in _ABSENT):
            raise errors.DossierMissing(_messages("dossier.missing", dossier=external_id))
        raise errors.RequestRefused(_messages("request.refused", reason=notice.message[:300]))


def creation(submission: Submission, settings: ParapheurSettings) -> wire.CreerDossierRequest:
    """Return the request that creates a dossier.

    Raises:
        UsageError: our identifier cannot be used.
        SubmissionRefused: a PES without the identifiers that its signature needs.
    """
    document = submission.document
    place = signature_place(document.path, settings.signature_place) if document.media in _XML else None
    known = settings.metadata
    return wire.CreerDossierRequest(
        type=settings.type,
        subtype=settings.subtype,
        email=submission.email,
        dossier_id=external_name(submission),
        title=submission.title,
        document=Document(document.path, document.media),
        document_name=document.name,
        signature=_document(document.signature),
        visual=Document(submission.visual, "application/pdf") if submission.visual else None,
        more=tuple(_annex(one) for one in submission.more),
        annexes=tuple(_annex(one) for one in submission.annexes),
        metadata=tuple(MetaDonnee(known[name], value) for name, value in submission.metadata.items() if name in known),
        signature_place=place,
        public_note=submission.public_note,
        private_note=submission.private_note,
        visibility=settings.visibility,
        due=submission.due,
    )


def _annex(attachment: Attachment) -> DocAnnexe:
    file = Document(attachment.path, attachment.media)
    return DocAnnexe(attachment.name, file, attachment.media, "UTF-8", _document(attachment.signature))


def _document(attachment: Attachment | None) -> Document | None:
    return Document(attachment.path, attachment.media) if attachment else None


def _attachment(annex: DocAnnexe) -> Attachment:
    name = _unquoted(annex.name)
    signature = _signature(annex.signature, name) if annex.signature else None
    return Attachment(annex.file.path, name, annex.media or annex.file.media, signature)


def _signature(document: Document, name: str) -> Attachment:
    """Return a detached signature under a name of its own: the service gives none."""
    suffix = ".xml" if document.media in _XML else ".p7s"
    return Attachment(document.path, name + suffix, document.media)


def _unquoted(name: str) -> str:
    """Return a file's name without the quotes that some versions put around it."""
    return name.strip('"')


def _is_ours(message: str, dossier_id: str) -> bool:
    """Tell whether a refusal says that a dossier of this very identifier is there already."""
    return _PRESENT in message and message.partition(_NAMED)[2].strip() == dossier_id


def _state(events: tuple[Event, ...]) -> State:
    last = events[-1].status
    if last.startswith(_REJECTED):  # of a visa, a signature, a seal, a mail, or of what a later version invents
        return State.REJECTED
    if last == _ARCHIVED:
        return State.SIGNED if any(event.status in _SIGNED for event in events) else State.APPROVED
    return State.ERROR if last in _FAILED else State.PENDING
