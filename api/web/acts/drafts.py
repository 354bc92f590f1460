"""“Brouillons”: forms of acts that were not sent, found again with all that was typed and every file; each its author’s own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from api.web.acts.page import Identifier
from api.web.acts.pieces import Attached, place_of
from api.web.acts.sheet import ActSheet
from api.web.visitor import Fields, Parts, SignedIn
from core import clock, uploads
from core.errors import Conflict, NotFound, UsageError
from core.platform import Platform
from core.principal import Principal
from flows.actes import drafts
from flows.actes.drafts import ActesDraft, DraftKind

router = APIRouter()
_PATH = "/actes/brouillons/{act_draft_id}/suppression"
# What belongs to one sending of the form, and not to what is being written.
_PASSING = frozenset({"csrf", "do", "uploads", "saisie", "organisation", "montre", "piece", "document"})


@router.post(_PATH)
def forgotten(platform: Parts, visitor: SignedIn, fields: Fields, act_draft_id: Identifier) -> RedirectResponse:
    """Forget a draft, with the files that came for it."""
    visitor.check(fields.get("csrf"))
    for upload in uploads.waiting(platform, visitor.principal, place_of(act_draft_id)):
        with suppress(NotFound):  # its time was over at this very moment
            uploads.cancel(platform, visitor.principal, upload.id)
    drafts.forget(platform, visitor.principal, act_draft_id)
    return RedirectResponse("/actes?fait=brouillon#brouillons", status_code=303)


def remember(sheet: ActSheet, kind: DraftKind, title: str, found: Sequence[Attached]) -> str:
    """Keep a form as it is now, its files with it; return why it cannot be kept, nothing when it is.

    A form in which nothing was written yet is no draft.
    """
    until, trouble = clock.now(), ""
    if title:
        try:
            owner = sheet.known.organisation.id
            until = drafts.keep(
                sheet.platform, sheet.visitor.principal, owner, sheet.id, kind, title, _fields(sheet, found)
            ).expires
        except (UsageError, Conflict) as error:
            trouble = str(error)
    uploads.keep(sheet.platform, sheet.visitor.principal, sheet.place, sheet.known.organisation.id, until)
    return trouble


def _fields(sheet: ActSheet, found: Sequence[Attached]) -> list[tuple[str, str]]:
    typed = [(name, value) for name, value in sheet.filled.multi_items() if isinstance(value, str) and "\x00" not in value]
    kept = [(name, value) for name, value in typed if name not in _PASSING and not name.startswith("type.")]
    return [*kept, *(("piece", one.key) for one in found), *((f"type.{one.key}", one.type) for one in found if one.type)]


def resumed(
    platform: Platform, principal: Principal, sheet_id: str, kind: DraftKind
) -> tuple[Mapping[str, str], FormData] | None:
    """Return a draft as its form would send it; None when there is none of that kind."""
    kept: ActesDraft | None = drafts.draft_of(platform, principal, sheet_id)
    if kept is None or kept.kind != kind.value:
        return None
    fields = [(name, value) for name, value in kept.fields]
    return {**dict(fields), "organisation": kept.organisation_id, "saisie": kept.id}, FormData(fields)
