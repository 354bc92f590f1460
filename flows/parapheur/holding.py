"""What comes out of a circuit is held to what its flow asked about: the same subtype, and the same documents.

The signing book refuses to change either (``signing.parapheur.binding``); this is asked again before anything leaves.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session

from core.errors import NeedsOperator
from core.messages import Catalogue
from flows.engine.work import KeptFile
from signing.parapheur.binding import as_made
from signing.parapheur.folders import documents_of
from signing.parapheur.models import Folder

_messages = Catalogue("flows.parapheur")


def is_remade(session: Session, folder: Folder) -> bool:
    """Tell whether a folder of a flow has another subtype, or other documents, than those with which it was made."""
    return not as_made(session, folder, documents_of(session, folder.id))


def refuse_another(session: Session, folder: Folder, subtype: str, documents: Iterable[KeptFile]) -> None:
    """Go on only with a folder that took the way of a subtype, with these documents and no other.

    Raises:
        NeedsOperator: it did not.
    """
    came = {one.source_sha256 for one in documents_of(session, folder.id) if one.added_at is None}
    if (folder.subtype_id, came) != (subtype, {one.sha256 for one in documents}):
        raise NeedsOperator(_messages("folder.remade"))
