"""The documents of a send while it is written: those that its draft has, and uploads that wait to join them."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from starlette.datastructures import FormData

from api.web.acts import pieces
from api.web.acts.pieces import Attached
from api.web.rows import Button
from core import uploads
from core.platform import Platform
from core.principal import Principal
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from flows.mail.keeping import DOCUMENT


def place_of(sheet_id: str) -> str:
    """Return what the uploads of a form are sent for."""
    return f"courrier {sheet_id}"


def of_form(
    platform: Platform, principal: Principal, place: str, form: FormData, kept: Sequence[DossierFile], pressed: Button
) -> list[Attached]:
    """Return the documents of a form, once the button that was pressed has done what it does to them.

    Args:
        platform: its parts.
        principal: whose uploads they are.
        place: what these were sent for.
        form: as it was sent; empty for a page that is only opened.
        kept: what the draft has.
        pressed: the button.
    """
    there = {one.key: one for one in map(pieces.of_file, kept)} | pieces.arrived(platform, principal, place)
    return pieces.arranged(platform, principal, pieces.chosen(there, form), pressed)


@contextmanager
def made(
    platform: Platform, principal: Principal, organisation_id: str, found: Sequence[Attached], kept: Sequence[DossierFile]
) -> Iterator[tuple[KeptFile, ...]]:
    """Make documents of the uploads among the files of a form, for the block; when it raises, they can be used again.

    Raises:
        NotFound, Conflict: see ``core.uploads.using``.
    """
    named = [one.upload_id for one in found if one.upload_id]
    of_draft = {pieces.of_file(one).key: one for one in kept}
    if not named:
        yield tuple(_of_draft(of_draft, one) for one in found)
        return
    with uploads.using(platform, principal, organisation_id, named) as used:
        digests = {one.id: one.sha256 or "" for one in used}
        yield tuple(
            _file(one.name, digests[one.upload_id], one.size) if one.upload_id else _of_draft(of_draft, one) for one in found
        )


def _of_draft(of_draft: Mapping[str, DossierFile], one: Attached) -> KeptFile:
    return _file(one.name, one.sha256, one.size, of_draft[one.key].media_type)


def _file(name: str, sha256: str, size: int, media_type: str = "") -> KeptFile:
    guessed = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return KeptFile(DOCUMENT, name, guessed, sha256, size)
