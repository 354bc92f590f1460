"""Archiving a send that is over: its statements as they stood then, its package under lock once, and the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlmodel import Session

from archive.kinds.mail import Addressee, MailRecord, MailRole, mail_package
from archive.package import PackageFile
from archive.retention.referential import rules_for
from archive.sealing import Sealing
from core import clock
from core.canonical import canonical_bytes
from core.journal import JournalEntry
from core.messages import Catalogue, speaking
from core.principal import PLATFORM
from flows.engine.work import Advance, Work
from flows.mail import attestation, pieces
from flows.mail.keeping import PROOF, mail_of
from flows.mail.models import Mail
from flows.mail.proof import enter, statements
from flows.sealing import entries_up_to, events_of, journal_extract, producer_of, under_lock

_messages = Catalogue("flows.mail")
_FINISHED = frozenset({"mail.finished"})
_OVERVIEW = "attestation.pdf"
_JSON, _PDF, _LINES = "application/json", "application/pdf", "application/x-ndjson"
Told = Mapping[str | None, Mapping[str, Any]]


def seal(work: Work) -> Advance:
    """Build the package as the send stood when it was over, put it under lock, and name its statements in the journal.

    Raises:
        NeedsOperator: the journal does not tell what led here.
        ObjectMissing, ObjectAltered: the store does not hold what was sent.
        SandboxError, Unavailable: an attestation could not be composed.
    """
    entries = entries_up_to(work, _FINISHED)
    over = entries[-1].at
    with work.platform.database.reading(PLATFORM) as session:
        mail = mail_of(session, work.dossier_id)
        told = statements(session, work.dossier_id, over)
        secrets = pieces.link_digests(session, work.dossier_id)
        record = _record(work, session, mail, told, entries)
    with work.platform.database.writing(PLATFORM) as session:
        enter(session, mail, told, "platform")
    facts = Sealing(work.organisation_id, work.dossier_id, "mail", record.retention, record.access)
    with speaking("fr"):  # the archive is French, whoever acted last
        files = [
            *pieces.written(mail, work.folder),
            *pieces.documents(work.platform, told[None], work.folder),
            *_of_recipients(work, told, secrets, entries),
            *_of_send(work, told, entries),
        ]
    kept = work.keep(PROOF, work.folder / _OVERVIEW, _OVERVIEW, _PDF)
    return under_lock(work, facts, mail_package(work.folder / "package.zip", record, files), (kept,))


def _of_recipients(work: Work, told: Told, secrets: frozenset[str], entries: Sequence[JournalEntry]) -> Iterator[PackageFile]:
    """Yield what is theirs, recipient by recipient."""
    ones = [one for recipient_id, one in told.items() if recipient_id is not None]
    for rank, one in enumerate(ones, start=1):
        stem = f"{rank:0{max(2, len(str(len(ones))))}}"
        yield _made(work, MailRole.STATEMENT, f"releve-{stem}.json", canonical_bytes(dict(one)), _JSON)
        yield _made(work, MailRole.ATTESTATION, f"attestation-{stem}.pdf", attestation.of_recipient(one, entries[-1].at), _PDF)
        yield from pieces.returns(work.platform, one, secrets, work.folder, f"retour-{stem}")
        yield from pieces.answers(work.platform, one, work.folder)


def _of_send(work: Work, told: Told, entries: Sequence[JournalEntry]) -> Iterator[PackageFile]:
    yield _made(work, MailRole.SUMMARY, "releve-envoi.json", canonical_bytes(dict(told[None])), _JSON)
    yield _made(work, MailRole.OVERVIEW, _OVERVIEW, attestation.of_send(told, entries[-1].at), _PDF)
    yield from pieces.dockets(work.platform, told[None], work.folder)
    yield PackageFile(MailRole.JOURNAL, journal_extract(work, entries), _LINES, "journal.jsonl")


def _made(work: Work, role: MailRole, name: str, content: bytes, media_type: str) -> PackageFile:
    path: Path = work.folder / name
    path.write_bytes(content)
    return PackageFile(role, path, media_type, name)


def _record(work: Work, session: Session, mail: Mail, told: Told, entries: Sequence[JournalEntry]) -> MailRecord:
    agency, name = producer_of(session, work.organisation_id)
    over = entries[-1].at
    rules = rules_for(session, work.organisation_id, "mail")
    with speaking("fr"):
        return MailRecord(
            transfer=f"tabellion-{work.dossier_id}",
            dossier=work.dossier_id,
            at=over,
            archival_agency=agency,
            transferring_agency=agency,
            producer=agency,
            producer_name=name,
            subject=mail.subject,
            sender=mail.sender or name,
            kind=_messages(f"proof.kind.{mail.kind}"),
            recipients=tuple(_addressee(one["recipient"]) for key, one in told.items() if key is not None),
            sent=clock.in_paris(mail.sent).date() if mail.sent else None,
            closed=clock.in_paris(over).date(),
            events=events_of(entries),
            retention=rules.appraisal,
            access=rules.access,
        )


def _addressee(recipient: Mapping[str, Any]) -> Addressee:
    address = recipient["address"]
    named = f"{recipient['name']} ({address})" if recipient["name"] else address
    return Addressee(named, _messages(f"proof.state.{recipient['state']}"))
