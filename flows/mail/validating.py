"""Sends that are approved in the parapheur before they leave, where an organisation wants that of a kind (« à valider »).

What lives here: which way a kind takes, the folder of a send, what its visa leads to. What does not: who approves what
(``signing.parapheur``), the circuit itself (``flows.parapheur``).

The way is written down when the send is accepted: what is configured later changes nothing for it. A send leaves as its
approvers saw it, since nothing of it may be changed any more; but time passes meanwhile, so its rules are asked once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from core import clock
from core.configuration import configuration_of
from core.database import ScopedSession
from core.errors import Conflict, NeedsOperator, NotFound, UsageError
from core.messages import Catalogue, speaking
from core.principal import PLATFORM
from core.problems import Problem, Severity
from core.secrets import SecretBox
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile, Work
from flows.mail import events, rules, validation_sheet
from flows.mail.convening import rules as convocations
from flows.mail.convening.models import Meeting
from flows.mail.events import EventKind
from flows.mail.keeping import DOCUMENT, SHEET, mail_of, recipients_of, terms_of
from flows.mail.models import Mail, MailRecipient
from flows.parapheur.dockets import docket_of
from flows.parapheur.files import told
from flows.parapheur.holding import refuse_another
from flows.parapheur.routing import Way
from flows.parapheur.settings import ParapheurRoute
from signing.parapheur import folders, metadata, trays
from signing.parapheur.desks import require_sender
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.history import LONGEST_NOTE, Said
from signing.parapheur.models import DocumentKind, Folder, FolderEvent, FolderState, TaskState, Visibility
from signing.parapheur.progress import tasks_of
from signing.parapheur.renewal import take_away
from signing.parapheur.typology import Protocol
from signing.report.content import plain

_messages = Catalogue("flows.mail")
CONFIGURED = "mail.visa."
ROUTE = "visa"
"""Name, among the facts of a dossier, of the way that was in force when it was accepted."""
VALIDATING = frozenset({"to_validate", "proceeding", "in_parapheur", "validated", "declined"})
"""States of a send that is in the hands of those who approve it; nothing has left."""
_SHEET_NAME, _PDF = "fiche-envoi.pdf", "application/pdf"
_REFUSALS = ("rejected", "erased")


def way_of(kind: str) -> Way:
    """Return by which configuration sends of a kind go through the parapheur; their documents go nowhere afterwards."""
    return Way(f"{CONFIGURED}{kind}", Protocol.NONE)


def route_of(session: Session, box: SecretBox, organisation_id: str, kind: str) -> ParapheurRoute | None:
    """Return the way that sends of a kind take through the parapheur, as an organisation or the nearest above says; None: none.

    Raises:
        Misconfigured: it cannot be decrypted.
    """
    try:
        return configuration_of(session, box, organisation_id, way_of(kind).name, ParapheurRoute)
    except NotFound:
        return None


def ask(work: Work) -> Advance:
    """Make the folder of a send in the transaction that records that people are asked; its circuit starts next.

    Raises:
        NeedsOperator: the desk may send nothing any more, or a metadata of the organisation takes other values.
        SandboxError, Unavailable: the sheet could not be composed.
    """
    route = ParapheurRoute.model_validate(work.facts[ROUTE])
    documents = [kept for kept in work.files if kept.role == DOCUMENT]
    with work.platform.database.reading(PLATFORM) as session:
        mail, recipients = mail_of(session, work.dossier_id), recipients_of(session, work.dossier_id)
        meeting = session.exec(select(Meeting).where(Meeting.dossier_id == work.dossier_id)).first()
        made = session.get_one(Dossier, work.dossier_id).since
    path = work.folder / _SHEET_NAME
    with speaking("fr"):  # what is approved is kept, and read by everybody
        path.write_bytes(validation_sheet.pdf(mail, terms_of(mail), recipients, documents, made))
    sheet = work.keep(SHEET, path, _SHEET_NAME, _PDF)
    new = NewFolder(
        dossier_id=work.dossier_id,
        organisation_id=work.organisation_id,
        title=work.title,
        emitter_id=route.emitter,
        author="platform",
        documents=(_joined(DocumentKind.MAIN, sheet), *(_joined(DocumentKind.ANNEX, one) for one in documents)),
        subtype_id=route.subtype,
        fields=_fields(mail, recipients, documents),
        due=meeting.last_day if meeting else None,
        visibility=Visibility(route.visibility),
        bound=True,
    )
    _check(work, new)
    return Advance("asked", facts={"starts": True}, files=(sheet,), apply=partial(_make, new))


def conclude(work: Work) -> Advance:
    """Keep the docket of a send that was approved, and let it go unless a rule that counts days refuses it by now.

    Raises:
        NeedsOperator: what was approved is not what was asked about, or not by those who were to be asked.
        SandboxError, Unavailable: the docket could not be composed.
    """
    route = ParapheurRoute.model_validate(work.facts[ROUTE])
    with work.platform.database.reading(PLATFORM) as session:
        mail, recipients = mail_of(session, work.dossier_id), recipients_of(session, work.dossier_id)
        folder = _folder_of(session, work.dossier_id)
        refuse_another(session, folder, route.subtype, (one for one in work.files if one.role in {SHEET, DOCUMENT}))
        problems = rules.of_send(mail, recipients, terms_of(mail), clock.in_paris(clock.now()).date())
        problems += convocations.problems(session, mail, recipients)
    late = [one for one in problems if one.severity is Severity.ERROR]
    docket = docket_of(work, folder.id)
    facts = _facts(folder, docket)
    if late:
        codes = sorted({one.rule for one in late})
        return Advance("late", files=docket, journal={"rules": codes}, apply=partial(_late, work.dossier_id, late, facts))
    return Advance("approved", files=docket, apply=partial(_record, work.dossier_id, EventKind.VALIDATED, facts, "platform"))


def decline(work: Work) -> Advance:
    """Keep the docket of a send that was not approved, and write down why; nothing has left.

    Raises:
        SandboxError, Unavailable: the docket could not be composed.
    """
    with work.platform.database.reading(PLATFORM) as session:
        folder = _folder_of(session, work.dossier_id)
        said = _refusal(session, folder)
    docket = docket_of(work, folder.id)
    facts = {**_facts(folder, docket), "reason": said.note if said else ""}
    actor = said.actor if said else "platform"
    return Advance("told", files=docket, apply=partial(_record, work.dossier_id, EventKind.NOT_VALIDATED, facts, actor))


@dataclass(frozen=True, slots=True)
class Round:
    """How the visa of a send stands, or ended.

    Attributes:
        desks: names of those that have it now.
        trouble: why its circuit could not start, for whoever sends it at the parapheur; empty when it did.
        reason: why it was not approved; empty when it was, or when nobody said.
    """

    desks: tuple[str, ...]
    trouble: str
    reason: str


def round_of(session: Session, dossier_id: str) -> Round | None:
    """Return how the visa of a send stands; None when nobody was ever asked."""
    folder = session.exec(select(Folder).where(Folder.dossier_id == dossier_id)).first()
    if folder is None:
        return None
    held = [one.desk_id for one in tasks_of(session, folder.id) if one.state == TaskState.OPEN.value]
    if folder.state == FolderState.DRAFT.value:
        held = [folder.emitter_id]
    said = _refusal(session, folder)
    return Round(tuple(trays.names(session, held).values()), folder.trouble or "", said.note if said else "")


def take_back(session: ScopedSession, mail: Mail, reason: str) -> Advance:
    """Take the folder of a cancelled send from the desks that have it, and tell them why; return what the dossier is told.

    It is done in the session's transaction, before the dossier is held: whoever acts on a folder holds it first.

    Raises:
        Conflict: a worker has the send in hand, or it has just been decided.
    """
    folder = session.exec(select(Folder).where(Folder.dossier_id == mail.dossier_id)).first()
    if folder is None:
        raise Conflict(_messages("act.visa"))
    with speaking("fr"):  # notes of a folder are read by everybody
        note = _messages("visa.called_off", reason=plain(" ".join(reason.split())))
    take_away(session, folder.id, Said(note if len(note) <= LONGEST_NOTE else note[: LONGEST_NOTE - 1] + "…"))
    session.flush()
    return Advance("cancelled", facts=told(folder))


def _folder_of(session: Session, dossier_id: str) -> Folder:
    return session.exec(select(Folder).where(Folder.dossier_id == dossier_id)).one()


def _refusal(session: Session, folder: Folder) -> FolderEvent | None:
    """Return the event by which a folder was last refused or given up."""
    wanted = select(FolderEvent).where(FolderEvent.folder_id == folder.id, col(FolderEvent.kind).in_(_REFUSALS))
    return session.exec(wanted.order_by(col(FolderEvent.number).desc())).first()


def _make(new: NewFolder, session: Session) -> None:
    if session.exec(select(Folder.id).where(Folder.dossier_id == new.dossier_id)).first() is None:
        folders.create(session, new)


def _joined(kind: DocumentKind, kept: KeptFile) -> Joined:
    return Joined(kind, kept.name, kept.media_type, kept.sha256, kept.size)


def _fields(mail: Mail, recipients: Sequence[MailRecipient], documents: Sequence[KeptFile]) -> dict[str, str]:
    values = {
        "courrier.type": mail.kind,
        "courrier.objet": mail.subject,
        "courrier.expediteur": mail.sender,
        "courrier.destinataires": str(len(recipients)),
        "courrier.documents": str(len(documents)),
    }
    shown = {key: plain(" ".join(value.split()))[: metadata.LONGEST_VALUE] for key, value in values.items()}
    return {key: value for key, value in shown.items() if value}


def _check(work: Work, new: NewFolder) -> None:
    """Find out now what the transaction that makes the folder would trip over."""
    try:
        with work.platform.database.reading(PLATFORM) as session:
            require_sender(session, new.organisation_id, new.emitter_id)
            metadata.checked(metadata.declared(session, new.organisation_id, new.fields.keys()), new.fields, (), {})
    except UsageError as error:
        raise NeedsOperator(_messages("visa.route", reason=error)) from error


def _facts(folder: Folder, docket: tuple[KeptFile, ...]) -> dict[str, Any]:
    files = [{"name": one.name, "media_type": one.media_type, "size": one.size, "sha256": one.sha256} for one in docket]
    return {"folder": folder.id, "dockets": files}


def _record(dossier_id: str, kind: EventKind, facts: dict[str, Any], actor: str, session: ScopedSession) -> None:
    events.record(session, mail_of(session, dossier_id), kind, facts, actor=actor)


def _late(dossier_id: str, problems: Sequence[Problem], facts: dict[str, Any], session: ScopedSession) -> None:
    dossier = session.get_one(Dossier, dossier_id)
    dossier.problems = [one.as_json() for one in problems]
    session.add(dossier)
    known = {**facts, "rules": sorted({one.rule for one in problems})}
    events.record(session, mail_of(session, dossier_id), EventKind.REFUSED_SEND, known)
    session.flush()
