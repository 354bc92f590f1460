"""The files of a form on their way to an act: uploads that wait, in the order that the form tells, each with its typology.

They stay with the server while the form is filled in, so that neither a fault in another field nor a closed browser loses them;
an act that was refused lends its own files to the form that mends it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData, UploadFile

from api.web.acts.known import Known
from api.web.deposit.sorting import DETACHED, signatures_among
from api.web.rows import Button, moved
from core import uploads
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from core.uploads import PIECE, Upload
from flows.actes.act import Act, JoinedFile
from flows.actes.intake import media_type_of
from flows.engine import reading
from flows.engine.models import DossierFile
from schemas.actes.archive import DEFAULT_LIMITS

_t = Catalogue("api.web.acts")
MOST = DEFAULT_LIMITS.documents
_PKCS7 = "application/pkcs7-signature"
_UPLOADED, _KEPT = "u", "f"


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of the form.

    Attributes:
        key: names it in the form: an upload, or a file of the act that is mended.
        sha256: of its content; empty for an upload, whose content is no document yet.
        type: typology; empty when none is chosen.
        of: name of the file over which it is a detached signature; empty for any other file.
    """

    key: str
    name: str
    size: int
    sha256: str = ""
    type: str = ""
    of: str = ""

    @property
    def upload_id(self) -> str:
        """The upload that it is; empty when it is a file of an act."""
        return self.key[1:] if self.key.startswith(_UPLOADED) else ""

    @property
    def anchor(self) -> str:
        """Where the page shows it."""
        return f"piece-{self.key}"


def place_of(sheet: str) -> str:
    """Return what the uploads of a form are sent for."""
    return f"acte {sheet}"


def keep(platform: Platform, principal: Principal, organisation_id: str, place: str, form: FormData) -> None:
    """Keep the files of a plain form as uploads, so that they outlive whatever is wrong with the rest of it.

    Raises:
        UsageError, TooLarge, Conflict, Forbidden: see ``core.uploads.begin``.
    """
    for file in form.getlist("document"):
        if isinstance(file, UploadFile) and file.filename:
            _keep(platform, principal, organisation_id, place, file)


def _keep(platform: Platform, principal: Principal, organisation_id: str, place: str, file: UploadFile) -> None:
    upload = uploads.begin(platform, principal, organisation_id, file.filename or "", file.size or 0, place)
    whole, offset = hashlib.sha256(), 0
    while octets := file.file.read(PIECE):
        whole.update(octets)
        uploads.receive(platform, principal, upload.id, offset, octets, hashlib.sha256(octets).hexdigest())
        offset += len(octets)
    uploads.finish(platform, principal, upload.id, whole.hexdigest())


def of_form(platform: Platform, principal: Principal, place: str, form: FormData, source: str = "") -> list[Attached]:
    """Return the files of a form: those that it names, in its order, then those that have arrived since.

    Args:
        platform: its parts.
        principal: whose they are.
        place: what the uploads were sent for.
        form: as it was sent; empty for a page that is only opened.
        source: the act that is mended, when there is one.
    """
    there = arrived(platform, principal, place)
    there |= {one.key: one for one in of_act(platform, principal, source)} if source else {}
    return chosen(there, form)


def arrived(platform: Platform, principal: Principal, place: str) -> dict[str, Attached]:
    """Return the files that were sent for a place, by key."""
    found = [_of_upload(one) for one in uploads.waiting(platform, principal, place) if one.sha256]
    return {one.key: one for one in found}


def chosen(there: Mapping[str, Attached], form: FormData) -> list[Attached]:
    """Return the files that a form names, in its order, then those that have arrived since.

    Args:
        there: every file that it may name, by key.
        form: as it was sent; empty for a page that is only opened.
    """
    named = list(dict.fromkeys(key for key in form.getlist("piece") if isinstance(key, str)))
    kept = set(named)
    since = [key for key in there if key not in kept and (key.startswith(_UPLOADED) or not form)]
    found = []
    for key in [*(key for key in named if key in there), *since]:
        told = form.get(f"type.{key}", there[key].type)
        found.append(replace(there[key], type=told if isinstance(told, str) else ""))
    return found if named else _usual_order(found)


def _of_upload(upload: Upload) -> Attached:
    return Attached(f"{_UPLOADED}{upload.id}", upload.name, upload.size)


def of_act(platform: Platform, principal: Principal, dossier_id: str) -> list[Attached]:
    """Return the files of an act, to send it again once it is mended; none when the principal does not read it."""
    try:
        with reading.opened(platform.database, principal) as session:
            seen = reading.seen(session, dossier_id)
    except NotFound:
        return []
    if "act" not in seen.dossier.facts:
        return []
    newest: dict[str, DossierFile] = {kept.role: kept for kept in seen.files}
    found = []
    for piece in Act.from_facts(seen.dossier.facts).pieces:
        for role, kind in ((piece.role, piece.type or ""), (piece.signature_role, "")):
            if role in newest:
                found.append(of_file(newest[role], kind))
    return found


def of_file(kept: DossierFile, type_: str = "") -> Attached:
    """Return a file of a dossier, to be sent with what is made of the form."""
    return Attached(f"{_KEPT}{kept.id}", kept.name, kept.size, kept.sha256, type_)


def _usual_order(found: Sequence[Attached]) -> list[Attached]:
    """Return files that nobody has put in order yet: the first PDF is the most likely act."""
    first = next((one for one in found if one.name.casefold().endswith(".pdf")), None)
    return [first, *(one for one in found if one is not first)] if first else list(found)


def arranged(platform: Platform, principal: Principal, pieces: Sequence[Attached], pressed: Button) -> list[Attached]:
    """Return the files once one was moved, made the main document, or taken out; a file that is taken out is given up."""
    if pressed.act == "main" and pressed.rank < len(pieces):
        return [pieces[pressed.rank], *pieces[: pressed.rank], *pieces[pressed.rank + 1 :]]
    if pressed.act == "delete" and pressed.rank < len(pieces) and (upload_id := pieces[pressed.rank].upload_id):
        with suppress(NotFound):  # its day was over already
            uploads.cancel(platform, principal, upload_id)
    return list(moved(pieces, pressed))


def typed(pieces: Sequence[Attached], known: Known, nature: int | None, *, annexed: bool = False) -> list[Attached]:
    """Return the files with the typology that each will bear: the one chosen where the nature has it, else the usual one.

    Args:
        pieces: in their order.
        known: of the organisation.
        nature: of the act.
        annexed: all but the first are annexes to it.
    """
    names = [one.name for one in pieces]
    signatures = {rank: names[of] for rank, of in signatures_among(names).items() if names[rank].casefold().endswith(DETACHED)}
    allowed = {code for code, _ in known.types(nature)}

    def type_of(rank: int, chosen: str) -> str:
        if rank in signatures:
            return ""
        return chosen if chosen in allowed else known.usual_type(nature, annex=annexed and rank > 0)

    return [replace(one, of=signatures.get(rank, ""), type=type_of(rank, one.type)) for rank, one in enumerate(pieces)]


def total(pieces: Sequence[Attached]) -> int:
    """Return the size of all of them, in bytes."""
    return sum(one.size for one in pieces)


def joined(pieces: Sequence[Attached], digests: dict[str, str]) -> list[JoinedFile]:
    """Return the files as an act holds them, each with its detached signature.

    Args:
        pieces: as ``typed`` gave them.
        digests: digest of each upload, by its identifier.
    """

    def of(one: Attached, **more: Any) -> JoinedFile:
        media = _PKCS7 if one.of else media_type_of(one.name)
        return JoinedFile(one.name, media, one.sha256 or digests[one.upload_id], one.size, **more)

    over = {one.of: of(one) for one in pieces if one.of}
    return [of(one, type=one.type or None, signature=over.get(one.name)) for one in pieces if not one.of]
