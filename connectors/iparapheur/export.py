"""The ZIP that version 5 exports of a folder: main documents, their detached signatures, annexes, bordereau, PREMIS."""

from __future__ import annotations

import mimetypes
import re
import shutil
import zipfile
import zlib
from pathlib import Path

from connectors.iparapheur import premis
from connectors.iparapheur.dossiers import Attachment, Returned
from connectors.iparapheur.errors import MessageUnreadable
from core.identifiers import new_id
from core.messages import Catalogue

_messages = Catalogue("connectors.iparapheur")

MAIN, ANNEXES, BORDEREAU = "Documents principaux/", "Annexes/", "_bordereau.pdf"
_SIGNATURE = re.compile(r"-(\d+)-[^/]*\.(?:p7s|xml)$")
_MOST_FILES = 2000
_BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)
"""How a ZIP is cut, damaged, encrypted, or of a method that is not known."""


def unpack(path: Path, folder: Path, limit: int) -> Returned:
    """Return what an export holds.

    Args:
        path: of the ZIP.
        folder: a private folder; its files go into one of their own there, and nothing stays if it is refused.
        limit: bytes that all its files may have together.

    Raises:
        MessageUnreadable: no ZIP, without PREMIS, a document that PREMIS names is absent, more than the limit.
    """
    room = folder / new_id()
    room.mkdir()
    try:
        return _unpacked(path, room, limit)
    except BaseException as error:
        shutil.rmtree(room)
        if isinstance(error, _BROKEN):
            raise MessageUnreadable(_messages("message.export")) from error
        raise


def _unpacked(path: Path, room: Path, limit: int) -> Returned:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
        bounded = len(sizes) <= _MOST_FILES and sum(sizes.values()) <= limit
        if not bounded or sizes.get(premis.NAME, premis.LARGEST + 1) > premis.LARGEST:
            raise MessageUnreadable(_messages("message.export"))
        told = premis.read(archive.read(premis.NAME))
        return _returned(told, {name: _written(archive, name, room) for name in sizes if name != premis.NAME})


def _written(archive: zipfile.ZipFile, name: str, folder: Path) -> Attachment:
    path = folder / new_id()
    with archive.open(name) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    own = name.rpartition("/")[2]
    return Attachment(path, own, mimetypes.guess_type(own)[0] or premis.OCTETS)


def _returned(told: premis.Folder, written: dict[str, Attachment]) -> Returned:
    names = {part.name for part in told.parts if part.main}
    if missing := sorted(name for name in names if MAIN + name not in written):
        raise MessageUnreadable(_messages("message.export_missing", name=missing[0][:200]))
    documents = []
    for part in told.parts:
        if part.main:
            one = written[MAIN + part.name]
            documents.append(Attachment(one.path, one.name, one.media, _signature_of(part.name, written, names)))
    annexes = tuple(one for name, one in written.items() if name.startswith(ANNEXES))
    bordereau = next((one for name, one in written.items() if "/" not in name and name.endswith(BORDEREAU)), None)
    return Returned(tuple(documents), annexes, bordereau, told.metadata)


def _signature_of(name: str, written: dict[str, Attachment], documents: set[str]) -> Attachment | None:
    """Return the latest detached signature of a document: the file of the highest rank among ``<base>-<rank>-…``."""
    base = f"{MAIN}{name.rpartition('.')[0] or name}"
    ranked = [
        (int(found[1]), one)
        for path, one in written.items()
        if one.name not in documents and path.startswith(base) and (found := _SIGNATURE.fullmatch(path, len(base)))
    ]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None
