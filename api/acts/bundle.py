"""The whole of an act in one ZIP: what was sent, its stamped copies, what was exchanged, the acknowledgement and the docket.

It is for people, to be filed or handed out; what proves is the record with its evidence. The same act gives the same octets.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path, PurePath

from fastapi.responses import FileResponse

from api import downloads
from api.acts.finding import RECEIPT, Whole
from api.acts.papers import docket_of
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.models import MessageState
from flows.actes.stamped import has_stamp, stamped_copy
from flows.actes.transmitted import PDF, files_of, readable
from flows.engine.models import DossierFile
from schemas.actes.codes import MessageCode
from signing.actes.stamping import NotStampable

_t = Catalogue("api.acts")
_XML = "application/xml"
_MOST, _STAMP = 1 << 30, 16 << 20
_LONGEST = 100
_EXCHANGED = frozenset({MessageState.RECEIVED.value, MessageState.SENT.value})


def bundle_of(platform: Platform, found: Whole) -> FileResponse:
    """Return the whole of an act; what has no stamped copy is said in the note that stands in it.

    Raises:
        Conflict: the State has not acknowledged the act.
        UsageError: it is larger than 1 GiB; the message says what to do.
        SandboxError: the docket could not be composed.
        Unavailable, ObjectMissing: the store does not answer, or too many wait for their turn.
    """
    dossier, (docket_name, docket) = found.seen.dossier, docket_of(platform, found)
    with platform.database.reading(PLATFORM) as session:
        sent = files_of(session, dossier)
    stamped = {role: kept for role, kept in sent.items() if kept.media_type == PDF} if has_stamp(dossier) else {}
    files = list(_files(found, sent))
    if sum(kept.size for _, kept in files) + sum(kept.size + _STAMP for kept in stamped.values()) > _MOST:
        raise UsageError(_t("bundle.heavy", gibibytes=_MOST >> 30))

    def write(target: Path) -> None:
        with zipfile.ZipFile(target, "w") as zipped, tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            pack = _Packing(zipped, date.fromisoformat(dossier.facts["reception_date"]))
            pack.add(docket_name, docket)
            for name, kept in files:
                path = Path(folder) / "file"
                platform.objects.fetch(kept.sha256, path)
                pack.add(name, path, compressed=kept.media_type == _XML)
                path.unlink()
            missing = []
            for rank, (role, kept) in enumerate(sent.items(), 1):
                try:
                    copy = stamped_copy(platform, dossier, role, published=None)
                except (Conflict, NotStampable) as error:  # no PDF, encrypted, cancelled meanwhile: the original is there
                    missing.append(_t("bundle.unstamped", name=readable(kept.name), reason=error))
                else:
                    pack.add(f"{_t('bundle.stamped')}/{rank}-{_plain(PurePath(kept.name).stem)}-tampon.pdf", copy)
            note = [_t("bundle.note", number=found.act.number), *missing]
            pack.add(_t("bundle.note.name"), "\r\n\r\n".join([*note, ""]).encode("utf-8-sig"))

    identifier = dossier.facts.get("id_acte_of_state") or dossier.facts["id_acte"]
    return downloads.zipped(_t("name.bundle", identifier=identifier), write)


class _Packing:
    """A ZIP being written; every entry bears the day of receipt."""

    def __init__(self, zipped: zipfile.ZipFile, day: date) -> None:
        self._zipped, self._day = zipped, day

    def add(self, name: str, content: bytes | Path, *, compressed: bool = False) -> None:
        """Add an entry."""
        entry = zipfile.ZipInfo(name, (self._day.year, self._day.month, self._day.day, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        entry.external_attr = 0o644 << 16
        if isinstance(content, bytes):
            self._zipped.writestr(entry, content)
            return
        entry.file_size = content.stat().st_size
        with self._zipped.open(entry, "w") as out, content.open("rb") as source:
            shutil.copyfileobj(source, out, 1 << 20)


def _files(found: Whole, sent: dict[str, DossierFile]) -> Iterator[tuple[str, DossierFile]]:
    """Return the files that are kept of an act, under their names in the ZIP: none stands outside of it, no two are one."""
    receipt = found.file(RECEIPT)
    if receipt is not None:
        yield _plain(receipt.name), receipt
    signatures = {piece.role: found.file(piece.signature_role) for piece in found.act.pieces if piece.signature_role}
    for rank, (role, kept) in enumerate(sent.items(), 1):
        yield f"{_t('bundle.originals')}/{rank}-{_plain(kept.name)}", kept
        if (signature := signatures.get(role)) is not None:
            yield f"{_t('bundle.originals')}/{rank}-signature-{_plain(signature.name)}", signature
    told = {MessageCode.ACTE.value, MessageCode.AR_ACTE.value}
    others = (one for one in found.messages if one.code not in told and one.state in _EXCHANGED)
    for rank, message in enumerate(others, 1):
        for place, kept in enumerate(found.files_of(message), 1):
            yield f"{_t('bundle.exchanged')}/{rank:02d}-{message.code}/{place}-{_plain(kept.name)}", kept


def _plain(name: str) -> str:
    """Return a name that every system takes as that of a file."""
    kept = "".join("-" if sign in '<>:"/\\|?*' else sign for sign in readable(name)).strip(". -") or "fichier"
    stem, dot, ending = kept.rpartition(".")
    return f"{stem[:_LONGEST]}{dot}{ending[:10]}" if dot else kept[:_LONGEST]
