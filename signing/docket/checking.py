"""What the signatures of a folder's documents are worth, each document verified as anybody could verify it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.blobs import ObjectStore
from core.errors import UnreadableInput, UsageError
from signing.parapheur.models import DocumentKind, FolderDocument
from signing.trust import TrustStore
from signing.verdicts import FileVerdict
from signing.verification import verify


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a document.

    Attributes:
        verdict: on its signatures.
        problem: why there is none, for people.
    """

    verdict: FileVerdict | None
    problem: str | None = None


def check(
    objects: ObjectStore, documents: Sequence[FolderDocument], trust: TrustStore | None, at: datetime
) -> dict[str, Checked]:
    """Verify the main documents of a folder, and the detached signatures; by identifier of the document.

    Args:
        objects: where the documents are.
        documents: all of the folder's.
        trust: who is believed; None means nobody.
        at: the moment for which it is verified.

    Raises:
        Unavailable, ObjectMissing, ObjectAltered: a document cannot be had from the store.
    """
    by_id = {one.id: one for one in documents}
    found = {}
    for one in documents:
        if one.kind == DocumentKind.MAIN.value:
            found[one.id] = _checked(objects, one, None, trust, at)
        elif one.kind == DocumentKind.SIGNATURE.value and one.signature_of in by_id:
            found[one.id] = _checked(objects, one, by_id[one.signature_of], trust, at)
    return found


def _checked(
    objects: ObjectStore, document: FolderDocument, over: FolderDocument | None, trust: TrustStore | None, at: datetime
) -> Checked:
    with tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "document"
        objects.fetch(document.sha256, path)
        signed = None
        if over is not None:
            signed = Path(folder) / "signed"
            objects.fetch(over.sha256, signed)
        try:
            return Checked(verify(path, detached=signed, trust=trust, at=at))
        except (UnreadableInput, UsageError) as error:
            return Checked(None, str(error))
