"""Sending an act whose form was judged: its uploads become its documents, unless one is not what its name says."""

from __future__ import annotations

from collections.abc import Sequence

from api.web.acts import pieces as papers
from api.web.acts.form import Typed, Unfit, require_fit
from api.web.acts.pieces import Attached
from api.web.acts.sheet import ActSheet
from core import uploads
from core.errors import UsageError
from core.messages import Catalogue
from flows.actes.act import JoinedFile
from flows.actes.intake import Submission, author_told, submit
from flows.actes.publishing_later import PublicationAsked
from flows.engine.intake import Received

_t = Catalogue("api.web.acts")


def submitted(sheet: ActSheet, typed: Typed, found: Sequence[Attached], key: str, *, opens: bool = True) -> Received | None:
    """Send an act; None when its files are not what their names say, which is noted beside each.

    Args:
        sheet: the form.
        typed: the act that it holds, judged.
        found: its files, as ``pieces.typed`` gave them.
        key: makes a repeat harmless.
        opens: see ``form.require_fit``.

    Raises:
        UsageError, Conflict, NeedsOperator, Forbidden: see ``flows.actes.intake.submit``.
        NotFound, Conflict: see ``core.uploads.using``.
    """
    platform, principal = sheet.platform, sheet.visitor.principal
    wanted = [one.upload_id for one in found if one.upload_id]
    try:
        with uploads.using(platform, principal, sheet.known.organisation.id, wanted) as used:
            files = papers.joined(found, {one.id: one.sha256 or "" for one in used})
            require_fit(platform, typed, found, files, opens=opens)
            return submit(platform, principal, _submission(sheet, typed, files, key))
    except Unfit:
        return None


def _submission(sheet: ActSheet, typed: Typed, files: Sequence[JoinedFile], key: str) -> Submission:
    if typed.decision_date is None or typed.nature is None:
        raise UsageError(_t("wrong.date"))
    return Submission(
        sheet.known.organisation.id,
        typed.number,
        typed.decision_date,
        typed.nature,
        typed.matieres,
        typed.subject,
        files[0],
        files[1:],
        paper=typed.paper,
        previous=typed.precedes or None,
        sign=typed.sign and typed.nature in sheet.known.signed,
        idempotency_key=key,
        publish=PublicationAsked(author_told(typed.author)) if typed.published else None,
    )
