"""Annexes that people join to a folder while it is in their hands, and take out again before they have acted."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from core.errors import Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.principal import Principal
from signing.parapheur import typology
from signing.parapheur.actions import Held, hold
from signing.parapheur.folders import MOST_ANNEXES, Joined, documents_of, join
from signing.parapheur.history import tell
from signing.parapheur.models import DocumentKind, FolderDocument

_messages = Catalogue("signing.parapheur")


def add(session: Session, principal: Principal, task_id: str, annexes: Sequence[Joined]) -> list[FolderDocument]:
    """Join annexes to the folder of a task.

    Raises:
        Forbidden: the subtype admits none.
        UsageError: nothing to join, something else than an annex, or more than a folder holds.
        NotFound, Conflict: see ``actions.hold``.
    """
    held = hold(session, principal, task_id)
    if not typology.kind_of(session, held.folder.subtype_id or "").options.annexes:
        raise Forbidden(_messages("annex.none"))
    there = sum(one.kind == DocumentKind.ANNEX.value for one in documents_of(session, held.folder.id))
    if not annexes or any(one.kind is not DocumentKind.ANNEX for one in annexes):
        raise UsageError(_messages("annex.empty"))
    if there + len(annexes) > MOST_ANNEXES:
        raise UsageError(_messages("folder.annexes", found=there + len(annexes)))
    added = join(session, held.folder, annexes, added_at=held.folder.rank)
    _told(session, held, "annexed", added)
    return added


def remove(session: Session, principal: Principal, task_id: str, document_id: str) -> None:
    """Take out an annex that was joined in the step under way.

    Raises:
        NotFound: no such annex in the folder.
        Forbidden: it came before this step.
        Conflict: see ``actions.hold``.
    """
    held = hold(session, principal, task_id)
    found = next((one for one in documents_of(session, held.folder.id) if one.id == document_id), None)
    if found is None or found.kind != DocumentKind.ANNEX.value:
        raise NotFound(_messages("document.unknown"))
    if not is_fresh(found, held.folder.rank):
        raise Forbidden(_messages("annex.earlier"))
    _told(session, held, "annex_removed", [found])
    session.delete(found)
    session.flush()


def is_fresh(document: FolderDocument, rank: int) -> bool:
    """Tell whether an annex was joined in the step of a rank."""
    return document.kind == DocumentKind.ANNEX.value and document.added_at == rank


def _told(session: Session, held: Held, kind: str, documents: Sequence[FolderDocument]) -> None:
    facts = {"annexes": [{"id": one.id, "sha256": one.sha256} for one in documents]}
    tell(session, held.folder, kind, held.hand, task_id=held.task.id, facts=facts)
