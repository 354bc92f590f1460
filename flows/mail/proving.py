"""The proof of a send as one file, at any moment, for somebody who has neither the platform nor a reason to believe it.

It is an extract of the journal (`archive.proof.extract`) with what its entries name by their digests: statements, and the sealed
package once there is one; and with what the statements name: message, documents, returned messages, answers. Its
``LISEZ-MOI.txt`` leads through the verification with tools that any machine has. What is given out is never changed by what
happens later.

The proof for one recipient holds nothing of the others, nor the sealed package, where they all stand.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from archive.models import Record
from archive.package import PackageFile, plain_name
from archive.places.places import fetch
from archive.proof.evidence import PACKAGE, SUMS, stamped_guide, stamped_in_words, sums
from archive.proof.extract import Extract, add_extract, inclusion_guide
from archive.proof.proving import extract_of
from archive.stored_zip import stored_zip
from core.canonical import canonical_bytes
from core.database import ScopedSession
from core.errors import Conflict, NotFound
from core.journal import JournalEntry
from core.messages import Catalogue, speaking
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.mail import attestation, pieces
from flows.mail.keeping import dossier_of, mail_of
from flows.mail.models import Mail
from flows.mail.proof import enter, statements
from flows.mail.validating import VALIDATING
from signing.report.content import plain

README = "LISEZ-MOI.txt"
_messages = Catalogue("flows.mail")
UNSENT = frozenset({"draft", "received", "abandoned", "rejected", "cancelled"}) | VALIDATING
"""States of a send of which nothing has left: there is nothing to prove to anybody."""
_WHOLE = "envoi"


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What a proof is made of, beside the files."""

    mail: Mail
    told: dict[str | None, dict[str, Any]]
    secrets: frozenset[str]
    record: Record | None
    extract: Extract

    @property
    def whole(self) -> bool:
        """It is for the sender, and shows everybody."""
        return None in self.told

    @property
    def any_statement(self) -> Mapping[str, Any]:
        """One of them: what they say of the send itself, all say alike."""
        return next(iter(self.told.values()))


def package(platform: Platform, principal: Principal, dossier_id: str, target: Path, recipient_id: str | None = None) -> None:
    """Write the proof of a send; the same journal gives the same bytes.

    Args:
        platform: where it was sent from.
        principal: who asks.
        dossier_id: of the send.
        target: the file to write; nothing is left there after a failure.
        recipient_id: whom alone it is about; the whole send when not given.

    Raises:
        NotFound: no such send, or recipient of it, for this principal.
        Forbidden: the principal may not read it.
        Conflict: it has not left.
        Unavailable: the journal was never timestamped yet, or the attestations wait for their turn.
        ObjectMissing, ObjectAltered: the store does not hold what was sent.
        SandboxError: an attestation could not be composed.
    """
    with platform.database.reading(principal) as session:
        dossier = dossier_of(session, dossier_id)
        principal.require(Right.READ, dossier.organisation_id)
        if dossier.state in UNSENT:
            raise Conflict(_messages("proof.unsent"))
    gathered = _gathered(platform, principal, dossier_id, recipient_id)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder, stored_zip(target, gathered.extract.head.at) as zipped:
        joined = list(_joined(platform, gathered, Path(folder)))
        stored = [zipped.add(README, _readme(gathered, {name for name, _ in joined}).encode())]
        stored += [zipped.add(name, content) for name, content in joined]
        stored += add_extract(zipped, gathered.extract)
        zipped.add(SUMS, sums(stored))


def _gathered(platform: Platform, principal: Principal, dossier_id: str, recipient_id: str | None) -> _Gathered:
    with platform.database.reading(PLATFORM) as session:
        told = statements(session, dossier_id)
    if recipient_id is not None:
        if recipient_id not in told:
            raise NotFound(_messages("recipient.unknown"))
        told = {recipient_id: told[recipient_id]}
    with platform.database.writing(PLATFORM) as session:
        mail = mail_of(session, dossier_id)
        enter(session, mail, told, principal.actor)
    with platform.database.reading(PLATFORM) as session:
        entries = [entry for entry in _entries(session, dossier_id) if _concerns(entry, recipient_id)]
        secrets = pieces.link_digests(session, dossier_id)
        record = session.exec(select(Record).where(Record.dossier_id == dossier_id)).first() if recipient_id is None else None
    return _Gathered(mail, told, secrets, record, extract_of(platform, entries))


def _entries(session: ScopedSession, dossier_id: str) -> list[JournalEntry]:
    wanted = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)
    return list(session.exec(wanted.order_by(col(JournalEntry.number))))


def _concerns(entry: JournalEntry, recipient_id: str | None) -> bool:
    """Tell whether an entry belongs to a proof: to that of a recipient, what is about them, or tells all of an event."""
    if recipient_id is None:
        return True
    about = entry.facts.get("recipient")
    return about == recipient_id or (about is None and "event" in entry.facts)


def _joined(platform: Platform, gathered: _Gathered, folder: Path) -> Iterator[tuple[str, Path | bytes]]:
    """Yield the members that the extract names, directly or through a statement, and their names."""
    made = gathered.extract.head.at
    with speaking("fr"):  # a proof is French, whoever asks for it
        if gathered.whole:
            yield "attestation.pdf", attestation.of_send(gathered.told, made)
        for stem, one in _numbered(gathered):
            if stem != _WHOLE:
                yield f"attestations/{stem}.pdf", attestation.of_recipient(one, made)
            yield f"releves/{stem}.json", canonical_bytes(one)
    yield from ((file.name, file.path) for file in pieces.written(gathered.mail, folder))
    yield from _named("documents", pieces.documents(platform, gathered.any_statement, folder))
    for stem, one in _numbered(gathered):
        yield from _named(f"reponses/{stem}", pieces.answers(platform, one, folder), "-")
        for file in pieces.returns(platform, one, gathered.secrets, folder, stem):
            yield f"retours/{file.name}", file.path
    if gathered.whole:
        yield from _named("visa", pieces.dockets(platform, gathered.any_statement, folder))
    if gathered.record is not None:
        record, path = gathered.record, folder / PACKAGE
        fetch(platform, record, path)
        yield PACKAGE, path


def _numbered(gathered: _Gathered) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statements with the names of their files: numbers, that of a single recipient being the first."""
    width = max(2, len(str(len(gathered.told))))
    ones = (one for recipient_id, one in gathered.told.items() if recipient_id is not None)
    yield from ((_WHOLE, one) for recipient_id, one in gathered.told.items() if recipient_id is None)
    yield from ((f"{rank:0{width}}", one) for rank, one in enumerate(ones, start=1))


def _named(stem: str, found: Iterator[PackageFile], joint: str = "/") -> Iterator[tuple[str, Path]]:
    taken: set[str] = set()
    for rank, file in enumerate(found, start=1):
        yield f"{stem}{joint}{rank:02}-{plain_name(file.name, taken)}", file.path


def _readme(gathered: _Gathered, names: set[str]) -> str:
    """Return the expert's guide; on no line of it stands first what a stranger wrote: indented lines are commands."""
    send = gathered.any_statement["send"]
    with speaking("fr"):
        return (
            files("flows.mail")
            .joinpath("locale/proof.fr.txt")
            .read_text("utf-8")
            .format(
                subject=plain(gathered.mail.subject),
                sender=plain(send["sender"]),
                organisation=plain(send["organisation"]),
                dossier=send["id"],
                scope=_messages("proof.scope.whole" if gathered.whole else "proof.scope.one"),
                stamped=stamped_in_words(gathered.extract.token),
                notes="\n".join(_notes(gathered, names)),
                inclusion=inclusion_guide(gathered.extract),
                token=stamped_guide(gathered.extract.token),
            )
        )


def _notes(gathered: _Gathered, names: set[str]) -> Iterator[str]:
    """Yield what a reader must know of this very proof."""
    if gathered.extract.waiting:
        yield _messages("proof.waiting", count=gathered.extract.waiting)
    if gathered.any_statement["send"]["purged"]:
        yield _messages("proof.purged")
    came = sum(len(one["returns"]) for one in gathered.told.values())
    if kept := came - sum(name.startswith("retours/") for name in names):
        yield _messages("proof.kept", count=kept)
