"""Dockets of a visa: who approved a document of a flow, or objected, and when; one for each round of its folder.

What lives here: the docket as a file of a dossier. What does not: what a docket says (``signing.docket``), when a flow wants one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core import clock
from core.messages import speaking
from core.principal import PLATFORM
from flows.engine.work import KeptFile, Work
from signing.docket.checking import Checked, check
from signing.docket.content import content_of
from signing.docket.forms import pdf
from signing.parapheur.folders import documents_of
from signing.parapheur.models import DocumentKind, FolderDocument
from signing.trust import trust_store

DOCKET = "docket"
"""Role of a docket among the files of a dossier."""
_MEDIA = "application/pdf"


def docket_of(work: Work, folder_id: str, until: datetime | None = None) -> tuple[KeptFile, ...]:
    """Print the docket of a folder as it stands, and keep it; nothing when that was done since anything happened to it.

    Args:
        work: the dossier.
        folder_id: its folder.
        until: leave out what happened later.

    Raises:
        SandboxError, Unavailable: it could not be composed.
    """
    with work.platform.database.reading(PLATFORM) as session:
        documents = documents_of(session, folder_id)
    checked = _checked(work, documents, until)
    with work.platform.database.reading(PLATFORM) as session:
        docket = content_of(session, folder_id, checked, until=until)
    name = f"bordereau-de-visa-{len(docket.events)}.pdf"
    if not docket.events or any(one.role == DOCKET and one.name == name for one in work.files):
        return ()
    path = work.folder / name
    with speaking("fr"):  # it goes to the archive, which is French, whoever acted last
        path.write_bytes(pdf(docket))
    return (work.keep(DOCKET, path, name, _MEDIA),)


def _checked(work: Work, documents: Sequence[FolderDocument], until: datetime | None) -> dict[str, Checked]:
    """Verify what was signed here; a signature that came with a document is no matter of the visa."""
    main = [one for one in documents if one.kind == DocumentKind.MAIN.value]
    signed = any(one.sha256 != one.source_sha256 for one in main)
    if not signed and all(one.kind != DocumentKind.SIGNATURE.value for one in documents):
        return {}
    trust = trust_store(work.platform.settings.trust_dir)
    return check(work.platform.objects, documents, trust, until or clock.now())
