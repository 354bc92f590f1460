"""What software takes: the files of a transaction, what the préfecture sent, the acknowledgement, the classification."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePath

from fastapi.responses import FileResponse, Response
from sqlmodel import col, select
from starlette.background import BackgroundTask

from api import downloads
from api.acts import finding, papers
from api.acts.finding import RECEIPT
from api.s2low.asking import following, related
from api.s2low.calls import Call, NotDone, Transaction, as_json, octets_of, transaction_of
from api.s2low.numbers import file_number, file_numbered, numbers_of
from api.s2low.statuses import Status
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.principal import Right
from flows.actes.composing import EXTENSIONS, signature_text
from flows.actes.envelopes import archive_role, message_role
from flows.actes.models import ActesClassification
from flows.engine.models import DossierFile
from schemas.actes.archive import DEFAULT_LIMITS
from schemas.actes.codes import MessageCode
from schemas.actes.names import AttachmentName, IdActe, MessageBase, MessageName
from schemas.actes.tar import BrokenTar, entries

_t = Catalogue("api.s2low")
_XML = "application/xml"
_BEFORE = frozenset({Status.POSTED, Status.WAITING, Status.SENT, Status.TO_BE_SIGNED})
_NO = {"", "0"}
_LARGEST_SIGNATURE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Given:
    """A file of a transaction.

    Attributes:
        name: under which it travels.
        kept: the file; None for a message of ours that stands in the envelope that left only.
        octets: that message.
        signature: a detached signature over it.
    """

    name: str
    kept: DossierFile | None
    octets: bytes = b""
    type: str | None = None
    signature: str | None = None


def document(call: Call) -> Response:
    """Tell what came after an act; of any other transaction, give its archive."""
    found = transaction_of(call, call.query.get("id", ""))
    if found.is_act:
        return related(found, numbers_of(call.platform, following(found)))
    if found.message.outgoing:
        kept = found.whole.file(archive_role(found.message.id))
        if kept is None:
            raise Conflict(_t("archive.not_yet"))
        return downloads.document(call.platform, kept)
    return _archive(call, found)


def _archive(call: Call, found: Transaction) -> Response:
    """Return what the préfecture sent as one archive: its message, then the files that came with it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabellion-")))
        target, taken = folder / "archive.tar.gz", set[str]()
        with tarfile.open(target, "w:gz", format=tarfile.GNU_FORMAT) as archive:
            for rank, kept in enumerate(found.whole.files_of(found.message)):
                path = folder / f"{rank}"
                call.platform.objects.fetch(kept.sha256, path)
                name = _free(PurePath(kept.name).name, taken, rank)
                archive.add(path, name, filter=_nobodys)
                path.unlink()
        room = stack.pop_all()
    name = f"{found.message.id_acte}-{found.message.code}.tar.gz"
    return FileResponse(target, media_type="application/gzip", filename=name, background=BackgroundTask(room.close))


def _free(name: str, taken: set[str], rank: int) -> str:
    free = name if name.strip(".") and name not in taken else f"{rank}-{name}"
    taken.add(free)
    return free


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry


def listed(call: Call) -> Response:
    """List the files of a transaction: the message first, then the main document, then the annexes."""
    found = transaction_of(call, call.query.get("transaction", ""))
    if found.status in _BEFORE:
        raise Conflict(_t("files.not_yet"))
    return as_json([_entry(found.number, rank, one) for rank, one in enumerate(_files(call, found))])


def _entry(number: int, rank: int, one: _Given) -> dict[str, str | None]:
    return {
        "id": str(file_number(number, rank)),
        "name": one.name,
        "posted_filename": one.kept.name if one.kept else one.name,
        "mimetype": one.kept.media_type if one.kept else _XML,
        "size": str(one.kept.size if one.kept else len(one.octets)),
        "sign": one.signature,
        "code_pj": one.type,
    }


def file(call: Call) -> Response:
    """Give a file of a transaction, as it was kept."""
    number, rank = file_numbered(call.query.get("file", ""))
    found = transaction_of(call, str(number))
    given = _files(call, found)
    if rank >= len(given):
        raise NotFound(_t("file.invalid"))
    one = given[rank]
    if one.kept is not None and call.query.get("tampon", "") not in _NO:
        return _stamped(call, found, one.kept)
    if one.kept is not None:
        return downloads.document(call.platform, one.kept)
    headers = {"Content-Disposition": f'attachment; filename="{one.name}"', "X-Content-Type-Options": "nosniff"}
    return Response(one.octets, media_type=_XML, headers=headers)


def _files(call: Call, found: Transaction) -> Sequence[_Given]:
    if not found.message.outgoing:
        return [_Given(kept.name, kept) for kept in found.whole.files_of(found.message)]
    base = MessageBase.of_act(IdActe.parse(found.message.id_acte), MessageCode(found.message.code))
    files = [_said(call, found, str(MessageName.build(base)))]
    for role, signature_role in _roles(found):
        kept = found.whole.file("signed" if role == "document" and found.whole.file("signed") else role)
        if kept is None:
            continue
        kind = found.whole.type_of(role)
        signature = found.whole.file(signature_role) if signature_role else None
        name = AttachmentName.build(type=kind, base=base, n=len(files), extension=EXTENSIONS[kept.media_type])
        files.append(_Given(str(name), kept, type=kind, signature=_signature(call, signature)))
    return files


def _roles(found: Transaction) -> list[tuple[str, str | None]]:
    """Return the files that a message of ours took along, each with the signature over it."""
    if found.is_act:
        return [(piece.role, piece.signature_role) for piece in found.whole.act.pieces]
    return [(role, None) for role, *_ in found.message.facts.get("pieces", ())]


def _signature(call: Call, kept: DossierFile | None) -> str | None:
    if kept is None or kept.size > _LARGEST_SIGNATURE:
        return None
    return signature_text(octets_of(call, kept.sha256))


def _said(call: Call, found: Transaction, name: str) -> _Given:
    """Return the XML of a message of ours; of one that left before they were kept, what its archive holds."""
    kept = found.whole.file(message_role(None if found.is_act else found.message.id))
    return _Given(name, kept) if kept else _Given(name, None, _message(call, found))


def _message(call: Call, found: Transaction) -> bytes:
    """Return the second entry of the archive that left, whose end need not be read.

    Raises:
        Conflict: there is no archive: nothing was made of the act.
    """
    kept = found.whole.file(archive_role(None if found.is_act else found.message.id))
    if kept is None:
        raise Conflict(_t("archive.not_yet"))
    with call.platform.objects.reading(kept.sha256) as stream:
        packed = gzip.GzipFile(fileobj=io.BufferedReader(_Raw(stream)))
        try:
            for rank, entry in enumerate(entries(packed.read)):
                if rank == 1 and entry.size <= DEFAULT_LIMITS.messages:
                    return b"".join(entry.pieces)
        except BrokenTar as error:
            raise Conflict(_t("archive.not_yet")) from error
    raise Conflict(_t("archive.not_yet"))


class _Raw(io.RawIOBase):
    """An object of the store as a raw file."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        piece: bytes = self._stream.read(len(buffer))  # type: ignore[attr-defined]
        buffer[: len(piece)] = piece
        return len(piece)


def receipt(call: Call) -> Response:
    """Give the State's acknowledgement of an act."""
    found = transaction_of(call, call.query.get("transaction") or call.query.get("id") or "")
    kept = found.whole.file(RECEIPT) if found.is_act else None
    if kept is None:
        raise NotFound(_t("receipt.not_yet"))
    return downloads.document(call.platform, kept)


def classification(call: Call) -> Response:
    """Give the newest classification of the préfecture, octet for octet: clients compare it with the one that they hold."""
    organisation_id = call.account.organisation.id
    held = call.account.principal
    if not held.may(Right.DEPOSIT, organisation_id):
        call.account.require(Right.READ)
    with call.platform.database.reading(held) as session:
        sha256 = session.exec(
            select(ActesClassification.sha256)
            .where(ActesClassification.organisation_id == organisation_id)
            .order_by(col(ActesClassification.day).desc())
        ).first()
    if sha256 is None:
        raise NotFound(_t("classification.none"))
    # Its charset is the one that it declares itself.
    return Response(octets_of(call, sha256), headers={"Content-Type": "text/xml"})


def stamped(call: Call) -> Response:
    """Give the main document of an act with the préfecture's stamp on each page."""
    found = transaction_of(call, call.query.get("transaction", ""))
    kept = found.whole.file("signed") or found.whole.file("document")
    if kept is None:
        raise NotFound(_t("file.invalid"))
    return _stamped(call, found, kept)


def _stamped(call: Call, found: Transaction, kept: DossierFile) -> Response:
    text = call.query.get("date_affichage", "").strip()
    try:
        published = date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(_t("stamp.date", found=text[:20])) from error
    return downloads.copy(*finding.stamped(call.platform, found.whole, kept, published), "application/pdf")


def docket(call: Call) -> Response:
    """Give the docket of the acknowledgement of an act, whichever of its transactions is asked for."""
    found = transaction_of(call, call.query.get("trans_id", ""))
    return downloads.copy(*papers.docket_of(call.platform, found.whole), "application/pdf")


def confirmation(_call: Call) -> Response:
    """Refuse to confirm with a certificate what is sent without it."""
    raise NotDone(_t("confirmation.not_done"))


def by_certificate(_call: Call) -> Response:
    """Refuse what lets somebody in by a certificate."""
    raise NotDone(_t("door.certificate"))
